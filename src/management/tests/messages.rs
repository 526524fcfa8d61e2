//! Publishing and getting messages.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_lite::future::poll_once;

use super::*;
use crate::limits::MANAGEMENT_GET_SIZE_MAX;
use crate::protocol::field::FieldValue;

impl World {
    async fn with_queue(arguments: Value) -> Self {
        let world = Self::new();
        let body = json!({"durable": true, "arguments": arguments});
        assert_eq!(world.change("PUT", "/api/queues/%2F/q", &body).await, 201);
        world
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, &body.to_string()).await
    }

    /// Publishes to the queue; these differ from a plain text.
    async fn publish_with(&self, other: Value) -> Answer {
        let mut body = json!({
            "properties": {}, "routing_key": "q", "payload": "hello", "payload_encoding": "string",
        });
        body.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        self.post("/api/exchanges/%2F/amq.default/publish", &body).await
    }

    async fn get_with(&self, other: Value) -> Answer {
        let mut body = json!({"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"});
        body.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        self.post("/api/queues/%2F/q/get", &body).await
    }

    /// The payloads that are got, each with a `*` where it came before.
    async fn payloads(&self, count: i64, ackmode: &str) -> Vec<String> {
        let answer = self.get_with(json!({"count": count, "ackmode": ackmode})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let shown = |one: &Value| {
            let mark = if one["redelivered"] == true { "*" } else { "" };
            format!("{}{mark}", one["payload"].as_str().unwrap())
        };
        answer.body.as_array().unwrap().iter().map(shown).collect()
    }

    async fn ready(&self) -> Value {
        self.get("/api/queues/%2F/q").await["messages_ready"].clone()
    }
}

#[tokio::test]
async fn what_is_published_is_got_with_all_its_properties() {
    let world = World::with_queue(json!({})).await;
    let properties = json!({
        "content_type": "text/plain", "content_encoding": "gzip", "delivery_mode": 2,
        "headers": {"a": 1, "b": "x", "c": true, "d": 1.5, "e": [1], "f": {"g": 1}},
        "priority": 3, "correlation_id": "c", "reply_to": "r", "expiration": "10000000",
        "message_id": "m", "timestamp": 1_700_000_000, "type": "t", "user_id": "guest",
        "app_id": "a", "cluster_id": "cl",
    });
    let mut with_others = properties.clone();
    with_others["zzz"] = json!(1);
    let answer = world.publish_with(json!({"properties": with_others})).await;
    assert_eq!((answer.status, answer.body), (200, json!({"routed": true})));
    let expected = json!([{
        "payload_bytes": 5, "redelivered": false, "exchange": "", "routing_key": "q",
        "message_count": 0, "properties": properties, "payload": "hello",
        "payload_encoding": "string",
    }]);
    assert_eq!(world.get_with(json!({})).await.body, expected);
}

#[tokio::test]
async fn a_message_without_properties_has_an_empty_list_of_them() {
    let world = World::with_queue(json!({})).await;
    for properties in [json!({}), json!([])] {
        let answer = world.publish_with(json!({"properties": properties})).await;
        assert_eq!(answer.body, json!({"routed": true}));
    }
    let got = world.get_with(json!({"count": "2"})).await.body;
    assert_eq!((&got[0]["properties"], &got[1]["properties"]), (&json!([]), &json!([])));
    assert_eq!((&got[0]["message_count"], &got[1]["message_count"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn what_no_queue_takes_is_not_routed() {
    let world = World::with_queue(json!({})).await;
    let answer = world.publish_with(json!({"routing_key": "nowhere"})).await;
    assert_eq!((answer.status, answer.body), (200, json!({"routed": false})));
}

#[tokio::test]
async fn a_queue_that_is_full_rejects() {
    let world = World::with_queue(json!({"x-max-length": 0, "x-overflow": "reject-publish"})).await;
    let answer = world.publish_with(json!({})).await;
    let reason = "rejected Unable to publish message. Check queue limits.";
    assert_eq!((answer.status, answer.reason()), (400, reason));
}

#[tokio::test]
async fn payloads_may_be_bytes_and_are_shown_as_text_where_they_are_text() {
    let world = World::with_queue(json!({})).await;
    for payload in ["//79", "aGVsbG8="] {
        let body = json!({"payload": payload, "payload_encoding": "base64"});
        assert_eq!(world.publish_with(body).await.status, 200);
    }
    let text = |answer: &Answer, at: usize| {
        let one = &answer.body[at];
        format!("{} {} {}", one["payload_encoding"], one["payload"], one["payload_bytes"])
    };
    let got = world.get_with(json!({"count": 2})).await;
    assert_eq!(text(&got, 0), r#""base64" "//79" 3"#);
    assert_eq!(text(&got, 1), r#""string" "hello" 5"#);
    let got = world.get_with(json!({"count": 2, "encoding": "base64"})).await;
    assert_eq!(text(&got, 1), r#""base64" "aGVsbG8=" 5"#);
    let got = world.get_with(json!({"count": 2, "truncate": 3})).await;
    assert_eq!(text(&got, 1), r#""string" "hel" 5"#);
    let got = world.get_with(json!({"count": 2, "truncate": "0"})).await;
    assert_eq!(text(&got, 0), r#""string" "" 3"#);
}

#[tokio::test]
async fn messages_go_back_to_their_places_or_are_gone_as_they_are_asked_for() {
    let world = World::with_queue(json!({})).await;
    world.publish("q", &["a", "b", "c", "d"]);
    assert_eq!(world.payloads(0, "ack_requeue_true").await, [""; 0]);
    assert_eq!(world.payloads(2, "ack_requeue_true").await, ["a", "b"]);
    assert_eq!(world.payloads(-1, "ack_requeue_true").await, ["a*", "b*", "c", "d"]);
    assert_eq!(world.payloads(1, "reject_requeue_true").await, ["a*"]);
    assert_eq!(world.payloads(1, "ack_requeue_false").await, ["a*"]);
    assert_eq!(world.payloads(1, "reject_requeue_false").await, ["b*"]);
    assert_eq!(world.payloads(9, "ack_requeue_false").await, ["c*", "d*"]);
    assert_eq!(world.payloads(9, "ack_requeue_false").await, [""; 0]);
    assert_eq!(world.ready().await, 0);
}

#[tokio::test]
async fn what_is_rejected_over_http_is_a_dead_letter_like_others() {
    let arguments = json!({"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"});
    let world = World::with_queue(arguments).await;
    assert_eq!(world.change("PUT", "/api/queues/%2F/dead", &json!({})).await, 201);
    world.publish("q", &["a"]);
    assert_eq!(world.payloads(1, "reject_requeue_false").await, ["a"]);
    let dead = world.get("/api/queues/%2F/dead").await;
    assert_eq!(dead["messages_ready"], 1);
    assert_eq!(world.ready().await, 0);
}

#[tokio::test]
async fn a_publish_that_makes_no_sense_is_refused_in_rabbitmqs_words() {
    let world = World::with_queue(json!({})).await;
    let long = "k".repeat(256);
    for (other, reason) in [
        (json!({"payload": 5}), json!("payload_not_string")),
        (json!({"payload": "!!!", "payload_encoding": "base64"}), json!(["not_base64", "!!!"])),
        (json!({"payload_encoding": "zzz"}), json!(["unsupported_encoding", "zzz"])),
        (json!({"properties": "x"}), json!("properties must be a JSON object")),
        (json!({"properties": {"delivery_mode": "2"}}), json!(["not_int", "delivery_mode"])),
        (json!({"properties": {"priority": 256}}), json!(["not_int", "priority"])),
        (json!({"properties": {"timestamp": "x"}}), json!(["not_int", "timestamp"])),
        (json!({"properties": {"content_type": 5}}), json!(["not_string", "content_type"])),
        (json!({"properties": {"headers": {"n": null}}}), json!("null_not_allowed")),
        (
            json!({"properties": {"delivery_mode": 300}}),
            json!("406 PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,300}"),
        ),
        (
            json!({"properties": {"expiration": "abc"}}),
            json!("406 PRECONDITION_FAILED - invalid expiration 'abc': no_integer"),
        ),
        (
            json!({"properties": {"user_id": "other"}}),
            json!(
                "406 PRECONDITION_FAILED - user_id property set to 'other' but authenticated user \
                 was 'guest'"
            ),
        ),
        (
            json!({"routing_key": long}),
            json!("routing_key should be less than 255 bytes, actually was 256\n"),
        ),
    ] {
        let answer = world.publish_with(other.clone()).await;
        assert_eq!((answer.status, &answer.body["reason"]), (400, &reason), "{other}");
    }
    let missing = "[{key_missing,routing_key},\n {key_missing,properties},\n {key_missing,payload},\
                   \n {key_missing,payload_encoding}]";
    let path = "/api/exchanges/%2F/amq.default/publish";
    let refused = world.refused("POST", path, &json!({})).await;
    assert_eq!(refused, (400, missing.into()));
    assert_eq!(world.ready().await, 0);
}

#[tokio::test]
async fn a_get_that_makes_no_sense_is_refused_in_rabbitmqs_words() {
    let world = World::with_queue(json!({})).await;
    for (other, reason) in [
        (json!({"encoding": "zzz"}), json!("Unsupported encoding. Please use auto or base64.")),
        (json!({"count": "x"}), json!(["not_integer", "x"])),
        (json!({"truncate": "x"}), json!(["not_integer", "x"])),
        (json!({"truncate": -1}), json!("truncate must not be negative")),
        (
            json!({"ackmode": "zzz"}),
            json!(
                "ackmode must be one of ack_requeue_true, ack_requeue_false, reject_requeue_true, \
                 reject_requeue_false"
            ),
        ),
    ] {
        let answer = world.get_with(other.clone()).await;
        assert_eq!((answer.status, &answer.body["reason"]), (400, &reason), "{other}");
    }
    let missing = "[{key_missing,ackmode},{key_missing,count},{key_missing,encoding}]";
    let refused = world.refused("POST", "/api/queues/%2F/q/get", &json!({})).await;
    assert_eq!(refused, (400, missing.into()));
}

#[tokio::test]
async fn what_amqp_refuses_is_refused_with_its_code() {
    let world = World::with_queue(json!({"x-single-active-consumer": true})).await;
    world.permit("management", "v1", "mine");
    assert_eq!(world.change("PUT", "/api/queues/v1/q", &json!({})).await, 401);
    world.permit("guest", "v1", "");
    assert_eq!(world.change("PUT", "/api/queues/v1/q", &json!({})).await, 201);
    let publish = json!({
        "properties": {}, "routing_key": "q", "payload": "x", "payload_encoding": "string",
    });
    let get = json!({"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"});
    let no_access = "User not authorised to access virtual host";
    for (user, path, body, status, reason) in [
        (
            "guest",
            "exchanges/%2F/nope/publish",
            &publish,
            400,
            "404 NOT_FOUND - no exchange 'nope' in vhost '/'",
        ),
        (
            "guest",
            "exchanges/%2F/amq.rabbitmq.trace/publish",
            &publish,
            400,
            "403 ACCESS_REFUSED - cannot publish to internal exchange 'amq.rabbitmq.trace' in \
             vhost '/'",
        ),
        (
            "management",
            "exchanges/v1/amq.default/publish",
            &publish,
            400,
            "403 ACCESS_REFUSED - write access to exchange 'amq.default' in vhost 'v1' refused for \
             user 'management'",
        ),
        ("guest", "exchanges/nope/x/publish", &publish, 401, "Access refused."),
        ("management", "exchanges/v2/amq.direct/publish", &publish, 401, no_access),
        ("guest", "queues/%2F/nope/get", &get, 404, "NOT_FOUND - no queue 'nope' in vhost '/'"),
        (
            "management",
            "queues/v1/q/get",
            &get,
            401,
            "ACCESS_REFUSED - read access to queue 'q' in vhost 'v1' refused for user 'management'",
        ),
        ("guest", "queues/nope/q/get", &get, 401, "Access refused."),
        (
            "guest",
            "queues/%2F/q/get",
            &get,
            400,
            "405 RESOURCE_LOCKED - cannot obtain access to locked queue 'q' in vhost '/'. \
             basic.get operations are not supported on queues with single active consumer",
        ),
    ] {
        let answer = world.ask_as(user, "POST", &format!("/api/{path}"), &body.to_string()).await;
        assert_eq!((answer.status, answer.reason()), (status, reason), "{user} {path}");
    }
    for path in ["/api/queues/%2F/q/get", "/api/exchanges/%2F/x/publish"] {
        assert_eq!(world.ask("GET", path, "").await.status, 405);
    }
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let mut options = BrokerOptions::default();
    options.connection.message_size_max = 4;
    let world = World::of(Arc::new(Broker::new(options, [1, 2]).unwrap()));
    assert_eq!(world.change("PUT", "/api/queues/%2F/q", &json!({})).await, 201);
    let answer = world.publish_with(json!({})).await;
    let reason = "406 PRECONDITION_FAILED - message size 5 is larger than configured max size 4";
    assert_eq!((answer.status, answer.reason()), (400, reason));
    assert_eq!(world.publish_with(json!({"payload": "four"})).await.status, 200);
}

#[tokio::test]
async fn alarms_block_nobody_who_publishes_over_http() {
    let world = World::with_queue(json!({})).await;
    for alarm in [Alarm::Disk, Alarm::Memory] {
        world.broker.set_alarm(alarm, true);
        let answer = world.publish_with(json!({})).await;
        assert_eq!((answer.status, answer.body), (200, json!({"routed": true})), "{alarm:?}");
    }
}

#[tokio::test]
async fn limits_on_the_rate_of_publishing_hold() {
    let world = World::with_queue(json!({})).await;
    world.broker.by_node().set_user_limit("guest", "max-publish-bytes-rate", 1.into()).unwrap();
    world.publish("q", &[&"x".repeat(20)]);
    let answer = world.publish_with(json!({})).await;
    let reason = "more was published than a limit allows";
    assert_eq!((answer.status, answer.reason()), (503, reason));
    world.broker.by_node().clear_user_limit("guest", "max-publish-bytes-rate").unwrap();
    assert_eq!(world.publish_with(json!({})).await.status, 200);
}

/// A world whose clock is moved by hand; guest has to wait 100 ms before it may publish.
async fn waiting_world() -> (World, Arc<AtomicU64>) {
    let world = World::with_queue(json!({})).await;
    let time = Arc::new(AtomicU64::new(1));
    let told = time.clone();
    let clock = Box::new(move || Moment(told.load(Ordering::Acquire)));
    let options = ManagementOptions { clock, ..options() };
    let management = Arc::new(Management::new(world.broker.clone(), options));
    world.broker.by_node().set_user_limit("guest", "max-publish-rate", 10.into()).unwrap();
    world.publish("q", &["x"; 11]);
    (World { management, ..world }, time)
}

const SHORT: Duration = Duration::from_millis(20);

#[tokio::test]
async fn who_published_a_little_too_much_waits_for_its_turn() {
    let (world, time) = waiting_world().await;
    let mut asking = Box::pin(world.publish_with(json!({})));
    assert!(tokio::time::timeout(SHORT, &mut asking).await.is_err(), "it waits");
    time.store(1000, Ordering::Release);
    let answer = tokio::time::timeout(SHORT * 1000, asking).await.expect("not for long");
    assert_eq!((answer.status, answer.body), (200, json!({"routed": true})));
}

/// It was once looked at once only: all who waited for a limit published at the same time.
#[tokio::test]
async fn where_somebody_else_took_its_turn_a_publisher_waits_again() {
    let (world, time) = waiting_world().await;
    let mut asking = Box::pin(world.publish_with(json!({})));
    // Nothing is paid for as long as the clock stands still.
    assert!(tokio::time::timeout(SHORT * 15, &mut asking).await.is_err(), "it waits");
    assert_eq!(world.ready().await, 11);
    time.store(1000, Ordering::Release);
    let answer = tokio::time::timeout(SHORT * 1000, asking).await.expect("not for long");
    assert_eq!((answer.status, world.ready().await), (200, json!(12)));
}

/// They were once those of before the wait.
#[tokio::test]
async fn permissions_that_are_taken_away_while_a_publisher_waits_are_gone() {
    let (world, time) = waiting_world().await;
    let mut asking = Box::pin(world.publish_with(json!({})));
    assert!(tokio::time::timeout(SHORT, &mut asking).await.is_err(), "it waits");
    world.permit("guest", "/", "q$");
    time.store(1000, Ordering::Release);
    let answer = tokio::time::timeout(SHORT * 1000, asking).await.expect("not for long");
    let reason = "403 ACCESS_REFUSED - write access to exchange 'amq.default' in vhost '/' refused \
                  for user 'guest'";
    assert_eq!((answer.status, answer.reason()), (400, reason));
}

/// Nobody once counted what waited to be published.
#[tokio::test]
async fn a_message_counts_with_what_clients_hold_while_it_waits() {
    let (world, time) = waiting_world().await;
    let before = world.broker.session_memory();
    let mut asking = Box::pin(world.publish_with(json!({"payload": "x".repeat(500)})));
    assert!(tokio::time::timeout(SHORT, &mut asking).await.is_err(), "it waits");
    assert_eq!(world.broker.session_memory() - before, 502);
    time.store(1000, Ordering::Release);
    tokio::time::timeout(SHORT * 1000, asking).await.expect("not for long");
    assert_eq!(world.broker.session_memory(), before);
}

/// Publishes as a client does, with a header of this size.
fn publish_with_header(world: &World, header_size: usize, body: Body<'_>) {
    let user = world.broker.user("guest").unwrap();
    let mut channel = DirectChannel::open(&world.broker, &user, "/", Moment(1)).unwrap();
    let mut properties = Vec::new();
    let text = "x".repeat(header_size).into_bytes().into();
    let headers = Some(FieldTable::from_iter([("h", FieldValue::LongString(text))]));
    Properties { headers, ..Properties::default() }.encode(&mut properties);
    let (exchange, routing_key, properties) = ("", "q", &*properties);
    let envelope = Envelope { exchange, routing_key, properties, is_persistent: false };
    channel.publish(Message::new(envelope, body), Moment(1));
}

/// Only payloads once counted: messages without a body made answers of any size.
#[tokio::test]
async fn an_answer_is_bounded_also_where_messages_have_no_body() {
    let world = World::with_queue(json!({})).await;
    let header_size = 128 * 1000;
    let most = MANAGEMENT_GET_SIZE_MAX / header_size + 1;
    (0..most + 5).for_each(|_| publish_with_header(&world, header_size, Body::Copied(b"")));
    let got = world.get_with(json!({"count": -1, "truncate": 0})).await;
    let count = got.body.as_array().unwrap().len();
    assert!(count > most / 2 && count <= most, "{count} of {most}");
    assert_eq!(world.ready().await, most + 5);
}

/// One message was once copied as a whole, however large it was, and became JSON of six times its
/// size.
#[tokio::test]
async fn of_a_body_that_is_too_large_for_an_answer_the_beginning_is_shown() {
    let world = World::with_queue(json!({})).await;
    let body = vec![b'x'; MANAGEMENT_GET_SIZE_MAX + 5];
    publish_with_header(&world, 1, Body::Shared(vec![body.into()]));
    let got = world.get_with(json!({})).await;
    let got = &got.body[0];
    assert_eq!(got["payload_bytes"], MANAGEMENT_GET_SIZE_MAX + 5);
    assert_eq!(got["payload"].as_str().unwrap().len(), MANAGEMENT_GET_SIZE_MAX);
}

/// Up to 10,000 messages were once got without a pause.
#[tokio::test]
async fn while_many_messages_are_got_others_have_their_turns() {
    let world = World::with_queue(json!({})).await;
    world.publish("q", &["x"; 400]);
    let mut asking = Box::pin(world.get_with(json!({"count": -1})));
    assert!(poll_once(&mut asking).await.is_none(), "it gave way");
    let ready = world.ready().await.as_u64().unwrap();
    assert!((1..400).contains(&ready), "it got some: {ready} are left");
    let got = asking.await;
    assert_eq!(got.body.as_array().unwrap().len(), 400);
}

#[tokio::test]
async fn who_goes_away_gets_nothing_and_loses_nothing() {
    let world = World::with_queue(json!({})).await;
    world.publish("q", &["a"]);
    let user = world.broker.user("guest").unwrap();
    let mut channel = DirectChannel::open(&world.broker, &user, "/", Moment(1)).unwrap();
    channel.ask(Command::Get { queue: "q".into(), no_ack: false }, Moment(1));
    assert_eq!(world.ready().await, 0);
    direct::answer(&mut channel).await.unwrap();
    drop(channel);
    assert_eq!(world.ready().await, 1);
    let mut channel = DirectChannel::open(&world.broker, &user, "/", Moment(1)).unwrap();
    channel.ask(Command::Get { queue: "q".into(), no_ack: false }, Moment(1));
    drop(channel);
    assert_eq!(world.ready().await, 1, "also what nobody read");
}
