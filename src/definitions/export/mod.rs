//! Definitions as RabbitMQ's tools read them: in the HTTP API, and in definitions files, which
//! `import` reads back. What there is to export, and who may see it, is not decided here.

mod arguments;
mod file;
mod foreign;
mod inventory;
mod items;
#[cfg(test)]
mod tests;

pub use arguments::arguments;
pub use file::Origin;
pub use inventory::{HostContents, HostInventory, Inventory};
pub use items::{
    global_parameter, parameter, permission, policy, policy_parameter, topic_permission, user,
};
