//! The path of a message: a batch of publishes is checked and routed, grouped by queue, and each
//! queue's lock is taken once. What was asked for back, comes back before the confirm.

use std::sync::Arc;

use smallvec::SmallVec;

use super::batch::{Batch, Group};
use super::churn::Coming;
use super::consume::not_found;
use super::deduplication::claim_for;
use super::replies::REPLY_TO;
use super::route_cache::CachedRoute;
use super::session::{Pending, Place, Session};
use crate::auth::Access;
use crate::connection::{Event, Publish};
use crate::limits::PUBLISH_GROUPS_MAX;
use crate::message::{Message, MessageRun, Resource, expiration, sender_selected};
use crate::protocol::field::FieldValue;
use crate::protocol::methods::{WireMethod, basic};
use crate::protocol::properties::{self, PropertyView};
use crate::protocol::reply::{AmqpError, ChannelError};
use crate::routing::{Claim, Deduplicated, Exchange, Route, RouteInput};

const PUBLISH: (u16, u16) = (basic::Publish::CLASS_ID, basic::Publish::METHOD_ID);

/// Where one message goes.
#[derive(Debug)]
pub(super) struct Routed {
    /// The message as it is to be delivered, where that is not as it came.
    rewritten: Option<Message>,
    route: Arc<CachedRoute>,
    /// It goes to a waiting requester instead.
    is_reply: bool,
    /// What exchanges on the way said that let equal messages pass once.
    deduplicated: Deduplicated,
}

impl Routed {
    /// It goes the way of others.
    fn known(route: Arc<CachedRoute>) -> Self {
        let deduplicated = Deduplicated::default();
        Self { rewritten: None, route, is_reply: false, deduplicated }
    }

    fn reply(rewritten: Option<Message>, exchange: &Arc<Exchange>) -> Self {
        let route = CachedRoute::new(SmallVec::new(), Some(exchange.clone()));
        Self { rewritten, is_reply: true, ..Self::known(Arc::new(route)) }
    }

    /// What its queues get of a message.
    pub(super) fn message<'a>(&'a self, original: &'a Message) -> &'a Message {
        self.rewritten.as_ref().unwrap_or(original)
    }

    /// The names of its queues.
    pub(super) fn queue_names(&self) -> impl Iterator<Item = &str> {
        let queues = self.route.queues.iter().filter(|queue| !queue.is_waiting_room);
        queues.map(|queue| &*queue.definition.name)
    }
}

impl Session {
    /// Publishes one run after the other into a batch, which [`Session::flush`] ends.
    pub(super) fn publish(&mut self, publish: Publish, batch: &mut Batch) {
        let state = self.channels.get_mut(&publish.channel);
        let Some(state) = state.filter(|state| !state.is_refused) else { return };
        let is_transaction = state.transaction.is_some();
        if state.publisher.is_none() {
            state.publisher = Some(self.broker.churn.open(Coming::Publisher));
        }
        if batch.is_empty() {
            self.begin();
            batch.is_traced = self.is_traced();
        }
        self.meter.count(&publish.messages);
        let channel = publish.channel;
        if let Err(error) = self.publish_run(publish, is_transaction, batch) {
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
    /// What comes behind one that is refused is dropped unseen, and not counted.
    fn publish_run(
        &mut self,
        publish: Publish,
        is_transaction: bool,
        batch: &mut Batch,
    ) -> Result<(), AmqpError> {
        if !is_transaction && let Some(route) = self.known(&publish, batch) {
            let count = publish.messages.len() as u64;
            self.tally(publish.channel, batch).received += count;
            let routed = Routed::known(route);
            if batch.is_traced {
                self.trace_published(&publish, &routed);
            }
            self.enqueue(publish, routed, batch);
            return Ok(());
        }
        let Publish { channel, messages, mandatory, confirm, way } = publish;
        for (message, place) in messages.into_messages().zip(0..) {
            let confirm = if confirm == 0 { 0 } else { confirm + place };
            let messages = MessageRun::one(message);
            let publish = Publish { channel, messages, mandatory, confirm, way };
            self.tally(channel, batch).received += 1;
            self.publish_one(publish, batch)?;
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
        let mut routed = self.route(&publish, message)?;
        let channel = publish.channel;
        // As in RabbitMQ also where its transaction may yet be rolled back.
        if batch.is_traced {
            self.trace_published(&publish, &routed);
        }
        let state = self.channels.get_mut(&channel);
        if let Some(state) = state
            && let Some(transaction) = &mut state.transaction
        {
            let body_bytes = publish.messages.body_bytes();
            let charge = self.broker.connection_options.account.charge(body_bytes);
            // What is committed together came in several inputs.
            let publish = Publish { way: None, ..publish };
            let is_deduplicated = routed.deduplicated.is_any();
            // Until it is committed, others may come first.
            routed.deduplicated = Deduplicated::default();
            transaction.push(Pending { publish, routed, is_deduplicated, _charge: charge });
            state.live.uncommitted.set(transaction.len() as u64);
            self.tally(channel, batch).received_confirm += 1;
            return Ok(());
        }
        self.take(publish, routed, batch)
    }

    /// Takes a routed message into the batch, unless its equal is on its way and may yet fail: then
    /// nobody can say yet whether it is a duplicate.
    pub(super) fn take(
        &mut self,
        publish: Publish,
        mut routed: Routed,
        batch: &mut Batch,
    ) -> Result<(), AmqpError> {
        if routed.deduplicated.is_early()
            && let Some(message) = publish.messages.first()
        {
            drop(routed);
            // Where that is of this batch, it is settled now.
            self.flush(batch);
            routed = self.route(&publish, message)?;
        }
        match routed.deduplicated.is_early() {
            false => self.enqueue(publish, routed, batch),
            true => self.refuse_for_now(&publish, batch),
        }
        Ok(())
    }

    /// Somebody else is just about to publish the same: who waits for a confirm may try again.
    fn refuse_for_now(&mut self, publish: &Publish, batch: &mut Batch) {
        batch.is_short = true;
        if publish.confirm > 0 {
            let (channel, number) = (publish.channel, publish.confirm);
            self.post(Event::Rejected { channel, number });
        }
    }

    /// Adds routed messages to the batch, or gives them back as they came.
    pub(super) fn enqueue(&mut self, publish: Publish, routed: Routed, batch: &mut Batch) {
        batch.confirmed.add(&publish);
        let Routed { rewritten, route, is_reply, mut deduplicated } = routed;
        let queues = &*route.queues;
        if let Some(position) = deduplicated.seen_at() {
            self.broker.counts.seen_by_exchanges(1);
            batch.equals_at = batch.equals_at.max(position);
        }
        if deduplicated.is_any() && !queues.is_empty() {
            let number = (publish.channel, publish.confirm);
            if let Some(message) = publish.messages.first() {
                claim_for(message, queues, &mut deduplicated);
            }
            let claims = deduplicated.into_claims().into_iter();
            batch.claims.extend(claims.map(|claim| (number, claim)));
        }
        let Publish { channel, messages, mandatory, confirm, way } = publish;
        let (count, tally) = (messages.len() as u64, self.tally(channel, batch));
        if confirm > 0 {
            tally.received_confirm += count;
        }
        let is_routed = match is_reply {
            true => {
                let reply = rewritten.as_ref().or(messages.first());
                reply.is_some_and(|reply| self.reply(reply, &mut tally.routed))
            }
            false => !queues.is_empty(),
        };
        tally.routed += count * route.declared_count;
        if !is_routed {
            *(if mandatory { &mut tally.returned } else { &mut tally.dropped }) += count;
        }
        if let Some(exchange) = &route.exchange {
            batch.tally.pass(exchange, (count, count * route.declared_count), confirm);
            if !is_routed && let Some(state) = self.channels.get_mut(&channel) {
                state.with_exchange(exchange).count_unroutable(count, mandatory);
            }
        }
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

    /// Enqueues the groups, then confirms, and notes whether every queue took its messages. Where
    /// one refuses some for want of room, these are rejected; where one is out of service, nothing
    /// of the batch is confirmed: a message that is refused may have reached its other queues.
    pub(super) fn flush(&mut self, batch: &mut Batch) {
        self.count_published(batch);
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
        batch.is_short |= !is_whole || !refused.is_empty();
        batch.has_met_broken |= !is_whole;
        refused.sort_unstable();
        // Several queues may refuse the same one.
        refused.dedup();
        // Those without a number, which their channels do not tell apart, are among these.
        self.settle_claims(batch, is_whole, &refused);
        if let Some(due) = batch.tally.take_due().filter(|_| is_whole) {
            self.count_confirms(due, &refused);
        }
        refused.retain(|(_, number)| *number > 0);
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
    }

    /// Messages that came to their queues are seen from now on; those that did not may come again.
    /// The confirm of a duplicate waits until its equal is on disk.
    fn settle_claims(&mut self, batch: &mut Batch, is_whole: bool, refused: &[(u16, u64)]) {
        let claims = std::mem::take(&mut batch.claims);
        if let Some(place) = self.place.as_ref().filter(|_| is_whole && !claims.is_empty()) {
            let is_taken =
                |(number, _): &((u16, u64), Claim)| refused.binary_search(number).is_err();
            let claims = claims.into_iter().filter(is_taken).map(|(_, claim)| claim).collect();
            place.host.keep_seen(claims, &mut self.work);
            self.has_logged |= self.work.position > 0;
        }
        let equals_at = std::mem::take(&mut batch.equals_at);
        self.work.position = self.work.position.max(equals_at);
    }

    /// Where a message goes. The exchange is looked for and permissions are asked once for each
    /// key that is remembered.
    pub(super) fn route(
        &mut self,
        publish: &Publish,
        message: &Message,
    ) -> Result<Routed, AmqpError> {
        let channel = publish.channel;
        // Where the way is known to be plain, what is remembered was asked already.
        let is_plain = publish.way.is_some() || !properties::are_inspected(message.properties());
        if publish.way.is_none()
            && is_plain
            && let Some(route) = self.cached(channel, message)
        {
            return Ok(Routed::known(route));
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
            true => {
                self.check_topic(&place, Access::Write, &exchange, message.routing_key())?;
                Ok(self.route_plain(&place, &exchange, channel, message))
            }
            false => self.route_inspected(&place, &exchange, channel, message),
        }
    }

    fn route_plain(
        &mut self,
        place: &Place,
        exchange: &Arc<Exchange>,
        channel: u16,
        message: &Message,
    ) -> Routed {
        if is_reply(message) {
            return Routed::reply(None, exchange);
        }
        let (route, deduplicated) =
            self.look_up((place, exchange), channel, message, message, &[message.routing_key()]);
        Routed { deduplicated, ..Routed::known(route) }
    }

    fn cached(&mut self, channel: u16, message: &Message) -> Option<Arc<CachedRoute>> {
        let generation = self.place.as_ref()?.host.router.generation();
        let state = self.channels.get_mut(&channel)?;
        state.routes.route(generation, message.exchange(), message.routing_key())
    }

    fn route_inspected(
        &mut self,
        place: &Place,
        exchange: &Arc<Exchange>,
        channel: u16,
        original: &Message,
    ) -> Result<Routed, AmqpError> {
        let view = PropertyView::parse(original.properties())
            .map_err(|_| ChannelError::precondition_failed("invalid message: properties"))?;
        if let Some(text) = view.expiration {
            expiration::parse(text)?;
        }
        let selected = sender_selected::routing_keys(&view)?;
        let keys: Vec<&str> = std::iter::once(original.routing_key())
            .chain(selected.routing_keys.iter().map(|key| &**key))
            .collect();
        for key in &keys {
            self.check_topic(place, Access::Write, exchange, key)?;
        }
        self.check_user_id(&view)?;
        let mut rewritten = None;
        if view.reply_to == Some(REPLY_TO) {
            rewritten = Some(self.with_reply_key(channel, original)?);
        }
        if is_reply(original) {
            return Ok(Routed::reply(rewritten, exchange));
        }
        let message = rewritten.as_ref().unwrap_or(original);
        let with_bcc = rewritten.clone();
        if selected.has_bcc
            && let Some(properties) = sender_selected::without_bcc(message.properties())
        {
            rewritten = Some(message.with_properties(&properties));
        }
        let delivered = rewritten.as_ref().unwrap_or(original);
        let cached = if keys.len() == 1 { self.cached(channel, original) } else { None };
        let (route, deduplicated) = match cached {
            Some(route) => (route, Deduplicated::default()),
            None => self.look_up((place, exchange), channel, original, delivered, &keys),
        };
        if selected.has_bcc && route.queues.iter().all(|queue| queue.is_waiting_room) {
            // Those keys are looked at when it has waited.
            rewritten = with_bcc;
        }
        Ok(Routed { rewritten, deduplicated, ..Routed::known(route) })
    }

    /// Asks the router, and remembers the answer where it depends on nothing but the key.
    /// `delivered` is the message as queues get it, which exchanges with a history keep.
    fn look_up(
        &mut self,
        (place, exchange): (&Place, &Arc<Exchange>),
        channel: u16,
        message: &Message,
        delivered: &Message,
        keys: &[&str],
    ) -> (Arc<CachedRoute>, Deduplicated) {
        let generation = place.host.router.generation();
        let random = self.random.draw();
        let (properties, now) = (message.properties(), self.work.now);
        let input = RouteInput { routing_keys: keys, properties, random, now };
        let mut route = Route::default();
        place.host.route(message, &input, &mut route);
        let is_taken = !route.deduplicated.is_early();
        if is_taken && !route.histories.is_empty() && !refuses_storing(message) {
            route.histories.iter().for_each(|exchange| exchange.remember(delivered));
        }
        let queues = place.host.queues_by_id(&route.queues).into();
        let cached = Arc::new(CachedRoute::new(queues, Some(exchange.clone())));
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
        (cached, route.deduplicated)
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
