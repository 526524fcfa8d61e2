//! The HTTP door of this node: what it says of the node, and its start. What it tells of the
//! broker, and what it changes there, is in `management`.

use std::sync::Arc;
use std::thread::available_parallelism;

use rustix::process::{Resource, getrlimit};

use super::config::Config;
use super::config::logs::LogStream;
use super::listening::{Listeners, Listening};
use super::metrics::node_name;
use super::process;
use crate::broker::{Broker, Peer};
use crate::management::{
    Certificates, CrossOrigin, ListenerCertificates, ListenerFacts, ListenerProtocol, Management,
    ManagementOptions, NodeFacts, Place, Visit,
};
use crate::server::{AmqpDoor, Clock, Doors};

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

/// Tells until when the certificates of all listeners are good.
pub(super) fn certificates(listening: &Listening) -> Certificates {
    let doors = [
        (ListenerProtocol::Amqp, &listening.amqp),
        (ListenerProtocol::Http, &listening.management),
        (ListenerProtocol::Prometheus, &listening.metrics),
    ];
    let encrypted: Vec<_> = doors
        .into_iter()
        .filter_map(|(protocol, listeners)| {
            let tls = listeners.tls.clone()?;
            let encrypted = listeners.addresses().filter(|(is_encrypted, _)| *is_encrypted);
            let places = encrypted.map(|(_, address)| Place::Address(address));
            Some((protocol, tls, places.collect::<Vec<_>>()))
        })
        .collect();
    Box::new(move || {
        let told = encrypted.iter().flat_map(|(protocol, tls, places)| {
            let ends = tls.ends();
            places.iter().map(move |place| ListenerCertificates {
                listener: ListenerFacts {
                    protocol: *protocol,
                    is_encrypted: true,
                    place: place.clone(),
                },
                own_file: ends.own_file.display().to_string(),
                own: ends.own.clone(),
                authorities_file: ends
                    .authorities_file
                    .as_ref()
                    .map(|path| path.display().to_string()),
                authorities: ends.authorities.clone(),
            })
        });
        told.collect::<Vec<_>>()
    })
}

fn listeners(listening: &Listening) -> Vec<ListenerFacts> {
    let bound = [
        (ListenerProtocol::Amqp, &listening.amqp),
        (ListenerProtocol::Http, &listening.management),
        (ListenerProtocol::Prometheus, &listening.metrics),
    ];
    let bound = bound.into_iter().flat_map(|(protocol, listeners)| {
        listeners.addresses().map(move |(is_encrypted, address)| ListenerFacts {
            protocol,
            is_encrypted,
            place: Place::Address(address),
        })
    });
    let local = listening.local.iter().map(|listener| ListenerFacts {
        protocol: ListenerProtocol::Amqp,
        is_encrypted: false,
        place: Place::Path(listener.path().display().to_string()),
    });
    bound.chain(local).collect()
}

/// Answers on these listeners until the doors close. Without any it does nothing.
pub(super) fn serve(
    listeners: Listeners,
    config: &Config,
    facts: NodeFacts,
    certificates: Certificates,
    broker: &Arc<Broker>,
    clock: Clock,
    doors: &Doors,
) {
    let Some(management) = &config.management else { return };
    let amqp = AmqpDoor::new(broker.clone(), clock, doors.clone());
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
        certificates,
        amqp: Some(Box::new(move |stream, visit: Visit| {
            amqp.begin_over(stream, visit.peer, visit.name, visit.encryption);
        })),
    };
    let management = Arc::new(Management::new(broker.clone(), options));
    for listener in listeners.into_all() {
        let (management, tasks, login) =
            (management.clone(), doors.clone(), config.certificate_login);
        listener.run_with(doors, move |stream, (origin, local)| {
            let visit = Visit {
                peer: Peer { address: Some(origin.ip()) },
                name: format!("{origin} -> {local}"),
                encryption: stream.encryption(login),
            };
            management.clone().serve(stream, visit, tasks.closing())
        });
    }
}
