//! What a run covered: how often each command was carried out, and how often each situation came up
//! that the simulation is for. It judges nothing but zeros.

use std::collections::BTreeMap;
use std::fmt;

use crate::operation::Operation;
use crate::oracle::Oracle;

/// The rows that must not be zero: the words a connection has for the broker, then situations.
pub(crate) const ROWS: [&str; 59] = [
    "Authenticate",
    "OpenVirtualHost",
    "Release",
    "Publish",
    "Settle",
    "OpenChannel",
    "CloseChannel",
    "DeclareExchange",
    "DeleteExchange",
    "Bind",
    "DeclareQueue",
    "PurgeQueue",
    "DeleteQueue",
    "Qos",
    "Consume",
    "Cancel",
    "Get",
    "Recover",
    "SelectConfirm",
    "SelectTransaction",
    "Commit",
    "Rollback",
    "Flow",
    "RequestAccess",
    "UpdateSecret",
    "ack",
    "ack multiple",
    "nack",
    "nack multiple",
    "reject",
    "unbind",
    "bind to an exchange",
    "publish to direct",
    "publish to fanout",
    "publish to topic",
    "publish to headers",
    "publish to x-consistent-hash",
    "publish to x-random",
    "publish to x-local-random",
    "publish to x-modulus-hash",
    "publish to x-recent-history",
    "publish with copies",
    "publish in several frames",
    "declare server-named",
    "declare exclusive",
    "consume with single active",
    "consume with prefetch",
    "no answer wanted",
    "socket gone",
    "socket gone while not reading",
    "stopped reading",
    "output congested",
    "heartbeats missed",
    "bytes held back",
    "message returned",
    "direct reply delivered",
    "delivery traced",
    "consumer told of its queue's end",
    "refused",
];

/// Counts by row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coverage {
    counts: BTreeMap<&'static str, u64>,
    pub(crate) operations: u64,
    pub(crate) deliveries: u64,
}

impl Coverage {
    /// One more of a row.
    pub(crate) fn add(&mut self, row: &'static str) {
        assert!(ROWS.contains(&row), "no row '{row}'");
        *self.counts.entry(row).or_default() += 1;
    }

    /// Everything another run counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (row, count) in &other.counts {
            *self.counts.entry(row).or_default() += count;
        }
        self.operations += other.operations;
        self.deliveries += other.deliveries;
    }

    /// Rows that are zero.
    pub(crate) fn zeros(&self) -> Vec<&'static str> {
        ROWS.into_iter().filter(|row| !self.counts.contains_key(row)).collect()
    }

    /// A client's operation was carried out.
    pub(crate) fn count(&mut self, operation: &Operation, oracle: &Oracle) {
        self.operations += 1;
        if let Some(command) = command(operation) {
            self.add(command);
        }
        if let Some(detail) = detail(operation) {
            self.add(detail);
        }
        if wants_no_answer(operation) {
            self.add("no answer wanted");
        }
        match operation {
            Operation::Publish(publish) => {
                if !publish.copies.is_empty() || !publish.blind_copies.is_empty() {
                    self.add("publish with copies");
                }
                if publish.size > 131_072 {
                    self.add("publish in several frames");
                }
                let exchange = oracle.topology.exchanges.get(&publish.exchange);
                let kind = exchange.map(|exchange| format!("publish to {}", exchange.kind));
                let row = kind.and_then(|kind| ROWS.into_iter().find(|row| *row == kind));
                row.into_iter().for_each(|row| self.add(row));
            }
            Operation::Consume(consume) => {
                let queue = oracle.names.get(&consume.queue).map(|queue| &oracle.queues[*queue]);
                if queue.is_some_and(|queue| queue.single_active) {
                    self.add("consume with single active");
                }
            }
            Operation::Qos { global: false, prefetch_count: 1.. } => {
                self.add("consume with prefetch");
            }
            _ => {}
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operations, deliveries, .. } = self;
        writeln!(formatter, "{operations} operations, {deliveries} deliveries")?;
        for row in ROWS {
            let count = self.counts.get(row).copied().unwrap_or(0);
            writeln!(formatter, "{count:>9}  {row}")?;
        }
        Ok(())
    }
}

/// What the connection asks of the broker for it.
pub(crate) fn command(operation: &Operation) -> Option<&'static str> {
    Some(match operation {
        Operation::Header
        | Operation::TuneOk { .. }
        | Operation::ConnectionCloseOk
        | Operation::Heartbeat
        | Operation::ChannelCloseOk => return None,
        Operation::StartOk => "Authenticate",
        Operation::OpenConnection => "OpenVirtualHost",
        Operation::UpdateSecret => "UpdateSecret",
        Operation::CloseConnection => "Release",
        Operation::OpenChannel => "OpenChannel",
        Operation::CloseChannel => "CloseChannel",
        Operation::Flow => "Flow",
        Operation::RequestAccess => "RequestAccess",
        Operation::DeclareExchange(_) => "DeclareExchange",
        Operation::DeleteExchange { .. } => "DeleteExchange",
        Operation::Bind(_) => "Bind",
        Operation::DeclareQueue(_) => "DeclareQueue",
        Operation::PurgeQueue { .. } => "PurgeQueue",
        Operation::DeleteQueue { .. } => "DeleteQueue",
        Operation::Qos { .. } => "Qos",
        Operation::Consume(_) => "Consume",
        Operation::Cancel { .. } => "Cancel",
        Operation::Get { .. } => "Get",
        Operation::Recover { .. } => "Recover",
        Operation::Publish(_) => "Publish",
        Operation::Ack { .. } | Operation::Nack { .. } | Operation::Reject { .. } => "Settle",
        Operation::SelectConfirm { .. } => "SelectConfirm",
        Operation::SelectTransaction => "SelectTransaction",
        Operation::Commit => "Commit",
        Operation::Rollback => "Rollback",
    })
}

fn detail(operation: &Operation) -> Option<&'static str> {
    Some(match operation {
        Operation::Ack { multiple: false, .. } => "ack",
        Operation::Ack { multiple: true, .. } => "ack multiple",
        Operation::Nack { multiple: false, .. } => "nack",
        Operation::Nack { multiple: true, .. } => "nack multiple",
        Operation::Reject { .. } => "reject",
        Operation::Bind(bind) if bind.is_unbind => "unbind",
        Operation::Bind(bind) if bind.to_exchange => "bind to an exchange",
        Operation::DeclareQueue(declare) if declare.queue.is_empty() => "declare server-named",
        Operation::DeclareQueue(declare) if declare.exclusive => "declare exclusive",
        _ => return None,
    })
}

fn wants_no_answer(operation: &Operation) -> bool {
    match operation {
        Operation::DeclareExchange(declare) => declare.nowait,
        Operation::Bind(bind) => bind.nowait,
        Operation::DeclareQueue(declare) => declare.nowait,
        Operation::Consume(consume) => consume.nowait,
        Operation::DeleteExchange { nowait, .. }
        | Operation::PurgeQueue { nowait, .. }
        | Operation::DeleteQueue { nowait, .. }
        | Operation::Cancel { nowait, .. }
        | Operation::SelectConfirm { nowait } => *nowait,
        Operation::Recover { is_async } => *is_async,
        _ => false,
    }
}
