//! What becomes of a connection to the AMQP door: a session, in a task of its own. Where it came in
//! is decided before.

use std::sync::Arc;

use tracing::info;

use super::clock::Clock;
use super::session_task::SessionTask;
use super::spawn::Doors;
use super::transport::Transport;
use crate::broker::{Broker, Peer, Session};

/// Begins sessions.
#[derive(Clone, Debug)]
pub(super) struct AmqpDoor {
    pub(super) broker: Arc<Broker>,
    pub(super) clock: Clock,
    pub(super) doors: Doors,
}

impl AmqpDoor {
    /// Begins the session of a client that just came, by the name of its connection.
    pub(super) fn begin(&self, stream: impl Transport, peer: Peer, name: String) {
        info!(target: "connection", "accepting AMQP connection {name}");
        let session = Session::new(self.broker.clone(), peer, self.clock.now()).named(&name);
        self.doors.spawn(Box::new(SessionTask::new(session, stream, self.clock, name)).run());
    }
}
