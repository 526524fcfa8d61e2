//! Virtual hosts side by side: what is declared in one is not there in another. Which ones there
//! are and who may enter them is the operator's; over a socket there is only one to be sure of.

use crate::login::Login;
use crate::script::check_in_process;

// Rule: connection.open.virtual-host.separation
#[test]
fn nothing_declared_in_one_virtual_host_is_seen_from_another() {
    check_in_process(|world| {
        world.add_virtual_host("other");
        let mut here = world.client();
        let mut there = world.log_in(&Login { virtual_host: "other", ..Login::default() });
        there.open_channel(1);
        let queue = here.new_bound(world, "shared", "amq.fanout", "");
        here.fill_confirmed(&queue, &["mine"]);
        assert_eq!(there.declare_queue(1, &queue).message_count, 0);
        there.publish(1, "amq.fanout", "", b"theirs");
        there.expect_message_count(1, &queue, 0);
        here.expect_message_count(1, &queue, 1);
        assert_eq!(here.drain(&queue), ["mine"]);
    });
}
