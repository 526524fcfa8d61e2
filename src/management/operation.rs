//! What one route does, in words and for programs: what it takes, and what comes back. How that is
//! written down is in `description`; nothing here is looked at when a request comes.

/// What a route does.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) summary: &'static str,
    pub(super) answer: Answer,
    /// Names behind the question mark.
    pub(super) query: Vec<&'static str>,
    /// Fields of the body that must be there.
    pub(super) needed: &'static [Field],
    /// Fields of the body that may be there.
    pub(super) optional: &'static [Field],
    /// What the body is, where it is no object of fields.
    pub(super) body: Option<BodyKind>,
    /// It asks nobody who they are.
    pub(super) is_open: bool,
    /// Statuses that it has beside those of its answer and of all routes.
    pub(super) others: Vec<u16>,
}

/// A field of a body.
pub(super) type Field = (&'static str, Kind);

/// What a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// True or false, which may be a text.
    Flag,
    /// A whole number.
    Number,
    /// A whole number, which may be a text.
    NumberOrText,
    Object,
    /// Texts.
    List,
    /// Texts, or one with commas in it.
    Tags,
    Any,
}

/// A body that is no object of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyKind {
    /// A file with definitions: JSON, or a field of a form.
    Definitions,
    /// The fields of a form.
    Form,
}

/// What comes back when all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// All of a list.
    List,
    /// All of a list, or a page of it.
    Pages,
    /// An object.
    Item,
    /// A text.
    Text,
    /// 201 where something is new, 204 where it was there.
    Set,
    /// 201 with the place of what is new.
    Made,
    /// 204.
    Done,
    /// 200 where all is well, 503 where it is not.
    Check,
}

const COLUMNS: &[&str] = &["columns"];

const SORTED: &[&str] = &["columns", "sort", "sort_reverse"];

const PAGED: &[&str] =
    &["columns", "sort", "sort_reverse", "page", "page_size", "name", "use_regex"];

impl Operation {
    fn new(summary: &'static str, answer: Answer, query: &[&'static str]) -> Self {
        Self {
            summary,
            answer,
            query: query.to_vec(),
            needed: &[],
            optional: &[],
            body: None,
            is_open: false,
            others: Vec::new(),
        }
    }

    /// Gives a list that has no pages.
    pub(super) fn list(summary: &'static str) -> Self {
        Self::new(summary, Answer::List, SORTED)
    }

    /// Gives a list, or a page of it.
    pub(super) fn pages(summary: &'static str) -> Self {
        Self::new(summary, Answer::Pages, PAGED)
    }

    /// Gives an object, of which columns can be picked.
    pub(super) fn columns(summary: &'static str) -> Self {
        Self::new(summary, Answer::Item, COLUMNS)
    }

    /// Gives an object.
    pub(super) fn item(summary: &'static str) -> Self {
        Self::new(summary, Answer::Item, &[])
    }

    /// Gives a list as it is.
    pub(super) fn all(summary: &'static str) -> Self {
        Self::new(summary, Answer::List, &[])
    }

    /// Gives a text.
    pub(super) fn text(summary: &'static str) -> Self {
        Self::new(summary, Answer::Text, &[])
    }

    /// Sets something that may be there.
    pub(super) fn set(summary: &'static str) -> Self {
        Self::new(summary, Answer::Set, &[])
    }

    /// Makes something, and tells where it is.
    pub(super) fn made(summary: &'static str) -> Self {
        Self::new(summary, Answer::Made, &[])
    }

    /// Does something of which nothing is told.
    pub(super) fn done(summary: &'static str) -> Self {
        Self::new(summary, Answer::Done, &[])
    }

    /// Tells whether something is well.
    pub(super) fn check(summary: &'static str) -> Self {
        Self::new(summary, Answer::Check, &[])
    }

    pub(super) fn needs(self, needed: &'static [Field]) -> Self {
        Self { needed, ..self }
    }

    pub(super) fn takes(self, optional: &'static [Field]) -> Self {
        Self { optional, ..self }
    }

    pub(super) fn reads(self, body: BodyKind) -> Self {
        Self { body: Some(body), ..self }
    }

    pub(super) fn asks(mut self, names: &[&'static str]) -> Self {
        self.query.extend(names);
        self
    }

    /// Everybody may ask.
    pub(super) fn open(self) -> Self {
        Self { is_open: true, ..self }
    }

    /// There is another status that it may have.
    pub(super) fn or(mut self, status: u16) -> Self {
        self.others.push(status);
        self
    }

    pub(super) fn has_body(&self) -> bool {
        self.body.is_some() || !self.needed.is_empty() || !self.optional.is_empty()
    }
}
