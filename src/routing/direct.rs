//! Direct exchanges: the exact key.

use std::sync::Arc;

use hashbrown::HashMap;

use super::destination::{Destination, DestinationSet};

/// Destinations by key.
#[derive(Debug, Default)]
pub(super) struct Direct(HashMap<Arc<str>, DestinationSet, foldhash::fast::FixedState>);

impl Direct {
    pub(super) fn bind(&mut self, routing_key: &Arc<str>, destination: Destination) {
        self.0.entry(routing_key.clone()).or_default().add(destination);
    }

    pub(super) fn unbind(&mut self, routing_key: &str, destination: Destination) -> bool {
        let Some(set) = self.0.get_mut(routing_key) else { return false };
        let was_there = set.remove(destination);
        if set.is_empty() {
            self.0.remove(routing_key);
        }
        was_there
    }

    pub(super) fn route(&self, routing_key: &str, out: &mut Vec<Destination>) {
        if let Some(set) = self.0.get(routing_key) {
            out.extend(set.iter());
        }
    }
}
