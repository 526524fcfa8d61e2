//! What is there after a restart, in order and by a kill: the smaller facts about queues, bindings
//! and places. Where a kill may undo what was not answered, the test waits for an answer behind it,
//! since the log has one order for everything.

use std::time::Duration;

use leveret::protocol::field::{FieldTable, FieldValue};
use leveret::protocol::frame::{self, ContentHeader};
use leveret::protocol::methods::{Method, WireMethod, basic, exchange, queue, tx};
use leveret::protocol::properties::Properties;
use rustix::process::Signal;

use crate::clients::{push_persistent, push_transient, select_confirms};
use crate::kill::get;
use crate::node::Node;
use crate::wire::{BASIC, OwnedFrame, Wire, declare};

const ENDS: [Signal; 2] = [Signal::TERM, Signal::KILL];

fn client(node: &Node) -> Wire {
    let mut wire = Wire::with_channel(node.process.address());
    select_confirms(&mut wire);
    wire
}

/// Restarts it while this client is there; before a stop in order it says goodbye.
fn restart(node: &mut Node, client: Wire, end: Signal) {
    if end == Signal::KILL {
        node.restart(end);
        drop(client);
    } else {
        client.close();
        node.restart(end);
    }
}

/// Sends a request; gives the answer.
fn request(wire: &mut Wire, method: &impl WireMethod) -> OwnedFrame {
    wire.send(1, method);
    wire.next_method()
}

/// The code with which a declaration is refused, on a connection of its own.
fn refusal(node: &Node, declaration: &queue::Declare<'_>) -> Option<u16> {
    let mut wire = Wire::with_channel(node.process.address());
    match request(&mut wire, declaration).method() {
        Method::QueueDeclareOk(_) => None,
        Method::ChannelClose(close) => Some(close.reply_code),
        other => panic!("{other:?}"),
    }
}

fn declare_exchange(wire: &mut Wire, exchange: &str, kind: &str, durable: bool) {
    declare_exchange_with(wire, exchange, kind, durable, FieldTable::new());
}

fn declare_exchange_with(
    wire: &mut Wire,
    exchange: &str,
    kind: &str,
    durable: bool,
    arguments: FieldTable,
) {
    let declare = exchange::Declare {
        exchange,
        kind,
        passive: false,
        durable,
        auto_delete: false,
        internal: false,
        nowait: false,
        arguments,
    };
    assert!(matches!(request(wire, &declare).method(), Method::ExchangeDeclareOk(_)));
}

fn declare_as(wire: &mut Wire, declaration: &queue::Declare<'_>) {
    assert!(matches!(request(wire, declaration).method(), Method::QueueDeclareOk(_)));
}

fn bind(wire: &mut Wire, queue: &str, exchange: &str, routing_key: &str, arguments: FieldTable) {
    let bind = queue::Bind { queue, exchange, routing_key, nowait: false, arguments };
    assert!(matches!(request(wire, &bind).method(), Method::QueueBindOk(_)));
}

fn bind_exchanges(wire: &mut Wire, source: &str, destination: &str, routing_key: &str) {
    let arguments = FieldTable::new();
    let bind = exchange::Bind { destination, source, routing_key, nowait: false, arguments };
    assert!(matches!(request(wire, &bind).method(), Method::ExchangeBindOk(_)));
}

/// Publishes a persistent message and waits for its confirm.
fn publish(wire: &mut Wire, exchange: &str, key: &str, body: &str) {
    let mut bytes = Vec::new();
    push_persistent(&mut bytes, exchange, key, body.as_bytes());
    wire.write(&bytes);
    let answer = wire.next_method();
    assert!(matches!(answer.method(), Method::BasicAck(_)), "{answer:?}");
}

/// The same with headers.
fn publish_with(wire: &mut Wire, exchange: &str, key: &str, headers: FieldTable, body: &str) {
    let properties = Properties { headers: Some(headers), ..Properties::default() };
    publish_as(wire, exchange, key, properties, body);
}

/// The same with a time to live.
fn publish_for(wire: &mut Wire, queue: &str, milliseconds: &str, body: &str) {
    let expiration = Some(milliseconds.into());
    publish_as(wire, "", queue, Properties { expiration, ..Properties::default() }, body);
}

fn publish_as(wire: &mut Wire, exchange: &str, key: &str, properties: Properties, body: &str) {
    let properties = Properties { delivery_mode: Some(2), ..properties };
    let (mut list, mut bytes) = (Vec::new(), Vec::new());
    properties.encode(&mut list);
    let publish = basic::Publish { exchange, routing_key: key, mandatory: false, immediate: false };
    frame::write_method(&mut bytes, 1, &publish);
    frame::write_header(&mut bytes, 1, BASIC, body.len() as u64, &list);
    frame::write_body(&mut bytes, 1, body.as_bytes());
    wire.write(&bytes);
    assert!(matches!(wire.next_method().method(), Method::BasicAck(_)));
}

/// Gets a message and keeps it. Gives its tag.
fn hold(wire: &mut Wire, queue: &str, expected: &str) -> u64 {
    let tag = match request(wire, &basic::Get { queue, no_ack: false }).method() {
        Method::BasicGetOk(got) => got.delivery_tag,
        other => panic!("{other:?}"),
    };
    let _header = wire.next_method();
    assert_eq!(String::from_utf8_lossy(&wire.next_method().payload), expected);
    tag
}

/// Takes all messages, each with its flag.
fn take_all(wire: &mut Wire, queue: &str) -> Vec<(String, bool)> {
    let mut taken = Vec::new();
    while let Some((body, flag)) = get(wire, queue) {
        taken.push((String::from_utf8(body).expect("text"), flag));
    }
    taken
}

/// The bodies alone.
fn bodies(wire: &mut Wire, queue: &str) -> Vec<String> {
    take_all(wire, queue).into_iter().map(|(body, _)| body).collect()
}

fn requeue(wire: &mut Wire, delivery_tag: u64) {
    wire.send(1, &basic::Reject { delivery_tag, requeue: true });
}

#[test]
fn an_exclusive_queue_goes_and_an_auto_delete_queue_that_had_no_consumer_stays() {
    for end in ENDS {
        let mut node = Node::start();
        let mut wire = client(&node);
        let auto_delete = queue::Declare { auto_delete: true, ..declare("auto-delete", false) };
        declare_as(&mut wire, &queue::Declare { exclusive: true, ..declare("exclusive", false) });
        declare_as(&mut wire, &auto_delete);
        for queue in ["exclusive", "auto-delete"] {
            publish(&mut wire, "", queue, "one");
        }
        restart(&mut node, wire, end);
        assert_eq!(refusal(&node, &declare("exclusive", true)), Some(404), "{end:?}");
        assert_eq!(refusal(&node, &auto_delete), None, "it is what it was");
        let mut wire = client(&node);
        assert_eq!(bodies(&mut wire, "auto-delete"), ["one"]);
        let consume = basic::Consume {
            queue: "auto-delete",
            consumer_tag: "c",
            no_local: false,
            no_ack: false,
            exclusive: false,
            nowait: false,
            arguments: FieldTable::new(),
        };
        assert!(matches!(request(&mut wire, &consume).method(), Method::BasicConsumeOk(_)));
        let cancel = basic::Cancel { consumer_tag: "c", nowait: false };
        assert!(matches!(request(&mut wire, &cancel).method(), Method::BasicCancelOk(_)));
        assert_eq!(refusal(&node, &declare("auto-delete", true)), Some(404), "it still is one");
    }
}

#[test]
fn bindings_between_durable_ends_stay_with_their_arguments_and_others_go() {
    for end in ENDS {
        let mut node = Node::start();
        let mut wire = client(&node);
        let transient = queue::Declare { durable: false, ..declare("transient", false) };
        wire.declare_queue("q");
        declare_as(&mut wire, &transient);
        declare_exchange(&mut wire, "first", "topic", true);
        declare_exchange(&mut wire, "second", "headers", true);
        declare_exchange(&mut wire, "passing", "fanout", false);
        bind_exchanges(&mut wire, "first", "second", "a.#");
        bind_exchanges(&mut wire, "first", "passing", "#");
        let wanted = [("x-match", "all"), ("color", "red")].into_iter().collect();
        bind(&mut wire, "q", "second", "", wanted);
        bind(&mut wire, "q", "first", "b", FieldTable::new());
        bind(&mut wire, "q", "passing", "", FieldTable::new());
        bind(&mut wire, "transient", "first", "#", FieldTable::new());
        restart(&mut node, wire, end);
        let mut wire = client(&node);
        publish(&mut wire, "first", "b", "by b");
        publish(&mut wire, "first", "a.b", "no header");
        publish_with(&mut wire, "first", "a.b", [("color", "red")].into_iter().collect(), "red");
        assert_eq!(bodies(&mut wire, "q"), ["by b", "red"], "{end:?}");
        // Declared again, they have none of the bindings they had.
        declare_exchange(&mut wire, "passing", "fanout", false);
        declare_as(&mut wire, &transient);
        publish(&mut wire, "first", "c", "nowhere");
        publish(&mut wire, "passing", "", "nowhere");
        assert_eq!(take_all(&mut wire, "q"), []);
        assert_eq!(take_all(&mut wire, "transient"), []);
    }
}

/// Which of three keys of an exchange reach the queue.
fn reached(node: &Node) -> String {
    let mut wire = client(node);
    for key in ["a", "b", "c"] {
        publish(&mut wire, "x", key, key);
    }
    let taken = bodies(&mut wire, "q").concat();
    // What was taken is settled before this is confirmed, and a kill does not bring it back.
    publish(&mut wire, "", "behind", "x");
    wire.close();
    taken
}

/// What each step takes away or adds is so in all lives behind it.
#[test]
fn unbinding_deleting_and_declaring_anew_last_over_many_restarts() {
    let mut node = Node::start();
    let mut wire = client(&node);
    declare_exchange(&mut wire, "x", "direct", true);
    ["q", "behind"].into_iter().for_each(|queue| wire.declare_queue(queue));
    for key in ["a", "b", "c"] {
        bind(&mut wire, "q", "x", key, FieldTable::new());
    }
    reaches_in_all_lives(&mut node, wire, "abc");
    let mut wire = client(&node);
    let arguments = FieldTable::new();
    let unbind = queue::Unbind { queue: "q", exchange: "x", routing_key: "b", arguments };
    assert!(matches!(request(&mut wire, &unbind).method(), Method::QueueUnbindOk(_)));
    reaches_in_all_lives(&mut node, wire, "ac");
    // The next exchange and the next queue of a name have no binding of those before.
    let mut wire = client(&node);
    let delete = exchange::Delete { exchange: "x", if_unused: false, nowait: false };
    assert!(matches!(request(&mut wire, &delete).method(), Method::ExchangeDeleteOk(_)));
    declare_exchange(&mut wire, "x", "direct", true);
    reaches_in_all_lives(&mut node, wire, "");
    let mut wire = client(&node);
    bind(&mut wire, "q", "x", "c", FieldTable::new());
    let delete = queue::Delete { queue: "q", if_unused: false, if_empty: false, nowait: false };
    assert!(matches!(request(&mut wire, &delete).method(), Method::QueueDeleteOk(_)));
    restart(&mut node, wire, Signal::KILL);
    assert_eq!(refusal(&node, &declare("q", true)), Some(404));
    let mut wire = client(&node);
    wire.declare_queue("q");
    reaches_in_all_lives(&mut node, wire, "");
}

fn reaches_in_all_lives(node: &mut Node, client: Wire, expected: &str) {
    restart(node, client, Signal::KILL);
    assert_eq!(reached(node), expected);
    for end in ENDS {
        node.restart(end);
        assert_eq!(reached(node), expected, "{end:?}");
    }
}

#[test]
fn the_arguments_of_a_queue_are_what_they_were() {
    for end in ENDS {
        let mut node = Node::start();
        let arguments = [("x-max-length", 3), ("x-message-ttl", 600_000)].into_iter().collect();
        let declaration = queue::Declare { arguments, ..declare("q", false) };
        let mut wire = client(&node);
        declare_as(&mut wire, &declaration);
        restart(&mut node, wire, end);
        assert_eq!(refusal(&node, &declaration), None, "{end:?}");
        assert_eq!(refusal(&node, &declare("q", false)), Some(406));
    }
}

#[test]
fn requeued_and_unacknowledged_messages_are_in_their_places() {
    for end in ENDS {
        let mut node = Node::start();
        let mut wire = client(&node);
        wire.declare_queue("q");
        for body in ["1", "2", "3", "4", "5", "6"] {
            publish(&mut wire, "", "q", body);
        }
        let tags = ["1", "2", "3", "4"].map(|body| hold(&mut wire, "q", body));
        // One stays out, one is settled, two are requeued.
        requeue(&mut wire, tags[3]);
        requeue(&mut wire, tags[1]);
        wire.send(1, &basic::Ack { delivery_tag: tags[2], multiple: false });
        publish(&mut wire, "", "q", "7");
        restart(&mut node, wire, end);
        let mut wire = client(&node);
        let is_kill = end == Signal::KILL;
        let expected = ["1", "2", "4", "5", "6", "7"]
            .map(|body| (body.to_owned(), is_kill || ["1", "2", "4"].contains(&body)));
        assert_eq!(take_all(&mut wire, "q"), expected, "{end:?}");
    }
}

#[test]
fn failures_are_counted_over_kills_and_stops() {
    let mut node = Node::start();
    let arguments = [("x-delivery-limit", 3)].into_iter().collect();
    let mut wire = client(&node);
    declare_as(&mut wire, &queue::Declare { arguments, ..declare("q", false) });
    publish(&mut wire, "", "q", "bad");
    publish(&mut wire, "", "q", "good");
    for end in [Signal::KILL, Signal::TERM, Signal::KILL] {
        let tag = hold(&mut wire, "q", "bad");
        requeue(&mut wire, tag);
        publish(&mut wire, "", "q", "behind");
        restart(&mut node, wire, end);
        wire = client(&node);
    }
    let tag = hold(&mut wire, "q", "bad");
    requeue(&mut wire, tag);
    assert_eq!(bodies(&mut wire, "q"), ["good", "behind", "behind", "behind"]);
}

/// Gets a message and keeps it. Gives its tag, and how often it says that it came back.
fn hold_counted(wire: &mut Wire, queue: &str) -> (u64, Option<i64>) {
    let tag = match request(wire, &basic::Get { queue, no_ack: false }).method() {
        Method::BasicGetOk(got) => got.delivery_tag,
        other => panic!("{other:?}"),
    };
    let header = wire.next_method();
    let content = ContentHeader::decode(&header.payload).expect("a header");
    let properties = Properties::decode(content.properties).expect("properties");
    let _body = wire.next_method();
    let headers = properties.headers.unwrap_or_default();
    assert_eq!(headers.get("x-delivery-count"), None, "a nack is no failure");
    (tag, headers.get("x-acquired-count").and_then(FieldValue::as_integer))
}

#[test]
fn polite_returns_are_counted_over_kills_and_stops() {
    let mut node = Node::start();
    let mut wire = client(&node);
    let arguments = [("x-queue-type", "quorum")].into_iter().collect();
    declare_as(&mut wire, &queue::Declare { arguments, ..declare("q", false) });
    publish(&mut wire, "", "q", "a");
    let ends = [Signal::KILL, Signal::TERM, Signal::KILL];
    for (end, expected) in ends.into_iter().zip([None, Some(1), Some(2)]) {
        let (delivery_tag, count) = hold_counted(&mut wire, "q");
        assert_eq!(count, expected);
        wire.send(1, &basic::Nack { delivery_tag, multiple: false, requeue: true });
        publish(&mut wire, "", "q", "behind");
        restart(&mut node, wire, end);
        wire = client(&node);
    }
    assert_eq!(hold_counted(&mut wire, "q").1, Some(3));
    restart(&mut node, wire, Signal::KILL);
    let count = hold_counted(&mut client(&node), "q").1;
    assert_eq!(count, Some(3), "what is out at a kill did not come back");
}

#[test]
fn what_was_purged_or_acknowledged_before_a_confirm_is_gone_after_a_kill() {
    let mut node = Node::start();
    let mut wire = client(&node);
    for queue in ["purged", "taken"] {
        wire.declare_queue(queue);
        publish(&mut wire, "", queue, "first");
        publish(&mut wire, "", queue, "second");
    }
    let purge = queue::Purge { queue: "purged", nowait: false };
    assert!(matches!(request(&mut wire, &purge).method(), Method::QueuePurgeOk(_)));
    let tag = hold(&mut wire, "taken", "first");
    wire.send(1, &basic::Ack { delivery_tag: tag, multiple: false });
    publish(&mut wire, "", "purged", "third");
    publish(&mut wire, "", "taken", "third");
    restart(&mut node, wire, Signal::KILL);
    let mut wire = client(&node);
    assert_eq!(bodies(&mut wire, "purged"), ["third"]);
    assert_eq!(bodies(&mut wire, "taken"), ["second", "third"]);
}

#[test]
fn what_went_from_a_full_queue_stays_away_and_its_limit_holds_on() {
    for end in ENDS {
        let mut node = Node::start();
        let arguments: FieldTable = [("x-max-length", 3)].into_iter().collect();
        let declaration = queue::Declare { arguments, ..declare("q", false) };
        let mut wire = client(&node);
        declare_as(&mut wire, &declaration);
        ["a", "b", "c", "d"].iter().for_each(|body| publish(&mut wire, "", "q", body));
        restart(&mut node, wire, end);
        let mut wire = client(&node);
        publish(&mut wire, "", "q", "e");
        restart(&mut node, wire, end);
        assert_eq!(bodies(&mut client(&node), "q"), ["c", "d", "e"], "{end:?}");
    }
}

#[test]
fn messages_keep_their_priorities() {
    for end in ENDS {
        let mut node = Node::start();
        let mut wire = client(&node);
        let classic: FieldTable = [("x-max-priority", 10)].into_iter().collect();
        let quorum: FieldTable = [("x-queue-type", "quorum")].into_iter().collect();
        for (name, arguments) in [("classic", classic), ("quorum", quorum)] {
            declare_as(&mut wire, &queue::Declare { arguments, ..declare(name, false) });
            for (priority, body) in
                [(Some(1), "1"), (None, "none"), (Some(9), "9"), (Some(9), "9 too")]
            {
                let properties = Properties { priority, ..Properties::default() };
                publish_as(&mut wire, "", name, properties, body);
            }
        }
        restart(&mut node, wire, end);
        let mut wire = client(&node);
        let late = Properties { priority: Some(9), ..Properties::default() };
        publish_as(&mut wire, "", "classic", late, "9 at last");
        let expected = ["9", "9 too", "9 at last", "1", "none"];
        assert_eq!(bodies(&mut wire, "classic"), expected, "{end:?}");
        assert_eq!(bodies(&mut wire, "quorum"), ["9", "9 too", "none", "1"], "{end:?}");
    }
}

#[test]
fn times_go_on_while_the_node_is_down() {
    for end in ENDS {
        let mut node = Node::start();
        let mut wire = client(&node);
        let dead_letters = |mut arguments: FieldTable| {
            arguments.insert("x-dead-letter-exchange", "");
            arguments.insert("x-dead-letter-routing-key", "grave");
            arguments
        };
        let living = dead_letters([("x-message-ttl", 1500)].into_iter().collect());
        declare_as(&mut wire, &queue::Declare { arguments: living, ..declare("living", false) });
        let plain = dead_letters(FieldTable::new());
        declare_as(&mut wire, &queue::Declare { arguments: plain, ..declare("plain", false) });
        wire.declare_queue("grave");
        publish(&mut wire, "", "living", "late");
        publish_for(&mut wire, "plain", "60000", "early");
        publish_for(&mut wire, "plain", "1400", "late too");
        publish(&mut wire, "", "plain", "lasting");
        restart(&mut node, wire, end);
        std::thread::sleep(Duration::from_millis(1600));
        let mut wire = client(&node);
        publish(&mut wire, "", "living", "new");
        assert_eq!(bodies(&mut wire, "living"), ["new"], "{end:?}");
        assert_eq!(bodies(&mut wire, "plain"), ["early", "lasting"], "{end:?}");
        let mut dead = bodies(&mut wire, "grave");
        dead.sort();
        assert_eq!(dead, ["late", "late too"], "{end:?}");
    }
}

#[test]
fn what_waits_in_an_exchange_comes_in_its_time_in_a_later_life_and_once() {
    for end in ENDS {
        let mut node = Node::start();
        let mut wire = client(&node);
        let arguments = [("x-delayed-type", "direct")].into_iter().collect();
        declare_exchange_with(&mut wire, "later", "x-delayed-message", true, arguments);
        wire.declare_queue("q");
        bind(&mut wire, "q", "later", "key", FieldTable::new());
        for (body, delay) in [("late", 60_000), ("soon", 1500), ("first", 1)] {
            let headers = [("x-delay", delay)].into_iter().collect();
            publish_with(&mut wire, "later", "key", headers, body);
        }
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(bodies(&mut wire, "q"), ["first"], "{end:?}");
        publish(&mut wire, "", "q", "behind what went");
        restart(&mut node, wire, end);
        std::thread::sleep(Duration::from_millis(1600));
        let mut wire = client(&node);
        assert_eq!(bodies(&mut wire, "q"), ["behind what went", "soon"], "{end:?}");
    }
}

#[test]
fn equal_messages_are_known_in_a_later_life() {
    for end in ENDS {
        let mut node = Node::start();
        let mut wire = client(&node);
        let arguments = [("x-cache-size", 100)].into_iter().collect();
        declare_exchange_with(&mut wire, "once", "x-message-deduplication", true, arguments);
        wire.declare_queue("q");
        bind(&mut wire, "q", "once", "", FieldTable::new());
        let key = |key: &str| [("x-deduplication-header", key)].into_iter().collect();
        publish_with(&mut wire, "once", "", key("a"), "a");
        restart(&mut node, wire, end);
        let mut wire = client(&node);
        publish_with(&mut wire, "once", "", key("a"), "a again");
        publish_with(&mut wire, "once", "", key("b"), "b");
        assert_eq!(bodies(&mut wire, "q"), ["a", "b"], "{end:?}");
    }
}

#[test]
fn a_dead_letter_is_in_one_queue_or_the_other_and_its_death_is_told() {
    for end in ENDS {
        let mut node = Node::start();
        let mut wire = client(&node);
        let mut arguments = FieldTable::new();
        arguments.insert("x-dead-letter-exchange", "");
        arguments.insert("x-dead-letter-routing-key", "grave");
        declare_as(&mut wire, &queue::Declare { arguments, ..declare("q", false) });
        wire.declare_queue("grave");
        ["a", "b"].iter().for_each(|body| publish(&mut wire, "", "q", body));
        let delivery_tag = hold(&mut wire, "q", "a");
        wire.send(1, &basic::Nack { delivery_tag, multiple: false, requeue: false });
        // What was done before an answer is in the log before it.
        publish(&mut wire, "", "q", "c");
        restart(&mut node, wire, end);
        let mut wire = client(&node);
        assert_eq!(bodies(&mut wire, "q"), ["b", "c"], "{end:?}");
        wire.send(1, &basic::Get { queue: "grave", no_ack: true });
        assert!(matches!(wire.next_method().method(), Method::BasicGetOk(_)));
        let header = wire.next_method();
        let content = ContentHeader::decode(&header.payload).expect("a header");
        let properties = Properties::decode(content.properties).expect("properties");
        let headers = properties.headers.expect("headers");
        assert_eq!(headers.get("x-first-death-queue"), Some(&"q".into()));
    }
}

/// So many that transient messages go to the log with their neighbors.
#[test]
fn of_many_persistent_and_transient_messages_in_turns_the_persistent_ones_survive() {
    let mut node = Node::start();
    let mut wire = client(&node);
    wire.declare_queue("q");
    let mut bytes = Vec::new();
    for number in 0..4000 {
        let body = number.to_string();
        match number % 2 {
            0 => push_transient(&mut bytes, "", "q", body.as_bytes()),
            _ => push_persistent(&mut bytes, "", "q", body.as_bytes()),
        }
    }
    wire.write(&bytes);
    // When the last one is confirmed, all before it are on disk.
    while !matches!(wire.next_method().method(), Method::BasicAck(ack) if ack.delivery_tag == 4000)
    {
    }
    restart(&mut node, wire, Signal::KILL);
    let expected: Vec<String> = (1..4000).step_by(2).map(|number| number.to_string()).collect();
    assert_eq!(bodies(&mut client(&node), "q"), expected);
}

#[test]
fn an_unused_queue_expires_in_a_later_life_and_stays_away() {
    for end in ENDS {
        let mut node = Node::start();
        let arguments: FieldTable = [("x-expires", 1500)].into_iter().collect();
        let declaration = queue::Declare { arguments, ..declare("q", false) };
        let mut wire = client(&node);
        declare_as(&mut wire, &declaration);
        publish(&mut wire, "", "q", "a");
        restart(&mut node, wire, end);
        let mut wire = client(&node);
        assert_eq!(bodies(&mut wire, "q"), ["a"], "{end:?}: its time begins anew");
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(refusal(&node, &declare("q", true)), Some(404));
        // What is declared next is on disk behind what happened before.
        wire.declare_queue("other");
        restart(&mut node, wire, end);
        assert_eq!(refusal(&node, &declare("q", true)), Some(404), "{end:?}");
    }
}

/// Takes a message from one queue and puts it into another, in a transaction that stays open.
fn move_on(wire: &mut Wire, body: &str) {
    let delivery_tag = hold(wire, "from", body);
    let mut bytes = Vec::new();
    push_persistent(&mut bytes, "", "to", body.as_bytes());
    wire.write(&bytes);
    wire.send(1, &basic::Ack { delivery_tag, multiple: false });
}

#[test]
fn a_commit_keeps_publishes_and_acknowledgements_and_what_is_not_committed_is_not_there() {
    let mut node = Node::start();
    let mut publisher = client(&node);
    ["from", "to"].into_iter().for_each(|queue| publisher.declare_queue(queue));
    for body in ["1", "2"] {
        publish(&mut publisher, "", "from", body);
    }
    let mut wire = Wire::with_channel(node.process.address());
    assert!(matches!(request(&mut wire, &tx::Select {}).method(), Method::TxSelectOk(_)));
    move_on(&mut wire, "1");
    assert!(matches!(request(&mut wire, &tx::Commit {}).method(), Method::TxCommitOk(_)));
    move_on(&mut wire, "2");
    assert_eq!(wire.message_count("to"), 1, "all before this was carried out");
    restart(&mut node, wire, Signal::KILL);
    let mut wire = client(&node);
    assert_eq!(bodies(&mut wire, "from"), ["2"]);
    assert_eq!(bodies(&mut wire, "to"), ["1"]);
}
