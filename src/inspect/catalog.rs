//! What is declared in a store, and which queue holds what: numbers and records turned into names.
//! It reads no messages.

use std::collections::BTreeMap;

use super::failure::Failure;
use crate::definitions::record::{self, Fact};
use crate::definitions::{Change, NodeChange, QueueDefinition};
use crate::message::{Name, QueueId, QueueKind, RecoveredRun, VirtualHostNumber};
use crate::store::{Definition, RecoveredQueue};

/// Names below this likeness are not what was meant.
const NEAR: f64 = 0.7;

/// How many near names are told.
const NEAR_COUNT: usize = 3;

/// Everything that is declared, by name.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    hosts: BTreeMap<VirtualHostNumber, Name>,
    /// How many there are of each kind, in the words of definitions files.
    pub(super) counts: BTreeMap<&'static str, u64>,
    /// Why definitions cannot be read.
    pub(super) unreadable: Vec<String>,
    /// Those that are declared, by virtual host and name; then those that only hold something.
    pub(super) queues: Vec<QueueState>,
}

/// One queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct QueueState {
    pub(super) number: QueueId,
    /// None where it is no longer declared.
    pub(super) virtual_host: Option<Name>,
    /// None where its declaration is not there.
    pub(super) name: Option<Name>,
    pub(super) kind: Option<QueueKind>,
    pub(super) runs: Vec<RecoveredRun>,
}

impl QueueState {
    pub(super) fn messages(&self) -> u64 {
        self.runs.iter().map(|run| run.range.count()).sum()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.runs.iter().map(|run| run.bytes).sum()
    }

    /// A start would have it again.
    pub(super) fn is_declared(&self) -> bool {
        self.virtual_host.is_some()
    }
}

impl Catalog {
    /// Reads definitions, and finds what is in their queues.
    pub(super) fn of(definitions: &[Definition], queues: &[RecoveredQueue]) -> Self {
        let mut catalog = Self { counts: kinds().collect(), ..Self::default() };
        let mut declared = Vec::new();
        for (key, value) in definitions {
            match record::decode(key, value) {
                Ok(fact) => catalog.take(fact, &mut declared),
                Err(error) => catalog.unreadable.push(error.to_string()),
            }
        }
        catalog.find_contents(&declared, queues);
        catalog
    }

    fn take(&mut self, fact: Fact, declared: &mut Vec<(VirtualHostNumber, QueueDefinition)>) {
        *self.counts.entry(kind(&fact)).or_default() += 1;
        match fact {
            Fact::Node(NodeChange::HostDeclared(host)) => {
                self.hosts.insert(host.key.number, host.key.name.clone());
            }
            Fact::Host(number, Change::QueueDeclared(queue)) => {
                declared.push((number, (*queue).clone()));
            }
            Fact::Node(_) | Fact::Host(..) | Fact::Seen(..) => {}
        }
    }

    fn find_contents(
        &mut self,
        declared: &[(VirtualHostNumber, QueueDefinition)],
        queues: &[RecoveredQueue],
    ) {
        let mut contents: BTreeMap<QueueId, &RecoveredQueue> =
            queues.iter().map(|queue| (queue.queue, queue)).collect();
        for (host, queue) in declared {
            let runs = contents.remove(&queue.id).map_or(Vec::new(), |found| found.runs.clone());
            let virtual_host = self.hosts.get(host).cloned();
            if virtual_host.is_some() || !runs.is_empty() {
                self.queues.push(QueueState {
                    number: queue.id,
                    virtual_host,
                    name: Some(queue.name.clone()),
                    kind: Some(queue.options.kind),
                    runs,
                });
            }
        }
        let left = contents.into_values().filter(|queue| !queue.runs.is_empty());
        self.queues.extend(left.map(|queue| QueueState {
            number: queue.queue,
            virtual_host: None,
            name: None,
            kind: None,
            runs: queue.runs.clone(),
        }));
        self.queues.sort_by(|one, other| order(one).cmp(&order(other)));
    }

    /// The queue of a name.
    pub(super) fn find(&self, host: &str, name: &str) -> Result<&QueueState, Failure> {
        if !self.hosts.values().any(|known| **known == *host) {
            let known = self.hosts.values().cloned().collect();
            return Err(Failure::NoVirtualHost { name: host.to_owned(), known });
        }
        let is_it = |queue: &&QueueState| {
            queue.virtual_host.as_deref() == Some(host) && queue.name.as_deref() == Some(name)
        };
        self.queues.iter().find(is_it).ok_or_else(|| Failure::NoQueue {
            what: format!("queue '{name}' in virtual host '{host}'"),
            near: self.near(host, name),
        })
    }

    /// The queue of a number.
    pub(super) fn find_number(&self, number: u64) -> Result<&QueueState, Failure> {
        let found = self.queues.iter().find(|queue| queue.number.0 == number);
        found.ok_or_else(|| Failure::NoQueue {
            what: format!("queue of number {number}"),
            near: Vec::new(),
        })
    }

    /// Names like this one, and the same name elsewhere.
    fn near(&self, host: &str, name: &str) -> Vec<String> {
        let mut near = Vec::new();
        for queue in &self.queues {
            let (Some(own_host), Some(own)) = (&queue.virtual_host, &queue.name) else { continue };
            let likeness = strsim::jaro_winkler(own, name);
            let text = match **own_host == *host {
                true => format!("'{own}'"),
                false => format!("'{own}' in virtual host '{own_host}'"),
            };
            if likeness >= NEAR {
                near.push((likeness, text));
            }
        }
        near.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        near.into_iter().take(NEAR_COUNT).map(|(_, text)| text).collect()
    }
}

fn order(queue: &QueueState) -> (bool, &Option<Name>, &Option<Name>, QueueId) {
    (!queue.is_declared(), &queue.virtual_host, &queue.name, queue.number)
}

fn kinds() -> impl Iterator<Item = (&'static str, u64)> {
    let kinds = ["vhosts", "users", "permissions", "exchanges", "queues", "bindings"];
    kinds.into_iter().map(|kind| (kind, 0))
}

/// What a definition is of, in the words of definitions files.
fn kind(fact: &Fact) -> &'static str {
    match fact {
        Fact::Node(change) => match change {
            NodeChange::HostDeclared(_) | NodeChange::HostDeleted(_) => "vhosts",
            NodeChange::UserDeclared(_) | NodeChange::UserDeleted(_) => "users",
            NodeChange::PermissionSet(_) | NodeChange::PermissionCleared(_) => "permissions",
            NodeChange::TopicPermissionSet(_) | NodeChange::TopicPermissionCleared(_) => {
                "topic_permissions"
            }
            NodeChange::PolicySet(_) | NodeChange::PolicyCleared(_) => "policies",
            NodeChange::ParameterSet(_) | NodeChange::ParameterCleared(_) => "parameters",
            NodeChange::GlobalParameterSet(_) | NodeChange::GlobalParameterCleared(_) => {
                "global_parameters"
            }
        },
        Fact::Seen(..) => "deduplication_keys",
        Fact::Host(_, change) => match change {
            Change::ExchangeDeclared(_) | Change::ExchangeDeleted(_) => "exchanges",
            Change::QueueDeclared(_) | Change::QueueConfigured(_) | Change::QueueDeleted(_) => {
                "queues"
            }
            Change::Bound(_) | Change::Unbound(_) => "bindings",
        },
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::definitions::{
        HostDefinition, HostKey, HostSettings, VirtualHostDefinitions,
        record::{encode_in_host, encode_node},
    };
    use crate::message::{DeliveryCounts, QueueDeclaration, QueueOptions, SequenceRange};
    use crate::protocol::field::FieldTable;

    fn host(number: u64, name: &str) -> Definition {
        let key = HostKey { number: VirtualHostNumber(number), name: name.into() };
        let (settings, declared_by) = (HostSettings::default(), "ann".into());
        let host = HostDefinition { key, settings, declared_by };
        let record = encode_node(&NodeChange::HostDeclared(Arc::new(host)));
        (record.key.into(), record.value.unwrap().into())
    }

    fn queue(host: u64, number: u64, name: &str) -> Definition {
        let declaration = QueueDeclaration {
            name,
            virtual_host: "",
            durable: true,
            exclusive: false,
            auto_delete: false,
            server_named: false,
        };
        let arguments = FieldTable::new();
        let queue = QueueDefinition {
            id: QueueId(number),
            name: name.into(),
            durable: true,
            auto_delete: false,
            owner: None,
            options: QueueOptions::parse(&declaration, &arguments, QueueKind::Classic).unwrap(),
            arguments,
            ttl_before: Vec::new(),
        };
        let change = Change::QueueDeclared(Arc::new(queue));
        let definitions = VirtualHostDefinitions::default();
        let record = encode_in_host(VirtualHostNumber(host), &change, &definitions).unwrap();
        (record.key.into(), record.value.unwrap().into())
    }

    fn holding(number: u64, count: u64) -> RecoveredQueue {
        let range = SequenceRange::starting(3, count);
        let run = |range| RecoveredRun {
            range,
            bytes: 10 * count,
            is_redelivered: true,
            counts: DeliveryCounts::NONE,
            expires: false,
            level: None,
        };
        let runs = range.map(run).into_iter().collect();
        RecoveredQueue { queue: QueueId(number), next_sequence: 3 + count, runs }
    }

    /// Two virtual hosts; queues with and without messages, and messages without a queue.
    pub(in crate::inspect) fn catalog() -> Catalog {
        let definitions = [
            host(1, "/"),
            host(2, "shop"),
            queue(1, 5, "orders"),
            queue(1, 6, "border"),
            queue(2, 7, "orders"),
            queue(9, 8, "of a host that is gone"),
        ];
        let queues = [holding(5, 2), holding(6, 0), holding(8, 1), holding(11, 4), holding(12, 0)];
        Catalog::of(&definitions, &queues)
    }

    #[test]
    fn queues_are_by_virtual_host_and_name_and_what_is_not_declared_comes_last() {
        let catalog = catalog();
        let line = |queue: &QueueState| {
            let name = |name: &Option<Name>| name.as_deref().unwrap_or("-").to_owned();
            (name(&queue.virtual_host), name(&queue.name), queue.messages(), queue.bytes())
        };
        let lines: Vec<_> = catalog.queues.iter().map(line).collect();
        let expected = [
            ("/", "border", 0, 0),
            ("/", "orders", 2, 20),
            ("shop", "orders", 0, 0),
            ("-", "-", 4, 40),
            ("-", "of a host that is gone", 1, 10),
        ];
        let expected = expected.map(|(host, name, messages, bytes)| {
            (host.to_owned(), name.to_owned(), messages, bytes)
        });
        assert_eq!(lines, expected);
        assert_eq!((catalog.counts["vhosts"], catalog.counts["queues"]), (2, 4));
        assert_eq!((catalog.counts["users"], catalog.unreadable.len()), (0, 0));
    }

    #[test]
    fn a_queue_is_found_by_name_or_number_and_near_names_are_told() {
        let catalog = catalog();
        assert_eq!(catalog.find("shop", "orders").unwrap().number, QueueId(7));
        assert_eq!(catalog.find_number(11).unwrap().messages(), 4);
        let error = catalog.find("/", "order").unwrap_err().to_string();
        let expected = "there is no queue 'order' in virtual host '/'; near it are 'orders', \
                        'orders' in virtual host 'shop', 'border'";
        assert_eq!(error, expected);
        let error = catalog.find("/", "xyz").unwrap_err().to_string();
        assert_eq!(error, "there is no queue 'xyz' in virtual host '/'");
        let error = catalog.find("shp", "orders").unwrap_err().to_string();
        assert_eq!(error, "there is no virtual host 'shp'; there are: /, shop");
        assert!(catalog.find_number(12).is_err());
    }

    #[test]
    fn a_definition_that_cannot_be_read_is_told_and_the_others_count() {
        let strange: Definition = (Box::new([1, 99]), Box::new([1]));
        let catalog = Catalog::of(&[strange, host(1, "/")], &[]);
        assert_eq!(catalog.unreadable, ["unknown kind 99"]);
        assert_eq!(catalog.counts["vhosts"], 1);
    }
}
