//! The clients of a run as machines: frames in, bytes to write out. They read no socket and no
//! clock; a reactor gives them turns.

mod acknowledging;
mod batch;
mod churner;
mod closing;
mod confirms;
mod consumer;
mod delivery;
mod opener;
mod pace;
mod publisher;
mod rpc_client;
mod rpc_server;
mod stamp;

pub(super) use batch::Batch;
pub(super) use churner::{Churner, Churners};
pub(super) use consumer::{Consumer, Consuming, consume};
pub(super) use opener::{Opener, Opening};
pub(super) use publisher::{Published, Publisher, Publishing};
pub(super) use rpc_client::{Asking, RpcClient};
pub(super) use rpc_server::{Answering, RpcServer};
pub(super) use stamp::{PUBLISHERS_MAX, QUEUES_MAX, STAMP_SIZE};
