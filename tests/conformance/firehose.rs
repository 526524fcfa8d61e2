//! The firehose: what goes to the trace exchange while a virtual host is traced. The operator
//! switches it on, so these scripts run in this process; what RabbitMQ tells is compared in
//! `tests/interop`.

use leveret::definitions::HostSettings;
use leveret::protocol::field::{FieldTable, FieldValue};
use leveret::protocol::methods::{basic, confirm, tx};
use leveret::protocol::properties::Properties;

use crate::client::Client;
use crate::plain;
use crate::received::Got;
use crate::script::{World, check_in_process};

const TRACE: &str = "amq.rabbitmq.trace";

fn trace(world: &World, is_traced: bool) {
    let settings = HostSettings { is_traced: Some(is_traced), ..HostSettings::default() };
    world.operate(|broker, _| broker.declare_virtual_host("/", settings));
}

/// A client whose queue `copies` has all copies, and another queue.
fn traced(world: &World) -> (Client, String, String) {
    trace(world, true);
    let mut client = world.client();
    let copies = client.new_bound(world, "copies", TRACE, "#");
    let name = client.new_queue(world, "q");
    (client, copies, name)
}

/// The keys of the copies since.
fn keys(client: &mut Client, copies: &str) -> Vec<String> {
    std::iter::from_fn(|| client.get(1, copies, true)).map(|got| key(&got)).collect()
}

fn key(got: &Got) -> String {
    got.method.routing_key.to_owned()
}

fn headers(got: &Got) -> FieldTable {
    got.content.properties.headers.clone().expect("headers")
}

fn texts(texts: &[&str]) -> FieldValue {
    FieldValue::Array(texts.iter().map(|text| (*text).into()).collect())
}

// Rule: rabbitmq.firehose.publish
#[test]
fn a_published_message_is_told_with_where_it_went() {
    check_in_process(|world| {
        let (mut client, copies, name) = traced(world);
        let properties = Properties { priority: Some(3), ..Properties::default() };
        client.publish_with(1, &plain::publish("", &name), &properties, b"body");
        let got = client.get(1, &copies, true).expect("a copy");
        assert_eq!((key(&got), got.content.text()), ("publish.".to_owned(), "body"));
        assert_eq!(got.method.exchange, TRACE);
        let told: FieldTable = [("priority", 3)].into_iter().collect();
        let expected: [(&str, FieldValue); 9] = [
            ("exchange_name", "".into()),
            ("routing_keys", texts(&[&name])),
            ("properties", told.into()),
            ("node", "leveret@localhost".into()),
            ("vhost", "/".into()),
            ("connection", "in process".into()),
            ("channel", 1.into()),
            ("user", "guest".into()),
            ("routed_queues", texts(&[&name])),
        ];
        assert_eq!(headers(&got), expected.into_iter().collect());
        client.publish(1, "amq.direct", "nowhere", b"lost");
        let got = client.get(1, &copies, true).expect("a copy");
        assert_eq!(key(&got), "publish.amq.direct");
        assert_eq!(headers(&got).get("routed_queues"), Some(&texts(&[])));
    });
}

// Rule: rabbitmq.firehose.deliver
#[test]
fn a_message_is_told_each_time_it_goes_out() {
    check_in_process(|world| {
        let (mut client, copies, name) = traced(world);
        client.fill(&name, &["body"]);
        let got = client.get(1, &name, false).expect("a message");
        client.send(1, &basic::Reject { delivery_tag: got.method.delivery_tag, requeue: true });
        client.consume(1, &basic::Consume { no_ack: true, ..plain::consume(&name, "tag") });
        client.expect_delivery(1);
        let deliver = format!("deliver.{name}");
        let copied: Vec<Got> = std::iter::from_fn(|| client.get(1, &copies, true)).collect();
        assert_eq!(copied.iter().map(key).collect::<Vec<_>>(), ["publish.", &deliver, &deliver]);
        let redelivered = copied.iter().map(|copy| headers(copy).get("redelivered").cloned());
        assert_eq!(redelivered.collect::<Vec<_>>(), [None, Some(0.into()), Some(1.into())]);
        assert!(copied.iter().all(|copy| copy.content.text() == "body"));
    });
}

// Rule: rabbitmq.firehose.publish
#[test]
fn publishes_of_a_transaction_are_told_when_they_come() {
    check_in_process(|world| {
        let (mut client, copies, name) = traced(world);
        client.open_channel(2);
        client.send(2, &tx::Select {});
        client.expect(2, &tx::SelectOk {});
        client.publish(2, "", &name, b"1");
        client.expect_nothing(2);
        assert_eq!(keys(&mut client, &copies), ["publish."]);
        client.send(2, &tx::Commit {});
        client.expect(2, &tx::CommitOk {});
        client.publish(2, "", &name, b"2");
        client.send(2, &tx::Rollback {});
        client.expect(2, &tx::RollbackOk {});
        assert_eq!(keys(&mut client, &copies), ["publish."]);
        assert_eq!(client.message_count(1, &name), 1);
    });
}

// Rule: rabbitmq.firehose.publish
#[test]
fn a_dead_letter_is_told_as_delivered_and_not_as_published() {
    check_in_process(|world| {
        let (mut client, copies, name) = traced(world);
        let arguments: [(&str, FieldValue); 2] =
            [("x-dead-letter-exchange", "".into()), ("x-dead-letter-routing-key", "".into())];
        let mut arguments: FieldTable = arguments.into_iter().collect();
        arguments.set("x-dead-letter-routing-key", name.as_str());
        let dying = client.new_queue_with(world, "dying", arguments);
        client.fill(&dying, &["body"]);
        let got = client.get(1, &dying, false).expect("a message");
        client.send(1, &basic::Reject { delivery_tag: got.method.delivery_tag, requeue: false });
        client.get(1, &name, true).expect("a dead letter");
        let (first, second) = (format!("deliver.{dying}"), format!("deliver.{name}"));
        assert_eq!(keys(&mut client, &copies), ["publish.", &first, &second]);
    });
}

// Rule: rabbitmq.firehose.publish
#[test]
fn a_direct_reply_is_told_as_published_to_no_queue() {
    check_in_process(|world| {
        let (mut client, copies, name) = traced(world);
        let replies =
            basic::Consume { no_ack: true, ..plain::consume("amq.rabbitmq.reply-to", "r") };
        client.consume(1, &replies);
        let reply_to = Some("amq.rabbitmq.reply-to".into());
        let properties = Properties { reply_to, ..Properties::default() };
        client.publish_with(1, &plain::publish("", &name), &properties, b"question");
        let got = client.get(1, &name, true).expect("a question");
        let address = got.content.properties.reply_to.expect("an address");
        client.publish(1, "", &address, b"answer");
        client.expect_delivery(1);
        let copied: Vec<Got> = std::iter::from_fn(|| client.get(1, &copies, true)).collect();
        let deliver = format!("deliver.{name}");
        assert_eq!(copied.iter().map(key).collect::<Vec<_>>(), ["publish.", &deliver, "publish."]);
        let Some(FieldValue::Table(told)) = headers(&copied[0]).get("properties").cloned() else {
            panic!("{copied:?}")
        };
        assert_eq!(told.get("reply_to"), Some(&(*address).into()));
        assert_eq!(headers(&copied[2]).get("routed_queues"), Some(&texts(&[])));
    });
}

// Rule: rabbitmq.firehose.switch
#[test]
fn nothing_is_told_while_it_is_switched_off_nor_of_copies() {
    check_in_process(|world| {
        let (mut client, copies, name) = traced(world);
        client.fill(&name, &["1"]);
        assert_eq!(keys(&mut client, &copies), ["publish."]);
        assert_eq!(keys(&mut client, &copies), Vec::<String>::new(), "of the get of a copy");
        trace(world, false);
        client.fill(&name, &["2"]);
        client.get(1, &name, true).expect("a message");
        assert_eq!(keys(&mut client, &copies), Vec::<String>::new());
    });
}

// Rule: rabbitmq.firehose.switch
#[test]
fn what_is_confirmed_waits_for_no_copy() {
    check_in_process(|world| {
        let (mut client, copies, name) = traced(world);
        client.perform(&confirm::Select { nowait: false });
        client.fill(&name, &["1", "2"]);
        client.expect_confirms(1, 1..=2);
        client.expect_message_count(1, &copies, 2);
    });
}
