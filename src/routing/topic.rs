//! Topic exchanges: patterns of words, as a trie. A key is followed through the trie with all the
//! nodes that can still match at once, so its cost is bounded by words times matching nodes,
//! whatever a pattern looks like, and bindings that do not match cost nothing.
//!
//! ```text
//! a.*.#   root -a-> 1 -*-> 2 -#-> 3
//!         2 and 3 are reached together, as `#` may be no word; 3 then stays at every word
//! ```

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::destination::{Destination, DestinationSet};

type NodeIndex = u32;

const ROOT: NodeIndex = 0;

/// One word of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Word {
    Exactly(Box<str>),
    /// `*`: any one word.
    Any,
    /// `#`: any number of words, also none.
    AnyNumber,
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        match text {
            "*" => Self::Any,
            "#" => Self::AnyNumber,
            text => Self::Exactly(text.into()),
        }
    }
}

#[derive(Debug, Default)]
struct Node {
    parent: NodeIndex,
    /// The word that leads here; the root has none.
    word: Option<Word>,
    child_count: u32,
    any: Option<NodeIndex>,
    any_number: Option<NodeIndex>,
    here: DestinationSet,
}

/// Nodes by parent and word.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Edge {
    parent: NodeIndex,
    word: Box<str>,
}

#[derive(Hash)]
struct BorrowedEdge<'a> {
    parent: NodeIndex,
    word: &'a str,
}

impl hashbrown::Equivalent<Edge> for BorrowedEdge<'_> {
    fn equivalent(&self, edge: &Edge) -> bool {
        self.parent == edge.parent && *self.word == *edge.word
    }
}

/// The patterns of one exchange.
#[derive(Debug)]
pub(super) struct Topic {
    nodes: Vec<Node>,
    free: Vec<NodeIndex>,
    edges: HashMap<Edge, NodeIndex, foldhash::fast::FixedState>,
}

impl Default for Topic {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], free: Vec::new(), edges: HashMap::default() }
    }
}

/// The words of a key or a pattern; the empty one has none, as in RabbitMQ.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split('.').filter(|_| !text.is_empty())
}

/// What a pattern asks for, word by word. `#.#` is the same as `#`, so a `#` never follows a `#` in
/// the trie.
fn wanted_words(pattern: &str) -> impl Iterator<Item = Word> {
    let mut follows_any_number = false;
    words(pattern).map(Word::from).filter(move |word| {
        let is_any_number = *word == Word::AnyNumber;
        let is_repeated = is_any_number && follows_any_number;
        follows_any_number = is_any_number;
        !is_repeated
    })
}

/// Nodes that can still match, each once.
#[derive(Default)]
struct Active {
    /// Reached from their parents only, each of which stands here once.
    by_word: SmallVec<[NodeIndex; 16]>,
    /// Those of `#`, which are reached from their parents and from themselves.
    any_number: SmallVec<[NodeIndex; 8]>,
}

impl Active {
    /// Removes what was reached in both ways.
    fn remove_duplicates(&mut self) {
        if self.any_number.len() > 1 {
            self.any_number.sort_unstable();
            self.any_number.dedup();
        }
    }

    fn is_empty(&self) -> bool {
        self.by_word.is_empty() && self.any_number.is_empty()
    }

    fn iter(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        self.by_word.iter().chain(&self.any_number).copied()
    }
}

impl Topic {
    pub(super) fn bind(&mut self, pattern: &str, destination: Destination) {
        let mut index = ROOT;
        for word in wanted_words(pattern) {
            index = match self.child(index, &word) {
                Some(child) => child,
                None => self.add_child(index, word),
            };
        }
        if let Some(node) = self.node_mut(index) {
            node.here.add(destination);
        }
    }

    pub(super) fn unbind(&mut self, pattern: &str, destination: Destination) -> bool {
        let mut index = ROOT;
        for word in wanted_words(pattern) {
            match self.child(index, &word) {
                Some(child) => index = child,
                None => return false,
            }
        }
        let was_there = self.node_mut(index).is_some_and(|node| node.here.remove(destination));
        self.prune(index);
        was_there
    }

    /// Nothing is bound.
    pub(super) fn is_empty(&self) -> bool {
        let is_root_alone = self.nodes.len() == self.free.len() + 1;
        is_root_alone && self.node(ROOT).is_none_or(|root| root.here.is_empty())
    }

    /// Destinations of all patterns that match; one may come several times.
    pub(super) fn route(&self, routing_key: &str, out: &mut Vec<Destination>) {
        let mut active = Active::default();
        self.enter(ROOT, &mut active);
        for word in words(routing_key) {
            let mut next = Active { any_number: active.any_number.clone(), ..Active::default() };
            active.iter().for_each(|index| self.advance(index, word, &mut next));
            next.remove_duplicates();
            if next.is_empty() {
                return;
            }
            active = next;
        }
        for index in active.iter() {
            out.extend(self.node(index).into_iter().flat_map(|node| node.here.iter()));
        }
    }

    /// Where one more word leads from a node.
    fn advance(&self, index: NodeIndex, word: &str, next: &mut Active) {
        let Some(node) = self.node(index) else { return };
        if let Some(any) = node.any {
            self.enter(any, next);
        }
        if let Some(child) = self.edges.get(&BorrowedEdge { parent: index, word }) {
            self.enter(*child, next);
        }
    }

    /// A node is reached, and with it what follows after no word at all.
    fn enter(&self, index: NodeIndex, active: &mut Active) {
        active.by_word.push(index);
        active.any_number.extend(self.node(index).and_then(|node| node.any_number));
    }

    fn node(&self, index: NodeIndex) -> Option<&Node> {
        self.nodes.get(index as usize)
    }

    fn node_mut(&mut self, index: NodeIndex) -> Option<&mut Node> {
        self.nodes.get_mut(index as usize)
    }

    fn child(&self, parent: NodeIndex, word: &Word) -> Option<NodeIndex> {
        match word {
            Word::Any => self.node(parent)?.any,
            Word::AnyNumber => self.node(parent)?.any_number,
            Word::Exactly(word) => self.edges.get(&BorrowedEdge { parent, word }).copied(),
        }
    }

    fn add_child(&mut self, parent: NodeIndex, word: Word) -> NodeIndex {
        let node = Node { parent, word: Some(word.clone()), ..Node::default() };
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.nodes.push(Node::default());
                NodeIndex::try_from(self.nodes.len() - 1).unwrap_or(NodeIndex::MAX)
            }
        };
        if let Some(place) = self.node_mut(index) {
            *place = node;
        }
        self.set_child(parent, word, Some(index));
        index
    }

    fn set_child(&mut self, parent: NodeIndex, word: Word, child: Option<NodeIndex>) {
        let Some(node) = self.node_mut(parent) else { return };
        if child.is_some() {
            node.child_count += 1;
        } else {
            node.child_count -= 1;
        }
        match (word, child) {
            (Word::Any, child) => node.any = child,
            (Word::AnyNumber, child) => node.any_number = child,
            (Word::Exactly(word), Some(child)) => {
                self.edges.insert(Edge { parent, word }, child);
            }
            (Word::Exactly(word), None) => {
                self.edges.remove(&Edge { parent, word });
            }
        }
    }

    /// Takes away nodes that nothing leads through any more, from the leaf up.
    fn prune(&mut self, mut index: NodeIndex) {
        while index != ROOT {
            let Some(node) = self.node_mut(index) else { return };
            if node.child_count > 0 || !node.here.is_empty() {
                return;
            }
            let (parent, word) = (node.parent, node.word.take());
            *node = Node::default();
            self.free.push(index);
            if let Some(word) = word {
                self.set_child(parent, word, None);
            }
            index = parent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{QueueId, Random};

    fn queue(id: u64) -> Destination {
        Destination::Queue(QueueId(id))
    }

    fn routed(topic: &Topic, key: &str) -> Vec<u64> {
        let mut out = Vec::new();
        topic.route(key, &mut out);
        let mut ids: Vec<u64> = out
            .into_iter()
            .map(|destination| match destination {
                Destination::Queue(id) => id.0,
                Destination::Exchange(id) => id.0,
            })
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Nodes of the trie that are looked at on the way of a key.
    fn visited(topic: &Topic, key: &str) -> usize {
        let mut active = Active::default();
        topic.enter(ROOT, &mut active);
        let mut count = active.iter().count();
        for word in words(key) {
            let mut next = Active { any_number: active.any_number.clone(), ..Active::default() };
            active.iter().for_each(|index| topic.advance(index, word, &mut next));
            next.remove_duplicates();
            count += next.iter().count();
            active = next;
        }
        count
    }

    #[test]
    fn bindings_that_do_not_match_are_not_looked_at() {
        let topic_of = |count: u64| {
            let mut topic = Topic::default();
            for number in 0..count {
                topic.bind(&format!("orders.{number}.*"), queue(number));
                topic.bind(&format!("{number}.#"), queue(number));
            }
            topic
        };
        let (few, many) = (topic_of(10), topic_of(100_000));
        for key in ["orders.7.paid", "7.a.b", "nobody.asks.for.this"] {
            assert_eq!(visited(&few, key), visited(&many, key), "{key}");
        }
    }

    /// The definition, word by word.
    fn matches(pattern: &[&str], key: &[&str]) -> bool {
        match pattern {
            [] => key.is_empty(),
            ["#", rest @ ..] => (0..=key.len()).any(|count| matches(rest, &key[count..])),
            ["*", rest @ ..] => !key.is_empty() && matches(rest, &key[1..]),
            [word, rest @ ..] => key.first() == Some(word) && matches(rest, &key[1..]),
        }
    }

    fn phrase(random: &mut Random, alphabet: &[&'static str]) -> String {
        let count = 1 + random.draw() % 5;
        let word = |random: &mut Random| {
            alphabet[usize::try_from(random.draw()).unwrap() % alphabet.len()]
        };
        (0..count).map(|_| word(random)).collect::<Vec<_>>().join(".")
    }

    #[test]
    fn stars_and_hashes_match_as_the_specification_says() {
        let patterns = ["*.stock.#", "usd.#", "#", "", "a..b", "*", "#.b", "a.#.b.#.c"];
        let mut topic = Topic::default();
        for (id, pattern) in (0..).zip(patterns) {
            topic.bind(pattern, queue(id));
        }
        for (key, expected) in [
            ("usd.stock", &[0, 1, 2][..]),
            ("eur.stock.db", &[0, 2]),
            ("stock.nasdaq", &[2]),
            ("", &[2, 3]),
            ("a..b", &[2, 4, 6]),
            ("a.b.c", &[2, 7]),
            ("a.x.b.y.z.c", &[2, 7]),
            ("b", &[2, 5, 6]),
        ] {
            assert_eq!(routed(&topic, key), expected, "{key}");
        }
    }

    #[test]
    fn random_patterns_match_as_the_definition_says_and_leave_nothing_behind() {
        let mut random = Random::new([3, 5]);
        let mut topic = Topic::default();
        let patterns: Vec<String> =
            (0..300).map(|_| phrase(&mut random, &["a", "b", "", "*", "#"])).collect();
        for (id, pattern) in (0..).zip(&patterns) {
            topic.bind(pattern, queue(id));
        }
        for _ in 0..500 {
            let key = phrase(&mut random, &["a", "b", "", "c"]);
            let key_words: Vec<&str> = words(&key).collect();
            let expected: Vec<u64> = (0..)
                .zip(&patterns)
                .filter(|(_, pattern)| matches(&words(pattern).collect::<Vec<_>>(), &key_words))
                .map(|(id, _)| id)
                .collect();
            assert_eq!(routed(&topic, &key), expected, "{key}");
        }
        for (id, pattern) in (0..).zip(&patterns) {
            assert!(topic.unbind(pattern, queue(id)), "{pattern}");
        }
        assert!(topic.edges.is_empty());
        assert_eq!(topic.free.len(), topic.nodes.len() - 1);
    }

    #[test]
    fn patterns_that_all_match_bring_each_destination_once_per_pattern() {
        let mut topic = Topic::default();
        for first in ["a", "*", "#", "#.#"] {
            for second in ["a", "*", "#", "#.#.#"] {
                topic.bind(&format!("{first}.{second}"), queue(1));
            }
        }
        let mut out = Vec::new();
        topic.route("a.a", &mut out);
        // The seven that repeat a `#` are other words for patterns that are there.
        assert_eq!(out.len(), 9);
        for first in ["a", "*", "#", "#.#"] {
            for second in ["a", "*", "#", "#.#.#"] {
                assert!(topic.unbind(&format!("{first}.{second}"), queue(1)));
            }
        }
        assert!(topic.edges.is_empty());
    }

    #[test]
    fn many_hashes_over_a_long_key_stay_cheap() {
        let mut topic = Topic::default();
        topic.bind(&["#", "a"].repeat(20).join("."), queue(1));
        let key = ["a"; 120].join(".");
        assert_eq!(routed(&topic, &key), [1]);
        assert_eq!(routed(&topic, &format!("{key}.b")), [0; 0]);
    }

    #[test]
    fn unbinding_what_is_not_bound_changes_nothing() {
        let mut topic = Topic::default();
        topic.bind("a.b", queue(1));
        assert!(!topic.unbind("a.c", queue(1)) && !topic.unbind("a.b", queue(2)));
        assert!(!topic.unbind("a", queue(1)));
        assert_eq!(routed(&topic, "a.b"), [1]);
    }
}
