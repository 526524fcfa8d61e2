//! The path of a message: a batch of publishes is checked and routed, grouped by queue, and each
//! queue's lock is taken once. What was asked for back, comes back before the confirm.

use std::sync::Arc;

use super::consume::not_found;
use super::queue_handle::QueueHandle;
use super::replies::REPLY_TO;
use super::route_cache::CachedRoute;
use super::session::{Pending, Place, Session};
use crate::auth::Access;
use crate::connection::{Event, Publish, Settle};
use crate::limits::PUBLISH_GROUPS_MAX;
use crate::message::{Message, Resource, expiration, sender_selected};
use crate::protocol::field::FieldValue;
use crate::protocol::methods::{WireMethod, basic};
use crate::protocol::properties::PropertyView;
use crate::protocol::reply::{AmqpError, ChannelError};
use crate::routing::{Route, RouteInput};

const PUBLISH: (u16, u16) = (basic::Publish::CLASS_ID, basic::Publish::METHOD_ID);

/// Properties that the broker looks at: headers, reply-to, expiration, user-id.
const INSPECTED_FLAGS: u16 = 1 << 13 | 1 << 9 | 1 << 8 | 1 << 4;

/// Messages by queue, in the order in which they came.
#[derive(Default)]
struct Groups(Vec<(Arc<QueueHandle>, Vec<Message>)>);

impl Groups {
    fn add(&mut self, queue: &Arc<QueueHandle>, message: Message) {
        let found = self.0.iter_mut().rev().find(|(known, _)| Arc::ptr_eq(known, queue));
        match found {
            Some((_, messages)) => messages.push(message),
            None => self.0.push((queue.clone(), vec![message])),
        }
    }
}

/// Confirms of one batch that wait for their messages to be enqueued: channel, first, last.
#[derive(Default)]
struct Confirmed(Vec<(u16, u64, u64)>);

impl Confirmed {
    fn add(&mut self, channel: u16, number: u64) {
        if number == 0 {
            return;
        }
        match self.0.iter_mut().rev().find(|(known, ..)| *known == channel) {
            Some((_, _, last)) => *last = number,
            None => self.0.push((channel, number, number)),
        }
    }
}

/// A batch on its way.
#[derive(Default)]
struct Batch {
    groups: Groups,
    confirmed: Confirmed,
}

/// Where one message goes, and the message as it is to be delivered.
struct Routed {
    message: Message,
    route: Arc<CachedRoute>,
    /// It goes to a waiting requester instead.
    is_reply: bool,
}

impl Session {
    /// Publishes what was gathered.
    pub(super) fn publish(&mut self, gathered: &mut Vec<Publish>) {
        if gathered.is_empty() {
            return;
        }
        self.has_published = true;
        self.block_where_alarmed();
        self.work.position = 0;
        let mut batch = Batch::default();
        for publish in gathered.drain(..) {
            let Some(state) = self.channels.get(&publish.channel) else { continue };
            if state.is_refused {
                continue;
            }
            let channel = publish.channel;
            if let Err(error) = self.publish_one(publish, &mut batch) {
                // What came before it is done before the channel closes.
                self.flush(&mut batch);
                self.refuse(channel, error.at(PUBLISH.0, PUBLISH.1));
            }
        }
        self.flush(&mut batch);
    }

    fn publish_one(&mut self, publish: Publish, batch: &mut Batch) -> Result<(), AmqpError> {
        let routed = self.route(&publish)?;
        let state = self.channels.get_mut(&publish.channel);
        if let Some(transaction) = state.and_then(|state| state.transaction.as_mut()) {
            let queues = routed.route.queues.clone();
            let Routed { message, is_reply, .. } = routed;
            let charge = self.broker.connection_options.account.charge(message.body_size());
            transaction.push(Pending { publish, message, queues, is_reply, _charge: charge });
            return Ok(());
        }
        let Routed { message, route, is_reply } = routed;
        self.enqueue(&publish, &message, &route.queues, is_reply, batch);
        Ok(())
    }

    /// Adds a routed message to the batch, or gives it back.
    fn enqueue(
        &mut self,
        publish: &Publish,
        message: &Message,
        queues: &[Arc<QueueHandle>],
        is_reply: bool,
        batch: &mut Batch,
    ) {
        let is_routed = if is_reply { self.reply(message) } else { !queues.is_empty() };
        if queues.len() > 1 {
            message.share();
        }
        for queue in queues {
            batch.groups.add(queue, message.clone());
        }
        if !is_routed && publish.mandatory {
            let message = publish.message.clone();
            self.returned_size += message.body_size();
            self.post(Event::Returned { channel: publish.channel, message });
        }
        batch.confirmed.add(publish.channel, publish.confirm);
        if batch.groups.0.len() >= PUBLISH_GROUPS_MAX {
            self.flush(batch);
        }
    }

    /// Enqueues the groups, then confirms. Where a queue is out of service, nothing of the batch is
    /// confirmed: a message that is refused may have reached its other queues. False then.
    fn flush(&mut self, batch: &mut Batch) -> bool {
        let mut is_whole = true;
        for (queue, messages) in batch.groups.0.drain(..) {
            let enqueued = queue.with(&mut self.work, |live| {
                if !live.queue.is_gone() {
                    for message in messages {
                        live.queue.enqueue(message);
                    }
                }
            });
            is_whole &= enqueued.is_ok();
        }
        for (channel, first, last) in batch.confirmed.0.drain(..) {
            if is_whole {
                self.post_durable(Event::Confirmed { channel, first, last });
                continue;
            }
            (first..=last).for_each(|number| self.post(Event::Rejected { channel, number }));
        }
        is_whole
    }

    /// Checks a message as RabbitMQ does, in its order, and finds its queues.
    fn route(&mut self, publish: &Publish) -> Result<Routed, AmqpError> {
        let message = &publish.message;
        if !has_inspected_properties(message.properties())
            && let Some(route) = self.cached(publish)
        {
            return Ok(Routed { message: message.clone(), route, is_reply: false });
        }
        let place = self.place()?;
        let resource = Resource::exchange(message.exchange(), &place.host.name);
        self.check(&place, Access::Write, resource)?;
        let exchange =
            place.host.router.exchange(message.exchange()).ok_or_else(|| not_found(resource))?;
        if exchange.is_internal() {
            let text = format!("cannot publish to internal {resource}");
            return Err(ChannelError::access_refused(text).into());
        }
        self.route_inspected(&place, publish)
    }

    fn cached(&mut self, publish: &Publish) -> Option<Arc<CachedRoute>> {
        let generation = self.place.as_ref()?.host.router.generation();
        let state = self.channels.get_mut(&publish.channel)?;
        let message = &publish.message;
        state.routes.route(generation, message.exchange(), message.routing_key())
    }

    /// Looks at the properties that concern the broker, then routes.
    fn route_inspected(&mut self, place: &Place, publish: &Publish) -> Result<Routed, AmqpError> {
        let original = &publish.message;
        let view = PropertyView::parse(original.properties())
            .map_err(|_| ChannelError::precondition_failed("invalid message: properties"))?;
        self.check_user_id(&view)?;
        if let Some(text) = view.expiration {
            expiration::parse(text)?;
        }
        let selected = sender_selected::routing_keys(&view)?;
        let mut message = original.clone();
        if view.reply_to == Some(REPLY_TO) {
            message = self.with_reply_key(publish.channel, &message)?;
        }
        if original.exchange().is_empty() && Self::is_reply_key(original.routing_key()) {
            return Ok(Routed { message, route: no_queues(), is_reply: true });
        }
        let keys: Vec<&str> = std::iter::once(original.routing_key())
            .chain(selected.routing_keys.iter().map(|key| &**key))
            .collect();
        if selected.has_bcc
            && let Some(properties) = sender_selected::without_bcc(message.properties())
        {
            message = message.with_properties(&properties);
        }
        let route = self.look_up(place, publish, &message, &keys);
        Ok(Routed { message, route, is_reply: false })
    }

    /// Asks the router, and remembers the answer where it depends on nothing but the key.
    /// `delivered` is the message as queues get it, which exchanges with a history keep.
    fn look_up(
        &mut self,
        place: &Place,
        publish: &Publish,
        delivered: &Message,
        keys: &[&str],
    ) -> Arc<CachedRoute> {
        let message = &publish.message;
        if keys.len() == 1
            && let Some(route) = self.cached(publish)
        {
            return route;
        }
        let generation = place.host.router.generation();
        let random = self.random.draw();
        let input = RouteInput { routing_keys: keys, properties: message.properties(), random };
        let mut route = Route::default();
        place.host.route(message, &input, &mut route);
        if !route.histories.is_empty() && !refuses_storing(message) {
            route.histories.iter().for_each(|exchange| exchange.remember(delivered));
        }
        let queues = place.host.queues_by_id(&route.queues);
        let cached = Arc::new(CachedRoute { queues });
        let is_lasting = route.depends_on_key_only && keys.len() == 1;
        // A name nobody has yet may be declared at any time, and that raises no generation.
        let may_appear = message.exchange().is_empty() && cached.queues.is_empty();
        if is_lasting
            && !may_appear
            && let Some(state) = self.channels.get_mut(&publish.channel)
        {
            let (exchange, key) = (message.exchange(), message.routing_key());
            state.routes.remember(generation, exchange, key, cached.clone());
        }
        cached
    }

    /// user-id must be the name of the user that logged in.
    fn check_user_id(&self, view: &PropertyView<'_>) -> Result<(), ChannelError> {
        let (Some(claimed), Some(user)) = (view.user_id, &self.user) else { return Ok(()) };
        if claimed == &*user.name || user.may_impersonate() {
            return Ok(());
        }
        Err(ChannelError::precondition_failed(format!(
            "user_id property set to '{claimed}' but authenticated user was '{}'",
            user.name
        )))
    }

    /// tx.commit: the messages, then the settlements.
    pub(super) fn commit(&mut self, channel: u16, settles: &[Settle]) -> Result<(), AmqpError> {
        let state = self.channels.get_mut(&channel);
        let pending = state.and_then(|state| state.transaction.replace(Vec::new()));
        let mut batch = Batch::default();
        for Pending { publish, message, queues, is_reply, .. } in pending.unwrap_or_default() {
            self.enqueue(&publish, &message, &queues, is_reply, &mut batch);
        }
        let is_whole = self.flush(&mut batch);
        settles.iter().for_each(|settle| self.settle(settle));
        if !is_whole {
            return Err(ChannelError::precondition_failed("partial tx completion").into());
        }
        Ok(())
    }
}

/// The two octets of property flags name something the broker must look at.
fn has_inspected_properties(properties: &[u8]) -> bool {
    match properties {
        [high, low, ..] => u16::from_be_bytes([*high, *low]) & INSPECTED_FLAGS != 0,
        _ => false,
    }
}

/// A message may ask not to be kept by exchanges that keep the latest.
fn refuses_storing(message: &Message) -> bool {
    PropertyView::parse(message.properties()).and_then(|view| view.headers_table()).is_ok_and(
        |headers| {
            headers.is_some_and(|table| {
                table.get("x-recent-history-no-store") == Some(&FieldValue::Boolean(true))
            })
        },
    )
}

fn no_queues() -> Arc<CachedRoute> {
    Arc::new(CachedRoute { queues: Vec::new() })
}
