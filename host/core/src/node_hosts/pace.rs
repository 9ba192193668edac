//! When nodes are told something else: with other names, all their pods are replaced.

use std::collections::BTreeMap;
use std::time::Duration;

use super::selection::{Hosts, LeftOut, Selection};
use crate::name::HostName;

/// How long after one change the next one waits: a name that comes and goes must not keep pods from running.
const BETWEEN: Duration = Duration::from_secs(30);

/// How long a name must have been gone before nodes lose it: a store that was restored lacks names until it is filled again.
const GONE: Duration = Duration::from_secs(30);

/// What nodes are told, and since when.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    told: Option<Hosts>,
    changed: Option<Duration>,
    /// Names that they were told and that are recorded no more, since when.
    missing: BTreeMap<HostName, Duration>,
    left_out: LeftOut,
}

impl Pace {
    /// Begins with what they were told before, where that is known.
    #[must_use]
    pub fn from(told: Option<Hosts>) -> Self {
        Self { told, ..Self::default() }
    }

    /// What they are told now, where this is recorded; `now` counts from the same moment each time. Where there is not room for
    /// all, names that the configuration has as such come first, then those that they were told already: whoever may choose
    /// names below a domain pushes nobody else's off the nodes.
    pub fn next(&mut self, recorded: &Selection, now: Duration) -> &Hosts {
        let Selection { hosts, named, .. } = recorded;
        let before = self.told.take();
        let told = before.clone().unwrap_or_default();
        let missing = || told.iter().filter(|(name, _)| !hosts.has(name));
        self.missing = missing()
            .map(|(name, _)| (name.clone(), self.missing.get(name).copied().unwrap_or(now)))
            .collect();
        let kept =
            missing().filter(|(name, _)| self.missing.get(*name).is_some_and(|since| now < *since + GONE));
        let all: BTreeMap<_, _> = hosts.iter().chain(kept).collect();
        let rank = |name: &HostName| if named.contains(name) { 0 } else { 1 + u8::from(!told.has(name)) };
        let ranked = (0..3).flat_map(|wanted| all.iter().filter(move |(name, _)| rank(name) == wanted));
        let (next, left_out) = Hosts::fitting(ranked.map(|(name, addresses)| (*name, *addresses)));
        self.left_out = left_out;
        let is_first = before.is_none();
        let may_change = is_first || self.changed.is_none_or(|changed| now >= changed + BETWEEN);
        if may_change && next != told && !is_first {
            self.changed = Some(now);
        }
        self.told.insert(if may_change { next } else { told })
    }

    /// Names that are recorded and for which there is no room.
    #[must_use]
    pub const fn left_out(&self) -> &LeftOut {
        &self.left_out
    }
}

#[cfg(test)]
mod tests {
    use super::super::selection::MAX_NAMES;
    use super::*;

    fn hosts(names: &[&str]) -> Hosts {
        Hosts::parse(&names.iter().map(|name| format!("10.0.0.1 {name}.b\n")).collect::<String>()).unwrap()
    }

    fn recorded(names: &[&str]) -> Selection {
        Selection { hosts: hosts(names), ..Selection::default() }
    }

    fn names(hosts: &Hosts) -> Vec<String> {
        hosts.names().map(|name| name.as_str().trim_end_matches(".b").to_owned()).collect()
    }

    #[test]
    fn what_comes_is_told_at_once_and_what_goes_after_a_while() {
        let mut pace = Pace::default();
        let mut at = |all: &[&str], seconds| names(pace.next(&recorded(all), Duration::from_secs(seconds)));
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
    fn each_name_has_its_own_time_before_it_goes() {
        let mut pace = Pace::default();
        let mut at = |all: &[&str], seconds| names(pace.next(&recorded(all), Duration::from_secs(seconds)));
        assert_eq!(at(&["x", "y", "z"], 0), ["x", "y", "z"]);
        assert_eq!(at(&["y", "z"], 100), ["x", "y", "z"]);
        assert_eq!(at(&["z"], 129), ["x", "y", "z"]);
        assert_eq!(at(&["z"], 130), ["y", "z"]);
        assert_eq!(at(&["z"], 158), ["y", "z"]);
        assert_eq!(at(&["z"], 160), ["z"]);
    }

    #[test]
    fn whoever_may_choose_names_pushes_no_others_off_the_nodes() {
        let flood: Vec<String> = (0..MAX_NAMES + 10).map(|index| format!("a{index:04}")).collect();
        let mut all: Vec<&str> = flood.iter().map(String::as_str).collect();
        all.extend(["told", "wanted", "late"]);
        let mut selection = recorded(&all);
        selection.named.insert("wanted.b".parse().unwrap());
        let mut pace = Pace::from(Some(hosts(&["told"])));
        let told = names(pace.next(&selection, Duration::ZERO));
        assert_eq!(told.len(), MAX_NAMES);
        assert!(told.contains(&"told".to_owned()) && told.contains(&"wanted".to_owned()), "{told:?}");
        let LeftOut { number, some } = pace.left_out();
        assert_eq!((*number, some.first().unwrap().as_str()), (13, "a0254.b"));
        // Those stay that were there first.
        let more: Vec<String> = (0..MAX_NAMES).map(|index| format!("0{index:04}")).collect();
        all.extend(more.iter().map(String::as_str));
        let selection = Selection { hosts: hosts(&all), ..selection };
        assert_eq!(names(pace.next(&selection, Duration::from_secs(100))), told);
    }

    #[test]
    fn a_name_that_comes_and_goes_changes_nothing_more_often_than_its_turn_is() {
        let mut pace = Pace::from(Some(hosts(&["x"])));
        let mut changes = 0;
        let mut before = vec!["x".to_owned()];
        for second in 0..300 {
            let recorded = if second % 7 < 3 { recorded(&["x"]) } else { recorded(&["x", "y"]) };
            let told = names(pace.next(&recorded, Duration::from_secs(second)));
            changes += usize::from(told != before);
            before = told;
        }
        assert_eq!(changes, 1);
        let mut address = 0;
        let mut changes = Vec::new();
        for second in 0..100 {
            address = (address + 1) % 250;
            let hosts = Hosts::parse(&format!("10.0.0.{address} x.b\n")).unwrap();
            let recorded = Selection { hosts, ..Selection::default() };
            let told = pace.next(&recorded, Duration::from_secs(1000 + second)).text();
            if changes.last() != Some(&told) {
                changes.push(told);
            }
        }
        assert!(changes.len() <= 5, "{changes:?}");
    }
}
