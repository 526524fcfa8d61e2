//! The end of a virtual host: who is in it is told, and everything in it goes, from memory and from
//! the log. A restart brings nothing of it back from the first step on: what stands in the log of a
//! virtual host that is not declared is passed over.

use std::sync::Arc;

use tracing::info;

use super::author::Author;
use super::declaration::Declared;
use super::queues::remove;
use super::virtual_host::VirtualHost;
use super::work::Work;
use crate::connection::Event;
use crate::message::Moment;
use crate::protocol::reply::ConnectionError;

impl Author<'_> {
    /// Deletes a virtual host with all that is in it, and what is said of it. Its connections are
    /// closed.
    pub fn delete_virtual_host(&self, name: &str, now: Moment) -> Declared {
        let Some(host) = self.forget_host(name) else { return Declared::Unchanged };
        info!(target: "node", "deleting vhost '{name}'");
        let mut work = self.work(now);
        self.expel(&host, &mut work);
        // Those who declare look under this lock whether they may: later nobody adds a queue.
        let definitions = host.definitions();
        let queues = host.all_queues();
        drop(definitions);
        for queue in queues {
            // Where it is refused, somebody else deleted it just before.
            let _ = remove(&host, &queue, false, false, &mut work);
            self.look_after(&mut work);
        }
        host.clear(&mut work);
        self.events.note_host_end(&host, &mut work);
        self.note_change(work.position);
        self.look_after(&mut work);
        work.wake();
        Declared::Changed
    }

    /// Nobody finds it any more, today or after a restart.
    fn forget_host(&self, name: &str) -> Option<Arc<VirtualHost>> {
        let mut definitions = self.node_definitions();
        let definition = definitions.host(name)?.clone();
        let live = self.virtual_host(name);
        let plan = definitions.plan_delete_host(&definition);
        self.apply_plan_to_node(&mut definitions, &plan);
        live
    }

    /// Closes the connections that are in a virtual host.
    fn expel(&self, host: &VirtualHost, work: &mut Work) {
        let text = format!("vhost '{}' is deleted", host.name);
        for mailbox in self.tallies.shut(host) {
            let event = Event::Closing(ConnectionError::connection_forced(text.clone()));
            // Who is already gone needs no word.
            let _ = mailbox.push(event, &mut work.wakers);
        }
        work.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::task::Wake;

    use super::super::lock::read;
    use super::super::session::{Place, Session};
    use super::super::{Broker, BrokerOptions, Left, MemoryOptions, Peer};
    use super::*;
    use crate::auth::Permissions;
    use crate::connection::command::DeclareQueue;
    use crate::definitions::import::Definitions;
    use crate::definitions::{BindingEnd, HostLimits, HostSettings};
    use crate::message::{Body, Envelope, Message};
    use crate::protocol::field::FieldTable;
    use crate::store::{MemoryStorage, StoreOptions, Writer};

    const FILE: &[u8] = br#"{
        "vhosts": [{"name": "/", "limits": {"max-queues": 5}}, {"name": "kept"}],
        "exchanges": [
            {"vhost": "/", "name": "x", "type": "fanout"},
            {"vhost": "/", "name": "y", "type": "fanout"}
        ],
        "queues": [{"vhost": "/", "name": "q"}, {"vhost": "kept", "name": "q"}],
        "bindings": [
            {"vhost": "/", "source": "x", "destination": "q", "destination_type": "queue"},
            {"vhost": "/", "source": "amq.topic", "destination": "y",
             "destination_type": "exchange"},
            {"vhost": "/", "source": "amq.topic", "destination": "amq.fanout",
             "destination_type": "exchange"}
        ]
    }"#;

    /// A broker over a disk in memory, and the log's thread by hand.
    struct World {
        disk: MemoryStorage,
        writer: Writer,
        broker: Broker,
    }

    impl World {
        fn open(disk: MemoryStorage) -> Self {
            let opened = crate::store::open(Arc::new(disk.clone()), StoreOptions::default());
            let (writer, left) = Left::part(opened.unwrap());
            let (options, memory) = (BrokerOptions::default(), MemoryOptions::default());
            let broker = Broker::open(options, [1, 2], left, memory).unwrap();
            Self { disk, writer, broker }
        }

        fn turn(&mut self) {
            self.writer.write(Moment(1), true);
            self.writer.sync();
        }

        fn killed(self) -> Self {
            let disk = self.disk.kill();
            drop(self);
            Self::open(disk)
        }

        /// A message goes into the queue that is deleted.
        fn fill(&self) {
            let properties = &[0, 0];
            let (exchange, routing_key, is_persistent) = ("", "q", true);
            let envelope = Envelope { exchange, routing_key, properties, is_persistent };
            let message = Message::new(envelope, Body::Copied(b"lost"));
            let queue = self.broker.virtual_host("/").unwrap().queue("q").unwrap();
            let mut work = Work::default();
            queue.with(&mut work, |live| live.queue.enqueue(message)).unwrap();
        }
    }

    fn world() -> World {
        let world = World::open(MemoryStorage::new(1 << 26));
        world.broker.declare_defaults().unwrap();
        world.broker.by_node().import(&Definitions::read(FILE).unwrap(), Moment(1)).unwrap();
        world.fill();
        world
    }

    #[test]
    fn nothing_of_a_deleted_virtual_host_is_left_in_memory() {
        let world = world();
        let host = world.broker.virtual_host("/").unwrap();
        let queue = host.queue("q").unwrap();
        let deleted = world.broker.by_node().delete_virtual_host("/", Moment(1));
        assert_eq!(deleted, Declared::Changed);
        assert!(queue.is_gone() && host.queue("q").is_none());
        let definitions = host.definitions();
        assert!(definitions.exchange("x").is_none() && definitions.exchange("y").is_none());
        let fanout = BindingEnd::Exchange("amq.fanout".into());
        assert_eq!(definitions.bindings_to(&fanout).count(), 0);
        drop(definitions);
        assert_eq!(world.broker.figures().queues, 1, "that of another virtual host");
        let deleted = world.broker.by_node().delete_virtual_host("/", Moment(1));
        assert_eq!(deleted, Declared::Unchanged);
    }

    #[test]
    fn nothing_of_a_deleted_virtual_host_comes_back_after_a_restart() {
        let mut world = world();
        world.turn();
        assert_eq!(world.broker.by_node().delete_virtual_host("/", Moment(1)), Declared::Changed);
        world.turn();
        let mut world = world.killed();
        assert!(world.broker.virtual_host("/").is_none());
        assert!(world.broker.host_limits().is_empty());
        world.broker.declare_virtual_host("/", HostSettings::default());
        let host = world.broker.virtual_host("/").unwrap();
        assert_eq!((host.queue_count(), host.limits()), (0, HostLimits::default()));
        assert!(host.definitions().exchange("x").is_none());
        assert_eq!(world.broker.virtual_host("kept").unwrap().queue_count(), 1);
        world.turn();
        let world = world.killed();
        assert_eq!(world.broker.virtual_host("/").unwrap().queue_count(), 0);
    }

    /// The log stands as after the first step of a deletion: the rest is not needed for it.
    #[test]
    fn a_crash_between_the_first_step_and_the_last_leaves_nothing_either() {
        let mut world = world();
        world.broker.by_node().forget_host("/").unwrap();
        world.turn();
        let mut world = world.killed();
        assert!(world.broker.virtual_host("/").is_none());
        world.broker.declare_virtual_host("/", HostSettings::default());
        world.turn();
        let world = world.killed();
        let host = world.broker.virtual_host("/").unwrap();
        assert_eq!(host.queue_count(), 0);
        assert!(host.definitions().exchange("x").is_none());
    }

    /// Turns the log as soon as it is told to, and only then.
    struct Turner(Mutex<Writer>);

    impl Wake for Turner {
        fn wake(self: Arc<Self>) {
            let mut writer = self.0.lock().unwrap();
            writer.write(Moment(1), true);
            writer.sync();
        }
    }

    #[test]
    fn a_log_that_is_cut_as_early_as_it_can_be_has_the_whole_first_step_or_nothing() {
        let mut world = world();
        world.turn();
        let World { disk, writer, broker } = world;
        let log = broker.durability.as_ref().unwrap().log.clone();
        let turner = Arc::new(Turner(Mutex::new(writer)));
        let open = log.append().position();
        assert!(!log.register(&turner.clone().into()), "there is nothing to cut");
        log.want(open);
        broker.by_node().forget_host("/").unwrap();
        let world = World::open(disk.kill());
        assert!(world.broker.virtual_host("/").is_none());
        assert!(world.broker.host_limits().is_empty());
        drop((broker, turner));
    }

    #[test]
    fn who_is_still_in_a_deleted_virtual_host_declares_nothing_there() {
        let broker = Arc::new(world().broker);
        let host = broker.virtual_host("/").unwrap();
        let mut session = Session::new(broker.clone(), Peer { address: None }, Moment(0));
        let permissions = Arc::new(Permissions::new(".*", ".*", ".*").unwrap());
        session.place = Some(Place { host: host.clone(), permissions, topics: None });
        broker.by_node().delete_virtual_host("/", Moment(1));
        let declare = DeclareQueue {
            queue: "late".into(),
            is_server_named: false,
            passive: false,
            durable: true,
            exclusive: false,
            auto_delete: false,
            arguments: FieldTable::new(),
        };
        let refused = session.declare_queue(&declare).unwrap_err();
        assert_eq!(refused.text(), "CONNECTION_FORCED - vhost '/' is deleted");
        assert_eq!(host.queue_count(), 0);
    }

    #[test]
    fn limits_hold_after_a_restart() {
        let mut world = world();
        world.broker.by_node().set_user_limit("guest", "max-channels", 7.into()).unwrap();
        world.turn();
        let world = world.killed();
        assert_eq!(world.broker.virtual_host("/").unwrap().limits().queues, Some(5));
        let users = read(&world.broker.users);
        assert_eq!(users.user("guest").unwrap().limits.channels, Some(7));
    }
}
