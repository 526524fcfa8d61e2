//! A workload in a line of words.

use std::fmt::{self, Display, Formatter};

use super::{Churn, ExchangeKind, Kind, QueueLife, Workload};

const KIBIBYTE: usize = 1024;
const MEBIBYTE: usize = 1024 * 1024;

impl Display for Workload {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Load | Kind::Backlog => self.flow(formatter),
            Kind::Rpc => {
                let clients = count(self.publishers, "client");
                write!(formatter, "RPC by direct reply-to, {clients}, {}", self.size())
            }
            Kind::Churn { what, connections } => {
                let what = match what {
                    Churn::Connection => "connect, channel, declare, publish, close",
                    Churn::Channel => "open and close a channel",
                    Churn::Queue => "declare and delete a queue",
                    Churn::Binding => "bind and unbind a queue",
                };
                write!(formatter, "{what}; {connections} at once")
            }
            Kind::Idle { connections, channels } => {
                write!(formatter, "{connections} idle connections, {channels} channels each")
            }
        }
    }
}

impl Workload {
    fn flow(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let publishers = count(self.publishers, "publisher");
        let consumers = count(self.consumers, "consumer");
        let queues = count(self.queues, "queue");
        write!(formatter, "{publishers}, {queues}, {consumers}, {}", self.size())?;
        let exchange = match self.exchange {
            ExchangeKind::Default => None,
            ExchangeKind::Direct => Some("direct"),
            ExchangeKind::Fanout => Some("fanout"),
            ExchangeKind::Topic => Some("topic"),
            ExchangeKind::Headers => Some("headers"),
        };
        if let Some(exchange) = exchange {
            write!(formatter, ", {exchange} exchange with {} bindings", self.bindings)?;
        }
        if self.is_persistent {
            write!(formatter, ", persistent")?;
        }
        if self.queue_life == QueueLife::Durable {
            write!(formatter, ", durable")?;
        }
        for (name, value) in &self.queue_arguments {
            write!(formatter, ", {name}={value}")?;
        }
        if let Some(rate) = self.rate {
            write!(formatter, ", {rate}/s each")?;
        }
        if let Some(window) = self.confirm_window {
            write!(formatter, ", confirm window {window}")?;
        }
        if let Some(limit) = self.in_flight {
            write!(formatter, ", at most {limit} in flight")?;
        }
        match self.acknowledgements {
            None => write!(formatter, ", auto-ack")?,
            Some(acknowledgements) => {
                let (every, prefetch) =
                    (acknowledgements.messages_per_ack, acknowledgements.prefetch_count);
                write!(formatter, ", ack per {every}, prefetch {prefetch}")?;
            }
        }
        if self.kind == Kind::Backlog {
            write!(formatter, "; filled, then drained")?;
        }
        Ok(())
    }

    fn size(&self) -> String {
        match self.message_size {
            size if size % MEBIBYTE == 0 => format!("{} MiB", size / MEBIBYTE),
            size if size % KIBIBYTE == 0 => format!("{} KiB", size / KIBIBYTE),
            size => format!("{size} B"),
        }
    }
}

fn count(count: u32, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use crate::perf::workload::named;

    #[test]
    fn a_workload_is_told_in_a_line() {
        let lines = [
            ("s1", "1 publisher, 1 queue, 1 consumer, 16 B, auto-ack"),
            ("s5", "1 publisher, 10 queues, 10 consumers, 256 B, fanout exchange with 10 bindings"),
            ("s4", "persistent, durable, 2000/s each, confirm window 1000, ack per 10"),
            ("s12", "1 MiB, at most 100 in flight, ack per 1, prefetch 10"),
            ("s13", "x-queue-type=quorum"),
            ("s11-1", "RPC by direct reply-to, 1 client, 64 B"),
            ("s14", "connect, channel, declare, publish, close; 4 at once"),
        ];
        for (name, words) in lines {
            let line = named(name).unwrap().to_string();
            assert!(line.contains(words), "{line}");
        }
    }
}
