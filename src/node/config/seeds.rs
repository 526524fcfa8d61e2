//! What new virtual hosts begin with, as the operator wrote it: keys that share a name belong
//! together. What it does, the broker knows.

use std::collections::BTreeMap;

use super::keys::Setting;
use super::values::Value;

/// What new virtual hosts begin with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seeds {
    pub users: Vec<SeedUser>,
    pub policies: Vec<SeedPolicy>,
    pub limits: Vec<SeedLimits>,
}

/// A user who may enter them. Patterns are regular expressions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedUser {
    pub name: String,
    pub vhost_pattern: String,
    pub password: Option<String>,
    pub tags: Vec<String>,
    pub configure: String,
    pub write: String,
    pub read: String,
}

/// An operator policy, with its settings as policies name them.
#[derive(Clone, Debug, PartialEq)]
pub struct SeedPolicy {
    pub name: String,
    pub vhost_pattern: String,
    pub queue_pattern: String,
    pub apply_to: String,
    pub settings: BTreeMap<String, Value>,
}

/// Limits; `None` is no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedLimits {
    pub pattern: String,
    pub limits: BTreeMap<String, Option<u64>>,
}

/// Keys by the name that they share, and by what stands last in them.
#[derive(Clone, Debug, Default)]
pub struct Family(BTreeMap<String, Members>);

#[derive(Clone, Debug, Default)]
struct Members(BTreeMap<String, Value>);

impl Family {
    /// A key of it was set.
    pub fn note(&mut self, setting: &Setting) {
        if let [name, what] = setting.captures.as_slice() {
            let members = self.0.entry(name.clone()).or_default();
            members.0.insert(what.clone(), setting.value.clone());
        }
    }

    /// Those whose names are numbers in the order of these, then the others.
    fn into_ordered(self) -> Vec<(String, Members)> {
        let mut all: Vec<_> = self.0.into_iter().collect();
        all.sort_by_key(|(name, _)| name.parse::<u64>().unwrap_or(u64::MAX));
        all
    }
}

impl Members {
    fn text(&mut self, what: &str) -> Option<String> {
        self.0.remove(what).and_then(|value| value.to_text())
    }

    fn pattern(&mut self, what: &str) -> String {
        self.text(what).unwrap_or_else(|| ".*".to_owned())
    }
}

impl Seeds {
    pub(super) fn new(users: Family, policies: Family, limits: Family) -> Self {
        Self {
            users: users.into_ordered().into_iter().map(user).collect(),
            policies: policies.into_ordered().into_iter().map(policy).collect(),
            limits: limits.into_ordered().into_iter().map(limits_of).collect(),
        }
    }
}

fn user((name, mut members): (String, Members)) -> SeedUser {
    let tags = members.text("tags").unwrap_or_default();
    let tags = tags.split(',').map(str::trim).filter(|tag| !tag.is_empty());
    SeedUser {
        name,
        tags: tags.map(str::to_owned).collect(),
        vhost_pattern: members.pattern("vhost_pattern"),
        password: members.text("password"),
        configure: members.pattern("configure"),
        write: members.pattern("write"),
        read: members.pattern("read"),
    }
}

fn policy((name, mut members): (String, Members)) -> SeedPolicy {
    let vhost_pattern = members.pattern("vhost_pattern");
    let queue_pattern = members.pattern("queue_pattern");
    let apply_to = members.text("apply_to").unwrap_or_else(|| "all".to_owned());
    let settings = members.0.into_iter().map(|(what, value)| (dashed(&what), value)).collect();
    SeedPolicy { name, vhost_pattern, queue_pattern, apply_to, settings }
}

fn limits_of((_, mut members): (String, Members)) -> SeedLimits {
    let pattern = members.pattern("pattern");
    let limits = members.0.into_iter().map(|(what, value)| (dashed(&what), value.to_number()));
    SeedLimits { pattern, limits: limits.collect() }
}

/// A key as policies and limits have it.
fn dashed(name: &str) -> String {
    name.replace('_', "-")
}
