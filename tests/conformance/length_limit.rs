//! Queues with a limit on their length: which messages go, which are refused and how the publisher
//! hears of it. The arguments themselves are in `queue_arguments`.

use std::collections::BTreeSet;

use leveret::protocol::field::{FieldTable, FieldValue};
use leveret::protocol::methods::{Method, basic, confirm, queue, tx};

use crate::client::Client;
use crate::plain;
use crate::script::check;
use crate::steps::arguments;

fn of_length(count: i32) -> FieldTable {
    arguments([("x-max-length", count.into())])
}

fn refusing(count: i32) -> FieldTable {
    let overflow = FieldValue::from("reject-publish");
    arguments([("x-max-length", count.into()), ("x-overflow", overflow)])
}

fn select(client: &mut Client) {
    client.perform(&confirm::Select { nowait: false });
}

/// Of the publishes with numbers from 1 to `count` on channel 1, those that were nacked; each of
/// the others was acked once.
fn nacked(client: &mut Client, count: u64) -> Vec<u64> {
    let (mut waiting, mut nacked): (BTreeSet<u64>, Vec<u64>) = ((1..=count).collect(), Vec::new());
    while !waiting.is_empty() {
        let (tag, multiple, is_nack) = match client.expect_method(1) {
            Method::BasicAck(ack) => (ack.delivery_tag, ack.multiple, false),
            Method::BasicNack(nack) => (nack.delivery_tag, nack.multiple, true),
            other => panic!("{other:?}"),
        };
        let told: Vec<u64> = match multiple {
            true => waiting.range(..=tag).copied().collect(),
            false => waiting.get(&tag).copied().into_iter().collect(),
        };
        assert!(!told.is_empty(), "{tag} tells nothing new");
        waiting.retain(|number| !told.contains(number));
        nacked.extend(told.into_iter().filter(|_| is_nack));
    }
    nacked.sort_unstable();
    nacked
}

#[test]
fn a_full_queue_lets_its_oldest_messages_go() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue_with(world, "q", of_length(3));
        client.fill_confirmed(&name, &["a", "b", "c", "d", "e"]);
        client.expect_message_count(1, &name, 3);
        assert_eq!(client.drain(&name), ["c", "d", "e"]);
    });
}

#[test]
fn bytes_of_bodies_are_limited_and_the_stricter_limit_holds() {
    check(|world| {
        let mut client = world.client();
        let limits = arguments([("x-max-length", 3.into()), ("x-max-length-bytes", 10.into())]);
        let name = client.new_queue_with(world, "q", limits);
        client.fill_confirmed(&name, &["1", "2", "3", "4"]);
        client.expect_message_count(1, &name, 3);
        client.fill_confirmed(&name, &["12345678"]);
        assert_eq!(client.drain(&name), ["3", "4", "12345678"]);
        client.fill_confirmed(&name, &["1234", "12345678"]);
        assert_eq!(client.drain(&name), ["12345678"]);
        client.fill_confirmed(&name, &["1", "too long for it"]);
        assert_eq!(client.drain(&name), [""; 0], "what is longer than the limit goes as well");
    });
}

#[test]
fn a_queue_of_no_length_passes_on_what_a_consumer_waits_for() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue_with(world, "q", of_length(0));
        client.fill_confirmed(&name, &["nobody waits"]);
        client.expect_message_count(1, &name, 0);
        client.consume(1, &plain::consume(&name, "c"));
        client.fill(&name, &["a"]);
        assert_eq!(client.delivered(1).0, "a");
    });
}

#[test]
fn what_is_out_does_not_count_until_it_comes_back() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue_with(world, "q", of_length(2));
        client.fill_confirmed(&name, &["a", "b"]);
        let tags = ["a", "b"].map(|text| {
            let got = client.get(1, &name, false).expect("a message");
            assert_eq!(got.content.text(), text);
            got.method.delivery_tag
        });
        client.fill_confirmed(&name, &["c", "d"]);
        client.expect_message_count(1, &name, 2);
        client.send(1, &basic::Nack { delivery_tag: tags[1], multiple: false, requeue: true });
        client.expect_message_count(1, &name, 2);
        assert_eq!(client.drain(&name), ["c", "d"], "the oldest was the one that came back");
    });
}

#[test]
fn a_refusing_queue_nacks_what_it_has_no_room_for_and_keeps_the_oldest() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue_with(world, "q", refusing(2));
        select(&mut client);
        client.fill(&name, &["a", "b", "c", "d"]);
        assert_eq!(nacked(&mut client, 4), [3, 4]);
        assert_eq!(client.drain(&name), ["a", "b"]);
        client.fill(&name, &["e"]);
        client.expect_confirms(1, 5..=5);
        assert_eq!(client.drain(&name), ["e"]);
    });
}

#[test]
fn a_refusing_queue_takes_a_short_message_after_one_that_is_too_long() {
    check(|world| {
        let mut client = world.client();
        let overflow = FieldValue::from("reject-publish");
        let limits = arguments([("x-max-length-bytes", 10.into()), ("x-overflow", overflow)]);
        let name = client.new_queue_with(world, "q", limits);
        select(&mut client);
        client.fill(&name, &["12345678", "12345678", "12", "1"]);
        assert_eq!(nacked(&mut client, 4), [2, 4]);
        assert_eq!(client.drain(&name), ["12345678", "12"]);
    });
}

#[test]
fn without_confirms_what_is_refused_is_silently_dropped() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue_with(world, "q", refusing(1));
        client.fill(&name, &["a", "b"]);
        client.expect_message_count(1, &name, 1);
        assert_eq!(client.drain(&name), ["a"]);
    });
}

#[test]
fn a_transaction_with_a_message_that_is_refused_fails_and_keeps_the_others() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue_with(world, "q", refusing(1));
        client.perform(&tx::Select {});
        client.fill(&name, &["a", "b"]);
        client.refuse(&tx::Commit {}, 406, "PRECONDITION_FAILED - partial tx completion");
        assert_eq!(client.drain(&name), ["a"]);
    });
}

#[test]
fn a_message_that_one_of_its_queues_refuses_is_nacked_and_stays_in_the_others() {
    check(|world| {
        let mut client = world.client();
        let exchange = client.new_exchange(world, "x", "fanout");
        let full = client.new_queue_with(world, "full", refusing(1));
        let also_full = client.new_queue_with(world, "also", refusing(1));
        client.bind(&full, &exchange, "");
        client.bind(&also_full, &exchange, "");
        let free = client.new_bound(world, "free", &exchange, "");
        select(&mut client);
        for text in ["a", "b", "c"] {
            client.publish(1, &exchange, "", text.as_bytes());
        }
        assert_eq!(nacked(&mut client, 3), [2, 3]);
        client.expect_silence();
        assert_eq!(client.drain(&free), ["a", "b", "c"]);
        assert_eq!(
            (client.drain(&full), client.drain(&also_full)),
            (vec!["a".into()], vec!["a".into()])
        );
    });
}

#[test]
fn what_a_consumer_takes_at_once_makes_room_in_a_refusing_queue() {
    check(|world| {
        let (mut client, mut worker) = (world.client(), world.client());
        let name = client.new_queue_with(world, "q", refusing(1));
        worker.perform(&basic::Qos { prefetch_size: 0, prefetch_count: 2, global: false });
        worker.consume(1, &plain::consume(&name, "c"));
        select(&mut client);
        client.fill(&name, &["a", "b", "c", "d"]);
        assert_eq!(nacked(&mut client, 4), [4]);
        assert_eq!((worker.delivered(1).0, worker.delivered(1).0), ("a".into(), "b".into()));
    });
}

#[test]
fn a_queue_of_quorum_type_is_limited_as_well() {
    check(|world| {
        let mut client = world.client();
        let name = world.name("q");
        let mut limits = of_length(2);
        limits.insert("x-queue-type", "quorum");
        let declare =
            queue::Declare { durable: true, arguments: limits, ..plain::queue_declare(&name) };
        client.perform(&declare);
        client.fill_confirmed(&name, &["a", "b", "c"]);
        assert_eq!(client.drain(&name), ["b", "c"]);
        client.perform(&plain::queue_delete(&name));
    });
}
