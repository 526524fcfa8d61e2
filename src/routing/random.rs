//! Random exchanges: one destination, each as likely as the others. The number is the caller's.

use super::destination::{BindingKey, Destination, DestinationSet};

/// Chooses one.
pub(super) fn choose(set: &DestinationSet, random: u64) -> Option<Destination> {
    let index = random.checked_rem(set.len() as u64)?;
    set.at(usize::try_from(index).ok()?)
}

/// Local random exchanges look at no key, and say so.
pub(super) fn validate_local(binding: &BindingKey) -> Result<(), String> {
    if binding.routing_key.is_empty() {
        return Ok(());
    }
    Err("Binding key must be empty".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::QueueId;

    #[test]
    fn every_destination_is_chosen_at_some_time() {
        let mut set = DestinationSet::default();
        (1..=3).for_each(|id| set.add(Destination::Queue(QueueId(id))));
        for random in 0..3 {
            assert_eq!(choose(&set, random), Some(Destination::Queue(QueueId(random + 1))));
        }
        assert_eq!(choose(&DestinationSet::default(), 7), None);
    }
}
