//! Clients at full speed until the broker is gone: who publishes with confirms, and who consumes
//! with acknowledgements. Each writes into the books what it knows.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use leveret::protocol::field::FieldTable;
use leveret::protocol::frame::{self, FrameKind};
use leveret::protocol::methods::{Method, basic, confirm};
use leveret::protocol::properties::{Properties, PropertyView};

use crate::books::{self, Books, LATE, Publisher, is_moved_to};
use crate::wire::{BASIC, OwnedFrame, Wire};

/// Publishes on their way, at most.
const WINDOW: usize = 256;

/// Deliveries on their way, at most.
const PREFETCH: u16 = 100;

/// The flags of the properties and the one there is: delivery mode 2.
pub(crate) const PERSISTENT: [u8; 3] = [0x10, 0, 2];

/// Books that many write into. Who fails has told why.
pub(crate) fn open(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is moved has headers besides.
fn is_persistent(properties: &[u8]) -> bool {
    PropertyView::parse(properties).is_ok_and(|view| view.is_persistent())
}

/// Appends a persistent message.
pub(crate) fn push_persistent(bytes: &mut Vec<u8>, exchange: &str, key: &str, body: &[u8]) {
    push(bytes, exchange, key, &PERSISTENT, body);
}

/// Appends one that need not survive.
pub(crate) fn push_transient(bytes: &mut Vec<u8>, exchange: &str, key: &str, body: &[u8]) {
    push(bytes, exchange, key, &[0, 0], body);
}

fn push(bytes: &mut Vec<u8>, exchange: &str, key: &str, properties: &[u8], body: &[u8]) {
    let publish = basic::Publish { exchange, routing_key: key, mandatory: false, immediate: false };
    frame::write_method(bytes, 1, &publish);
    frame::write_header(bytes, 1, BASIC, body.len() as u64, properties);
    frame::write_body(bytes, 1, body);
}

/// Those of a persistent message that waits for so long.
fn properties(delay: Option<i32>) -> Vec<u8> {
    let Some(delay) = delay else { return PERSISTENT.to_vec() };
    let headers = Some([("x-delay", delay)].into_iter().collect());
    let mut bytes = Vec::new();
    Properties { headers, delivery_mode: Some(2), ..Properties::default() }.encode(&mut bytes);
    bytes
}

/// Channel 1 confirms from now on.
pub(crate) fn select_confirms(wire: &mut Wire) {
    wire.send(1, &confirm::Select { nowait: false });
    assert!(matches!(wire.next_method().method(), Method::ConfirmSelectOk(_)));
}

/// Where a publisher publishes, and which queues get it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) exchange: &'static str,
    pub(crate) key: &'static str,
    /// How long its messages wait in the exchange, in milliseconds.
    pub(crate) delay: Option<i32>,
    pub(crate) queues: &'static [&'static str],
}

/// Who publishes.
#[derive(Debug)]
pub(crate) struct Publishing {
    wire: Wire,
    route: Route,
    publisher: Publisher,
    life: usize,
    books: Arc<Mutex<Books>>,
    /// The tag of the first that is open, and the numbers of all that are.
    first_open: u64,
    open: VecDeque<(usize, bool)>,
}

impl Publishing {
    pub(crate) fn new(
        mut wire: Wire,
        route: Route,
        publisher: Publisher,
        books: Arc<Mutex<Books>>,
    ) -> Self {
        select_confirms(&mut wire);
        let life = open(&books).life();
        let open = VecDeque::new();
        Self { wire, route, publisher, life, books, first_open: 1, open }
    }

    /// Goes on until the broker is gone, then reads what it said at last.
    pub(crate) fn run(mut self) {
        let mut is_gone = false;
        loop {
            if !is_gone && self.open.len() <= WINDOW / 2 {
                self.let_consumers_follow();
                is_gone = self.burst().is_break();
            }
            // A reset is an end as well.
            if self.wire.try_read().unwrap_or(0) == 0 {
                return;
            }
            while let Some(frame) = self.wire.received_frame() {
                self.take(&frame);
            }
        }
    }

    /// Pauses where they have too much to catch up with. They may be at their end, so not for long.
    fn let_consumers_follow(&self) {
        let is_ahead = |queue: &&'static str| open(&self.books).is_ahead(self.publisher, queue);
        if self.route.queues.iter().any(is_ahead) {
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn burst(&mut self) -> ControlFlow<()> {
        let mut bytes = Vec::new();
        let properties = properties(self.route.delay);
        while self.open.len() < WINDOW {
            let number = open(&self.books).publish(self.publisher, self.life);
            let body = books::body(self.publisher, number);
            push(&mut bytes, self.route.exchange, self.route.key, &properties, &body);
            self.open.push_back((number, false));
        }
        match self.wire.try_write(&bytes) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    fn take(&mut self, frame: &OwnedFrame) {
        let Method::BasicAck(ack) = frame.method() else { panic!("no confirm: {frame:?}") };
        let end = usize::try_from(ack.delivery_tag - self.first_open).expect("an open tag");
        let first = if ack.multiple { 0 } else { end };
        let mut books = open(&self.books);
        for (number, is_confirmed) in self.open.range_mut(first..=end) {
            assert!(ack.multiple || !*is_confirmed, "confirmed twice: {ack:?}");
            books.confirm(self.publisher, *number);
            *is_confirmed = true;
        }
        while self.open.pop_front_if(|(_, is_confirmed)| *is_confirmed).is_some() {
            self.first_open += 1;
        }
    }
}

/// Who consumes one queue, alone.
#[derive(Debug)]
pub(crate) struct Consuming {
    wire: Wire,
    queue: &'static str,
    life: usize,
    books: Arc<Mutex<Books>>,
    /// Of each publisher, and of each of its channels where that matters, the last that came in
    /// this life.
    last: BTreeMap<(Publisher, usize), usize>,
    /// Came and not acknowledged.
    open: Vec<(Publisher, usize)>,
    /// The tag of the last delivery, and of the last that is whole.
    tag: u64,
    whole: u64,
    is_redelivered: bool,
    body: Vec<u8>,
    rest: usize,
}

impl Consuming {
    pub(crate) fn new(mut wire: Wire, queue: &'static str, books: Arc<Mutex<Books>>) -> Self {
        let qos = basic::Qos { prefetch_size: 0, prefetch_count: PREFETCH, global: false };
        wire.send(1, &qos);
        assert!(matches!(wire.next_method().method(), Method::BasicQosOk(_)));
        let consume = basic::Consume {
            queue,
            consumer_tag: "",
            no_local: false,
            no_ack: false,
            exclusive: true,
            nowait: false,
            arguments: FieldTable::new(),
        };
        wire.send(1, &consume);
        assert!(matches!(wire.next_method().method(), Method::BasicConsumeOk(_)));
        let life = open(&books).life();
        Self {
            wire,
            queue,
            life,
            books,
            last: BTreeMap::new(),
            open: Vec::new(),
            tag: 0,
            whole: 0,
            is_redelivered: false,
            body: Vec::new(),
            rest: 0,
        }
    }

    /// Goes on until the broker is gone.
    pub(crate) fn run(mut self) {
        while self.step().is_continue() {}
    }

    /// Goes on until the queue with so many messages is empty.
    pub(crate) fn drain(mut self, count: u64) {
        while self.whole < count {
            assert!(
                self.step().is_continue(),
                "{} of {count} came from {}",
                self.whole,
                self.queue
            );
        }
        let mut wire = self.wire;
        // In order behind the acknowledgement.
        assert_eq!(wire.message_count(self.queue), 0, "more came than there was");
        wire.close();
    }

    fn step(&mut self) -> ControlFlow<()> {
        if self.wire.try_read().unwrap_or(0) == 0 {
            return ControlFlow::Break(());
        }
        while let Some(frame) = self.wire.received_frame() {
            self.take(&frame);
        }
        self.acknowledge()
    }

    fn take(&mut self, frame: &OwnedFrame) {
        match frame.kind {
            FrameKind::Method => {
                let Method::BasicDeliver(deliver) = frame.method() else { panic!("{frame:?}") };
                assert_eq!(deliver.delivery_tag, self.tag + 1);
                (self.tag, self.is_redelivered) = (deliver.delivery_tag, deliver.redelivered);
            }
            FrameKind::Header => {
                let properties = &frame.payload[12..];
                let is_moved = is_moved_to(self.queue) && is_persistent(properties);
                assert!(is_moved || properties == PERSISTENT, "{properties:?} as published");
                let size = frame.payload[4..12].try_into().map(u64::from_be_bytes).expect("8");
                self.rest = usize::try_from(size).expect("a body of this test");
            }
            FrameKind::Body => {
                self.rest -= frame.payload.len();
                self.body.extend_from_slice(&frame.payload);
                if self.rest == 0 {
                    self.come();
                }
            }
            FrameKind::Heartbeat => {}
        }
    }

    /// A whole message came. Nobody else consumes here and nothing is requeued: all that one
    /// publisher published comes in his order, whether it is redelivered or not.
    fn come(&mut self) {
        let body = std::mem::take(&mut self.body);
        let mut books = open(&self.books);
        let (message, has_come) = books.come(self.queue, &body, self.is_redelivered);
        // After a start, what waited is read first: what is new may come before it.
        let channel = if self.queue == LATE { books.published_in(message) } else { 0 };
        drop(books);
        // What is moved may be doubled, also where both are flagged by now.
        if !is_moved_to(self.queue) || !has_come {
            let before = self.last.insert((message.0, channel), message.1);
            let is_in_order = before.is_none_or(|before| before < message.1);
            assert!(is_in_order, "{message:?} came from {} behind {before:?}", self.queue);
        }
        self.open.push(message);
        self.whole = self.tag;
    }

    fn acknowledge(&mut self) -> ControlFlow<()> {
        if self.open.is_empty() {
            return ControlFlow::Continue(());
        }
        let mut bytes = Vec::new();
        frame::write_method(
            &mut bytes,
            1,
            &basic::Ack { delivery_tag: self.whole, multiple: true },
        );
        if self.wire.try_write(&bytes).is_err() {
            return ControlFlow::Break(());
        }
        let mut books = open(&self.books);
        self.open.drain(..).for_each(|message| books.settle(self.queue, message, self.life));
        ControlFlow::Continue(())
    }
}
