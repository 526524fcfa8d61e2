//! Limits on how fast a user, or all clients of a virtual host, may publish: nobody hears an error
//! and nothing is lost; who published too much is read no further before that is paid for. Nobody
//! sets limits over AMQP, and time is under our hand, so all of this is in this process.

use leveret::definitions::import::Definitions;
use leveret::protocol::frame;
use leveret::protocol::methods::{Method, basic, confirm, tx};
use leveret::protocol::properties::Properties;
use serde_json::json;

use crate::client::{BASIC, Client};
use crate::login::Login;
use crate::plain;
use crate::script::{World, check_in_process};

/// What a connection that has its turn may take over its due: as many small messages as there are
/// in what it takes at once.
const PORTION: u64 = 6;

const BODY_SIZE: usize = 20;

fn limit_host(world: &World, host: &str, limit: &str, value: i64) {
    let set = world.operate(|broker, _| broker.by_node().set_host_limit(host, limit, json!(value)));
    set.expect("a limit");
}

fn limit_guest(world: &World, limit: &str, value: i64) {
    let set =
        world.operate(|broker, _| broker.by_node().set_user_limit("guest", limit, json!(value)));
    set.expect("a limit");
}

/// The body of a message: its number, and as large as all.
fn body(number: u64) -> String {
    format!("{number:0width$}", width = BODY_SIZE)
}

/// So many messages to queue `q` on channel 1, as they stand in a socket.
fn publishes(count: u64) -> Vec<u8> {
    let (mut properties, mut bytes) = (Vec::new(), Vec::new());
    Properties::default().encode(&mut properties);
    for number in 1..=count {
        let body = body(number);
        frame::write_method(&mut bytes, 1, &plain::publish("", "q"));
        frame::write_header(&mut bytes, 1, BASIC, body.len() as u64, &properties);
        frame::write_body(&mut bytes, 1, body.as_bytes());
    }
    bytes
}

/// A client in confirm mode.
struct Publisher {
    client: Client,
    confirmed: u64,
}

impl Publisher {
    fn new(world: &World) -> Self {
        Self::of(world, &Login::default())
    }

    fn of(world: &World, login: &Login) -> Self {
        let mut client = world.log_in(login);
        client.open_channel(1);
        client.send(1, &confirm::Select { nowait: false });
        client.expect(1, &confirm::SelectOk {});
        Self { client, confirmed: 0 }
    }

    fn publish(&mut self, count: u64) {
        self.client.send_bytes(&publishes(count));
    }

    /// How many messages were confirmed so far; nothing else came.
    fn confirmed(&mut self) -> u64 {
        while let Some(frame) = self.client.try_next_frame() {
            let Method::BasicAck(ack) = frame.method() else { panic!("{frame:?}") };
            self.confirmed = ack.delivery_tag;
        }
        self.confirmed
    }
}

fn with_queue(world: &World) -> Client {
    let mut client = world.client();
    client.declare_queue(1, "q");
    client
}

/// Ten messages of that size a second, by any of the limits.
fn each_limit(script: impl Fn(&World, &dyn Fn(i64))) {
    let bytes = 10 * BODY_SIZE as i64;
    check_in_process(|world| {
        script(world, &|on| limit_host(world, "/", "max-publish-rate", on * 10));
    });
    check_in_process(|world| {
        script(world, &|on| limit_host(world, "/", "max-publish-bytes-rate", on * bytes));
    });
    check_in_process(|world| {
        script(world, &|on| limit_guest(world, "max-publish-rate", on * 10));
    });
    check_in_process(|world| {
        script(world, &|on| limit_guest(world, "max-publish-bytes-rate", on * bytes));
    });
}

#[test]
fn who_publishes_too_much_waits_and_loses_nothing() {
    each_limit(|world, limit| {
        let mut other = with_queue(world);
        let mut publisher = Publisher::new(world);
        limit(1);
        publisher.publish(40);
        for elapsed in (0..=3000).step_by(50) {
            let (due, confirmed) = (10 + elapsed / 100, publisher.confirmed());
            assert!((due..=due + PORTION).contains(&confirmed), "{confirmed} after {elapsed}");
            world.advance(50);
        }
        assert_eq!(publisher.confirmed(), 40);
        assert_eq!(other.drain("q"), (1..=40).map(body).collect::<Vec<_>>());
    });
}

#[test]
fn who_keeps_to_it_never_waits_and_may_use_a_second_at_once() {
    each_limit(|world, limit| {
        let _other = with_queue(world);
        limit(1);
        let mut publisher = Publisher::new(world);
        for second in 1..=5 {
            publisher.publish(10);
            assert_eq!(publisher.confirmed(), 10 * second);
            world.advance(1000);
        }
        world.advance(3_600_000);
        publisher.publish(100);
        assert!((60..=60 + PORTION).contains(&publisher.confirmed()), "an hour is not saved");
    });
}

#[test]
fn a_limit_that_is_changed_or_taken_away_holds_at_once_for_who_waits() {
    each_limit(|world, limit| {
        let _other = with_queue(world);
        let mut publisher = Publisher::new(world);
        publisher.publish(100);
        assert_eq!(publisher.confirmed(), 100);
        limit(1);
        publisher.publish(100);
        assert!(publisher.confirmed() <= 110 + PORTION);
        limit(2);
        let confirmed = publisher.confirmed();
        assert!(
            (130..=136 + PORTION).contains(&confirmed),
            "{confirmed}: what was owed is forgiven"
        );
        limit(-1);
        assert_eq!(publisher.confirmed(), 200);
    });
}

#[test]
fn connections_take_turns_and_share_what_there_is() {
    each_limit(|world, limit| {
        let _other = with_queue(world);
        limit(1);
        let mut publishers = [(); 3].map(|()| Publisher::new(world));
        publishers.iter_mut().for_each(|publisher| publisher.publish(300));
        world.advance(20_000);
        let before = publishers.each_mut().map(Publisher::confirmed);
        world.advance(30_000);
        let after = publishers.each_mut().map(Publisher::confirmed);
        let shares: Vec<u64> =
            after.iter().zip(before).map(|(after, before)| after - before).collect();
        assert!(
            shares.iter().all(|share| (100 - PORTION..=100 + PORTION).contains(share)),
            "{shares:?}"
        );
        let all = after.iter().sum::<u64>();
        assert!((510..=510 + 3 * PORTION).contains(&all), "{all}");
    });
}

#[test]
fn who_comes_behind_a_flood_has_its_turn_soon() {
    each_limit(|world, limit| {
        let _other = with_queue(world);
        limit(1);
        let (mut flood, mut rare) = (Publisher::new(world), Publisher::new(world));
        flood.publish(1000);
        for number in 1..=5 {
            rare.publish(1);
            world.advance(1500);
            assert_eq!(rare.confirmed(), number);
        }
    });
}

#[test]
fn who_comes_again_as_the_same_user_has_paid_nothing_by_that() {
    check_in_process(|world| {
        let _other = with_queue(world);
        limit_guest(world, "max-publish-rate", 1);
        for _ in 0..3 {
            let mut publisher = Publisher::new(world);
            publisher.publish(1);
            publisher.client.hang_up();
        }
        let mut publisher = Publisher::new(world);
        publisher.publish(100);
        world.advance(2000);
        assert!(publisher.confirmed() <= PORTION);
    });
}

#[test]
fn who_only_consumes_is_not_held_back_nor_is_another_virtual_host_or_user() {
    check_in_process(|world| {
        world.add_virtual_host("other");
        let mut consumer = with_queue(world);
        consumer.perform(&basic::Qos { prefetch_size: 0, prefetch_count: 1, global: false });
        consumer.consume(1, &basic::Consume { no_ack: false, ..plain::consume("q", "c") });
        limit_host(world, "/", "max-publish-rate", 1);
        let mut publisher = Publisher::new(world);
        publisher.publish(100);
        for number in 1..=20 {
            let delivery = consumer.expect_delivery(1);
            assert_eq!(delivery.content.text(), body(number));
            consumer.declare_queue(1, "q");
            let delivery_tag = delivery.method.delivery_tag;
            consumer.send(1, &basic::Ack { delivery_tag, multiple: false });
            world.advance(1000);
        }
        let login = Login { virtual_host: "other", ..Login::default() };
        let mut elsewhere = Publisher::of(world, &login);
        elsewhere.publish(100);
        assert_eq!(elsewhere.confirmed(), 100);
    });
}

#[test]
fn the_limit_of_a_user_holds_in_all_virtual_hosts_together() {
    check_in_process(|world| {
        world.add_virtual_host("other");
        limit_guest(world, "max-publish-rate", 10);
        let login = Login { virtual_host: "other", ..Login::default() };
        let (mut here, mut there) = (Publisher::new(world), Publisher::of(world, &login));
        here.publish(10);
        there.publish(10);
        assert_eq!(here.confirmed(), 10);
        assert!(there.confirmed() <= PORTION);
    });
}

#[test]
fn who_waits_for_long_is_not_taken_for_dead_before_it_is_read_again() {
    check_in_process(|world| {
        let _other = with_queue(world);
        limit_host(world, "/", "max-publish-rate", 1);
        let (count, size) = (30, 100_000);
        limit_host(world, "/", "max-publish-bytes-rate", 1000);
        let mut publisher = Publisher::of(world, &Login { heartbeat: 10, ..Login::default() });
        // One message pays for nearly two minutes.
        publisher.client.publish(1, "", "q", &vec![0; size]);
        publisher.publish(count);
        world.advance(95_000);
        assert_eq!(publisher.confirmed(), 1);
        world.advance(40_000);
        assert_eq!(publisher.confirmed(), 1 + count);
        // It is silent now.
        world.advance(60_000);
        publisher.confirmed();
        publisher.client.expect_end();
    });
}

#[test]
fn who_waits_hears_that_the_broker_stops_and_its_answer_is_heard() {
    check_in_process(|world| {
        let _other = with_queue(world);
        limit_host(world, "/", "max-publish-rate", 1);
        let mut publisher = Publisher::new(world);
        publisher.publish(100);
        assert!(publisher.confirmed() <= 1 + PORTION);
        world.shut_down();
        let text = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";
        publisher.client.expect_connection_close(320, text, (0, 0));
    });
}

#[test]
fn messages_of_a_transaction_count_when_they_are_published() {
    check_in_process(|world| {
        let mut client = with_queue(world);
        limit_host(world, "/", "max-publish-rate", 10);
        client.send(1, &tx::Select {});
        client.expect(1, &tx::SelectOk {});
        client.send_bytes(&publishes(30));
        client.send(1, &tx::Rollback {});
        client.send(1, &tx::Commit {});
        for elapsed in (0..1300).step_by(100) {
            assert_eq!(client.try_next_frame(), None, "after {elapsed}");
            world.advance(100);
        }
        world.advance(700);
        client.expect(1, &tx::RollbackOk {});
        client.expect(1, &tx::CommitOk {});
        client.expect_message_count(1, "q", 0);
    });
}

#[test]
fn limits_of_a_definitions_file_hold() {
    for file in [
        json!({"vhosts": [{"name": "/", "limits": {"max-publish-rate": 10}}]}),
        json!({"parameters": [{
            "vhost": "/", "component": "vhost-limits", "name": "limits",
            "value": {"max-publish-rate": 10},
        }]}),
        json!({"users": [{
            "name": "guest", "password": "guest", "tags": "administrator",
            "limits": {"max-publish-rate": 10},
        }]}),
    ] {
        check_in_process(|world| {
            let mut publisher = Publisher::new(world);
            let definitions = Definitions::read(file.to_string().as_bytes()).expect("a file");
            let done = world.operate(|broker, now| broker.by_node().import(&definitions, now));
            done.expect("an import");
            publisher.publish(40);
            assert!((10..=10 + PORTION).contains(&publisher.confirmed()), "{file}");
        });
    }
}

#[test]
fn large_messages_are_taken_one_by_one() {
    check_in_process(|world| {
        let _other = with_queue(world);
        limit_host(world, "/", "max-publish-bytes-rate", 1000);
        let mut publisher = Publisher::new(world);
        let large = vec![0; 10_000];
        (0..3).for_each(|_| publisher.client.publish(1, "", "q", &large));
        for (elapsed, expected) in [(0, 1), (8_999, 1), (1, 2), (9_999, 2), (1, 3)] {
            world.advance(elapsed);
            assert_eq!(publisher.confirmed(), expected);
        }
    });
}
