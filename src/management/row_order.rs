//! The order of rows in a list. Of very many those of one page are found without sorting all, and
//! others have their turns while that goes on. What is wanted of a list is not known here.

use std::cmp::Ordering;
use std::ops::Range;

use serde_json::Value;

use super::list::Row;
use super::turns::{Turns, work_in};
use super::value_order::compare;
use crate::limits::{LIST_ROWS_PER_TURN, LIST_ROWS_SORTED_AT_ONCE};

/// Rows among which the one in the middle is looked for.
const SAMPLE_SIZE: usize = 31;

/// A row, and what it is sorted by before its key. What is here is compared without a look at the
/// row, which may be anywhere in memory.
pub(super) struct Ranked<R> {
    value: Option<Value>,
    /// How much work it is to compare it.
    work: usize,
    /// Which virtual host it is in, as these come.
    host: usize,
    /// The first bytes of what leads its key.
    lead: u128,
    pub(super) row: R,
}

impl<R: Row> Ranked<R> {
    fn order(&self, other: &Self, is_reverse: bool) -> Ordering {
        let order = self
            .order_of_values(other)
            .then_with(|| (self.host, self.lead).cmp(&(other.host, other.lead)))
            .then_with(|| self.row.key().cmp(&other.row.key()));
        if is_reverse { order.reverse() } else { order }
    }

    fn order_of_values(&self, other: &Self) -> Ordering {
        match (&self.value, &other.value) {
            (Some(left), Some(right)) => compare(left, right),
            _ => Ordering::Equal,
        }
    }
}

/// Only what they are to be sorted by is asked for.
pub(super) async fn ranked<R: Row>(
    rows: Vec<R>,
    sort: Option<&[String]>,
    turns: &mut Turns,
) -> Vec<Ranked<R>> {
    let mut ranked: Vec<Ranked<R>> = Vec::with_capacity(rows.len());
    for row in rows {
        let host = ranked.last().map_or(0, |last| {
            last.host + usize::from(last.row.virtual_host() != row.virtual_host())
        });
        let (value, made) = sort.map(|path| value_at(&row, path)).unzip();
        let work = value.as_ref().map_or(1, work_in);
        ranked.push(Ranked { value, work, host, lead: first_bytes(row.lead()), row });
        turns.spend(1 + made.unwrap_or_default()).await;
    }
    ranked
}

/// As a number, so that the order of texts whose first bytes differ is that of their numbers.
fn first_bytes(text: &str) -> u128 {
    let mut bytes = [0; size_of::<u128>()];
    bytes.iter_mut().zip(text.bytes()).for_each(|(byte, known)| *byte = known);
    u128::from_be_bytes(bytes)
}

/// What is not there counts as 0. Tells, too, how much work it was to make it.
fn value_at<R: Row>(row: &R, path: &[String]) -> (Value, usize) {
    let value = match path {
        [name] => row.field(name),
        _ => None,
    };
    let mut value = value.map_or_else(|| (row.shape(), path), |value| (value, &[][..]));
    let work = work_in(&value.0);
    while let (Value::Object(object), [name, rest @ ..]) = &mut value {
        value = (object.remove(name).unwrap_or_else(|| 0.into()), rest);
    }
    (if value.1.is_empty() { value.0 } else { 0.into() }, work)
}

/// A part of the rows in which all that belong there are, in no order.
struct Part {
    range: Range<usize>,
    /// How often it may be split: where that did not help, its rows are sorted at once.
    splits_left: u32,
}

/// The rows of this range of all, in their order.
pub(super) async fn select<R: Row>(
    mut rows: Vec<Ranked<R>>,
    wanted: Range<usize>,
    is_reverse: bool,
    turns: &mut Turns,
) -> Vec<Ranked<R>> {
    let splits_left = 2 * (usize::BITS - rows.len().leading_zeros());
    let mut parts = vec![Part { range: 0..rows.len(), splits_left }];
    while let Some(Part { range, splits_left }) = parts.pop() {
        if range.end <= wanted.start || wanted.end <= range.start {
            continue;
        }
        let Some(part) = rows.get_mut(range.clone()) else { continue };
        let Some(splits_left) = splits_left.checked_sub(1).filter(|_| !is_small(part)) else {
            part.sort_unstable_by(|left, right| left.order(right, is_reverse));
            turns.end().await;
            continue;
        };
        let equal = split(part, is_reverse, turns).await;
        let (start, end) = (range.start + equal.start, range.start + equal.end);
        parts.push(Part { range: end..range.end, splits_left });
        parts.push(Part { range: range.start..start, splits_left });
    }
    shed(&mut rows, wanted.end, turns).await;
    let selected = rows.split_off(wanted.start.min(rows.len()));
    shed(&mut rows, 0, turns).await;
    selected
}

/// It takes no long time to sort them.
fn is_small<R>(rows: &[Ranked<R>]) -> bool {
    let mut left = LIST_ROWS_SORTED_AT_ONCE;
    let fits = |row: &Ranked<R>| left.checked_sub(row.work).map(|rest| left = rest).is_some();
    rows.len() < 2 || rows.iter().all(fits)
}

/// Puts those before one of the middle to the front, those behind it to the back; tells where those
/// are that are its equals.
async fn split<R: Row>(
    rows: &mut [Ranked<R>],
    is_reverse: bool,
    turns: &mut Turns,
) -> Range<usize> {
    rows.swap(0, middle(rows, is_reverse));
    let (mut first_equal, mut next, mut first_behind) = (0, 1, rows.len());
    while next < first_behind {
        let (Some(row), Some(equal)) = (rows.get(next), rows.get(first_equal)) else { break };
        let work = row.work.min(equal.work);
        match row.order(equal, is_reverse) {
            Ordering::Less => {
                rows.swap(next, first_equal);
                first_equal += 1;
                next += 1;
            }
            Ordering::Equal => next += 1,
            Ordering::Greater => {
                first_behind -= 1;
                rows.swap(next, first_behind);
            }
        }
        turns.spend(work).await;
    }
    first_equal..first_behind
}

/// Where a row is with about as many before it as behind it.
fn middle<R: Row>(rows: &[Ranked<R>], is_reverse: bool) -> usize {
    let step = rows.len().div_ceil(SAMPLE_SIZE).max(1);
    let mut sample: Vec<_> = rows.iter().enumerate().step_by(step).collect();
    sample.sort_unstable_by(|(_, left), (_, right)| left.order(right, is_reverse));
    sample.get(sample.len() / 2).map_or(0, |(at, _)| *at)
}

/// Drops all rows behind so many.
async fn shed<R: Row>(rows: &mut Vec<Ranked<R>>, count: usize, turns: &mut Turns) {
    while rows.len() > count {
        rows.truncate(count.max(rows.len() - LIST_ROWS_PER_TURN.min(rows.len())));
        turns.end().await;
    }
}
