//! A broker in this process and the clients plugged into it. Nothing runs by itself: every send and
//! every look makes all sessions do what they can, and time passes when the script says so.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use leveret::broker::{Broker, BrokerOptions, Peer, Session};
use leveret::definitions::{HostSettings, PermissionDefinition};
use leveret::message::Moment;

use crate::client::Line;

/// What a socket between the two would hold before the broker has to wait.
const SOCKET_SIZE: usize = 256 * 1024;

/// A broker, its clients, and the time.
#[derive(Debug)]
pub(crate) struct InProcess {
    broker: Arc<Broker>,
    now: Moment,
    seats: Vec<Seat>,
}

/// One client's end: what it sent and the session has not taken, what came and was not read.
#[derive(Debug)]
struct Seat {
    session: Option<Session>,
    sent: Vec<u8>,
    arrived: Vec<u8>,
}

impl InProcess {
    pub(crate) fn new(options: BrokerOptions) -> Self {
        let broker = Broker::new(options, [1, 2]).expect("a broker");
        Self { broker: Arc::new(broker), now: Moment(1_000_000), seats: Vec::new() }
    }

    /// A client from this address, or from inside.
    pub(crate) fn plug(this: &Rc<RefCell<Self>>, address: Option<IpAddr>) -> Line {
        let seat = this.borrow_mut().seat(Peer { address });
        Line::Session(Rc::clone(this), seat)
    }

    fn seat(&mut self, peer: Peer) -> usize {
        let session = Session::new(Arc::clone(&self.broker), peer, self.now);
        self.seats.push(Seat { session: Some(session), sent: Vec::new(), arrived: Vec::new() });
        self.seats.len() - 1
    }

    pub(crate) fn send(&mut self, seat: usize, bytes: &[u8]) {
        self.seats[seat].sent.extend_from_slice(bytes);
        self.settle();
    }

    /// What came for this client since the last look, and whether its socket is still open.
    pub(crate) fn read(&mut self, seat: usize) -> (Vec<u8>, bool) {
        self.settle();
        let seat = &mut self.seats[seat];
        (std::mem::take(&mut seat.arrived), seat.session.is_some())
    }

    /// The client's socket is gone.
    pub(crate) fn hang_up(&mut self, seat: usize) {
        if let Some(mut session) = self.seats[seat].session.take() {
            session.abort(self.now);
        }
        self.settle();
    }

    pub(crate) fn shut_down(&mut self) {
        self.broker.shut_down();
        self.settle();
    }

    /// What the operator does; gives what it comes to.
    pub(crate) fn operate<T>(&mut self, step: impl FnOnce(&Broker, Moment) -> T) -> T {
        let result = step(&self.broker, self.now);
        self.settle();
        result
    }

    /// One more virtual host, which guest may enter as well as the first.
    pub(crate) fn add_virtual_host(&mut self, name: &str, settings: HostSettings) {
        self.broker.declare_virtual_host(name, settings);
        let all = || ".*".to_owned();
        let permission = PermissionDefinition {
            user: "guest".into(),
            host: name.into(),
            configure: all(),
            write: all(),
            read: all(),
        };
        self.broker.by_node().set_permission(&permission).expect("good patterns");
    }

    /// Time passes, deadline by deadline.
    pub(crate) fn advance(&mut self, milliseconds: u64) {
        let end = self.now.plus(milliseconds);
        while self.now < end {
            let sessions = self.seats.iter().filter_map(|seat| seat.session.as_ref());
            let deadlines = sessions.filter_map(Session::deadline);
            let next = deadlines.chain(self.broker.deadline()).min();
            self.now = next.map_or(end, |next| next.max(self.now.plus(1)).min(end));
            for seat in &mut self.seats {
                let session = seat.session.as_mut();
                if let Some(session) =
                    session.filter(|session| session.deadline().is_some_and(|at| at <= self.now))
                {
                    session.elapse(self.now);
                }
            }
            self.settle();
        }
    }

    /// Every session does what it can, until nothing moves any more.
    fn settle(&mut self) {
        let now = self.now;
        self.broker.elapse(now);
        loop {
            let moved =
                self.seats.iter_mut().filter_map(|seat| seat.work(now).then_some(())).count();
            if moved == 0 {
                break;
            }
        }
    }
}

impl Seat {
    /// One turn; true where something moved.
    fn work(&mut self, now: Moment) -> bool {
        let Some(session) = &mut self.session else { return false };
        let mut moved = false;
        if !self.sent.is_empty() {
            let used = session.receive(&self.sent, now);
            self.sent.drain(..used);
            moved = used > 0;
        }
        if self.arrived.len() < SOCKET_SIZE && !session.output().is_empty() {
            self.arrived.extend_from_slice(&session.output().take());
            session.sent(now);
            moved = true;
        }
        session.pump();
        moved |= !session.is_congested() && session.register(Waker::noop());
        if session.connection().is_closed() && session.output().is_empty() {
            self.session = None;
            moved = true;
        }
        moved
    }
}
