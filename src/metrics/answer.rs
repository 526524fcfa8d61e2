//! An answer on its way to the scraper: rows of objects are told as the socket takes them, so that
//! an answer about very many is never in memory as a whole, and others have their turn between two
//! pieces. What is told stands in sections, one behind the other.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};

use super::object_family::{Group, Object, ObjectFamily};
use super::text::Text;
use crate::limits::{LIST_CHUNK_SIZE, LIST_ROWS_PER_TURN};
use crate::message::Moment;

/// A part of an answer.
trait Section: Send + Sync {
    /// Tells the next row, or what stands before it. False where nothing is left.
    fn tell(&mut self, text: &mut Text) -> bool;
}

/// What was not told yet.
#[derive(Default)]
pub(super) struct Answer {
    sections: VecDeque<Box<dyn Section>>,
    /// The next piece is made when others had their turn.
    is_resting: bool,
    /// When it was asked for.
    now: Moment,
}

impl fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Answer").field("sections", &self.sections.len()).finish()
    }
}

impl Answer {
    /// One to who asks now.
    pub(super) fn at(now: Moment) -> Self {
        Self { now, ..Self::default() }
    }

    /// Text that is made already.
    pub(super) fn add_text(&mut self, text: Text) {
        self.sections.push_back(Box::new(Some(text)));
    }

    /// The metrics of a group, of all these objects, by names that begin like this.
    pub(super) fn add<T: Object>(
        &mut self,
        begin: &'static str,
        group: &'static Group<T>,
        objects: &Arc<[T]>,
    ) {
        for family in group.families {
            let name = format!("{begin}{}", family.name);
            let (labels, objects) = (group.labels, objects.clone());
            let rows = Rows { name, labels, family, objects, now: self.now, at: None };
            self.sections.push_back(Box::new(rows));
        }
    }

    /// These metrics of all objects together, by names that begin like this.
    pub(super) fn add_sums<T: Object>(
        &mut self,
        begin: &'static str,
        families: Vec<&'static ObjectFamily<T>>,
        objects: Arc<[T]>,
    ) {
        let sums = vec![0; families.len()];
        let sums = Sums { begin, families, sums, objects, now: self.now, at: 0 };
        self.sections.push_back(Box::new(sums));
    }

    /// So much as makes up a piece, or a turn.
    fn piece(&mut self) -> String {
        let (mut text, mut rows) = (Text::default(), 0);
        while text.len() < LIST_CHUNK_SIZE && rows < LIST_ROWS_PER_TURN {
            let Some(section) = self.sections.front_mut() else { break };
            if !section.tell(&mut text) {
                self.sections.pop_front();
            }
            rows += 1;
        }
        text.into_string()
    }

    fn is_over(&self) -> bool {
        self.sections.is_empty()
    }
}

impl Section for Option<Text> {
    fn tell(&mut self, text: &mut Text) -> bool {
        self.take().is_some_and(|made| {
            text.append(&made);
            true
        })
    }
}

/// One metric of many objects.
struct Rows<T: Object> {
    name: String,
    labels: &'static [&'static str],
    family: &'static ObjectFamily<T>,
    objects: Arc<[T]>,
    now: Moment,
    /// The object that is next, once the head is told.
    at: Option<usize>,
}

impl<T: Object> Section for Rows<T> {
    fn tell(&mut self, text: &mut Text) -> bool {
        let Some(at) = self.at else {
            text.head(&self.name, self.family.kind, self.family.help);
            self.at = Some(0);
            return true;
        };
        let Some(object) = self.objects.get(at) else { return false };
        self.family.tell(&self.name, self.labels, (object, self.now), text);
        self.at = Some(at + 1);
        true
    }
}

/// Metrics of many objects, each as the sum of all.
struct Sums<T: Object> {
    begin: &'static str,
    families: Vec<&'static ObjectFamily<T>>,
    sums: Vec<u64>,
    objects: Arc<[T]>,
    now: Moment,
    /// The object that is next.
    at: usize,
}

impl<T: Object> Section for Sums<T> {
    fn tell(&mut self, text: &mut Text) -> bool {
        if let Some(object) = self.objects.get(self.at) {
            let seen = object.see(self.now);
            for (sum, family) in self.sums.iter_mut().zip(&self.families) {
                *sum += family.number(object, &seen);
            }
            self.at += 1;
            return true;
        }
        for (sum, family) in self.sums.iter().zip(&self.families) {
            let name = format!("{}{}", self.begin, family.name);
            text.head(&name, family.kind, family.help);
            text.sample(&name, &[], *sum);
        }
        false
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if std::mem::take(&mut self.is_resting) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.is_over() {
            return Poll::Ready(None);
        }
        self.is_resting = true;
        let piece = self.piece();
        if piece.is_empty() && !self.is_over() {
            return self.poll_frame(context);
        }
        Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::task::Waker;

    use super::super::object_family::LABELS_MAX;
    use super::*;

    struct Numbered(u64);

    impl Object for Numbered {
        type Seen = u64;

        fn see(&self, _now: Moment) -> u64 {
            self.0
        }

        fn labels(&self) -> [Cow<'_, str>; LABELS_MAX] {
            [self.0.to_string().into(), "b".into(), "".into()]
        }
    }

    type NumberFamily = ObjectFamily<Numbered>;

    static GROUP: Group<Numbered> = Group {
        name: "numbers",
        labels: &["n", "o"],
        families: &[
            NumberFamily::gauge("one", "As it is", |_, seen| Some(*seen)),
            NumberFamily::counter("two_total", "Of some", |_, seen| (*seen == 2).then_some(7)),
        ],
    };

    fn answer(count: u64) -> Answer {
        let objects: Arc<[Numbered]> = (1..=count).map(Numbered).collect();
        let mut answer = Answer::default();
        answer.add("a_", &GROUP, &objects);
        answer
    }

    /// All pieces; between two of them is a rest.
    fn pieces(mut answer: Answer) -> Vec<String> {
        let mut context = Context::from_waker(Waker::noop());
        let (mut pieces, mut has_rested) = (Vec::new(), true);
        loop {
            match Pin::new(&mut answer).poll_frame(&mut context) {
                Poll::Pending => has_rested = true,
                Poll::Ready(None) => return pieces,
                Poll::Ready(Some(Ok(frame))) => {
                    assert!(std::mem::take(&mut has_rested), "others have their turn");
                    let data = frame.into_data().unwrap();
                    pieces.push(String::from_utf8(data.to_vec()).unwrap());
                }
            }
        }
    }

    #[test]
    fn each_metric_is_told_of_each_object_that_has_it() {
        let expected = "# HELP a_one As it is\n# TYPE a_one gauge\n\
                        a_one{n=\"1\",o=\"b\"} 1\na_one{n=\"2\",o=\"b\"} 2\n\
                        # HELP a_two_total Of some\n# TYPE a_two_total counter\n\
                        a_two_total{n=\"2\",o=\"b\"} 7\n";
        assert_eq!(pieces(answer(2)), [expected]);
    }

    #[test]
    fn objects_are_told_as_one_by_their_sums() {
        let objects: Arc<[Numbered]> = (1..=20_000).map(Numbered).collect();
        let mut answer = Answer::default();
        answer.add_sums("a_", GROUP.families.iter().collect(), objects);
        let expected = "# HELP a_one As it is\n# TYPE a_one gauge\na_one 200010000\n\
                        # HELP a_two_total Of some\n# TYPE a_two_total counter\na_two_total 7\n";
        assert_eq!(pieces(answer).concat(), expected);
    }

    #[test]
    fn many_objects_come_in_pieces_of_a_bounded_size() {
        let pieces = pieces(answer(20_000));
        assert!(pieces.len() > 10, "{}", pieces.len());
        assert!(pieces.iter().all(|piece| piece.len() < LIST_CHUNK_SIZE + 200));
        let whole = pieces.concat();
        assert_eq!(whole.lines().filter(|line| line.starts_with("a_one{")).count(), 20_000);
        assert!(whole.ends_with("a_two_total{n=\"2\",o=\"b\"} 7\n"), "{whole}");
    }

    #[test]
    fn text_that_is_made_is_told_in_its_place() {
        let mut answer = Answer::default();
        let mut text = Text::default();
        text.sample("first", &[], 1);
        answer.add_text(text);
        let none: Arc<[Numbered]> = Arc::from([]);
        answer.add("a_", &GROUP, &none);
        let whole = pieces(answer).concat();
        assert!(whole.starts_with("first 1\n# HELP a_one As it is\n"), "{whole}");
    }
}
