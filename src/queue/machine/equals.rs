//! A queue that takes no two equal messages at once: which ones have an equal in it. A message is
//! in it until it is settled for good, dies or is delivered without a need for an acknowledgement;
//! one that comes back was there all the time.

use super::{PresentKeys, Queue};
use crate::message::{
    DeduplicationKey, Message, MessageRun, Sequence, SequenceRange, deduplication,
};

impl Queue {
    /// Messages of a queue that comes back from the disk have these keys.
    pub fn know_keys(&mut self, keys: impl IntoIterator<Item = (Sequence, DeduplicationKey)>) {
        if self.traits.is_unique {
            let present = self.present();
            keys.into_iter().for_each(|(place, key)| present.add(place, key));
        }
    }

    /// What is left of a run without those that have an equal in the queue, or in front of them.
    /// Messages of a run are alike, so all of them have the same key, or none.
    pub fn without_equals(&mut self, messages: MessageRun) -> Option<MessageRun> {
        if !self.traits.is_unique {
            return Some(messages);
        }
        // What is over its time is in nobody's way.
        self.expire(self.now);
        match messages.first().and_then(key) {
            None => Some(messages),
            Some(key) if self.present().has(key) => None,
            Some(_) => messages.into_messages().next().map(MessageRun::one),
        }
    }

    fn present(&mut self) -> &mut PresentKeys {
        self.activity().present.get_or_insert_default()
    }

    /// Messages come to the next places.
    pub(super) fn note_keys(&mut self, messages: &MessageRun) {
        let first = self.contents.next_sequence();
        messages.iter().zip(first..).for_each(|(message, place)| self.note_key(place, message));
    }

    pub(super) fn note_key(&mut self, place: Sequence, message: &Message) {
        if self.traits.is_unique
            && let Some(key) = key(message)
        {
            self.present().add(place, key);
        }
    }

    /// What was at these places is in the queue no longer.
    #[inline]
    pub(super) fn forget_keys(&mut self, places: SequenceRange) {
        if self.traits.is_unique {
            self.present().remove(places);
        }
    }
}

fn key(message: &Message) -> Option<DeduplicationKey> {
    deduplication::asked_for(message.properties()).map(|asked| asked.key)
}
