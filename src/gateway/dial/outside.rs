//! Public names that callers asked for: by those, nobody gets into a network.
//!
//! An interceptor asks for what a container asked it for, and as a rule does not say which. Without a scope a public name may
//! lead to a container, wherever that is; a container that makes up names must not get to other networks that way.

use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;

/// For how long a name that was handed on is remembered. An interceptor asks for it at once, or after its user has looked
/// at the request.
const REMEMBERED: Duration = Duration::from_secs(600);
/// How many are; beyond that the oldest go, in no exact order.
const MOST: usize = 16_384;

/// The names, in lower case, with when they were handed on last.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Outside(DashMap<String, Instant>);

impl Outside {
    /// Remembers a name.
    pub(super) fn note(&self, name: &str) {
        if self.0.len() >= MOST {
            let mut age = REMEMBERED;
            while self.0.len() >= MOST / 2 && !age.is_zero() {
                self.0.retain(|_, at| at.elapsed() < age);
                age /= 2;
            }
        }
        self.0.insert(name.to_lowercase(), Instant::now());
    }

    /// Whether a caller has asked for it lately.
    pub(super) fn holds(&self, name: &str) -> bool {
        let noted = self.0.get(&name.to_lowercase());
        noted.is_some_and(|at| at.elapsed() < REMEMBERED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn names_are_remembered_for_a_while_and_not_without_end() {
        let outside = Outside::default();
        outside.note("WWW.example.com");
        assert!(outside.holds("www.Example.com"));
        assert!(!outside.holds("example.com"));
        tokio::time::advance(REMEMBERED).await;
        assert!(!outside.holds("www.example.com"));
        for number in 0..2 * MOST {
            tokio::time::advance(Duration::from_millis(100)).await;
            outside.note(&number.to_string());
            assert!(outside.0.len() <= MOST);
        }
        assert!(outside.holds(&(2 * MOST - 1).to_string()));
    }
}
