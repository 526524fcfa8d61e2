//! The world: a broker, its clients, time, and the wires between them, all on one thread and all
//! from one seed. It moves bytes in pieces and tells the oracle what was taken and what was heard,
//! in the order in which it happened; what that means, others know.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use leveret::broker::{Broker, BrokerOptions, Peer, Session};
use leveret::message::Moment;

use crate::chance::Chance;
use crate::client::{Ears, Incoming, What};
use crate::coverage::Coverage;
use crate::fact::Fact;
use crate::invariants::{self, Invariant, Violation};
use crate::operation::{DeclareQueue, Operation};
use crate::oracle::{At, Oracle};
use crate::plan::{self, Candidate, Step};
use crate::plants::{Plant, Tamper};
use crate::tracer::Tracer;

/// The client that only looks.
const AUDITOR: usize = 0;

/// Clients that do things, by number.
const CLIENTS: std::ops::Range<usize> = 1..5;

/// Steps that are told when a run fails.
const STEPS_TOLD: usize = 30;

/// Milliseconds between heartbeats of a client.
const HEARTBEAT_STEP_MS: u64 = 4000;

/// What a run is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) seed: u64,
    pub(crate) operations: u64,
    /// A fault between clients and broker, and the only invariant that looks.
    pub(crate) plant: Option<(Plant, &'static str)>,
}

/// A run that broke an invariant, and what led there.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) seed: u64,
    pub(crate) violation: Violation,
    /// The last steps, then what was heard last, by client.
    pub(crate) steps: Vec<String>,
}

/// One client's end of a wire.
#[derive(Debug)]
struct Wire {
    session: Session,
    ears: Ears,
    /// Written and not yet taken by the broker.
    input: Vec<u8>,
    /// The last of these bytes are still on the way.
    held_back: usize,
    /// Operations in the input, each with the bytes it ends after.
    sent: VecDeque<(usize, u16, Operation)>,
    frame_size_max: usize,
    has_heartbeats: bool,
}

/// Everything.
#[derive(Debug)]
pub(crate) struct World {
    seed: u64,
    broker: Arc<Broker>,
    wires: BTreeMap<usize, Wire>,
    oracle: Oracle,
    invariants: Vec<Box<dyn Invariant>>,
    only: Option<&'static str>,
    tamper: Option<Tamper>,
    /// In every other run.
    tracer: Option<Tracer>,
    chance: Chance,
    now: Moment,
    coverage: Coverage,
    steps: VecDeque<Step>,
    heard: VecDeque<(usize, Incoming)>,
}

impl Wire {
    /// A close-ok is among what the broker has not read.
    fn has_answer_on_its_way(&self) -> bool {
        self.sent.iter().any(|(.., operation)| matches!(operation, Operation::ChannelCloseOk))
    }
}

impl Run {
    /// Runs it to its end.
    pub(crate) fn run(self) -> Result<Coverage, Box<Failure>> {
        let mut world = World::new(self);
        match world.live(self.operations) {
            Ok(()) => Ok(world.coverage),
            Err(violation) => {
                let steps = world.steps.iter().map(|step| format!("{step:?}"));
                let heard =
                    world.heard.iter().map(|(client, heard)| format!("{client}: {heard:?}"));
                let steps = steps.chain(heard).collect();
                Err(Box::new(Failure { seed: self.seed, violation, steps }))
            }
        }
    }
}

impl World {
    fn new(run: Run) -> Self {
        let broker = Broker::new(BrokerOptions::default(), [run.seed, 1]).unwrap();
        let (broker, now) = (Arc::new(broker), Moment(1_000_000));
        let is_traced = run.plant.is_none() && run.seed % 2 == 1;
        let only = run.plant.map(|(_, only)| only);
        let mut invariants = invariants::all();
        invariants.retain(|invariant| only.is_none_or(|only| invariant.name() == only));
        Self {
            seed: run.seed,
            tracer: is_traced.then(|| Tracer::new(&broker, now)),
            broker,
            wires: BTreeMap::new(),
            oracle: Oracle::default(),
            invariants,
            only,
            tamper: run.plant.map(|(plant, _)| Tamper::new(plant, Chance::new(run.seed, 3))),
            chance: Chance::new(run.seed, 2),
            now,
            coverage: Coverage::default(),
            steps: VecDeque::new(),
            heard: VecDeque::new(),
        }
    }

    fn live(&mut self, operations: u64) -> Result<(), Violation> {
        self.connect(AUDITOR, 131_072, 0)?;
        while self.coverage.operations < operations {
            let client = CLIENTS.start + self.chance.below(CLIENTS.len());
            let wire = self.wires.get(&client);
            let candidate = Candidate {
                client,
                has_heartbeats: wire.is_some_and(|wire| wire.has_heartbeats),
                has_held_back: wire.is_some_and(|wire| wire.held_back > 0),
                has_answer_on_its_way: wire.is_some_and(Wire::has_answer_on_its_way),
            };
            let step = plan::next(&mut self.chance, &mut self.oracle, candidate);
            remember(&mut self.steps, step.clone());
            self.take_step(step)?;
            self.look_closely()?;
        }
        self.end()
    }

    fn take_step(&mut self, step: Step) -> Result<(), Violation> {
        match step {
            Step::Connect { client, frame_max, heartbeat } => {
                self.connect(client, frame_max, heartbeat)
            }
            Step::Abort { client } => self.abort(client),
            Step::Pause { client } => {
                self.coverage.add("stopped reading");
                self.oracle.deaf.insert(client);
                Ok(())
            }
            Step::Resume { client } => self.resume(client),
            Step::Wait { milliseconds } => self.wait(milliseconds, None),
            Step::Silence { client } => self.silence(client),
            Step::Send { client, operations, holds_back } => {
                self.send(client, operations, holds_back)
            }
        }
    }

    fn connect(&mut self, client: usize, frame_max: u32, heartbeat: u16) -> Result<(), Violation> {
        let session = Session::new(self.broker.clone(), Peer { address: None }, self.now);
        let wire = Wire {
            session,
            ears: Ears::default(),
            input: Vec::new(),
            held_back: 0,
            sent: VecDeque::new(),
            frame_size_max: frame_max as usize,
            has_heartbeats: heartbeat > 0,
        };
        self.wires.insert(client, wire);
        let handshake = [
            Operation::Header,
            Operation::StartOk,
            Operation::TuneOk { frame_max, heartbeat },
            Operation::OpenConnection,
        ];
        self.send(client, handshake.map(|operation| (0, operation)).into(), false)
    }

    fn abort(&mut self, client: usize) -> Result<(), Violation> {
        let is_deaf = self.oracle.deaf.contains(&client);
        self.oracle.begin_step(!is_deaf);
        self.coverage.add("socket gone");
        if is_deaf {
            self.coverage.add("socket gone while not reading");
        }
        self.lose(client);
        self.settle()
    }

    /// The socket is gone, and with it what was on the way.
    fn lose(&mut self, client: usize) {
        self.coverage.add("Release");
        if let Some(mut wire) = self.wires.remove(&client) {
            wire.session.abort(self.now);
        }
        self.oracle.lose(client);
        self.oracle.deaf.remove(&client);
    }

    fn resume(&mut self, client: usize) -> Result<(), Violation> {
        self.oracle.begin_step(false);
        self.oracle.deaf.remove(&client);
        self.settle()
    }

    /// Time passes; everybody but `silent` sends heartbeats.
    fn wait(&mut self, milliseconds: u64, silent: Option<usize>) -> Result<(), Violation> {
        self.oracle.begin_step(false);
        self.now = self.now.plus(milliseconds);
        for (client, wire) in &mut self.wires {
            if wire.has_heartbeats && Some(*client) != silent {
                wire.write(0, Operation::Heartbeat);
            }
        }
        self.settle()?;
        self.oracle.begin_step(false);
        let late = |wire: &Wire| wire.session.deadline().is_some_and(|at| at <= self.now);
        let clients: Vec<usize> =
            self.wires.iter().filter(|(_, wire)| late(wire)).map(|(client, _)| *client).collect();
        for client in clients {
            let Some(wire) = self.wires.get_mut(&client) else { continue };
            wire.session.elapse(self.now);
            if wire.session.connection().is_closed() {
                self.coverage.add("heartbeats missed");
                self.lose(client);
            }
        }
        self.settle()
    }

    /// A client sends no heartbeats until the broker has enough.
    fn silence(&mut self, client: usize) -> Result<(), Violation> {
        for _ in 0..6 {
            self.wait(HEARTBEAT_STEP_MS, Some(client))?;
        }
        if self.wires.contains_key(&client) {
            let text = format!("client {client} sends no heartbeats and is still there");
            return self.judge(Violation { invariant: "replies", text });
        }
        Ok(())
    }

    fn send(
        &mut self,
        client: usize,
        operations: Vec<(u16, Operation)>,
        holds_back: bool,
    ) -> Result<(), Violation> {
        let Some(wire) = self.wires.get_mut(&client) else { return Ok(()) };
        self.oracle.begin_step(operations.len() == 1 && wire.input.is_empty());
        wire.held_back = 0;
        for (channel, operation) in operations {
            let tampered = self.tamper.as_mut().map(|tamper| tamper.outgoing(&operation));
            match tampered {
                None => wire.write(channel, operation),
                Some(instead) => wire.write_instead(channel, operation, instead.as_ref()),
            }
        }
        if holds_back && wire.input.len() > 1 {
            self.coverage.add("bytes held back");
            wire.held_back = 1 + self.chance.below(wire.input.len() - 1);
        }
        self.settle()
    }

    /// Moves bytes both ways until nothing moves any more, then closes the step.
    fn settle(&mut self) -> Result<(), Violation> {
        loop {
            let mut has_moved = false;
            for client in self.wires.keys().copied().collect::<Vec<_>>() {
                has_moved |= self.feed(client)?;
                if !self.oracle.deaf.contains(&client) {
                    has_moved |= self.read(client)?;
                }
                self.drop_closed(client)?;
            }
            if !has_moved {
                break;
            }
        }
        self.oracle.end_step();
        self.check()
    }

    /// Gives the broker bytes, all or a part of what is there.
    fn feed(&mut self, client: usize) -> Result<bool, Violation> {
        let Some(wire) = self.wires.get_mut(&client) else { return Ok(false) };
        let mut size = if self.chance.one_in(4) { 1 + self.chance.below(40) } else { usize::MAX };
        let mut has_moved = false;
        while !wire.session.is_congested() {
            let available = wire.input.len() - wire.held_back;
            let given = size.min(available);
            if given == 0 {
                break;
            }
            let used = wire.session.receive(&wire.input[..given], self.now);
            wire.input.drain(..used);
            if used > 0 {
                has_moved = true;
                for (channel, operation) in wire.taken(used) {
                    self.coverage.count(&operation, &self.oracle);
                    self.oracle.apply(At { client, channel }, &operation);
                }
            } else if given == available {
                break;
            } else {
                size = size.saturating_mul(2);
            }
        }
        if wire.session.is_congested() && !wire.input.is_empty() {
            self.coverage.add("output congested");
        }
        self.check()?;
        Ok(has_moved)
    }

    /// Takes bytes from the broker and hears what they say.
    fn read(&mut self, client: usize) -> Result<bool, Violation> {
        let Some(wire) = self.wires.get_mut(&client) else { return Ok(false) };
        wire.session.pump();
        let size = wire.session.output().len();
        if size == 0 {
            return Ok(false);
        }
        let taken = if self.chance.one_in(4) { 1 + self.chance.below(size) } else { size };
        let output = wire.session.output();
        let bytes: Vec<u8> = output.pieces().flatten().copied().take(taken).collect();
        output.advance(taken);
        wire.session.sent(self.now);
        let heard = wire.ears.hear(&bytes);
        let heard = match heard {
            Ok(heard) => heard,
            Err(text) => {
                self.judge(Violation { invariant: "invented", text })?;
                return Ok(true);
            }
        };
        let heard = match &mut self.tamper {
            Some(tamper) => tamper.incoming(client, heard),
            None => heard,
        };
        for incoming in heard {
            self.answer(client, &incoming);
            self.count_heard(&incoming);
            self.oracle.hear(client, &incoming);
            remember(&mut self.heard, (client, incoming));
            self.check()?;
        }
        Ok(true)
    }

    /// What a client must say by itself: close-ok.
    fn answer(&mut self, client: usize, incoming: &Incoming) {
        let Some(wire) = self.wires.get_mut(&client) else { return };
        if let What::Refused { .. } = incoming.what {
            match incoming.channel {
                0 => wire.write(0, Operation::ConnectionCloseOk),
                channel => wire.write(channel, Operation::ChannelCloseOk),
            }
        }
    }

    fn count_heard(&mut self, incoming: &Incoming) {
        match &incoming.what {
            What::Delivery(_) => self.coverage.deliveries += 1,
            What::Returned { .. } => self.coverage.add("message returned"),
            What::ConsumerGone { .. } => self.coverage.add("consumer told of its queue's end"),
            What::Refused { .. } => self.coverage.add("refused"),
            _ => {}
        }
    }

    /// A connection that said its last word is over.
    fn drop_closed(&mut self, client: usize) -> Result<(), Violation> {
        let Some(wire) = self.wires.get_mut(&client) else { return Ok(()) };
        if !wire.session.connection().is_closed() || !wire.session.output().is_empty() {
            return Ok(());
        }
        self.wires.remove(&client);
        if self.oracle.connections.contains_key(&client) {
            self.oracle.lose(client);
            let text = format!("the connection of client {client} ended without a word");
            return self.judge(Violation { invariant: "replies", text });
        }
        Ok(())
    }

    /// Shows new facts to the invariants.
    fn check(&mut self) -> Result<(), Violation> {
        for fact in self.oracle.take_facts() {
            if matches!(&fact, Fact::Delivered(delivered) if delivered.queue.is_none()) {
                self.coverage.add("direct reply delivered");
            }
            self.check_traced(&fact)?;
            for invariant in &mut self.invariants {
                if let Err(text) = invariant.check(&fact) {
                    return Err(Violation { invariant: invariant.name(), text });
                }
            }
        }
        Ok(())
    }

    /// What a client hears was told to whoever traces.
    fn check_traced(&mut self, fact: &Fact) -> Result<(), Violation> {
        let (Some(tracer), Fact::Delivered(delivered)) = (&mut self.tracer, fact) else {
            return Ok(());
        };
        if delivered.queue.is_none() {
            return Ok(());
        }
        self.coverage.add("delivery traced");
        let told = tracer.listen(self.now).and_then(|()| tracer.check(delivered));
        told.map_err(|text| Violation { invariant: "traced", text })
    }

    /// Something that the world itself sees is wrong.
    fn judge(&self, violation: Violation) -> Result<(), Violation> {
        match self.only {
            Some(only) if only != violation.invariant => Ok(()),
            _ => Err(violation),
        }
    }

    /// The auditor looks at what only a look can tell, and now and then at everything.
    fn look_closely(&mut self) -> Result<(), Violation> {
        for name in std::mem::take(&mut self.oracle.orphans) {
            self.look_at(name)?;
        }
        let mut names = self.oracle.take_doubtful();
        if self.chance.one_in(100) {
            names.extend(self.oracle.names.keys().cloned());
        }
        for name in names {
            self.look_at(name)?;
        }
        Ok(())
    }

    fn look_at(&mut self, queue: String) -> Result<(), Violation> {
        let look = DeclareQueue { queue, passive: true, ..DeclareQueue::default() };
        self.audit(Operation::DeclareQueue(look))
    }

    fn audit(&mut self, operation: Operation) -> Result<(), Violation> {
        let at = At { client: AUDITOR, channel: 1 };
        if self.oracle.channel(at).is_none() {
            self.send(AUDITOR, vec![(1, Operation::OpenChannel)], false)?;
        }
        self.send(AUDITOR, vec![(1, operation)], false)
    }

    /// Everybody reads, then everybody leaves, then every queue is emptied: nothing may be missing.
    fn end(&mut self) -> Result<(), Violation> {
        for client in CLIENTS {
            self.resume(client)?;
        }
        for client in CLIENTS {
            self.send(client, Vec::new(), false)?;
        }
        self.look_closely()?;
        for client in CLIENTS {
            self.send(client, vec![(0, Operation::CloseConnection)], false)?;
        }
        self.look_closely()?;
        for name in self.oracle.names.keys().cloned().collect::<Vec<_>>() {
            self.look_at(name.clone())?;
            let Some(queue) = self.oracle.names.get(&name).copied() else { continue };
            if self.oracle.queues[queue].single_active {
                let consume = crate::operation::Consume {
                    queue: name,
                    consumer_tag: format!("c{}", self.oracle.consumers.len()),
                    no_ack: true,
                    ..crate::operation::Consume::default()
                };
                self.audit(Operation::Consume(consume))?;
                continue;
            }
            while self.oracle.queues[queue].ready_range().1 > 0 {
                let most = self.oracle.queues[queue].ready_range().1;
                self.audit(Operation::Get { queue: name.clone(), no_ack: true })?;
                if self.oracle.queues[queue].ready_range().1 == most {
                    break;
                }
            }
            self.audit(Operation::Get { queue: name, no_ack: true })?;
        }
        self.oracle.end_run();
        self.check()?;
        self.tracer = None;
        assert_eq!(self.broker.session_count(), self.wires.len(), "seed {}", self.seed);
        self.wires.clear();
        let left = self.broker.session_memory();
        if left > 0 {
            let text = format!("{left} bytes are charged to sessions that are gone");
            return self.judge(Violation { invariant: "counters", text });
        }
        Ok(())
    }
}

/// Keeps the last few.
fn remember<T>(kept: &mut VecDeque<T>, last: T) {
    if kept.len() == STEPS_TOLD {
        kept.pop_front();
    }
    kept.push_back(last);
}

impl Wire {
    fn write(&mut self, channel: u16, operation: Operation) {
        operation.encode(channel, self.frame_size_max, &mut self.input);
        self.sent.push_back((self.input.len(), channel, operation));
    }

    /// Writes another operation, or none, and lets the oracle believe it was the right one.
    fn write_instead(&mut self, channel: u16, operation: Operation, instead: Option<&Operation>) {
        if let Some(instead) = instead {
            instead.encode(channel, self.frame_size_max, &mut self.input);
        }
        self.sent.push_back((self.input.len(), channel, operation));
    }

    /// The operations of which the broker took the last byte.
    fn taken(&mut self, used: usize) -> Vec<(u16, Operation)> {
        let mut taken = Vec::new();
        for (end, ..) in &mut self.sent {
            *end = end.saturating_sub(used);
        }
        while let Some((0, ..)) = self.sent.front() {
            taken.extend(self.sent.pop_front().map(|(_, channel, operation)| (channel, operation)));
        }
        taken
    }
}
