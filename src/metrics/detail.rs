//! Which metrics of objects belong to which answer: all of them, or those of the groups that a
//! scraper asks for by RabbitMQ's names, of the virtual hosts that it names.

use std::collections::HashMap;
use std::sync::Arc;

use super::answer::Answer;
use super::channel_families::CHANNELS;
use super::connection_families::CONNECTIONS;
use super::exchange_families::{
    CountedExchange, EXCHANGES, EXCHANGES_OF_CLUSTER, HOSTS_OF_CLUSTER, Host,
};
use super::family::Seen;
use super::memory_families::MEMORY;
use super::object_family::{Group, Object, ObjectFamily};
use super::queue_families::{QUEUE_AGES, QUEUE_INFO, QUEUE_LATENCIES, QUEUES};
use super::table::{families, text};
use super::text::Text;
use crate::broker::{Broker, ListedChannel, ListedConnection, ListedExchange, ListedQueue};
use crate::message::Name;
use crate::protocol::percent;

/// Groups of metrics of the node, by the names that they have in all answers.
const OF_NODE: &[(&str, &[&str])] = &[
    (
        "connection_churn_metrics",
        &[
            "rabbitmq_connections_opened_total",
            "rabbitmq_connections_closed_total",
            "rabbitmq_channels_opened_total",
            "rabbitmq_channels_closed_total",
            "rabbitmq_queues_declared_total",
            "rabbitmq_queues_created_total",
            "rabbitmq_queues_deleted_total",
        ],
    ),
    (
        "node_coarse_metrics",
        &[
            "rabbitmq_process_open_fds",
            "rabbitmq_process_resident_memory_bytes",
            "rabbitmq_disk_space_available_bytes",
        ],
    ),
    (
        "node_metrics",
        &[
            "rabbitmq_process_max_fds",
            "rabbitmq_resident_memory_limit_bytes",
            "rabbitmq_disk_space_available_limit_bytes",
            "rabbitmq_erlang_uptime_seconds",
        ],
    ),
    (
        "auth_attempt_metrics",
        &[
            "rabbitmq_auth_attempts_total",
            "rabbitmq_auth_attempts_succeeded_total",
            "rabbitmq_auth_attempts_failed_total",
        ],
    ),
];

/// What tells whose metrics these are; every answer has it.
const OF_EVERY_ANSWER: [&str; 2] = ["rabbitmq_build_info", "rabbitmq_identity_info"];

/// What a scraper asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    /// Groups of metrics.
    pub(super) families: Vec<String>,
    /// Virtual hosts; none means all.
    pub(super) hosts: Vec<String>,
}

impl Wish {
    /// Reads what stands behind the question mark: `family` and `vhost`, any number of each.
    pub(super) fn read(query: &str) -> Self {
        let mut wish = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "family" => wish.add_family(percent::decode(value)),
                "vhost" => wish.hosts.push(percent::decode(value)),
                _ => {}
            }
        }
        wish
    }

    /// Who asks for all there is of queues asks for their consumers, too.
    fn add_family(&mut self, family: String) {
        if family == "queue_metrics" {
            self.families.push("queue_consumer_count".to_owned());
        }
        self.families.push(family);
    }

    fn is_for(&self, group: &str) -> bool {
        self.families.iter().any(|family| family == group)
    }

    fn is_for_any<T: Object>(&self, groups: &[Group<T>]) -> bool {
        groups.iter().any(|group| self.is_for(group.name))
    }

    fn names(&self, host: &str) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|named| named == host)
    }
}

/// Everything, and each object by itself where that is told of all together otherwise; what takes
/// measuring only where it is wished for.
pub(super) fn of_each(broker: &Broker, seen: &Seen<'_>, wish: &Wish) -> Answer {
    let mut text = Text::default();
    let is_of_objects =
        |name: &str| object_names().any(|(begin, one)| name.strip_prefix(begin) == Some(one));
    let common = families().filter(|family| !is_of_objects(family.name));
    common.for_each(|family| family.tell(seen, &mut text));
    let mut answer = Answer::at(seen.now);
    answer.add_text(text);
    let queues: Arc<[ListedQueue]> = queues(broker, |_| true);
    QUEUES.iter().for_each(|group| answer.add(PREFIX, group, &queues));
    answer.add(OWN, &QUEUE_AGES, &queues);
    if wish.is_for(QUEUE_LATENCIES.name) {
        answer.add(OWN, &QUEUE_LATENCIES, &queues);
    }
    answer.add(PREFIX, &QUEUE_INFO, &queues);
    let exchanges: Arc<[ListedExchange]> = exchanges(broker, |_| true);
    EXCHANGES.iter().for_each(|group| answer.add(PREFIX, group, &exchanges));
    add_clients(broker, PREFIX, &mut answer, |_| true);
    answer
}

/// Everything, of all objects together. What no counter of the node has is added up.
pub(super) fn of_all(broker: &Broker, seen: &Seen<'_>) -> Answer {
    let mut text = Text::default();
    families().for_each(|family| family.tell(seen, &mut text));
    let mut answer = Answer::at(seen.now);
    answer.add_text(text);
    let connections = broker.connections();
    let channels = connections.iter().flat_map(ListedConnection::channels).collect();
    answer.add_sums(PREFIX, not_of_node(CHANNELS), channels);
    answer.add_sums(PREFIX, not_of_node(CONNECTIONS), connections.into());
    answer
}

/// Metrics of objects that are not told of the node as a whole.
fn not_of_node<T: Object>(groups: &'static [Group<T>]) -> Vec<&'static ObjectFamily<T>> {
    let is_of_node = |name| families().any(|family| family.name.strip_prefix(PREFIX) == Some(name));
    let families = groups.iter().flat_map(|group| group.families);
    families.filter(|family| !is_of_node(family.name)).collect()
}

/// What was asked for.
pub(super) fn of_wish(broker: &Broker, seen: &Seen<'_>, wish: &Wish) -> Answer {
    let mut text = Text::default();
    for family in families().filter(|family| OF_EVERY_ANSWER.contains(&family.name)) {
        family.tell(seen, &mut text);
    }
    for (_, names) in OF_NODE.iter().filter(|(group, _)| wish.is_for(group)) {
        for family in families().filter(|family| names.contains(&family.name)) {
            family.tell_as(&family.name.replacen(PREFIX, DETAILED, 1), seen, &mut text);
        }
    }
    let mut answer = Answer::at(seen.now);
    answer.add_text(text);
    add_queues(broker, wish, &mut answer);
    if wish.is_for_any(EXCHANGES) {
        let exchanges: Arc<[ListedExchange]> = exchanges(broker, |host| wish.names(host));
        EXCHANGES.iter().for_each(|group| answer.add(DETAILED, group, &exchanges));
    }
    add_clients(broker, DETAILED, &mut answer, |group| wish.is_for(group));
    add_cluster(broker, wish, &mut answer);
    answer
}

/// What the memory is in.
pub(super) fn of_memory(seen: &Seen<'_>) -> String {
    let of_every_answer = families().filter(|family| OF_EVERY_ANSWER.contains(&family.name));
    text(of_every_answer.chain(MEMORY), seen)
}

const PREFIX: &str = "rabbitmq_";
const DETAILED: &str = "rabbitmq_detailed_";
const OWN: &str = "leveret_";
const CLUSTER: &str = "rabbitmq_cluster_";

fn add_queues(broker: &Broker, wish: &Wish, answer: &mut Answer) {
    let own = [&QUEUE_AGES, &QUEUE_LATENCIES].into_iter().filter(|group| wish.is_for(group.name));
    if !wish.is_for_any(QUEUES) && own.clone().next().is_none() {
        return;
    }
    let queues: Arc<[ListedQueue]> = queues(broker, |host| wish.names(host));
    let wished = |group: &&Group<ListedQueue>| wish.is_for(group.name);
    QUEUES.iter().filter(wished).for_each(|group| answer.add(DETAILED, group, &queues));
    own.for_each(|group| answer.add(OWN, group, &queues));
    answer.add(DETAILED, &QUEUE_INFO, &queues);
}

fn add_clients(
    broker: &Broker,
    begin: &'static str,
    answer: &mut Answer,
    is_wished: impl Fn(&str) -> bool,
) {
    let connections = broker.connections();
    if CHANNELS.iter().any(|group| is_wished(group.name)) {
        let channels = connections.iter().flat_map(ListedConnection::channels);
        let channels: Arc<[ListedChannel]> = channels.collect();
        let wished = CHANNELS.iter().filter(|group| is_wished(group.name));
        wished.for_each(|group| answer.add(begin, group, &channels));
    }
    let connections: Arc<[ListedConnection]> = connections.into();
    let wished = CONNECTIONS.iter().filter(|group| is_wished(group.name));
    wished.for_each(|group| answer.add(begin, group, &connections));
}

fn add_cluster(broker: &Broker, wish: &Wish, answer: &mut Answer) {
    if wish.is_for_any(EXCHANGES_OF_CLUSTER) {
        let exchanges: Arc<[CountedExchange]> = hosts(broker, |host| wish.names(host))
            .flat_map(|host| counted_exchanges(broker, &host))
            .collect();
        let wished = EXCHANGES_OF_CLUSTER.iter().filter(|group| wish.is_for(group.name));
        wished.for_each(|group| answer.add(CLUSTER, group, &exchanges));
    }
    if wish.is_for_any(HOSTS_OF_CLUSTER) {
        let hosts: Arc<[Host]> = hosts(broker, |host| wish.names(host)).map(Host).collect();
        HOSTS_OF_CLUSTER.iter().for_each(|group| answer.add(CLUSTER, group, &hosts));
    }
}

/// Names of metrics that are told of objects, and what they begin with.
fn object_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    let queues = QUEUES.iter().flat_map(|group| group.families).map(|family| family.name);
    let channels = CHANNELS.iter().flat_map(|group| group.families).map(|family| family.name);
    let connections = CONNECTIONS.iter().flat_map(|group| group.families).map(|family| family.name);
    let own = QUEUE_AGES.families.iter().map(|family| (OWN, family.name));
    queues.chain(channels).chain(connections).map(|name| (PREFIX, name)).chain(own)
}

fn hosts(broker: &Broker, is_wished: impl Fn(&str) -> bool) -> impl Iterator<Item = Name> {
    broker.host_names().into_iter().filter(move |host| is_wished(host))
}

fn queues(broker: &Broker, is_wished: impl Fn(&str) -> bool) -> Arc<[ListedQueue]> {
    hosts(broker, is_wished).flat_map(|host| broker.queues(&host)).collect()
}

fn exchanges(broker: &Broker, is_wished: impl Fn(&str) -> bool) -> Arc<[ListedExchange]> {
    hosts(broker, is_wished).flat_map(|host| broker.exchanges(&host)).collect()
}

/// Exchanges that clients may publish to by name.
fn counted_exchanges(broker: &Broker, host: &str) -> Vec<CountedExchange> {
    let mut counts = HashMap::<Name, u64>::new();
    for source in broker.binding_sources(host) {
        *counts.entry(source).or_default() += 1;
    }
    let exchanges = broker.exchanges(host).into_iter();
    let public = exchanges
        .filter(|exchange| !exchange.definition.internal && !exchange.definition.name.is_empty());
    let counted = public.map(|exchange| {
        let bindings = counts.get(&exchange.definition.name).copied().unwrap_or(0);
        CountedExchange { exchange, bindings }
    });
    counted.collect()
}
