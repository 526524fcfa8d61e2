//! Bytes that are held in RAM for a while, counted while they are: an account that many share, and
//! what each has charged to it. It decides nothing; who keeps a budget reads the sum.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::limits::CHARGE_STEP_SIZE;

/// A sum of bytes. Clones are the same account.
#[derive(Clone, Debug, Default)]
pub struct Account(Arc<AtomicU64>);

impl Account {
    /// What is charged now.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// A charge of this many bytes.
    #[must_use]
    pub fn charge(&self, size: u64) -> Charge {
        let mut charge = Charge { account: self.clone(), size: 0 };
        charge.set(size);
        charge
    }
}

/// A part of an account, which ends when this is dropped.
#[derive(Debug)]
pub struct Charge {
    account: Account,
    size: u64,
}

impl Charge {
    /// It is this many bytes from now on.
    pub fn set(&mut self, size: u64) {
        // The difference wraps where it is negative, and so does the sum.
        self.account.0.fetch_add(size.wrapping_sub(self.size), Ordering::Relaxed);
        self.size = size;
    }

    /// It is about this many bytes: what changes often must not touch a counter that others share
    /// for every little. It is right to [`CHARGE_STEP_SIZE`].
    pub fn set_roughly(&mut self, size: u64) {
        if size.abs_diff(self.size) >= CHARGE_STEP_SIZE {
            self.set(size);
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_add_up_and_end_with_what_they_are_for() {
        let account = Account::default();
        let mut first = account.charge(10);
        let second = account.charge(5);
        assert_eq!(account.sum(), 15);
        first.set(3);
        assert_eq!(account.sum(), 8);
        drop(second);
        assert_eq!(account.sum(), 3);
        drop(first);
        assert_eq!(account.sum(), 0);
    }

    #[test]
    fn a_small_change_of_a_rough_charge_is_not_counted_and_a_large_one_is() {
        let account = Account::default();
        let mut charge = account.charge(0);
        charge.set_roughly(CHARGE_STEP_SIZE - 1);
        assert_eq!(account.sum(), 0);
        charge.set_roughly(CHARGE_STEP_SIZE);
        assert_eq!(account.sum(), CHARGE_STEP_SIZE);
        charge.set_roughly(1);
        assert_eq!(account.sum(), CHARGE_STEP_SIZE);
        charge.set_roughly(0);
        assert_eq!(account.sum(), 0);
    }
}
