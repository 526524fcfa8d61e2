//! What is in force for one live queue: its arguments, or what they and the policies that apply
//! come to. Which policies apply is decided in `policy`, what the queue does with it, in the queue.

use std::sync::Arc;

use crate::definitions::QueueDefinition;
use crate::message::queue_options::{DeadLetterStrategy, DeliveryLimit, Storage};
use crate::message::{Era, QueueKind, QueueOptions, Resource};
use crate::policy::{Applied, Policies, in_force};
use crate::protocol::reply::ChannelError;
use crate::queue::{LengthLimit, Lifetime, Limits, Priorities, QueueTraits, Retry};

/// What is in force where that is not just what the arguments say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InForce {
    /// The policies that apply.
    pub(super) applied: Applied,
    /// The arguments under these policies.
    pub(super) options: QueueOptions,
}

impl InForce {
    /// What these policies make of a queue; nothing where none applies.
    pub(super) fn of(definition: &QueueDefinition, policies: &Policies) -> Option<Arc<Self>> {
        if policies.is_empty() {
            return None;
        }
        let applied = policies.of_queue(&definition.name, definition.options.kind)?;
        let options = in_force(&definition.options, &applied.settings);
        Some(Arc::new(Self { applied, options }))
    }
}

/// A dead letter that no queue takes is to stay, and can: where the oldest messages go for want of
/// room, there is none for it either, as in RabbitMQ.
pub(super) fn keeps_dead_letters(options: &QueueOptions) -> bool {
    let is_asked_for = options.dead_letter_strategy == Some(DeadLetterStrategy::AtLeastOnce);
    let lets_go = LengthLimit::of(options).is_some_and(|limit| !limit.refuses);
    is_asked_for && !lets_go && options.dead_letter_exchange.is_some()
}

/// Messages are in RAM and nowhere else: that is asked for, and there is a limit to it. A queue of
/// quorum type is always on disk.
fn stays_in_memory(options: &QueueOptions) -> bool {
    options.storage == Some(Storage::Memory)
        && options.kind != QueueKind::Quorum
        && LengthLimit::of(options).is_some()
}

/// A new queue that asks to be in RAM only needs a limit, if only by a policy: nothing of it can be
/// written out when RAM gets short.
pub(super) fn check_storage(
    queue: Resource<'_>,
    options: &QueueOptions,
    policies: &Policies,
) -> Result<(), ChannelError> {
    if options.storage != Some(Storage::Memory) || LengthLimit::of(options).is_some() {
        return Ok(());
    }
    let applied = policies.of_queue(queue.name, options.kind);
    let in_force = applied.map(|applied| in_force(options, &applied.settings));
    if in_force.is_some_and(|options| LengthLimit::of(&options).is_some()) {
        return Ok(());
    }
    Err(ChannelError::precondition_failed(format!(
        "invalid arg 'x-storage' for {queue}: \"memory storage needs x-max-length or \
         x-max-length-bytes\""
    )))
}

/// The traits of a queue with these options; `before` are times to live that it had.
pub(super) fn traits(
    definition: &QueueDefinition,
    options: &QueueOptions,
    has_log: bool,
    before: Vec<Era>,
) -> QueueTraits {
    let stays_in_memory = stays_in_memory(options);
    let limits = Limits {
        deliveries: match options.delivery_limit_or_default() {
            DeliveryLimit::Returns(count) => Some(count),
            DeliveryLimit::Unlimited => None,
        },
        length: LengthLimit::of(options),
        lifetime: Lifetime { ttl_ms: options.message_ttl_ms, before, is_by_delay: false },
        priorities: match (options.kind, options.priority_max) {
            (QueueKind::Quorum, _) => Some(Priorities::QUORUM),
            (QueueKind::Classic, Some(max)) if max > 0 => Some(Priorities { max, base: 0 }),
            (QueueKind::Classic, _) => None,
        },
        consumer_timeout_ms: options.consumer_timeout_ms,
        retry: Retry::of(options.delayed_retry),
        stays_in_memory,
    };
    QueueTraits {
        is_auto_delete: definition.auto_delete,
        is_single_active: options.single_active_consumer,
        is_active_by_priority: options.kind == QueueKind::Quorum,
        is_durable: definition.durable && has_log && !stays_in_memory,
        has_dead_letters: options.dead_letter_exchange.is_some(),
        keeps_dead_letters: keeps_dead_letters(options),
        is_unique: options.message_deduplication,
        tells_counts: options.kind == QueueKind::Quorum || options.delivery_limit.is_some(),
        ..QueueTraits::default()
    }
    .limited(limits)
}
