//! Lists: which part of what is there is wanted, and in which order. Nothing here takes a lock, and
//! there may be very many rows: JSON is made of no more than is told. How they are sorted is in
//! `row_order`; what a row says, its resource knows.

use std::ops::Range;

use axum::response::Response;
use serde_json::{Value, json};

use super::answer;
use super::columns::Columns;
use super::name_filter::NameFilter;
use super::query::Query;
use super::refusal::Refusal;
use super::row_order::{ranked, select};
use super::row_stream::RowStream;
use super::turns::{Turns, work_in};
use crate::limits::{LIST_PAGE_SIZE, LIST_PAGE_SIZE_MAX};

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

/// Answers with what is wanted of these rows, which come by virtual hosts in their order.
pub(super) async fn answer<R: Row>(rows: Vec<R>, wish: ListWish) -> Result<Response, Refusal> {
    let mut turns = Turns::default();
    let total_count = rows.len();
    let ListWish { page, sort, is_reverse, columns } = wish;
    let filter = page.as_ref().and_then(|page| page.filter.as_ref());
    let rows = filtered(rows, filter, &mut turns).await;
    let count = rows.len();
    let range = page.as_ref().map_or(Ok(0..count), |page| page.range(count))?;
    let rows = ranked(rows, sort.as_deref(), &mut turns).await;
    let rows = select(rows, range, is_reverse, &mut turns).await;
    let rows: Vec<R> = rows.into_iter().map(|ranked| ranked.row).collect();
    let Some(page) = page else {
        return Ok(answer::stream(RowStream::new(rows, columns)));
    };
    let items = shapes(rows, &columns, &mut turns).await;
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

async fn filtered<R: Row>(rows: Vec<R>, filter: Option<&NameFilter>, turns: &mut Turns) -> Vec<R> {
    let Some(filter) = filter else { return rows };
    let mut passed = Vec::new();
    for row in rows {
        passed.extend(filter.lets_pass(row.name()).then_some(row));
        turns.spend(filter.work()).await;
    }
    passed
}

async fn shapes<R: Row>(rows: Vec<R>, columns: &Columns, turns: &mut Turns) -> Vec<Value> {
    let mut shapes = Vec::with_capacity(rows.len());
    for row in rows {
        let shape = row.shape();
        turns.spend(work_in(&shape)).await;
        shapes.push(columns.pick(shape));
    }
    shapes
}
