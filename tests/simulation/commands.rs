//! The rows of the coverage are the commands of the connection: what a client sends is put through
//! a connection of its own, and what that asks of the broker is compared with the row it counts
//! for.

use std::collections::BTreeSet;
use std::sync::Arc;

use leveret::connection::{Command, Connection, Effect, Event, Options};
use leveret::message::{Moment, Random};

use crate::coverage;
use crate::operation::{Bind, Consume, DeclareExchange, DeclareQueue, Operation, Publish};

/// The row of a command. A new command does not compile before it has one.
fn row(command: &Command) -> &'static str {
    match command {
        Command::OpenChannel => "OpenChannel",
        Command::CloseChannel { .. } => "CloseChannel",
        Command::DeclareExchange(_) => "DeclareExchange",
        Command::DeleteExchange { .. } => "DeleteExchange",
        Command::Bind(_) => "Bind",
        Command::DeclareQueue(_) => "DeclareQueue",
        Command::PurgeQueue { .. } => "PurgeQueue",
        Command::DeleteQueue { .. } => "DeleteQueue",
        Command::Qos { .. } => "Qos",
        Command::Consume(_) => "Consume",
        Command::Cancel { .. } => "Cancel",
        Command::Get { .. } => "Get",
        Command::Recover(_) => "Recover",
        Command::SelectConfirm => "SelectConfirm",
        Command::SelectTransaction => "SelectTransaction",
        Command::Commit(_) => "Commit",
        Command::Rollback => "Rollback",
        Command::Flow => "Flow",
        Command::RequestAccess => "RequestAccess",
        Command::UpdateSecret(_) => "UpdateSecret",
    }
}

/// How many commands there are: what `row` lists.
const COMMANDS: usize = 20;

fn rows_of(effects: &[Effect]) -> Vec<&'static str> {
    effects
        .iter()
        .map(|effect| match effect {
            Effect::Authenticate(_) => "Authenticate",
            Effect::OpenVirtualHost(_) => "OpenVirtualHost",
            Effect::Request(request) => row(&request.command),
            Effect::Publish(_) => "Publish",
            Effect::Settle(_) | Effect::SettleSent(_) => "Settle",
            Effect::Release(_) => "Release",
        })
        .collect()
}

/// A connection and what it asks.
struct Scripted {
    connection: Connection,
}

impl Scripted {
    /// Sends an operation and gives what the connection asks for it.
    fn send(&mut self, channel: u16, operation: &Operation) -> Vec<&'static str> {
        let (mut bytes, mut effects) = (Vec::new(), Vec::new());
        operation.encode(channel, 4096, &mut bytes);
        let used = self.connection.receive(&bytes, Moment(0), &mut effects);
        assert_eq!(used, bytes.len(), "{operation:?}");
        self.connection.applied();
        rows_of(&effects)
    }

    fn tell(&mut self, event: Event) {
        self.connection.notify(event, &mut Vec::new());
    }
}

fn on_a_channel() -> Vec<(u16, Operation)> {
    let name = || "n".to_owned();
    vec![
        (1, Operation::OpenChannel),
        (1, Operation::DeclareExchange(DeclareExchange::default())),
        (1, Operation::DeleteExchange { exchange: name(), if_unused: false, nowait: false }),
        (1, Operation::DeclareQueue(DeclareQueue::default())),
        (1, Operation::Bind(Bind { destination: name(), ..Bind::default() })),
        (1, Operation::PurgeQueue { queue: name(), nowait: false }),
        (
            1,
            Operation::DeleteQueue {
                queue: name(),
                if_unused: false,
                if_empty: false,
                nowait: false,
            },
        ),
        (1, Operation::Qos { prefetch_count: 1, global: false }),
        (1, Operation::Consume(Consume { queue: name(), ..Consume::default() })),
        (1, Operation::Cancel { consumer_tag: name(), nowait: false }),
        (1, Operation::Get { queue: name(), no_ack: true }),
        (1, Operation::Recover { is_async: false }),
        (1, Operation::Publish(Publish::default())),
        (1, Operation::Flow),
        (1, Operation::RequestAccess),
        (1, Operation::SelectConfirm { nowait: false }),
        (2, Operation::OpenChannel),
        (2, Operation::SelectTransaction),
        (2, Operation::Commit),
        (2, Operation::Rollback),
        (2, Operation::CloseChannel),
        (0, Operation::UpdateSecret),
        (0, Operation::CloseConnection),
    ]
}

#[test]
fn the_coverage_has_a_row_for_every_command_and_counts_it_right() {
    let random = Random::new([1, 2]);
    let connection = Connection::new(Arc::new(Options::default()), random, Moment(0));
    let mut scripted = Scripted { connection };
    let mut asked = BTreeSet::new();
    assert!(scripted.send(0, &Operation::Header).is_empty());
    assert_eq!(scripted.send(0, &Operation::StartOk), ["Authenticate"]);
    scripted.tell(Event::Authenticated { user: "guest".into() });
    assert!(scripted.send(0, &Operation::TuneOk { frame_max: 4096, heartbeat: 0 }).is_empty());
    assert_eq!(scripted.send(0, &Operation::OpenConnection), ["OpenVirtualHost"]);
    scripted.tell(Event::VirtualHostOpened);
    for (channel, operation) in on_a_channel() {
        let rows = scripted.send(channel, &operation);
        assert_eq!(rows, [coverage::command(&operation).unwrap()], "{operation:?}");
        asked.extend(rows);
    }
    asked.extend(["Authenticate", "OpenVirtualHost", "Settle"]);
    let rows: BTreeSet<_> = coverage::ROWS[..COMMANDS + 5].iter().copied().collect();
    assert_eq!(asked, rows);
}
