//! Methods on a channel, turned into what the broker is asked. What can be told from the channel
//! alone (an unknown delivery tag, a wrong mode) is refused here; the rest the broker decides.

use super::channel::{Channel, KnownConsumer, Mode};
use super::command::{
    Bind, Command, Consume, DeclareExchange, DeclareQueue, DeleteQueue, Effect, Request,
};
use super::machine::{Connection, begin_content, decode_method};
use super::unsettled::{TagRun, grouped};
use crate::message::{Name, Outcome, Random, cleaned};
use crate::protocol::field::{FieldTable, FieldValue};
use crate::protocol::frame::Frame;
use crate::protocol::methods::{Method, basic, exchange, queue};
use crate::protocol::reply::{AmqpError, ChannelError, ConnectionError};

/// What a method comes to.
enum Step {
    /// The broker carries it out.
    Ask { nowait: bool, command: Command },
    /// Deliveries ended.
    Settle { tag: u64, multiple: bool, outcome: Outcome },
    /// A message follows.
    AwaitContent,
    /// The client ends the channel.
    Close,
}

impl Step {
    fn ask(command: Command) -> Self {
        Self::Ask { nowait: false, command }
    }
}

impl Connection {
    /// A method on an open channel that awaits no content.
    pub(super) fn handle_channel_method(
        &mut self,
        frame: &Frame<'_>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), AmqpError> {
        let method = decode_method(frame)?;
        let at = (method.class_id(), method.method_id());
        let Some(channel) = self.channels.get_mut(&frame.channel) else { return Ok(()) };
        let step = step(channel, method, &mut self.random).map_err(|error| error.at(at.0, at.1))?;
        match step {
            Step::Ask { nowait, command } => {
                let request = Request { channel: frame.channel, method: at, nowait, command };
                self.request(request, effects);
            }
            Step::Settle { tag, multiple, outcome } => {
                settle(channel, tag, multiple, outcome, effects)
                    .map_err(|error| error.at(at.0, at.1))?;
            }
            Step::Close => {
                channel.state = super::channel::State::Released;
                let command = Command::CloseChannel { settles: channel.release(), error: None };
                let request =
                    Request { channel: frame.channel, method: at, nowait: false, command };
                self.request(request, effects);
            }
            Step::AwaitContent => {}
        }
        Ok(())
    }
}

/// Ends deliveries, now or when the transaction is committed.
fn settle(
    channel: &mut Channel,
    tag: u64,
    multiple: bool,
    outcome: Outcome,
    effects: &mut Vec<Effect>,
) -> Result<(), ChannelError> {
    let taken = channel
        .unsettled
        .take(tag, multiple)
        .ok_or_else(|| ChannelError::precondition_failed(format!("unknown delivery tag {tag}")))?;
    if let Mode::Transaction(settled) = &mut channel.mode {
        let count = taken.iter().map(TagRun::count).sum();
        channel.traffic.acks_uncommitted.add(count);
        settled.extend(taken.into_iter().map(|taken| (outcome, taken)));
    } else {
        effects.extend(grouped(channel.number, outcome, taken).into_iter().map(Effect::Settle));
    }
    Ok(())
}

fn step(channel: &mut Channel, method: Method<'_>, random: &mut Random) -> Result<Step, AmqpError> {
    match method {
        Method::ChannelOpen(_) => {
            Err(ConnectionError::channel_error("second 'channel.open' seen").into())
        }
        Method::ChannelClose(_) => Ok(Step::Close),
        Method::ChannelFlow(flow) if !flow.active => {
            Err(ConnectionError::not_implemented("active=false").into())
        }
        Method::ChannelFlow(_) => Ok(Step::ask(Command::Flow)),
        Method::AccessRequest(_) => Ok(Step::ask(Command::RequestAccess)),
        Method::ConfirmSelect(select) => select_confirm(channel, select.nowait),
        Method::TxSelect(_) => select_transaction(channel),
        Method::TxCommit(_) => commit(channel),
        Method::TxRollback(_) => rollback(channel),
        method => match method.class_id() {
            40 => exchange_step(method),
            50 => queue_step(channel, method, random),
            60 => basic_step(channel, method, random),
            _ => Err(unimplemented_method()),
        },
    }
}

/// The method exists, but not for a client to send here.
fn unimplemented_method() -> AmqpError {
    ConnectionError::command_invalid("unimplemented method").into()
}

fn select_confirm(channel: &mut Channel, nowait: bool) -> Result<Step, AmqpError> {
    match channel.mode {
        Mode::Transaction(_) => {
            let text = "cannot switch from tx to confirm mode";
            return Err(ChannelError::precondition_failed(text).into());
        }
        Mode::Plain => channel.mode = Mode::Confirm(super::confirms::Confirms::default()),
        Mode::Confirm(_) => {}
    }
    Ok(Step::Ask { nowait, command: Command::SelectConfirm })
}

fn select_transaction(channel: &mut Channel) -> Result<Step, AmqpError> {
    match channel.mode {
        Mode::Confirm(_) => {
            let text = "cannot switch from confirm to tx mode";
            return Err(ChannelError::precondition_failed(text).into());
        }
        Mode::Plain => channel.mode = Mode::Transaction(Vec::new()),
        Mode::Transaction(_) => {}
    }
    Ok(Step::ask(Command::SelectTransaction))
}

fn commit(channel: &mut Channel) -> Result<Step, AmqpError> {
    check_transactional(channel)?;
    Ok(Step::ask(Command::Commit(channel.commit())))
}

fn rollback(channel: &mut Channel) -> Result<Step, AmqpError> {
    check_transactional(channel)?;
    channel.restore_transaction();
    Ok(Step::ask(Command::Rollback))
}

fn check_transactional(channel: &Channel) -> Result<(), ChannelError> {
    match channel.mode {
        Mode::Transaction(_) => Ok(()),
        Mode::Plain | Mode::Confirm(_) => {
            Err(ChannelError::precondition_failed("channel is not transactional"))
        }
    }
}

fn exchange_step(method: Method<'_>) -> Result<Step, AmqpError> {
    Ok(match method {
        Method::ExchangeDeclare(declare) => Step::Ask {
            nowait: declare.nowait,
            command: Command::DeclareExchange(declare_exchange(declare)),
        },
        Method::ExchangeDelete(delete) => Step::Ask {
            nowait: delete.nowait,
            command: Command::DeleteExchange {
                exchange: cleaned(delete.exchange),
                if_unused: delete.if_unused,
            },
        },
        Method::ExchangeBind(exchange::Bind {
            destination,
            source,
            routing_key,
            nowait,
            arguments,
        }) => bind_exchange(false, source, destination, routing_key, arguments, nowait),
        Method::ExchangeUnbind(exchange::Unbind {
            destination,
            source,
            routing_key,
            nowait,
            arguments,
        }) => bind_exchange(true, source, destination, routing_key, arguments, nowait),
        _ => return Err(unimplemented_method()),
    })
}

fn declare_exchange(declare: exchange::Declare<'_>) -> DeclareExchange {
    DeclareExchange {
        exchange: cleaned(declare.exchange),
        kind: declare.kind.into(),
        passive: declare.passive,
        durable: declare.durable,
        auto_delete: declare.auto_delete,
        internal: declare.internal,
        arguments: declare.arguments,
    }
}

fn bind_exchange(
    is_unbind: bool,
    source: &str,
    destination: &str,
    routing_key: &str,
    arguments: FieldTable,
    nowait: bool,
) -> Step {
    let bind = Bind {
        is_unbind,
        source: cleaned(source),
        destination: cleaned(destination),
        to_exchange: true,
        routing_key: routing_key.into(),
        arguments,
    };
    Step::Ask { nowait, command: Command::Bind(bind) }
}

fn queue_step(
    channel: &mut Channel,
    method: Method<'_>,
    random: &mut Random,
) -> Result<Step, AmqpError> {
    Ok(match method {
        Method::QueueDeclare(declare) => {
            let nowait = declare.nowait;
            let declare = declare_queue(declare, random);
            channel.last_queue = Some(declare.queue.clone());
            Step::Ask { nowait, command: Command::DeclareQueue(declare) }
        }
        Method::QueueBind(bind) => {
            let queue = queue_name(channel, bind.queue)?;
            // With neither queue nor key named, the key is the queue's name too.
            let key_is_queue = bind.queue.is_empty() && bind.routing_key.is_empty();
            let routing_key = if key_is_queue { queue.clone() } else { bind.routing_key.into() };
            bind_queue(false, bind.exchange, queue, routing_key, bind.arguments, bind.nowait)
        }
        Method::QueueUnbind(unbind) => {
            let queue = queue_name(channel, unbind.queue)?;
            let key_is_queue = unbind.queue.is_empty() && unbind.routing_key.is_empty();
            let routing_key = if key_is_queue { queue.clone() } else { unbind.routing_key.into() };
            bind_queue(true, unbind.exchange, queue, routing_key, unbind.arguments, false)
        }
        Method::QueuePurge(purge) => Step::Ask {
            nowait: purge.nowait,
            command: Command::PurgeQueue { queue: queue_name(channel, purge.queue)? },
        },
        Method::QueueDelete(delete) => Step::Ask {
            nowait: delete.nowait,
            command: Command::DeleteQueue(DeleteQueue {
                queue: queue_name(channel, delete.queue)?,
                if_unused: delete.if_unused,
                if_empty: delete.if_empty,
            }),
        },
        _ => return Err(unimplemented_method()),
    })
}

fn declare_queue(declare: queue::Declare<'_>, random: &mut Random) -> DeclareQueue {
    let is_server_named = declare.queue.is_empty() && !declare.passive;
    let queue = if is_server_named {
        let prefix = declare.arguments.get("x-name-prefix").and_then(FieldValue::as_str);
        random.name(prefix.unwrap_or("amq.gen")).into()
    } else {
        cleaned(declare.queue)
    };
    DeclareQueue {
        queue,
        is_server_named,
        passive: declare.passive,
        durable: declare.durable,
        exclusive: declare.exclusive,
        auto_delete: declare.auto_delete,
        arguments: declare.arguments,
    }
}

fn bind_queue(
    is_unbind: bool,
    exchange: &str,
    queue: Name,
    routing_key: Name,
    arguments: FieldTable,
    nowait: bool,
) -> Step {
    let bind = Bind {
        is_unbind,
        source: cleaned(exchange),
        destination: queue,
        to_exchange: false,
        routing_key,
        arguments,
    };
    Step::Ask { nowait, command: Command::Bind(bind) }
}

/// An empty name stands for the queue declared last on the channel.
fn queue_name(channel: &Channel, name: &str) -> Result<Name, ChannelError> {
    if !name.is_empty() {
        return Ok(cleaned(name));
    }
    let last = channel.last_queue.clone();
    last.ok_or_else(|| ChannelError::not_found("no previously declared queue"))
}

fn basic_step(
    channel: &mut Channel,
    method: Method<'_>,
    random: &mut Random,
) -> Result<Step, AmqpError> {
    Ok(match method {
        Method::BasicPublish(publish) => {
            begin_content(channel, &publish);
            Step::AwaitContent
        }
        Method::BasicAck(basic::Ack { delivery_tag: tag, multiple }) => {
            Step::Settle { tag, multiple, outcome: Outcome::Accepted }
        }
        Method::BasicNack(basic::Nack { delivery_tag: tag, multiple, requeue }) => {
            let outcome = if requeue { Outcome::Requeued } else { Outcome::Rejected };
            Step::Settle { tag, multiple, outcome }
        }
        Method::BasicReject(basic::Reject { delivery_tag: tag, requeue }) => {
            let outcome = if requeue { Outcome::Failed } else { Outcome::Rejected };
            Step::Settle { tag, multiple: false, outcome }
        }
        Method::BasicQos(qos) => set_qos(&qos)?,
        Method::BasicConsume(consume) => begin_consuming(channel, consume, random)?,
        Method::BasicCancel(cancel) => Step::Ask {
            nowait: cancel.nowait,
            command: Command::Cancel {
                consumer: channel.consumer_by_tag(cancel.consumer_tag).map(|known| known.key),
                consumer_tag: cancel.consumer_tag.into(),
            },
        },
        Method::BasicGet(get) => {
            Step::ask(Command::Get { queue: queue_name(channel, get.queue)?, no_ack: get.no_ack })
        }
        Method::BasicRecover(basic::Recover { requeue }) => recover(channel, requeue, false)?,
        Method::BasicRecoverAsync(basic::RecoverAsync { requeue }) => {
            recover(channel, requeue, true)?
        }
        _ => return Err(unimplemented_method()),
    })
}

fn set_qos(qos: &basic::Qos) -> Result<Step, ConnectionError> {
    if qos.prefetch_size != 0 {
        let text = format!("prefetch_size!=0 ({})", qos.prefetch_size);
        return Err(ConnectionError::not_implemented(text));
    }
    let (prefetch_count, global) = (qos.prefetch_count, qos.global);
    Ok(Step::ask(Command::Qos { prefetch_count, global }))
}

fn begin_consuming(
    channel: &mut Channel,
    consume: basic::Consume<'_>,
    random: &mut Random,
) -> Result<Step, AmqpError> {
    let queue = queue_name(channel, consume.queue)?;
    let consumer_tag: Name = match consume.consumer_tag {
        "" => random.name("amq.ctag").into(),
        tag => tag.into(),
    };
    if channel.consumer_by_tag(&consumer_tag).is_some() {
        let text = format!("attempt to reuse consumer tag '{consumer_tag}'");
        return Err(ConnectionError::not_allowed(text).into());
    }
    let key = channel.next_consumer_key();
    channel.consumers.push(KnownConsumer {
        key,
        consumer_tag: consumer_tag.clone(),
        no_ack: consume.no_ack,
        queue_kind: None,
    });
    let command = Command::Consume(Consume {
        queue,
        consumer: key,
        consumer_tag,
        no_ack: consume.no_ack,
        exclusive: consume.exclusive,
        arguments: consume.arguments,
    });
    Ok(Step::Ask { nowait: consume.nowait, command })
}

fn recover(channel: &mut Channel, requeue: bool, is_async: bool) -> Result<Step, AmqpError> {
    if !requeue {
        return Err(ConnectionError::not_implemented("requeue=false").into());
    }
    let taken = channel.unsettled.take_all();
    let settles = grouped(channel.number, Outcome::Requeued, taken);
    Ok(Step::Ask { nowait: is_async, command: Command::Recover(settles) })
}
