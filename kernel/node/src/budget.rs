//! What there is so much of for everybody: bytes on their way in or out, connections.
//!
//! Strangers have a part of it. Within either nobody has more than a quarter, so that who takes all
//! they can get stands in nobody's way but their own. Who finds no room is refused at once: to wait
//! would be to hold on to what they have already.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stoa_kit::{Caller, Error, Result};

/// Of what there is for all, what one may have.
const SHARE: usize = 4;

/// So much, for all and for strangers.
pub(crate) struct Budget {
    all_max: usize,
    strangers_max: usize,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    all: usize,
    strangers: usize,
    /// By tenant and subject, or by network where nobody signed in. Who holds nothing is not in it.
    each: HashMap<Arc<str>, usize>,
}

impl Budget {
    pub(crate) fn new(all_max: usize, strangers_max: usize) -> Arc<Self> {
        Arc::new(Self { all_max, strangers_max, used: Mutex::default() })
    }

    /// Nothing yet, of what a caller may have.
    pub(crate) fn open(self: &Arc<Self>, caller: &Caller, network: &str) -> Held {
        let stranger = caller.is_anonymous();
        let holder = if stranger { network.into() } else { caller.full_name().into() };
        let own_max = if stranger { self.strangers_max } else { self.all_max } / SHARE;
        Held { budget: Arc::clone(self), holder, stranger, own_max, amount: 0 }
    }

    /// Nothing yet, of what somebody may have who speaks for many.
    pub(crate) fn open_for_many(self: &Arc<Self>, network: &str) -> Held {
        let (budget, own_max) = (Arc::clone(self), self.all_max);
        Held { budget, holder: network.into(), stranger: false, own_max, amount: 0 }
    }

    fn used(&self) -> std::sync::MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of a budget, given back when this is dropped.
pub(crate) struct Held {
    budget: Arc<Budget>,
    holder: Arc<str>,
    stranger: bool,
    own_max: usize,
    amount: usize,
}

impl Held {
    /// Takes more.
    ///
    /// # Errors
    /// `node.crowded` where there is no room, for this holder or for all.
    pub(crate) fn take(&mut self, amount: usize) -> Result<()> {
        let Budget { all_max, strangers_max, .. } = *self.budget;
        let mut used = self.budget.used();
        let own = used.each.get(&self.holder).copied().unwrap_or(0);
        let full = own + amount > self.own_max
            || used.all + amount > all_max
            || (self.stranger && used.strangers + amount > strangers_max);
        if full {
            return Err(crowded());
        }
        self.amount += amount;
        used.add(&self.holder, self.stranger, amount);
        Ok(())
    }

    /// Takes more whether there is room or not: what exists already has to go somewhere, and
    /// whoever comes next finds so much less.
    pub(crate) fn take_anyway(&mut self, amount: usize) {
        self.amount += amount;
        self.budget.used().add(&self.holder, self.stranger, amount);
    }

    /// Gives back a part of what was taken.
    pub(crate) fn give_back(&mut self, amount: usize) {
        let amount = amount.min(self.amount);
        if amount == 0 {
            return;
        }
        self.amount -= amount;
        self.budget.used().remove(&self.holder, self.stranger, amount);
    }
}

impl Used {
    fn add(&mut self, holder: &Arc<str>, stranger: bool, amount: usize) {
        if amount == 0 {
            return;
        }
        self.all += amount;
        self.strangers += if stranger { amount } else { 0 };
        *self.each.entry(Arc::clone(holder)).or_default() += amount;
    }

    fn remove(&mut self, holder: &Arc<str>, stranger: bool, amount: usize) {
        self.all -= amount;
        self.strangers -= if stranger { amount } else { 0 };
        if let Some(own) = self.each.get_mut(holder) {
            *own -= amount;
            if *own == 0 {
                self.each.remove(holder);
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.give_back(self.amount);
    }
}

pub(crate) fn crowded() -> Error {
    let message = "too much is on its way already, of yours or of everybody's";
    Error::exhausted("node.crowded", message, Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_the_room_of_others_and_strangers_not_that_of_callers() {
        let budget = Budget::new(1_600, 400);
        let nobody = Caller::anonymous("main");
        let ada = Caller::of("main", "user:usr_ada", &[]);
        let mut strangers: Vec<_> =
            (0..8).map(|n| budget.open(&nobody, &format!("192.0.2.{n}"))).collect();
        assert!(strangers[0].take(101).is_err(), "a quarter of what strangers have");
        let got = strangers.iter_mut().filter_map(|held| held.take(100).ok()).count();
        assert_eq!(got, 4, "what strangers have in all");
        assert!(budget.open(&nobody, "192.0.2.0").take(1).is_err(), "on another connection");

        let mut one = budget.open(&ada, "192.0.2.0");
        assert!(one.take(300).is_ok() && one.take(100).is_ok());
        assert_eq!(budget.open(&ada, "").take(1).unwrap_err().reason(), "node.crowded");
        let others: Vec<_> = (0..8)
            .filter_map(|n| {
                let mut held = budget.open(&Caller::of("main", &format!("user:{n}"), &[]), "");
                held.take(400).ok().map(|()| held)
            })
            .collect();
        assert_eq!(others.len(), 2, "what there is in all");
        one.take_anyway(1_000);
        let mut many = budget.open_for_many("127.0.0.1");
        assert!(many.take(1).is_err(), "what is there already counts");
        drop((one, others, strangers));
        assert!(many.take(1_600).is_ok());
        drop(many);
        let used = budget.used();
        assert_eq!((used.all, used.strangers, used.each.len()), (0, 0, 0));
    }
}
