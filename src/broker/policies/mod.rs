//! Policies that are set and cleared: what they change is in force at once, for all queues and
//! exchanges that are there. Which of them apply, and how they go together, is decided in `policy`.

use std::sync::Arc;

use super::author::Author;
use super::declaration::{DeclarationRefused, DeclarationResult, Declared};
use super::in_force::InForce;
use super::node_definitions::LockedDefinitions;
use super::out_of_service::OutOfService;
use super::queue_handle::QueueHandle;
use super::shared::Broker;
use super::virtual_host::VirtualHost;
use super::waiting_room::is_delayed;
use super::work::Work;
use crate::definitions::{
    Change, NodeChange, Pattern, PolicyDefinition, PolicyKind, QueueDefinition,
    VirtualHostDefinitions,
};
use crate::message::{Era, Moment, Name, QueueOptions};
use crate::policy::{self, Policies};
use crate::queue::Lifetime;

impl Broker {
    /// Users' policies that match a queue, the one that applies first; none where it is not there.
    #[must_use]
    pub fn policies_that_match_queue(
        &self,
        host: &str,
        name: &str,
    ) -> Option<Vec<Arc<PolicyDefinition>>> {
        let host = self.virtual_host(host)?;
        let kind = host.queue(name)?.definition.options.kind;
        Some(host.policies().all_of_queue(name, kind))
    }

    /// The same of an exchange, which need not be there.
    #[must_use]
    pub fn policies_that_match_exchange(
        &self,
        host: &str,
        name: &str,
    ) -> Option<Vec<Arc<PolicyDefinition>>> {
        Some(self.virtual_host(host)?.policies().all_of_exchange(name))
    }
}

impl Author<'_> {
    /// Sets a policy, or changes the one of its name.
    ///
    /// # Errors
    /// There is no such virtual host, or it says what no policy may: RabbitMQ's words.
    pub fn set_policy(&self, policy: &PolicyDefinition<Name>, now: Moment) -> DeclarationResult {
        policy::check(policy.kind, &policy.settings).map_err(DeclarationRefused::Invalid)?;
        // While a foreign pattern is read nobody waits for the definitions.
        if !policy.pattern.is_empty() {
            Pattern::parse(&policy.pattern).map_err(|error| {
                let text = format!("pattern should be regular expression but is invalid: {error}");
                DeclarationRefused::Invalid(text)
            })?;
        }
        let definitions = self.node_definitions();
        let host = definitions.host(&policy.host).map(|host| host.key.clone());
        let host = host.ok_or_else(|| DeclarationRefused::NoVirtualHost(policy.host.clone()))?;
        let policy = Arc::new(policy.at(host));
        Ok(self.change_policies(definitions, &NodeChange::PolicySet(policy), now))
    }

    /// Takes a policy away, where it is there.
    pub fn clear_policy(&self, kind: PolicyKind, host: &str, name: &str, now: Moment) -> Declared {
        let definitions = self.node_definitions();
        let Some(policy) = definitions.policy(kind, host, name).cloned() else {
            return Declared::Unchanged;
        };
        self.change_policies(definitions, &NodeChange::PolicyCleared(policy), now)
    }

    /// Queues are told first: what the log must know of them stands before the policy, so that a
    /// crash in between changes nothing.
    fn change_policies(
        &self,
        mut definitions: LockedDefinitions<'_>,
        change: &NodeChange,
        now: Moment,
    ) -> Declared {
        if definitions.holds(change) {
            return Declared::Unchanged;
        }
        let mut work = self.work(now);
        if let NodeChange::PolicySet(policy) | NodeChange::PolicyCleared(policy) = change
            && let Some(host) = self.virtual_host(&policy.host.name)
        {
            let mut declared = host.definitions();
            self.show_policy(change);
            host.put_policies_in_force(&mut declared, change, &mut work);
            self.apply_to_node(&mut definitions, change);
        }
        drop(definitions);
        self.look_after(&mut work);
        work.wake();
        Declared::Changed
    }
}

impl Broker {
    /// What is declared from now on is under the policy, or no longer.
    pub(super) fn show_policy(&self, change: &NodeChange) {
        let (NodeChange::PolicySet(policy) | NodeChange::PolicyCleared(policy)) = change else {
            return;
        };
        let Some(host) = self.virtual_host(&policy.host.name) else { return };
        let mut policies = (*host.policies()).clone();
        match change {
            NodeChange::PolicySet(_) => {
                if let Err(error) = policies.set(policy) {
                    let name = &policy.name;
                    tracing::error!(target: "node", "policy '{name}' does not apply: {error}");
                }
            }
            _ => policies.clear(policy.kind, &policy.name),
        }
        host.set_policies(Arc::new(policies));
    }
}

impl VirtualHost {
    /// Tells queues and exchanges what is in force for them now, where that is not what was.
    fn put_policies_in_force(
        &self,
        definitions: &mut VirtualHostDefinitions,
        change: &NodeChange,
        work: &mut Work,
    ) {
        let policies = self.policies();
        let mut queues = self.all_queues();
        queues.sort_unstable_by_key(|queue| queue.id());
        for handle in &queues {
            let (in_force, before) =
                (InForce::of(&handle.definition, &policies), handle.in_force());
            if is_about(change, before.as_deref()) || is_about(change, in_force.as_deref()) {
                self.events.note_queue_policy(change, &handle.definition, work);
            }
            if in_force != before {
                self.put_in_force(definitions, handle, in_force, work);
            }
        }
        self.put_exchange_policies_in_force(definitions, work);
    }

    /// Tells exchanges what policies say of them.
    pub(super) fn put_exchange_policies_in_force(
        &self,
        definitions: &VirtualHostDefinitions,
        work: &mut Work,
    ) {
        let policies = self.policies();
        for exchange in definitions.exchanges() {
            let name = &exchange.name;
            self.open_waiting_room(definitions, exchange, None, work);
            self.router.set_policies(name, alternate(&policies, name), is_delayed(&policies, name));
        }
    }

    fn put_in_force(
        &self,
        definitions: &mut VirtualHostDefinitions,
        handle: &Arc<QueueHandle>,
        in_force: Option<Arc<InForce>>,
        work: &mut Work,
    ) {
        let times = |options: &QueueOptions| (options.expires_ms, options.message_ttl_ms);
        let (expires_ms, ttl_ms) = handle.with_options(times);
        let configured = handle.configure(in_force, work);
        let (new_expires_ms, new_ttl_ms) = handle.with_options(times);
        let ttl_before = configured.unwrap_or_else(|OutOfService| {
            // It is read again soon, and then must know what was.
            let before = definitions.queue(&handle.definition.name)?.ttl_before.clone();
            let lifetime = Lifetime { ttl_ms, before, ..Lifetime::default() };
            (ttl_ms != new_ttl_ms).then(|| lifetime.changed(new_ttl_ms, work.now, false).before)
        });
        if let Some(ttl_before) = ttl_before {
            self.remember_lifetimes(definitions, handle, ttl_before, work);
        }
        if new_expires_ms != expires_ms {
            self.watch_use(handle, work);
        }
    }

    /// Messages that are on disk keep the time to live that they came with, also in the queue's
    /// next life.
    fn remember_lifetimes(
        &self,
        definitions: &mut VirtualHostDefinitions,
        handle: &QueueHandle,
        ttl_before: Vec<Era>,
        work: &mut Work,
    ) {
        let Some(known) = definitions.queue(&handle.definition.name).cloned() else { return };
        let queue = QueueDefinition { ttl_before, ..(*known).clone() };
        self.apply(definitions, &Change::QueueConfigured(Arc::new(queue)), work);
    }
}

/// The policy that is set or cleared is in force there.
fn is_about(change: &NodeChange, in_force: Option<&InForce>) -> bool {
    let (NodeChange::PolicySet(policy) | NodeChange::PolicyCleared(policy)) = change else {
        return false;
    };
    let applied = in_force.map(|in_force| &in_force.applied);
    let name = applied.and_then(|applied| match policy.kind {
        PolicyKind::User => applied.user.as_ref(),
        PolicyKind::Operator => applied.operator.as_ref(),
    });
    name == Some(&policy.name)
}

/// Where an exchange's messages go, by policy, that nobody else takes.
pub(super) fn alternate(policies: &Policies, exchange: &str) -> Option<Arc<str>> {
    let applied = policies.of_exchange(exchange)?;
    Some(applied.settings.get("alternate-exchange")?.as_str()?.into())
}

#[cfg(test)]
mod tests;
