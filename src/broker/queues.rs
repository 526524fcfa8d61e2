//! Queues: declare, purge, delete, with RabbitMQ's checks in its order (behavior 1.9, 1.10).

use std::sync::Arc;

use hashbrown::HashMap;

use super::churn::Happened;
use super::consume::not_found;
use super::exchanges::{apply_all, check_not_reserved};
use super::in_force::check_storage;
use super::live_queue::Subscriber;
use super::out_of_service::OutOfService;
use super::queue_handle::QueueHandle;
use super::session::{Place, Session};
use super::virtual_host::VirtualHost;
use super::work::Work;
use crate::auth::Access;
use crate::connection::command::{DeclareQueue, DeleteQueue};
use crate::connection::{Event, Reply};
use crate::definitions::{Change, QueueDefinition, VirtualHostDefinitions};
use crate::message::equivalence::{self, QueueProperties};
use crate::message::{Name, QueueDeclaration, QueueKind, QueueOptions, Resource};
use crate::protocol::reply::{AmqpError, ChannelError, ConnectionError};
use crate::queue::{Counts, DeleteRefused};

impl Session {
    pub(super) fn declare_queue(&mut self, declare: &DeclareQueue) -> Result<Reply, AmqpError> {
        let place = self.place()?;
        if declare.passive {
            return self.look_at_queue(&place, &declare.queue);
        }
        let resource = Resource::queue(&declare.queue, &place.host.name);
        // Also where the queue is there: only exchanges are looked up first.
        if !declare.is_server_named {
            check_not_reserved("queue", &declare.queue)?;
        }
        self.check(&place, Access::Configure, resource)?;
        self.broker.churn.count(Happened::QueueDeclared);
        let mut definitions = place.host.definitions();
        if let Some(handle) = place.host.queue(&declare.queue) {
            self.check_owner(&handle)?;
            self.check_equivalent(&place, &handle.definition, declare)?;
            return self.declare_ok(&place, &handle);
        }
        check_may_add(&place.host, &definitions, resource)?;
        let broker = self.broker.clone();
        let _room = broker.room_for_queue(resource)?;
        let options = self.parse_options(&place, declare)?;
        self.check_dead_letter(&place, resource, &options)?;
        check_storage(resource, &options, &place.host.policies())?;
        let definition = Arc::new(QueueDefinition {
            id: self.broker.next_queue_id(),
            name: declare.queue.clone(),
            durable: declare.durable && !declare.exclusive,
            auto_delete: declare.auto_delete,
            owner: declare.exclusive.then_some(self.id),
            arguments: declare.arguments.clone(),
            options,
            ttl_before: Vec::new(),
        });
        place.host.apply(&mut definitions, &Change::QueueDeclared(definition), &mut self.work);
        drop(definitions);
        self.broker.churn.count(Happened::QueueCreated);
        if declare.exclusive {
            self.exclusive_queues.extend(place.host.queue(&declare.queue));
        }
        let queue = declare.queue.clone();
        Ok(Reply::QueueDeclared { queue, message_count: 0, consumer_count: 0 })
    }

    fn look_at_queue(&mut self, place: &Place, name: &Name) -> Result<Reply, AmqpError> {
        if Self::is_reply_key(name) {
            return self.look_at_requester(place, name);
        }
        let resource = Resource::queue(name, &place.host.name);
        self.check_any(place, resource)?;
        let handle = self.open_queue(place, name)?;
        self.declare_ok(place, &handle)
    }

    /// A passive declare of a reply address asks whether somebody still waits there.
    fn look_at_requester(&self, place: &Place, name: &Name) -> Result<Reply, AmqpError> {
        if !self.broker.replies.is_alive(name) {
            return Err(not_found(Resource::queue(name, &place.host.name)).into());
        }
        Ok(Reply::QueueDeclared { queue: name.clone(), message_count: 0, consumer_count: 1 })
    }

    /// The queue is there already.
    fn declare_ok(&mut self, place: &Place, handle: &Arc<QueueHandle>) -> Result<Reply, AmqpError> {
        if handle.definition.durable {
            self.rely_on_changes(place);
        }
        let resource = Resource::queue(&handle.definition.name, &place.host.name);
        let counts = handle.with(&mut self.work, |live| {
            live.touch();
            live.queue.counts()
        });
        let Counts { ready, consumers, .. } =
            counts.map_err(|out_of_service| out_of_service.refusal(resource))?;
        Ok(Reply::QueueDeclared {
            queue: handle.definition.name.clone(),
            message_count: u32::try_from(ready).unwrap_or(u32::MAX),
            consumer_count: u32::try_from(consumers).unwrap_or(u32::MAX),
        })
    }

    fn check_equivalent(
        &self,
        place: &Place,
        existing: &QueueDefinition,
        declare: &DeclareQueue,
    ) -> Result<(), ChannelError> {
        let existing = QueueProperties {
            name: &existing.name,
            virtual_host: &place.host.name,
            durable: existing.durable,
            auto_delete: existing.auto_delete,
            exclusive: existing.is_exclusive(),
            kind: existing.options.kind,
            arguments: &existing.arguments,
        };
        let received = QueueProperties {
            durable: declare.durable,
            auto_delete: declare.auto_delete,
            exclusive: declare.exclusive,
            kind: declaration(place, declare).kind_when_unnamed(self.default_kind(place)),
            arguments: &declare.arguments,
            ..existing
        };
        let lets_be = self.broker.options.lets_quorum_be_classic;
        let differences = equivalence::queue_differences(&existing, &received, lets_be);
        self.judge(place, Resource::queue(existing.name, existing.virtual_host), differences)
    }

    fn parse_options(
        &self,
        place: &Place,
        declare: &DeclareQueue,
    ) -> Result<QueueOptions, AmqpError> {
        let declaration = declaration(place, declare);
        QueueOptions::parse(&declaration, &declare.arguments, self.default_kind(place))
    }

    fn default_kind(&self, place: &Place) -> QueueKind {
        place.host.default_queue_kind().unwrap_or(self.broker.options.default_queue_kind)
    }

    /// Who dead-letters must be able to read the queue and write to the exchange.
    fn check_dead_letter(
        &self,
        place: &Place,
        queue: Resource<'_>,
        options: &QueueOptions,
    ) -> Result<(), AmqpError> {
        let Some(exchange) = &options.dead_letter_exchange else { return Ok(()) };
        self.check(place, Access::Read, queue)?;
        self.check(place, Access::Write, Resource::exchange(exchange, &place.host.name))
    }

    pub(super) fn purge_queue(&mut self, name: &str) -> Result<Reply, AmqpError> {
        let place = self.place()?;
        let resource = Resource::queue(name, &place.host.name);
        self.check(&place, Access::Read, resource)?;
        let handle = self.open_queue(&place, name)?;
        let purged = handle.with(&mut self.work, |live| live.queue.purge());
        let purged = purged.map_err(|out_of_service| out_of_service.refusal(resource))?;
        let message_count = u32::try_from(purged.len()).unwrap_or(u32::MAX);
        Ok(Reply::QueuePurged { message_count })
    }

    /// queue.delete. The answer goes before the word to consumers, as in RabbitMQ: some clients
    /// lose what comes between a request and its answer.
    pub(super) fn delete_queue(
        &mut self,
        channel: u16,
        nowait: bool,
        delete: &DeleteQueue,
    ) -> Result<(), AmqpError> {
        let place = self.place()?;
        let resource = Resource::queue(&delete.queue, &place.host.name);
        self.check(&place, Access::Configure, resource)?;
        let removed = match place.host.queue(&delete.queue) {
            None => Ok(Removed::before()),
            Some(handle) => {
                self.check_owner(&handle)?;
                check_conditions(resource, &handle, delete)?;
                remove(&place.host, &handle, delete.if_unused, delete.if_empty, &mut self.work)
            }
        };
        let removed = removed.or_else(|refused| delete_refused(resource, refused))?;
        if removed.was_gone {
            self.rely_on_changes(&place);
        }
        if !nowait {
            let message_count = u32::try_from(removed.ready_count).unwrap_or(u32::MAX);
            self.answer(channel, Reply::QueueDeleted { message_count });
        }
        self.tell_cancelled(&removed);
        Ok(())
    }

    /// Tells the consumers of a queue that it is gone. This client's own hear it behind the answer,
    /// which may wait for the disk: some clients lose what comes before it.
    fn tell_cancelled(&mut self, removed: &Removed) {
        for subscriber in &removed.consumers {
            let by = self.work.user.clone();
            let event = Event::ConsumerCancelled { consumer: subscriber.key, by };
            if Arc::ptr_eq(&subscriber.mailbox, &self.mailbox) {
                self.post_durable(event);
                continue;
            }
            // A session that is gone needs no word.
            let _ = subscriber.mailbox.push(event, &mut self.work.wakers);
        }
    }

    /// Deletes a queue that ends by itself, and in nobody's name: exclusive, or auto-delete.
    pub(super) fn delete_live_queue(&mut self, handle: &Arc<QueueHandle>, if_unused: bool) {
        let Some(place) = self.place.clone() else { return };
        let user = self.work.user.take();
        // Where it is refused, somebody else deleted it or a consumer came: nothing is to do.
        if let Ok(removed) = remove(&place.host, handle, if_unused, false, &mut self.work) {
            self.tell_cancelled(&removed);
        }
        self.work.user = user;
    }

    /// What this step leaves to do with queues: those that left service come back, dead letters go
    /// where they belong, auto-delete queues that lost their last consumer go.
    pub(super) fn look_after_queues(&mut self) {
        self.broker.look_after(&mut self.work);
        while let Some(handle) = self.work.expired.pop() {
            self.delete_live_queue(&handle, true);
            self.broker.look_after(&mut self.work);
        }
    }
}

/// Deletes a queue and its bindings.
pub(super) fn remove(
    host: &VirtualHost,
    handle: &Arc<QueueHandle>,
    if_unused: bool,
    if_empty: bool,
    work: &mut Work,
) -> Result<Removed, DeleteRefused> {
    let mut definitions = host.definitions();
    // It may have been read again since it was looked up.
    let again = host.queue_by_id(handle.id()).filter(|_| handle.is_broken());
    let handle = again.as_ref().unwrap_or(handle);
    let mut told = Work::default();
    let deleted = handle.with(work, |live| {
        let remains = live.queue.delete(if_unused, if_empty)?;
        Ok((Some(remains), std::mem::take(&mut live.subscribers), live.leave(&mut told)))
    });
    let (remains, subscribers, has_logged) = match deleted {
        Ok(deleted) => deleted?,
        // Nobody knows what it holds, and nobody has it.
        Err(OutOfService) if if_empty => return Err(DeleteRefused::NotEmpty),
        Err(OutOfService) => (None, HashMap::default(), handle.left_behind().1),
    };
    work.wakers.append(&mut told.wakers);
    handle.mark_gone();
    // The log must know the number of what was durable, so that it is never given again.
    handle.forget(has_logged || handle.definition.durable, work);
    let plan = definitions.plan_delete_queue(&handle.definition);
    apply_all(host, &mut definitions, &plan, work);
    host.churn.count(Happened::QueueDeleted);
    drop(definitions);
    let Some(remains) = remains else { return Ok(Removed::default()) };
    let consumers = remains.consumers.iter().filter_map(|id| subscribers.get(id));
    let consumers = consumers.cloned().collect();
    Ok(Removed { ready_count: remains.ready_count, consumers, was_gone: false })
}

/// What a deleted queue leaves to be told.
#[derive(Default)]
pub(super) struct Removed {
    /// It was not there.
    was_gone: bool,
    ready_count: usize,
    consumers: Vec<Subscriber>,
}

impl Removed {
    /// Somebody else did it, or it never was.
    fn before() -> Self {
        Self { was_gone: true, ..Self::default() }
    }
}

/// Whether a virtual host that is still there takes another queue.
fn check_may_add(
    host: &VirtualHost,
    definitions: &VirtualHostDefinitions,
    queue: Resource<'_>,
) -> Result<(), AmqpError> {
    check_not_deleted(host)?;
    let is_reached = |limit: &u64| definitions.queues_count() as u64 >= *limit;
    let Some(limit) = host.limits().queues.filter(is_reached) else { return Ok(()) };
    let name = &host.name;
    Err(ChannelError::precondition_failed(format!(
        "cannot declare {queue}: queue limit in vhost '{name}' ({limit}) is reached"
    ))
    .into())
}

/// What is declared in a virtual host that is being deleted would stay behind.
pub(super) fn check_not_deleted(host: &VirtualHost) -> Result<(), ConnectionError> {
    if !host.is_deleted() {
        return Ok(());
    }
    let text = format!("vhost '{}' is deleted", host.name);
    Err(ConnectionError::connection_forced(text))
}

/// Quorum queues know neither condition.
fn check_conditions(
    resource: Resource<'_>,
    handle: &QueueHandle,
    delete: &DeleteQueue,
) -> Result<(), ConnectionError> {
    let is_quorum = handle.definition.options.kind == QueueKind::Quorum;
    if is_quorum && (delete.if_unused || delete.if_empty) {
        return Err(unsupported_by_quorum(resource, delete.if_unused));
    }
    Ok(())
}

/// A queue that somebody deleted just before is as good as deleted.
fn delete_refused(resource: Resource<'_>, refused: DeleteRefused) -> Result<Removed, ChannelError> {
    match refused {
        DeleteRefused::Gone => Ok(Removed::before()),
        DeleteRefused::InUse => {
            Err(ChannelError::precondition_failed(format!("{resource} in use")))
        }
        DeleteRefused::NotEmpty => {
            Err(ChannelError::precondition_failed(format!("{resource} not empty")))
        }
    }
}

fn declaration<'a>(place: &'a Place, declare: &'a DeclareQueue) -> QueueDeclaration<'a> {
    QueueDeclaration {
        name: &declare.queue,
        virtual_host: &place.host.name,
        durable: declare.durable,
        exclusive: declare.exclusive,
        auto_delete: declare.auto_delete,
        server_named: declare.is_server_named,
    }
}

fn unsupported_by_quorum(queue: Resource<'_>, if_unused: bool) -> ConnectionError {
    let flag = if if_unused { "if-unused" } else { "if-empty" };
    ConnectionError::not_implemented(format!(
        "cannot delete {queue}. queue.delete operations with {flag} flag set are not supported by \
         quorum queues"
    ))
}
