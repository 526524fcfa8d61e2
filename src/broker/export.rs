//! What is declared, gathered for a definitions file. What of it goes into the file is decided in
//! `definitions/export`; `import` is the way back.

use super::shared::Broker;
use crate::definitions::HostDefinition;
use crate::definitions::export::{HostContents, HostInventory, Inventory, Origin};

impl Broker {
    /// All that is declared: for the node at one moment, and then in each virtual host at one.
    #[must_use]
    pub fn inventory(&self) -> Inventory {
        self.inventory_where(|_| true)
    }

    /// The same with no other virtual host than this one; none where it is not there.
    #[must_use]
    pub fn inventory_of(&self, host: &str) -> Option<Inventory> {
        let inventory = self.inventory_where(|known| *known.key.name == *host);
        (!inventory.hosts.is_empty()).then_some(inventory)
    }

    fn inventory_where(&self, is_meant: impl Fn(&HostDefinition) -> bool) -> Inventory {
        let definitions = self.node_definitions();
        let hosts: Vec<_> = definitions.hosts().filter(|host| is_meant(host)).cloned().collect();
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
            let live = live.filter(|live| live.number == host.key.number);
            // Nobody who declares waits longer than it takes to gather pointers.
            let all = live.map(|live| HostContents::of(&live.definitions())).unwrap_or_default();
            inventory.hosts.push(HostInventory::of(host, all));
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
