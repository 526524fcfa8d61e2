//! Publisher confirms: which publishes are acknowledged, when, and with which numbers; and that no
//! amount of messages is dropped or slowed down by channel.flow.

use std::collections::BTreeSet;

use leveret::protocol::frame::FrameKind;
use leveret::protocol::methods::{Method, basic, confirm, tx};
use leveret::protocol::properties::Properties;

use crate::client::Client;
use crate::plain;
use crate::script::check;
use crate::steps::no_exchange;

const SELECT: confirm::Select = confirm::Select { nowait: false };

// Rule: rabbitmq.confirm.numbering
#[test]
fn confirms_count_from_one_from_the_select_on() {
    check(|world| {
        let mut client = world.client();
        let (name, missing) = (client.new_queue(world, "q"), world.name("missing"));
        client.fill(&name, &["a", "b"]);
        client.perform(&SELECT);
        client.fill(&name, &["c"]);
        client.expect_confirms(1, 1..=1);
        client.fill(&missing, &["unroutable"]);
        client.expect_confirms(1, 2..=2);
        client.perform(&SELECT);
        client.fill(&name, &["d"]);
        client.expect_confirms(1, 3..=3);
        client.open_channel(2);
        client.send(2, &SELECT);
        client.expect(2, &confirm::SelectOk {});
        client.publish(2, "", &name, b"e");
        client.expect_confirms(2, 1..=1);
        assert_eq!(client.drain(&name), ["a", "b", "c", "d", "e"]);
    });
}

// Rule: confirm.all-messages
#[test]
fn every_publish_is_acknowledged_once_whether_routed_or_not() {
    check(|world| {
        let mut client = world.client();
        let (name, missing) = (client.new_queue(world, "q"), world.name("missing"));
        client.fill(&name, &["before", "before", "before"]);
        client.perform(&SELECT);
        for number in 0..100 {
            let queue = if number % 3 == 0 { &missing } else { &name };
            let properties =
                Properties { delivery_mode: Some(1 + number % 2), ..Properties::default() };
            client.publish_with(1, &plain::publish("", queue), &properties, b"after");
        }
        client.expect_confirms(1, 1..=100);
        client.expect_silence();
        assert_eq!(client.message_count(1, &name), 3 + 66);
    });
}

// Rule: confirm.all-queues
#[test]
fn an_acknowledged_message_is_in_every_queue_it_was_routed_to() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_exchange(world, "x", "fanout");
        let queues: Vec<String> =
            ["a", "b", "c"].iter().map(|word| client.new_bound(world, word, &name, "")).collect();
        client.perform(&SELECT);
        client.publish(1, &name, "", b"hello");
        client.expect_confirms(1, 1..=1);
        for queue in &queues {
            assert_eq!(client.message_count(1, queue), 1);
        }
    });
}

// Rule: confirm.unroutable
#[test]
fn an_unroutable_mandatory_message_comes_back_before_its_ack() {
    check(|world| {
        let mut client = world.client();
        let missing = world.name("missing");
        client.perform(&SELECT);
        for delivery_tag in 1..=2 {
            let returned = client.publish_in_vain("", &missing);
            assert_eq!(returned.content.text(), "in vain");
            client.expect(1, &basic::Ack { delivery_tag, multiple: false });
        }
    });
}

// Rule: rabbitmq.confirm.missing-exchange
#[test]
fn a_publish_that_closes_the_channel_is_not_confirmed() {
    check(|world| {
        let mut client = world.client();
        let missing = world.name("missing");
        client.perform(&SELECT);
        let publish = plain::publish(&missing, "k");
        let properties = Properties::default();
        client.refuse_publish(&publish, &properties, 404, &no_exchange(&missing));
        client.expect_silence();
    });
}

// Rule: rabbitmq.confirm.not-with-tx
#[test]
fn a_channel_confirms_or_transacts_but_not_both() {
    check(|world| {
        let mut client = world.client();
        client.perform(&tx::Select {});
        let text = "PRECONDITION_FAILED - cannot switch from tx to confirm mode";
        client.refuse(&SELECT, 406, text);
        client.perform(&SELECT);
        client.perform(&SELECT);
        let text = "PRECONDITION_FAILED - cannot switch from confirm to tx mode";
        client.refuse(&tx::Select {}, 406, text);
    });
}

// Rule: basic.publish.exchange.refusal
#[test]
fn no_exchange_refuses_content() {
    check(|world| {
        let mut client = world.client();
        client.perform(&SELECT);
        let large = vec![b'x'; 1 << 20];
        let full = Properties {
            content_type: Some("text/plain".into()),
            headers: Some([("a", 1)].into_iter().collect()),
            delivery_mode: Some(2),
            priority: Some(9),
            expiration: Some("1000".into()),
            user_id: Some("guest".into()),
            ..Properties::default()
        };
        let exchanges = ["amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match", ""];
        for exchange in exchanges {
            let publish = plain::publish(exchange, "nobody's");
            client.publish_with(1, &publish, &Properties::default(), b"");
            client.publish_with(1, &publish, &Properties::default(), &large);
            client.publish_with(1, &publish, &full, b"full");
        }
        client.expect_confirms(1, 1..=3 * exchanges.len() as u64);
    });
}

/// So many messages of these properties, published in confirm mode without looking, then
/// everything that came until all were acknowledged: acks and nothing else.
fn flood(client: &mut Client, queue: &str, count: u64, properties: impl Fn(u64) -> Properties) {
    client.perform(&SELECT);
    let publish = plain::publish("", queue);
    for number in 0..count {
        let body = format!("{number:0>100}");
        client.publish_with(1, &publish, &properties(number), body.as_bytes());
    }
    let mut waiting: BTreeSet<u64> = (1..=count).collect();
    while !waiting.is_empty() {
        let frame = client.next_frame();
        assert_eq!(frame.kind, FrameKind::Method, "{frame:?}");
        let Method::BasicAck(ack) = frame.method() else { panic!("{frame:?}") };
        if ack.multiple {
            waiting = waiting.split_off(&(ack.delivery_tag + 1));
        } else {
            waiting.remove(&ack.delivery_tag);
        }
    }
    assert_eq!(u64::from(client.message_count(1, queue)), count);
    client.perform(&basic::Consume { no_ack: true, ..plain::consume(queue, "t") });
    for number in 0..count {
        assert_eq!(client.delivered(1).0, format!("{number:0>100}"));
    }
    client.perform(&plain::cancel("t"));
}

const FLOOD: u64 = 20_000;

// Rule: basic.overflow-persistent, basic.overflow-flow
#[test]
fn no_persistent_message_is_lost_or_held_up_in_a_long_queue() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        flood(&mut client, &name, FLOOD, |_| Properties {
            delivery_mode: Some(2),
            ..Properties::default()
        });
    });
}

// Rule: basic.overflow-discard, basic.overflow-flow
#[test]
fn no_transient_message_of_any_priority_is_dropped_unasked() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        flood(&mut client, &name, FLOOD, |number| Properties {
            delivery_mode: Some(1),
            priority: u8::try_from(number % 10).ok(),
            ..Properties::default()
        });
    });
}
