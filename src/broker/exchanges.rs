//! Exchanges and bindings: declare, delete, bind, unbind, with RabbitMQ's checks in its order
//! (behavior 1.9, 1.10).

use std::sync::Arc;

use super::consume::not_found;
use super::queue_handle::QueueHandle;
use super::queues::check_not_deleted;
use super::session::{Place, Session};
use super::virtual_host::VirtualHost;
use super::work::Work;
use crate::auth::Access;
use crate::connection::Reply;
use crate::connection::command::{Bind, DeclareExchange};
use crate::definitions::{Binding, BindingEnd, Change, ExchangeDefinition, VirtualHostDefinitions};
use crate::message::equivalence::{self, ExchangeProperties};
use crate::message::{ExchangeOptions, Resource};
use crate::protocol::reply::{AmqpError, ChannelError};
use crate::routing::{ExchangeKind, Table};

impl Session {
    pub(super) fn declare_exchange(
        &mut self,
        declare: &DeclareExchange,
    ) -> Result<Reply, AmqpError> {
        let place = self.place()?;
        let resource = Resource::exchange(&declare.exchange, &place.host.name);
        if declare.passive {
            self.check_not_default(&declare.exchange)?;
            self.check_any(&place, resource)?;
            let definitions = place.host.definitions();
            let existing = definitions.exchange(&declare.exchange);
            return self.exchange_is_there(&place, existing.ok_or_else(|| not_found(resource))?);
        }
        let kind = ExchangeKind::parse(&declare.kind).ok_or_else(|| {
            ChannelError::precondition_failed(format!("unknown exchange type '{}'", declare.kind))
        })?;
        self.check_not_default(&declare.exchange)?;
        self.check(&place, Access::Configure, resource)?;
        let mut definitions = place.host.definitions();
        if let Some(existing) = definitions.exchange(&declare.exchange) {
            self.check_exchange_equivalent(&place, existing, declare)?;
            return self.exchange_is_there(&place, existing);
        }
        check_not_reserved("exchange", &declare.exchange)?;
        check_not_deleted(&place.host)?;
        let options = ExchangeOptions::parse(resource, &declare.arguments)?;
        if let Some(alternate) = &options.alternate_exchange {
            self.check(&place, Access::Read, resource)?;
            let alternate = Resource::exchange(alternate, &place.host.name);
            self.check(&place, Access::Write, alternate)?;
        }
        Table::new(kind, &declare.arguments).map_err(ChannelError::precondition_failed)?;
        let broker = self.broker.clone();
        let _room = broker.room_for_exchange(resource)?;
        let exchange = self.new_exchange(declare);
        place.host.apply(&mut definitions, &Change::ExchangeDeclared(exchange), &mut self.work);
        Ok(Reply::ExchangeDeclared)
    }

    fn exchange_is_there(
        &mut self,
        place: &Place,
        existing: &ExchangeDefinition,
    ) -> Result<Reply, AmqpError> {
        if existing.durable {
            self.rely_on_changes(place);
        }
        Ok(Reply::ExchangeDeclared)
    }

    fn new_exchange(&self, declare: &DeclareExchange) -> Arc<ExchangeDefinition> {
        Arc::new(ExchangeDefinition {
            id: self.broker.next_exchange_id(),
            name: declare.exchange.clone(),
            kind: declare.kind.clone(),
            durable: declare.durable,
            auto_delete: declare.auto_delete,
            internal: declare.internal,
            arguments: declare.arguments.clone(),
            declared_by: self.user_name().into(),
        })
    }

    fn check_exchange_equivalent(
        &self,
        place: &Place,
        existing: &ExchangeDefinition,
        declare: &DeclareExchange,
    ) -> Result<(), ChannelError> {
        let existing = ExchangeProperties {
            name: &existing.name,
            virtual_host: &place.host.name,
            kind: &existing.kind,
            durable: existing.durable,
            auto_delete: existing.auto_delete,
            internal: existing.internal,
            arguments: &existing.arguments,
        };
        let received = ExchangeProperties {
            kind: &declare.kind,
            durable: declare.durable,
            auto_delete: declare.auto_delete,
            internal: declare.internal,
            arguments: &declare.arguments,
            ..existing
        };
        let exchange = Resource::exchange(existing.name, existing.virtual_host);
        self.judge(place, exchange, equivalence::exchange_differences(&existing, &received))
    }

    pub(super) fn delete_exchange(
        &mut self,
        name: &str,
        if_unused: bool,
    ) -> Result<Reply, AmqpError> {
        let place = self.place()?;
        let resource = Resource::exchange(name, &place.host.name);
        self.check_not_default(name)?;
        if name.starts_with("amq.") {
            let text = format!("deletion of system {resource} not allowed");
            return Err(ChannelError::access_refused(text).into());
        }
        self.check(&place, Access::Configure, resource)?;
        let mut definitions = place.host.definitions();
        let Some(exchange) = definitions.exchange(name).cloned() else {
            self.rely_on_changes(&place);
            return Ok(Reply::ExchangeDeleted);
        };
        if if_unused && definitions.bindings_from(name).next().is_some() {
            let text = format!("{resource} in use");
            return Err(ChannelError::precondition_failed(text).into());
        }
        let plan = definitions.plan_delete_exchange(&exchange);
        apply_all(&place.host, &mut definitions, &plan, &mut self.work);
        Ok(Reply::ExchangeDeleted)
    }

    /// Binds or unbinds a queue or an exchange.
    pub(super) fn bind(&mut self, bind: Bind) -> Result<Reply, AmqpError> {
        let place = self.place()?;
        self.check_bind(&place, &bind)?;
        let Bind { is_unbind, to_exchange, .. } = bind;
        let destination = if to_exchange {
            BindingEnd::Exchange(bind.destination)
        } else {
            BindingEnd::Queue(bind.destination)
        };
        let binding = Binding {
            source: bind.source,
            destination,
            routing_key: bind.routing_key,
            arguments: bind.arguments,
        };
        if is_unbind {
            self.remove_binding(&place, &binding)?;
        } else {
            self.add_binding(&place, binding)?;
        }
        Ok(match (is_unbind, to_exchange) {
            (false, true) => Reply::ExchangeBound,
            (true, true) => Reply::ExchangeUnbound,
            (false, false) => Reply::QueueBound,
            (true, false) => Reply::QueueUnbound,
        })
    }

    fn check_bind(&self, place: &Place, bind: &Bind) -> Result<(), AmqpError> {
        let host = &place.host.name;
        let destination = if bind.to_exchange {
            self.check_not_default(&bind.destination)?;
            Resource::exchange(&bind.destination, host)
        } else {
            Resource::queue(&bind.destination, host)
        };
        self.check(place, Access::Write, destination)?;
        self.check_not_default(&bind.source)?;
        self.check(place, Access::Read, Resource::exchange(&bind.source, host))?;
        if let Some(source) = place.host.router.exchange(&bind.source) {
            self.check_topic(place, Access::Read, &source, &bind.routing_key)?;
        }
        Ok(())
    }

    fn add_binding(&mut self, place: &Place, binding: Binding) -> Result<(), AmqpError> {
        let host = &place.host;
        let mut definitions = host.definitions();
        let source = Resource::exchange(&binding.source, &host.name);
        // In this order: of two missing ends the source is told, and of two mistakes the binding's.
        definitions.exchange(&binding.source).ok_or_else(|| not_found(source))?;
        let queue = find_destination(place, &definitions, &binding)?;
        host.validate_binding(&definitions, &binding).map_err(ChannelError::precondition_failed)?;
        if let Some(queue) = queue {
            self.check_owner(&queue)?;
        }
        if definitions.binding(&binding).is_some() {
            self.rely_on_binding(place, &definitions, &binding);
            return Ok(());
        }
        check_not_deleted(host)?;
        let binding = Arc::new(binding);
        host.apply(&mut definitions, &Change::Bound(binding.clone()), &mut self.work);
        drop(definitions);
        host.replay_history(&binding, &mut self.random, &mut self.work);
        Ok(())
    }

    /// A binding is as somebody else left it; of one that does not last, nobody waits for the disk.
    fn rely_on_binding(
        &mut self,
        place: &Place,
        definitions: &VirtualHostDefinitions,
        binding: &Binding,
    ) {
        if !definitions.has_transient_end(binding) {
            self.rely_on_changes(place);
        }
    }

    /// What is not there need not be removed, whoever asks.
    fn remove_binding(&mut self, place: &Place, binding: &Binding) -> Result<(), AmqpError> {
        let mut definitions = place.host.definitions();
        let Some(known) = definitions.binding(binding).cloned() else {
            self.rely_on_binding(place, &definitions, binding);
            return Ok(());
        };
        if let BindingEnd::Queue(name) = &binding.destination
            && let Some(queue) = place.host.queue(name)
        {
            self.check_owner(&queue)?;
        }
        let plan = definitions.plan_unbind(&known);
        apply_all(&place.host, &mut definitions, &plan, &mut self.work);
        Ok(())
    }

    fn check_not_default(&self, exchange: &str) -> Result<(), ChannelError> {
        if !exchange.is_empty() {
            return Ok(());
        }
        Err(ChannelError::access_refused("operation not permitted on the default exchange"))
    }
}

/// The queue that a binding leads to, or `None` for an exchange, which is there as well.
fn find_destination(
    place: &Place,
    definitions: &VirtualHostDefinitions,
    binding: &Binding,
) -> Result<Option<Arc<QueueHandle>>, ChannelError> {
    let host = &place.host;
    match &binding.destination {
        BindingEnd::Queue(name) => {
            let resource = Resource::queue(name, &host.name);
            host.queue(name).map(Some).ok_or_else(|| not_found(resource))
        }
        BindingEnd::Exchange(name) => {
            let resource = Resource::exchange(name, &host.name);
            definitions.exchange(name).map(|_| None).ok_or_else(|| not_found(resource))
        }
    }
}

/// Names of ours are not to be declared by clients.
pub(super) fn check_not_reserved(kind: &str, name: &str) -> Result<(), ChannelError> {
    if !name.starts_with("amq.") {
        return Ok(());
    }
    let text = format!("{kind} name '{name}' contains reserved prefix 'amq.*'");
    Err(ChannelError::access_refused(text))
}

/// Makes a plan true.
pub(super) fn apply_all(
    host: &VirtualHost,
    definitions: &mut VirtualHostDefinitions,
    plan: &[Change],
    work: &mut Work,
) {
    plan.iter().for_each(|change| host.apply(definitions, change, work));
}
