//! What must hold in every run: one file each. An invariant sees facts and says when one breaks it;
//! where facts come from, and what a client does, it does not know.

mod confirms;
mod counters;
mod delivered_twice;
mod exclusive;
mod invented;
mod lost;
mod order;
mod prefetch;
mod redelivered;
mod replies;
mod requeue;
mod returns;
mod waiting;

use crate::fact::Fact;

/// Something that must hold.
pub(crate) trait Invariant: std::fmt::Debug {
    /// Its name, which is its file's.
    fn name(&self) -> &'static str;

    /// Takes the next fact.
    ///
    /// # Errors
    /// What is wrong, in words.
    fn check(&mut self, fact: &Fact) -> Result<(), String>;
}

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) invariant: &'static str,
    pub(crate) text: String,
}

/// All of them, new.
pub(crate) fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(lost::Lost),
        Box::new(invented::Invented),
        Box::new(delivered_twice::DeliveredTwice),
        Box::new(order::Order::default()),
        Box::new(requeue::Requeue),
        Box::new(prefetch::Prefetch::default()),
        Box::new(counters::Counters),
        Box::new(confirms::Confirms::default()),
        Box::new(returns::Returns::default()),
        Box::new(redelivered::Redelivered),
        Box::new(exclusive::Exclusive::default()),
        Box::new(replies::Replies::default()),
        Box::new(waiting::Waiting),
    ]
}
