//! The one place that starts tasks, and the count of those that run.
//!
//! | task | one per | ends |
//! |---|---|---|
//! | listener | address | when the doors close, or its gate |
//! | session | connection | when its connection is closed and written out |
//! | request | connection to the HTTP API | when its client is done, or soon after they close |
//! | scrape | connection of a scraper | when its client is done, or soon after the doors close |

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// All tasks of the doors. Dropping it does not stop them; [`Doors::close`] does.
#[derive(Clone, Debug)]
pub struct Doors {
    stop: Arc<watch::Sender<bool>>,
    /// Every task holds a clone; when the last one goes, the doors are empty.
    alive: watch::Receiver<bool>,
}

/// The way back to doors for who keeps none open: as long as only this lives, they are empty.
#[derive(Clone, Debug)]
pub(super) struct Key(Arc<watch::Sender<bool>>);

impl Key {
    pub(super) fn doors(&self) -> Doors {
        Doors { stop: self.0.clone(), alive: self.0.subscribe() }
    }
}

/// Knows when doors are to close.
#[derive(Clone, Debug)]
pub(super) struct Watch(watch::Receiver<bool>);

impl Watch {
    pub(super) fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut alive = self.0.clone();
        async move {
            // Where nobody is left to close the doors, they are closed.
            let _ = alive.wait_for(|is_closing| *is_closing).await;
        }
    }
}

impl Default for Doors {
    fn default() -> Self {
        let (stop, alive) = watch::channel(false);
        Self { stop: Arc::new(stop), alive }
    }
}

impl Doors {
    /// Starts a task that counts as alive until it ends.
    #[expect(clippy::disallowed_methods, reason = "the one place that starts tasks")]
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let alive = self.alive.clone();
        tokio::spawn(async move {
            task.await;
            drop(alive);
        });
    }

    /// Resolves when the doors are to close.
    pub fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        self.watch().closing()
    }

    /// For who wants to know of it. As long as that lives, the doors are not empty.
    pub(super) fn watch(&self) -> Watch {
        Watch(self.alive.clone())
    }

    pub(super) fn key(&self) -> Key {
        Key(self.stop.clone())
    }

    /// Lets nobody in any more.
    pub fn close(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until all tasks have ended, at most so long. False where some have not.
    pub async fn emptied(self, patience: Duration) -> bool {
        let Self { stop, alive } = self;
        drop(alive);
        tokio::time::timeout(patience, stop.closed()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_ends_alone() {
        let doors = Doors::default();
        let (told, heard) = tokio::sync::oneshot::channel();
        doors.spawn(async { panic!("planted") });
        doors.spawn(async {
            tokio::task::yield_now().await;
            told.send(()).unwrap();
        });
        assert!(heard.await.is_ok());
        doors.close();
        assert!(doors.emptied(Duration::from_secs(5)).await, "it counts as ended");
    }
}
