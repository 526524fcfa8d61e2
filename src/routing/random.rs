//! Random exchanges: one destination, each as likely as the others. The number is the caller's.

use super::destination::{BindingKey, Destination, DestinationSet};

/// Chooses one.
pub(super) fn choose(set: &DestinationSet, random: u64) -> Option<Destination> {
    let index = random.checked_rem(set.len() as u64)?;
    set.at(usize::try_from(index).ok()?)
}

/// Local random exchanges lead to queues, look at no key, and say so.
pub(super) fn validate_local(binding: &BindingKey) -> Result<(), String> {
    if !binding.routing_key.is_empty() {
        return Err(format!("Non empty binding '{}' key not permitted", binding.routing_key));
    }
    match binding.destination {
        Destination::Queue(_) => Ok(()),
        Destination::Exchange(_) => Err("Destination not found".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{ExchangeId, QueueId};
    use crate::protocol::field::FieldTable;

    #[test]
    fn every_destination_is_chosen_at_some_time() {
        let mut set = DestinationSet::default();
        (1..=3).for_each(|id| set.add(Destination::Queue(QueueId(id))));
        for random in 0..3 {
            assert_eq!(choose(&set, random), Some(Destination::Queue(QueueId(random + 1))));
        }
        assert_eq!(choose(&DestinationSet::default(), 7), None);
    }

    #[test]
    fn a_local_random_exchange_takes_queues_without_a_key() {
        let check = |key: &str, destination| {
            let arguments = FieldTable::new();
            validate_local(&BindingKey { routing_key: key.into(), arguments, destination })
        };
        let (queue, exchange) =
            (Destination::Queue(QueueId(1)), Destination::Exchange(ExchangeId(1)));
        assert_eq!(check("", queue), Ok(()));
        assert_eq!(check("k", queue).unwrap_err(), "Non empty binding 'k' key not permitted");
        assert_eq!(check("", exchange).unwrap_err(), "Destination not found");
    }
}
