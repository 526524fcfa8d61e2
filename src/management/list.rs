//! Lists: which part of what is there is wanted, and in which order. Nothing here takes a lock, and
//! there may be very many rows: those of one page are found without sorting all, and JSON is made
//! of no more than is told. What a row says, its resource knows.

use std::cmp::Ordering;
use std::ops::Range;

use axum::response::Response;
use serde_json::{Value, json};
use tokio::task::yield_now;

use super::answer;
use super::columns::Columns;
use super::name_filter::NameFilter;
use super::query::Query;
use super::refusal::Refusal;
use super::row_stream::RowStream;
use super::value_order::compare;
use crate::limits::{LIST_PAGE_SIZE, LIST_PAGE_SIZE_MAX, LIST_ROWS_PER_TURN};

/// One thing in a list.
pub(super) trait Row: Send + Unpin + 'static {
    /// What lists are sorted by where nothing else is asked for.
    type Key<'a>: Ord
    where
        Self: 'a;

    /// The virtual host comes first in it, then `lead`, then the rest.
    fn key(&self) -> Self::Key<'_>;

    fn virtual_host(&self) -> &str;

    /// What rows of one virtual host are sorted by first.
    fn lead(&self) -> &str {
        self.name()
    }

    /// What names are looked for in.
    fn name(&self) -> &str;

    /// Everything about it.
    fn shape(&self) -> Value;

    /// One of its fields, where that costs less than all of them.
    fn field(&self, _name: &str) -> Option<Value> {
        None
    }
}

/// What is asked of a list.
#[derive(Debug)]
pub(super) struct ListWish {
    page: Option<Page>,
    /// The names on the way to the field that rows are sorted by.
    sort: Option<Vec<String>>,
    is_reverse: bool,
    columns: Columns,
}

/// A part of a list, counted from 1, of those rows whose names pass.
#[derive(Debug)]
struct Page {
    number: usize,
    size: usize,
    filter: Option<NameFilter>,
}

impl ListWish {
    /// Of a resource that gives pages.
    pub(super) fn of(query: &Query) -> Result<Self, Refusal> {
        Ok(Self { page: Page::of(query)?, ..Self::whole(query) })
    }

    /// Of a resource that always gives all.
    pub(super) fn whole(query: &Query) -> Self {
        let sort = query.value("sort").filter(|path| !path.is_empty());
        Self {
            page: None,
            sort: sort.map(|path| path.split('.').map(str::to_owned).collect()),
            is_reverse: query.is_true("sort_reverse"),
            columns: Columns::of(query),
        }
    }
}

impl Page {
    fn of(query: &Query) -> Result<Option<Self>, Refusal> {
        let (number, size) = (integer(query, "page")?, integer(query, "page_size")?);
        let Some(number) = number else { return Ok(None) };
        let shown = size.map_or_else(|| "undefined".to_owned(), |size| size.to_string());
        let size = size.map_or(Some(LIST_PAGE_SIZE), |size| {
            usize::try_from(size).ok().filter(|size| (1..=LIST_PAGE_SIZE_MAX).contains(size))
        });
        let from_one = usize::try_from(number).ok().filter(|number| *number > 0);
        let Some((number, size)) = from_one.zip(size) else {
            let reason =
                format!("Invalid pagination parameters: page number {number}, page size {shown}");
            return Err(Refusal::Page("invalid_pagination_parameters", reason));
        };
        Ok(Some(Self { number, size, filter: NameFilter::of(query)? }))
    }

    /// Which of so many rows are on it.
    fn range(&self, count: usize) -> Result<Range<usize>, Refusal> {
        let Self { number, size, .. } = self;
        let first = (number - 1).saturating_mul(*size);
        if first > count {
            let reason =
                format!("Page out of range, page: {number} page size: {size}, len: {count}");
            return Err(Refusal::Page("page_out_of_range", reason));
        }
        Ok(first..first.saturating_add(*size).min(count))
    }
}

/// A whole number; `None` where it is not given.
fn integer(query: &Query, name: &str) -> Result<Option<i64>, Refusal> {
    let number = query.value(name).map(str::parse).transpose();
    number.map_err(|_| Refusal::bad("Pagination parameters are invalid"))
}

/// A row, and what it is sorted by before its key. What is here is compared without a look at the
/// row, which may be anywhere in memory.
struct Ranked<R> {
    value: Option<Value>,
    /// Which virtual host it is in, as these come.
    host: usize,
    /// The first bytes of what leads its key.
    lead: u128,
    row: R,
}

/// Answers with what is wanted of these rows, which come by virtual hosts in their order.
pub(super) async fn answer<R: Row>(rows: Vec<R>, wish: ListWish) -> Result<Response, Refusal> {
    let total_count = rows.len();
    let ListWish { page, sort, is_reverse, columns } = wish;
    let rows = filtered(rows, page.as_ref().and_then(|page| page.filter.as_ref())).await;
    let count = rows.len();
    let range = page.as_ref().map_or(Ok(0..count), |page| page.range(count))?;
    let mut rows = ranked(rows, sort.as_deref()).await;
    select(&mut rows, range, is_reverse);
    let rows = rows.into_iter().map(|ranked| ranked.row);
    let Some(page) = page else {
        return Ok(answer::stream(RowStream::new(rows.collect(), columns)));
    };
    let items: Vec<Value> = rows.map(|row| columns.pick(row.shape())).collect();
    Ok(answer::json(&json!({
        "total_count": total_count,
        "item_count": items.len(),
        "filtered_count": count,
        "page": page.number,
        "page_size": page.size,
        "page_count": count.div_ceil(page.size),
        "items": items,
    })))
}

/// Others have their turns in between.
async fn filtered<R: Row>(rows: Vec<R>, filter: Option<&NameFilter>) -> Vec<R> {
    let Some(filter) = filter else { return rows };
    let mut passed = Vec::new();
    for (at, row) in rows.into_iter().enumerate() {
        if at % LIST_ROWS_PER_TURN == 0 {
            yield_now().await;
        }
        passed.extend(filter.lets_pass(row.name()).then_some(row));
    }
    passed
}

/// Only what they are to be sorted by is asked for.
async fn ranked<R: Row>(rows: Vec<R>, sort: Option<&[String]>) -> Vec<Ranked<R>> {
    let mut ranked: Vec<Ranked<R>> = Vec::with_capacity(rows.len());
    for (at, row) in rows.into_iter().enumerate() {
        if at % LIST_ROWS_PER_TURN == 0 {
            yield_now().await;
        }
        let host = ranked.last().map_or(0, |last| {
            last.host + usize::from(last.row.virtual_host() != row.virtual_host())
        });
        let value = sort.map(|path| value_at(&row, path));
        ranked.push(Ranked { value, host, lead: first_bytes(row.lead()), row });
    }
    ranked
}

/// As a number, so that the order of texts whose first bytes differ is that of their numbers.
fn first_bytes(text: &str) -> u128 {
    let mut bytes = [0; size_of::<u128>()];
    bytes.iter_mut().zip(text.bytes()).for_each(|(byte, known)| *byte = known);
    u128::from_be_bytes(bytes)
}

/// What is not there counts as 0.
fn value_at<R: Row>(row: &R, path: &[String]) -> Value {
    let value = match path {
        [name] => row.field(name),
        _ => None,
    };
    let mut value = value.map_or_else(|| (row.shape(), path), |value| (value, &[][..]));
    while let (Value::Object(object), [name, rest @ ..]) = &mut value {
        value = (object.remove(name).unwrap_or_else(|| 0.into()), rest);
    }
    if value.1.is_empty() { value.0 } else { 0.into() }
}

/// Leaves the rows of this range in their order.
fn select<R: Row>(rows: &mut Vec<Ranked<R>>, range: Range<usize>, is_reverse: bool) {
    let order = |left: &Ranked<R>, right: &Ranked<R>| {
        let order = by_value(left, right)
            .then_with(|| (left.host, left.lead).cmp(&(right.host, right.lead)))
            .then_with(|| left.row.key().cmp(&right.row.key()));
        if is_reverse { order.reverse() } else { order }
    };
    if range.end < rows.len() {
        rows.select_nth_unstable_by(range.end, order);
        rows.truncate(range.end);
    }
    if range.start > 0 && range.start < rows.len() {
        rows.select_nth_unstable_by(range.start, order);
    }
    rows.drain(..range.start.min(rows.len()));
    rows.sort_unstable_by(order);
}

fn by_value<R>(left: &Ranked<R>, right: &Ranked<R>) -> Ordering {
    match (&left.value, &right.value) {
        (Some(left), Some(right)) => compare(left, right),
        _ => Ordering::Equal,
    }
}
