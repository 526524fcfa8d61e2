//! Where messages go that the broker publishes itself: dead letters, what waited in its exchange,
//! and what an exchange remembers for those that are newly bound to it. Which exchange lets what
//! pass is decided in `routing`.

use std::sync::Arc;

use super::deduplication::claim_for;
use super::queue_handle::QueueHandle;
use super::virtual_host::VirtualHost;
use super::work::Work;
use crate::definitions::{Binding, BindingEnd};
use crate::message::{Message, Moment, Random, sender_selected};
use crate::protocol::properties::PropertyView;
use crate::routing::{Deduplicated, Exchange, Route, RouteInput};

/// Where a message goes that the broker publishes itself.
#[derive(Debug, Default)]
pub(super) struct Targets {
    pub(super) queues: Vec<Arc<QueueHandle>>,
    pub(super) deduplicated: Deduplicated,
}

impl VirtualHost {
    /// Who is newly bound to an exchange with a history gets what it keeps: a queue the oldest
    /// first, an exchange, which passes it on, the newest first as in RabbitMQ.
    pub(super) fn replay_history(&self, binding: &Binding, random: &mut Random, work: &mut Work) {
        let source = self.router.exchange(&binding.source);
        let messages = source.map(|exchange| exchange.remembered()).unwrap_or_default();
        if messages.is_empty() {
            return;
        }
        match &binding.destination {
            BindingEnd::Queue(name) => {
                if let Some(queue) = self.queue(name) {
                    // Of what is out of service, nobody waits for a confirm here.
                    let _ = queue.with(work, |live| {
                        for message in messages {
                            live.offer(message);
                        }
                    });
                }
            }
            BindingEnd::Exchange(name) => {
                let Some(exchange) = self.router.exchange(name) else { return };
                for message in messages.iter().rev() {
                    self.pass_on(&exchange, message, random.draw(), work);
                }
            }
        }
    }

    /// Gives an exchange a message as if it had been published there. What no queue takes is lost.
    /// No lock of a queue may be held.
    pub(super) fn pass_on(
        &self,
        exchange: &Arc<Exchange>,
        message: &Message,
        random: u64,
        work: &mut Work,
    ) {
        let selected = PropertyView::parse(message.properties())
            .ok()
            .and_then(|view| sender_selected::routing_keys(&view).ok())
            .unwrap_or_default();
        let Targets { queues, mut deduplicated } =
            self.targets_of(exchange, message, &selected.routing_keys, random, work.now, true);
        claim_for(message, &queues, &mut deduplicated);
        self.counts.seen_by_exchanges(deduplicated.seen_at().is_some().into());
        let mut is_taken = true;
        for queue in queues {
            // As above.
            is_taken &= queue.with(work, |live| live.offer(message.clone())).unwrap_or(false);
        }
        if is_taken {
            self.keep_seen(deduplicated.into_claims(), work);
        }
    }

    /// The queues that get a message which the broker publishes itself, by its key and further
    /// ones: none where its exchange is not there.
    pub(super) fn targets(
        &self,
        message: &Message,
        further_keys: &[impl AsRef<str>],
        random: u64,
        now: Moment,
        is_new: bool,
    ) -> Targets {
        let exchange = self.router.exchange(message.exchange());
        exchange.map_or_else(Targets::default, |exchange| {
            self.targets_of(&exchange, message, further_keys, random, now, is_new)
        })
    }

    pub(super) fn targets_of(
        &self,
        exchange: &Arc<Exchange>,
        message: &Message,
        further_keys: &[impl AsRef<str>],
        random: u64,
        now: Moment,
        is_new: bool,
    ) -> Targets {
        let further_keys = further_keys.iter().map(AsRef::as_ref);
        let routing_keys: Vec<&str> =
            std::iter::once(message.routing_key()).chain(further_keys).collect();
        let mut route = Route::default();
        let properties = message.properties();
        let input = RouteInput { routing_keys: &routing_keys, properties, random, now };
        self.router.route(exchange, &input, self, &mut route);
        if is_new {
            route.histories.iter().for_each(|exchange| exchange.remember(message));
        }
        let queues = self.queues_by_id(&route.queues);
        let mut deduplicated = route.deduplicated;
        if queues.is_empty() {
            // What nobody has may come again.
            deduplicated.release();
        }
        Targets { queues, deduplicated }
    }
}
