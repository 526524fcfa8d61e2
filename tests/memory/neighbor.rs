//! A client of good will beside one of ill will: it publishes and gets, over and over, and notes
//! how long each round took.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use leveret::server::Clock;

use crate::process::PATIENCE;
use crate::wire::Wire;

const QUEUE: &str = "of-the-neighbor";

/// The neighbor at work.
#[derive(Debug)]
pub(crate) struct Neighbor {
    rounds: Receiver<Duration>,
    is_done: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    count: usize,
    worst: Duration,
}

impl Neighbor {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let mut wire = Wire::with_channel(address);
        wire.declare_queue(QUEUE);
        let (sender, rounds) = channel();
        let is_done = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&is_done);
        let work = move || {
            while !ended.load(Ordering::Relaxed) {
                let clock = Clock::start();
                wire.round_trip(QUEUE);
                if sender.send(clock.elapsed()).is_err() {
                    return;
                }
            }
        };
        let thread = Builder::new().name("neighbor".to_owned()).spawn(work).expect("a thread");
        let mut neighbor = Self { rounds, is_done, thread, count: 0, worst: Duration::ZERO };
        neighbor.await_rounds(200);
        neighbor
    }

    /// Waits until it has done so many more rounds from now.
    pub(crate) fn await_rounds(&mut self, count: usize) {
        let before: Vec<Duration> = self.rounds.try_iter().collect();
        before.into_iter().for_each(|took| self.note(took));
        for _ in 0..count {
            let took = self.rounds.recv_timeout(PATIENCE).expect("the neighbor goes on");
            self.note(took);
        }
    }

    /// Ends it; gives how many rounds it did, and how long the longest took.
    pub(crate) fn stop(mut self) -> (usize, Duration) {
        self.is_done.store(true, Ordering::Relaxed);
        self.await_rounds(0);
        self.thread.join().expect("the neighbor was well to the end");
        (self.count, self.worst)
    }

    fn note(&mut self, took: Duration) {
        self.count += 1;
        self.worst = self.worst.max(took);
    }
}
