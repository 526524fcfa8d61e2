//! The log as messages: an output that leaves its lines to the broker, which hands them on through
//! the exchange `amq.rabbitmq.log` (`broker::events`). It writes nothing and waits for nobody, and
//! while nobody listens it does not even make the lines.

use std::fmt;
use std::sync::Arc;

use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::config::logs::{ExchangeLog, LogFormat};
use super::log_level::LiveFilter;
use super::logging::{Entry, level_name, since_epoch, timestamp};
use crate::broker::{LogLine, LogLines};
use crate::message::Moment;

/// The output.
struct ToExchange {
    lines: Arc<LogLines>,
    format: LogFormat,
}

/// Where lines are left, for the broker, where the operator wants them to go to the exchange.
pub(super) fn lines(log: Option<&ExchangeLog>) -> Option<Arc<LogLines>> {
    log.map(|log| Arc::new(LogLines::new(log.format == LogFormat::Json)))
}

/// The output that leaves them there.
pub(super) fn layer<S>(
    format: LogFormat,
    filter: LiveFilter,
    lines: Arc<LogLines>,
) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    ToExchange { lines, format }.with_filter(filter)
}

impl<S: Subscriber> Layer<S> for ToExchange {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if !self.lines.are_heard() {
            return;
        }
        let (entry, metadata, now) = (Entry::of(event), event.metadata(), since_epoch());
        let level = *metadata.level();
        let text = entry.line(self.format, &timestamp(now), level, metadata.target());
        let at = Moment(u64::try_from(now.as_millis()).unwrap_or(0));
        self.lines.add(LogLine { level: level_name(level), text, at });
    }
}

impl fmt::Debug for ToExchange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ToExchange").field("format", &self.format).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::task::{Poll, Waker};

    use tracing::{debug, info, warn};
    use tracing_subscriber::Registry;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::broker::{Broker, BrokerOptions, DirectChannel};
    use crate::connection::command::{Bind, DeclareQueue};
    use crate::connection::{Command, Event, Reply};
    use crate::node::config::logs::{LogFilter, LogLevel};
    use crate::protocol::field::FieldTable;

    const NOW: Moment = Moment(1);

    fn ask(channel: &mut DirectChannel, command: Command) -> Option<Reply> {
        channel.ask(command, NOW);
        match channel.poll(Waker::noop()) {
            Poll::Ready(Event::Answered { reply, .. }) => Some(reply),
            _ => None,
        }
    }

    fn bound(broker: &Arc<Broker>) -> DirectChannel {
        let user = broker.user("guest").unwrap();
        let mut channel = DirectChannel::open(broker, &user, "/", NOW).unwrap();
        let queue = DeclareQueue {
            queue: "told".into(),
            is_server_named: false,
            passive: false,
            durable: false,
            exclusive: false,
            auto_delete: false,
            arguments: FieldTable::new(),
        };
        ask(&mut channel, Command::DeclareQueue(queue)).unwrap();
        let bind = Bind {
            is_unbind: false,
            source: "amq.rabbitmq.log".into(),
            destination: "told".into(),
            to_exchange: false,
            routing_key: "*".into(),
            arguments: FieldTable::new(),
        };
        ask(&mut channel, Command::Bind(bind)).unwrap();
        channel
    }

    #[test]
    fn what_is_logged_comes_to_who_is_bound_as_far_as_the_level_lets_it() {
        let filter = LogFilter { default: LogLevel::Info, categories: BTreeMap::new() };
        let log = ExchangeLog { format: LogFormat::Text, filter };
        let passing = LiveFilter::from(&log.filter);
        let lines = lines(Some(&log)).unwrap();
        let options = BrokerOptions { log_lines: Some(lines.clone()), ..BrokerOptions::default() };
        let broker = Arc::new(Broker::new(options, [1, 2]).unwrap());
        let subscriber = Registry::default().with(layer(log.format, passing, lines));
        let mut channel = tracing::subscriber::with_default(subscriber, || {
            info!(target: "node", "nobody hears it");
            let channel = bound(&broker);
            info!(target: "node", count = 3, "heard");
            debug!(target: "node", "too little");
            warn!(target: "queue", "heard too");
            broker.elapse(NOW);
            channel
        });
        let mut heard = Vec::new();
        let get = || Command::Get { queue: "told".into(), no_ack: true };
        while let Some(Reply::Got { delivery, .. }) = ask(&mut channel, get()) {
            let message = delivery.message;
            let text = String::from_utf8(message.body_to_vec()).unwrap();
            let after_time = text.split_at("2026-08-01 12:00:00.123456+00:00 ".len()).1.to_owned();
            heard.push((message.routing_key().to_owned(), after_time));
        }
        let expected = [
            ("info", "[info] <node> heard count=3\n"),
            ("warning", "[warning] <queue> heard too\n"),
        ];
        let expected = expected.map(|(key, text)| (key.to_owned(), text.to_owned()));
        assert_eq!(heard, expected);
    }
}
