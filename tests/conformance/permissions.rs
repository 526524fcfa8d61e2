//! Which permission each operation needs, operation by operation: without it the channel closes
//! with RabbitMQ's words, and with nothing but what it needs it goes on. Nobody sets permissions
//! over AMQP, so all of this is in this process.

use leveret::definitions::PermissionDefinition;
use leveret::message::Name;
use leveret::protocol::field::FieldTable;
use leveret::protocol::methods::{WireMethod, basic, exchange, queue};

use crate::client::Client;
use crate::plain;
use crate::script::{World, check_in_process};

/// Patterns that `guest` has: what it may configure, write and read.
type Rights = [&'static str; 3];

/// Nothing at all.
const NONE: Rights = ["", "", ""];

/// One operation, as somebody asks for it.
struct Row {
    operation: &'static str,
    ask: fn(&mut Client),
    method: (u16, u16),
    /// The least that it needs.
    needs: Rights,
    /// What is lacking first, and of what, under which rights.
    refused: &'static [(Rights, &'static str)],
}

fn rows() -> Vec<Row> {
    [exchange_rows(), queue_rows(), message_rows()].into_iter().flatten().collect()
}

fn row(
    operation: &'static str,
    method: (u16, u16),
    ask: fn(&mut Client),
    needs: Rights,
    refused: &'static [(Rights, &'static str)],
) -> Row {
    Row { operation, ask, method, needs, refused }
}

fn of<M: WireMethod>() -> (u16, u16) {
    (M::CLASS_ID, M::METHOD_ID)
}

fn exchange_rows() -> Vec<Row> {
    const NEW: &str = "configure access to exchange 'new'";
    vec![
        row(
            "declare an exchange",
            of::<exchange::Declare<'_>>(),
            |client| client.send(1, &plain::exchange_declare("new", "fanout")),
            ["^new$", "", ""],
            &[(NONE, NEW), (["", ".*", ".*"], NEW)],
        ),
        row(
            "declare an exchange with an alternate",
            of::<exchange::Declare<'_>>(),
            |client| {
                let arguments = table("alternate-exchange", "other");
                client.send(
                    1,
                    &exchange::Declare { arguments, ..plain::exchange_declare("new", "fanout") },
                );
            },
            ["^new$", "^other$", "^new$"],
            &[
                (["", ".*", ".*"], NEW),
                (["^new$", ".*", ""], "read access to exchange 'new'"),
                (["^new$", "", "^new$"], "write access to exchange 'other'"),
            ],
        ),
        row(
            "look for an exchange",
            of::<exchange::Declare<'_>>(),
            |client| {
                client.send(
                    1,
                    &exchange::Declare { passive: true, ..plain::exchange_declare("x", "fanout") },
                );
            },
            ["", "", "^x$"],
            &[(NONE, "configure access to exchange 'x'")],
        ),
        row(
            "delete an exchange",
            of::<exchange::Delete<'_>>(),
            |client| client.send(1, &plain::exchange_delete("x")),
            ["^x$", "", ""],
            &[(["", ".*", ".*"], "configure access to exchange 'x'")],
        ),
        row(
            "bind an exchange",
            of::<exchange::Bind<'_>>(),
            |client| client.send(1, &plain::exchange_bind("y", "x", "")),
            ["", "^y$", "^x$"],
            &[
                ([".*", "", ".*"], "write access to exchange 'y'"),
                ([".*", "^y$", ""], "read access to exchange 'x'"),
            ],
        ),
        row(
            "unbind an exchange",
            of::<exchange::Unbind<'_>>(),
            |client| client.send(1, &plain::exchange_unbind("y", "x", "")),
            ["", "^y$", "^x$"],
            &[
                ([".*", "", ".*"], "write access to exchange 'y'"),
                ([".*", "^y$", ""], "read access to exchange 'x'"),
            ],
        ),
    ]
}

fn queue_rows() -> Vec<Row> {
    const NEW: &str = "configure access to queue 'new'";
    vec![
        row(
            "declare a queue",
            of::<queue::Declare<'_>>(),
            |client| client.send(1, &plain::queue_declare("new")),
            ["^new$", "", ""],
            &[(["", ".*", ".*"], NEW)],
        ),
        row(
            "declare a queue with dead letters",
            of::<queue::Declare<'_>>(),
            |client| {
                let arguments = table("x-dead-letter-exchange", "other");
                client.send(1, &queue::Declare { arguments, ..plain::queue_declare("new") });
            },
            ["^new$", "^other$", "^new$"],
            &[
                (["", ".*", ".*"], NEW),
                (["^new$", ".*", ""], "read access to queue 'new'"),
                (["^new$", "", "^new$"], "write access to exchange 'other'"),
            ],
        ),
        row(
            "look for a queue",
            of::<queue::Declare<'_>>(),
            |client| client.send(1, &queue::Declare { passive: true, ..plain::queue_declare("q") }),
            ["", "^q$", ""],
            &[(NONE, "configure access to queue 'q'")],
        ),
        row(
            "delete a queue",
            of::<queue::Delete<'_>>(),
            |client| client.send(1, &plain::queue_delete("q")),
            ["^q$", "", ""],
            &[(["", ".*", ".*"], "configure access to queue 'q'")],
        ),
        row(
            "bind a queue",
            of::<queue::Bind<'_>>(),
            |client| client.send(1, &plain::queue_bind("q", "x", "")),
            ["", "^q$", "^x$"],
            &[
                ([".*", "", ".*"], "write access to queue 'q'"),
                ([".*", "^q$", ""], "read access to exchange 'x'"),
            ],
        ),
        row(
            "unbind a queue",
            of::<queue::Unbind<'_>>(),
            |client| client.send(1, &plain::queue_unbind("q", "x", "")),
            ["", "^q$", "^x$"],
            &[
                ([".*", "", ".*"], "write access to queue 'q'"),
                ([".*", "^q$", ""], "read access to exchange 'x'"),
            ],
        ),
        row(
            "purge a queue",
            of::<queue::Purge<'_>>(),
            |client| client.send(1, &plain::queue_purge("q")),
            ["", "", "^q$"],
            &[([".*", ".*", ""], "read access to queue 'q'")],
        ),
    ]
}

fn message_rows() -> Vec<Row> {
    vec![
        row(
            "publish",
            of::<basic::Publish<'_>>(),
            |client| client.publish(1, "x", "", b""),
            ["", "^x$", ""],
            &[([".*", "", ".*"], "write access to exchange 'x'")],
        ),
        row(
            "publish to the default exchange",
            of::<basic::Publish<'_>>(),
            |client| client.publish(1, "", "q", b""),
            ["", r"^amq\.default$", ""],
            &[([".*", "^$", ".*"], "write access to exchange 'amq.default'")],
        ),
        row(
            "get",
            of::<basic::Get<'_>>(),
            |client| client.send(1, &basic::Get { queue: "q", no_ack: true }),
            ["", "", "^q$"],
            &[([".*", ".*", ""], "read access to queue 'q'")],
        ),
        row(
            "consume",
            of::<basic::Consume<'_>>(),
            |client| client.send(1, &plain::consume("q", "tag")),
            ["", "", "^q$"],
            &[([".*", ".*", ""], "read access to queue 'q'")],
        ),
    ]
}

fn table(name: &str, value: &str) -> FieldTable {
    [(name, value)].into_iter().collect()
}

fn permit(world: &World, [configure, write, read]: Rights) {
    let permission = PermissionDefinition::<Name> {
        user: "guest".into(),
        host: "/".into(),
        configure: configure.into(),
        write: write.into(),
        read: read.into(),
    };
    world.operate(|broker, _| broker.by_node().set_permission(&permission)).expect("a permission");
}

/// A client who finds the exchanges `x` and `y`, and the queue `q`.
fn client_with_things(world: &World) -> Client {
    permit(world, [".*"; 3]);
    let mut client = world.client();
    for name in ["x", "y"] {
        client.perform(&plain::exchange_declare(name, "fanout"));
    }
    client.perform(&plain::queue_declare("q"));
    client
}

#[test]
fn what_lacks_a_permission_is_refused_with_its_name() {
    for row in rows() {
        check_in_process(|world| {
            let mut client = client_with_things(world);
            for (rights, lacking) in row.refused {
                permit(world, *rights);
                (row.ask)(&mut client);
                let text =
                    format!("ACCESS_REFUSED - {lacking} in vhost '/' refused for user 'guest'");
                client.expect_channel_close(1, 403, &text, row.method);
                client.open_channel(1);
            }
        });
    }
}

#[test]
fn what_has_the_permissions_it_needs_goes_on() {
    for row in rows() {
        check_in_process(|world| {
            let mut client = client_with_things(world);
            permit(world, row.needs);
            (row.ask)(&mut client);
            let answers = client.read_until_silence();
            let text = format!("{answers:?}");
            assert!(!text.contains("ACCESS_REFUSED"), "{}: {text}", row.operation);
            permit(world, [".*"; 3]);
            client.open_channel(2);
        });
    }
}
