//! The thread that checks passwords which take long, one after the other. Which wait, the broker
//! knows.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::thread::{self, JoinHandle};

use tokio::sync::Notify;

use super::store_threads::{Guard, Unpark};
use crate::broker::Broker;

/// The running thread.
#[derive(Debug)]
pub(super) struct PasswordThread {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl PasswordThread {
    /// Starts it. `failed` is told when the node has to stop.
    pub(super) fn start(broker: &Arc<Broker>, failed: &Arc<Notify>) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let what = "the thread of passwords ended by a panic";
        let guard = Guard { broker: broker.clone(), failed: failed.clone(), what };
        let is_over = stop.clone();
        let thread = thread::Builder::new().name("leveret-login".into()).spawn(move || {
            let guard = guard;
            check(&guard.broker, &is_over);
        })?;
        Ok(Self { stop, thread })
    }

    /// Ends it; what still waits is not answered any more.
    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        // That it panicked was said when it did.
        let _ = self.thread.join();
    }
}

fn check(broker: &Broker, stop: &AtomicBool) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    while !stop.load(Ordering::Acquire) {
        if !broker.check_next_password() && !broker.register_password_checker(&waker) {
            thread::park();
        }
    }
}
