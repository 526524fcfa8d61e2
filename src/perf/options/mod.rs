//! What may be asked of the load generator, as typed and as meant. It opens nothing.

mod broker;
mod compare;
mod kinds;
mod load;
mod uri;

use clap::{Args, Subcommand};

pub(super) use broker::Target;
pub(super) use compare::Compare;
pub(super) use load::Load;

pub(super) use broker::Run;
pub(super) use kinds::{Backlog, Churning, Idle, Rpc};

/// Load an AMQP 0-9-1 broker, check that every message arrives once and in order, and measure.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Options {
    #[command(subcommand)]
    pub(super) kind: Option<OtherKind>,
    #[command(flatten)]
    pub(super) load: Load,
}

/// What else there is beside publishers and consumers.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(super) enum OtherKind {
    /// Clients that wait for the answer of a server, by direct reply-to
    Rpc(Rpc),
    /// Connections, channels, queues or bindings that come and go
    Churn(Churning),
    /// Connections that are opened and left alone
    Idle(Idle),
    /// A queue that is filled, and drained when it is full
    Backlog(Backlog),
    /// Scenarios against several brokers in turn
    Compare(Compare),
}
