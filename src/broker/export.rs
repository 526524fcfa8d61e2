//! What is declared, gathered for a definitions file. What of it goes into the file is decided in
//! `definitions/export`; `import` is the way back.

use super::shared::Broker;
use crate::definitions::VirtualHostDefinitions;
use crate::definitions::export::{HostInventory, Inventory, Origin};

impl Broker {
    /// All that is declared: for the node at one moment, and then in each virtual host at one.
    #[must_use]
    pub fn inventory(&self) -> Inventory {
        let definitions = self.node_definitions();
        let hosts: Vec<_> = definitions.hosts().cloned().collect();
        let mut inventory = Inventory {
            users: definitions.users().cloned().collect(),
            permissions: definitions.permissions().cloned().collect(),
            topic_permissions: definitions.topic_permissions().cloned().collect(),
            parameters: definitions.parameters().cloned().collect(),
            global_parameters: definitions.global_parameters().cloned().collect(),
            policies: definitions.policies().cloned().collect(),
            hosts: Vec::new(),
        };
        drop(definitions);
        for host in hosts {
            let live = self.virtual_host(&host.key.name);
            // One that was deleted since, or made anew, is not the one that was there.
            inventory.hosts.push(match live.filter(|live| live.number == host.key.number) {
                Some(live) => HostInventory::of(host, &live.definitions()),
                None => HostInventory::of(host, &VirtualHostDefinitions::default()),
            });
        }
        inventory
    }

    /// Where a definitions file of this node comes from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin {
            rabbitmq_version: self.options.product.version.clone(),
            cluster: self.cluster_name().to_string(),
        }
    }
}
