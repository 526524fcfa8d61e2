//! How many logins failed lately, by the address they came from, and how long the next refusal
//! waits for it. Right credentials are never held up, whoever else comes from there.

use core::net::{IpAddr, Ipv6Addr};
use std::collections::BTreeMap;

use crate::limits::{
    LOGIN_FAILURE_ADDRESSES_MAX, LOGIN_FAILURE_DELAY_MAX_MS, LOGIN_FAILURE_DELAY_MS,
    LOGIN_FAILURE_MEMORY_MS, LOGIN_FAILURES_FREE,
};
use crate::message::Moment;

/// Logins that failed lately.
#[derive(Debug, Default)]
pub struct LoginFailures(BTreeMap<IpAddr, Failures>);

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Moment,
}

impl LoginFailures {
    /// A login from this address failed: how many milliseconds its answer waits. The first few cost
    /// nothing, for everybody mistypes; each one after that waits twice as long as the last.
    pub fn note(&mut self, address: IpAddr, now: Moment) -> u64 {
        let address = network(address);
        let known = self.0.get(&address).filter(|known| !known.is_over(now));
        let count = known.map_or(0, |known| known.count).saturating_add(1);
        if known.is_none() {
            self.make_room(now);
        }
        self.0.insert(address, Failures { count, last: now });
        delay_ms(count)
    }

    /// Where all places are taken, those that are over go, or else the one that is quiet longest.
    fn make_room(&mut self, now: Moment) {
        if self.0.len() < LOGIN_FAILURE_ADDRESSES_MAX {
            return;
        }
        self.0.retain(|_, failures| !failures.is_over(now));
        if self.0.len() < LOGIN_FAILURE_ADDRESSES_MAX {
            return;
        }
        let oldest = self.0.iter().min_by_key(|(_, failures)| failures.last);
        if let Some(address) = oldest.map(|(address, _)| *address) {
            self.0.remove(&address);
        }
    }
}

impl Failures {
    fn is_over(self, now: Moment) -> bool {
        now.since(self.last) >= LOGIN_FAILURE_MEMORY_MS
    }
}

fn delay_ms(count: u32) -> u64 {
    match count.saturating_sub(LOGIN_FAILURES_FREE) {
        0 => 0,
        more => {
            let doubled = 1_u64.checked_shl(more - 1).unwrap_or(u64::MAX);
            doubled.saturating_mul(LOGIN_FAILURE_DELAY_MS).min(LOGIN_FAILURE_DELAY_MAX_MS)
        }
    }
}

/// Whoever has an IPv6 address has all that begin with the same 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    fn fail(failures: &mut LoginFailures, times: u32, now: u64) -> Vec<u64> {
        (0..times).map(|_| failures.note(address(1), Moment(now))).collect()
    }

    #[test]
    fn a_few_cost_nothing_and_then_each_costs_twice_as_much_up_to_a_bound() {
        let mut failures = LoginFailures::default();
        assert!(fail(&mut failures, LOGIN_FAILURES_FREE, 1).iter().all(|delay| *delay == 0));
        let (one, most) = (LOGIN_FAILURE_DELAY_MS, LOGIN_FAILURE_DELAY_MAX_MS);
        assert_eq!(fail(&mut failures, 3, 2), [one, 2 * one, 4 * one]);
        assert_eq!(fail(&mut failures, 100, 3).last(), Some(&most));
        assert_eq!(failures.note(address(2), Moment(3)), 0, "others are not held up");
    }

    #[test]
    fn who_is_quiet_for_a_while_begins_anew() {
        let mut failures = LoginFailures::default();
        fail(&mut failures, LOGIN_FAILURES_FREE, 1);
        let later = LOGIN_FAILURE_MEMORY_MS;
        assert!(failures.note(address(1), Moment(later)) > 0);
        assert_eq!(failures.note(address(1), Moment(2 * later)), 0);
    }

    #[test]
    fn addresses_of_one_network_of_ipv6_count_together() {
        let mut failures = LoginFailures::default();
        let of = |text: &str| text.parse::<IpAddr>().unwrap();
        for _ in 0..LOGIN_FAILURES_FREE {
            failures.note(of("2001:db8:0:1::1"), Moment(1));
        }
        assert_eq!(failures.note(of("2001:db8:0:2::1"), Moment(1)), 0);
        assert!(failures.note(of("2001:db8:0:1:ffff::2"), Moment(1)) > 0);
        for _ in 0..LOGIN_FAILURES_FREE {
            failures.note(of("::ffff:10.0.0.9"), Moment(1));
        }
        assert!(failures.note(address(9), Moment(1)) > 0);
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_who_is_quiet_longest() {
        let mut failures = LoginFailures::default();
        fail(&mut failures, LOGIN_FAILURES_FREE, 1);
        for number in 0..LOGIN_FAILURE_ADDRESSES_MAX {
            let number = u32::try_from(number).unwrap();
            failures.note(IpAddr::from(number.to_be_bytes()), Moment(2));
            assert!(failures.0.len() <= LOGIN_FAILURE_ADDRESSES_MAX);
        }
        assert_eq!(failures.note(address(1), Moment(3)), 0);
        assert_eq!(failures.0.len(), LOGIN_FAILURE_ADDRESSES_MAX);
        failures.note(address(2), Moment(3 + LOGIN_FAILURE_MEMORY_MS));
        assert_eq!(failures.0.len(), 1, "what is over makes room");
    }
}
