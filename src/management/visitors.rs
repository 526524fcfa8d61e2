//! Who is at the door: how many come from one address, and whether anybody has logged in on a
//! connection. What a user may ask is in `caller`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::broker::Peer;
use crate::limits::MANAGEMENT_CONNECTIONS_PER_PEER_MAX;

/// Connections by where they come from; this machine is not counted.
#[derive(Debug, Default)]
pub(super) struct Visitors(Mutex<BTreeMap<IpAddr, usize>>);

/// One connection, counted as long as it lives.
#[derive(Debug)]
pub(super) struct Visitor<'a> {
    visitors: &'a Visitors,
    origin: Option<IpAddr>,
}

impl Visitors {
    /// Lets a connection in; none where as many came from there as may.
    pub(super) fn enter(&self, peer: Peer) -> Option<Visitor<'_>> {
        let origin = origin(peer);
        if let Some(origin) = origin {
            let mut counts = self.lock();
            let count = counts.entry(origin).or_default();
            if *count >= MANAGEMENT_CONNECTIONS_PER_PEER_MAX {
                return None;
            }
            *count += 1;
        }
        Some(Visitor { visitors: self, origin })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Visitor<'_> {
    fn drop(&mut self) {
        let Some(origin) = self.origin else { return };
        let mut counts = self.visitors.lock();
        if let Some(count) = counts.get_mut(&origin) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&origin);
            }
        }
    }
}

/// What counts as one place: an address, and of the newer ones the network, of which one machine
/// has as many as it likes.
fn origin(peer: Peer) -> Option<IpAddr> {
    let address = peer.address.filter(|_| !peer.is_loopback())?.to_canonical();
    Some(match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
    })
}

/// Whether a user has logged in on a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Acquaintance(Arc<Steps>);

/// How far it has come.
#[derive(Debug, Default)]
struct Steps {
    is_sought: AtomicBool,
    is_made: AtomicBool,
}

impl Acquaintance {
    /// Somebody has said who it is, and waits to hear whether it is believed.
    pub(super) fn seek(&self) {
        self.0.is_sought.store(true, Ordering::Relaxed);
    }

    pub(super) fn make(&self) {
        self.0.is_made.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_made(&self) -> bool {
        self.0.is_made.load(Ordering::Relaxed)
    }

    /// Comes to an end where nobody has tried to log in when the time is over. Whoever has is
    /// answered, however long that takes: an answer that lets nobody in is a connection's last.
    pub(super) async fn is_missed(&self, patience: Duration) {
        tokio::time::sleep(patience).await;
        if self.is_made() || self.0.is_sought.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }
}
