//! What a verb has to show, before anybody knows how.

use serde_json::Value;

/// The outcome of a verb.
#[derive(Debug, PartialEq)]
pub(super) enum Output {
    /// It is done, and there is nothing to show.
    Done,
    /// A hint, which is left out where only what was asked for is wanted.
    Hint(String),
    /// A sentence that answers the question.
    Message(String),
    /// Rows under the names of columns.
    Rows(Table),
    /// The same in a frame, where nobody asks for another form.
    Framed(Table),
    /// A text for people, and the same for programs.
    Report { text: String, json: Value },
    /// Bytes as they are.
    Raw(String),
}

/// Rows of values, each as long as there are columns.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Table {
    pub(super) columns: Vec<&'static str>,
    pub(super) rows: Vec<Vec<Value>>,
}
