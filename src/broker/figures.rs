//! How the broker fares, for those who watch it. Everything here is told at once, however much the
//! broker holds: nothing walks over queues or messages, and of clients only the channels are
//! looked at. What takes a walk is in `queue_figures`.

use super::alarm::Alarms;
use super::churn::ChurnFigures;
use super::dead_letter_counts::DeadLetterFigures;
use super::lock::read;
use super::measures::MeasuredFigures;
use super::message_counts::MessageFigures;
use super::shared::Broker;
use super::traffic::TrafficFigures;
use crate::store::{Health, StoreFigures};

/// How a broker fares at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerFigures {
    /// Connections, with those that are still logging in.
    pub connections: u64,
    /// Queues of all virtual hosts.
    pub queues: u64,
    /// Bytes of bodies in memory that are on disk too.
    pub logged_body_bytes: u64,
    /// Bytes of bodies that are in memory only.
    pub unlogged_body_bytes: u64,
    /// Bytes that clients hold: bodies that came in part, transactions, buffers.
    pub session_bytes: u64,
    /// Messages that died in queues with a dead-letter exchange, and what became of them.
    pub dead_letters: DeadLetterFigures,
    /// Messages that came from clients and went to them.
    pub traffic: TrafficFigures,
    /// Connections, channels and queues that came and went.
    pub churn: ChurnFigures,
    /// How large messages are, and how long things take.
    pub measured: MeasuredFigures,
    /// Messages that wait, and those that were not taken because their equal was there.
    pub messages: MessageFigures,
    /// Bodies that are in memory only are more than they should be, and are written out.
    pub is_unlogged_over: bool,
    /// Bytes of bodies in memory only from which on that is so; none where there is no store.
    pub unlogged_limit: Option<u64>,
    /// What publishers are blocked for.
    pub alarms: Alarms,
    /// Bytes of memory above which they are.
    pub memory_limit: u64,
    /// Free bytes of the disk below which they are.
    pub disk_free_limit: u64,
    /// How the log fares; well where there is none.
    pub health: Health,
    /// How the store fares; all zero where there is none.
    pub store: StoreFigures,
}

impl Broker {
    /// How it fares now.
    #[must_use]
    pub fn figures(&self) -> BrokerFigures {
        let (logged_body_bytes, unlogged_body_bytes) = self.body_memory();
        let durability = self.durability.as_ref();
        BrokerFigures {
            connections: self.session_count() as u64,
            queues: self.queue_count(),
            logged_body_bytes,
            unlogged_body_bytes,
            session_bytes: self.session_memory(),
            dead_letters: self.counts.dead_letters.figures(),
            traffic: self.client_figures().traffic,
            churn: self.churn.figures(),
            measured: self.measures.figures(self.counts.deliver_ms.figures()),
            messages: self.counts.figures(),
            is_unlogged_over: durability
                .is_some_and(|durability| durability.memory.is_unlogged_over()),
            unlogged_limit: durability.map(|durability| durability.memory.unlogged_max),
            alarms: self.alarms(),
            memory_limit: self.memory_limit(),
            disk_free_limit: self.disk_free_limit(),
            health: durability.map_or(Health::Good, |durability| durability.log.health()),
            store: self.store_figures(),
        }
    }

    /// How the store fares; all zero where there is none.
    #[must_use]
    pub fn store_figures(&self) -> StoreFigures {
        self.durability.as_ref().map(|durability| durability.figures()).unwrap_or_default()
    }

    /// What comes and goes.
    #[must_use]
    pub fn churn(&self) -> ChurnFigures {
        self.churn.figures()
    }

    /// Virtual hosts are few, and each knows how many queues it has.
    pub(super) fn queue_count(&self) -> u64 {
        read(&self.virtual_hosts).values().map(|host| host.queue_count() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::broker::{Alarm, BrokerOptions, Left, MemoryOptions, Peer, Session};
    use crate::definitions::import::Definitions;
    use crate::message::Moment;
    use crate::store::{MemoryStorage, StoreOptions, Writer};

    fn opened() -> (Arc<Broker>, Writer) {
        let disk = Arc::new(MemoryStorage::new(1 << 26));
        let opened = crate::store::open(disk, StoreOptions::default()).unwrap();
        let (writer, left) = Left::part(opened);
        let (options, memory) = (BrokerOptions::default(), MemoryOptions::default());
        let broker = Broker::open(options, [1, 2], left, memory).unwrap();
        (Arc::new(broker), writer)
    }

    #[test]
    fn connections_and_queues_of_all_hosts_are_counted() {
        let (broker, _writer) = opened();
        assert_eq!((broker.figures().connections, broker.figures().queues), (0, 0));
        let file = br#"{
            "vhosts": [{"name": "/"}, {"name": "b"}],
            "queues": [
                {"name": "q", "vhost": "/", "durable": true, "auto_delete": false},
                {"name": "r", "vhost": "/", "durable": false, "auto_delete": false},
                {"name": "q", "vhost": "b", "durable": true, "auto_delete": false}
            ]
        }"#;
        broker.by_node().import(&Definitions::read(file).unwrap(), Moment(0)).unwrap();
        assert_eq!(broker.figures().queues, 3);
        let session = Session::new(broker.clone(), Peer { address: None }, Moment(0));
        assert_eq!(broker.figures().connections, 1);
        drop(session);
        assert_eq!(broker.figures().connections, 0);
    }

    #[test]
    fn bytes_in_memory_are_those_that_were_counted() {
        let (broker, _writer) = opened();
        let before = broker.figures();
        assert_eq!((before.logged_body_bytes, before.unlogged_body_bytes), (0, 0));
        let memory = &broker.durability.as_ref().unwrap().memory;
        let now = crate::queue::Resident { logged: 5, unlogged: 7 };
        memory.update(crate::queue::Resident::default(), now);
        let _charge = broker.connection_options.account.charge(9);
        let after = broker.figures();
        let bytes = (after.logged_body_bytes, after.unlogged_body_bytes, after.session_bytes);
        assert_eq!(bytes, (5, 7, before.session_bytes + 9));
        assert!(!after.is_unlogged_over);
        let _much = broker.connection_options.account.charge(1 << 60);
        assert!(broker.figures().is_unlogged_over);
    }

    #[test]
    fn an_alarm_and_a_log_that_failed_are_told() {
        let (broker, writer) = opened();
        assert_eq!(
            (broker.figures().alarms, broker.figures().health),
            (Alarms::default(), Health::Good)
        );
        broker.set_alarm(Alarm::Disk, true);
        writer.log().poison("it broke");
        let figures = broker.figures();
        assert_eq!(figures.health, Health::Poisoned("it broke".into()));
        assert!(figures.alarms.has(Alarm::Disk));
        assert_eq!(figures.store.free_bytes, writer.free_bytes().unwrap());
    }

    #[test]
    fn a_broker_without_a_store_has_nothing_on_disk() {
        let broker = Broker::new(BrokerOptions::default(), [1, 2]).unwrap();
        let figures = broker.figures();
        assert_eq!((figures.store, figures.health), (StoreFigures::default(), Health::Good));
    }
}
