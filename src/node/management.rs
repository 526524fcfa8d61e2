//! The HTTP door of this node: what it says of the node, and its start. What it tells of the
//! broker, and what it changes there, is in `management`.

use std::sync::Arc;
use std::thread::available_parallelism;

use rustix::process::{Resource, getrlimit};
use tokio::sync::Notify;

use super::config::Config;
use super::config::logs::LogStream;
use super::config::with_defaults;
use super::listening::{Listeners, Listening};
use super::metrics::node_name;
use super::{process, tls_facts};
use crate::broker::{Broker, Peer};
use crate::management::{
    AmqpDoor as WebDoor, Certificates, CrossOrigin, ListenerCertificates, ListenerFacts,
    ListenerProtocol, Management, ManagementOptions, NodeControl, NodeFacts, Place, Visit,
};
use crate::server::{AmqpDoor, Clock, Doors, UnixListener};

/// The number of the user who may do everything on a machine.
const ROOT: u32 = 0;

/// What the door tells of the node, whose listeners are bound.
pub(super) fn facts(
    config: &Config,
    clock: Clock,
    listening: &Listening,
    control: Arc<dyn NodeControl>,
) -> NodeFacts {
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
        config_files: config.files.clone(),
        logs: console.into_iter().chain(file).collect(),
        auth_mechanisms: config.auth_mechanisms.clone(),
        listeners: listeners(listening),
        tls_spoken: tls_facts::spoken(),
        control,
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
                own_text: ends.own_text.clone(),
                authorities_file: ends
                    .authorities_file
                    .as_ref()
                    .map(|path| path.display().to_string()),
                authorities: ends.authorities.clone(),
                authorities_text: ends.authorities_text.clone(),
                offer: tls_facts::offer(tls),
                options: tls_facts::options(tls),
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

/// What the API of this node is made of.
pub(super) struct ManagementDoors<'a> {
    pub(super) config: &'a Config,
    pub(super) broker: &'a Arc<Broker>,
    pub(super) clock: Clock,
    pub(super) doors: &'a Doors,
}

impl ManagementDoors<'_> {
    /// Answers on these listeners, and at the socket where there is one, until the doors close. Who
    /// asks for it stops the node.
    pub(super) fn serve(
        &self,
        (facts, certificates): (NodeFacts, Certificates),
        stop: Arc<Notify>,
        (listeners, socket): (Listeners, Option<UnixListener>),
    ) {
        if self.config.management.is_none() && socket.is_none() {
            return;
        }
        let options = self.options(facts, certificates, stop);
        let management = Management::new(self.broker.clone(), options);
        if let Some(socket) = socket {
            self.serve_socket(socket, management.at_root());
        }
        self.serve_addresses(listeners, management);
    }

    fn serve_addresses(&self, listeners: Listeners, management: Management) {
        let management = Arc::new(management);
        let login = self.config.certificate_login;
        for listener in listeners.into_all() {
            let (management, tasks) = (management.clone(), self.doors.clone());
            listener.run_with(self.doors, move |stream, (origin, local)| {
                let visit = Visit {
                    peer: Peer { address: Some(origin.ip()) },
                    name: format!("{origin} -> {local}"),
                    encryption: stream.encryption(login),
                };
                management.clone().serve(stream, visit, tasks.closing())
            });
        }
    }

    /// Who owns the machine needs no login there.
    fn serve_socket(&self, listener: UnixListener, management: Management) {
        let (management, tasks) = (Arc::new(management), self.doors.clone());
        let own_user = rustix::process::geteuid().as_raw();
        listener.run_with(self.doors, move |stream, user| {
            let (management, closing) = (management.clone(), tasks.closing());
            async move {
                if user == ROOT || user == own_user {
                    management.serve_machine_owner(stream, closing).await;
                } else {
                    management.serve(stream, Peer { address: None }, closing).await;
                }
            }
        });
    }

    fn options(
        &self,
        facts: NodeFacts,
        certificates: Certificates,
        stop: Arc<Notify>,
    ) -> ManagementOptions {
        let (config, clock, set) = (self.config, self.clock, self.config.set.clone());
        let cross_origin = config.management.as_ref().map(|management| CrossOrigin {
            origins: management.cross_origins.clone(),
            max_age_seconds: management.cross_origin_max_age_seconds,
        });
        let path_prefix = config.management.as_ref().map(|management| &management.path_prefix);
        ManagementOptions {
            node: node_name(config),
            body_size_max: config.management_body_size_max,
            path_prefix: path_prefix.cloned().unwrap_or_default(),
            cross_origin: cross_origin.unwrap_or_default(),
            configuration: Box::new(move || with_defaults(&set)),
            clock: Box::new(move || clock.now()),
            facts,
            stop: Box::new(move || stop.notify_one()),
            process: Box::new(process::figures),
            certificates,
            amqp: self.web_amqp(),
        }
    }

    /// Begins sessions over WebSockets, where they are taken.
    fn web_amqp(&self) -> Option<WebDoor> {
        self.config.management.as_ref().filter(|management| management.takes_web_amqp)?;
        let amqp = AmqpDoor::new(self.broker.clone(), self.clock, self.doors.clone());
        Some(Box::new(move |stream, visit: Visit| {
            amqp.begin_over(stream, visit.peer, visit.name, visit.encryption);
        }))
    }
}
