//! Records of what is declared in a virtual host: exchanges, queues, bindings. Which of them
//! survive a restart is decided here: what is durable and no connection's own.

use std::sync::Arc;

use super::read::Reader;
use super::write::Writer;
use super::{Kind, Record, RecordError};
use crate::definitions::{
    Binding, BindingEnd, Change, ExchangeDefinition, QueueDefinition, UNKNOWN_USER,
    VirtualHostDefinitions,
};
use crate::message::{
    Era, ExchangeId, Moment, QueueDeclaration, QueueId, QueueKind, QueueOptions, VirtualHostNumber,
};

pub(super) fn encode(
    host: VirtualHostNumber,
    change: &Change,
    definitions: &VirtualHostDefinitions,
) -> Option<Record> {
    let survives = match change {
        Change::ExchangeDeclared(exchange) | Change::ExchangeDeleted(exchange) => exchange.durable,
        Change::QueueDeclared(queue)
        | Change::QueueConfigured(queue)
        | Change::QueueDeleted(queue) => is_durable(queue),
        Change::Bound(binding) | Change::Unbound(binding) => has_durable_ends(binding, definitions),
    };
    survives.then(|| Record { key: key(host, change), value: value(change) })
}

fn is_durable(queue: &QueueDefinition) -> bool {
    queue.durable && !queue.is_exclusive()
}

fn has_durable_ends(binding: &Binding, definitions: &VirtualHostDefinitions) -> bool {
    let is_durable_exchange =
        |name: &str| definitions.exchange(name).is_some_and(|exchange| exchange.durable);
    let has_durable_destination = match &binding.destination {
        BindingEnd::Queue(name) => definitions.queue(name).is_some_and(|queue| is_durable(queue)),
        BindingEnd::Exchange(name) => is_durable_exchange(name),
    };
    has_durable_destination && is_durable_exchange(&binding.source)
}

fn key(host: VirtualHostNumber, change: &Change) -> Vec<u8> {
    let key = |kind| Writer::key(kind).number(host.0);
    match change {
        Change::ExchangeDeclared(exchange) | Change::ExchangeDeleted(exchange) => {
            key(Kind::Exchange).text(&exchange.name)
        }
        Change::QueueDeclared(queue)
        | Change::QueueConfigured(queue)
        | Change::QueueDeleted(queue) => key(Kind::Queue).text(&queue.name),
        Change::Bound(binding) | Change::Unbound(binding) => key(Kind::Binding)
            .text(&binding.source)
            .flags(&[matches!(binding.destination, BindingEnd::Exchange(_))])
            .text(binding.destination.name())
            .text(&binding.routing_key)
            .table(&binding.arguments),
    }
    .finish()
}

fn value(change: &Change) -> Option<Vec<u8>> {
    let writer = Writer::value();
    let writer = match change {
        Change::ExchangeDeclared(exchange) => writer
            .number(exchange.id.0)
            .text(&exchange.kind)
            .flags(&[exchange.auto_delete, exchange.internal])
            .table(&exchange.arguments)
            .text(&exchange.declared_by),
        Change::QueueDeclared(queue) | Change::QueueConfigured(queue) => {
            let writer = writer
                .number(queue.id.0)
                .byte(kind_byte(queue.options.kind))
                .flags(&[queue.auto_delete])
                .table(&queue.arguments);
            // Few queues have any.
            match queue.ttl_before.as_slice() {
                [] => writer,
                eras => writer.list(eras.iter(), era_written),
            }
        }
        // Its identity is all of it.
        Change::Bound(_) => writer,
        Change::ExchangeDeleted(_) | Change::QueueDeleted(_) | Change::Unbound(_) => return None,
    };
    Some(writer.finish())
}

pub(super) fn decode(
    kind: Kind,
    key: &mut Reader<'_>,
    value: &mut Reader<'_>,
) -> Result<Change, RecordError> {
    Ok(match kind {
        Kind::Exchange => Change::ExchangeDeclared(Arc::new(exchange(key, value)?)),
        Kind::Queue => Change::QueueDeclared(Arc::new(queue(key, value)?)),
        Kind::Binding => Change::Bound(Arc::new(binding(key)?)),
        other => return Err(RecordError::UnknownKind(other.byte())),
    })
}

fn exchange(
    key: &mut Reader<'_>,
    value: &mut Reader<'_>,
) -> Result<ExchangeDefinition, RecordError> {
    let id = ExchangeId(value.number()?);
    let kind = value.name()?;
    let [auto_delete, internal] = value.flags()?;
    let arguments = value.table()?;
    // Earlier versions end here.
    let declared_by = if value.is_at_end() { UNKNOWN_USER.into() } else { value.name()? };
    Ok(ExchangeDefinition {
        id,
        name: key.name()?,
        kind,
        durable: true,
        auto_delete,
        internal,
        arguments,
        declared_by,
    })
}

/// The options are parsed again as they were at the declaration; the type is kept, because the
/// default may be another by now.
fn queue(key: &mut Reader<'_>, value: &mut Reader<'_>) -> Result<QueueDefinition, RecordError> {
    let name = key.name()?;
    let id = QueueId(value.number()?);
    let kind = queue_kind(value.byte()?).ok_or_else(|| value.malformed())?;
    let [auto_delete] = value.flags()?;
    let arguments = value.table()?;
    let ttl_before = if value.is_at_end() { Vec::new() } else { value.list(era)? };
    let declaration = QueueDeclaration {
        name: &name,
        // Only for texts, which name the queue themselves.
        virtual_host: "",
        durable: true,
        exclusive: false,
        auto_delete,
        server_named: false,
    };
    let options = QueueOptions::parse(&declaration, &arguments, kind).map_err(|error| {
        let reason = error.text().to_owned();
        RecordError::QueueArguments { queue: name.to_string(), reason }
    })?;
    Ok(QueueDefinition {
        id,
        name,
        durable: true,
        auto_delete,
        owner: None,
        arguments,
        options,
        ttl_before,
    })
}

fn era_written(writer: Writer, era: &Era) -> Writer {
    writer.number(era.until.0).flags(&[era.ttl_ms.is_some()]).number(era.ttl_ms.unwrap_or(0))
}

fn era(value: &mut Reader<'_>) -> Result<Era, RecordError> {
    let until = Moment(value.number()?);
    let [is_set] = value.flags()?;
    let ttl_ms = value.number()?;
    Ok(Era { until, ttl_ms: is_set.then_some(ttl_ms) })
}

fn binding(key: &mut Reader<'_>) -> Result<Binding, RecordError> {
    let source = key.name()?;
    let [is_to_exchange] = key.flags()?;
    let name = key.name()?;
    Ok(Binding {
        source,
        destination: if is_to_exchange {
            BindingEnd::Exchange(name)
        } else {
            BindingEnd::Queue(name)
        },
        routing_key: key.name()?,
        arguments: key.table()?,
    })
}

/// The number of a type of queue on disk.
pub(super) fn kind_byte(kind: QueueKind) -> u8 {
    match kind {
        QueueKind::Classic => 1,
        QueueKind::Quorum => 2,
    }
}

pub(super) fn queue_kind(byte: u8) -> Option<QueueKind> {
    [QueueKind::Classic, QueueKind::Quorum].into_iter().find(|kind| kind_byte(*kind) == byte)
}
