//! What the log hears of a durable queue.

use super::*;

#[test]
fn persistent_messages_of_a_durable_queue_are_added_before_they_are_delivered() {
    let mut queue = Queue::new(durable());
    queue.subscribe(consumer(1)).unwrap();
    for body in ["a", "b"] {
        queue.enqueue(persistent(body));
    }
    queue.enqueue(message("c"));
    queue.enqueue(persistent("d"));
    let expected = [Seen::Add(0, 2), Seen::Add(3, 1), Seen::Deliver(1, 0, 3)];
    assert_eq!(dispatched(&mut queue), expected);
    assert_eq!(dispatched(&mut queue), []);
}

#[test]
fn a_transient_queue_logs_nothing() {
    let mut queue = queue_of(&[]);
    queue.enqueue(persistent("a"));
    assert!(got(&mut queue, false).is_some());
    queue.settle(&[range(0, 0)], Outcome::Accepted);
    assert_eq!(dispatched(&mut queue), []);
}

#[test]
fn settled_messages_are_removed_by_run() {
    let mut queue = logged_queue(10);
    queue.subscribe(consumer(1)).unwrap();
    queue.dispatch(&mut Vec::new());
    queue.settle(&[range(0, 2), range(3, 3), range(6, 7)], Outcome::Accepted);
    queue.settle(&[range(8, 8)], Outcome::Rejected);
    assert_eq!(dispatched(&mut queue), [Seen::Remove(0, 3), Seen::Remove(6, 8)]);
}

#[test]
fn only_logged_messages_are_removed() {
    let mut queue = Queue::new(durable());
    for is_persistent in [true, false, true] {
        queue.enqueue(message_of("x", is_persistent));
    }
    queue.subscribe(consumer(1)).unwrap();
    queue.dispatch(&mut Vec::new());
    queue.settle(&[range(0, 2)], Outcome::Accepted);
    assert_eq!(dispatched(&mut queue), [Seen::Remove(0, 0), Seen::Remove(2, 2)]);
}

#[test]
fn failures_are_told_with_their_count_and_the_limit_removes() {
    let mut queue =
        Queue::new(durable().limited(Limits { deliveries: Some(1), ..Limits::default() }));
    queue.enqueue(persistent("a"));
    queue.enqueue(persistent("b"));
    queue.subscribe(consumer(1)).unwrap();
    queue.dispatch(&mut Vec::new());
    queue.settle(&[range(0, 1)], Outcome::Failed);
    let again = [Seen::Return(0, 1, times(1, 1)), Seen::Deliver(1, 0, 1)];
    assert_eq!(dispatched(&mut queue), again);
    queue.settle(&[range(0, 0)], Outcome::Requeued);
    assert_eq!(dispatched(&mut queue), [Seen::Deliver(1, 0, 0)], "a return is no failure");
    queue.settle(&[range(0, 1)], Outcome::Failed);
    assert_eq!(dispatched(&mut queue), [Seen::Remove(0, 1)]);
}

#[test]
fn where_counts_are_told_every_return_is_a_fact_and_elsewhere_a_polite_one_is_none() {
    for tells_counts in [true, false] {
        let mut queue = Queue::new(QueueTraits { tells_counts, ..durable() });
        (0..3).for_each(|_| _ = queue.enqueue(persistent("x")));
        queue.subscribe(consumer(1)).unwrap();
        queue.dispatch(&mut Vec::new());
        queue.settle(&[range(0, 2)], Outcome::Requeued);
        let again = Seen::Deliver(1, 0, 2);
        let polite = tells_counts.then_some(Seen::Return(0, 2, times(0, 1)));
        let expected: Vec<Seen> = polite.into_iter().chain([again]).collect();
        assert_eq!(dispatched(&mut queue), expected);
        queue.settle(&[range(1, 1)], Outcome::Failed);
        let counts = if tells_counts { times(1, 2) } else { times(1, 1) };
        let failed = Seen::Return(1, 1, counts);
        assert_eq!(dispatched(&mut queue), [failed, Seen::Deliver(1, 1, 1)]);
    }
}

#[test]
fn where_no_counts_are_told_what_came_back_politely_stays_one_with_its_neighbors() {
    let mut queue = logged_queue(4);
    for _ in 0..3 {
        assert!(got(&mut queue, false).is_some());
        queue.settle(&[range(0, 0)], Outcome::Requeued);
    }
    for _ in 0..4 {
        assert!(got(&mut queue, false).is_some());
    }
    queue.settle(&[range(0, 3)], Outcome::Requeued);
    assert_eq!(queue.contents.stretches().count(), 1);
    assert_eq!(dispatched(&mut queue), []);
}

#[test]
fn what_is_counted_is_known_after_a_restart() {
    let traits = QueueTraits { tells_counts: true, ..durable() };
    let run = RecoveredRun {
        range: range(0, 1),
        bytes: 2,
        is_redelivered: true,
        counts: times(2, 7),
        expires: false,
        level: None,
    };
    let mut queue = Queue::recovered(traits, 2, [run]);
    queue.subscribe(consumer(1)).unwrap();
    queue.dispatch(&mut Vec::new());
    queue.fetched(range(0, 1), bodies(range(0, 1)));
    queue.dispatch(&mut Vec::new());
    queue.settle(&[range(0, 0)], Outcome::Requeued);
    queue.settle(&[range(1, 1)], Outcome::Failed);
    let facts = [Seen::Return(0, 0, times(2, 8)), Seen::Return(1, 1, times(3, 8))];
    assert_eq!(dispatched(&mut queue)[..2], facts);
}

#[test]
fn a_purge_removes_what_is_ready_and_a_delete_says_nothing() {
    let mut queue = logged_queue(4);
    queue.enqueue(message("transient"));
    assert!(got(&mut queue, false).is_some());
    assert_eq!(queue.purge().len(), 4);
    assert_eq!(dispatched(&mut queue), [Seen::Remove(1, 3)]);
    queue.enqueue(persistent("late"));
    queue.delete(false, false).unwrap();
    assert_eq!(dispatched(&mut queue), []);
}

#[test]
fn a_logged_message_stays_until_the_session_settles_what_needs_no_acknowledgement() {
    let mut queue = logged_queue(2);
    queue.enqueue(message("transient"));
    queue.subscribe(Consumer { no_ack: true, prefetch_count: 1, ..consumer(1) }).unwrap();
    let mut effects = Vec::new();
    queue.dispatch(&mut effects);
    let Some(Effect::Deliver(_, run)) = effects.pop() else { panic!("a run") };
    let needs: Vec<bool> = run.iter().map(|delivery| delivery.needs_settle).collect();
    assert_eq!(needs, [true, true, false]);
    assert_eq!(queue.counts().unsettled, 2);
    queue.settle(&[range(0, 1)], Outcome::Accepted);
    assert_eq!(dispatched(&mut queue), [Seen::Remove(0, 1)]);
    assert_eq!(queue.counts().unsettled, 0);
}

#[test]
fn a_get_without_acknowledgement_is_settled_by_the_session_too() {
    let mut queue = logged_queue(1);
    let (delivery, _) = got(&mut queue, true).unwrap();
    assert!(delivery.needs_settle);
    queue.settle(&[range(0, 0)], Outcome::Accepted);
    assert_eq!(dispatched(&mut queue), [Seen::Remove(0, 0)]);
}

#[test]
fn what_a_dead_session_did_not_send_comes_back_without_facts() {
    let mut queue = logged_queue(2);
    queue.enqueue(message("transient"));
    queue.subscribe(Consumer { no_ack: true, ..consumer(1) }).unwrap();
    let mut effects = Vec::new();
    queue.dispatch(&mut effects);
    let Some(Effect::Deliver(id, run)) = effects.pop() else { panic!("a run") };
    queue.return_unseen(id, run);
    assert_eq!(queue.counts().unsettled, 0);
    let again = [(1, 0, false), (1, 1, false), (1, 2, false)];
    assert_eq!(delivered(&mut queue), again);
}

#[test]
fn transient_messages_are_logged_from_the_back() {
    let mut queue = queue_of(&["a", "b", "c", "d"]);
    let size = crate::limits::MESSAGE_OVERHEAD_SIZE + 1;
    assert_eq!(queue.resident(), Resident { logged: 0, unlogged: 4 * size });
    queue.store_transient(2 * size);
    assert_eq!(dispatched(&mut queue), [Seen::Add(2, 2)]);
    assert_eq!(queue.resident(), Resident { logged: 2 * size, unlogged: 2 * size });
    queue.store_transient(1);
    assert_eq!(dispatched(&mut queue), [Seen::Add(1, 1)], "at least one");
    queue.store_transient(u64::MAX);
    assert_eq!(dispatched(&mut queue), [Seen::Add(0, 1)]);
    assert_eq!(queue.contents.stretches().count(), 1);
    queue.subscribe(consumer(1)).unwrap();
    assert_eq!(dispatched(&mut queue), [Seen::Deliver(1, 0, 3)]);
    queue.settle(&[range(0, 3)], Outcome::Accepted);
    assert_eq!(dispatched(&mut queue), [Seen::Remove(0, 3)]);
}

#[test]
fn transient_messages_that_came_back_are_logged_too_in_order() {
    let mut queue = queue_of(&["a", "b", "c"]);
    assert!(got(&mut queue, false).is_some());
    queue.settle(&[range(0, 0)], Outcome::Requeued);
    queue.store_transient(u64::MAX);
    assert_eq!(dispatched(&mut queue), [Seen::Add(0, 1), Seen::Add(1, 2)]);
}

#[test]
fn what_is_out_or_came_back_is_redelivered_after_a_stop() {
    let mut queue = logged_queue(6);
    queue.enqueue(message("transient"));
    for _ in 0..3 {
        assert!(got(&mut queue, false).is_some());
    }
    queue.settle(&[range(0, 0)], Outcome::Failed);
    queue.settle(&[range(1, 1)], Outcome::Requeued);
    let (once, never) = (times(1, 1), times(0, 0));
    let told = [(range(0, 0), once), (range(1, 1), never), (range(2, 2), never)];
    assert_eq!(queue.redelivered(), told);
}
