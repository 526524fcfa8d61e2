//! Policies on a live broker: set, changed and cleared, over restarts too.

use serde_json::{Value, json};

use super::*;
use crate::broker::test_world::{Client, World, bodies, declaration, deliveries, flagged};
use crate::connection::Event;
use crate::connection::command::DeclareQueue;
use crate::definitions::{Binding, BindingEnd, PolicyTarget};
use crate::message::{Outcome, SequenceRange};
use crate::protocol::field::FieldTable;

fn policy(name: &str, pattern: &str, settings: &Value) -> PolicyDefinition<Name> {
    PolicyDefinition {
        kind: PolicyKind::User,
        host: "/".into(),
        name: name.into(),
        pattern: pattern.into(),
        applies_to: PolicyTarget::All,
        priority: 0,
        settings: settings.as_object().unwrap().clone(),
    }
}

fn set(world: &World, pattern: &str, settings: &Value, now: u64) {
    let policy = policy("p", pattern, settings);
    assert_eq!(world.broker.by_node().set_policy(&policy, Moment(now)), Ok(Declared::Changed));
}

fn clear(world: &World, now: u64) {
    let cleared = world.broker.by_node().clear_policy(PolicyKind::User, "/", "p", Moment(now));
    assert_eq!(cleared, Declared::Changed);
}

fn durable_world(queues: &[&str]) -> World {
    let world = World::new();
    let mut client = world.client();
    queues.iter().for_each(|queue| client.declare(queue, true));
    world
}

fn ready(world: &mut World, queue: &str) -> u32 {
    world.client().look_at(queue).unwrap()
}

/// Both queues get what is published to the fanout exchange.
fn bind_to_fanout(world: &World, queues: &[&str]) {
    let host = world.broker.virtual_host("/").unwrap();
    for queue in queues {
        let binding = Binding {
            source: "amq.fanout".into(),
            destination: BindingEnd::Queue((*queue).into()),
            routing_key: "".into(),
            arguments: FieldTable::new(),
        };
        let change = Change::Bound(Arc::new(binding));
        host.apply(&mut host.definitions(), &change, &mut Work::default());
    }
}

#[test]
fn a_message_for_several_queues_keeps_the_time_that_each_gave_it_over_a_restart() {
    let mut world = durable_world(&["plain", "brief"]);
    bind_to_fanout(&world, &["plain", "brief"]);
    let mut client = world.client();
    client.at(5).publish_to("amq.fanout", "", &["a"]);
    set(&world, "^brief", &json!({"message-ttl": 50}), 5);
    client.at(5).publish_to("amq.fanout", "", &["b"]);
    world.turn();
    let mut world = world.killed();
    world.broker.elapse(Moment(25));
    while world.broker.fetch(Moment(25)) {}
    while world.broker.deadline().is_some_and(|at| at <= Moment(1000)) {
        world.broker.elapse(Moment(1000));
        while world.broker.fetch(Moment(1000)) {}
    }
    for (number, queue, expected) in [(1, "plain", &["a", "b"][..]), (2, "brief", &["a"][..])] {
        let mut client = world.client();
        client.at(1000).consume(queue, number);
        world.turn();
        assert_eq!(bodies(&client.events()), flagged(expected), "{queue}");
    }
}

#[test]
fn a_limit_that_a_policy_sets_holds_at_once_and_ends_with_it() {
    let mut world = durable_world(&["orders", "other"]);
    let mut client = world.client();
    client.publish("orders", &["a", "b", "c"]);
    client.publish("other", &["a", "b", "c"]);
    set(&world, "^orders", &json!({"max-length": 1}), 5);
    assert_eq!((ready(&mut world, "orders"), ready(&mut world, "other")), (1, 3));
    client.publish("orders", &["d"]);
    assert_eq!(ready(&mut world, "orders"), 1);
    clear(&world, 6);
    client.publish("orders", &["e", "f"]);
    assert_eq!(ready(&mut world, "orders"), 3);
}

#[test]
fn a_publisher_hears_of_messages_that_a_policy_makes_a_queue_refuse() {
    let mut world = durable_world(&["orders"]);
    let mut client = world.client();
    client.publish("orders", &["a", "b"]);
    set(&world, "", &json!({"max-length": 2, "overflow": "reject-publish"}), 5);
    client.publish("orders", &["c"]);
    world.turn();
    let (confirmed, rejected) = client.outcomes();
    assert_eq!((confirmed.len(), rejected.len()), (2, 1));
    assert_eq!(ready(&mut world, "orders"), 2);
}

#[test]
fn the_exchange_for_dead_letters_may_come_from_a_policy() {
    let mut world = durable_world(&["orders", "dead"]);
    let mut client = world.client();
    client.publish("orders", &["a", "b"]);
    let settings =
        json!({"max-length": 1, "dead-letter-exchange": "", "dead-letter-routing-key": "dead"});
    set(&world, "^orders", &settings, 5);
    assert_eq!((ready(&mut world, "orders"), ready(&mut world, "dead")), (1, 1));
    clear(&world, 6);
    set(&world, "^orders", &json!({"max-length": 0}), 7);
    assert_eq!((ready(&mut world, "orders"), ready(&mut world, "dead")), (0, 1));
}

#[test]
fn of_two_limits_of_policy_and_argument_the_stricter_counts() {
    let world = World::new();
    let mut client = world.client();
    let arguments = [("x-max-length", 2)].into_iter().collect();
    client.declare_as(&DeclareQueue { arguments, ..declaration("orders") });
    set(&world, "", &json!({"max-length": 5}), 5);
    client.publish("orders", &["a", "b", "c"]);
    assert_eq!(client.look_at("orders"), Ok(2));
    set(&world, "", &json!({"max-length": 1}), 6);
    assert_eq!(client.look_at("orders"), Ok(1));
}

#[test]
fn a_queue_that_is_declared_later_is_under_the_policy_from_the_start() {
    let world = World::new();
    set(&world, "^orders", &json!({"max-length": 1}), 5);
    let mut client = world.client();
    client.declare("orders", true);
    client.publish("orders", &["a", "b"]);
    assert_eq!(client.look_at("orders"), Ok(1));
}

#[test]
fn policies_and_what_they_set_are_there_after_a_kill() {
    let mut world = durable_world(&["orders"]);
    set(&world, "^orders", &json!({"max-length": 1}), 5);
    world.turn();
    let mut world = world.killed();
    let mut client = world.client();
    client.publish("orders", &["a", "b"]);
    assert_eq!(ready(&mut world, "orders"), 1);
    clear(&world, 6);
    world.turn();
    let world = world.killed();
    let mut client = world.client();
    client.publish("orders", &["c", "d"]);
    assert_eq!(client.look_at("orders"), Ok(3));
}

#[test]
fn what_came_before_a_time_to_live_lives_on_after_a_restart_too() {
    let mut world = durable_world(&["orders"]);
    world.client().publish("orders", &["old"]);
    set(&world, "^orders", &json!({"message-ttl": 10}), 5);
    let mut client = world.client();
    client.at(20).publish("orders", &["new"]);
    world.turn();
    let mut world = world.killed();
    world.broker.elapse(Moment(25));
    while world.broker.fetch(Moment(25)) {}
    assert_eq!(ready(&mut world, "orders"), 2);
    while world.broker.deadline().is_some_and(|at| at <= Moment(1000)) {
        world.broker.elapse(Moment(1000));
        while world.broker.fetch(Moment(1000)) {}
    }
    let mut client = world.client();
    client.consume("orders", 1);
    world.turn();
    let old: Vec<_> = bodies(&client.events()).into_iter().map(|(body, _)| body).collect();
    assert_eq!(old, ["old"]);
}

#[test]
fn an_unused_queue_expires_by_a_policy_that_came_later_and_not_before_its_time() {
    let mut world = durable_world(&["orders"]);
    set(&world, "", &json!({"expires": 50}), 100);
    let goes_at = |world: &mut World, at| {
        world.broker.elapse(Moment(at));
        world.client().look_at("orders").is_err()
    };
    assert!(!goes_at(&mut world, 101) && !goes_at(&mut world, 149));
    set(&world, "", &json!({"expires": 20}), 150);
    assert!(!goes_at(&mut world, 169));
    clear(&world, 169);
    assert!(!goes_at(&mut world, 500), "nothing says any more that it expires");
    set(&world, "", &json!({"expires": 20}), 600);
    assert!(!goes_at(&mut world, 619) && goes_at(&mut world, 621));
}

#[test]
fn a_consumer_timeout_of_a_policy_holds_at_once_for_what_is_out() {
    let mut world = durable_world(&["orders"]);
    let mut client = world.client();
    client.at(100).consume("orders", 1);
    client.publish("orders", &["a"]);
    assert_eq!(world.broker.deadline(), None);
    set(&world, "", &json!({"consumer-timeout": 5000}), 150);
    client.publish("orders", &["b"]);
    set(&world, "", &json!({"consumer-timeout": 200}), 150);
    client.events();
    world.broker.elapse(Moment(299));
    assert!(client.events().is_empty());
    world.broker.elapse(Moment(350));
    let events = client.events();
    assert!(matches!(events[..], [Event::ConsumerTimedOut { timeout_ms: 200, .. }]), "{events:?}");
    world.turn();
}

#[test]
fn retries_wait_as_a_policy_says_until_it_ends_or_the_node_does() {
    let mut world = durable_world(&["orders"]);
    let settings =
        json!({"delayed-retry-type": "all", "delayed-retry-min": 50, "delayed-retry-max": 500});
    set(&world, "", &settings, 5);
    let mut client = world.client();
    client.at(10).consume("orders", 1);
    client.publish("orders", &["a"]);
    let out = deliveries(&client.events());
    let failed = |client: &mut Client, now| {
        client.at(now).settle(out[0].0, SequenceRange::one(out[0].1), Outcome::Failed);
        client.session.look_after_queues();
        assert!(bodies(&client.events()).is_empty());
    };
    let comes_at = |world: &World, client: &mut Client, at| {
        assert_eq!(world.broker.deadline(), Some(Moment(at)));
        world.broker.elapse(Moment(at));
        assert_eq!(bodies(&client.events()), flagged(&["a"]));
    };
    failed(&mut client, 10);
    comes_at(&world, &mut client, 60);
    failed(&mut client, 60);
    assert_eq!(world.broker.deadline(), Some(Moment(160)));
    clear(&world, 70);
    assert_eq!(bodies(&client.events()), flagged(&["a"]), "nothing is to wait any more");
    set(&world, "", &settings, 80);
    failed(&mut client, 90);
    assert_eq!(client.look_at("orders"), Ok(0));
    world.turn();
    let mut world = world.killed();
    assert_eq!(ready(&mut world, "orders"), 1, "what waited is ready");
    let mut client = world.client();
    client.at(100).consume("orders", 1);
    world.turn();
    assert_eq!(bodies(&client.events()), flagged(&["a"]));
    failed(&mut client, 100);
    assert_eq!(world.broker.deadline(), Some(Moment(300)), "its failures are known");
}

#[test]
fn an_exchange_gets_its_alternate_from_a_policy_at_once() {
    let mut world = durable_world(&["lost"]);
    let mut client = world.client();
    let host = world.broker.virtual_host("/").unwrap();
    let bind = Binding {
        source: "amq.fanout".into(),
        destination: BindingEnd::Queue("lost".into()),
        routing_key: "".into(),
        arguments: FieldTable::new(),
    };
    host.apply(&mut host.definitions(), &Change::Bound(Arc::new(bind)), &mut Work::default());
    client.publish_to("amq.direct", "nobody", &["a"]);
    set(&world, r"^amq\.direct", &json!({"alternate-exchange": "amq.fanout"}), 5);
    client.publish_to("amq.direct", "nobody", &["b"]);
    assert_eq!(ready(&mut world, "lost"), 1);
    clear(&world, 6);
    client.publish_to("amq.direct", "nobody", &["c"]);
    assert_eq!(ready(&mut world, "lost"), 1);
}

#[test]
fn an_exchange_that_is_always_there_has_its_alternate_after_a_restart_too() {
    let mut world = durable_world(&["lost"]);
    let host = world.broker.virtual_host("/").unwrap();
    let bind = Binding {
        source: "amq.fanout".into(),
        destination: BindingEnd::Queue("lost".into()),
        routing_key: "".into(),
        arguments: FieldTable::new(),
    };
    host.apply(&mut host.definitions(), &Change::Bound(Arc::new(bind)), &mut Work::default());
    set(&world, r"^amq\.direct", &json!({"alternate-exchange": "amq.fanout"}), 5);
    world.turn();
    let mut world = world.killed();
    world.client().publish_to("amq.direct", "nobody", &["a"]);
    assert_eq!(ready(&mut world, "lost"), 1);
}

#[test]
fn a_time_to_live_set_while_a_queue_is_out_of_service_is_for_what_comes_later() {
    let mut world = durable_world(&["orders"]);
    let mut client = world.client();
    client.at(1).publish("orders", &["old"]);
    world.turn();
    client.plant("orders");
    set(&world, "", &json!({"message-ttl": 10}), 5);
    world.turn();
    world.turn();
    world.broker.elapse(Moment(500));
    while world.broker.fetch(Moment(500)) {}
    assert_eq!(ready(&mut world, "orders"), 1);
}

#[test]
fn an_operators_policy_limits_what_a_user_may_set() {
    let world = durable_world(&["orders"]);
    set(&world, "", &json!({"max-length": 5}), 5);
    let operators = PolicyDefinition {
        kind: PolicyKind::Operator,
        ..policy("cap", "", &json!({"max-length": 2}))
    };
    assert_eq!(world.broker.by_node().set_policy(&operators, Moment(6)), Ok(Declared::Changed));
    let mut client = world.client();
    client.publish("orders", &["a", "b", "c"]);
    assert_eq!(client.look_at("orders"), Ok(2));
}

#[test]
fn a_policy_that_cannot_be_is_refused_and_changes_nothing() {
    let world = durable_world(&["orders"]);
    for (refused, text) in [
        (
            policy("p", "(", &json!({"max-length": 1})),
            "pattern should be regular expression but is",
        ),
        (policy("p", "", &json!({"foo": 1})), r#"["foo"] are not recognised policy settings"#),
        (
            PolicyDefinition {
                host: "nowhere".into(),
                ..policy("p", "", &json!({"max-length": 1}))
            },
            "there is no vhost 'nowhere'",
        ),
    ] {
        let error = world.broker.by_node().set_policy(&refused, Moment(5)).unwrap_err().to_string();
        assert!(error.starts_with(text), "{error}");
    }
    assert_eq!(world.broker.node_definitions().policies().count(), 0);
    let again = policy("p", "", &json!({"max-length": 1}));
    assert_eq!(world.broker.by_node().set_policy(&again, Moment(5)), Ok(Declared::Changed));
    assert_eq!(world.broker.by_node().set_policy(&again, Moment(5)), Ok(Declared::Unchanged));
    let gone = world.broker.by_node().clear_policy(PolicyKind::User, "/", "other", Moment(6));
    assert_eq!(gone, Declared::Unchanged);
}

#[test]
fn a_pattern_is_read_before_anything_is_locked() {
    let world = World::new();
    let locked = world.broker.node_definitions();
    let refused =
        world.broker.by_node().set_policy(&policy("p", "(", &json!({"max-length": 1})), Moment(1));
    assert!(matches!(refused, Err(DeclarationRefused::Invalid(_))), "{refused:?}");
    drop(locked);
    set(&world, "", &json!({"max-length": 1}), 1);
}

#[test]
fn a_queue_that_is_read_again_is_under_the_policies_of_now() {
    let mut world = durable_world(&["orders"]);
    let mut client = world.client();
    client.publish("orders", &["a", "b"]);
    world.turn();
    set(&world, "", &json!({"max-length": 1}), 5);
    client.plant("orders");
    world.turn();
    world.turn();
    client.publish("orders", &["c"]);
    assert_eq!(ready(&mut world, "orders"), 1);
}
