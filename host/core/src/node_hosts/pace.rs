//! When nodes are told something else: with other names, all their pods are replaced.

use std::time::Duration;

use super::selection::Hosts;

/// How long after one change the next one waits: a name that comes and goes must not keep pods from running.
const BETWEEN: Duration = Duration::from_secs(30);

/// How long a name must have been gone before nodes lose it: a store that was restored lacks names until it is filled again.
const GONE: Duration = Duration::from_secs(30);

/// What nodes are told, and since when.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    told: Option<Hosts>,
    changed: Option<Duration>,
    missing: Option<Duration>,
}

impl Pace {
    /// Begins with what they were told before, where that is known.
    #[must_use]
    pub fn from(told: Option<Hosts>) -> Self {
        Self { told, ..Self::default() }
    }

    /// What they are told now, where this is recorded; `now` counts from the same moment each time.
    pub fn next(&mut self, recorded: &Hosts, now: Duration) -> &Hosts {
        let Some(told) = &self.told else { return self.told.insert(recorded.clone()) };
        let missing = told.without(recorded);
        if missing.is_empty() {
            self.missing = None;
        }
        let mut next = recorded.clone();
        if !missing.is_empty() && now < *self.missing.get_or_insert(now) + GONE {
            next = next.and(missing);
        }
        if next != *told && self.changed.is_none_or(|changed| now >= changed + BETWEEN) {
            (self.changed, self.told) = (Some(now), Some(next));
        }
        self.told.get_or_insert_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(names: &[&str]) -> Hosts {
        Hosts::parse(&names.iter().map(|name| format!("10.0.0.1 {name}.b\n")).collect::<String>()).unwrap()
    }

    fn names(hosts: &Hosts) -> Vec<String> {
        hosts.names().map(|name| name.as_str().trim_end_matches(".b").to_owned()).collect()
    }

    #[test]
    fn what_comes_is_told_at_once_and_what_goes_after_a_while() {
        let mut pace = Pace::default();
        let mut at =
            |recorded: &[&str], seconds| names(pace.next(&hosts(recorded), Duration::from_secs(seconds)));
        assert_eq!(at(&["x", "y"], 0), ["x", "y"]);
        // A store that has lost all, and is filled again.
        assert_eq!(at(&[], 10), ["x", "y"]);
        assert_eq!(at(&["x"], 20), ["x", "y"]);
        assert_eq!(at(&["x", "y", "z"], 30), ["x", "y", "z"]);
        // What comes meanwhile does not wait for what goes.
        assert_eq!(at(&["x"], 100), ["x", "y", "z"]);
        assert_eq!(at(&["x", "v"], 110), ["v", "x", "y", "z"]);
        assert_eq!(at(&["x", "v"], 129), ["v", "x", "y", "z"]);
        assert_eq!(at(&["x", "v"], 140), ["v", "x"]);
    }

    #[test]
    fn a_name_that_comes_and_goes_changes_nothing_more_often_than_its_turn_is() {
        let mut pace = Pace::from(Some(hosts(&["x"])));
        let mut changes = 0;
        let mut before = vec!["x".to_owned()];
        for second in 0..300 {
            let recorded = if second % 7 < 3 { hosts(&["x"]) } else { hosts(&["x", "y"]) };
            let told = names(pace.next(&recorded, Duration::from_secs(second)));
            changes += usize::from(told != before);
            before = told;
        }
        assert_eq!(changes, 1);
        let mut address = 0;
        let mut changes = Vec::new();
        for second in 0..100 {
            address = (address + 1) % 250;
            let recorded = Hosts::parse(&format!("10.0.0.{address} x.b\n")).unwrap();
            let told = pace.next(&recorded, Duration::from_secs(1000 + second)).text();
            if changes.last() != Some(&told) {
                changes.push(told);
            }
        }
        assert!(changes.len() <= 5, "{changes:?}");
    }
}
