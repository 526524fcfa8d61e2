//! The other kinds of runs, as typed.

use clap::Args;

use super::broker::{Run, at_least_one, one_or_more};
use super::load::size;
use crate::perf::workload::{Churn, Kind, Workload, named};

/// Clients publish to a server's queue, and wait for its answer before they ask again.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(in crate::perf) struct Rpc {
    #[command(flatten)]
    pub(in crate::perf) run: Run,
    /// Clients, each on a connection of its own
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = one_or_more())]
    clients: u32,
    /// Servers, which share one queue
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = one_or_more())]
    servers: u32,
    /// Octets of each request and each answer, at least 16
    #[arg(long, value_name = "SIZE", default_value = "64", value_parser = size)]
    size: usize,
}

/// Connections that do the same over and over, each step answered before the next.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(in crate::perf) struct Churning {
    #[command(flatten)]
    pub(in crate::perf) run: Run,
    /// What comes and goes
    #[arg(long, value_name = "WHAT", default_value = "connection")]
    what: Churn,
    /// Connections at once
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = one_or_more())]
    connections: u32,
}

/// Connections that are opened as fast as the broker takes them, and then left alone.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(in crate::perf) struct Idle {
    #[command(flatten)]
    pub(in crate::perf) run: Run,
    /// How many
    #[arg(long, value_name = "COUNT", default_value_t = 1000, value_parser = one_or_more())]
    connections: u32,
    /// Channels on each
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    channels: u16,
}

/// Messages that are all published before the first is consumed.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(in crate::perf) struct Backlog {
    #[command(flatten)]
    pub(in crate::perf) run: Run,
    /// How many
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000, value_parser = at_least_one())]
    messages: u64,
    /// Octets of each, at least 16
    #[arg(long, value_name = "SIZE", default_value = "1KiB", value_parser = size)]
    size: usize,
    /// Queues that hold them
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = one_or_more())]
    queues: u32,
}

impl Rpc {
    pub(in crate::perf) fn workload(&self) -> Result<Workload, String> {
        checked(Workload {
            name: "rpc".to_owned(),
            publishers: self.clients,
            consumers: self.servers,
            message_size: self.size,
            ..named("s11-1")?
        })
    }
}

impl Churning {
    pub(in crate::perf) fn workload(&self) -> Result<Workload, String> {
        let kind = Kind::Churn { what: self.what, connections: self.connections };
        checked(Workload { name: "churn".to_owned(), kind, ..named("s14")? })
    }
}

impl Idle {
    pub(in crate::perf) fn workload(&self) -> Result<Workload, String> {
        let kind = Kind::Idle { connections: self.connections, channels: self.channels };
        checked(Workload { name: "idle".to_owned(), kind, ..named("s10")? })
    }
}

impl Backlog {
    pub(in crate::perf) fn workload(&self) -> Result<Workload, String> {
        checked(Workload {
            name: "backlog".to_owned(),
            message_size: self.size,
            queues: self.queues,
            count: Some(self.messages),
            ..named("s9")?
        })
    }
}

fn checked(workload: Workload) -> Result<Workload, String> {
    workload.check().map(|()| workload)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::perf::options::{Options, OtherKind};

    #[derive(Debug, Parser)]
    struct CommandLine {
        #[command(flatten)]
        options: Options,
    }

    fn kind(line: &str) -> OtherKind {
        let words = std::iter::once("perf").chain(line.split_whitespace());
        CommandLine::try_parse_from(words).unwrap().options.kind.unwrap()
    }

    #[test]
    fn each_kind_is_a_command_with_flags_of_its_own() {
        let OtherKind::Rpc(rpc) = kind("rpc --clients 32 --size 128") else { panic!() };
        let rpc = rpc.workload().unwrap();
        assert_eq!((rpc.kind, rpc.publishers, rpc.message_size), (Kind::Rpc, 32, 128));
        let OtherKind::Churn(churn) = kind("churn --what queue --connections 9") else { panic!() };
        let expected = Kind::Churn { what: Churn::Queue, connections: 9 };
        assert_eq!(churn.workload().unwrap().kind, expected);
        let OtherKind::Idle(idle) = kind("idle --connections 5 --channels 2") else { panic!() };
        let expected = Kind::Idle { connections: 5, channels: 2 };
        assert_eq!(idle.workload().unwrap().kind, expected);
        let OtherKind::Backlog(backlog) = kind("backlog --messages 7 --size 16") else { panic!() };
        let backlog = backlog.workload().unwrap();
        assert_eq!((backlog.count, backlog.message_size), (Some(7), 16));
    }
}
