//! How the node ends and starts again, and how a run does: all time passes, every queue is emptied,
//! and of each message it must be clear what became of it.

use leveret::store::{Health, MemoryStorage};

use super::book::End;
use super::rules::QUEUES;
use super::world::World;
use crate::durability::seat::CONSUMING;
use crate::durability::world::{DISK_SIZE, Node};
use crate::operation::Operation;

/// The client that takes all there is.
const LAST_CLIENT: usize = 9;

/// Milliseconds in which everything that has a time is over.
const ALL_TIME_MS: u64 = 8000;

impl World {
    /// Everything said so far is on disk, and what is due was done.
    pub(super) fn flush(&mut self) -> Result<(), String> {
        self.book.is_to_be_on_disk();
        for _ in 0..4 {
            self.now = self.now.plus(60);
            self.node.broker.elapse(self.now);
            self.node.writer.write(self.now, true);
            self.node.writer.sync();
            self.fetch_all();
            self.settle()?;
        }
        if self.node.gate.is_blown() {
            return Ok(());
        }
        let health = self.node.writer.log().health();
        if health != Health::Good {
            return Err(format!("the log is {health:?} on a disk that works"));
        }
        let waiting = self.node.seats.iter().find(|(_, seat)| !seat.is_free());
        if let Some((client, seat)) = waiting {
            return Err(format!("client {client} waits for ever: {seat:?}"));
        }
        let unanswered = self.clients.values().flat_map(|client| client.unanswered.values());
        if let Some(message) = unanswered.min() {
            let sent = self.book.sent.get(message);
            return Err(format!("message {message} is never answered: {sent:?}"));
        }
        self.note("all is on disk".to_owned());
        self.book.is_on_disk();
        Ok(())
    }

    /// The node ends, one way or another.
    pub(super) fn end_node(&mut self) -> Result<(), String> {
        if self.node.gate.is_blown() {
            self.coverage.add("powers lost in a call", 1);
            return self.lose_power();
        }
        match self.chance.below(8) {
            0 | 1 => self.stop(),
            2 | 3 => {
                self.coverage.add("processes killed", 1);
                self.note("killed".to_owned());
                self.go_on(self.node.disk.kill(), false)
            }
            4 | 5 => self.lose_power(),
            _ => {
                let doom = self.node.doom(&mut self.chance);
                self.note(doom);
                Ok(())
            }
        }
    }

    fn lose_power(&mut self) -> Result<(), String> {
        self.coverage.add("powers lost", 1);
        self.note("the power fails".to_owned());
        let disk = self.node.disk_after_loss(&mut self.chance);
        self.go_on(disk, false)
    }

    /// Everybody leaves, the log is closed, and the power may go.
    fn stop(&mut self) -> Result<(), String> {
        self.node.gate.set_fuse(None);
        self.flush()?;
        self.coverage.add("clean stops", 1);
        for client in self.node.seats.keys().copied().collect::<Vec<_>>() {
            self.lose(client);
        }
        self.note("stopped".to_owned());
        self.node.broker.tell_delivered();
        self.node.writer.stop(self.now).map_err(|error| format!("the stop: {error}"))?;
        let disk = self.node.disk_after_loss(&mut self.chance);
        self.go_on(disk, true)
    }

    /// A new node on what is left.
    fn go_on(&mut self, disk: MemoryStorage, is_clean: bool) -> Result<(), String> {
        self.look_at_figures()?;
        self.refused_before += self.refused();
        disk.set_capacity(DISK_SIZE);
        let (node, _) = Node::open(disk, &self.run, &mut self.chance, None)?;
        self.node = node;
        self.clients.clear();
        self.now = self.now.plus(self.chance.below(100) as u64);
        self.book.restarted(is_clean);
        self.read_policies();
        self.flush()
    }

    /// Dead letters that a queue had no room for, in this life.
    fn refused(&self) -> u64 {
        self.node.broker.figures().dead_letters.refused
    }

    /// Every dead letter has a way, and none goes in a circle.
    fn look_at_figures(&self) -> Result<(), String> {
        let figures = self.node.broker.figures().dead_letters;
        if figures.unroutable > 0 || figures.cycles > 0 {
            return Err(format!("dead letters are lost on their way: {figures:?}"));
        }
        Ok(())
    }

    /// The end of a run.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        if self.node.gate.is_blown() {
            self.lose_power()?;
        }
        self.node.gate.set_fuse(None);
        for client in self.node.seats.keys().copied().collect::<Vec<_>>() {
            self.lose(client);
        }
        self.note("the end".to_owned());
        self.let_time_pass()?;
        self.empty()?;
        self.look_at_figures()?;
        for (reason, count) in self.book.reasons.clone() {
            let rows = [
                ("rejected", "deaths: rejected"),
                ("expired", "deaths: expired"),
                ("maxlen", "deaths: maxlen"),
                ("delivery_limit", "deaths: delivery_limit"),
            ];
            let row = rows.into_iter().find(|(name, _)| *name == reason);
            row.into_iter().for_each(|(_, row)| self.coverage.add(row, count));
        }
        let refused = self.refused_before + self.refused();
        self.coverage.add("dead letters refused", refused);
        let missing = self.book.missing()?;
        if missing.len() as u64 > refused {
            let shown = missing.iter().take(5).map(|key| {
                format!("{key:?}: {:?} {:?}", self.book.sent[&key.0], self.book.copies.get(key))
            });
            let shown = shown.collect::<Vec<_>>().join("\n  ");
            let count = missing.len();
            return Err(format!("{count} are lost, {refused} were refused:\n  {shown}"));
        }
        Ok(())
    }

    fn let_time_pass(&mut self) -> Result<(), String> {
        self.flush()?;
        let end = self.now.plus(ALL_TIME_MS);
        while let Some(due) = self.node.broker.deadline().filter(|due| *due < end) {
            self.now = due.max(self.now);
            self.node.broker.elapse(self.now);
            self.fetch_all();
            self.settle()?;
            if self.node.broker.deadline() == Some(due) {
                return Err(format!("something is due at {}, and nothing is done", due.0));
            }
        }
        self.flush()
    }

    /// Somebody takes all there is, from every queue.
    fn empty(&mut self) -> Result<(), String> {
        self.connect(LAST_CLIENT, 0);
        for queue in QUEUES {
            self.settle()?;
            self.consume_from(LAST_CLIENT, queue, false);
        }
        for _ in 0..20 {
            self.flush()?;
            let out = std::mem::take(&mut self.client(LAST_CLIENT).out);
            if !out.is_empty() {
                self.say(LAST_CLIENT, CONSUMING, &Operation::Ack { tag: 0, multiple: true });
            }
            out.values().for_each(|key| self.end(key, End::Accepted));
            self.now = self.now.plus(500);
        }
        self.flush()?;
        self.lose(LAST_CLIENT);
        self.settle()?;
        let deadline = self.node.broker.deadline();
        if deadline.is_some_and(|deadline| deadline < self.now.plus(ALL_TIME_MS)) {
            return Err(format!("every queue is empty, and something is due at {deadline:?}"));
        }
        match self.node.broker.body_memory() {
            (0, _) => Ok(()),
            memory => Err(format!("every queue is empty, and bodies take {memory:?}")),
        }
    }
}
