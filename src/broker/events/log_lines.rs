//! The log exchange: lines of the node's log go to those who bind a queue to `amq.rabbitmq.log`.
//! Whoever logs something, under whatever lock, only leaves the line in a list; the lines become
//! messages when the node looks at what is due. Nobody waits for those who read: where more lines
//! come than may wait, the rest is lost, and counted. What is logged while lines are handed on is
//! about them, and goes to the other outputs alone: a line does not bring forth another one.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use tracing::warn;

use crate::broker::lock::lock;
use crate::broker::shared::Broker;
use crate::broker::work::Work;
use crate::limits::{LOG_LINES_STEP_MAX, LOG_LINES_WAITING_SIZE_MAX};
use crate::message::{Body, Envelope, Message, Moment};
use crate::protocol::field::{FieldTable, FieldValue};
use crate::protocol::properties::Properties;

/// The exchange they go to.
pub(super) const LOG_EXCHANGE: &str = "amq.rabbitmq.log";

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How severe it is, by RabbitMQ's name, which is its routing key.
    pub level: &'static str,
    /// The line with its end.
    pub text: String,
    /// When it was logged.
    pub at: Moment,
}

impl LogLine {
    /// What it takes while it waits.
    fn size(&self) -> usize {
        self.text.len() + size_of::<Self>()
    }

    fn into_message(self, node: &str, is_json: bool) -> Message {
        let headers: FieldTable = [("node", FieldValue::from(node))].into_iter().collect();
        let content_type = if is_json { "application/json" } else { "text/plain" };
        let properties = Properties {
            content_type: Some(content_type.into()),
            headers: Some(headers),
            timestamp: Some(self.at.0 / 1000),
            ..Properties::default()
        };
        let mut bytes = Vec::new();
        properties.encode(&mut bytes);
        let envelope = Envelope {
            exchange: LOG_EXCHANGE,
            routing_key: self.level,
            properties: &bytes,
            is_persistent: false,
        };
        Message::new(envelope, Body::Copied(self.text.as_bytes()))
    }
}

/// Lines on their way from whoever logs to the exchange.
#[derive(Debug, Default)]
pub struct LogLines {
    is_json: bool,
    /// Something is bound to the exchange.
    is_watched: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<LogLine>,
    size: usize,
    lost: u64,
    /// Whoever hands them on.
    waker: Option<Waker>,
}

thread_local! {
    /// This thread hands lines on.
    static HANDS_ON: Cell<bool> = const { Cell::new(false) };
}

/// As long as this lives, the thread hands lines on.
pub(super) struct HandingOn;

impl HandingOn {
    pub(super) fn begin() -> Self {
        HANDS_ON.set(true);
        Self
    }
}

impl Drop for HandingOn {
    fn drop(&mut self) {
        HANDS_ON.set(false);
    }
}

impl LogLines {
    /// None yet; they will be JSON, or else text.
    #[must_use]
    pub fn new(is_json: bool) -> Self {
        Self { is_json, ..Self::default() }
    }

    /// Somebody would hear of what this thread logs now: others need not write it down.
    #[must_use]
    pub fn are_heard(&self) -> bool {
        self.is_watched.load(Ordering::Relaxed) && !HANDS_ON.get()
    }

    /// Leaves a line for those who listen; where too many wait, it is lost. Whoever logs may hold
    /// any lock: who is woken is the node's look at what is due, and nothing is done here for it.
    pub fn add(&self, line: LogLine) {
        let mut waiting = lock(&self.waiting);
        if waiting.size + line.size() > LOG_LINES_WAITING_SIZE_MAX {
            waiting.lost += 1;
            return;
        }
        waiting.size += line.size();
        waiting.lines.push_back(line);
        let waker = waiting.waker.take();
        drop(waiting);
        waker.into_iter().for_each(Waker::wake);
    }

    /// The exchange has bindings, or has none any more.
    pub(super) fn watch(&self, is_watched: bool) {
        self.is_watched.store(is_watched, Ordering::Relaxed);
    }

    /// Lines wait to be handed on; otherwise the waker is told when some do.
    pub(in crate::broker) fn are_waiting(&self, waker: &Waker) -> bool {
        let mut waiting = lock(&self.waiting);
        let are_waiting = !waiting.lines.is_empty();
        if !are_waiting {
            waiting.waker = Some(waker.clone());
        }
        are_waiting
    }

    /// The next ones, and how many were lost.
    fn take(&self) -> (Vec<LogLine>, u64) {
        let mut waiting = lock(&self.waiting);
        let count = waiting.lines.len().min(LOG_LINES_STEP_MAX);
        let lines: Vec<_> = waiting.lines.drain(..count).collect();
        waiting.size -= lines.iter().map(LogLine::size).sum::<usize>();
        (lines, std::mem::take(&mut waiting.lost))
    }
}

impl Broker {
    /// Hands lines of the log on, as far as one step goes. No lock may be held.
    pub(in crate::broker) fn tell_log(&self, work: &mut Work) {
        let Some(waiting) = &self.options.log_lines else { return };
        let (lines, lost) = waiting.take();
        if lost > 0 {
            warn!(
                target: "node",
                "{lost} lines did not go to {LOG_EXCHANGE}: more came at once than may wait"
            );
        }
        if lines.is_empty() {
            return;
        }
        let _handing_on = HandingOn::begin();
        let host = self.virtual_host(&self.options.default_virtual_host);
        let host = host.and_then(|host| Some((host.router.exchange(LOG_EXCHANGE)?, host)));
        let Some((exchange, host)) = host else { return };
        for line in lines {
            let message = line.into_message(&self.options.node_name, waiting.is_json);
            host.pass_on(&exchange, &message, self.draw(), work);
        }
        // That is for publishers.
        work.is_ahead = false;
        self.look_after(work);
    }
}

/// Lines for the exchange that a virtual host has.
#[derive(Debug)]
pub(super) struct LogPlace {
    pub(super) host: Box<str>,
    pub(super) lines: Arc<LogLines>,
}
