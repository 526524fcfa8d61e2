//! Somebody who traces the virtual host while others live in it: what they hear must have been told
//! to it before, once as published and each time as delivered. It is in no oracle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use leveret::broker::{Broker, Peer, Session};
use leveret::definitions::HostSettings;
use leveret::message::Moment;

use crate::client::{Ears, What};
use crate::fact::Delivered;
use crate::operation::{Bind, Consume, DeclareQueue, Operation};

const FRAME_SIZE_MAX: u32 = 131_072;

/// A consumer of copies.
#[derive(Debug)]
pub(crate) struct Tracer {
    session: Session,
    ears: Ears,
    /// Messages that were told as published.
    published: BTreeSet<u64>,
    /// How often a message of a queue was told as delivered and not heard yet.
    delivered: BTreeMap<(String, u64), u64>,
}

impl Tracer {
    /// Has the virtual host traced and begins to listen.
    pub(crate) fn new(broker: &Arc<Broker>, now: Moment) -> Self {
        let traced = HostSettings { is_traced: Some(true), ..HostSettings::default() };
        broker.declare_virtual_host("/", traced);
        let session = Session::new(broker.clone(), Peer { address: None }, now);
        let (ears, published) = (Ears::default(), BTreeSet::new());
        let mut tracer = Self { session, ears, published, delivered: BTreeMap::new() };
        for (channel, operation) in greeting() {
            let mut bytes = Vec::new();
            operation.encode(channel, FRAME_SIZE_MAX as usize, &mut bytes);
            while !bytes.is_empty() {
                let used = tracer.session.receive(&bytes, now);
                bytes.drain(..used);
                tracer.listen(now).unwrap();
            }
        }
        tracer
    }

    /// Takes what was told until now.
    ///
    /// # Errors
    /// It is no copy of what somebody published.
    pub(crate) fn listen(&mut self, now: Moment) -> Result<(), String> {
        loop {
            self.session.pump();
            let output = self.session.output();
            let bytes: Vec<u8> = output.pieces().flatten().copied().collect();
            if bytes.is_empty() {
                return Ok(());
            }
            output.advance(bytes.len());
            self.session.sent(now);
            for incoming in self.ears.hear(&bytes)? {
                if let What::Delivery(copy) = incoming.what {
                    self.note(&copy.exchange, &copy.routing_key, copy.message)?;
                }
            }
        }
    }

    fn note(&mut self, exchange: &str, routing_key: &str, message: u64) -> Result<(), String> {
        match routing_key.split_once('.').filter(|_| exchange == "amq.rabbitmq.trace") {
            Some(("publish", _)) => _ = self.published.insert(message),
            Some(("deliver", queue)) => {
                *self.delivered.entry((queue.to_owned(), message)).or_default() += 1;
            }
            _ => return Err(format!("message {message} of '{exchange}' is no copy")),
        }
        Ok(())
    }

    /// A client hears a message of a queue.
    ///
    /// # Errors
    /// It was not told before.
    pub(crate) fn check(&mut self, heard: &Delivered) -> Result<(), String> {
        let Delivered { queue_name, message, .. } = heard;
        if !self.published.contains(message) {
            return Err(format!("message {message} of '{queue_name}' was not told as published"));
        }
        let told = self.delivered.get_mut(&(queue_name.clone(), *message));
        match told.filter(|count| **count > 0) {
            Some(count) => *count -= 1,
            None => {
                return Err(format!(
                    "message {message} of '{queue_name}' was not told as delivered"
                ));
            }
        }
        Ok(())
    }
}

/// From the first byte to the consumer.
fn greeting() -> Vec<(u16, Operation)> {
    let queue = || "tracer".to_owned();
    vec![
        (0, Operation::Header),
        (0, Operation::StartOk),
        (0, Operation::TuneOk { frame_max: FRAME_SIZE_MAX, heartbeat: 0 }),
        (0, Operation::OpenConnection),
        (1, Operation::OpenChannel),
        (
            1,
            Operation::DeclareQueue(DeclareQueue {
                queue: queue(),
                exclusive: true,
                ..DeclareQueue::default()
            }),
        ),
        (
            1,
            Operation::Bind(Bind {
                source: "amq.rabbitmq.trace".to_owned(),
                destination: queue(),
                routing_key: "#".to_owned(),
                ..Bind::default()
            }),
        ),
        (1, Operation::Consume(Consume { queue: queue(), no_ack: true, ..Consume::default() })),
    ]
}
