//! Runtime parameters as an operator asks for them: to list them and to take them away; and the one
//! that means something to every client, the name of the cluster.

use std::sync::Arc;

use super::author::Author;
use super::declaration::Declared;
use super::lock::{read, write};
use super::options::server_properties;
use super::shared::Broker;
use crate::connection::Options;
use crate::definitions::{
    CLUSTER_NAME, GlobalParameterDefinition, NodeChange, ParameterDefinition,
};
use crate::message::Name;

impl Broker {
    /// All parameters of components, by virtual host, component and name. Policies are not among
    /// them.
    #[must_use]
    pub fn parameters(&self) -> Vec<Arc<ParameterDefinition>> {
        self.node_definitions().parameters().cloned().collect()
    }

    /// A parameter of a component in a virtual host.
    #[must_use]
    pub fn parameter(
        &self,
        host: &str,
        component: &str,
        name: &str,
    ) -> Option<Arc<ParameterDefinition>> {
        self.node_definitions().parameter(host, component, name).cloned()
    }

    /// The node's parameter of this name.
    #[must_use]
    pub fn global_parameter(&self, name: &str) -> Option<Arc<GlobalParameterDefinition>> {
        self.node_definitions().global_parameter(name).cloned()
    }

    /// The node's parameters, by name.
    #[must_use]
    pub fn global_parameters(&self) -> Vec<Arc<GlobalParameterDefinition>> {
        self.node_definitions().global_parameters().cloned().collect()
    }
}

impl Author<'_> {
    /// Takes a parameter of a component away.
    pub fn clear_parameter(&self, host: &str, component: &str, name: &str) -> Declared {
        let mut definitions = self.node_definitions();
        let Some(known) = definitions.parameter(host, component, name).cloned() else {
            return Declared::Unchanged;
        };
        let declared = self.declare_node(&mut definitions, &NodeChange::ParameterCleared(known));
        drop(definitions);
        self.wake_publishers();
        declared
    }

    /// Takes a parameter of the node away.
    pub fn clear_global_parameter(&self, name: &str) -> Declared {
        let mut definitions = self.node_definitions();
        let Some(known) = definitions.global_parameter(name).cloned() else {
            return Declared::Unchanged;
        };
        self.declare_node(&mut definitions, &NodeChange::GlobalParameterCleared(known))
    }
}

impl Broker {
    /// The name of the cluster: as it was set last, or else as the operator wrote it.
    #[must_use]
    pub fn cluster_name(&self) -> Name {
        let definitions = self.node_definitions();
        let parameter = definitions.global_parameter(CLUSTER_NAME);
        let name = parameter.and_then(|parameter| parameter.cluster_name());
        name.unwrap_or(&self.options.cluster_name).into()
    }

    /// What those are told who connect now.
    pub(super) fn greeting(&self) -> Arc<Options> {
        read(&self.greeting).clone()
    }

    /// Where the parameter is the name of the cluster, who connects from now on is told it.
    pub(super) fn show_cluster_name(&self, parameter: &GlobalParameterDefinition, is_set: bool) {
        if *parameter.name != *CLUSTER_NAME {
            return;
        }
        let name = parameter.cluster_name().filter(|_| is_set);
        let name = name.unwrap_or(&self.options.cluster_name);
        let server_properties = server_properties(&self.options.product, name);
        let options = Options { server_properties, ..(*self.connection_options).clone() };
        *write(&self.greeting) = Arc::new(options);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::BrokerOptions;
    use super::*;

    fn told(broker: &Broker) -> String {
        let greeting = broker.greeting();
        let told = greeting.server_properties.get("cluster_name").and_then(|name| name.as_str());
        assert_eq!(told, Some(&*broker.cluster_name()));
        told.unwrap().to_owned()
    }

    fn set(broker: &Broker, value: Value) {
        let name = CLUSTER_NAME.into();
        broker.by_node().set_global_parameter(GlobalParameterDefinition { name, value });
    }

    #[test]
    fn clients_are_told_the_name_that_was_set_last() {
        let broker = Broker::new(BrokerOptions::default(), [1, 2]).unwrap();
        assert_eq!(told(&broker), "leveret@localhost");
        set(&broker, json!("east"));
        assert_eq!(told(&broker), "east");
        let other = GlobalParameterDefinition { name: "other".into(), value: json!("west") };
        broker.by_node().set_global_parameter(other);
        assert_eq!(told(&broker), "east");
        assert_eq!(broker.by_node().clear_global_parameter(CLUSTER_NAME), Declared::Changed);
        assert_eq!(told(&broker), "leveret@localhost");
        assert_eq!(broker.by_node().clear_global_parameter(CLUSTER_NAME), Declared::Unchanged);
    }

    #[test]
    fn what_is_no_name_is_told_nobody() {
        let broker = Broker::new(BrokerOptions::default(), [1, 2]).unwrap();
        for value in [json!(5), json!("n".repeat(256))] {
            set(&broker, value);
            assert_eq!(told(&broker), "leveret@localhost");
        }
        set(&broker, json!("n".repeat(255)));
        assert_eq!(told(&broker), "n".repeat(255));
    }
}
