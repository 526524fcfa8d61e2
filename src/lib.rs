//! Leveret, a message broker that speaks AMQP 0-9-1.
//!
//! The floors, from the ground up; a folder uses only what stands below it:
//!
//! 0. [`protocol`]: bytes to values and back.
//! 1. [`message`]: the words all floors share.
//! 2. [`definitions`]: all that is declared, as values.
//! 3. [`connection`], [`routing`], [`queue`], [`auth`]: pure machines and tables. [`store`]: what
//!    remembers, and the one door to the disk.
//! 4. [`broker`]: the synchronous heart; a program may embed it without a runtime.
//! 5. [`server`]: the AMQP door, where tokio begins. [`management`]: the HTTP door for
//!    operators. [`metrics`]: the door for Prometheus.
//! 6. [`node`]: assembly: configuration, boot, shutdown, logs. [`inspect`]: a look into a data
//!    directory. [`perf`]: a load generator. [`ctl`]: the tool that asks a running node.
//!
//! [`command_line`] says which command of the binary is meant; `manual` prints its pages;
//! `built_in` names the plugins of RabbitMQ that it stands in for.
//!
//! [`limits`] holds every bound in the system, each with its reason.

pub mod limits;

pub mod protocol;

pub mod message;

pub mod definitions;

pub mod auth;
pub mod connection;
pub mod policy;
pub mod queue;
pub mod routing;
pub mod store;

pub mod broker;

pub mod management;
pub mod metrics;
pub mod server;

pub mod ctl;
pub mod inspect;
pub mod node;
pub mod perf;

mod built_in;
pub mod command_line;
mod manual;
