//! Confirms: every publish on a confirming channel is confirmed once, after it was enqueued, and
//! soon. Nothing here refuses a publish, so none is nacked.
//!
//! Source: rule `rabbitmq.confirm.numbering`.

use std::collections::{BTreeMap, BTreeSet};

use super::Invariant;
use crate::fact::{ChannelId, Fact};

/// Confirms.
#[derive(Debug, Default)]
pub(super) struct Confirms {
    waiting: BTreeMap<ChannelId, BTreeSet<u64>>,
}

impl Invariant for Confirms {
    fn name(&self) -> &'static str {
        "confirms"
    }

    fn check(&mut self, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Published { channel, confirm: Some(tag), .. } => {
                self.waiting.entry(*channel).or_default().insert(*tag);
            }
            Fact::Confirmed { is_refusal: true, tag, channel, .. } => {
                return Err(format!("publish {tag} on {channel:?} was refused"));
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

impl Confirms {
    fn confirmed(&mut self, channel: ChannelId, tag: u64, multiple: bool) -> Result<(), String> {
        let waiting = self.waiting.entry(channel).or_default();
        if !waiting.remove(&tag) {
            return Err(format!("publish {tag} on {channel:?} waits for no confirm"));
        }
        if multiple {
            waiting.retain(|waiting| *waiting > tag);
        }
        Ok(())
    }

    fn all_heard(&self, deaf: &BTreeSet<u64>) -> Result<(), String> {
        let late = self
            .waiting
            .iter()
            .filter(|(channel, _)| !deaf.contains(&channel.connection))
            .find_map(|(channel, tags)| tags.first().map(|tag| (channel, tag)));
        match late {
            Some((channel, tag)) => Err(format!("publish {tag} on {channel:?} is not confirmed")),
            None => Ok(()),
        }
    }
}
