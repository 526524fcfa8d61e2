//! The one table of keys: every name that a configuration may hold, with its default, what it
//! expects, what it is for, and whether Leveret obeys it. The rows stand by subject in the files
//! beside this one. Reading files is not done here (`load`), nor is deciding what the values
//! mean together (`resolve`).

pub mod access;
pub mod listeners;
pub mod logging;
pub mod node;
pub mod pattern;
pub mod plugins;
pub mod queues;
pub mod seeds;
pub mod tls;

use std::fmt;

use super::{
    errors::Origin,
    resolve::Typed,
    values::{Kind, Value},
};

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The name, or a pattern for a family of names (see `pattern`).
    pub name: &'static str,
    /// Other names that mean the same.
    pub aliases: &'static [&'static str],
    /// The default as it would be written; empty when there is none.
    pub default: &'static str,
    pub kind: Kind,
    pub doc: &'static str,
    pub status: Status,
}

/// What Leveret does with a key.
#[derive(Clone, Copy)]
pub enum Status {
    /// It is obeyed: the function notes the value.
    Obeyed(fn(&mut Typed, &Setting)),
    /// It will be, once the part of Leveret that it is for exists.
    NotUsedYet,
    /// It never will be, for this reason.
    NoMeaning(&'static str),
}

/// A key as it was set, with its value read.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// What stood in the place of the name's placeholders.
    pub captures: Vec<String>,
    pub value: Value,
    pub origin: Origin,
}

/// Keys that stand together in the sample file.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    pub title: &'static str,
    pub keys: &'static [Key],
}

/// The whole table, in the order of the sample file.
pub static GROUPS: &[Group] = &[
    Group { title: "Data", keys: node::DATA },
    Group { title: "Listeners", keys: listeners::LISTENERS },
    Group { title: "Sockets", keys: listeners::SOCKETS },
    Group { title: "Limits of connections and messages", keys: listeners::LIMITS },
    Group { title: "TLS", keys: tls::TLS },
    Group { title: "What a first start creates", keys: access::SEED },
    Group { title: "What new virtual hosts begin with", keys: seeds::SEEDS },
    Group { title: "Authentication", keys: access::AUTHENTICATION },
    Group { title: "Queues", keys: queues::QUEUES },
    Group { title: "Memory and disk", keys: node::MEMORY_AND_DISK },
    Group { title: "Logging", keys: logging::LOGGING },
    Group { title: "Management and metrics", keys: plugins::MANAGEMENT },
    Group { title: "Management and metrics over TLS", keys: tls::HTTPS },
    Group { title: "Cluster", keys: plugins::CLUSTER },
    Group { title: "What clients are told", keys: node::PRODUCT },
    Group { title: "Other", keys: plugins::OTHER },
];

/// Every row.
pub fn all() -> impl Iterator<Item = &'static Key> {
    GROUPS.iter().flat_map(|group| group.keys)
}

/// Finds the row for a written key, and what stood for its placeholders.
#[must_use]
pub fn find(key: &[String]) -> Option<(&'static Key, Vec<String>)> {
    let named = all().flat_map(|row| row.names().map(move |name| (row, name)));
    let matching = named.filter_map(|(row, name)| Some((row, name, pattern::captures(name, key)?)));
    let (row, _, captures) = matching.max_by_key(|(_, name, _)| pattern::specificity(name))?;
    Some((row, captures))
}

/// The known key nearest to an unknown one, if any is near enough to be what was meant.
#[must_use]
pub fn nearest(key: &[String]) -> Option<String> {
    let spellings = all().flat_map(Key::names).flat_map(|name| pattern::spellings(name, key));
    let nearest = nearest_of(&key.join("."), spellings);
    nearest.or_else(|| longer(&format!("{}.", key.join("."))))
}

/// The first key that begins so.
fn longer(begin: &str) -> Option<String> {
    let mut names = all().flat_map(Key::names).filter(|name| pattern::is_exact(name));
    names.find(|name| name.starts_with(begin)).map(|name| (*name).to_owned())
}

/// The nearest of some spellings, each with how many of its letters are known ones. The more of
/// these, the more may be wrong.
pub(crate) fn nearest_of(
    written: &str,
    spellings: impl Iterator<Item = (String, usize)>,
) -> Option<String> {
    let near = spellings.filter_map(|(spelling, known_letters)| {
        let distance = distance(written, &spelling);
        (distance <= 1 + known_letters / 5).then_some((distance, spelling))
    });
    near.min().map(|(_, spelling)| spelling)
}

impl Key {
    pub(crate) const fn obeyed(
        name: &'static str,
        default: &'static str,
        kind: Kind,
        doc: &'static str,
        note: fn(&mut Typed, &Setting),
    ) -> Self {
        Self { name, aliases: &[], default, kind, doc, status: Status::Obeyed(note) }
    }

    pub(crate) const fn later(
        name: &'static str,
        default: &'static str,
        kind: Kind,
        doc: &'static str,
    ) -> Self {
        Self { name, aliases: &[], default, kind, doc, status: Status::NotUsedYet }
    }

    /// A key that is read and then left alone. Its value is not judged.
    pub(crate) const fn inert(name: &'static str, reason: &'static str, doc: &'static str) -> Self {
        let status = Status::NoMeaning(reason);
        Self { name, aliases: &[], default: "", kind: Kind::Text, doc, status }
    }

    pub(crate) const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// The name and the aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        [self.name].into_iter().chain(self.aliases.iter().copied())
    }
}

impl Setting {
    /// The value as a number, if it is one that fits.
    pub(crate) fn number<T: TryFrom<u64>>(&self) -> Option<T> {
        self.value.to_number()
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        self.value.to_boolean()
    }

    pub(crate) fn fraction(&self) -> Option<f64> {
        self.value.to_fraction()
    }

    pub(crate) fn text(&self) -> Option<String> {
        self.value.to_text()
    }

    /// What stood for the only placeholder.
    pub(crate) fn capture(&self) -> String {
        self.captures.first().cloned().unwrap_or_default()
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Obeyed(_) => formatter.write_str("Obeyed"),
            Self::NotUsedYet => formatter.write_str("NotUsedYet"),
            Self::NoMeaning(reason) => formatter.debug_tuple("NoMeaning").field(reason).finish(),
        }
    }
}

/// How many letters have to be added, taken away or changed to make one text the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        for (cell, other_letter) in row.iter_mut().skip(1).zip(&other) {
            let changed = diagonal + usize::from(letter != *other_letter);
            diagonal = *cell;
            left = changed.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
