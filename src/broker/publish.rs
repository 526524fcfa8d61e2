//! The path of a message: a batch of publishes is checked and routed, grouped by queue, and each
//! queue's lock is taken once. What was asked for back, comes back before the confirm.

use std::sync::Arc;

use smallvec::SmallVec;

use super::batch::{Batch, Group};
use super::consume::not_found;
use super::queue_handle::QueueHandle;
use super::replies::REPLY_TO;
use super::route_cache::CachedRoute;
use super::session::{Pending, Place, Session};
use crate::auth::Access;
use crate::connection::{Event, Publish, Settle};
use crate::limits::PUBLISH_GROUPS_MAX;
use crate::message::{Message, MessageRun, Resource, expiration, sender_selected};
use crate::protocol::field::FieldValue;
use crate::protocol::methods::{WireMethod, basic};
use crate::protocol::properties::{self, PropertyView};
use crate::protocol::reply::{AmqpError, ChannelError};
use crate::routing::{Route, RouteInput};

const PUBLISH: (u16, u16) = (basic::Publish::CLASS_ID, basic::Publish::METHOD_ID);

/// Where one message goes.
struct Routed {
    /// The message as it is to be delivered, where that is not as it came.
    rewritten: Option<Message>,
    route: Arc<CachedRoute>,
    /// It goes to a waiting requester instead.
    is_reply: bool,
}

impl Session {
    /// Publishes one run after the other into a batch, which [`Session::flush`] ends.
    pub(super) fn publish(&mut self, publish: Publish, batch: &mut Batch) {
        if self.channels.get(&publish.channel).is_none_or(|state| state.is_refused) {
            return;
        }
        if batch.is_empty() {
            self.begin();
        }
        self.meter.count(&publish.messages);
        let channel = publish.channel;
        if let Err(error) = self.publish_run(publish, batch) {
            // What came before it is done before the channel closes.
            self.flush(batch);
            self.refuse(channel, error.at(PUBLISH.0, PUBLISH.1));
        }
    }

    /// A batch begins.
    fn begin(&mut self) {
        self.has_published = true;
        self.forget_congestion();
        self.block_where_alarmed();
        self.meter.begin();
        self.work.position = 0;
    }

    /// A run whose way is known goes as one; otherwise each message finds its own.
    fn publish_run(&mut self, publish: Publish, batch: &mut Batch) -> Result<(), AmqpError> {
        let state = self.channels.get(&publish.channel);
        let is_transaction = state.is_some_and(|state| state.transaction.is_some());
        if !is_transaction && let Some(route) = self.known(&publish, batch) {
            self.enqueue(publish, None, &route.queues, false, batch);
            return Ok(());
        }
        let Publish { channel, messages, mandatory, confirm, way } = publish;
        for (message, place) in messages.into_messages().zip(0..) {
            let confirm = if confirm == 0 { 0 } else { confirm + place };
            let messages = MessageRun::one(message);
            self.publish_one(Publish { channel, messages, mandatory, confirm, way }, batch)?;
        }
        Ok(())
    }

    /// The route of a run, where it is remembered: for this batch, or by the channel.
    fn known(&mut self, publish: &Publish, batch: &mut Batch) -> Option<Arc<CachedRoute>> {
        let way = publish.way?;
        if let Some(route) = batch.routes.get(way) {
            return Some(route);
        }
        let route = self.cached(publish.channel, publish.messages.first()?)?;
        batch.routes.remember(way, route.clone());
        Some(route)
    }

    fn publish_one(&mut self, publish: Publish, batch: &mut Batch) -> Result<(), AmqpError> {
        let Some(message) = publish.messages.first() else { return Ok(()) };
        let Routed { rewritten, route, is_reply } = self.route(&publish, message)?;
        let state = self.channels.get_mut(&publish.channel);
        if let Some(transaction) = state.and_then(|state| state.transaction.as_mut()) {
            let queues = route.queues.to_vec();
            let body_bytes = publish.messages.body_bytes();
            let charge = self.broker.connection_options.account.charge(body_bytes);
            // What is committed together came in several inputs.
            let publish = Publish { way: None, ..publish };
            transaction.push(Pending { publish, rewritten, queues, is_reply, _charge: charge });
            return Ok(());
        }
        self.enqueue(publish, rewritten, &route.queues, is_reply, batch);
        Ok(())
    }

    /// Adds routed messages to the batch, or gives them back as they came.
    fn enqueue(
        &mut self,
        publish: Publish,
        rewritten: Option<Message>,
        queues: &[Arc<QueueHandle>],
        is_reply: bool,
        batch: &mut Batch,
    ) {
        batch.confirmed.add(&publish);
        let Publish { channel, messages, mandatory, confirm, way } = publish;
        let is_routed = match is_reply {
            true => rewritten.as_ref().or(messages.first()).is_some_and(|reply| self.reply(reply)),
            false => !queues.is_empty(),
        };
        if is_routed {
            let (messages, way) = match rewritten {
                Some(rewritten) => (MessageRun::one(rewritten), None),
                None => (messages, way),
            };
            batch.groups.add_to_all(queues, messages, way, (channel, confirm));
        } else if mandatory {
            messages.into_messages().for_each(|message| self.return_message(channel, message));
        }
        if batch.groups.len() >= PUBLISH_GROUPS_MAX {
            self.flush(batch);
        }
    }

    fn return_message(&mut self, channel: u16, message: Message) {
        self.returned_size += message.body_size();
        self.post(Event::Returned { channel, message });
    }

    /// Enqueues the groups, then confirms, and tells whether every queue took its messages. Where
    /// one refuses some for want of room, these are rejected; where one is out of service, nothing
    /// of the batch is confirmed: a message that is refused may have reached its other queues.
    pub(super) fn flush(&mut self, batch: &mut Batch) -> bool {
        let mut is_whole = true;
        let mut refused = Vec::new();
        for Group { queue, runs, numbers, .. } in batch.groups.drain() {
            let enqueued =
                queue.with(&mut self.work, |live| live.take_in(runs, numbers.as_deref()));
            is_whole &= enqueued.is_ok();
            refused.extend(enqueued.unwrap_or_default());
            self.has_logged |= self.work.position > 0;
            if std::mem::take(&mut self.work.is_ahead) {
                self.hold_for(&queue);
            }
        }
        let is_taken = is_whole && refused.is_empty();
        refused.retain(|(_, number)| *number > 0);
        refused.sort_unstable();
        // Several queues may refuse the same one.
        refused.dedup();
        batch.confirmed.leave_out(&refused);
        for (channel, first, last) in batch.confirmed.drain() {
            if is_whole {
                self.post_durable(Event::Confirmed { channel, first, last });
                continue;
            }
            (first..=last).for_each(|number| self.post(Event::Rejected { channel, number }));
        }
        for (channel, number) in refused {
            self.post(Event::Rejected { channel, number });
        }
        is_taken
    }

    /// Where a message goes. The exchange is looked for and permissions are asked once for each
    /// key that is remembered.
    fn route(&mut self, publish: &Publish, message: &Message) -> Result<Routed, AmqpError> {
        let channel = publish.channel;
        // Where the way is known to be plain, what is remembered was asked already.
        let is_plain = publish.way.is_some() || !properties::are_inspected(message.properties());
        if publish.way.is_none()
            && is_plain
            && let Some(route) = self.cached(channel, message)
        {
            return Ok(Routed { rewritten: None, route, is_reply: false });
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
        match is_plain {
            true => Ok(self.route_plain(&place, channel, message)),
            false => self.route_inspected(&place, channel, message),
        }
    }

    fn route_plain(&mut self, place: &Place, channel: u16, message: &Message) -> Routed {
        if is_reply(message) {
            return Routed { rewritten: None, route: no_queues(), is_reply: true };
        }
        let route = self.look_up(place, channel, message, message, &[message.routing_key()]);
        Routed { rewritten: None, route, is_reply: false }
    }

    fn cached(&mut self, channel: u16, message: &Message) -> Option<Arc<CachedRoute>> {
        let generation = self.place.as_ref()?.host.router.generation();
        let state = self.channels.get_mut(&channel)?;
        state.routes.route(generation, message.exchange(), message.routing_key())
    }

    fn route_inspected(
        &mut self,
        place: &Place,
        channel: u16,
        original: &Message,
    ) -> Result<Routed, AmqpError> {
        let view = PropertyView::parse(original.properties())
            .map_err(|_| ChannelError::precondition_failed("invalid message: properties"))?;
        self.check_user_id(&view)?;
        if let Some(text) = view.expiration {
            expiration::parse(text)?;
        }
        let selected = sender_selected::routing_keys(&view)?;
        let mut rewritten = None;
        if view.reply_to == Some(REPLY_TO) {
            rewritten = Some(self.with_reply_key(channel, original)?);
        }
        if is_reply(original) {
            return Ok(Routed { rewritten, route: no_queues(), is_reply: true });
        }
        let keys: Vec<&str> = std::iter::once(original.routing_key())
            .chain(selected.routing_keys.iter().map(|key| &**key))
            .collect();
        let message = rewritten.as_ref().unwrap_or(original);
        let with_bcc = rewritten.clone();
        if selected.has_bcc
            && let Some(properties) = sender_selected::without_bcc(message.properties())
        {
            rewritten = Some(message.with_properties(&properties));
        }
        let delivered = rewritten.as_ref().unwrap_or(original);
        let cached = if keys.len() == 1 { self.cached(channel, original) } else { None };
        let route =
            cached.unwrap_or_else(|| self.look_up(place, channel, original, delivered, &keys));
        if selected.has_bcc && route.queues.iter().all(|queue| queue.is_waiting_room) {
            // Those keys are looked at when it has waited.
            rewritten = with_bcc;
        }
        Ok(Routed { rewritten, route, is_reply: false })
    }

    /// Asks the router, and remembers the answer where it depends on nothing but the key.
    /// `delivered` is the message as queues get it, which exchanges with a history keep.
    fn look_up(
        &mut self,
        place: &Place,
        channel: u16,
        message: &Message,
        delivered: &Message,
        keys: &[&str],
    ) -> Arc<CachedRoute> {
        let generation = place.host.router.generation();
        let random = self.random.draw();
        let input = RouteInput { routing_keys: keys, properties: message.properties(), random };
        let mut route = Route::default();
        place.host.route(message, &input, &mut route);
        if !route.histories.is_empty() && !refuses_storing(message) {
            route.histories.iter().for_each(|exchange| exchange.remember(delivered));
        }
        let queues = place.host.queues_by_id(&route.queues).into();
        let cached = Arc::new(CachedRoute { queues });
        let is_lasting = route.depends_on_key_only && keys.len() == 1;
        // A name nobody has yet may be declared at any time, and that raises no generation.
        let may_appear = message.exchange().is_empty() && cached.queues.is_empty();
        if is_lasting
            && !may_appear
            && let Some(state) = self.channels.get_mut(&channel)
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
        for Pending { publish, rewritten, queues, is_reply, .. } in pending.unwrap_or_default() {
            self.enqueue(publish, rewritten, &queues, is_reply, &mut batch);
        }
        let is_taken = self.flush(&mut batch);
        settles.iter().for_each(|settle| self.settle(settle));
        if !is_taken {
            return Err(ChannelError::precondition_failed("partial tx completion").into());
        }
        Ok(())
    }
}

/// It is for a waiting requester.
fn is_reply(message: &Message) -> bool {
    message.exchange().is_empty() && Session::is_reply_key(message.routing_key())
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
    Arc::new(CachedRoute { queues: SmallVec::new() })
}
