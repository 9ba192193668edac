//! What an agent has been told once.

use std::collections::BTreeSet;

use crate::name::HostName;

/// Most denials that are remembered of one agent. Further ones are not told, which nobody has to be: they show in the
/// status of the cluster.
const MOST: usize = 1024;

/// Denials that an agent has been told. external-dns ends at an error, begins anew and tries again: told again, it
/// would never come to its other names.
#[derive(Debug, Default)]
pub struct Told(BTreeSet<(HostName, String)>);

impl Told {
    /// Whether the agent has to be told that a target at this name is denied. The next time it has not to be.
    pub fn is_news(&mut self, name: &HostName, target: &str) -> bool {
        let denied = (name.clone(), target.to_owned());
        if self.0.remove(&denied) || self.0.len() == MOST {
            return false;
        }
        self.0.insert(denied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_is_told_once_and_anew_when_it_was_taken_in_between() {
        let mut told = Told::default();
        let name = "web.w1.example".parse().unwrap();
        assert!(told.is_news(&name, "10.0.0.1"));
        assert!(told.is_news(&name, "10.0.0.2"));
        assert!(!told.is_news(&name, "10.0.0.1"));
        assert!(told.is_news(&name, "10.0.0.1"));
    }

    #[test]
    fn an_agent_that_is_denied_without_end_fills_nothing() {
        let mut told = Told::default();
        let news =
            (0..MOST * 2).filter(|n| told.is_news(&format!("n{n}.example").parse().unwrap(), "10.0.0.1"));
        assert_eq!(news.count(), MOST);
        assert_eq!(told.0.len(), MOST);
    }
}
