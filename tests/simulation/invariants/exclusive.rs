//! Exclusive queues die with their connection: nobody finds them afterwards.
//!
//! Source: rule `rabbitmq.queue.declare.exclusive-lifetime`.

use std::collections::BTreeSet;

use super::Invariant;
use crate::fact::Fact;

/// Exclusive queues die with their connection.
#[derive(Debug, Default)]
pub(super) struct Exclusive {
    dead: BTreeSet<String>,
}

impl Invariant for Exclusive {
    fn name(&self) -> &'static str {
        "exclusive"
    }

    fn check(&mut self, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::OwnerGone { queue_name } => {
                self.dead.insert(queue_name.clone());
            }
            // It may be declared again later, so one look is all it gets.
            Fact::Looked { queue_name, is_there } if self.dead.remove(queue_name) && *is_there => {
                return Err(format!("'{queue_name}' outlived its connection"));
            }
            _ => {}
        }
        Ok(())
    }
}
