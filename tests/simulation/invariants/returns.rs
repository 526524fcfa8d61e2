//! Returns: a mandatory message that reaches no queue comes back once, before its confirm; no other
//! message comes back.
//!
//! Source: rules `basic.publish.mandatory.flag` and `rabbitmq.confirm.numbering`.

use std::collections::{BTreeMap, BTreeSet};

use super::Invariant;
use crate::fact::{ChannelId, Fact};

/// Returns.
#[derive(Debug, Default)]
pub(super) struct Returns {
    /// Messages that are to come back, with the number of their confirm.
    waiting: BTreeMap<ChannelId, BTreeMap<u64, Option<u64>>>,
}

impl Invariant for Returns {
    fn name(&self) -> &'static str {
        "returns"
    }

    fn check(&mut self, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Published { channel, message, confirm, returns: true } => {
                self.waiting.entry(*channel).or_default().insert(*message, *confirm);
            }
            Fact::Returned { channel, message } => {
                let waiting = self.waiting.entry(*channel).or_default();
                if waiting.remove(message).is_none() {
                    return Err(format!("message {message} came back on {channel:?}"));
                }
            }
            Fact::Confirmed { channel, tag, multiple, .. } => {
                return self.confirmed(*channel, *tag, *multiple);
            }
            Fact::ChannelEnded(channel) => {
                self.waiting.remove(channel);
            }
            Fact::StepEnded { deaf } => return self.all_heard(deaf),
            _ => {}
        }
        Ok(())
    }
}

impl Returns {
    fn confirmed(&self, channel: ChannelId, tag: u64, multiple: bool) -> Result<(), String> {
        let Some(waiting) = self.waiting.get(&channel) else { return Ok(()) };
        let is_meant = |confirm: u64| confirm == tag || (multiple && confirm < tag);
        match waiting.iter().find(|(_, confirm)| confirm.is_some_and(is_meant)) {
            Some((message, _)) => {
                Err(format!("message {message} was confirmed on {channel:?} before it came back"))
            }
            None => Ok(()),
        }
    }

    fn all_heard(&self, deaf: &BTreeSet<u64>) -> Result<(), String> {
        let late = self
            .waiting
            .iter()
            .filter(|(channel, _)| !deaf.contains(&channel.connection))
            .find_map(|(channel, messages)| messages.keys().next().map(|id| (channel, id)));
        match late {
            Some((channel, message)) => {
                Err(format!("message {message} did not come back on {channel:?}"))
            }
            None => Ok(()),
        }
    }
}
