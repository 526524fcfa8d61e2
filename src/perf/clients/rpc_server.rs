//! A server that consumes requests and publishes the answer of each to where it asks for it: the
//! same body, with the same correlation id.

use super::acknowledging::Acknowledging;
use super::closing::Closing;
use super::delivery::{Deliveries, Delivery, Received};
use super::rpc_client::{properties, write_message};
use crate::perf::runs::Progress;
use crate::perf::wire::{Client, Output, Piece, Standing, WireError, refuse_closing};
use crate::perf::workload::Workload;
use crate::protocol::methods::{Method, basic};
use crate::protocol::properties::Properties;

/// What the servers of a thread share.
#[derive(Debug)]
pub(in crate::perf) struct Answering<'a> {
    pub(in crate::perf) progress: &'a Progress,
}

/// One server.
#[derive(Debug)]
pub(in crate::perf) struct RpcServer {
    message_size: usize,
    deliveries: Deliveries,
    acknowledging: Acknowledging,
    /// Of the request that is coming.
    reply_to: String,
    correlation_id: Option<Box<str>>,
    output: Output,
    closing: Closing,
}

impl RpcServer {
    pub(in crate::perf) fn new(workload: &Workload) -> Self {
        let every = workload.acknowledgements.map(|some| some.messages_per_ack);
        Self {
            message_size: workload.message_size,
            deliveries: Deliveries::of_size(workload.message_size),
            acknowledging: Acknowledging::every(every),
            reply_to: String::new(),
            correlation_id: None,
            output: Output::default(),
            closing: Closing::default(),
        }
    }

    fn answer(&mut self, delivery: Delivery) {
        let publish = basic::Publish {
            exchange: "",
            routing_key: &self.reply_to,
            mandatory: false,
            immediate: false,
        };
        let correlation_id = self.correlation_id.take();
        let properties = Properties { correlation_id, ..Properties::default() };
        let output = self.output.bytes();
        write_message(output, &publish, &properties, delivery.stamp, self.message_size);
        self.acknowledging.deliver(delivery.delivery_tag, &mut self.output);
    }
}

impl Client for RpcServer {
    type Shared<'a> = Answering<'a>;

    fn receive(
        &mut self,
        piece: &Piece<'_>,
        _: u64,
        _: &mut Answering<'_>,
    ) -> Result<(), WireError> {
        if let Some(properties) = properties(piece)? {
            properties.reply_to.unwrap_or_default().clone_into(&mut self.reply_to);
            self.correlation_id = properties.correlation_id.map(Box::from);
        }
        match self.deliveries.receive(piece)? {
            Received::Part => Ok(()),
            Received::Delivery(delivery) => {
                self.answer(delivery);
                Ok(())
            }
            Received::Method(Method::BasicCancel(_)) => {
                Err(WireError::Unexpected("the broker cancelled the server's consumer"))
            }
            Received::Method(method) => {
                refuse_closing(&method)?;
                self.closing.receive(&method);
                Ok(())
            }
        }
    }

    fn prepare(&mut self, _: u64, shared: &mut Answering<'_>) -> Result<Standing, WireError> {
        if shared.progress.expected().is_some() {
            self.acknowledging.finish(&mut self.output);
            self.closing.ask(&mut self.output);
        }
        Ok(if self.closing.is_closed() { Standing::Finished } else { Standing::Going })
    }

    fn output(&self) -> &[u8] {
        self.output.waiting()
    }

    fn written(&mut self, size: usize) {
        self.output.written(size);
    }
}
