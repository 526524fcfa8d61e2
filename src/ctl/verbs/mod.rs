//! The table of all verbs, one noun a file.

mod absent;
mod alarm_limits;
mod bindings;
mod built_in;
mod channels;
mod connections;
mod consumers;
mod definitions;
mod events;
mod exchanges;
mod features;
mod health;
mod lifecycle;
mod links;
mod listeners;
mod logs;
mod maintenance;
mod memory;
mod message_sizes;
mod node;
mod parameters;
mod permissions;
mod plugins;
mod policies;
mod queues;
mod report;
mod tls;
mod topic_permissions;
mod user_limits;
mod users;
mod virtual_host_limits;
mod virtual_hosts;

use super::api::{Answer, Trouble};
use super::failure::Failure;
use super::output::Output;
use super::verb::Section;

/// The verbs of all tools but one.
pub(super) const ALL: &[Section] = &[
    Section { title: "Node", verbs: node::VERBS },
    Section { title: "Start and stop", verbs: lifecycle::VERBS },
    Section { title: "Maintenance", verbs: maintenance::VERBS },
    Section { title: "Health checks", verbs: health::VERBS },
    Section { title: "Listeners", verbs: listeners::VERBS },
    Section { title: "TLS", verbs: tls::VERBS },
    Section { title: "Sizes of messages", verbs: message_sizes::VERBS },
    Section { title: "Memory", verbs: memory::VERBS },
    Section { title: "Alarms", verbs: alarm_limits::VERBS },
    Section { title: "Logs", verbs: logs::VERBS },
    Section { title: "Events", verbs: events::VERBS },
    Section { title: "Reports", verbs: report::VERBS },
    Section { title: "Users", verbs: users::VERBS },
    Section { title: "Permissions", verbs: permissions::VERBS },
    Section { title: "Topic permissions", verbs: topic_permissions::VERBS },
    Section { title: "Virtual hosts", verbs: virtual_hosts::VERBS },
    Section { title: "Limits of virtual hosts", verbs: virtual_host_limits::VERBS },
    Section { title: "Limits of users", verbs: user_limits::VERBS },
    Section { title: "Queues", verbs: queues::VERBS },
    Section { title: "Exchanges", verbs: exchanges::VERBS },
    Section { title: "Bindings", verbs: bindings::VERBS },
    Section { title: "Connections", verbs: connections::VERBS },
    Section { title: "Channels", verbs: channels::VERBS },
    Section { title: "Consumers", verbs: consumers::VERBS },
    Section { title: "Policies", verbs: policies::VERBS },
    Section { title: "Parameters", verbs: parameters::VERBS },
    Section { title: "Shovels and federation", verbs: links::VERBS },
    Section { title: "Definitions", verbs: definitions::VERBS },
    Section { title: "Feature flags", verbs: features::VERBS },
    Section { title: "Not done here", verbs: absent::VERBS },
];

pub(super) use plugins::asking as asking_of_plugins;
pub(super) use tls::suites_format;

/// The verbs of `rabbitmq-plugins`.
pub(super) const PLUGINS: &[Section] = &[Section { title: "Plugins", verbs: plugins::VERBS }];

/// Where 404 means that a user is not there.
pub(super) fn missing_user(name: &str) -> impl Fn(Trouble) -> Failure {
    move |trouble| match trouble {
        Trouble::Refused { status: 404, .. } => Failure::no_user(name),
        other => other.into(),
    }
}

/// Where 404 means that a virtual host is not there.
pub(super) fn missing_host(name: &str) -> impl Fn(Trouble) -> Failure {
    move |trouble| match trouble {
        Trouble::Refused { status: 404, .. } => Failure::no_host(name),
        other => other.into(),
    }
}

/// Where 404 means that something is not there of which this is said.
pub(super) fn missing(text: &str) -> impl Fn(Trouble) -> Failure {
    move |trouble| match trouble {
        Trouble::Refused { status: 404, .. } => Failure::Unavailable(text.to_owned()),
        other => other.into(),
    }
}

/// What was to go has gone, whether it was there or not.
pub(super) fn or_absent(deleted: Result<Answer, Trouble>) -> Result<Output, Failure> {
    match deleted {
        Ok(_) | Err(Trouble::Refused { status: 404, .. }) => Ok(Output::Done),
        Err(trouble) => Err(trouble.into()),
    }
}
