//! A live virtual host: its definitions behind their lock, and beside them what the data path reads
//! without that lock: the router and the live queues. A change is applied to both in one place.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use hashbrown::HashMap;
use tracing::info;

use super::churn::Churn;
use super::durability::Durability;
use super::events::Events;
use super::in_force::InForce;
use super::lock::{Failure, lock_or_fail, read, write};
use super::message_counts::MessageCounts;
use super::policies;
use super::publish_rate::PublishRate;
use super::queue_handle::QueueHandle;
use super::timers::Timers;
use super::traffic::PastClients;
use super::waiting_room;
use super::work::Work;
use crate::definitions::{
    Binding, BindingEnd, Change, ExchangeDefinition, HostLimits, HostSettings,
    VirtualHostDefinitions, record,
};
use crate::message::trace::TRACE_EXCHANGE;
use crate::message::{
    DeclareEquivalence, ExchangeId, Message, Moment, Name, QueueId, QueueKind, VirtualHostNumber,
};
use crate::policy::Policies;
use crate::protocol::field::FieldTable;
use crate::routing::{
    BindingKey, Destination, Exchange, ExchangeKind, QueueNames, Route, RouteInput, Router,
};
use crate::store::{Position, RecoveredQueue};

/// The exchanges that are always there: name, type, internal.
const SYSTEM_EXCHANGES: [(&str, &str, bool); 7] = [
    ("", "direct", false),
    ("amq.direct", "direct", false),
    ("amq.fanout", "fanout", false),
    ("amq.topic", "topic", false),
    ("amq.headers", "headers", false),
    ("amq.match", "headers", false),
    (TRACE_EXCHANGE, "topic", true),
];

/// One virtual host.
#[derive(Debug)]
pub(super) struct VirtualHost {
    pub(super) number: VirtualHostNumber,
    pub(super) name: Name,
    pub(super) durability: Option<Arc<Durability>>,
    /// Those of the broker.
    pub(super) counts: Arc<MessageCounts>,
    pub(super) churn: Arc<Churn>,
    pub(super) events: Arc<Events>,
    /// What clients came to in it that left.
    pub(super) past_clients: Arc<PastClients>,
    failure: Arc<Failure>,
    timers: Arc<Timers>,
    default_queue_kind: RwLock<Option<QueueKind>>,
    declare_equivalence: RwLock<Option<DeclareEquivalence>>,
    policies: RwLock<Arc<Policies>>,
    limits: RwLock<HostLimits>,
    /// How fast all its clients may publish.
    pub(super) publish_rate: Arc<PublishRate>,
    is_deleted: AtomicBool,
    is_traced: AtomicBool,
    definitions: Mutex<VirtualHostDefinitions>,
    /// Where in the log its last change stands.
    changed_at: AtomicU64,
    pub(super) router: Router,
    queues: RwLock<Queues>,
}

#[derive(Debug, Default)]
struct Queues {
    by_name: HashMap<Name, Arc<QueueHandle>, foldhash::fast::FixedState>,
    /// By the number of the queue, and by that of its incarnation where it is another.
    by_id: HashMap<QueueId, Arc<QueueHandle>, foldhash::fast::FixedState>,
}

impl QueueNames for VirtualHost {
    fn queue_id(&self, name: &str) -> Option<QueueId> {
        read(&self.queues).by_name.get(name).map(|handle| handle.id())
    }
}

impl VirtualHost {
    /// A virtual host in which nothing is declared.
    pub(super) fn new(
        number: VirtualHostNumber,
        name: Name,
        durability: Option<Arc<Durability>>,
        failure: Arc<Failure>,
        timers: Arc<Timers>,
        (counts, churn, events): (Arc<MessageCounts>, Arc<Churn>, Arc<Events>),
    ) -> Self {
        Self {
            number,
            name,
            durability,
            counts,
            churn,
            events,
            past_clients: Arc::default(),
            failure,
            timers,
            default_queue_kind: RwLock::default(),
            declare_equivalence: RwLock::default(),
            policies: RwLock::default(),
            limits: RwLock::default(),
            publish_rate: Arc::default(),
            is_deleted: AtomicBool::new(false),
            is_traced: AtomicBool::new(false),
            definitions: Mutex::default(),
            changed_at: AtomicU64::new(0),
            router: Router::default(),
            queues: RwLock::default(),
        }
    }

    /// Declares those system exchanges that are not there, and gives them. The log has them not:
    /// every host does.
    pub(super) fn declare_system_exchanges(
        &self,
        declared_by: &Name,
        mut next_id: impl FnMut() -> ExchangeId,
    ) -> Vec<Change> {
        let mut definitions = self.definitions();
        let mut declared_now = Vec::new();
        let told = self.events.exchanges_in(&self.name).map(|name| (name, "topic", true));
        for (name, kind, internal) in SYSTEM_EXCHANGES.into_iter().chain(told) {
            if definitions.exchange(name).is_some() {
                continue;
            }
            let exchange = ExchangeDefinition {
                id: next_id(),
                name: name.into(),
                kind: kind.into(),
                durable: true,
                auto_delete: false,
                internal,
                arguments: FieldTable::new(),
                declared_by: declared_by.clone(),
            };
            let change = Change::ExchangeDeclared(Arc::new(exchange));
            self.restore(&mut definitions, &change, None, &mut Work::default());
            declared_now.push(change);
        }
        declared_now
    }

    /// The type of queues that name none, where it is another than the node's.
    pub(super) fn default_queue_kind(&self) -> Option<QueueKind> {
        *read(&self.default_queue_kind)
    }

    /// What becomes of repeated declarations that say something else, where that is not what the
    /// node says.
    pub(super) fn declare_equivalence(&self) -> Option<DeclareEquivalence> {
        *read(&self.declare_equivalence)
    }

    /// It is as its operator says.
    pub(super) fn set_up(&self, settings: &HostSettings) {
        *write(&self.default_queue_kind) = settings.default_queue_kind;
        // A value that means nothing was refused where it was set.
        *write(&self.declare_equivalence) = settings.declare_equivalence().ok().flatten();
        self.set_traced(settings.is_traced.unwrap_or(false));
    }

    fn set_traced(&self, is_traced: bool) {
        let was_traced = self.is_traced.swap(is_traced, Ordering::Relaxed);
        if was_traced != is_traced {
            let deed = if is_traced { "Enabling" } else { "Disabling" };
            info!(target: "node", "{deed} tracing for vhost '{}'", self.name);
        }
    }

    /// Copies of what is published and delivered in it go to its trace exchange.
    #[inline]
    pub(super) fn is_traced(&self) -> bool {
        self.is_traced.load(Ordering::Relaxed)
    }

    /// How much there may be in it.
    pub(super) fn limits(&self) -> HostLimits {
        *read(&self.limits)
    }

    /// True where those on publishing changed.
    pub(super) fn set_limits(&self, limits: HostLimits) -> bool {
        *write(&self.limits) = limits;
        self.publish_rate.set(limits.publish)
    }

    /// It was deleted: who is still in it is about to be told, and declares nothing there.
    pub(super) fn is_deleted(&self) -> bool {
        self.is_deleted.load(Ordering::Acquire)
    }

    pub(super) fn mark_deleted(&self) {
        self.is_deleted.store(true, Ordering::Release);
    }

    /// Takes away what is left when the queues are gone, but for the system exchanges.
    pub(super) fn clear(&self, work: &mut Work) {
        let mut definitions = self.definitions();
        for change in definitions.plan_delete_rest() {
            self.apply(&mut definitions, &change, work);
        }
        // Those that are always there may have let messages wait.
        definitions.exchanges().for_each(|exchange| self.close_waiting_room(exchange, work));
    }

    /// The definitions, locked.
    pub(super) fn definitions(&self) -> MutexGuard<'_, VirtualHostDefinitions> {
        lock_or_fail(&self.definitions, "the definitions of a virtual host", &self.failure)
    }

    /// What is declared now is on disk when the log is there up to this.
    pub(super) fn changed_at(&self) -> Position {
        self.changed_at.load(Ordering::Acquire)
    }

    /// The live queue of this name.
    pub(super) fn queue(&self, name: &str) -> Option<Arc<QueueHandle>> {
        read(&self.queues).by_name.get(name).cloned()
    }

    /// The live queue of this number, whichever its incarnation.
    pub(super) fn queue_by_id(&self, id: QueueId) -> Option<Arc<QueueHandle>> {
        read(&self.queues).by_id.get(&id).cloned()
    }

    /// The live queue that made deliveries under this number.
    pub(super) fn incarnation(&self, id: QueueId) -> Option<Arc<QueueHandle>> {
        self.queue_by_id(id).filter(|handle| handle.incarnation == id)
    }

    /// Whether a queue has no other handle.
    pub(super) fn is_live(&self, handle: &Arc<QueueHandle>) -> bool {
        let queues = read(&self.queues);
        queues.by_id.get(&handle.id()).is_some_and(|live| Arc::ptr_eq(live, handle))
    }

    /// Another incarnation of a queue takes its place. False where the first is not there any more.
    /// The definitions are locked.
    pub(super) fn replace(&self, before: &Arc<QueueHandle>, after: Arc<QueueHandle>) -> bool {
        if !self.is_live(before) {
            return false;
        }
        let mut queues = write(&self.queues);
        queues.by_id.remove(&before.incarnation);
        queues.by_id.insert(after.incarnation, after.clone());
        queues.by_id.insert(after.id(), after.clone());
        if !after.is_waiting_room {
            queues.by_name.insert(after.definition.name.clone(), after);
        }
        true
    }

    /// The queues in which messages of exchanges wait.
    pub(super) fn waiting_rooms(&self) -> Vec<Arc<QueueHandle>> {
        let queues = read(&self.queues);
        queues.by_id.values().filter(|handle| handle.is_waiting_room).cloned().collect()
    }

    pub(super) fn list_waiting_room(&self, room: Arc<QueueHandle>) {
        write(&self.queues).by_id.insert(room.id(), room);
    }

    pub(super) fn unlist_waiting_room(&self, room: &QueueHandle) {
        let mut queues = write(&self.queues);
        queues.by_id.remove(&room.id());
        queues.by_id.remove(&room.incarnation);
    }

    /// How many live queues there are.
    pub(super) fn queue_count(&self) -> usize {
        read(&self.queues).by_name.len()
    }

    /// All live queues.
    pub(super) fn all_queues(&self) -> Vec<Arc<QueueHandle>> {
        read(&self.queues).by_name.values().cloned().collect()
    }

    /// Looks several queues up at once.
    pub(super) fn queues_by_id(&self, ids: &[QueueId]) -> Vec<Arc<QueueHandle>> {
        let queues = read(&self.queues);
        ids.iter().filter_map(|id| queues.by_id.get(id).cloned()).collect()
    }

    /// Makes a change true: in the log, in the definitions, in the router, among the live queues.
    /// The definitions are locked, so the log hears of changes in the order in which they hold.
    pub(super) fn apply(
        &self,
        definitions: &mut VirtualHostDefinitions,
        change: &Change,
        work: &mut Work,
    ) {
        self.log(definitions, change, work);
        self.restore(definitions, change, None, work);
        if self.events.are_watched() {
            self.events.note_change(change, self, work);
        }
    }

    /// Tells the log of a change.
    pub(super) fn log(
        &self,
        definitions: &VirtualHostDefinitions,
        change: &Change,
        work: &mut Work,
    ) {
        if let Some(durability) = &self.durability
            && let Some(record) = record::encode_in_host(self.number, change, definitions)
        {
            let mut appender = durability.log.append();
            appender.changed(crate::store::Change { key: record.key, value: record.value });
            work.position = appender.position();
            self.changed_at.store(work.position, Ordering::Release);
        }
    }

    /// Makes a change true that the log has already, or never hears of.
    pub(super) fn restore(
        &self,
        definitions: &mut VirtualHostDefinitions,
        change: &Change,
        recovered: Option<RecoveredQueue>,
        work: &mut Work,
    ) {
        definitions.apply(change);
        match change {
            Change::ExchangeDeclared(exchange) => {
                self.open_waiting_room(definitions, exchange, recovered, work);
                self.add_exchange(exchange);
            }
            Change::ExchangeDeleted(exchange) => {
                self.forget_seen(exchange, work);
                self.router.remove(&exchange.name);
                self.close_waiting_room(exchange, work);
            }
            Change::QueueDeclared(queue) => {
                let durability = self.durability.as_ref();
                let host = self.name.clone();
                let in_force = InForce::of(queue, &self.policies());
                let (queue_definition, counts) = (queue.clone(), self.counts.clone());
                let handle = QueueHandle::new(
                    queue_definition,
                    host,
                    durability,
                    recovered,
                    in_force,
                    counts,
                );
                let handle = Arc::new(handle);
                let mut queues = write(&self.queues);
                queues.by_id.insert(queue.id, handle.clone());
                queues.by_name.insert(queue.name.clone(), handle.clone());
                drop(queues);
                self.watch_use(&handle, work);
            }
            // The live queue knows.
            Change::QueueConfigured(_) => {}
            Change::QueueDeleted(queue) => {
                let mut queues = write(&self.queues);
                queues.by_name.remove(&queue.name);
                if let Some(handle) = queues.by_id.remove(&queue.id) {
                    queues.by_id.remove(&handle.incarnation);
                }
            }
            Change::Bound(binding) => {
                if let Some((exchange, key)) = self.routing_of(definitions, binding) {
                    self.router.bind(&exchange, &key);
                }
                self.events.look_at_bindings(&self.name, &binding.source, definitions);
            }
            Change::Unbound(binding) => {
                if let Some((exchange, key)) = self.routing_of(definitions, binding) {
                    self.router.unbind(&exchange, &key);
                }
                self.events.look_at_bindings(&self.name, &binding.source, definitions);
            }
        }
    }

    /// Where a queue goes when nobody uses it for a while, it is looked at: its time begins with
    /// the first look.
    pub(super) fn watch_use(&self, handle: &QueueHandle, work: &mut Work) {
        if handle.with_options(|options| options.expires_ms.is_some()) {
            self.timers.watch(handle, Moment::default(), &mut work.wakers);
        }
    }

    /// The policies there are.
    pub(super) fn policies(&self) -> Arc<Policies> {
        read(&self.policies).clone()
    }

    /// Queues and exchanges that come now are under these policies. The definitions are locked, or
    /// nothing is declared yet.
    pub(super) fn set_policies(&self, policies: Arc<Policies>) {
        *write(&self.policies) = policies;
    }

    /// The declaration was validated, so type and arguments are known to be good.
    fn add_exchange(&self, exchange: &ExchangeDefinition) {
        if let Some(kind) = ExchangeKind::parse(&exchange.kind) {
            let ExchangeDefinition { id, name, durable, internal, arguments, .. } = exchange;
            if let Ok(exchange) = Exchange::new(*id, name.clone(), kind, *internal, arguments) {
                let exchange = exchange.lasting(*durable);
                let policies = self.policies();
                let is_delayed = waiting_room::is_delayed(&policies, name);
                exchange.set_policies(policies::alternate(&policies, name), is_delayed);
                // Those that are always there are declared before the log is read.
                self.router.remove(name);
                self.router.add(exchange);
            }
        }
    }

    /// A binding as the router knows it: by numbers.
    fn routing_of(
        &self,
        definitions: &VirtualHostDefinitions,
        binding: &Binding,
    ) -> Option<(Name, BindingKey)> {
        let destination = match &binding.destination {
            BindingEnd::Queue(name) => Destination::Queue(definitions.queue(name)?.id),
            BindingEnd::Exchange(name) => Destination::Exchange(definitions.exchange(name)?.id),
        };
        let key = BindingKey {
            routing_key: binding.routing_key.clone(),
            arguments: binding.arguments.clone(),
            destination,
        };
        Some((binding.source.clone(), key))
    }

    /// Whether the exchange takes this binding; both ends are known to be there.
    pub(super) fn validate_binding(
        &self,
        definitions: &VirtualHostDefinitions,
        binding: &Binding,
    ) -> Result<(), String> {
        let routing = self.routing_of(definitions, binding);
        routing.map_or(Ok(()), |(exchange, key)| self.router.validate(&exchange, &key))
    }

    /// Routes a message by the exchange it was published to.
    pub(super) fn route(&self, message: &Message, input: &RouteInput<'_>, route: &mut Route) {
        if let Some(exchange) = self.router.exchange(message.exchange()) {
            self.router.route(&exchange, input, self, route);
        }
    }
}
