//! Where exchanges of each type send messages, as a client sees it; alternate exchanges, and the
//! headers CC and BCC. The exchanges as things are in `exchange`.

use leveret::protocol::field::{FieldTable, FieldValue};
use leveret::protocol::methods::{basic, exchange, queue};
use leveret::protocol::properties::Properties;

use crate::client::Client;
use crate::expect::starts;
use crate::plain;
use crate::script::{World, check};
use crate::steps::arguments;

fn with_headers(headers: FieldTable) -> Properties {
    Properties { headers: Some(headers), ..Properties::default() }
}

/// An array of long strings.
fn keys(keys: &[&str]) -> FieldValue {
    FieldValue::Array(keys.iter().map(|key| (*key).into()).collect())
}

/// Publishes each key as a text too, and gives what arrived.
fn routed(client: &mut Client, exchange: &str, queue: &str, keys: &[&str]) -> Vec<String> {
    for key in keys {
        client.publish(1, exchange, key, key.as_bytes());
    }
    client.drain(queue)
}

// Rule: exchange.required-types, queue.bind.routing-key.direct-exchange-key-matching
#[test]
fn a_direct_exchange_goes_by_the_exact_key() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_exchange(world, "x", "direct");
        let queue = client.new_bound(world, "q", &name, "K");
        let second = client.new_bound(world, "second", &name, "K");
        assert_eq!(routed(&mut client, &name, &queue, &["K", "k", "K.", "", "KK"]), ["K"]);
        assert_eq!(client.drain(&second), ["K"]);
        client.publish_in_vain(&name, "k");
    });
}

// Rule: exchange.required-types
#[test]
fn a_fanout_exchange_looks_at_no_key() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_exchange(world, "x", "fanout");
        let first = client.new_bound(world, "first", &name, "");
        let second = client.new_bound(world, "second", &name, "k");
        assert_eq!(routed(&mut client, &name, &first, &["a", "k"]), ["a", "k"]);
        assert_eq!(client.drain(&second), ["a", "k"]);
        client.perform(&plain::queue_unbind(&second, &name, ""));
        client.perform(&plain::queue_unbind(&second, &name, "k"));
        assert_eq!(routed(&mut client, &name, &first, &["b"]), ["b"]);
        assert!(client.drain(&second).is_empty());
    });
}

// Rule: exchange.recommended-types
#[test]
fn a_topic_exchange_goes_by_words() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_exchange(world, "x", "topic");
        let sent = ["", "a", "a.b", "a.b.c", "a..c", ".", "b.a", "a.", "A.b"];
        for (pattern, expected) in [
            ("a.*.#", &["a.b", "a.b.c", "a..c", "a."][..]),
            ("#", &sent[..]),
            ("*", &["a"]),
            ("a.#", &["a", "a.b", "a.b.c", "a..c", "a."]),
            ("#.a", &["a", "b.a"]),
            ("*.*", &["a.b", ".", "b.a", "a.", "A.b"]),
            ("a..c", &["a..c"]),
            ("#.#", &sent[..]),
            ("a.#.c", &["a.b.c", "a..c"]),
            ("", &[""]),
            ("a*", &[]),
        ] {
            let queue = client.new_bound(world, "q", &name, pattern);
            let mut arrived = routed(&mut client, &name, &queue, &sent);
            let mut expected = expected.to_vec();
            arrived.sort_unstable();
            expected.sort_unstable();
            assert_eq!(arrived, expected, "{pattern}");
            client.perform(&plain::queue_delete(&queue));
        }
    });
}

/// A queue bound to a headers exchange.
fn bound_by_headers(
    client: &mut Client,
    world: &World,
    exchange: &str,
    arguments: FieldTable,
) -> String {
    let queue = client.new_queue(world, "q");
    let bind = plain::queue_bind(&queue, exchange, "");
    client.perform(&queue::Bind { arguments, ..bind });
    queue
}

// Rule: exchange.recommended-types, rabbitmq.exchange.headers.x-match
#[test]
fn a_headers_exchange_goes_by_all_or_any_headers() {
    check(|world| {
        let mut client = world.client();
        let sent: [(&str, FieldTable); 6] = [
            ("none", FieldTable::new()),
            ("a", arguments([("a", 1.into())])),
            ("ab", arguments([("a", FieldValue::I64(1)), ("b", FieldValue::U8(2))])),
            ("wrong", arguments([("a", "1".into()), ("b", 3.into())])),
            ("x", arguments([("x-k", 1.into())])),
            ("abx", arguments([("a", 1.into()), ("b", 2.into()), ("x-k", 1.into())])),
        ];
        let all = |kind: &str| ("x-match", FieldValue::from(kind));
        let (a, b, x) = (("a", 1.into()), ("b", 2.into()), ("x-k", 1.into()));
        let everything = ["none", "a", "ab", "wrong", "x", "abx"];
        let cases: [(FieldTable, &[&str]); 11] = [
            (arguments([all("all"), a.clone(), b.clone()]), &["ab", "abx"]),
            (arguments([a.clone(), b.clone()]), &["ab", "abx"]),
            (arguments([all("any"), a.clone(), b.clone()]), &["a", "ab", "abx"]),
            (arguments([all("all"), x.clone()]), &everything),
            (arguments([all("any"), x.clone()]), &[]),
            (arguments([all("all-with-x"), x.clone()]), &["x", "abx"]),
            (arguments([all("any-with-x"), x.clone(), a.clone()]), &["a", "ab", "x", "abx"]),
            (arguments([all("all-with-x"), a.clone(), x]), &["abx"]),
            (arguments([all("all"), ("a", FieldValue::Void)]), &["a", "ab", "wrong", "abx"]),
            (arguments([all("all")]), &everything),
            (arguments([all("any")]), &[]),
        ];
        for (binding, expected) in cases {
            let name = client.new_exchange(world, "x", "headers");
            let queue = bound_by_headers(&mut client, world, &name, binding.clone());
            for (text, headers) in &sent {
                let properties = with_headers(headers.clone());
                let publish = plain::publish(&name, "ignored");
                client.publish_with(1, &publish, &properties, text.as_bytes());
            }
            assert_eq!(client.drain(&queue), expected, "{binding:?}");
            client.perform(&plain::exchange_delete(&name));
            client.perform(&plain::queue_delete(&queue));
        }
    });
}

// Rule: rabbitmq.exchange.headers.x-match
#[test]
fn a_headers_exchange_knows_an_absent_table_as_an_empty_one() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_exchange(world, "x", "headers");
        let matching = bound_by_headers(&mut client, world, &name, FieldTable::new());
        client.publish(1, &name, "", b"bare");
        assert_eq!(client.drain(&matching), ["bare"]);
    });
}

// Rule: rabbitmq.exchange.headers.x-match
#[test]
fn an_unknown_way_to_match_headers_is_refused() {
    check(|world| {
        let mut client = world.client();
        let queue = client.new_queue(world, "q");
        let arguments = arguments([("x-match", "foo".into())]);
        let bind = plain::queue_bind(&queue, "amq.headers", "");
        let bind = queue::Bind { arguments, ..bind };
        client.refuse(&bind, 406, starts("PRECONDITION_FAILED - Invalid x-match field value "));
    });
}

/// Declares an exchange with bound queues that are named by their binding keys.
fn spread(client: &mut Client, world: &World, kind: &str, keys: &[&str]) -> (String, Vec<String>) {
    let name = client.new_exchange(world, "x", kind);
    let queues = keys.iter().enumerate();
    let queues =
        queues.map(|(number, key)| client.new_bound(world, &format!("q{number}"), &name, key));
    let queues = queues.collect();
    (name, queues)
}

// Rule: exchange.extensions
#[test]
fn exchanges_of_further_types_can_be_declared() {
    check(|world| {
        let mut client = world.client();
        for kind in ["x-consistent-hash", "x-random", "x-modulus-hash", "x-recent-history"] {
            let name = client.new_exchange(world, kind, kind);
            client.expect_exchange(&name);
        }
    });
}

// Rule: rabbitmq.exchange.types.consistent-hash
#[test]
fn a_consistent_hash_sends_each_key_one_way_in_proportion_to_the_weights() {
    check(|world| {
        let mut client = world.client();
        let (name, queues) = spread(&mut client, world, "x-consistent-hash", &["1", "3"]);
        let keys: Vec<String> = (0..4000).map(|number| format!("key-{number}")).collect();
        let mut send = || {
            for key in &keys {
                client.publish(1, &name, key, key.as_bytes());
            }
            [client.drain(&queues[0]), client.drain(&queues[1])]
        };
        let first = send();
        assert_eq!(first, send());
        assert_eq!(first[0].len() + first[1].len(), 4000);
        assert!((800..=1200).contains(&first[0].len()), "{}", first[0].len());
    });
}

// Rule: rabbitmq.exchange.types.consistent-hash
#[test]
fn a_consistent_hash_can_be_taken_of_a_header_or_a_property() {
    check(|world| {
        let mut client = world.client();
        let by = [("hash-header", "h"), ("hash-property", "correlation_id")];
        for (argument, value) in by {
            let arguments = arguments([(argument, value.into())]);
            let name = client.new_exchange_with(world, "x", "x-consistent-hash", arguments);
            let first = client.new_bound(world, "first", &name, "1");
            let second = client.new_bound(world, "second", &name, "1");
            for number in 0..200 {
                let properties = Properties {
                    headers: Some([("h", "same")].into_iter().collect()),
                    correlation_id: Some("same".into()),
                    ..Properties::default()
                };
                let key = format!("key-{number}");
                client.publish_with(1, &plain::publish(&name, &key), &properties, b"");
            }
            let mut counts = [client.drain(&first).len(), client.drain(&second).len()];
            counts.sort_unstable();
            assert_eq!(counts, [0, 200], "{argument}");
            client.perform(&plain::exchange_delete(&name));
            client.perform(&plain::queue_delete(&first));
            client.perform(&plain::queue_delete(&second));
        }
    });
}

// Rule: rabbitmq.exchange.types.consistent-hash
#[test]
fn a_consistent_hash_refuses_what_is_no_weight_and_two_subjects() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_exchange(world, "x", "x-consistent-hash");
        let queue = client.new_queue(world, "q");
        for weight in ["abc", "", "0", "-1"] {
            let bind = plain::queue_bind(&queue, &name, weight);
            client.refuse(&bind, 406, starts("PRECONDITION_FAILED - "));
        }
        let arguments =
            arguments([("hash-header", "h".into()), ("hash-property", "message_id".into())]);
        let other = world.name("other");
        let declare = plain::exchange_declare(&other, "x-consistent-hash");
        let declare = exchange::Declare { arguments, ..declare };
        client.refuse(&declare, 406, starts("PRECONDITION_FAILED - "));
    });
}

// Rule: rabbitmq.exchange.types.consistent-hash
#[test]
fn a_consistent_hash_refuses_a_weight_over_ten_thousand() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_exchange(world, "x", "x-consistent-hash");
        let queue = client.new_queue(world, "q");
        let bind = plain::queue_bind(&queue, &name, "10001");
        client.refuse(&bind, 406, starts("PRECONDITION_FAILED - "));
        client.perform(&plain::queue_bind(&queue, &name, "10000"));
    });
}

/// Publishes to three queues through an exchange that picks one of them by chance.
fn publish_by_chance(world: &World, kind: &str) {
    let mut client = world.client();
    let (name, queues) = spread(&mut client, world, kind, &["", "", ""]);
    for _ in 0..300 {
        client.publish(1, &name, "ignored", b"");
    }
    let counts: Vec<usize> = queues.iter().map(|queue| client.drain(queue).len()).collect();
    assert_eq!(counts.iter().sum::<usize>(), 300, "{counts:?}");
    assert!(counts.iter().all(|count| *count > 30), "{counts:?}");
}

// Rule: rabbitmq.exchange.types.random
#[test]
fn a_random_exchange_picks_one_queue_for_each_message() {
    check(|world| publish_by_chance(world, "x-random"));
}

// Rule: rabbitmq.exchange.types.random
#[test]
fn a_local_random_exchange_picks_one_queue_for_each_message() {
    check(|world| publish_by_chance(world, "x-local-random"));
}

// Rule: rabbitmq.exchange.types.random
#[test]
fn a_local_random_exchange_takes_no_binding_key() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_exchange(world, "x", "x-local-random");
        let queue = client.new_queue(world, "q");
        let bind = plain::queue_bind(&queue, &name, "k");
        client.refuse(&bind, 406, starts("PRECONDITION_FAILED - "));
    });
}

// Rule: rabbitmq.exchange.types.modulus-hash
#[test]
fn a_modulus_hash_sends_equal_keys_to_one_queue() {
    check(|world| {
        let mut client = world.client();
        let (name, queues) = spread(&mut client, world, "x-modulus-hash", &["a", "b", "c"]);
        for _ in 0..2 {
            for number in 0..300 {
                client.publish(1, &name, &format!("key-{number}"), b"");
            }
        }
        let counts: Vec<usize> = queues.iter().map(|q| client.drain(q).len()).collect();
        assert_eq!(counts.iter().sum::<usize>(), 600, "{counts:?}");
        assert!(counts.iter().all(|count| *count > 0 && count % 2 == 0), "{counts:?}");
    });
}

// Rule: rabbitmq.exchange.types.recent-history
#[test]
fn a_recent_history_exchange_replays_the_latest_messages_to_a_new_binding() {
    check(|world| {
        let mut client = world.client();
        let arguments = arguments([("x-recent-history-length", 2.into())]);
        let name = client.new_exchange_with(world, "x", "x-recent-history", arguments);
        for text in ["1", "2", "3"] {
            client.publish(1, &name, "k", text.as_bytes());
        }
        let unkept = with_headers([("x-recent-history-no-store", true)].into_iter().collect());
        client.publish_with(1, &plain::publish(&name, "k"), &unkept, b"4");
        let queue = client.new_bound(world, "q", &name, "");
        assert_eq!(client.drain(&queue), ["2", "3"]);
        client.publish(1, &name, "k", b"5");
        assert_eq!(client.drain(&queue), ["5"]);
        let second = client.new_bound(world, "second", &name, "");
        assert_eq!(client.drain(&second), ["3", "5"]);
    });
}

// Rule: rabbitmq.exchange.types.recent-history
#[test]
fn a_recent_history_goes_through_an_exchange_to_its_queues() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_exchange(world, "x", "x-recent-history");
        client.publish(1, &name, "a", b"1");
        client.publish(1, &name, "a", b"2");
        let direct = client.new_exchange(world, "direct", "direct");
        let queue = client.new_bound(world, "q", &direct, "a");
        client.perform(&plain::exchange_bind(&direct, &name, ""));
        client.expect_message_count(1, &queue, 2);
        assert_eq!(client.drain(&queue), ["2", "1"]);
        client.publish(1, &name, "a", b"3");
        assert_eq!(client.drain(&queue), ["3"]);
    });
}

// Rule: rabbitmq.exchange.types.recent-history
#[test]
fn a_recent_history_that_no_queue_takes_is_dropped() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_exchange(world, "x", "x-recent-history");
        client.publish(1, &name, "a", b"1");
        let fanout = client.new_exchange(world, "fanout", "fanout");
        client.perform(&plain::exchange_bind(&fanout, &name, ""));
        let queue = client.new_bound(world, "q", &fanout, "");
        assert!(client.drain(&queue).is_empty());
        client.publish(1, &name, "a", b"2");
        assert_eq!(client.drain(&queue), ["2"]);
    });
}

// Rule: rabbitmq.exchange.types.recent-history, exchange.bind.cyclical
#[test]
fn an_exchange_that_keeps_a_history_may_be_bound_to_itself() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_exchange(world, "x", "x-recent-history");
        client.publish(1, &name, "a", b"1");
        client.perform(&plain::exchange_bind(&name, &name, ""));
        client.publish_in_vain(&name, "a");
        client.perform(&plain::exchange_unbind(&name, &name, ""));
    });
}

// Rule: rabbitmq.exchange.declare.alternate-exchange
#[test]
fn what_an_exchange_cannot_route_goes_to_its_alternate_exchange() {
    check(|world| {
        let mut client = world.client();
        let alternate = client.new_exchange(world, "alternate", "fanout");
        let caught = client.new_bound(world, "caught", &alternate, "");
        let arguments = arguments([("alternate-exchange", alternate.as_str().into())]);
        let name = client.new_exchange_with(world, "x", "direct", arguments);
        let known = client.new_bound(world, "known", &name, "known");
        client.publish(1, &name, "known", b"to the queue");
        let mandatory = basic::Publish { mandatory: true, ..plain::publish(&name, "unknown") };
        client.publish_with(1, &mandatory, &Properties::default(), b"to the alternate");
        client.expect_nothing(1);
        let got = client.get(1, &caught, true).expect("a message");
        assert_eq!(got.content.text(), "to the alternate");
        assert_eq!(got.method.exchange, name);
        assert_eq!(client.drain(&known), ["to the queue"]);
        assert!(client.drain(&caught).is_empty());
    });
}

// Rule: rabbitmq.exchange.declare.alternate-exchange
#[test]
fn alternate_exchanges_in_a_circle_or_missing_give_a_mandatory_message_back() {
    check(|world| {
        let mut client = world.client();
        let (first, second) = (world.name("first"), world.name("second"));
        let missing = world.name("missing");
        for (name, alternate) in [(&first, &second), (&second, &first)] {
            let arguments = arguments([("alternate-exchange", alternate.as_str().into())]);
            let declare = plain::exchange_declare(name, "direct");
            client.perform(&exchange::Declare { arguments, ..declare });
        }
        let returned = client.publish_in_vain(&first, "k");
        assert_eq!(returned.method.exchange, first);
        let queue = client.new_bound(world, "q", &second, "k");
        client.publish(1, &first, "k", b"by the chain");
        assert_eq!(client.drain(&queue), ["by the chain"]);

        let arguments = arguments([("alternate-exchange", missing.as_str().into())]);
        let lost = client.new_exchange_with(world, "lost", "direct", arguments);
        client.publish_in_vain(&lost, "k");
    });
}

// Rule: rabbitmq.basic.publish.copies
#[test]
fn the_headers_cc_and_bcc_add_routing_keys_and_a_queue_gets_one_copy() {
    check(|world| {
        let mut client = world.client();
        let queues: Vec<String> =
            ["q1", "q2", "q3"].iter().map(|word| client.new_queue(world, word)).collect();
        let [first, second, third] = [&queues[0], &queues[1], &queues[2]];
        let headers = arguments([
            ("a", 1.into()),
            ("CC", keys(&[second, first, second])),
            ("BCC", keys(&[third])),
        ]);
        let publish = plain::publish("", first);
        client.publish_with(1, &publish, &with_headers(headers), b"copied");
        for queue in &queues {
            let got = client.get(1, queue, true).expect("a message");
            assert_eq!((got.content.text(), got.method.routing_key), ("copied", first.as_str()));
            let headers = got.content.properties.headers.expect("headers");
            assert_eq!(headers.get("a"), Some(&FieldValue::I32(1)));
            assert_eq!(headers.get("CC"), Some(&keys(&[second, first, second])));
            assert!(!headers.contains("BCC"));
            assert!(client.drain(queue).is_empty());
        }
    });
}

// Rule: rabbitmq.basic.publish.copies
#[test]
fn cc_works_through_exchanges_that_go_by_keys() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_exchange(world, "x", "topic");
        let first = client.new_bound(world, "first", &name, "a.*");
        let second = client.new_bound(world, "second", &name, "b.#");
        let headers = arguments([("CC", keys(&["b.c.d", "a.z"]))]);
        let publish = plain::publish(&name, "a.b");
        client.publish_with(1, &publish, &with_headers(headers), b"copied");
        assert_eq!(client.drain(&first), ["copied"]);
        assert_eq!(client.drain(&second), ["copied"]);
    });
}

// Rule: rabbitmq.basic.publish.copies
#[test]
fn copies_that_reach_nobody_do_not_make_a_message_unroutable() {
    check(|world| {
        let mut client = world.client();
        let (queue, missing) = (client.new_queue(world, "q"), world.name("missing"));
        let headers = arguments([("BCC", keys(&[&queue]))]);
        let mandatory = basic::Publish { mandatory: true, ..plain::publish("", &missing) };
        client.publish_with(1, &mandatory, &with_headers(headers), b"copied");
        client.expect_nothing(1);
        assert_eq!(client.drain(&queue), ["copied"]);
    });
}

// Rule: rabbitmq.basic.publish.copies
#[test]
fn cc_and_bcc_are_arrays_of_strings() {
    check(|world| {
        let mut client = world.client();
        let queue = client.new_queue(world, "q");
        for (name, value, kind) in [
            ("CC", FieldValue::from(queue.as_str()), "longstr"),
            ("BCC", FieldValue::from(true), "bool"),
            ("CC", FieldValue::I32(1), "signedint"),
        ] {
            let properties = with_headers(arguments([(name, value)]));
            let text = format!(
                "PRECONDITION_FAILED - invalid message: \
                 {{unacceptable_type_in_header,\"{name}\",{kind}}}"
            );
            client.refuse_publish(&plain::publish("", &queue), &properties, 406, &text);
        }
        assert!(client.drain(&queue).is_empty());
    });
}
