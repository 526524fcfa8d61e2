//! A connection that opens and closes something over and over, each step answered before the next:
//! a machine over a list of steps.

use super::stamp::Stamp;
use crate::perf::clients::rpc_client::write_message;
use crate::perf::figures::Histogram;
use crate::perf::runs::{Progress, Window};
use crate::perf::wire::{
    ANSWER_PATIENCE_NS, CHANNEL, Client, Credentials, GOODBYE, Handshake, Output, Piece, Standing,
    WireError,
};
use crate::perf::workload::{Churn, Workload};
use crate::protocol::field::FieldTable;
use crate::protocol::methods::{Method, basic, channel, queue};
use crate::protocol::properties::Properties;

/// The exchange that bindings come from.
const EXCHANGE: &str = "amq.topic";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Connect,
    OpenChannel,
    Declare,
    Publish,
    Bind,
    Unbind,
    Delete,
    CloseChannel,
    Close,
}

/// What is done once, and what over and over.
fn steps(what: Churn) -> (&'static [Step], &'static [Step]) {
    use Step::{Bind, Close, CloseChannel, Connect, Declare, Delete, OpenChannel, Publish, Unbind};
    match what {
        Churn::Connection => (&[], &[Connect, OpenChannel, Declare, Publish, CloseChannel, Close]),
        Churn::Channel => (&[Connect], &[OpenChannel, CloseChannel]),
        Churn::Queue => (&[Connect, OpenChannel], &[Declare, Delete]),
        Churn::Binding => (&[Connect, OpenChannel, Declare], &[Bind, Unbind]),
    }
}

/// What the churners of a thread share.
#[derive(Debug)]
pub(in crate::perf) struct Churners<'a> {
    pub(in crate::perf) window: Window,
    pub(in crate::perf) progress: &'a Progress,
    pub(in crate::perf) credentials: &'a Credentials,
    /// Of cycles that began in the window.
    pub(in crate::perf) latency: Histogram,
}

/// One of them.
#[derive(Debug)]
pub(in crate::perf) struct Churner {
    prefix: String,
    message_size: usize,
    /// Steps that are still to do before the cycles begin.
    before: &'static [Step],
    cycle: &'static [Step],
    /// The step of the cycle that is next.
    next: usize,
    /// The step whose answer is awaited, and since when.
    waiting: Option<(Step, u64)>,
    handshake: Option<Handshake>,
    started_ns: Option<u64>,
    cycles: u64,
    /// It only says goodbye.
    is_ending: bool,
    output: Output,
}

impl Churner {
    pub(in crate::perf) fn new(what: Churn, prefix: String, workload: &Workload) -> Self {
        let (before, cycle) = steps(what);
        Self {
            prefix,
            message_size: workload.message_size,
            before,
            cycle,
            next: 0,
            waiting: None,
            handshake: None,
            started_ns: None,
            cycles: 0,
            is_ending: false,
            output: Output::default(),
        }
    }

    /// A name for each cycle: a broker may still be busy with the one before.
    fn queue(&self) -> String {
        let is_declared_once = !self.cycle.contains(&Step::Declare);
        let cycle = if is_declared_once { 0 } else { self.cycles };
        format!("{}-{cycle}", self.prefix)
    }

    /// Begins the next step.
    fn begin(&mut self, step: Step, now_ns: u64) {
        let queue = self.queue();
        let channel_close =
            channel::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 };
        match step {
            Step::Connect => self.handshake = Some(Handshake::begin(self.output.bytes())),
            Step::OpenChannel => self.output.method(CHANNEL, &channel::Open {}),
            Step::Declare => self.output.method(CHANNEL, &declaration(&queue)),
            Step::Publish => {
                let stamp = Stamp { publisher: 0, queue: 0, sequence: 0, moment_ns: now_ns };
                let publish = basic::Publish {
                    exchange: "",
                    routing_key: &queue,
                    mandatory: false,
                    immediate: false,
                };
                let properties = Properties::default();
                let output = self.output.bytes();
                write_message(output, &publish, &properties, stamp, self.message_size);
            }
            Step::Bind => self.output.method(CHANNEL, &binding(&queue)),
            Step::Unbind => self.output.method(CHANNEL, &unbinding(&queue)),
            Step::Delete => {
                let delete = queue::Delete {
                    queue: &queue,
                    if_unused: false,
                    if_empty: false,
                    nowait: false,
                };
                self.output.method(CHANNEL, &delete);
            }
            Step::CloseChannel => self.output.method(CHANNEL, &channel_close),
            Step::Close => self.output.method(0, &GOODBYE),
        }
        // Nothing answers a publish.
        self.waiting = (step != Step::Publish).then_some((step, now_ns));
    }

    /// The next step; none where the cycle is at its end.
    fn advance(&mut self) -> Option<Step> {
        if let Some((first, rest)) = self.before.split_first() {
            self.before = rest;
            return Some(*first);
        }
        let step = self.cycle.get(self.next).copied();
        self.next += 1;
        step
    }

    /// A cycle is done; how it goes on.
    fn end_cycle(&mut self, now_ns: u64, shared: &mut Churners<'_>) -> Option<Standing> {
        if self.is_ending {
            return Some(Standing::Finished);
        }
        let started_ns = self.started_ns.filter(|started_ns| shared.window.contains(*started_ns));
        if let Some(started_ns) = started_ns {
            shared.latency.record(now_ns.saturating_sub(started_ns));
        }
        shared.progress.consume(1);
        self.cycles += 1;
        self.next = 0;
        self.started_ns = Some(now_ns);
        let is_over = now_ns >= shared.window.until_ns || shared.progress.has_failed();
        match (self.cycle.last(), is_over) {
            (Some(Step::Close), true) => Some(Standing::Finished),
            (Some(Step::Close), false) => Some(Standing::Reconnect),
            (_, true) => {
                self.cycle = &[Step::Close];
                self.is_ending = true;
                None
            }
            (_, false) => None,
        }
    }
}

impl Client for Churner {
    type Shared<'a> = Churners<'a>;

    fn receive(
        &mut self,
        piece: &Piece<'_>,
        _: u64,
        shared: &mut Churners<'_>,
    ) -> Result<(), WireError> {
        let Some(method) = piece.method()? else { return Ok(()) };
        match (&mut self.handshake, self.waiting) {
            (Some(handshake), Some((Step::Connect, _))) => {
                handshake.receive(method, shared.credentials, self.output.bytes())?;
                if handshake.is_done() {
                    (self.handshake, self.waiting) = (None, None);
                }
            }
            (_, Some((step, _))) if is_answer(step, &method) => self.waiting = None,
            _ => {}
        }
        Ok(())
    }

    fn prepare(&mut self, now_ns: u64, shared: &mut Churners<'_>) -> Result<Standing, WireError> {
        self.started_ns.get_or_insert(now_ns);
        loop {
            if let Some((_, since_ns)) = self.waiting {
                if now_ns.saturating_sub(since_ns) > ANSWER_PATIENCE_NS {
                    return Err(WireError::Unexpected("the broker does not answer"));
                }
                return Ok(Standing::Going);
            }
            match self.advance() {
                Some(step) => self.begin(step, now_ns),
                None => {
                    if let Some(standing) = self.end_cycle(now_ns, shared) {
                        return Ok(standing);
                    }
                }
            }
        }
    }

    fn output(&self) -> &[u8] {
        self.output.waiting()
    }

    fn written(&mut self, size: usize) {
        self.output.written(size);
    }
}

fn is_answer(step: Step, method: &Method<'_>) -> bool {
    match step {
        Step::OpenChannel => matches!(method, Method::ChannelOpenOk(_)),
        Step::Declare => matches!(method, Method::QueueDeclareOk(_)),
        Step::Bind => matches!(method, Method::QueueBindOk(_)),
        Step::Unbind => matches!(method, Method::QueueUnbindOk(_)),
        Step::Delete => matches!(method, Method::QueueDeleteOk(_)),
        Step::CloseChannel => matches!(method, Method::ChannelCloseOk(_)),
        Step::Close => matches!(method, Method::ConnectionCloseOk(_)),
        Step::Connect | Step::Publish => false,
    }
}

fn declaration(queue: &str) -> queue::Declare<'_> {
    queue::Declare {
        queue,
        passive: false,
        durable: false,
        exclusive: true,
        auto_delete: false,
        nowait: false,
        arguments: FieldTable::default(),
    }
}

fn binding(queue: &str) -> queue::Bind<'_> {
    queue::Bind {
        queue,
        exchange: EXCHANGE,
        routing_key: queue,
        nowait: false,
        arguments: FieldTable::default(),
    }
}

fn unbinding(queue: &str) -> queue::Unbind<'_> {
    queue::Unbind {
        queue,
        exchange: EXCHANGE,
        routing_key: queue,
        arguments: FieldTable::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perf::workload::named;
    use crate::protocol::frame;
    use crate::protocol::frame::FrameKind;
    use crate::protocol::methods::{WireMethod, connection};

    const WINDOW: Window = Window { from_ns: 0, until_ns: 1000 };

    fn credentials() -> Credentials {
        let text = str::to_owned;
        Credentials { user: text("u"), password: text("p"), virtual_host: text("/") }
    }

    /// A churner that is connected, without a broker.
    fn churner(what: Churn) -> Churner {
        let mut churner = Churner::new(what, "q".to_owned(), &named("s14").unwrap());
        churner.before = churner.before.strip_prefix(&[Step::Connect]).unwrap_or(churner.before);
        churner.cycle = churner.cycle.strip_prefix(&[Step::Connect]).unwrap_or(churner.cycle);
        churner
    }

    /// Class and method of all that it sends in its turn.
    fn sent(churner: &mut Churner, now_ns: u64, shared: &mut Churners<'_>) -> Vec<(u8, u8)> {
        churner.prepare(now_ns, shared).unwrap();
        let (mut methods, bytes) = (Vec::new(), churner.output().to_vec());
        churner.written(bytes.len());
        let mut rest = bytes.as_slice();
        while let Some((frame, size)) = frame::next(rest, 4096).unwrap() {
            if frame.kind == FrameKind::Method {
                methods.push((frame.payload[1], frame.payload[3]));
            }
            rest = &rest[size..];
        }
        methods
    }

    fn answer(churner: &mut Churner, method: &impl WireMethod, shared: &mut Churners<'_>) {
        let mut bytes = Vec::new();
        frame::write_method(&mut bytes, 1, method);
        let (frame, _) = frame::next(&bytes, 4096).unwrap().unwrap();
        churner.receive(&Piece::Frame(frame), 0, shared).unwrap();
    }

    #[test]
    fn every_step_waits_for_the_answer_to_the_one_before_but_for_a_publish() {
        let (progress, credentials) = (Progress::new(0, None), credentials());
        let (progress, latency) = (&progress, Histogram::default());
        let mut shared = Churners { window: WINDOW, progress, credentials: &credentials, latency };
        let mut churner = churner(Churn::Connection);
        assert_eq!(sent(&mut churner, 100, &mut shared), [(20, 10)]);
        assert_eq!(sent(&mut churner, 101, &mut shared), []);
        answer(&mut churner, &channel::OpenOk {}, &mut shared);
        assert_eq!(sent(&mut churner, 102, &mut shared), [(50, 10)]);
        let declared = queue::DeclareOk { queue: "q-0", message_count: 0, consumer_count: 0 };
        answer(&mut churner, &declared, &mut shared);
        assert_eq!(sent(&mut churner, 103, &mut shared), [(60, 40), (20, 40)]);
        answer(&mut churner, &channel::CloseOk {}, &mut shared);
        assert_eq!(sent(&mut churner, 104, &mut shared), [(10, 50)]);
        answer(&mut churner, &connection::CloseOk {}, &mut shared);
        assert_eq!(churner.prepare(150, &mut shared).unwrap(), Standing::Reconnect);
        assert_eq!(shared.latency.percentiles().unwrap().max_us, 0.05);
        assert_eq!((progress.consumed(), churner.queue()), (1, "q-1".to_owned()));
    }

    #[test]
    fn what_is_done_before_is_done_once_and_the_connection_is_closed_at_the_end() {
        let (progress, credentials) = (Progress::new(0, None), credentials());
        let (progress, latency) = (&progress, Histogram::default());
        let mut shared = Churners { window: WINDOW, progress, credentials: &credentials, latency };
        let mut churner = churner(Churn::Binding);
        sent(&mut churner, 1, &mut shared);
        answer(&mut churner, &channel::OpenOk {}, &mut shared);
        sent(&mut churner, 2, &mut shared);
        let declared = queue::DeclareOk { queue: "q-0", message_count: 0, consumer_count: 0 };
        answer(&mut churner, &declared, &mut shared);
        assert_eq!(sent(&mut churner, 3, &mut shared), [(50, 20)]);
        answer(&mut churner, &queue::BindOk {}, &mut shared);
        assert_eq!(sent(&mut churner, 4, &mut shared), [(50, 50)]);
        answer(&mut churner, &queue::UnbindOk {}, &mut shared);
        assert_eq!(sent(&mut churner, 5, &mut shared), [(50, 20)]);
        answer(&mut churner, &queue::BindOk {}, &mut shared);
        sent(&mut churner, 6, &mut shared);
        answer(&mut churner, &queue::UnbindOk {}, &mut shared);
        assert_eq!(sent(&mut churner, 1000, &mut shared), [(10, 50)]);
        answer(&mut churner, &connection::CloseOk {}, &mut shared);
        assert_eq!(churner.prepare(1001, &mut shared).unwrap(), Standing::Finished);
        assert_eq!(progress.consumed(), 2, "saying goodbye is no cycle");
    }
}
