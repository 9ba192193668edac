//! Transactions under way: each name by one at a time.

use std::collections::{BTreeMap, HashMap};

use crate::cluster::ClusterId;
use crate::deletion_guard::Reason;
use crate::name::HostName;

/// Names that have to wait, because the effect of their last transaction has not been seen in the
/// store yet: the guards of another one would be outdated.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    names: HashMap<HostName, UnderWayName>,
    /// Names whose transaction was done at a revision that has not been seen.
    unseen: BTreeMap<i64, Vec<HostName>>,
    /// The revision that has been seen.
    seen: i64,
    /// How often the store turned out to be another one.
    restores: u64,
    writing: usize,
    by_cluster: HashMap<ClusterId, usize>,
}

#[derive(Debug)]
struct UnderWayName {
    /// The clusters whose values are written or deleted, see [`UnderWay::cluster_of`].
    clusters: Vec<ClusterId>,
    /// `UnderWay::restores` when its transaction began.
    restores: u64,
    /// Whether the transaction makes all changes that the name needs.
    is_whole: bool,
    /// For how long what was answered before may be kept, in seconds.
    kept_seconds: u32,
    /// The revision at which the transaction was done; `None` while that is not known.
    written: Option<i64>,
    /// The revision at which the store has shown a change of the name; `None` before it has.
    shown: Option<i64>,
    /// Set when it changes meanwhile, to why.
    changed: Option<Reason>,
}

impl UnderWayName {
    /// Why the name has to be looked at again. It need not be when the store has shown what was written, all that was to
    /// be written, and nothing else.
    fn reason(&self) -> Option<Reason> {
        let is_done = self.is_whole && self.written.is_some() && self.shown == self.written;
        self.changed.or((!is_done).then_some(Reason::Seen))
    }
}

/// A name that is free again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Free {
    pub(super) name: HostName,
    pub(super) clusters: Vec<ClusterId>,
    /// Set when it has to be looked at again, to why.
    pub(super) changed: Option<Reason>,
}

impl UnderWay {
    /// How many transactions have not been answered.
    pub(super) const fn writing(&self) -> usize {
        self.writing
    }

    pub(super) const fn seen_revision(&self) -> i64 {
        self.seen
    }

    /// For which cluster a name is written, the first of several; `None` when it is not under way.
    pub(super) fn cluster_of(&self, name: &HostName) -> Option<&ClusterId> {
        self.names.get(name)?.clusters.first()
    }

    /// How many names are under way for a cluster.
    pub(super) fn len_of(&self, cluster: &ClusterId) -> usize {
        self.by_cluster.get(cluster).copied().unwrap_or_default()
    }

    /// Whether a name is under way.
    pub(super) fn has(&self, name: &HostName) -> bool {
        self.names.contains_key(name)
    }

    /// For how long what was answered before the transaction may be kept, in seconds.
    pub(super) fn kept_seconds(&self, name: &HostName) -> Option<u32> {
        Some(self.names.get(name)?.kept_seconds)
    }

    /// A transaction begins, which makes all changes that the name needs, or some.
    pub(super) fn start(
        &mut self,
        name: HostName,
        clusters: Vec<ClusterId>,
        is_whole: bool,
        kept_seconds: u32,
    ) {
        self.writing += 1;
        for cluster in &clusters {
            *self.by_cluster.entry(cluster.clone()).or_default() += 1;
        }
        let restores = self.restores;
        let (written, shown, changed) = (None, None, None);
        let under_way = UnderWayName { clusters, restores, is_whole, kept_seconds, written, shown, changed };
        self.names.insert(name, under_way);
    }

    /// The store has shown a change of the name at this revision; gives whether it is under way, and has to wait.
    pub(super) fn shown(&mut self, name: &HostName, revision: i64) -> bool {
        let Some(under_way) = self.names.get_mut(name) else { return false };
        if under_way.shown.is_some_and(|shown| shown != revision) {
            // At most one of both is ours.
            under_way.changed = Some(Reason::Seen);
        }
        under_way.shown = Some(revision);
        true
    }

    /// The name may have to change again; gives whether it is under way, and has to wait.
    pub(super) fn mark(&mut self, name: &HostName, reason: Reason) -> bool {
        let Some(under_way) = self.names.get_mut(name) else { return false };
        under_way.changed = Some(under_way.changed.unwrap_or(reason).min(reason));
        true
    }

    /// The transaction was done at this revision; gives the name if that has been seen already.
    pub(super) fn written(&mut self, name: &HostName, revision: i64) -> Option<Free> {
        let under_way = self.names.get_mut(name)?;
        self.writing -= 1;
        under_way.written = Some(revision);
        if under_way.restores != self.restores {
            // Done in a store that is no more, or perhaps in this one: look again.
            under_way.changed = Some(Reason::Seen);
            return self.free(name);
        }
        if revision <= self.seen {
            // The watch was faster than the answer, and has shown it; or the store was restored, has come to this
            // revision a second time, and does not hold what was written.
            return self.free(name);
        }
        self.unseen.entry(revision).or_default().push(name.clone());
        None
    }

    /// The transaction was not done.
    pub(super) fn failed(&mut self, name: &HostName) -> Option<Free> {
        self.writing -= usize::from(self.names.contains_key(name));
        self.free(name)
    }

    /// The store has been seen as of this revision; gives the names that are free again.
    pub(super) fn seen(&mut self, revision: i64) -> Vec<Free> {
        self.seen = revision;
        let later = self.unseen.split_off(&(revision + 1));
        let names = std::mem::replace(&mut self.unseen, later).into_values().flatten();
        names.filter_map(|name| self.free(&name)).collect()
    }

    /// The store is another one than before, seen as of this revision.
    pub(super) fn restored(&mut self, revision: i64) -> Vec<Free> {
        self.restores += 1;
        self.seen = revision;
        let names = std::mem::take(&mut self.unseen).into_values().flatten();
        let free = names.filter_map(|name| self.free(&name));
        free.map(|free| Free { changed: free.changed.or(Some(Reason::Seen)), ..free }).collect()
    }

    fn free(&mut self, name: &HostName) -> Option<Free> {
        let (name, under_way) = self.names.remove_entry(name)?;
        let (changed, clusters) = (under_way.reason(), under_way.clusters);
        for cluster in &clusters {
            let Some(count) = self.by_cluster.get_mut(cluster) else { continue };
            *count -= 1;
            if *count == 0 {
                self.by_cluster.remove(cluster);
            }
        }
        Some(Free { name, clusters, changed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started() -> (UnderWay, HostName) {
        let (mut under_way, name) = (UnderWay::default(), "a.openmcp.cluster".parse::<HostName>().unwrap());
        under_way.start(name.clone(), vec![ClusterId::new("default", "w1")], true, 30);
        assert_eq!((under_way.writing(), under_way.len_of(&ClusterId::new("default", "w1"))), (1, 1));
        (under_way, name)
    }

    #[test]
    fn a_name_is_free_again_when_its_change_was_seen_before_or_after_the_answer() {
        for seen_first in [true, false] {
            let (mut under_way, name) = started();
            if seen_first {
                assert!(under_way.seen(1).is_empty());
                assert!(under_way.written(&name, 1).is_some());
            } else {
                assert_eq!(under_way.written(&name, 1), None);
                assert_eq!(under_way.seen(1).len(), 1);
            }
            assert_eq!((under_way.writing(), under_way.by_cluster.len()), (0, 0));
        }
    }

    #[test]
    fn a_name_is_looked_at_again_unless_the_store_shows_all_that_was_written_and_nothing_else() {
        let only = Some((None, [1].as_slice()));
        for (shown, changed) in [
            (only, None),
            (Some((None, &[])), Some(Reason::Seen)),
            (Some((None, &[2])), Some(Reason::Seen)),
            (Some((None, &[1, 2])), Some(Reason::Seen)),
            (Some((None, &[2, 1])), Some(Reason::Seen)),
            (Some((Some(Reason::Missing), &[1])), Some(Reason::Missing)),
            (None, Some(Reason::Seen)),
        ] {
            let (mut under_way, name) = started();
            if let Some((mark, revisions)) = shown {
                for revision in revisions {
                    assert!(under_way.shown(&name, *revision));
                }
                if let Some(reason) = mark {
                    under_way.mark(&name, reason);
                }
            } else {
                // More changes than one transaction takes.
                under_way.names.get_mut(&name).unwrap().is_whole = false;
                under_way.shown(&name, 1);
            }
            under_way.written(&name, 1);
            let free = under_way.seen(2).pop().unwrap();
            assert_eq!(free.changed, changed, "{shown:?}");
            assert!(!under_way.shown(&name, 3));
        }
    }

    #[test]
    fn a_name_that_changes_meanwhile_is_looked_at_again_and_a_seen_reason_stays_one() {
        let (mut under_way, name) = started();
        assert!(under_way.mark(&name, Reason::Seen) && under_way.mark(&name, Reason::Missing));
        assert_eq!(under_way.failed(&name).unwrap().changed, Some(Reason::Seen));
        assert!(!under_way.mark(&name, Reason::Seen));
    }

    #[test]
    fn what_was_written_to_a_store_that_is_no_more_waits_for_none_of_its_revisions() {
        let (mut under_way, name) = started();
        under_way.written(&name, 100);
        assert_eq!(under_way.restored(7).pop().unwrap().changed, Some(Reason::Seen));
        // And one whose answer comes after that.
        let (mut under_way, name) = started();
        assert!(under_way.restored(7).is_empty());
        assert_eq!(under_way.written(&name, 100).unwrap().changed, Some(Reason::Seen));
    }
}
