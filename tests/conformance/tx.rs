//! Transactions: what waits for tx.commit, what tx.rollback forgets, and what is refused at once.

use leveret::protocol::methods::{basic, tx};
use leveret::protocol::properties::Properties;

use crate::client::Client;
use crate::plain;
use crate::script::{World, check};
use crate::steps::{no_exchange, unknown_delivery_tag};

const NOT_TRANSACTIONAL: &str = "PRECONDITION_FAILED - channel is not transactional";

/// A client with channel 1 in a transaction, channel 2 beside it, and a queue.
fn transacting(world: &World) -> (Client, String) {
    let mut client = world.client();
    client.open_channel(2);
    let name = client.new_queue(world, "q");
    client.perform(&tx::Select {});
    (client, name)
}

/// What a channel without a transaction finds in the queue, once all that was sent is dealt with.
fn seen_outside(client: &mut Client, name: &str) -> Option<String> {
    client.expect_nothing(1);
    client.get(2, name, true).map(|got| got.content.text().to_owned())
}

// Rule: tx.commit.transacted, tx.rollback.transacted
#[test]
fn only_a_channel_in_a_transaction_commits_or_rolls_back() {
    check(|world| {
        let mut client = world.client();
        client.refuse(&tx::Commit {}, 406, NOT_TRANSACTIONAL);
        client.refuse(&tx::Rollback {}, 406, NOT_TRANSACTIONAL);
        client.perform(&tx::Select {});
        client.perform(&tx::Select {});
        client.perform(&tx::Commit {});
        client.perform(&tx::Commit {});
        client.perform(&tx::Rollback {});
        client.perform(&tx::Rollback {});
    });
}

// Rule: rabbitmq.tx.commit
#[test]
fn publishes_are_seen_from_the_commit_on() {
    check(|world| {
        let (mut client, name) = transacting(world);
        client.fill(&name, &["1", "2"]);
        assert_eq!(seen_outside(&mut client, &name), None);
        client.perform(&tx::Commit {});
        assert_eq!(client.message_count(2, &name), 2);
        client.fill(&name, &["3"]);
        assert_eq!(seen_outside(&mut client, &name), Some("1".to_owned()));
        client.perform(&tx::Commit {});
        assert_eq!(client.drain(&name), ["2", "3"]);
    });
}

// Rule: rabbitmq.tx.commit
#[test]
fn acks_take_effect_at_the_commit() {
    check(|world| {
        let (mut client, name) = transacting(world);
        client.fill(&name, &["1", "2"]);
        client.perform(&tx::Commit {});
        client.perform(&basic::Qos { prefetch_size: 0, prefetch_count: 1, global: false });
        client.perform(&plain::consume(&name, "t"));
        assert_eq!(client.delivered(1), ("1".to_owned(), 1, false));
        client.send(1, &plain::ack(1));
        client.expect_silence();
        client.send(1, &tx::Commit {});
        // The answer, and the three frames of what the ack lets through; no matter which is first.
        assert_eq!(client.read_until_silence().len(), 4);
        client.close_channel(1);
        let got = client.get(2, &name, true).expect("a message");
        assert_eq!((got.content.text(), got.method.redelivered), ("2", true));
        assert!(client.get(2, &name, true).is_none());
    });
}

// Rule: rabbitmq.tx.commit
#[test]
fn rejects_take_effect_at_the_commit() {
    check(|world| {
        let (mut client, name) = transacting(world);
        client.fill(&name, &["1"]);
        client.perform(&tx::Commit {});
        client.fetch(&name);
        client.send(1, &basic::Reject { delivery_tag: 1, requeue: true });
        assert_eq!(seen_outside(&mut client, &name), None);
        client.perform(&tx::Commit {});
        assert_eq!(client.fetch(&name), ("1".to_owned(), true));
    });
}

// Rule: rabbitmq.tx.commit
#[test]
fn a_mandatory_message_comes_back_at_the_commit_and_before_its_answer() {
    check(|world| {
        let (mut client, _) = transacting(world);
        let missing = world.name("missing");
        let publish = basic::Publish { mandatory: true, ..plain::publish("", &missing) };
        client.publish_with(1, &publish, &Properties::default(), b"nowhere");
        client.expect_nothing(1);
        client.send(1, &tx::Commit {});
        assert_eq!(client.expect_return(1).content.text(), "nowhere");
        client.expect(1, &tx::CommitOk {});
    });
}

// Rule: rabbitmq.tx.commit
#[test]
fn messages_go_where_the_bindings_led_when_they_were_published() {
    check(|world| {
        let (mut client, name) = transacting(world);
        let exchange = client.new_exchange(world, "x", "direct");
        client.bind(&name, &exchange, "k");
        client.publish(1, &exchange, "k", b"bound");
        client.perform(&plain::queue_unbind(&name, &exchange, "k"));
        client.publish(1, &exchange, "k", b"unbound");
        client.perform(&tx::Commit {});
        assert_eq!(client.drain(&name), ["bound"]);
    });
}

// Rule: rabbitmq.tx.rollback
#[test]
fn a_rollback_drops_publishes_and_forgets_acks_and_delivers_nothing() {
    check(|world| {
        let (mut client, name) = transacting(world);
        client.fill(&name, &["1"]);
        client.perform(&tx::Commit {});
        client.perform(&plain::consume(&name, "t"));
        assert_eq!(client.delivered(1), ("1".to_owned(), 1, false));
        client.send(1, &plain::ack(1));
        client.fill(&name, &["dropped"]);
        client.perform(&tx::Rollback {});
        client.expect_silence();
        assert_eq!(seen_outside(&mut client, &name), None);
        client.send(1, &plain::ack(1));
        client.perform(&tx::Commit {});
        client.close_channel(1);
        assert!(client.get(2, &name, true).is_none());
    });
}

// Rule: rabbitmq.tx.rollback
#[test]
fn a_channel_closed_before_the_commit_gives_its_messages_back() {
    check(|world| {
        let (mut client, name) = transacting(world);
        client.fill(&name, &["1"]);
        client.perform(&tx::Commit {});
        client.fetch(&name);
        client.send(1, &plain::ack(1));
        client.fill(&name, &["dropped"]);
        client.close_channel(1);
        let got = client.get(2, &name, true).expect("a message");
        assert_eq!((got.content.text(), got.method.redelivered), ("1", true));
        assert!(client.get(2, &name, true).is_none());
    });
}

// Rule: rabbitmq.tx.missing-exchange
#[test]
fn a_missing_exchange_closes_the_channel_before_any_commit() {
    check(|world| {
        let (mut client, name) = transacting(world);
        let missing = world.name("missing");
        client.fill(&name, &["dropped"]);
        let publish = plain::publish(&missing, "k");
        let properties = Properties::default();
        client.refuse_publish(&publish, &properties, 404, &no_exchange(&missing));
        assert!(client.drain(&name).is_empty());
    });
}

// Rule: basic.ack.multiple.exists
#[test]
fn an_unknown_tag_is_refused_before_any_commit() {
    check(|world| {
        let (mut client, name) = transacting(world);
        client.refuse(&plain::ack(9), 406, &unknown_delivery_tag(9));
        client.perform(&tx::Select {});
        client.fill(&name, &["1"]);
        client.perform(&tx::Commit {});
        client.fetch(&name);
        client.send(1, &plain::ack(1));
        client.refuse(&plain::ack(1), 406, &unknown_delivery_tag(1));
        assert_eq!(client.fetch(&name), ("1".to_owned(), true));
    });
}
