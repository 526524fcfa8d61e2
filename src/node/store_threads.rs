//! The threads of the store: one turns the log, one reads bodies back. They are started here and
//! end when the node stops, the log's with the last words of a clean stop. What they do is in
//! `store` and `broker`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use tokio::sync::Notify;
use tracing::{error, info, warn};

use crate::broker::Broker;
use crate::limits::{DISK_CHECK_MS, LOG_LOOKOUT_COUNT, LOG_LOOKOUT_MISSES_MAX, STORE_TEND_MS};
use crate::message::Moment;
use crate::server::Clock;
use crate::store::{Health, Writer, WriterCounts};

/// Unparks a thread.
pub(super) struct Unpark(pub(super) Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Without its thread the node cannot go on: a panic of it ends the node.
pub(super) struct Guard {
    pub(super) broker: Arc<Broker>,
    pub(super) failed: Arc<Notify>,
    pub(super) what: &'static str,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if thread::panicking() {
            self.broker.fail(self.what);
            self.failed.notify_one();
        }
    }
}

/// The running threads.
#[derive(Debug)]
pub(super) struct StoreThreads {
    stop: Arc<AtomicBool>,
    log: JoinHandle<Writer>,
    reader: JoinHandle<()>,
    broker: Arc<Broker>,
    clock: Clock,
}

impl StoreThreads {
    /// Starts them. `failed` is told when the node has to stop for a reason of its own.
    pub(super) fn start(
        writer: Writer,
        broker: &Arc<Broker>,
        clock: Clock,
        failed: &Arc<Notify>,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let guard = |what| Guard { broker: broker.clone(), failed: failed.clone(), what };
        let log_guard = guard("the log's thread ended by a panic");
        let reader_guard = guard("the reader's thread ended by a panic");
        let turner = Turner {
            writer,
            broker: broker.clone(),
            clock,
            stop: stop.clone(),
            tended_at: Moment(0),
            looked_at: Moment(0),
            health: Health::Good,
            failed: failed.clone(),
        };
        let log = thread::Builder::new().name("leveret-log".into()).spawn(|| {
            let _guard = log_guard;
            turner.run()
        })?;
        let is_over = stop.clone();
        let reader = thread::Builder::new().name("leveret-reader".into()).spawn(move || {
            let guard = reader_guard;
            read(&guard.broker, clock, &is_over);
        })?;
        Ok(Self { stop, log, reader, broker: broker.clone(), clock })
    }

    /// Ends them in order: everything that was said is on disk, and the next start needs no log.
    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.reader.thread().unpark();
        self.log.thread().unpark();
        if self.reader.join().is_err() {
            error!(target: "store", "the reader ended by a panic");
        }
        match self.log.join() {
            // What gathered last is not in it: only a start that reads the log may rely on it.
            Ok(_) if self.broker.failure().is_some() => {
                warn!(target: "store", "the log is left as it is");
            }
            Ok(mut writer) => close(&mut writer, self.clock.now()),
            Err(_) => error!(target: "store", "the log's thread ended by a panic"),
        }
    }
}

/// The last words of the log, and what this run has written.
fn close(writer: &mut Writer, now: Moment) {
    let result = writer.stop(now);
    let WriterCounts {
        batches,
        syncs,
        bytes,
        index_bytes,
        checkpoint_bytes,
        moved_bytes,
        ready_bytes,
        ..
    } = writer.counts();
    match result {
        Ok(()) => info!(
            target: "store",
            bytes, index_bytes, checkpoint_bytes,
            moved_bytes, ready_bytes, batches, syncs, "the log is closed"
        ),
        Err(error) => error!(target: "store", %error, "the log was not closed in order"),
    }
}

/// Reads bodies for queues that wait for them.
fn read(broker: &Broker, clock: Clock, stop: &AtomicBool) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    while !stop.load(Ordering::Acquire) {
        if !broker.fetch(clock.now()) && !broker.register_reader(&waker) {
            thread::park();
        }
    }
}

/// Looks out for the next confirm that is waited for, a little while after the last one, instead of
/// going to sleep and being woken: who publishes one message at a time sends the next one soon.
/// Where nothing comes, it does so more and more seldom.
#[derive(Debug, Default)]
struct Lookout {
    /// How often it was in vain since it last was not.
    misses: u32,
    /// So many times it is left out.
    rests: u32,
}

impl Lookout {
    /// Looks until there is something, or it was long enough. Others run first.
    fn stand(&mut self, is_there: impl Fn() -> bool) {
        if self.rests > 0 {
            self.rests -= 1;
            return;
        }
        for _ in 0..LOG_LOOKOUT_COUNT {
            if is_there() {
                self.misses = 0;
                return;
            }
            thread::yield_now();
        }
        self.misses = (self.misses + 1).min(LOG_LOOKOUT_MISSES_MAX);
        self.rests = 1 << self.misses;
    }
}

/// The log's thread.
struct Turner {
    writer: Writer,
    broker: Arc<Broker>,
    clock: Clock,
    stop: Arc<AtomicBool>,
    tended_at: Moment,
    looked_at: Moment,
    /// As it was told last.
    health: Health,
    /// Told when the node has to stop.
    failed: Arc<Notify>,
}

impl Turner {
    fn run(mut self) -> Writer {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut lookout = Lookout::default();
        loop {
            let now = self.clock.now();
            let has_turned = self.turn(now);
            self.tend(now);
            if self.stop.load(Ordering::Acquire) {
                return self.writer;
            }
            if has_turned && self.writer.is_batch_small() {
                lookout.stand(|| self.writer.log().is_wanted());
            }
            if !has_turned && !self.writer.log().register(&waker) {
                thread::park_timeout(self.patience());
            }
        }
    }

    /// Writes and syncs what is due, and tells how long the disk took for the sync.
    fn turn(&mut self, now: Moment) -> bool {
        let has_written = self.writer.write_due(now);
        if !self.writer.is_sync_due(now) {
            return has_written;
        }
        let before = self.clock.elapsed();
        let has_synced = self.writer.sync();
        if has_synced {
            let took = self.clock.elapsed().saturating_sub(before);
            self.broker.count_sync(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        }
        has_written || has_synced
    }

    /// Until the next batch is due, or it is time to look after things.
    fn patience(&self) -> Duration {
        let tend = Duration::from_millis(STORE_TEND_MS);
        let due = self.writer.deadline().map(|deadline| self.clock.until(deadline));
        due.map_or(tend, |due| due.min(tend).max(Duration::from_millis(1)))
    }

    fn tend(&mut self, now: Moment) {
        if now.since(self.tended_at) < STORE_TEND_MS {
            return;
        }
        self.tended_at = now;
        self.writer.tend(now);
        self.broker.make_room(now);
        if self.broker.failure().is_some() {
            return self.failed.notify_one();
        }
        self.tell_health();
        if now.since(self.looked_at) >= DISK_CHECK_MS {
            self.looked_at = now;
            self.look_at_disk(now);
        }
    }

    fn look_at_disk(&mut self, now: Moment) {
        let is_full = self.health == Health::Full || self.writer.is_reserve_spent();
        match self.writer.free_bytes() {
            Ok(free) => {
                if self.broker.see_disk(free, is_full) {
                    self.writer.reclaim(now);
                }
            }
            Err(error) => warn!(target: "store", %error, "the disk does not say how full it is"),
        }
    }

    /// A change for the worse, or back, is told once.
    fn tell_health(&mut self) {
        let health = self.writer.log().health();
        if health == self.health {
            return;
        }
        match &health {
            Health::Good => info!(target: "store", "the log can be written again"),
            Health::Full => {
                warn!(target: "store", "the disk is full: confirms wait until it has room");
            }
            Health::Poisoned(why) => error!(
                target: "store",
                "the log failed: {why}. Nothing is confirmed any more and publishers of persistent \
                 messages are refused; what was confirmed is safe. Restart the node when the disk \
                 is mended"
            ),
        }
        self.health = health;
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::broker::BrokerOptions;

    /// How often a look-out looks where there is never anything.
    fn looks_in_vain(lookout: &mut Lookout) -> u32 {
        let count = std::cell::Cell::new(0);
        lookout.stand(|| {
            count.set(count.get() + 1);
            false
        });
        count.get()
    }

    #[test]
    fn a_lookout_in_vain_becomes_rare_and_one_that_pays_stays() {
        let mut lookout = Lookout::default();
        let looks: u32 = (0..1000).map(|_| looks_in_vain(&mut lookout)).sum();
        let stood = looks / LOG_LOOKOUT_COUNT;
        assert!((10..20).contains(&stood), "{stood} of 1000");
        while lookout.rests > 0 {
            assert_eq!(looks_in_vain(&mut lookout), 0);
        }
        lookout.stand(|| true);
        assert_eq!(looks_in_vain(&mut lookout), LOG_LOOKOUT_COUNT, "it paid the last time");
        assert_eq!(looks_in_vain(&mut lookout), 0, "now it did not");
    }

    #[test]
    fn a_thread_that_ends_by_a_panic_ends_the_node() {
        let broker = Arc::new(Broker::new(BrokerOptions::default(), [1, 2]).unwrap());
        for is_broken in [false, true] {
            let guard = Guard {
                broker: broker.clone(),
                failed: Arc::new(Notify::new()),
                what: "the thread broke",
            };
            let ended = catch_unwind(AssertUnwindSafe(move || {
                let _guard = guard;
                assert!(!is_broken, "planted");
            }));
            assert_eq!(ended.is_err(), is_broken);
            assert_eq!(broker.failure(), is_broken.then_some("the thread broke"));
        }
    }
}
