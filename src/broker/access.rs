//! What an operator asks about users and what they may do: to list it, to change a user, to take a
//! user or a permission away. What is set here also comes from definitions files.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::info;

use super::author::Author;
use super::declaration::{DeclarationRefused, DeclarationResult, Declared};
use super::shared::Broker;
use crate::connection::Event;
use crate::definitions::{
    NodeChange, PasswordHash, PermissionDefinition, TopicPermissionDefinition, UserDefinition,
};
use crate::message::Name;
use crate::protocol::reply::ConnectionError;

impl Broker {
    /// The user of this name.
    #[must_use]
    pub fn user_definition(&self, name: &str) -> Option<Arc<UserDefinition>> {
        self.node_definitions().user(name).cloned()
    }

    /// What a user may do in a virtual host.
    #[must_use]
    pub fn permission(&self, host: &str, user: &str) -> Option<Arc<PermissionDefinition>> {
        self.node_definitions().permission(host, user).cloned()
    }

    /// All permissions, by virtual host and user.
    #[must_use]
    pub fn permissions(&self) -> Vec<Arc<PermissionDefinition>> {
        self.node_definitions().permissions().cloned().collect()
    }

    /// What restricts the routing keys of a user in a virtual host, by exchange.
    #[must_use]
    pub fn topic_permissions_of(
        &self,
        host: &str,
        user: &str,
    ) -> Vec<Arc<TopicPermissionDefinition>> {
        self.node_definitions().topic_permissions_of(host, user).cloned().collect()
    }

    /// All topic permissions, by virtual host, user and exchange.
    #[must_use]
    pub fn topic_permissions(&self) -> Vec<Arc<TopicPermissionDefinition>> {
        self.node_definitions().topic_permissions().cloned().collect()
    }
}

impl Author<'_> {
    /// Makes a user, or gives one another password and other tags. Of the limits it has, only those
    /// are changed that are named.
    pub fn set_user(
        &self,
        name: &str,
        password: PasswordHash,
        tags: Vec<Name>,
        limits: BTreeMap<Name, i64>,
    ) -> Declared {
        let mut definitions = self.node_definitions();
        let known = definitions.user(name).map(|user| user.limits.clone());
        let is_new = known.is_none();
        let mut all = known.unwrap_or_default();
        all.extend(limits);
        let user = UserDefinition { name: name.into(), password, tags, limits: all };
        let change = NodeChange::UserDeclared(Arc::new(user));
        let declared = self.declare_node(&mut definitions, &change);
        drop(definitions);
        if is_new {
            info!(target: "node", "Created user '{name}'");
        }
        self.wake_publishers();
        declared
    }

    /// Deletes users with what they were permitted: all of them, or none. Their connections are
    /// closed.
    ///
    /// # Errors
    /// One of them is not there.
    pub fn delete_users(&self, names: &[Name]) -> DeclarationResult {
        let mut definitions = self.node_definitions();
        let mut users = BTreeMap::new();
        for name in names {
            let user = definitions.user(name);
            let user = user.ok_or_else(|| DeclarationRefused::NoUser(name.clone()))?;
            users.insert(name, user.clone());
        }
        let plans = users.values().map(|user| definitions.plan_delete_user(user));
        let plan: Vec<NodeChange> = plans.flatten().collect();
        self.apply_plan_to_node(&mut definitions, &plan);
        drop(definitions);
        self.wake_publishers();
        users.keys().for_each(|name| info!(target: "node", "Deleted user '{name}'"));
        users.keys().for_each(|name| self.expel_user(name));
        Ok(Declared::Changed)
    }

    /// Closes the connections of a user, as RabbitMQ does.
    fn expel_user(&self, name: &str) {
        let text = format!("user '{name}' is deleted");
        let mut wakers = Vec::new();
        for mailbox in self.tallies.of_user(name) {
            let event = Event::Closing(ConnectionError::connection_forced(text.clone()));
            // Who is already gone needs no word.
            let _ = mailbox.push(event, &mut wakers);
        }
        wakers.into_iter().for_each(std::task::Waker::wake);
    }

    /// Lets a user enter a virtual host no more. Who is in it stays, and may do nothing more there.
    pub fn clear_permission(&self, host: &str, user: &str) -> Declared {
        let mut definitions = self.node_definitions();
        let Some(known) = definitions.permission(host, user).cloned() else {
            return Declared::Unchanged;
        };
        self.declare_node(&mut definitions, &NodeChange::PermissionCleared(known))
    }

    /// Lifts what restricts a user's routing keys in a virtual host, with one exchange or with all.
    pub fn clear_topic_permissions(
        &self,
        host: &str,
        user: &str,
        exchange: Option<&str>,
    ) -> Declared {
        let mut definitions = self.node_definitions();
        let is_meant = |each: &&Arc<TopicPermissionDefinition>| {
            exchange.is_none_or(|exchange| *each.exchange == *exchange)
        };
        let meant = definitions.topic_permissions_of(host, user).filter(is_meant).cloned();
        let plan: Vec<_> = meant.map(NodeChange::TopicPermissionCleared).collect();
        if plan.is_empty() {
            return Declared::Unchanged;
        }
        self.apply_plan_to_node(&mut definitions, &plan);
        Declared::Changed
    }
}

#[cfg(test)]
mod tests {
    use super::super::lock::read;
    use super::super::test_world::World;
    use super::*;
    use crate::auth::Access;

    fn allows(world: &World, routing_key: &str) -> bool {
        let users = read(&world.broker.users);
        let user = users.user("guest").unwrap();
        let topics = user.topic_permissions.get("/");
        topics.is_none_or(|topics| topics.allow(Access::Write, "x", routing_key))
    }

    #[test]
    fn topic_permissions_hold_after_a_restart_and_with_another_password() {
        let mut world = World::new();
        let permission = TopicPermissionDefinition::<Name> {
            user: "guest".into(),
            host: "/".into(),
            exchange: "x".into(),
            write: "^a".into(),
            read: String::new(),
        };
        assert!(allows(&world, "b"));
        world.broker.by_node().set_topic_permission(&permission).unwrap();
        assert!(allows(&world, "a") && !allows(&world, "b"));
        let password = world.broker.hash_password("guest", "new");
        world.broker.by_node().set_user("guest", password, Vec::new(), BTreeMap::new());
        world.turn();
        let mut world = world.killed();
        assert!(allows(&world, "a") && !allows(&world, "b"));
        world.broker.by_node().clear_topic_permissions("/", "guest", Some("x"));
        assert!(allows(&world, "b"));
        world.turn();
        assert!(allows(&world.killed(), "b"));
    }
}
