//! What publishers and consumers know over all lives of the broker, and what must never happen.

use std::collections::BTreeMap;
use std::time::Duration;

use leveret::server::Clock;

/// What is acknowledged so long before a kill is settled: the broker lets acknowledgements ride
/// with what must be written anyway, at most some tenths of a second.
const SETTLED_AFTER: Duration = Duration::from_secs(1);

/// How far a publisher may be ahead of those who consume: they are no optimized programs.
const AHEAD_MAX: usize = 10_000;

/// The queue for dead letters.
pub(crate) const GRAVE: &str = "grave";

/// The queue for what waited in its exchange.
pub(crate) const LATE: &str = "late";

/// The broker moves messages to this queue, and a kill may bring one twice: that is no redelivery.
pub(crate) fn is_moved_to(queue: &str) -> bool {
    queue == GRAVE || queue == LATE
}

/// A publisher, by its place in the plan.
pub(crate) type Publisher = usize;

/// All that is known.
#[derive(Debug)]
pub(crate) struct Books {
    clock: Clock,
    /// When each life was ended.
    ends: Vec<Duration>,
    published: Vec<Published>,
    /// By queue, publisher and number.
    queues: BTreeMap<&'static str, Vec<Vec<Option<Came>>>>,
    /// The oldest acknowledgement that a kill undid.
    pub(crate) worst: Duration,
}

/// What one publisher did.
#[derive(Debug, Default)]
struct Published {
    /// By number: in which life it was published, and whether it was confirmed.
    messages: Vec<(usize, bool)>,
}

/// What is known of a message in one queue.
#[derive(Clone, Copy, Debug)]
struct Came {
    /// In which life it was acknowledged last, and when.
    settled: Option<(usize, Duration)>,
}

/// A message as its body tells.
pub(crate) fn body(publisher: Publisher, number: usize) -> Vec<u8> {
    let mut body = format!("{publisher}:{number}:").into_bytes();
    let letter = b'a' + u8::try_from(number % 26).unwrap_or(0);
    body.resize(body.len() + number * 7919 % 1500, letter);
    body
}

/// Who published this, and as which of his messages. Every byte of it must be his.
fn read(text: &[u8]) -> (Publisher, usize) {
    let mut parts = text.splitn(3, |byte| *byte == b':');
    let mut number = || std::str::from_utf8(parts.next()?).ok()?.parse().ok();
    let (Some(publisher), Some(number)) = (number(), number()) else {
        panic!("nobody published {text:?}");
    };
    assert_eq!(text, body(publisher, number), "the body of {publisher}:{number}");
    (publisher, number)
}

impl Books {
    pub(crate) fn new(publishers: usize, queues: &[&'static str]) -> Self {
        Self {
            clock: Clock::start(),
            ends: Vec::new(),
            published: (0..publishers).map(|_| Published::default()).collect(),
            queues: queues.iter().map(|queue| (*queue, vec![Vec::new(); publishers])).collect(),
            worst: Duration::ZERO,
        }
    }

    /// The broker is killed now.
    pub(crate) fn killed(&mut self) {
        self.ends.push(self.clock.elapsed());
    }

    /// The number of this life. Clients keep it: one that is slow to notice the end of its broker
    /// is no part of the next life.
    pub(crate) fn life(&self) -> usize {
        self.ends.len()
    }

    /// The next message of a publisher, about to be published.
    pub(crate) fn publish(&mut self, publisher: Publisher, life: usize) -> usize {
        let messages = &mut self.published[publisher].messages;
        messages.push((life, false));
        messages.len() - 1
    }

    /// Consumers of this queue have much to catch up with.
    pub(crate) fn is_ahead(&self, publisher: Publisher, queue: &'static str) -> bool {
        let published = self.published[publisher].messages.len();
        published - self.queues[queue][publisher].len() > AHEAD_MAX
    }

    /// In which life a message was published: on a channel of its own.
    pub(crate) fn published_in(&self, (publisher, number): (Publisher, usize)) -> usize {
        self.published[publisher].messages[number].0
    }

    /// It was confirmed.
    pub(crate) fn confirm(&mut self, publisher: Publisher, number: usize) {
        self.published[publisher].messages[number].1 = true;
    }

    /// A message came from a queue. What came before must be flagged, and must not have been
    /// settled for long when the broker was killed. Tells also whether it did come before.
    pub(crate) fn come(
        &mut self,
        queue: &'static str,
        text: &[u8],
        is_redelivered: bool,
    ) -> ((Publisher, usize), bool) {
        let message = read(text);
        let (publisher, number) = message;
        let is_published = number < self.published[publisher].messages.len();
        assert!(is_published, "{publisher}:{number} in {queue} was never published");
        let before = *self.place(queue, message);
        // Of two that a kill made out of one that was moved, nobody knows which this is.
        if let Some(came) = before.filter(|_| !is_moved_to(queue)) {
            assert!(is_redelivered, "{publisher}:{number} in {queue} came twice without a flag");
            if let Some((life, at)) = came.settled {
                let age = self.ends[life].saturating_sub(at);
                self.worst = self.worst.max(age);
                let text = "was acknowledged before the kill, and it is back:";
                assert!(age < SETTLED_AFTER, "{publisher}:{number} in {queue} {text} {age:?}");
            }
        }
        *self.place(queue, message) = Some(Came { settled: None });
        (message, before.is_some())
    }

    /// Its acknowledgement is written to the socket.
    pub(crate) fn settle(&mut self, queue: &'static str, message: (Publisher, usize), life: usize) {
        let settled = Some((life, self.clock.elapsed()));
        *self.place(queue, message) = Some(Came { settled });
    }

    fn place(
        &mut self,
        queue: &'static str,
        (publisher, number): (Publisher, usize),
    ) -> &mut Option<Came> {
        let messages = &mut self.queues.get_mut(queue).expect("a queue of the plan")[publisher];
        messages.resize(messages.len().max(number + 1), None);
        &mut messages[number]
    }

    /// Messages confirmed, and come from all queues.
    pub(crate) fn totals(&self) -> (usize, usize) {
        let all = self.published.iter().flat_map(|published| &published.messages);
        let came = self.queues.values().flatten().flatten();
        (all.filter(|message| message.1).count(), came.flatten().count())
    }

    /// At the end, when the queues are empty: what a publisher got confirmed came from this queue,
    /// and of what he published in one life, nothing is missing before anything that came.
    pub(crate) fn close(&self, publisher: Publisher, queue: &'static str) {
        let known = &self.queues[queue][publisher];
        let came = |number: &usize| known.get(*number).is_some_and(Option::is_some);
        let messages = &self.published[publisher].messages;
        let lost: Vec<usize> =
            (0..messages.len()).filter(|number| messages[*number].1 && !came(number)).collect();
        assert_eq!(lost, [0; 0], "confirmed to {publisher} and lost from {queue}");
        for number in (1..messages.len()).filter(came) {
            let (before, of_one_life) = (number - 1, messages[number - 1].0 == messages[number].0);
            let has_hole = of_one_life && !came(&before);
            assert!(!has_hole, "{publisher}:{number} came from {queue}, and not the one before");
        }
    }
}
