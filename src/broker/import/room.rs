//! Whether the queues of a definitions file have room in their virtual hosts. It is looked at
//! before anything is declared, by the limits that hold then, and in RabbitMQ's words.

use std::collections::{BTreeMap, BTreeSet};

use super::{DeclarationRefused, ImportFailure, ImportReport};
use crate::broker::shared::Broker;
use crate::broker::virtual_host::VirtualHost;
use crate::definitions::import::{Declaration, Definitions};

impl Broker {
    pub(super) fn check_room(&self, definitions: &Definitions) -> Result<(), ImportFailure> {
        let mut wished: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for item in &definitions.items {
            if let Declaration::Queue(queue) = &item.declaration {
                wished.entry(&queue.host).or_default().insert(&queue.name);
            }
        }
        for (host, queues) in wished {
            let live = self.virtual_host(host);
            if let Some(text) = live.and_then(|live| shortage(&live, &queues)) {
                let label = format!("queues in vhost '{host}'");
                let (reason, done) = (DeclarationRefused::Invalid(text), ImportReport::default());
                return Err(ImportFailure { label, reason, done });
            }
        }
        Ok(())
    }
}

fn shortage(host: &VirtualHost, wished: &BTreeSet<&str>) -> Option<String> {
    let limit = host.limits().queues?;
    let definitions = host.definitions();
    let new = wished.iter().filter(|name| definitions.queue(name).is_none()).count();
    let there = definitions.queues_count();
    if new == 0 || (there + new) as u64 <= limit {
        return None;
    }
    let name = &host.name;
    Some(format!(
        "Adding {new} queue(s) to virtual host \"{name}\" would exceed the limit of {limit} \
         queue(s).\n\nThis virtual host currently has {there} queue(s) defined.\n\nImport aborted!"
    ))
}
