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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::QueueId;

    fn queue(id: u64) -> Destination {
        Destination::Queue(QueueId(id))
    }

    #[test]
    fn only_the_exact_key_leads_anywhere() {
        let (mut direct, mut out) = (Direct::default(), Vec::new());
        direct.bind(&"a.b".into(), queue(2));
        direct.bind(&"a.b".into(), queue(1));
        direct.bind(&"".into(), queue(3));
        for key in ["a", "a.b.", "A.B", "*", "#"] {
            direct.route(key, &mut out);
            assert_eq!(out, [], "{key}");
        }
        direct.route("a.b", &mut out);
        direct.route("", &mut out);
        assert_eq!(out, [queue(1), queue(2), queue(3)]);
    }

    #[test]
    fn a_key_without_bindings_is_forgotten() {
        let mut direct = Direct::default();
        direct.bind(&"a".into(), queue(1));
        assert!(!direct.unbind("b", queue(1)) && !direct.unbind("a", queue(2)));
        assert!(direct.unbind("a", queue(1)) && direct.0.is_empty());
    }
}
