//! How a test is written, and what surrounds it. A test is one script:
//!
//! ```text
//! // Rule: queue.declare.passive
//! #[test]
//! fn a_passive_declare_of_a_missing_queue_is_refused() {
//!     check(|world| {
//!         let missing = world.name("missing");        // unique over a socket, deleted at the end
//!         let mut client = world.client();            // logged in as guest, channel 1 open
//!         client.send(1, &queue::Declare { passive: true, ..plain::queue_declare(&missing) });
//!         let text = format!("NOT_FOUND - no queue '{missing}' in vhost '/'");
//!         client.expect_channel_close(1, 404, &text, (50, 10));       // and answers close-ok
//!     });
//! }
//! ```
//!
//! - [`check`] runs the script on a fresh broker in this process, or against the peer. The name of
//!   the test is that of the function the closure stands in.
//! - [`check_in_process`] is for scripts that move the clock ([`World::advance`]), stop the broker
//!   or set options; over a socket they are skipped.
//! - [`World::plug`] is a client that said nothing yet, [`World::log_in`] one with a
//!   [`Login`](crate::login::Login) of its own, [`World::client`] the usual one. Several may live
//!   at a time; each is dropped as a socket is.
//! - `plain::queue_declare(..)` and its sisters give methods with every flag off and no arguments.
//! - [`Client::call`](crate::client::Client::call) sends a method and gives the answer,
//!   [`expect`](crate::client::Client::expect) wants exactly this method next,
//!   [`expect_nothing`](crate::client::Client::expect_nothing) sends channel.flow and wants its
//!   answer first. Everything that is expected must come next; heartbeats are passed over.
//!
//! What RabbitMQ does otherwise is in `differences.json`: a test on that list must fail against the
//! version it names, and only against that one.

use std::cell::RefCell;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use leveret::broker::{Broker, BrokerOptions};
use leveret::definitions::HostSettings;
use leveret::message::Moment;
use leveret::protocol::field::FieldValue;
use leveret::protocol::methods::{Method, queue};

use crate::client::{Client, Line};
use crate::differences::{self, Verdict};
use crate::in_process::InProcess;
use crate::login::Login;
use crate::plain;
use crate::socket;

/// Runs a script on a broker of its own, or against the peer.
pub(crate) fn check<F: FnOnce(&World)>(script: F) {
    let name = test_name::<F>();
    let Some(address) = peer_address() else {
        return run(&World::in_process(BrokerOptions::default()), script);
    };
    let world = World::over_socket(address);
    let difference = differences::expected(&name, peer());
    let outcome = catch_unwind(AssertUnwindSafe(|| run(&world, script)));
    match (differences::verdict(difference, outcome.is_ok()), outcome) {
        (Verdict::Failed, Err(failure)) => resume_unwind(failure),
        (Verdict::DiffersAsListed, _) => {
            let peer = difference.map_or("", |difference| &difference.peer);
            eprintln!("{name}: differs as listed: {peer}");
        }
        (Verdict::Stale, _) => {
            panic!("{name} passes: take it off tests/conformance/differences.json")
        }
        (Verdict::Passed | Verdict::Failed, _) => {}
    }
}

/// Runs a script on a broker of its own only: it moves the clock, or does what no client can.
pub(crate) fn check_in_process<F: FnOnce(&World)>(script: F) {
    check_with_options(BrokerOptions::default(), script);
}

/// The same, on a broker with these options.
pub(crate) fn check_with_options<F: FnOnce(&World)>(options: BrokerOptions, script: F) {
    if peer_address().is_none() {
        run(&World::in_process(options), script);
    } else {
        eprintln!("{}: left out, it needs a broker of its own", test_name::<F>());
    }
}

fn run(world: &World, script: impl FnOnce(&World)) {
    script(world);
    world.delete_named();
}

/// `header::something` of `conformance::header::something::{{closure}}`.
fn test_name<F>() -> String {
    let name = std::any::type_name::<F>().trim_end_matches("::{{closure}}");
    name.split_once("::").map_or(name, |(_, name)| name).to_owned()
}

fn peer_address() -> Option<&'static str> {
    static ADDRESS: OnceLock<Option<String>> = OnceLock::new();
    ADDRESS.get_or_init(|| std::env::var("LEVERET_AGAINST").ok()).as_deref()
}

/// Who answers behind the socket.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Leveret, under whatever version it goes.
    pub(crate) is_leveret: bool,
    /// The version it tells.
    pub(crate) version: String,
}

/// Asks the peer once who it is.
fn peer() -> &'static Peer {
    static PEER: OnceLock<Peer> = OnceLock::new();
    PEER.get_or_init(|| {
        let world = World::over_socket(peer_address().expect("a peer"));
        let start = world.plug().start();
        let text = |name: &str| {
            let value = start.server_properties.get(name).and_then(FieldValue::as_str);
            value.unwrap_or_default().to_owned()
        };
        Peer { is_leveret: text("platform").starts_with("Leveret"), version: text("version") }
    })
}

/// A broker and what a script has of it.
#[derive(Debug)]
pub(crate) struct World {
    place: Place,
    names: RefCell<Vec<String>>,
}

#[derive(Debug)]
enum Place {
    InProcess(Rc<RefCell<InProcess>>),
    Peer(&'static str),
}

impl World {
    fn in_process(options: BrokerOptions) -> Self {
        let place = Place::InProcess(Rc::new(RefCell::new(InProcess::new(options))));
        Self { place, names: RefCell::default() }
    }

    fn over_socket(address: &'static str) -> Self {
        Self { place: Place::Peer(address), names: RefCell::default() }
    }

    /// The broker is in this process.
    pub(crate) fn is_in_process(&self) -> bool {
        matches!(self.place, Place::InProcess(_))
    }

    /// The broker is Leveret, wherever it is.
    pub(crate) fn is_leveret(&self) -> bool {
        self.is_in_process() || peer().is_leveret
    }

    /// A name for a queue or an exchange that nobody else has. Both are deleted at the end.
    pub(crate) fn name(&self, word: &str) -> String {
        static LAST: AtomicU64 = AtomicU64::new(0);
        if self.is_in_process() {
            return word.to_owned();
        }
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let name = format!("{word}-{}-{number}", std::process::id());
        self.names.borrow_mut().push(name.clone());
        name
    }

    /// A client that said nothing yet.
    pub(crate) fn plug(&self) -> Client {
        Client::new(match &self.place {
            Place::InProcess(broker) => InProcess::plug(broker, None),
            Place::Peer(address) => Line::Socket(socket::plug(address)),
        })
    }

    /// The same, from this address; only in this process.
    pub(crate) fn plug_from(&self, address: IpAddr) -> Client {
        match &self.place {
            Place::InProcess(broker) => Client::new(InProcess::plug(broker, Some(address))),
            Place::Peer(_) => panic!("a peer sees where we come from by itself"),
        }
    }

    /// A client after this handshake, without channels.
    pub(crate) fn log_in(&self, login: &Login) -> Client {
        let mut client = self.plug();
        client.log_in(login);
        client
    }

    /// A client logged in as guest, with every capability and no heartbeat.
    pub(crate) fn connect(&self) -> Client {
        self.log_in(&Login::default())
    }

    /// The same, with channel 1 open.
    pub(crate) fn client(&self) -> Client {
        let mut client = self.connect();
        client.open_channel(1);
        client
    }

    /// Lets time pass: in this process by a word, over a socket by waiting.
    pub(crate) fn advance(&self, milliseconds: u64) {
        match &self.place {
            Place::InProcess(broker) => broker.borrow_mut().advance(milliseconds),
            Place::Peer(_) => {
                assert!(milliseconds <= 1000, "nobody waits that long; use check_in_process");
                std::thread::sleep(std::time::Duration::from_millis(milliseconds));
            }
        }
    }

    /// Lets time pass where somebody must say so. Over a socket whoever expects something waits for
    /// it anyway.
    pub(crate) fn let_pass(&self, milliseconds: u64) {
        if self.is_in_process() {
            self.advance(milliseconds);
        }
    }

    /// Stops the broker; only in this process.
    pub(crate) fn shut_down(&self) {
        match &self.place {
            Place::InProcess(broker) => broker.borrow_mut().shut_down(),
            Place::Peer(_) => panic!("the peer is not ours to stop"),
        }
    }

    /// One more virtual host, in this process only.
    pub(crate) fn add_virtual_host(&self, name: &str) {
        self.add_virtual_host_with(name, HostSettings::default());
    }

    /// The same, as its operator says.
    pub(crate) fn add_virtual_host_with(&self, name: &str, settings: HostSettings) {
        match &self.place {
            Place::InProcess(broker) => broker.borrow_mut().add_virtual_host(name, settings),
            Place::Peer(_) => panic!("the peer is not ours to stop"),
        }
    }

    /// What the operator does, in this process only.
    pub(crate) fn operate<T>(&self, step: impl FnOnce(&Broker, Moment) -> T) -> T {
        match &self.place {
            Place::InProcess(broker) => broker.borrow_mut().operate(step),
            Place::Peer(_) => panic!("the peer is not ours to set up"),
        }
    }

    /// What the script declared on a peer goes away with it.
    fn delete_named(&self) {
        let names = self.names.take();
        if names.is_empty() {
            return;
        }
        let mut client = self.client();
        for name in &names {
            client.send(1, &queue::Delete { nowait: true, ..plain::queue_delete(name) });
            client.send(1, &plain::exchange_delete(name));
            if matches!(client.expect_method(1), Method::ChannelClose(_)) {
                client.reopen_channel(1);
            }
        }
    }
}
