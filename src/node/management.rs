//! The HTTP door of this node: what it says of the node, and its start. What it tells of the
//! broker, and what it changes there, is in `management`.

use std::sync::Arc;
use std::thread::available_parallelism;

use rustix::process::{Resource, getrlimit};

use super::config::Config;
use super::config::logs::LogStream;
use super::listening::Listening;
use super::metrics::node_name;
use super::process;
use crate::broker::{Broker, Peer};
use crate::management::{
    CrossOrigin, ListenerFacts, ListenerProtocol, Management, ManagementOptions, NodeFacts, Place,
};
use crate::server::{Clock, Doors, Listener};

/// What the door tells of the node, whose listeners are bound.
pub(super) fn facts(config: &Config, clock: Clock, listening: &Listening) -> NodeFacts {
    let console = config.logging.console.as_ref().map(|console| match console.stream {
        LogStream::Output => "<stdout>".to_owned(),
        LogStream::Error => "<stderr>".to_owned(),
    });
    let file = config.logging.file.as_ref().map(|file| file.path.display().to_string());
    NodeFacts {
        started_at: clock.started_at(),
        process_id: std::process::id(),
        processors: available_parallelism().map_or(1, usize::from),
        open_files_max: getrlimit(Resource::Nofile).current,
        data_dir: config.data_dir.display().to_string(),
        logs: console.into_iter().chain(file).collect(),
        auth_mechanisms: config.auth_mechanisms.clone(),
        listeners: listeners(listening),
    }
}

fn listeners(listening: &Listening) -> Vec<ListenerFacts> {
    let bound = [
        (ListenerProtocol::Amqp, &listening.amqp),
        (ListenerProtocol::Http, &listening.management),
        (ListenerProtocol::Prometheus, &listening.metrics),
    ];
    let bound = bound.into_iter().flat_map(|(protocol, listeners)| {
        let addresses = listeners.iter().filter_map(|listener| listener.local_address().ok());
        addresses.map(move |address| ListenerFacts { protocol, place: Place::Address(address) })
    });
    let local = listening.local.iter().map(|listener| ListenerFacts {
        protocol: ListenerProtocol::Amqp,
        place: Place::Path(listener.path().display().to_string()),
    });
    bound.chain(local).collect()
}

/// Answers on these listeners until the doors close. Without any it does nothing.
pub(super) fn serve(
    listeners: Vec<Listener>,
    config: &Config,
    facts: NodeFacts,
    broker: &Arc<Broker>,
    clock: Clock,
    doors: &Doors,
) {
    let Some(management) = &config.management else { return };
    let options = ManagementOptions {
        node: node_name(config),
        body_size_max: management.body_size_max,
        path_prefix: management.path_prefix.clone(),
        cross_origin: CrossOrigin {
            origins: management.cross_origins.clone(),
            max_age_seconds: management.cross_origin_max_age_seconds,
        },
        configuration: config.effective.clone().into_iter().collect(),
        clock: Box::new(move || clock.now()),
        facts,
        process: Box::new(process::figures),
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
