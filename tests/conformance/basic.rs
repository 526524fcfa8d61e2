//! Messages one by one: publish and its refusals, return, get, and every way to settle. Consumers
//! are in `consume`, confirms in `confirm`, properties as bytes in `properties`.

use leveret::protocol::methods::{WireMethod, basic};
use leveret::protocol::properties::Properties;

use crate::client::Client;
use crate::expect::starts;
use crate::plain;
use crate::script::{World, check};
use crate::steps::unknown_delivery_tag;

fn reject(delivery_tag: u64, requeue: bool) -> basic::Reject {
    basic::Reject { delivery_tag, requeue }
}

fn nack(delivery_tag: u64, multiple: bool, requeue: bool) -> basic::Nack {
    basic::Nack { delivery_tag, multiple, requeue }
}

fn text(text: &str, redelivered: bool) -> (String, bool) {
    (text.to_owned(), redelivered)
}

impl Client {
    /// Sends an ack, a nack or a reject of a tag that is not out.
    fn refuse_settling<M: WireMethod>(&mut self, method: &M, tag: u64) {
        self.refuse(method, 406, &unknown_delivery_tag(tag));
    }
}

// Rule: basic.publish.mandatory.flag, rabbitmq.reply-text
#[test]
fn a_mandatory_message_that_reaches_no_queue_comes_back_whole() {
    check(|world| {
        let mut client = world.client();
        let missing = world.name("missing");
        let properties = Properties {
            content_type: Some("text/plain".into()),
            headers: Some([("a", 1)].into_iter().collect()),
            correlation_id: Some("c".into()),
            ..Properties::default()
        };
        let publish = plain::publish("", &missing);
        client.publish_with(1, &publish, &properties, b"not wanted back");
        client.expect_nothing(1);
        let mandatory = basic::Publish { mandatory: true, ..publish };
        client.publish_with(1, &mandatory, &properties, b"wanted back");
        let returned = client.expect_return(1);
        let expected = basic::Return {
            reply_code: 312,
            reply_text: "NO_ROUTE",
            exchange: "",
            routing_key: &missing,
        };
        assert_eq!(returned.method, expected);
        assert_eq!(returned.content.properties, properties);
        assert_eq!(returned.content.text(), "wanted back");
        let empty = Properties::default();
        client.publish_with(1, &mandatory, &empty, b"");
        assert!(client.expect_return(1).content.body.is_empty());
    });
}

// Rule: basic.publish.immediate.flag, rabbitmq.basic.publish.immediate
#[test]
fn an_immediate_message_is_refused() {
    check(|world| {
        let mut client = world.client();
        let publish = basic::Publish { immediate: true, ..plain::publish("", "q") };
        client.publish_with(1, &publish, &Properties::default(), b"now");
        client.expect_connection_close(540, "NOT_IMPLEMENTED - immediate=true", (60, 40));
    });
}

// Rule: rabbitmq.basic.publish.user-id
#[test]
fn a_message_names_the_user_that_publishes_or_none() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        let of = |user: &str| Properties { user_id: Some(user.into()), ..Properties::default() };
        let publish = plain::publish("", &name);
        client.publish_with(1, &publish, &of("guest"), b"mine");
        let text = "PRECONDITION_FAILED - user_id property set to 'bob' but authenticated user was \
                    'guest'";
        client.refuse_publish(&publish, &of("bob"), 406, text);
        assert_eq!(client.drain(&name), ["mine"]);
    });
}

// Rule: rabbitmq.basic.publish.expiration
#[test]
fn an_expiration_is_a_number_of_milliseconds() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        let of = |text: &str| Properties { expiration: Some(text.into()), ..Properties::default() };
        let publish = plain::publish("", &name);
        for (expiration, reason) in [
            ("bob", "no_integer"),
            ("", "no_integer"),
            ("-1", "{value_negative,-1}"),
            ("1 ", "{leftover_string,\" \"}"),
            ("1.5", "{leftover_string,\".5\"}"),
            ("315360000001", "{value_too_large,315360000001}"),
        ] {
            let text = format!("PRECONDITION_FAILED - invalid expiration '{expiration}': {reason}");
            client.refuse_publish(&publish, &of(expiration), 406, &text);
        }
        for expiration in ["600000", "315360000000"] {
            client.publish_with(1, &publish, &of(expiration), expiration.as_bytes());
        }
        assert_eq!(client.drain(&name), ["600000", "315360000000"]);
    });
}

// Rule: rabbitmq.basic.get
#[test]
fn a_get_tells_how_many_messages_are_left() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.fill_confirmed(&name, &["1", "2", "3"]);
        let got = client.get(1, &name, false).expect("a message");
        let expected = basic::GetOk {
            delivery_tag: 1,
            redelivered: false,
            exchange: "",
            routing_key: &name,
            message_count: 2,
        };
        assert_eq!(got.method, expected);
        assert_eq!(got.content.text(), "1");
        client.perform(&plain::queue_purge(&name));
        client.send(1, &basic::Get { queue: &name, no_ack: false });
        client.expect(1, &basic::GetEmpty {});
    });
}

// Rule: rabbitmq.basic.get
#[test]
fn what_was_got_without_ack_is_settled() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.fill(&name, &["1"]);
        assert!(client.get(1, &name, true).is_some());
        client.send(1, &plain::ack(1));
        client.expect_channel_close(1, 406, &unknown_delivery_tag(1), (60, 80));
        client.open_channel(1);
        assert!(client.drain(&name).is_empty());
    });
}

// Rule: domain.delivery-tag.channel-local
#[test]
fn a_delivery_tag_means_nothing_on_another_channel() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.fill(&name, &["1"]);
        client.fetch(&name);
        client.open_channel(2);
        client.send(2, &plain::ack(1));
        client.expect_channel_close(2, 406, &unknown_delivery_tag(1), (60, 80));
        client.send(1, &plain::ack(1));
        client.expect_nothing(1);
        client.open_channel(2);
        assert!(client.get(2, &name, true).is_none());
    });
}

// Rule: basic.ack.multiple.exists
#[test]
fn a_delivery_is_acknowledged_once() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.fill(&name, &["1", "2"]);
        client.fetch(&name);
        client.send(1, &plain::ack(1));
        client.refuse_settling(&plain::ack(1), 1);
        client.refuse_settling(&plain::ack(0), 0);
        client.refuse_settling(&plain::ack(7), 7);
        client.refuse_settling(&basic::Ack { delivery_tag: 5, multiple: true }, 5);
        client.fetch(&name);
        client.send(1, &basic::Ack { delivery_tag: 1, multiple: true });
        client.refuse_settling(&basic::Ack { delivery_tag: 1, multiple: true }, 1);
        assert!(client.drain(&name).is_empty());
    });
}

// Rule: basic.nack.multiple.exists
#[test]
fn a_delivery_is_rejected_once() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.fill(&name, &["1", "2", "3"]);
        client.fetch(&name);
        client.send(1, &nack(1, false, false));
        client.refuse_settling(&nack(1, false, false), 1);
        client.fetch(&name);
        client.send(1, &plain::ack(1));
        client.refuse_settling(&nack(1, false, true), 1);
        client.fetch(&name);
        client.send(1, &reject(1, false));
        client.refuse_settling(&reject(1, true), 1);
        client.refuse_settling(&reject(7, false), 7);
        client.refuse_settling(&nack(7, false, false), 7);
        client.refuse_settling(&nack(5, true, true), 5);
        assert!(client.drain(&name).is_empty());
    });
}

// Rule: basic.ack.multiple.exists
#[test]
fn an_ack_of_many_settles_all_up_to_its_tag() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.fill(&name, &["1", "2", "3", "4"]);
        (0..4).for_each(|_| drop(client.fetch(&name)));
        client.send(1, &plain::ack(2));
        client.send(1, &basic::Ack { delivery_tag: 3, multiple: true });
        client.perform(&basic::Recover { requeue: true });
        assert_eq!(client.fetch(&name), text("4", true));
        assert!(client.drain(&name).is_empty());
    });
}

// Rule: rabbitmq.basic.nack.tag-zero
#[test]
fn tag_zero_with_multiple_is_everything_outstanding_even_if_nothing_is() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.fill(&name, &["1", "2"]);
        client.fetch(&name);
        client.fetch(&name);
        client.send(1, &nack(0, true, true));
        assert_eq!(client.fetch(&name), text("1", true));
        assert_eq!(client.fetch(&name), text("2", true));
        let all = basic::Ack { delivery_tag: 0, multiple: true };
        client.send(1, &all);
        client.send(1, &all);
        client.send(1, &nack(0, true, true));
        client.expect_nothing(1);
        assert!(client.drain(&name).is_empty());
        client.refuse_settling(&nack(0, false, true), 0);
    });
}

// Rule: basic.reject.unable
#[test]
fn a_rejected_message_comes_again_or_is_dropped() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.fill(&name, &["1"]);
        assert_eq!(client.fetch(&name), text("1", false));
        client.send(1, &reject(1, true));
        assert_eq!(client.fetch(&name), text("1", true));
        client.send(1, &reject(2, false));
        assert!(client.drain(&name).is_empty());
    });
}

// Rule: basic.nack.unable
#[test]
fn nacked_messages_come_again_in_their_order_or_are_dropped() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.fill(&name, &["1", "2", "3"]);
        (0..3).for_each(|_| drop(client.fetch(&name)));
        client.send(1, &nack(3, true, true));
        for expected in ["1", "2", "3"] {
            assert_eq!(client.fetch(&name), text(expected, true));
        }
        client.send(1, &nack(6, true, false));
        assert!(client.drain(&name).is_empty());
    });
}

// Rule: rabbitmq.basic.nack.requeue-position
#[test]
fn nack_with_requeue_keeps_the_original_position() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.fill(&name, &["1", "2", "3", "4", "5"]);
        (0..4).for_each(|_| drop(client.fetch(&name)));
        client.send(1, &nack(2, false, true));
        client.send(1, &nack(1, false, true));
        client.send(1, &nack(4, false, true));
        for expected in ["1", "2"] {
            assert_eq!(client.fetch(&name), text(expected, true));
        }
        client.send(1, &reject(3, true));
        assert_eq!(client.fetch(&name), text("3", true));
        assert_eq!(client.fetch(&name), text("4", true));
        assert_eq!(client.fetch(&name), text("5", false));
    });
}

// Rule: rabbitmq.basic.reject.same-consumer
#[test]
fn a_requeued_message_comes_back_to_the_only_consumer() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.perform(&plain::consume(&name, "t"));
        client.fill(&name, &["1"]);
        assert_eq!(client.delivered(1), ("1".to_owned(), 1, false));
        client.send(1, &reject(1, true));
        assert_eq!(client.delivered(1), ("1".to_owned(), 2, true));
        client.send(1, &nack(2, false, true));
        assert_eq!(client.delivered(1), ("1".to_owned(), 3, true));
    });
}

/// Two clients consume with a prefetch of one; the first gives its message back.
fn offer_to_another(world: &World, give_back: impl FnOnce(&mut Client)) {
    let (mut first, mut second) = (world.client(), world.client());
    let name = first.new_queue(world, "q");
    for client in [&mut first, &mut second] {
        client.perform(&basic::Qos { prefetch_size: 0, prefetch_count: 1, global: false });
        client.perform(&plain::consume(&name, "t"));
    }
    first.fill(&name, &["1"]);
    assert_eq!(first.delivered(1), ("1".to_owned(), 1, false));
    give_back(&mut first);
    assert_eq!(second.delivered(1), ("1".to_owned(), 1, true));
    first.expect_silence();
}

// Rule: basic.reject.requeue.other-client
#[test]
fn a_rejected_message_is_offered_to_another_client() {
    check(|world| offer_to_another(world, |client| client.send(1, &reject(1, true))));
}

// Rule: basic.nack.requeue.other-client
#[test]
fn a_nacked_message_is_offered_to_another_client() {
    check(|world| offer_to_another(world, |client| client.send(1, &nack(1, false, true))));
}

/// A client takes a small message and leaves a large one unread; it ends its consumer and gives the
/// small one back, and another client gets it.
fn give_back_while_sending(world: &World, give_back: impl FnOnce(&mut Client)) {
    let (mut slow, mut other) = (world.client(), world.client());
    let name = slow.new_queue(world, "q");
    slow.perform(&plain::consume(&name, "t"));
    let large = vec![b'x'; 4 << 20];
    other.fill(&name, &["small"]);
    other.publish(1, "", &name, &large);
    assert_eq!(slow.delivered(1), ("small".to_owned(), 1, false));
    other.perform(&plain::consume(&name, "t"));
    slow.send(1, &basic::Cancel { nowait: true, ..plain::cancel("t") });
    give_back(&mut slow);
    assert_eq!(other.delivered(1), ("small".to_owned(), 1, true));
    let delivery = slow.expect_delivery(1);
    assert_eq!(delivery.method.delivery_tag, 2);
    assert!(delivery.content.body == large);
}

// Rule: basic.reject.while-sending
#[test]
fn a_reject_is_acted_on_while_a_message_is_on_its_way() {
    check(|world| give_back_while_sending(world, |client| client.send(1, &reject(1, true))));
}

// Rule: basic.nack.while-sending
#[test]
fn a_nack_is_acted_on_while_a_message_is_on_its_way() {
    check(|world| give_back_while_sending(world, |client| client.send(1, &nack(1, false, true))));
}

// Rule: basic.recover.redelivered
#[test]
fn recover_delivers_again_what_is_unsettled_after_its_answer() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.perform(&plain::consume(&name, "t"));
        client.fill(&name, &["1", "2"]);
        assert_eq!(client.delivered(1), ("1".to_owned(), 1, false));
        assert_eq!(client.delivered(1), ("2".to_owned(), 2, false));
        client.send(1, &basic::Recover { requeue: true });
        client.expect(1, &basic::RecoverOk {});
        assert_eq!(client.delivered(1), ("1".to_owned(), 3, true));
        assert_eq!(client.delivered(1), ("2".to_owned(), 4, true));
    });
}

// Rule: basic.recover-async.redelivered
#[test]
fn recover_async_delivers_again_without_an_answer() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.perform(&plain::consume(&name, "t"));
        client.fill(&name, &["1", "2"]);
        assert_eq!(client.delivered(1), ("1".to_owned(), 1, false));
        assert_eq!(client.delivered(1), ("2".to_owned(), 2, false));
        client.send(1, &basic::RecoverAsync { requeue: true });
        assert_eq!(client.delivered(1), ("1".to_owned(), 3, true));
        assert_eq!(client.delivered(1), ("2".to_owned(), 4, true));
        client.expect_silence();
    });
}

// Rule: rabbitmq.basic.recover.requeue-only
#[test]
fn recover_without_requeue_is_refused() {
    check(|world| {
        let text = "NOT_IMPLEMENTED - requeue=false";
        let mut client = world.client();
        client.send(1, &basic::Recover { requeue: false });
        client.expect_connection_close(540, text, (60, 110));
        let mut client = world.client();
        client.send(1, &basic::RecoverAsync { requeue: false });
        client.expect_connection_close(540, text, (60, 100));
    });
}

// Rule: basic.no-ack
#[test]
fn a_closed_channel_gives_back_what_it_held_in_order() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.open_channel(2);
        client.fill_confirmed(&name, &["1", "2", "3"]);
        for no_ack in [false, true, false] {
            assert!(client.get(2, &name, no_ack).is_some());
        }
        client.close_channel(2);
        assert_eq!(client.fetch(&name), text("1", true));
        assert_eq!(client.fetch(&name), text("3", true));
        assert!(client.drain(&name).is_empty());
    });
}

// Rule: rabbitmq.basic.publish.expiration, rabbitmq.basic.publish.user-id
#[test]
fn a_refused_publish_hides_nothing_that_was_published_before() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue(world, "q");
        client.fill(&name, &["1"]);
        let bad = Properties { expiration: Some("soon".into()), ..Properties::default() };
        client.publish_with(1, &plain::publish("", &name), &bad, b"2");
        client.fill(&name, &["3"]);
        let text = starts("PRECONDITION_FAILED - invalid expiration 'soon': ");
        client.expect_channel_close(1, 406, text, (60, 40));
        client.open_channel(1);
        assert_eq!(client.drain(&name), ["1"]);
    });
}
