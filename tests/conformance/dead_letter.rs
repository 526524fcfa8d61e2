//! Messages that die in a queue and go to its dead-letter exchange: which do, where they come to,
//! and what their headers tell. Time as a reason is in `message_ttl`, the arguments themselves are
//! in `queue_arguments`.

use leveret::protocol::field::{FieldTable, FieldValue};
use leveret::protocol::methods::{Method, basic, confirm, exchange, queue};
use leveret::protocol::properties::Properties;

use crate::client::Client;
use crate::plain;
use crate::received::{Content, Delivery};
use crate::script::{World, check};
use crate::steps::arguments;

/// A queue for dead letters, and somebody who reads it.
struct Grave {
    name: String,
    client: Client,
}

impl Grave {
    fn new(world: &World, word: &str) -> Self {
        let mut client = world.client();
        let name = client.new_queue(world, word);
        client.consume(1, &basic::Consume { no_ack: true, ..plain::consume(&name, "grave") });
        Self { name, client }
    }

    fn next(&mut self) -> Delivery {
        self.client.expect_delivery(1)
    }

    fn texts(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.next().content.text().to_owned()).collect()
    }
}

/// Arguments of a queue whose dead letters go to this one.
fn dying_into(queue: &str) -> FieldTable {
    let exchange = ("x-dead-letter-exchange", "".into());
    arguments([exchange, ("x-dead-letter-routing-key", queue.into())])
}

/// The same of one that holds only so many.
fn short(queue: &str, count: i32) -> FieldTable {
    let mut arguments = dying_into(queue);
    arguments.insert("x-max-length", count);
    arguments
}

/// A queue whose dead letters keep their keys and go to this exchange.
fn dying_through(exchange: &str) -> FieldTable {
    arguments([("x-dead-letter-exchange", exchange.into())])
}

fn keys(keys: &[&str]) -> FieldValue {
    FieldValue::Array(keys.iter().map(|key| (*key).into()).collect())
}

fn with_headers(headers: FieldTable) -> Properties {
    Properties { headers: Some(headers), ..Properties::default() }
}

/// Publishes to a queue, with properties.
fn publish(client: &mut Client, queue: &str, properties: &Properties, text: &str) {
    client.publish_with(1, &plain::publish("", queue), properties, text.as_bytes());
}

/// Fetches the next message, and refuses it for good.
fn reject_next(client: &mut Client, queue: &str) {
    let got = client.get(1, queue, false).expect("a message");
    client.send(1, &plain::nack(got.method.delivery_tag));
}

fn header(content: &Content, name: &str) -> Option<FieldValue> {
    content.properties.headers.as_ref()?.get(name).cloned()
}

fn history(content: &Content) -> Vec<FieldTable> {
    let Some(FieldValue::Array(deaths)) = header(content, "x-death") else {
        panic!("{:?}", content.properties)
    };
    let tables = deaths.into_iter().map(|death| match death {
        FieldValue::Table(table) => table,
        other => panic!("{other:?}"),
    });
    tables.collect()
}

/// Count, queue and reason of every death, the latest first.
fn deaths(content: &Content) -> Vec<(i64, String, String)> {
    let told = |table: FieldTable| {
        let text = |name| table.get(name).and_then(FieldValue::as_str).expect(name).to_owned();
        let count = table.get("count").and_then(FieldValue::as_integer).expect("a count");
        (count, text("queue"), text("reason"))
    };
    history(content).into_iter().map(told).collect()
}

fn told(count: i64, queue: &str, reason: &str) -> (i64, String, String) {
    (count, queue.to_owned(), reason.to_owned())
}

#[test]
fn a_rejected_message_comes_with_its_history() {
    check(|world| {
        let (mut client, mut grave) = (world.client(), Grave::new(world, "dead"));
        let name = client.new_queue_with(world, "q", dying_into(&grave.name));
        let properties = Properties {
            message_id: Some("m".into()),
            delivery_mode: Some(2),
            headers: Some(arguments([("mine", 1.into())])),
            ..Properties::default()
        };
        publish(&mut client, &name, &properties, "a");
        reject_next(&mut client, &name);
        let Delivery { method, content } = grave.next();
        assert_eq!((method.exchange, method.routing_key), ("", &*grave.name));
        assert_eq!((content.text(), method.redelivered), ("a", false));
        let kept = (content.properties.message_id.as_deref(), content.properties.delivery_mode);
        assert_eq!(kept, (Some("m"), Some(2)));
        assert_eq!(header(&content, "mine"), Some(1.into()));
        let [death] = &history(&content)[..] else { panic!("{:?}", content.properties) };
        let names: Vec<String> = death.iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(names, ["count", "reason", "queue", "time", "exchange", "routing-keys"]);
        assert_eq!(death.get("count"), Some(&FieldValue::I64(1)));
        assert_eq!(death.get("exchange"), Some(&"".into()));
        assert_eq!(death.get("routing-keys"), Some(&keys(&[&name])));
        assert!(matches!(death.get("time"), Some(FieldValue::Timestamp(time)) if *time > 0));
        for (field, value) in [("reason", "rejected"), ("queue", &*name), ("exchange", "")] {
            let first = header(&content, &format!("x-first-death-{field}"));
            assert_eq!(first, Some(value.into()), "{field}");
        }
    });
}

#[test]
fn the_latest_death_is_told_in_headers_of_its_own() {
    check(|world| {
        let (mut client, mut grave) = (world.client(), Grave::new(world, "dead"));
        let second = client.new_queue_with(world, "second", dying_into(&grave.name));
        let first = client.new_queue_with(world, "first", short(&second, 0));
        client.fill_confirmed(&first, &["a"]);
        client.expect_message_count(1, &second, 1);
        reject_next(&mut client, &second);
        let content = grave.next().content;
        assert_eq!(header(&content, "x-first-death-reason"), Some("maxlen".into()));
        assert_eq!(header(&content, "x-first-death-queue"), Some((&*first).into()));
        for (field, value) in [("reason", "rejected"), ("queue", &*second), ("exchange", "")] {
            let last = header(&content, &format!("x-last-death-{field}"));
            assert_eq!(last, Some(value.into()), "{field}");
        }
    });
}

#[test]
fn rejected_at_once_they_come_in_their_order() {
    check(|world| {
        let (mut client, mut grave) = (world.client(), Grave::new(world, "dead"));
        let name = client.new_queue_with(world, "q", dying_into(&grave.name));
        client.fill_confirmed(&name, &["a", "b", "c", "d"]);
        client.consume(1, &plain::consume(&name, "c"));
        let tags: Vec<u64> = (0..4).map(|_| client.delivered(1).1).collect();
        client.send(1, &basic::Nack { multiple: true, ..plain::nack(tags[2]) });
        client.send(1, &basic::Reject { delivery_tag: tags[3], requeue: false });
        assert_eq!(grave.texts(4), ["a", "b", "c", "d"]);
    });
}

#[test]
fn what_is_put_back_or_lost_or_purged_or_deleted_does_not_die() {
    check(|world| {
        let (mut client, mut grave) = (world.client(), Grave::new(world, "dead"));
        let name = client.new_queue_with(world, "q", dying_into(&grave.name));
        client.fill_confirmed(&name, &["a", "b"]);
        let tag = client.get(1, &name, false).expect("a message").method.delivery_tag;
        client.send(1, &basic::Nack { requeue: true, ..plain::nack(tag) });
        let mut worker = world.client();
        worker.consume(1, &plain::consume(&name, "c"));
        assert_eq!(worker.delivered(1).0, "a");
        worker.hang_up();
        client.expect_message_count(1, &name, 2);
        client.perform(&plain::queue_purge(&name));
        client.fill_confirmed(&name, &["c"]);
        client.perform(&plain::queue_delete(&name));
        grave.client.expect_silence();
    });
}

#[test]
fn what_a_full_queue_lets_go_comes_in_its_order() {
    check(|world| {
        let (mut client, mut grave) = (world.client(), Grave::new(world, "dead"));
        let name = client.new_queue_with(world, "q", short(&grave.name, 2));
        client.fill_confirmed(&name, &["a", "b", "c", "d", "e"]);
        assert_eq!(grave.texts(2), ["a", "b"]);
        let last = grave.next().content;
        assert_eq!((last.text(), deaths(&last)), ("c", vec![told(1, &name, "maxlen")]));
        assert_eq!(client.drain(&name), ["d", "e"]);
    });
}

#[test]
fn what_a_full_queue_refuses_comes_only_where_that_is_asked_for() {
    check(|world| {
        let (mut client, mut grave) = (world.client(), Grave::new(world, "dead"));
        client.perform(&confirm::Select { nowait: false });
        for (word, number) in [("reject-publish", 1), ("reject-publish-dlx", 3)] {
            let mut arguments = short(&grave.name, 1);
            arguments.insert("x-overflow", word);
            let name = client.new_queue_with(world, word, arguments);
            client.fill(&name, &["kept"]);
            client.expect_confirms(1, number..=number);
            client.fill(&name, &[word]);
            let method = client.expect_method(1);
            let Method::BasicNack(nack) = method else { panic!("{method:?}") };
            assert_eq!(nack.delivery_tag, number + 1);
            assert_eq!(client.drain(&name), ["kept"]);
        }
        let content = grave.next().content;
        assert_eq!(content.text(), "reject-publish-dlx");
        assert_eq!(deaths(&content)[0].2, "maxlen");
        grave.client.expect_silence();
    });
}

#[test]
fn a_dead_letter_keeps_its_keys_where_the_queue_has_none_for_it() {
    check(|world| {
        let (mut client, mut grave) = (world.client(), Grave::new(world, "dead"));
        let exchange = client.new_exchange(world, "dlx", "direct");
        let name = client.new_queue_with(world, "q", dying_through(&exchange));
        let carbon = Grave::new(world, "carbon");
        client.bind(&grave.name, &exchange, &name);
        client.bind(&carbon.name, &exchange, "copy");
        let headers = arguments([("CC", keys(&["copy"]))]);
        publish(&mut client, &name, &with_headers(headers), "a");
        reject_next(&mut client, &name);
        let first = grave.next();
        assert_eq!((first.method.exchange, first.method.routing_key), (&*exchange, &*name));
        assert_eq!(header(&first.content, "CC"), Some(keys(&["copy"])));
        let mut carbon = carbon;
        let death = &history(&carbon.next().content)[0];
        assert_eq!(death.get("routing-keys"), Some(&keys(&[&name, "copy"])));
    });
}

#[test]
fn a_key_of_the_queues_own_takes_the_place_of_all_others() {
    check(|world| {
        let (mut client, mut grave) = (world.client(), Grave::new(world, "dead"));
        let name = client.new_queue_with(world, "q", dying_into(&grave.name));
        let mut copy = Grave::new(world, "copy");
        let headers = arguments([("CC", keys(&[&copy.name])), ("mine", 1.into())]);
        publish(&mut client, &name, &with_headers(headers), "a");
        assert_eq!(copy.next().content.text(), "a");
        reject_next(&mut client, &name);
        let content = grave.next().content;
        assert_eq!((header(&content, "CC"), header(&content, "mine")), (None, Some(1.into())));
        let death = &history(&content)[0];
        assert_eq!(death.get("routing-keys"), Some(&keys(&[&name, &copy.name])));
        copy.client.expect_silence();
    });
}

#[test]
fn a_blind_copy_is_told_to_nobody() {
    check(|world| {
        let (mut client, mut grave) = (world.client(), Grave::new(world, "dead"));
        let name = client.new_queue_with(world, "q", dying_into(&grave.name));
        let headers = arguments([("BCC", keys(&[&name])), ("mine", 1.into())]);
        publish(&mut client, "nowhere", &with_headers(headers), "a");
        reject_next(&mut client, &name);
        let content = grave.next().content;
        assert_eq!(header(&content, "BCC"), None);
        let death = &history(&content)[0];
        assert_eq!(death.get("routing-keys"), Some(&keys(&["nowhere"])));
    });
}

#[test]
fn a_blind_copy_takes_a_dead_letter_nowhere() {
    check(|world| {
        let (mut client, mut grave) = (world.client(), Grave::new(world, "dead"));
        let mut blind = Grave::new(world, "blind");
        let exchange = client.new_exchange(world, "dlx", "direct");
        let name = client.new_queue_with(world, "q", dying_through(&exchange));
        client.bind(&grave.name, &exchange, "nowhere");
        client.bind(&blind.name, &exchange, &name);
        let headers = arguments([("BCC", keys(&[&name]))]);
        publish(&mut client, "nowhere", &with_headers(headers), "a");
        reject_next(&mut client, &name);
        assert_eq!(grave.texts(1), ["a"]);
        blind.client.expect_silence();
    });
}

#[test]
fn bindings_of_every_kind_and_alternate_exchanges_take_dead_letters() {
    check(|world| {
        let (mut client, mut grave) = (world.client(), Grave::new(world, "dead"));
        let mut stray = Grave::new(world, "stray");
        let other = client.new_exchange(world, "other", "fanout");
        client.bind(&stray.name, &other, "");
        let alternate = arguments([("alternate-exchange", (&*other).into())]);
        let exchange = client.new_exchange_with(world, "dlx", "topic", alternate);
        client.bind(&grave.name, &exchange, "dead.*");
        for (word, key) in [("bound", "dead.a"), ("lost", "lost.a")] {
            let mut arguments = dying_through(&exchange);
            arguments.insert("x-dead-letter-routing-key", key);
            let name = client.new_queue_with(world, word, arguments);
            client.fill_confirmed(&name, &[word]);
            reject_next(&mut client, &name);
        }
        assert_eq!(grave.texts(1), ["bound"]);
        assert_eq!(stray.texts(1), ["lost"]);
    });
}

#[test]
fn an_exchange_that_is_not_there_loses_dead_letters_until_it_is() {
    check(|world| {
        let (mut client, mut grave) = (world.client(), Grave::new(world, "dead"));
        let exchange = world.name("dlx");
        let name = client.new_queue_with(world, "q", dying_through(&exchange));
        client.fill_confirmed(&name, &["a", "b"]);
        reject_next(&mut client, &name);
        client.expect_message_count(1, &name, 1);
        client.perform(&plain::exchange_declare(&exchange, "fanout"));
        client.bind(&grave.name, &exchange, "");
        reject_next(&mut client, &name);
        assert_eq!(grave.texts(1), ["b"]);
        client.perform(&exchange::Delete { ..plain::exchange_delete(&exchange) });
        client.fill_confirmed(&name, &["c"]);
        reject_next(&mut client, &name);
        grave.client.expect_silence();
    });
}

#[test]
fn the_expiration_is_taken_off_and_remembered() {
    check(|world| {
        let (mut client, mut grave) = (world.client(), Grave::new(world, "dead"));
        let name = client.new_queue_with(world, "q", dying_into(&grave.name));
        let expiring = Properties { expiration: Some("6000000".into()), ..Properties::default() };
        publish(&mut client, &name, &expiring, "a");
        reject_next(&mut client, &name);
        let content = grave.next().content;
        assert_eq!(content.properties.expiration, None);
        let death = &history(&content)[0];
        assert_eq!(death.get("original-expiration"), Some(&"6000000".into()));
    });
}

#[test]
fn who_rejects_again_and_again_is_counted() {
    check(|world| {
        let mut client = world.client();
        let (work, retry) = (world.name("work"), world.name("retry"));
        for (name, next) in [(&work, &retry), (&retry, &work)] {
            let arguments = dying_into(next);
            client.perform(&queue::Declare { arguments, ..plain::queue_declare(name) });
        }
        client.fill_confirmed(&work, &["a"]);
        for _ in 0..2 {
            client.expect_message_count(1, &work, 1);
            reject_next(&mut client, &work);
            client.expect_message_count(1, &retry, 1);
            reject_next(&mut client, &retry);
        }
        client.expect_message_count(1, &work, 1);
        let content = client.get(1, &work, true).expect("a message").content;
        let expected = [told(2, &retry, "rejected"), told(2, &work, "rejected")];
        assert_eq!(deaths(&content), expected);
        assert_eq!(header(&content, "x-first-death-queue"), Some((&*work).into()));
    });
}

#[test]
fn what_would_go_round_by_itself_is_dropped() {
    check(|world| {
        let mut client = world.client();
        let own = world.name("own");
        let arguments = short(&own, 1);
        client.perform(&queue::Declare { arguments, ..plain::queue_declare(&own) });
        client.fill_confirmed(&own, &["a", "b", "c"]);
        client.expect_message_count(1, &own, 1);
        assert_eq!(client.drain(&own), ["c"]);

        let (one, two) = (world.name("one"), world.name("two"));
        for (name, next) in [(&one, &two), (&two, &one)] {
            let arguments = short(next, 0);
            client.perform(&queue::Declare { arguments, ..plain::queue_declare(name) });
        }
        client.fill_confirmed(&one, &["a"]);
        client.expect_message_count(1, &one, 0);
        client.expect_message_count(1, &two, 0);
    });
}

#[test]
fn a_message_that_was_rejected_on_the_way_may_come_back() {
    check(|world| {
        let mut client = world.client();
        let (work, parked) = (world.name("work"), world.name("parked"));
        let arguments = dying_into(&parked);
        client.perform(&queue::Declare { arguments, ..plain::queue_declare(&work) });
        let arguments = short(&work, 1);
        client.perform(&queue::Declare { arguments, ..plain::queue_declare(&parked) });
        client.fill_confirmed(&work, &["a"]);
        reject_next(&mut client, &work);
        client.expect_message_count(1, &parked, 1);
        client.fill_confirmed(&parked, &["b"]);
        client.expect_message_count(1, &work, 1);
        let content = client.get(1, &work, true).expect("a message").content;
        let expected = [told(1, &parked, "maxlen"), told(1, &work, "rejected")];
        assert_eq!(deaths(&content), expected);
    });
}

#[test]
fn a_history_that_the_publisher_sends_is_carried_on() {
    check(|world| {
        let (mut client, mut grave) = (world.client(), Grave::new(world, "dead"));
        let name = client.new_queue_with(world, "q", dying_into(&grave.name));
        let death = |queue: &str, count: i64| {
            FieldValue::Table(arguments([
                ("count", count.into()),
                ("reason", "rejected".into()),
                ("queue", queue.into()),
                ("time", FieldValue::Timestamp(7)),
                ("exchange", "there".into()),
                ("routing-keys", keys(&["k"])),
            ]))
        };
        let sent = FieldValue::Array(vec![death("another", 3), death(&name, 7)]);
        publish(&mut client, &name, &with_headers(arguments([("x-death", sent)])), "a");
        reject_next(&mut client, &name);
        let content = grave.next().content;
        let expected = [told(8, &name, "rejected"), told(3, "another", "rejected")];
        assert_eq!(deaths(&content), expected);
        let latest = &history(&content)[0];
        assert_eq!(latest.get("time"), Some(&FieldValue::Timestamp(7)), "that of the first");
        assert_eq!(latest.get("exchange"), Some(&"there".into()));
    });
}

#[test]
fn a_malformed_history_is_replaced() {
    check(|world| {
        let (mut client, mut grave) = (world.client(), Grave::new(world, "dead"));
        let name = client.new_queue_with(world, "q", dying_into(&grave.name));
        let sent = arguments([("x-death", "nonsense".into())]);
        publish(&mut client, &name, &with_headers(sent), "a");
        reject_next(&mut client, &name);
        assert_eq!(deaths(&grave.next().content), [told(1, &name, "rejected")]);
    });
}

#[test]
fn a_delivery_that_failed_too_often_is_a_death() {
    check(|world| {
        let (mut client, mut grave) = (world.client(), Grave::new(world, "dead"));
        let name = world.name("q");
        let mut arguments = dying_into(&grave.name);
        arguments.insert("x-queue-type", "quorum");
        arguments.insert("x-delivery-limit", 1);
        let declare = queue::Declare { durable: true, arguments, ..plain::queue_declare(&name) };
        client.perform(&declare);
        client.fill_confirmed(&name, &["a"]);
        client.consume(1, &plain::consume(&name, "c"));
        for _ in 0..2 {
            let (text, delivery_tag, _) = client.delivered(1);
            assert_eq!(text, "a");
            client.send(1, &basic::Reject { delivery_tag, requeue: true });
        }
        assert_eq!(deaths(&grave.next().content), [told(1, &name, "delivery_limit")]);
        client.perform(&plain::cancel("c"));
        client.perform(&plain::queue_delete(&name));
    });
}
