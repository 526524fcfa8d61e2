//! What was counted when somebody looked: two looks at one thing make a rate. Nothing samples by
//! itself, so of what nobody looks at nothing is kept; what is looked at again and again has a
//! history, as long as charts of it ask for. It knows no names of figures.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use super::look::{Look, Sample};
use crate::limits::{CHARTED_COUNT_MAX, SAMPLED_COUNT_MAX};
use crate::message::{ExchangeId, Moment, Name, QueueId, SessionId, VirtualHostNumber};

/// How long at least is between two numbers that are kept of one thing, and what a rate is measured
/// over where somebody looks that often: RabbitMQ's interval.
pub(super) const SAMPLE_INTERVAL_MS: u64 = 5000;

/// How far back charts go: RabbitMQ's ten minutes, and a sample more.
pub(super) const SAMPLES_KEPT_MS_MAX: u64 = 605_000;

/// How long what was looked at is known after the last look: longer than anybody waits between two
/// looks that belong together.
const SAMPLES_FORGOTTEN_MS: u64 = 1_200_000;

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    Node,
    Process,
    /// Some virtual hosts together, by their names.
    Hosts(u64),
    VirtualHost(VirtualHostNumber),
    Exchange(ExchangeId),
    Queue(QueueId),
    Connection(SessionId),
    Channel(SessionId, u16),
    /// What is published on a channel to an exchange.
    ChannelExchange(SessionId, u16, ExchangeId),
}

impl Subject {
    /// Those that one user may see.
    pub(super) fn of_hosts(names: &[Name]) -> Self {
        Self::Hosts(foldhash::fast::FixedState::default().hash_one(names))
    }
}

/// Everything that was looked at lately.
#[derive(Debug, Default)]
pub(super) struct Samples(Mutex<Tracks>);

#[derive(Debug, Default)]
struct Tracks {
    tracks: HashMap<Subject, Track, foldhash::fast::FixedState>,
    /// How many of them have a history.
    charted: usize,
    tidied_at: Moment,
}

/// What was seen of one thing, the oldest first.
#[derive(Debug)]
struct Track {
    samples: VecDeque<Sample>,
    /// What was seen last, where that came too soon after the last of these.
    last: Option<Sample>,
    looked_at: Moment,
    /// How far its history goes back; no further than a rate needs where nobody asks for one.
    kept_ms: u64,
}

impl Samples {
    /// Somebody looks at something and sees these numbers; the first `counters` of them only rise.
    /// Charts go back for so many milliseconds.
    pub(super) fn look(
        &self,
        subject: Subject,
        now: Moment,
        (numbers, counters): (Vec<u64>, usize),
        charted_ms: u64,
    ) -> Look {
        let mut tracks = self.tracks();
        let sample = Sample { at: now, numbers: numbers.into() };
        let may_chart = charted_ms > 0 && tracks.charted < CHARTED_COUNT_MAX;
        let Some(track) = tracks.track(subject, now) else { return Look::first(sample) };
        let charted_before = track.is_charted();
        if charted_before || may_chart {
            track.kept_ms = track.kept_ms.max(charted_ms.min(SAMPLES_KEPT_MS_MAX));
        }
        let is_new_chart = track.is_charted() && !charted_before;
        let look = track.look(sample, counters, charted_ms > 0);
        tracks.charted += usize::from(is_new_chart);
        look
    }

    /// Nobody looked at anything yet.
    pub(super) fn forget(&self) {
        *self.tracks() = Tracks::default();
    }

    /// Whatever breaks under it leaves numbers that were seen.
    fn tracks(&self) -> MutexGuard<'_, Tracks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tracks {
    /// Where there is room, something new has a track.
    fn track(&mut self, subject: Subject, now: Moment) -> Option<&mut Track> {
        if now.since(self.tidied_at) >= SAMPLE_INTERVAL_MS {
            self.tidy(now);
        }
        if self.tracks.len() >= SAMPLED_COUNT_MAX && !self.tracks.contains_key(&subject) {
            return None;
        }
        Some(self.tracks.entry(subject).or_insert_with(|| Track::new(now)))
    }

    /// Forgets what nobody looked at for a while.
    fn tidy(&mut self, now: Moment) {
        self.tidied_at = now;
        self.tracks.retain(|_, track| now.since(track.looked_at) < SAMPLES_FORGOTTEN_MS);
        self.charted = self.tracks.values().filter(|track| track.is_charted()).count();
    }
}

impl Track {
    fn new(now: Moment) -> Self {
        let samples = VecDeque::new();
        Self { samples, last: None, looked_at: now, kept_ms: SAMPLE_INTERVAL_MS }
    }

    fn is_charted(&self) -> bool {
        self.kept_ms > SAMPLE_INTERVAL_MS
    }

    fn look(&mut self, sample: Sample, counters: usize, tells_history: bool) -> Look {
        let now = sample.at;
        self.looked_at = now;
        if self.samples.back().is_some_and(|last| !sample.may_follow(last, counters)) {
            self.samples.clear();
            self.last = None;
        }
        let is_old = |earlier: &&Sample| now.since(earlier.at) >= SAMPLE_INTERVAL_MS;
        // Where nobody looked for a while, it is the last look that counts.
        let last = self.last.take();
        self.samples.extend(last.filter(|last| is_old(&last)));
        let earlier = self.samples.iter().rev().find(is_old).or(self.samples.front()).cloned();
        let history = if tells_history { self.samples.iter().cloned().collect() } else { vec![] };
        match self.samples.back().as_ref().is_none_or(is_old) {
            true => self.samples.push_back(sample.clone()),
            false => self.last = Some(sample.clone()),
        }
        while self.samples.len() > 2
            && self.samples.get(1).is_some_and(|second| now.since(second.at) >= self.kept_ms)
        {
            self.samples.pop_front();
        }
        Look { sample, earlier, history }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: Subject = Subject::Queue(QueueId(1));

    fn rate(samples: &Samples, second: u64, count: u64) -> f64 {
        let now = Moment(second * 1000);
        samples.look(QUEUE, now, (vec![count], 1), 0).rate(0)
    }

    #[test]
    fn a_rate_is_that_between_two_looks() {
        let samples = Samples::default();
        assert_eq!(rate(&samples, 100, 500), 0.0, "nobody looked before");
        assert_eq!(rate(&samples, 130, 800), 10.0);
        assert_eq!(rate(&samples, 160, 800), 0.0);
    }

    #[test]
    fn who_looks_often_sees_the_last_seconds() {
        let samples = Samples::default();
        let seen: Vec<f64> = (0..12_u64).map(|second| rate(&samples, second, second * 7)).collect();
        assert_eq!(seen[1..], [7.0; 11]);
        let seen: Vec<f64> = (12..25).map(|second| rate(&samples, second, 77)).collect();
        assert_eq!(seen[10..], [0.0; 3], "what is over is forgotten");
    }

    #[test]
    fn a_look_at_once_after_another_makes_no_rate_of_nothing() {
        let samples = Samples::default();
        rate(&samples, 1, 5);
        assert_eq!(rate(&samples, 1, 5), 0.0);
    }

    #[test]
    fn what_counts_from_the_start_again_is_another() {
        let samples = Samples::default();
        rate(&samples, 0, 500);
        assert_eq!(rate(&samples, 10, 3), 0.0);
        assert_eq!(rate(&samples, 20, 13), 1.0);
        let gauge = |second: u64, count| {
            samples.look(Subject::Node, Moment(second * 1000), (vec![count], 0), 0).rate(0)
        };
        assert_eq!((gauge(20, 30), gauge(30, 10)), (0.0, -2.0), "what is no counter may fall");
    }

    #[test]
    fn little_is_kept_of_what_has_no_chart() {
        let samples = Samples::default();
        for second in 0..100 {
            rate(&samples, second, second);
        }
        assert_eq!(samples.tracks().tracks[&QUEUE].samples.len(), 2);
        for second in (100..2000).step_by(2) {
            samples.look(QUEUE, Moment(second * 1000), (vec![second], 1), 60_000);
        }
        let kept = samples.tracks().tracks[&QUEUE].samples.len();
        assert!((10..=13).contains(&kept), "{kept}");
    }

    #[test]
    fn what_nobody_looks_at_is_forgotten() {
        let samples = Samples::default();
        samples.look(QUEUE, Moment(0), (vec![0], 1), 60_000);
        let later = Moment(SAMPLES_FORGOTTEN_MS);
        samples.look(Subject::Node, later, (vec![0], 1), 0);
        let tracks = samples.tracks();
        assert_eq!((tracks.tracks.len(), tracks.charted), (1, 0));
    }

    #[test]
    fn there_is_room_for_so_many_things_and_so_many_charts() {
        let samples = Samples::default();
        let look = |number, charted_ms| {
            let subject = Subject::Queue(QueueId(number));
            samples.look(subject, Moment(0), (vec![0], 1), charted_ms);
        };
        let count = SAMPLED_COUNT_MAX as u64;
        (0..count + 10).for_each(|number| look(number, 60_000));
        let tracks = samples.tracks();
        assert_eq!((tracks.tracks.len(), tracks.charted), (SAMPLED_COUNT_MAX, CHARTED_COUNT_MAX));
    }
}
