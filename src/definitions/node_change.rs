//! The changes that concern the whole node: facts, in the order in which they hold. What changes
//! inside a virtual host is a `Change`.

use std::sync::Arc;

use super::{
    GlobalParameterDefinition, HostDefinition, ParameterDefinition, PermissionDefinition,
    PolicyDefinition, TopicPermissionDefinition, UserDefinition,
};

/// Something of the node that was set or is gone. What is set takes the place of what was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeChange {
    /// A virtual host is there, or has new settings.
    HostDeclared(Arc<HostDefinition>),
    /// A virtual host is gone, with all that was declared in it.
    HostDeleted(Arc<HostDefinition>),
    /// A user is there, or is another.
    UserDeclared(Arc<UserDefinition>),
    /// A user is gone.
    UserDeleted(Arc<UserDefinition>),
    /// A user may enter a virtual host.
    PermissionSet(Arc<PermissionDefinition>),
    /// It may not any more.
    PermissionCleared(Arc<PermissionDefinition>),
    /// A user's routing keys are restricted.
    TopicPermissionSet(Arc<TopicPermissionDefinition>),
    /// They are not any more.
    TopicPermissionCleared(Arc<TopicPermissionDefinition>),
    /// A policy is there.
    PolicySet(Arc<PolicyDefinition>),
    /// A policy is gone.
    PolicyCleared(Arc<PolicyDefinition>),
    /// A parameter is there.
    ParameterSet(Arc<ParameterDefinition>),
    /// A parameter is gone.
    ParameterCleared(Arc<ParameterDefinition>),
    /// A parameter of the node is there.
    GlobalParameterSet(Arc<GlobalParameterDefinition>),
    /// A parameter of the node is gone.
    GlobalParameterCleared(Arc<GlobalParameterDefinition>),
}
