//! Replies: every method that asks for an answer gets it, in the order of asking, and nothing is
//! answered that was not asked. A consumer hears of itself before its first delivery, and of the
//! loss of its queue.
//!
//! Source: rules `rabbitmq.nowait`, `channel.close.stability` and `rabbitmq.basic.cancel.notify`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Invariant;
use crate::fact::{ChannelId, Fact, Kind};

/// Replies.
#[derive(Debug, Default)]
pub(super) struct Replies {
    asked: BTreeMap<ChannelId, VecDeque<Vec<Kind>>>,
    cancels: BTreeSet<(ChannelId, String)>,
}

impl Invariant for Replies {
    fn name(&self) -> &'static str {
        "replies"
    }

    fn check(&mut self, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Asked { channel, answers } => {
                self.asked.entry(*channel).or_default().push_back(answers.clone());
            }
            Fact::Answered { channel, kind } => return self.answered(*channel, *kind),
            Fact::CancelDue { channel, consumer_tag } => {
                self.cancels.insert((*channel, consumer_tag.clone()));
            }
            Fact::CancelTold { channel, consumer_tag }
                if !self.cancels.remove(&(*channel, consumer_tag.clone())) =>
            {
                return Err(format!("'{consumer_tag}' on {channel:?} was canceled for nothing"));
            }
            Fact::Delivered(delivered) if !delivered.is_told => {
                return Err(format!(
                    "a delivery came before consume-ok on {:?}",
                    delivered.channel
                ));
            }
            Fact::ChannelEnded(channel) => self.cancels.retain(|(known, _)| known != channel),
            Fact::ConnectionLost(connection) => {
                self.asked.retain(|channel, _| channel.connection != *connection);
                self.cancels.retain(|(channel, _)| channel.connection != *connection);
            }
            Fact::StepEnded { deaf } => return self.all_heard(deaf),
            _ => {}
        }
        Ok(())
    }
}

impl Replies {
    fn answered(&mut self, channel: ChannelId, kind: Kind) -> Result<(), String> {
        let expected = self.asked.entry(channel).or_default().pop_front();
        if expected.as_ref().is_some_and(|answers| answers.contains(&kind)) {
            return Ok(());
        }
        Err(format!("{kind:?} came on {channel:?} where {expected:?} was due"))
    }

    fn all_heard(&mut self, deaf: &BTreeSet<u64>) -> Result<(), String> {
        self.asked.retain(|_, asked| !asked.is_empty());
        let heard = |channel: &ChannelId| !deaf.contains(&channel.connection);
        if let Some((channel, asked)) = self.asked.iter().find(|(channel, _)| heard(channel)) {
            return Err(format!("{asked:?} did not come on {channel:?}"));
        }
        match self.cancels.iter().find(|(channel, _)| heard(channel)) {
            Some((channel, tag)) => Err(format!("'{tag}' on {channel:?} was not told of its end")),
            None => Ok(()),
        }
    }
}
