//! A whole node in this process for tests: a disk that the test brings, the node's threads, its
//! doors and clients over sockets. It reads no configuration.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lapin::{Connection, ConnectionProperties};
use tokio::sync::Notify;

use super::store_threads::StoreThreads;
use crate::broker::{Broker, BrokerOptions, Left, MemoryOptions, Watermark};
use crate::server::{AmqpDoor, Clock, Doors, Listener, ListenerOptions, bind};
use crate::store::{Log, Storage, StoreOptions};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A node without its configuration.
pub(super) struct Node {
    pub(super) disk: Arc<dyn Storage>,
    pub(super) broker: Arc<Broker>,
    pub(super) log: Arc<Log>,
    pub(super) threads: StoreThreads,
    pub(super) failed: Arc<Notify>,
    address: SocketAddr,
    _doors: Doors,
}

impl Node {
    pub(super) fn start(disk: Arc<dyn Storage>) -> Self {
        let opened = crate::store::open(disk.clone(), StoreOptions::default()).unwrap();
        let (writer, left) = Left::part(opened);
        let log = left.log.clone();
        let memory = MemoryOptions::default();
        let disk_free_limit = Watermark::Absolute(0);
        let options = BrokerOptions { disk_free_limit, ..BrokerOptions::default() };
        let broker = Broker::open(options, [1, 2], left, memory).unwrap();
        if !broker.is_defined() {
            broker.declare_defaults().unwrap();
        }
        let (broker, clock) = (Arc::new(broker), Clock::start());
        let failed = Arc::new(Notify::new());
        let threads = StoreThreads::start(writer, &broker, clock, &failed).unwrap();
        let listener: Listener =
            bind(([127, 0, 0, 1], 0).into(), ListenerOptions::default()).unwrap();
        let address = listener.local_address().unwrap();
        let doors = Doors::default();
        listener.run(&AmqpDoor::new(broker.clone(), clock, doors.clone()), &doors);
        Self { disk, broker, log, threads, failed, address, _doors: doors }
    }

    pub(super) async fn connect(&self) -> Connection {
        let uri = format!("amqp://guest:guest@{}/%2f", self.address);
        Connection::connect(&uri, ConnectionProperties::default()).await.unwrap()
    }

    /// It stops in order and starts again.
    pub(super) fn restarted(self) -> Self {
        self.broker.tell_delivered();
        self.threads.stop();
        Self::start(self.disk)
    }
}

pub(super) async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it takes too long")
}
