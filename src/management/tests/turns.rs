//! Lists of very many: others have their turns while one is made, and it is sorted all the same.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use axum::body::to_bytes;
use hyper::body::Body;

use super::super::columns::Columns;
use super::super::list::{self, ListWish, Row};
use super::super::query::Query;
use super::super::row_order::{ranked, select};
use super::super::row_stream::RowStream;
use super::super::turns::Turns;
use super::*;
use crate::limits::LIST_ROWS_PER_TURN;

/// A row that has a number and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Numbered(String, usize);

impl Row for Numbered {
    type Key<'a> = &'a str;

    fn key(&self) -> &str {
        &self.0
    }

    fn virtual_host(&self) -> &'static str {
        "/"
    }

    fn name(&self) -> &str {
        &self.0
    }

    fn shape(&self) -> Value {
        json!({"name": self.0, "in": {"number": self.1}, "list": vec![self.1; self.1]})
    }
}

/// So many rows in no order; of each number there are some.
fn rows(count: usize) -> Vec<Numbered> {
    let mut state = 7_usize;
    let mut next = || {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        state >> 40
    };
    (0..count).map(|at| Numbered(format!("row-{:06}-{at}", next()), next() % 50)).collect()
}

/// How often others had a turn until it was done.
async fn counted<T>(work: impl Future<Output = T>) -> (T, usize) {
    let (mut work, mut count) = (pin!(work), 0);
    let output = poll_fn(|context| {
        let poll = work.as_mut().poll(context);
        count += usize::from(poll.is_pending());
        poll
    });
    (output.await, count)
}

async fn turns_of(query: &str, count: usize) -> usize {
    let wish = ListWish::of(&Query::parse(query)).unwrap();
    let (answer, turns) = counted(list::answer(rows(count), wish)).await;
    answer.unwrap();
    turns
}

/// One search may take milliseconds, and there was once a turn after 2048 of them.
#[tokio::test]
async fn others_have_a_turn_after_each_name_that_a_pattern_is_looked_for_in() {
    let pattern = "page=1&page_size=1&use_regex=true&name=%5E(%3F!x)(a%7Cr)%2B.*z%24";
    assert!(turns_of(pattern, 100).await >= 100);
    assert!(turns_of("page=1&page_size=1&name=row", 100).await < 10);
}

/// The last sort of all rows was once one step, and so was making 2048 rows to sort by a field.
#[tokio::test]
async fn others_have_turns_while_rows_are_sorted() {
    let count = 10 * LIST_ROWS_PER_TURN;
    assert!(turns_of("", count).await > 100);
    assert!(turns_of("sort=in.number", LIST_ROWS_PER_TURN).await > 20);
}

#[tokio::test]
async fn each_part_of_very_many_rows_is_that_of_all_in_their_order() {
    let all = rows(5000);
    for (sort, is_reverse) in [(None, false), (Some("in.number"), false), (Some("list"), true)] {
        let path: Option<Vec<String>> =
            sort.map(|path| path.split('.').map(str::to_owned).collect());
        let mut sorted = all.clone();
        sorted.sort_by_key(|row| (if sort.is_some() { row.1 } else { 0 }, row.0.clone()));
        if is_reverse {
            sorted.reverse();
        }
        for range in [0..5000, 0..0, 0..1, 0..100, 2500..2600, 4900..5000, 5000..5000, 0..4999] {
            let mut turns = Turns::default();
            let rows = ranked(all.clone(), path.as_deref(), &mut turns).await;
            let rows = select(rows, range.clone(), is_reverse, &mut turns).await;
            let rows: Vec<_> = rows.into_iter().map(|ranked| ranked.row).collect();
            assert_eq!(rows, sorted[range.clone()], "{sort:?} {range:?}");
        }
    }
}

/// Rows that all are equal, and rows that are sorted already, are no long work.
#[tokio::test]
async fn rows_in_any_order_are_sorted_in_time() {
    let count = 20 * LIST_ROWS_PER_TURN;
    let mut sorted = rows(count);
    sorted.sort();
    let backward = sorted.iter().rev().cloned().collect();
    let equal = vec![Numbered("same".into(), 1); count];
    for rows in [sorted, backward, equal] {
        let wish = ListWish::whole(&Query::parse(""));
        let (_, turns) = counted(list::answer(rows, wish)).await;
        assert!(turns < 1000, "{turns}");
    }
}

/// Where nothing of rows was wanted, 11,000 were once made for one piece.
#[tokio::test]
async fn a_piece_of_a_list_is_of_few_rows_however_little_is_wanted_of_each() {
    let columns = Columns::of(&Query::parse("columns=nope"));
    let mut stream = RowStream::new(rows(10_000), columns);
    let context = &mut Context::from_waker(Waker::noop());
    let Poll::Ready(Some(Ok(first))) = Pin::new(&mut stream).poll_frame(context) else {
        panic!("a piece is there at once")
    };
    let first = first.into_data().unwrap();
    assert!(first.len() < 1000, "{}", first.len());
    let rest = to_bytes(axum::body::Body::new(stream), usize::MAX).await.unwrap();
    let whole: Vec<Value> = serde_json::from_slice(&[first, rest].concat()).unwrap();
    assert_eq!(whole, vec![json!({}); 10_000]);
}
