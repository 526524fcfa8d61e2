//! What holds a publisher back: an alarm, and a log that has too much to write.
//! Clients that only consume are never held back, nor are those whose messages do not go to the log
//! while there is memory for them.

use super::session::Session;
use crate::connection::Event;

impl Session {
    /// An alarm is on, and this client publishes.
    pub(super) fn block_where_alarmed(&mut self) {
        if self.is_blocked {
            return;
        }
        if let Some(reason) = self.broker.alarms.now().reason() {
            self.is_blocked = true;
            self.post(Event::Blocked { reason });
        }
    }

    /// Who is blocked stays so until the last alarm is off.
    pub(super) fn alarms_changed(&mut self) {
        if self.is_blocked && self.broker.alarms.now().is_empty() {
            self.is_blocked = false;
            self.post(Event::Unblocked);
        }
    }

    /// It publishes faster than the disk takes it. Messages that stay in memory wait for the disk
    /// only where they are too many: then the disk has to take some of them.
    pub(super) fn is_held_back(&self) -> bool {
        let durability = self.broker.durability.as_ref().filter(|_| self.has_published);
        durability.is_some_and(|durability| durability.is_behind(self.has_logged))
    }

    /// Before another batch: where the disk keeps up, what went to the log matters no more.
    pub(super) fn forget_congestion(&mut self) {
        if self.has_logged && !self.is_held_back() {
            self.has_logged = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::batch::Batch;
    use super::super::session::Place;
    use super::super::{Alarm, Broker, BrokerOptions, Left, MemoryOptions, Peer};
    use super::*;
    use crate::auth::Permissions;
    use crate::connection::Publish;
    use crate::connection::command::DeclareQueue;
    use crate::limits::LOG_PENDING_SIZE_MAX;
    use crate::message::{Body, Envelope, Message, MessageRun, Moment};
    use crate::protocol::field::FieldTable;
    use crate::store::{MemoryStorage, StoreOptions, Writer};

    /// What bodies may take that are in memory only.
    const UNLOGGED_MAX: u64 = 1024 * 1024;

    const BODY_SIZE: usize = 64 * 1024;

    /// A broker with a durable queue `durable` and a transient one; what turns its log is idle.
    fn broker() -> (Writer, Arc<Broker>) {
        let disk = Arc::new(MemoryStorage::new(1 << 26));
        let opened = crate::store::open(disk, StoreOptions::default()).unwrap();
        let (writer, left) = Left::part(opened);
        let memory = MemoryOptions { unlogged_max: UNLOGGED_MAX, ..MemoryOptions::default() };
        let broker = Broker::open(BrokerOptions::default(), [1, 2], left, memory).unwrap();
        broker.declare_defaults().unwrap();
        let broker = Arc::new(broker);
        for queue in ["durable", "transient"] {
            let declare = DeclareQueue {
                queue: queue.into(),
                is_server_named: false,
                passive: false,
                durable: queue == "durable",
                exclusive: false,
                auto_delete: false,
                arguments: FieldTable::new(),
            };
            client(&broker).declare_queue(&declare).unwrap();
        }
        (writer, broker)
    }

    fn client(broker: &Arc<Broker>) -> Session {
        let mut session = Session::new(broker.clone(), Peer { address: None }, Moment(0));
        let host = broker.virtual_host("/").unwrap();
        let permissions = Arc::new(Permissions::new(".*", ".*", ".*").unwrap());
        session.place = Some(Place { host, permissions, topics: None });
        session.channels.insert(1, session.new_channel(1));
        session
    }

    /// Publishes persistent messages, or others, until they take so many bytes.
    fn publish(session: &mut Session, queue: &str, is_persistent: bool, size: u64) {
        let (body, mut batch) = (vec![0; BODY_SIZE], Batch::default());
        for _ in 0..size.div_ceil(BODY_SIZE as u64) {
            let (exchange, properties) = ("", &[0, 0]);
            let envelope = Envelope { exchange, routing_key: queue, properties, is_persistent };
            let messages = MessageRun::one(Message::new(envelope, Body::Copied(&body)));
            let publish = Publish { channel: 1, messages, mandatory: false, confirm: 0, way: None };
            session.publish(publish, &mut batch);
        }
        session.flush(&mut batch);
    }

    /// What a session told its connection of being blocked.
    fn told(session: &mut Session) -> Vec<&'static str> {
        let mut told = Vec::new();
        while let Some(event) = session.mailbox.pop() {
            match event {
                Event::AlarmsChanged => session.alarms_changed(),
                Event::Blocked { reason } => told.push(reason),
                Event::Unblocked => told.push("unblocked"),
                _ => {}
            }
        }
        told
    }

    #[test]
    fn who_publishes_is_blocked_until_the_last_alarm_is_off() {
        let (_writer, broker) = broker();
        let (mut publisher, mut consumer) = (client(&broker), client(&broker));
        publish(&mut publisher, "transient", false, 1);
        broker.set_alarm(Alarm::Memory, true);
        assert_eq!(told(&mut publisher), [""; 0], "it may never publish again");
        assert!(publisher.may_read() && consumer.may_read());
        publish(&mut publisher, "transient", false, 1);
        assert_eq!(told(&mut publisher), ["low on memory"]);
        assert!(!publisher.may_read() && consumer.may_read());
        broker.set_alarm(Alarm::Disk, true);
        broker.set_alarm(Alarm::Memory, false);
        assert_eq!(told(&mut publisher), [""; 0]);
        broker.set_alarm(Alarm::Memory, true);
        let mut late = client(&broker);
        publish(&mut late, "transient", false, 1);
        assert_eq!(told(&mut late), ["low on memory & disk"]);
        broker.set_alarm(Alarm::Disk, false);
        assert!(told(&mut publisher).is_empty() && !publisher.may_read());
        broker.set_alarm(Alarm::Memory, false);
        assert_eq!((told(&mut publisher), told(&mut late)), (vec!["unblocked"], vec!["unblocked"]));
        assert!(publisher.may_read() && told(&mut consumer).is_empty());
    }

    #[test]
    fn an_alarm_that_is_over_before_it_is_heard_of_blocks_nobody_for_good() {
        let (_writer, broker) = broker();
        let mut publisher = client(&broker);
        broker.set_alarm(Alarm::Memory, true);
        publish(&mut publisher, "transient", false, 1);
        broker.set_alarm(Alarm::Memory, false);
        broker.set_alarm(Alarm::Memory, true);
        broker.set_alarm(Alarm::Memory, false);
        told(&mut publisher);
        assert!(publisher.may_read());
    }

    #[test]
    fn what_is_in_memory_only_goes_to_disk_while_the_process_has_too_much() {
        let (mut writer, broker) = broker();
        let mut publisher = client(&broker);
        publish(&mut publisher, "transient", false, 8 * BODY_SIZE as u64);
        broker.make_room(Moment(1));
        let (_, unlogged) = broker.body_memory();
        assert!(unlogged >= 8 * BODY_SIZE as u64, "there is room for it");
        broker.see_memory(Some(101), Some(100));
        for moment in 2..20 {
            broker.make_room(Moment(moment));
            writer.write(Moment(moment), true);
        }
        assert_eq!(broker.body_memory().1, 0);
        broker.see_memory(Some(10), Some(100));
        publish(&mut publisher, "transient", false, 1);
        broker.make_room(Moment(20));
        assert!(broker.body_memory().1 > 0);
    }

    #[test]
    fn who_publishes_nothing_for_the_log_does_not_wait_for_its_room() {
        let (mut writer, broker) = broker();
        let (mut first, mut other) = (client(&broker), client(&broker));
        publish(&mut first, "durable", true, LOG_PENDING_SIZE_MAX + 1);
        for (queue, is_persistent) in
            [("transient", false), ("transient", true), ("durable", false)]
        {
            publish(&mut other, queue, is_persistent, 1);
            assert!(first.is_held_back() && !other.is_held_back(), "{queue} {is_persistent}");
        }
        publish(&mut other, "durable", true, 1);
        assert!(other.is_held_back());
        writer.write(Moment(1), true);
        assert!(!first.is_held_back() && !other.is_held_back());
        publish(&mut first, "durable", true, LOG_PENDING_SIZE_MAX + 1);
        assert!(other.is_held_back(), "the log heard of its last message");
        writer.write(Moment(2), true);
        publish(&mut other, "transient", false, 1);
        publish(&mut first, "durable", true, LOG_PENDING_SIZE_MAX + 1);
        assert!(!other.is_held_back(), "the log has room since, and heard nothing more");
    }

    #[test]
    fn what_stays_in_memory_waits_for_the_disk_where_it_is_too_much() {
        let (mut writer, broker) = broker();
        let (mut first, mut other) = (client(&broker), client(&broker));
        publish(&mut other, "transient", false, UNLOGGED_MAX + 1);
        assert!(!other.is_held_back(), "the disk can take some of it");
        publish(&mut first, "durable", true, LOG_PENDING_SIZE_MAX + 1);
        assert!(other.is_held_back());
        writer.write(Moment(1), true);
        assert!(!other.is_held_back());
    }
}
