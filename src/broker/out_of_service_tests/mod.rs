//! Panics planted under a queue's lock, in a broker over a disk in memory: what is there after the
//! queue was read again, what its clients hear, and what of everybody else is untouched. Over
//! sockets this is shown in `node::store_threads`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::connection::Event;
use crate::connection::command::{DeclareQueue, DeleteQueue};
use crate::message::{Moment, Outcome, SequenceRange};

use super::test_world::{World, bodies, declaration, deliveries, flagged};

#[test]
fn what_was_confirmed_before_a_panic_is_delivered_again_in_order() {
    let mut world = World::new();
    let (mut publisher, mut consumer) = (world.client(), world.client());
    publisher.declare("q", true);
    publisher.publish("q", &["a", "b", "c"]);
    world.turn();
    assert_eq!(publisher.outcomes(), (vec![1, 2, 3], vec![]));
    consumer.consume("q", 1);
    let first = deliveries(&consumer.events());
    consumer.settle(first[0].0, SequenceRange::one(first[0].1), Outcome::Accepted);
    publisher.publish("q", &["d"]);
    publisher.plant("q");
    world.turn();
    assert_eq!(publisher.look_at("q"), Ok(3));
    let mut second = world.client();
    second.consume("q", 1);
    world.turn();
    assert_eq!(bodies(&second.events()), flagged(&["b", "c", "d"]));
    assert_eq!(publisher.outcomes(), (vec![4], vec![]), "it was given to the log before");
}

#[test]
fn a_queue_that_broke_cancels_its_consumers_and_refuses_until_it_is_read_again() {
    let mut world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    client.consume("q", 1);
    client.plant("q");
    let events = client.events();
    assert!(
        matches!(&events[..], [Event::ConsumerCancelled { consumer, .. }] if consumer.number == 1)
    );
    let refusal = client.look_at("q").unwrap_err();
    assert!(refusal.contains("queue 'q' in vhost '/' has crashed and failed to restart"));
    assert!(client.session.get(1, "q", false).is_err());
    assert!(client.session.purge_queue("q").is_err());
    world.turn();
    assert_eq!(client.look_at("q"), Ok(0));
}

#[test]
fn a_publish_to_a_queue_out_of_service_is_refused_and_one_after_it_is_confirmed() {
    let mut world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    client.publish("q", &["a"]);
    client.plant("q");
    client.publish("q", &["lost", "lost too"]);
    world.turn();
    assert_eq!(client.outcomes(), (vec![1], vec![2, 3]));
    client.publish("q", &["b"]);
    world.turn();
    assert_eq!(client.outcomes(), (vec![4], vec![]));
    client.consume("q", 1);
    world.turn();
    let seen = bodies(&client.events());
    assert_eq!(seen, [("a".to_owned(), true), ("b".to_owned(), false)]);
}

#[test]
fn a_transaction_with_a_queue_out_of_service_is_not_committed() {
    let world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    client.session.channels.get_mut(&1).unwrap().transaction = Some(Vec::new());
    client.publish("q", &["a"]);
    client.plant("q");
    let error = format!("{:?}", client.session.commit(1, &[]).unwrap_err());
    assert!(error.contains("partial tx completion"));
}

#[test]
fn dead_letters_wait_for_a_queue_that_is_out_of_service() {
    let mut world = World::new();
    let mut client = world.client();
    let mut doomed = declaration("doomed");
    doomed.arguments.insert("x-max-length", 0);
    doomed.arguments.insert("x-dead-letter-exchange", "");
    doomed.arguments.insert("x-dead-letter-routing-key", "grave");
    client.declare_as(&doomed);
    client.declare("grave", true);
    world.turn();
    client.plant("grave");
    client.publish("doomed", &["a", "b"]);
    client.session.look_after_queues();
    world.broker.elapse(Moment(100));
    assert_eq!(world.broker.figures().dead_letters.refused, 0);
    world.turn();
    world.broker.elapse(Moment(200));
    assert_eq!(client.look_at("grave"), Ok(2));
    let sent = world.broker.figures().dead_letters.sent;
    let counts = sent.iter().flat_map(|sent| &sent.by_reason).map(|(_, count)| count);
    assert_eq!(counts.sum::<u64>(), 2);
}

#[test]
fn an_acknowledgement_of_the_life_before_settles_nothing() {
    let mut world = World::new();
    let (mut old, mut new) = (world.client(), world.client());
    old.declare("q", true);
    old.publish("q", &["a"]);
    old.consume("q", 1);
    let before = deliveries(&old.events());
    old.plant("q");
    world.turn();
    new.consume("q", 1);
    world.turn();
    let after = deliveries(&new.events());
    assert_eq!(before[0].1, after[0].1, "the place is the same");
    assert_ne!(before[0].0, after[0].0, "and it is known under another number");
    old.settle(before[0].0, SequenceRange::one(before[0].1), Outcome::Requeued);
    assert!(new.events().is_empty(), "it is not delivered twice");
    new.settle(after[0].0, SequenceRange::one(after[0].1), Outcome::Accepted);
    world.turn();
    assert_eq!(new.look_at("q"), Ok(0));
    drop((old, new));
    assert_eq!(world.killed().client().look_at("q"), Ok(0));
}

#[test]
fn places_go_on_above_all_that_were_given_before() {
    let mut world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    client.publish("q", &["a", "b"]);
    client.consume("q", 1);
    for (queue, sequence, _) in deliveries(&client.events()) {
        client.settle(queue, SequenceRange::one(sequence), Outcome::Accepted);
    }
    client.plant("q");
    world.turn();
    client.publish("q", &["c"]);
    client.consume("q", 2);
    assert_eq!(deliveries(&client.events())[0].1, 2);
}

#[test]
fn a_restart_after_a_panic_has_everything_once() {
    let mut world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    client.publish("q", &["a", "b"]);
    client.plant("q");
    world.turn();
    client.publish("q", &["c"]);
    client.consume("q", 1);
    world.turn();
    let first = deliveries(&client.events())[0].clone();
    client.settle(first.0, SequenceRange::one(first.1), Outcome::Accepted);
    world.turn();
    drop(client);
    let mut world = world.killed();
    let mut client = world.client();
    client.consume("q", 1);
    world.turn();
    assert_eq!(bodies(&client.events()), flagged(&["b", "c"]));
}

#[test]
fn other_queues_and_clients_are_undisturbed() {
    let mut world = World::new();
    let (mut victim, mut other) = (world.client(), world.client());
    victim.declare("q", true);
    other.declare("other", true);
    other.consume("other", 1);
    victim.consume("q", 1);
    victim.consume("other", 2);
    victim.plant("q");
    other.publish("other", &["a", "b"]);
    world.turn();
    let (ours, theirs) = (victim.events(), other.events());
    assert_eq!(bodies(&ours).len() + bodies(&theirs).len(), 2);
    assert!(!theirs.iter().any(|event| matches!(event, Event::ConsumerCancelled { .. })));
    assert!(theirs.iter().any(|event| matches!(event, Event::Confirmed { first: 1, last: 2, .. })));
}

#[test]
fn a_transient_queue_comes_back_empty_at_once() {
    let world = World::new();
    let mut client = world.client();
    client.declare("t", false);
    client.publish("t", &["a"]);
    client.plant("t");
    assert_eq!(client.look_at("t"), Ok(0));
    client.publish("t", &["b"]);
    assert_eq!(client.look_at("t"), Ok(1));
}

#[test]
fn bodies_of_a_queue_that_broke_are_counted_no_longer() {
    let mut world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    client.declare("t", false);
    client.publish("q", &["aaaa"]);
    client.publish("t", &["bb"]);
    let (logged, unlogged) = world.broker.body_memory();
    assert!(logged > 0 && unlogged > 0);
    client.plant("q");
    client.plant("t");
    assert_eq!(world.broker.body_memory(), (0, 0));
    world.turn();
    client.consume("q", 1);
    world.turn();
    for (queue, sequence, _) in deliveries(&client.events()) {
        client.settle(queue, SequenceRange::one(sequence), Outcome::Accepted);
    }
    assert_eq!(world.broker.body_memory(), (0, 0), "what came back is counted, and leaves again");
}

#[test]
fn credit_that_a_broken_step_took_is_free_again() {
    let world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    client.publish("q", &["a", "b"]);
    let host = client.session.place().unwrap().host;
    let handle = host.queue("q").unwrap();
    client.session.set_prefetch(1, 2, true);
    let state_credit = client.session.channels[&1].live.credit.clone();
    let consumer = crate::queue::Consumer {
        id: crate::message::ConsumerId(9),
        no_ack: false,
        is_exclusive: false,
        priority: 0,
        prefetch_count: 0,
        channel_credit: Some(state_credit.clone()),
        window: client.session.mailbox.window.clone(),
        patience: crate::queue::Patience::default(),
        backoff: None,
    };
    let broken = handle.with(&mut client.session.work, |live| {
        live.queue.subscribe(consumer).unwrap();
        let mut effects = Vec::new();
        live.queue.dispatch(&mut effects);
        assert!(!state_credit.take(1), "all of it is taken");
        live.put_off(effects);
        panic!("planted");
    });
    assert!(broken.is_err());
    assert!(state_credit.take(1) && state_credit.take(1) && !state_credit.take(1));
}

#[test]
fn a_queue_out_of_service_can_be_deleted_and_does_not_come_back() {
    let mut world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    client.publish("q", &["a"]);
    client.plant("q");
    let delete = DeleteQueue { queue: "q".into(), if_unused: false, if_empty: false };
    client.session.delete_queue(1, true, &delete).unwrap();
    world.turn();
    assert!(client.look_at("q").unwrap_err().contains("no queue 'q'"));
    client.declare("q", true);
    assert_eq!(client.look_at("q"), Ok(0));
    world.turn();
    drop(client);
    assert_eq!(world.killed().client().look_at("q"), Ok(0));
}

#[test]
fn a_queue_may_break_again() {
    let mut world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    client.publish("q", &["a"]);
    for _ in 0..3 {
        client.plant("q");
        world.turn();
        assert_eq!(client.look_at("q"), Ok(1));
    }
    client.consume("q", 1);
    world.turn();
    assert_eq!(bodies(&client.events()), flagged(&["a"]));
}

#[test]
fn an_exclusive_queue_that_was_read_again_goes_with_its_connection() {
    let world = World::new();
    let mut client = world.client();
    let exclusive = DeclareQueue { exclusive: true, ..declaration("x") };
    client.session.declare_queue(&exclusive).unwrap();
    client.plant("x");
    assert_eq!(client.look_at("x"), Ok(0));
    client.consume("x", 1);
    client.events();
    for queue in std::mem::take(&mut client.session.exclusive_queues) {
        client.session.delete_live_queue(&queue, false);
    }
    assert!(
        matches!(&client.events()[..], [Event::ConsumerCancelled { by: None, .. }]),
        "it was the live one"
    );
    assert!(client.look_at("x").unwrap_err().contains("no queue 'x'"));
}

#[test]
fn a_panic_under_the_definitions_stops_the_node_and_nothing_is_confirmed() {
    let mut world = World::new();
    let mut client = world.client();
    client.declare("q", true);
    world.turn();
    client.events();
    assert_eq!(world.broker.failure(), None);
    let host = world.broker.virtual_host("/").unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _definitions = host.definitions();
        panic!("planted");
    }));
    assert!(panicked.is_err());
    assert_eq!(world.broker.failure(), None, "nobody looked yet");
    client.declare("r", true);
    assert_eq!(world.broker.failure(), Some("a panic broke the definitions of a virtual host"));
    client.publish("q", &["a"]);
    world.turn();
    assert_eq!(client.outcomes(), (vec![], vec![1]));
    drop(client);
    let world = world.killed();
    assert!(world.client().look_at("r").is_err(), "what followed the panic is not on disk");
    assert_eq!(world.client().look_at("q"), Ok(0));
}

#[test]
fn what_a_session_holds_of_others_is_given_back_though_it_panics() {
    let mut world = World::new();
    let (mut broken, mut other) = (world.client(), world.client());
    broken.declare("q", true);
    broken.publish("q", &["a"]);
    broken.consume("q", 1);
    let seen = catch_unwind(AssertUnwindSafe(move || {
        let _client = broken;
        panic!("planted");
    }));
    assert!(seen.is_err());
    other.consume("q", 1);
    world.turn();
    assert_eq!(bodies(&other.events()).len(), 1);
    assert_eq!(world.broker.session_count(), 1);
}
