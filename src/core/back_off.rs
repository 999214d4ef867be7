//! How long to wait before an engine is asked again that was not there, or was of no use.
//!
//! To look whether somebody listens on this machine costs microseconds, so whoever is asked here is asked again soon for as long as it
//! takes: what the engine does when it is back is seen at once. Elsewhere each attempt goes over a network, and perhaps
//! many ask: there the pauses grow, and differ from one asker to the next. So they do where the engine answers and cannot be followed: an attempt is a
//! listing then.

use std::time::Duration;

/// How long the pauses are.
#[derive(Clone, Copy, Debug)]
pub struct Pauses {
    /// Each of those before an engine on this machine that does not answer is asked again.
    pub nearby: Duration,
    /// The first of those that grow.
    pub first: Duration,
    /// The longest of those.
    pub longest: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            nearby: Duration::from_millis(200),
            first: Duration::from_millis(100),
            longest: Duration::from_secs(5),
        }
    }
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The engine did not say who it is.
    Unanswered,
    /// It did, and could not be followed for long.
    Useless,
    /// It was followed, until now.
    Good,
}

/// The pauses between attempts to reach one engine.
#[derive(Clone, Debug)]
pub struct BackOff {
    pauses: Pauses,
    is_near: bool,
    failures: u32,
}

impl BackOff {
    /// Before the first attempt. `is_near`: whether the engine is asked on this machine.
    pub fn new(pauses: Pauses, is_near: bool) -> Self {
        Self {
            pauses,
            is_near,
            failures: 0,
        }
    }

    /// How long to wait after that attempt; `chance`, any number, says how much of the last half of it.
    pub fn after(&mut self, attempt: Attempt, chance: u8) -> Duration {
        match attempt {
            Attempt::Unanswered if self.is_near => return self.pauses.nearby,
            Attempt::Unanswered | Attempt::Useless => {}
            Attempt::Good => self.failures = 0,
        }
        let growth = 2_u32.saturating_pow(self.failures);
        let pause = self.pauses.first.saturating_mul(growth);
        let pause = pause.min(self.pauses.longest);
        self.failures = self.failures.saturating_add(1);
        let half = pause / 2;
        half + half * u32::from(chance) / u32::from(u8::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::Attempt::{Good, Unanswered, Useless};
    use super::*;

    const ALL: u8 = u8::MAX;

    fn pauses(is_near: bool, attempts: &[Attempt]) -> Vec<u128> {
        let mut back_off = BackOff::new(Pauses::default(), is_near);
        let after = |attempt: &Attempt| back_off.after(*attempt, ALL).as_millis();
        attempts.iter().map(after).collect()
    }

    #[test]
    fn who_does_not_answer_on_this_machine_is_asked_soon_for_ever() {
        assert_eq!(pauses(true, &[Unanswered; 1000]), [200; 1000]);
    }

    #[test]
    fn elsewhere_pauses_grow_to_an_end() {
        let grown = [100, 200, 400, 800, 1600, 3200, 5000, 5000];
        assert_eq!(pauses(false, &[Unanswered; 8]), grown);
        assert_eq!(pauses(false, &[Unanswered; 100]).last(), Some(&5000));
    }

    #[test]
    fn who_answers_and_is_of_no_use_is_asked_less_and_less_wherever_it_is() {
        assert_eq!(pauses(true, &[Useless; 4]), [100, 200, 400, 800]);
        assert_eq!(pauses(false, &[Useless; 4]), [100, 200, 400, 800]);
        // That it is away in between is no reason to trouble it more.
        let away = [Useless, Useless, Unanswered, Useless];
        assert_eq!(pauses(true, &away), [100, 200, 200, 400]);
    }

    #[test]
    fn after_a_good_one_pauses_are_short_again() {
        let attempts = [Unanswered, Unanswered, Unanswered, Good, Unanswered];
        assert_eq!(pauses(false, &attempts), [100, 200, 400, 100, 200]);
    }

    #[test]
    fn many_who_ask_do_not_ask_at_once() {
        for chance in 0..=ALL {
            let mut back_off = BackOff::new(Pauses::default(), false);
            let pause = back_off.after(Useless, chance).as_micros();
            assert!((50_000..=100_000).contains(&pause), "{pause}");
        }
        let mut first = BackOff::new(Pauses::default(), false);
        let mut other = first.clone();
        assert!(first.after(Useless, 10) < other.after(Useless, 200));
    }
}
