//! Queues that go when nobody uses them (`x-expires`): what counts as use, and what does not.

use leveret::protocol::field::FieldTable;
use leveret::protocol::methods::queue;

use crate::plain;
use crate::script::{World, check};
use crate::steps::arguments;

/// The time without use after which the queues here go.
const EXPIRES_MS: i32 = 2000;
/// Less than that, and three times as much is more.
const WITHIN_MS: u64 = 800;

fn expiring() -> FieldTable {
    arguments([("x-expires", EXPIRES_MS.into())])
}

/// More than enough for a queue to go.
fn until_it_is_gone(world: &World) {
    (0..3).for_each(|_| world.advance(WITHIN_MS + 100));
}

#[test]
fn a_queue_that_nobody_uses_goes_with_its_messages() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue_with(world, "q", expiring());
        client.fill_confirmed(&name, &["a"]);
        until_it_is_gone(world);
        client.expect_no_queue(1, &name);
    });
}

#[test]
fn who_asks_for_a_queue_or_declares_it_again_uses_it() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue_with(world, "q", expiring());
        world.advance(WITHIN_MS);
        client.expect_message_count(1, &name, 0);
        world.advance(WITHIN_MS);
        client.perform(&queue::Declare { arguments: expiring(), ..plain::queue_declare(&name) });
        world.advance(WITHIN_MS);
        client.expect_message_count(1, &name, 0);
        until_it_is_gone(world);
        client.expect_no_queue(1, &name);
    });
}

#[test]
fn a_get_is_a_use_and_a_publish_is_none() {
    check(|world| {
        let mut client = world.client();
        let got = client.new_queue_with(world, "got", expiring());
        let filled = client.new_queue_with(world, "filled", expiring());
        for _ in 0..4 {
            world.advance(WITHIN_MS);
            assert!(client.get(1, &got, true).is_none());
            client.fill(&filled, &["a"]);
        }
        client.expect_no_queue(1, &filled);
        client.expect_message_count(1, &got, 0);
    });
}

#[test]
fn a_queue_stays_while_it_has_a_consumer_and_its_whole_time_after_that() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue_with(world, "q", expiring());
        client.consume(1, &plain::consume(&name, "c"));
        until_it_is_gone(world);
        client.perform(&plain::cancel("c"));
        world.advance(WITHIN_MS);
        client.expect_message_count(1, &name, 0);
        client.consume(1, &plain::consume(&name, "c"));
        until_it_is_gone(world);
        client.perform(&plain::cancel("c"));
        until_it_is_gone(world);
        client.expect_no_queue(1, &name);
    });
}

#[test]
fn a_queue_whose_consumer_is_lost_has_its_whole_time() {
    check(|world| {
        let mut client = world.client();
        let name = client.new_queue_with(world, "q", expiring());
        let mut worker = world.client();
        worker.consume(1, &plain::consume(&name, "c"));
        until_it_is_gone(world);
        worker.hang_up();
        world.advance(WITHIN_MS);
        client.expect_message_count(1, &name, 0);
        until_it_is_gone(world);
        client.expect_no_queue(1, &name);
    });
}
