//! A list on its way to the client: rows become JSON as the socket takes them, so that a list of
//! very many is never in memory as a whole.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};

use super::columns::Columns;
use super::list::Row;
use super::turns::work_in;
use crate::limits::{LIST_CHUNK_SIZE, LIST_ROWS_PER_TURN};

/// Rows that were not told yet.
#[derive(Debug)]
pub(super) struct RowStream<R> {
    rows: std::vec::IntoIter<R>,
    columns: Columns,
    /// The list has begun.
    has_begun: bool,
    /// The list has ended.
    is_over: bool,
    /// The next piece is made when others had their turn.
    is_resting: bool,
}

impl<R: Row> RowStream<R> {
    pub(super) fn new(rows: Vec<R>, columns: Columns) -> Self {
        let rows = rows.into_iter();
        Self { rows, columns, has_begun: false, is_over: false, is_resting: false }
    }

    /// As many rows as make up a piece, and what stands around them. Where little of each is
    /// wanted, the work that they are ends it.
    fn piece(&mut self) -> Bytes {
        let mut text = Vec::with_capacity(LIST_CHUNK_SIZE * 2);
        let mut work = 0;
        while text.len() < LIST_CHUNK_SIZE && work < LIST_ROWS_PER_TURN && !self.is_over {
            let separator = if self.has_begun { b',' } else { b'[' };
            match self.rows.next() {
                Some(row) => {
                    text.push(separator);
                    let shape = row.shape();
                    work += work_in(&shape);
                    let value = self.columns.pick(shape);
                    text.extend_from_slice(value.to_string().as_bytes());
                }
                None => {
                    text.extend_from_slice(if self.has_begun { b"]" } else { b"[]" });
                    self.is_over = true;
                }
            }
            self.has_begun = true;
        }
        text.into()
    }
}

impl<R: Row> Body for RowStream<R> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        if std::mem::take(&mut self.is_resting) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.is_resting = true;
        Poll::Ready(Some(Ok(Frame::data(self.piece()))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }
}
