//! What an operator does to users while their clients are connected, and how these hear of it. It
//! is not done over AMQP, so all of this is in this process; a RabbitMQ that was asked the same
//! closes the connections of a deleted user, too.

use leveret::broker::Declared;
use leveret::definitions::PermissionDefinition;
use leveret::definitions::import::Definitions;
use leveret::message::Name;
use leveret::protocol::properties::Properties;
use serde_json::json;

use crate::client::Client;
use crate::login::Login;
use crate::plain;
use crate::script::{World, check_in_process};

/// How long a refused client hears nothing.
const LOGIN_DELAY_MS: u64 = 3000;

fn login(user: &str) -> Login {
    Login { response: format!("\0{user}\0x").into_bytes(), ..Login::default() }
}

/// Somebody who may do everything in the first virtual host, and is there.
fn enter_as(world: &World, user: &str) -> Client {
    let file = json!({"users": [{"name": user, "password": "x", "tags": ""}]});
    let definitions = Definitions::read(file.to_string().as_bytes()).expect("a file");
    world.operate(|broker, now| broker.by_node().import(&definitions, now)).expect("an import");
    permit(world, user, ".*");
    let mut client = world.log_in(&login(user));
    client.open_channel(1);
    client
}

fn permit(world: &World, user: &str, write: &str) {
    let permission = PermissionDefinition::<Name> {
        user: user.into(),
        host: "/".into(),
        configure: ".*".into(),
        write: write.into(),
        read: ".*".into(),
    };
    world.operate(|broker, _| broker.by_node().set_permission(&permission)).expect("a permission");
}

#[test]
fn the_connections_of_a_deleted_user_are_closed_and_no_others() {
    check_in_process(|world| {
        let mut other = enter_as(world, "bob");
        let (mut first, mut second) = (enter_as(world, "ann"), world.log_in(&login("ann")));
        world
            .operate(|broker, _| broker.by_node().delete_users(&["ann".into()]))
            .expect("she is there");
        let text = "CONNECTION_FORCED - user 'ann' is deleted";
        first.expect_connection_close(320, text, (0, 0));
        second.expect_connection_close(320, text, (0, 0));
        other.declare_queue(1, "still here");
        let mut late = world.plug();
        late.start();
        late.authenticate(&login("ann"));
        world.advance(LOGIN_DELAY_MS);
        let text = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For \
                    details see the broker logfile.";
        late.expect_connection_close_unanswered(403, text, (0, 0));
    });
}

#[test]
fn a_permission_that_is_taken_away_is_gone_for_who_is_connected() {
    check_in_process(|world| {
        let mut client = enter_as(world, "ann");
        let queue = client.new_bound(world, "q", "amq.fanout", "");
        client.publish(1, "amq.fanout", "", b"its route is remembered");
        client.expect_message_count(1, &queue, 1);
        let cleared = world.operate(|broker, _| broker.by_node().clear_permission("/", "ann"));
        assert_eq!(cleared, Declared::Changed);
        let text = "ACCESS_REFUSED - write access to exchange 'amq.fanout' in vhost '/' refused \
                    for user 'ann'";
        let publish = plain::publish("amq.fanout", "");
        client.refuse_publish(&publish, &Properties::default(), 403, text);
        let text = "ACCESS_REFUSED - configure access to queue 'new' in vhost '/' refused for \
                    user 'ann'";
        client.refuse(&plain::queue_declare("new"), 403, text);
        permit(world, "ann", "^amq");
        client.declare_queue(1, "new");
        client.publish(1, "amq.fanout", "", b"again");
        client.expect_message_count(1, &queue, 2);
    });
}

/// A login that is refused, so much later than usual, and whose connection is held from then on.
fn fail_from(world: &World, last: u8, delay_ms: u64) {
    let mut client = world.plug_from([10, 0, 0, last].into());
    client.start();
    client.authenticate(&login("nobody"));
    if delay_ms > 0 {
        world.advance(delay_ms - 1);
        client.expect_silence();
        world.advance(1);
    }
    let text = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For \
                details see the broker logfile.";
    client.expect_connection_close_unanswered(403, text, (0, 0));
    world.advance(LOGIN_DELAY_MS - 1);
    client.expect_silence();
    world.advance(1);
    client.expect_end();
}

#[test]
fn an_address_that_guesses_waits_longer_each_time_and_nobody_else_does() {
    check_in_process(|world| {
        for delay_ms in std::iter::repeat_n(0, 10).chain([250, 500, 1000]) {
            fail_from(world, 1, delay_ms);
        }
        fail_from(world, 2, 0);
        let mut client = enter_as(world, "ann");
        client.declare_queue(1, "entered");
        let mut client = world.plug_from([10, 0, 0, 1].into());
        client.log_in(&login("ann"));
        client.open_channel(1);
        client.declare_queue(1, "right credentials are let in at once");
    });
}
