//! Limits on what the whole node has, and whether one more queue, exchange or virtual host has
//! room.
//! Connections and channels are counted in `tallies`; what a virtual host or a user may have is
//! theirs.

use std::sync::MutexGuard;

use super::declaration::DeclarationRefused;
use super::lock::{lock, read};
use super::shared::Broker;
use crate::definitions::NodeDefinitions;
use crate::message::Resource;
use crate::protocol::reply::ChannelError;

/// How much a node may have; none is any number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeLimits {
    /// Connections that are in a virtual host.
    pub connections: Option<u64>,
    /// Channels of all connections.
    pub channels: Option<u64>,
    /// Virtual hosts.
    pub virtual_hosts: Option<u64>,
    /// Queues of all virtual hosts.
    pub queues: Option<u64>,
    /// Exchanges of all virtual hosts, with those that each has from the start.
    pub exchanges: Option<u64>,
}

/// Where there is a limit, nobody else adds anything as long as this lives: between a look at the
/// number and what is added, the number stays. It is taken while the definitions of a virtual host
/// are locked, and no others after it.
#[derive(Debug)]
pub(super) struct Room<'a>(#[expect(dead_code, reason = "it is held, not read")] Held<'a>);

type Held<'a> = Option<MutexGuard<'a, ()>>;

impl Broker {
    /// Room for one more queue.
    pub(super) fn room_for_queue(&self, queue: Resource<'_>) -> Result<Room<'_>, ChannelError> {
        let Some(limit) = self.options.node_limits.queues else { return Ok(Room(None)) };
        let room = lock(&self.adding);
        if self.queue_count() < limit {
            return Ok(Room(Some(room)));
        }
        // Here RabbitMQ says the name only.
        Err(ChannelError::precondition_failed(format!(
            "cannot declare queue '{}': queue limit in cluster ({limit}) is reached",
            queue.name
        )))
    }

    /// Room for one more exchange.
    pub(super) fn room_for_exchange(
        &self,
        exchange: Resource<'_>,
    ) -> Result<Room<'_>, ChannelError> {
        let Some(limit) = self.options.node_limits.exchanges else { return Ok(Room(None)) };
        let room = lock(&self.adding);
        if self.exchange_count() < limit {
            return Ok(Room(Some(room)));
        }
        Err(ChannelError::precondition_failed(format!(
            "cannot declare {exchange}: exchange limit of {limit} is reached"
        )))
    }

    /// Refuses one more virtual host where there are as many as may be.
    pub(super) fn check_host_room(
        &self,
        definitions: &NodeDefinitions,
        name: &str,
    ) -> Result<(), DeclarationRefused> {
        let Some(limit) = self.options.node_limits.virtual_hosts else { return Ok(()) };
        if definitions.host(name).is_some() || (definitions.hosts().count() as u64) < limit {
            return Ok(());
        }
        Err(DeclarationRefused::Full(format!(
            "cannot create vhost '{name}': vhost limit of {limit} is reached"
        )))
    }

    fn exchange_count(&self) -> u64 {
        let hosts = read(&self.virtual_hosts);
        hosts.values().map(|host| host.router.exchange_count() as u64).sum()
    }
}
