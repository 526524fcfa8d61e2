//! The HTTP door of this node: what it says of the node, and its start. What it tells of the
//! broker, and what it changes there, is in `management`.

use std::sync::Arc;

use super::config::Config;
use super::metrics::node_name;
use crate::broker::{Broker, Peer};
use crate::management::{Management, ManagementOptions};
use crate::server::{Clock, Doors, Listener};

/// Answers on these listeners until the doors close. Without any it does nothing.
pub(super) fn serve(
    listeners: Vec<Listener>,
    config: &Config,
    broker: &Arc<Broker>,
    clock: Clock,
    doors: &Doors,
) {
    let Some(management) = &config.management else { return };
    let options = ManagementOptions {
        node: node_name(config),
        body_size_max: management.body_size_max,
        clock: Box::new(move || clock.now()),
    };
    let management = Arc::new(Management::new(broker.clone(), options));
    for listener in listeners {
        let (management, tasks) = (management.clone(), doors.clone());
        listener.run_with(doors, move |stream| {
            let (management, closing) = (management.clone(), tasks.closing());
            async move {
                // Of a client that is gone already nobody can say whether it may be here.
                if let Ok(address) = stream.peer_addr() {
                    let peer = Peer { address: Some(address.ip()) };
                    management.serve(stream, peer, closing).await;
                }
            }
        });
    }
}
