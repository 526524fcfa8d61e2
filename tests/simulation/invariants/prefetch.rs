//! Credit: no consumer, and no channel, has more unsettled deliveries than its prefetch allows.
//! What is fetched with get, and what needs no acknowledgement, does not count.
//!
//! Source: rules `basic.qos.prefetch-count.limit` and `rabbitmq.basic.qos.scope`.

use std::collections::{BTreeMap, VecDeque};

use super::Invariant;
use crate::fact::{ChannelId, Delivered, Fact};

/// Credit.
#[derive(Debug, Default)]
pub(super) struct Prefetch {
    by_consumer: BTreeMap<usize, u16>,
    by_channel: BTreeMap<ChannelId, Channel>,
}

/// The limit of a channel; while new ones are on their way, any of them may hold.
#[derive(Debug, Default)]
struct Channel {
    unsettled: u16,
    limit: u16,
    coming: VecDeque<u16>,
}

impl Invariant for Prefetch {
    fn name(&self) -> &'static str {
        "prefetch"
    }

    fn check(&mut self, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::Delivered(delivered) => return self.delivered(delivered),
            Fact::Settled { channel, consumer: Some(consumer) } => {
                let count = self.by_consumer.entry(*consumer).or_default();
                *count = count.saturating_sub(1);
                let channel = self.by_channel.entry(*channel).or_default();
                channel.unsettled = channel.unsettled.saturating_sub(1);
            }
            Fact::Limited { channel, prefetch_count, is_answered } => {
                let channel = self.by_channel.entry(*channel).or_default();
                if *is_answered {
                    channel.limit = *prefetch_count;
                    channel.coming.pop_front();
                } else {
                    channel.coming.push_back(*prefetch_count);
                }
            }
            Fact::ChannelEnded(channel) => {
                self.by_channel.remove(channel);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Prefetch {
    fn delivered(&mut self, delivered: &Delivered) -> Result<(), String> {
        let (Some(consumer), false) = (delivered.consumer, delivered.no_ack) else {
            return Ok(());
        };
        let count = self.by_consumer.entry(consumer).or_default();
        *count += 1;
        let limit = delivered.prefetch_count;
        if limit != 0 && *count > limit {
            return Err(format!("consumer {consumer} has {count} of {limit} on the way"));
        }
        let channel = self.by_channel.entry(delivered.channel).or_default();
        channel.unsettled += 1;
        let allows = |limit: u16| limit == 0 || channel.unsettled <= limit;
        if allows(channel.limit) || channel.coming.iter().copied().any(allows) {
            return Ok(());
        }
        let Channel { unsettled, limit, .. } = channel;
        Err(format!("{:?} has {unsettled} of {limit} on the way", delivered.channel))
    }
}
