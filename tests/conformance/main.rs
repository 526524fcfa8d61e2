//! The conformance suite: what a client sends and what must come back, frame by frame. The same
//! scripts run against a broker in this process, with time under their hand, and against any broker
//! behind a socket (`LEVERET_AGAINST=HOST:PORT`). How a script is written is told in `script`.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a panic is a failed test")]

mod access;
mod basic;
mod channel;
mod client;
mod confirm;
mod connection;
mod consume;
mod consumer_timeout;
mod content;
mod dead_letter;
mod declare_equivalence;
mod deduplication;
mod delivery_count;
mod differences;
mod events;
mod exchange;
mod exchange_bind;
mod exchange_types;
mod expect;
mod expiry;
mod firehose;
mod frames;
mod handshake;
mod header;
mod in_process;
mod length_limit;
mod limits;
mod login;
mod message_ttl;
mod methods;
mod nowait;
mod permissions;
mod plain;
mod prefetch;
mod priority;
mod properties;
mod publish_rate;
mod queue;
mod queue_arguments;
mod received;
mod reply_to;
mod retry;
mod script;
mod socket;
mod steps;
mod topic_permission;
mod tx;
mod virtual_host;
