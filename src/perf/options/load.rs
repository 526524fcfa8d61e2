//! Publishers and consumers, as typed: every flag changes one thing of a workload.

use clap::{Args, ValueEnum};

use super::broker::{Run, at_least_one, one_or_more};
use crate::perf::workload::{
    Acknowledgements, Argument, ExchangeKind, QueueLife, Workload, named, plain,
};

/// The size of messages where none is given.
const MESSAGE_SIZE: usize = 1024;

/// Unacknowledged messages where nothing is given.
const PREFETCH_COUNT: u16 = 1000;
const MESSAGES_PER_ACK: u64 = 100;

/// Exchange types by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::perf) enum Exchange {
    Default,
    Direct,
    Fanout,
    Topic,
    Headers,
}

/// A run of publishers and consumers.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(in crate::perf) struct Load {
    #[command(flatten)]
    pub(in crate::perf) run: Run,
    /// Begin with a scenario (s1 to s14, see docs/performance.md); other flags change it
    #[arg(long, value_name = "NAME", value_parser = named)]
    scenario: Option<Workload>,
    /// Publishers, each on a connection of its own [default: 1]
    #[arg(long, value_name = "COUNT", value_parser = one_or_more())]
    publishers: Option<u32>,
    /// Consumers, each on a connection of its own; 0 to publish only [default: 1]
    #[arg(long, value_name = "COUNT")]
    consumers: Option<u32>,
    /// Queues, shared out among publishers and consumers [default: 1]
    #[arg(long, value_name = "COUNT", value_parser = one_or_more())]
    queues: Option<u32>,
    /// Octets of each message, at least 16; KiB and MiB may follow [default: 1KiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    size: Option<usize>,
    /// Messages per second of each publisher [default: as fast as the broker takes them]
    #[arg(long, value_name = "COUNT", value_parser = at_least_one())]
    rate: Option<u64>,
    /// Messages in all; the run ends when they are consumed, and not by time
    #[arg(long, value_name = "COUNT", value_parser = at_least_one())]
    count: Option<u64>,
    /// Send messages as persistent
    #[arg(long)]
    persistent: bool,
    /// Ask for confirms, and let each publisher wait for so many at most
    #[arg(long, value_name = "WINDOW", value_parser = at_least_one())]
    confirm: Option<u64>,
    /// Let so many messages at most be published and not consumed
    #[arg(long, value_name = "COUNT", value_parser = at_least_one())]
    in_flight: Option<u64>,
    /// Let consumers acknowledge so many messages at a time [default: 100]
    #[arg(long, value_name = "COUNT", value_parser = at_least_one())]
    ack_every: Option<u64>,
    /// Let messages count as acknowledged when they are sent
    #[arg(long, conflicts_with_all = ["ack_every", "prefetch"])]
    auto_ack: bool,
    /// Unacknowledged messages of each consumer; 0 for any number [default: 1000]
    #[arg(long, value_name = "COUNT")]
    prefetch: Option<u16>,
    /// The type of the exchange to publish to [default: default]
    #[arg(long, value_name = "TYPE")]
    exchange: Option<Exchange>,
    /// Bindings in all, each with a key of its own [default: one for each queue]
    #[arg(long, value_name = "COUNT", value_parser = one_or_more())]
    bindings: Option<u32>,
    /// Declare durable queues
    #[arg(long, conflicts_with = "exclusive")]
    durable: bool,
    /// Declare exclusive queues, whatever the number of consumers
    #[arg(long)]
    exclusive: bool,
    /// The queues' x-queue-type
    #[arg(long, value_name = "TYPE")]
    queue_type: Option<String>,
    /// An x-argument of the queues; integers, true and false are sent as such. May be given
    /// several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = argument)]
    argument: Vec<(String, Argument)>,
}

impl Load {
    /// What is meant.
    pub(in crate::perf) fn workload(&self) -> Result<Workload, String> {
        let mut workload = self.scenario.clone().unwrap_or_else(|| plain("load", MESSAGE_SIZE));
        set(&mut workload.publishers, self.publishers);
        set(&mut workload.consumers, self.consumers);
        set(&mut workload.queues, self.queues);
        set(&mut workload.message_size, self.size);
        workload.rate = self.rate.or(workload.rate);
        workload.count = self.count.or(workload.count);
        workload.confirm_window = self.confirm.or(workload.confirm_window);
        workload.in_flight = self.in_flight.or(workload.in_flight);
        workload.is_persistent |= self.persistent;
        self.acknowledge(&mut workload);
        self.route(&mut workload);
        self.declare(&mut workload);
        workload.check()?;
        Ok(workload)
    }

    fn acknowledge(&self, workload: &mut Workload) {
        let is_asked = self.ack_every.is_some() || self.prefetch.is_some();
        if self.auto_ack || (workload.acknowledgements.is_none() && !is_asked) {
            workload.acknowledgements = None;
            return;
        }
        let mut acknowledgements = workload.acknowledgements.unwrap_or(Acknowledgements {
            prefetch_count: PREFETCH_COUNT,
            messages_per_ack: MESSAGES_PER_ACK,
        });
        set(&mut acknowledgements.prefetch_count, self.prefetch);
        if let (Some(prefetch), None) = (self.prefetch, self.ack_every) {
            // Nobody who asks for a small prefetch means to wait for an ack that cannot come.
            let at_most = if prefetch == 0 { u64::MAX } else { prefetch.into() };
            acknowledgements.messages_per_ack = acknowledgements.messages_per_ack.min(at_most);
        }
        set(&mut acknowledgements.messages_per_ack, self.ack_every);
        workload.acknowledgements = Some(acknowledgements);
    }

    fn route(&self, workload: &mut Workload) {
        set(&mut workload.exchange, self.exchange.map(Exchange::kind));
        let is_default = workload.exchange == ExchangeKind::Default;
        workload.bindings = match (is_default, self.bindings) {
            (true, _) => 0,
            (false, Some(bindings)) => bindings,
            (false, None) => workload.bindings.max(workload.queues),
        };
    }

    fn declare(&self, workload: &mut Workload) {
        if self.durable {
            workload.queue_life = QueueLife::Durable;
        }
        if self.exclusive {
            workload.queue_life = QueueLife::Exclusive;
        }
        let kind = self.queue_type.iter();
        let kind = kind.map(|kind| ("x-queue-type".to_owned(), Argument::Text(kind.clone())));
        for (name, value) in kind.chain(self.argument.iter().cloned()) {
            workload.queue_arguments.retain(|(other, _)| *other != name);
            workload.queue_arguments.push((name, value));
        }
    }
}

impl Exchange {
    fn kind(self) -> ExchangeKind {
        match self {
            Self::Default => ExchangeKind::Default,
            Self::Direct => ExchangeKind::Direct,
            Self::Fanout => ExchangeKind::Fanout,
            Self::Topic => ExchangeKind::Topic,
            Self::Headers => ExchangeKind::Headers,
        }
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

pub(super) fn size(text: &str) -> Result<usize, String> {
    let (digits, unit) = [("KiB", 1024), ("MiB", 1024 * 1024)]
        .into_iter()
        .find_map(|(ending, unit)| Some((text.strip_suffix(ending)?, unit)))
        .unwrap_or((text, 1));
    let count: usize = digits.trim().parse().map_err(|_| "a size is a number".to_owned())?;
    count.checked_mul(unit).ok_or_else(|| "this is too large".to_owned())
}

fn argument(text: &str) -> Result<(String, Argument), String> {
    let (name, value) = text.split_once('=').ok_or("an argument is NAME=VALUE")?;
    Ok((name.to_owned(), Argument::parse(value)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct CommandLine {
        #[command(flatten)]
        load: Load,
    }

    fn workload(line: &str) -> Result<Workload, String> {
        let words = std::iter::once("perf").chain(line.split_whitespace());
        let parsed = CommandLine::try_parse_from(words).map_err(|error| error.to_string());
        parsed?.load.workload()
    }

    #[test]
    fn without_a_flag_one_publisher_sends_a_kibibyte_to_one_consumer() {
        assert_eq!(workload(""), Ok(plain("load", 1024)));
    }

    #[test]
    fn flags_change_a_scenario() {
        let s7 = named("s7").unwrap();
        assert_eq!(workload("--scenario s7"), Ok(s7.clone()));
        let expected = Workload { publishers: 20, message_size: 2048, ..s7 };
        assert_eq!(workload("--scenario s7 --publishers 20 --size 2KiB"), Ok(expected));
        assert_eq!(workload("--scenario s1").unwrap().acknowledgements, None);
    }

    #[test]
    fn every_part_of_a_workload_has_a_flag() {
        let line = "--publishers 3 --consumers 4 --queues 2 --size 64 --rate 5 --count 6 \
                    --persistent --confirm 7 --in-flight 8 --ack-every 9 --prefetch 10 \
                    --exchange topic --bindings 11 --durable --queue-type quorum \
                    --argument x-max-length=12 --argument x-single-active-consumer=true";
        let text = str::to_owned;
        let expected = Workload {
            name: text("load"),
            kind: crate::perf::workload::Kind::Load,
            publishers: 3,
            consumers: 4,
            queues: 2,
            message_size: 64,
            is_persistent: true,
            rate: Some(5),
            confirm_window: Some(7),
            in_flight: Some(8),
            acknowledgements: Some(Acknowledgements { prefetch_count: 10, messages_per_ack: 9 }),
            exchange: ExchangeKind::Topic,
            bindings: 11,
            queue_life: QueueLife::Durable,
            queue_arguments: vec![
                (text("x-queue-type"), Argument::Text(text("quorum"))),
                (text("x-max-length"), Argument::Integer(12)),
                (text("x-single-active-consumer"), Argument::Boolean(true)),
            ],
            count: Some(6),
        };
        assert_eq!(workload(line), Ok(expected));
    }

    #[test]
    fn every_queue_gets_a_binding_where_no_number_is_given() {
        assert_eq!(workload("--exchange direct --queues 5").unwrap().bindings, 5);
        assert_eq!(workload("--bindings 5").unwrap().bindings, 0);
    }

    #[test]
    fn a_small_prefetch_makes_acknowledgements_come_in_time() {
        let acknowledgements = workload("--prefetch 7").unwrap().acknowledgements.unwrap();
        assert_eq!(acknowledgements.messages_per_ack, 7);
    }

    #[test]
    fn what_is_no_workload_is_refused() {
        for (line, words) in [
            ("--exchange x-random", "possible values"),
            ("--size 8", "16 octets"),
            ("--auto-ack --prefetch 5", "cannot be used with"),
            ("--argument x-max-length", "NAME=VALUE"),
            ("--scenario s99", "the scenarios are"),
            ("--durable --exclusive", "cannot be used with"),
        ] {
            let error = workload(line).unwrap_err();
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
