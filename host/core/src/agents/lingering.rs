//! What an agent has just deleted, and may write anew in a moment.
//!
//! Where a name has addresses of both families, external-dns deletes one of them and writes it anew with every
//! synchronisation, and a changed address it deletes before it writes the new one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::name::HostName;

/// For how long a deleted target stays wanted. external-dns writes all of a name in one go, so that this is plenty.
pub const LINGER: Duration = Duration::from_secs(2);

/// Targets that stay wanted for a moment.
#[derive(Debug, Default)]
pub struct Lingering {
    targets: BTreeMap<HostName, BTreeMap<String, Instant>>,
    by_time: BTreeSet<(Instant, HostName)>,
}

impl Lingering {
    /// A target was deleted.
    pub fn deleted(&mut self, name: HostName, target: String, now: Instant) {
        let until = now + LINGER;
        self.by_time.insert((until, name.clone()));
        self.targets.entry(name).or_default().insert(target, until);
    }

    /// The targets of a name that are still wanted.
    pub fn at(&self, name: &HostName) -> impl Iterator<Item = &String> {
        self.targets.get(name).into_iter().flat_map(BTreeMap::keys)
    }

    /// Names with targets that have lingered for long enough; they do not any more.
    pub fn take_due(&mut self, now: Instant) -> BTreeSet<HostName> {
        let mut due = BTreeSet::new();
        while let Some((at, _)) = self.by_time.first()
            && *at <= now
            && let Some((_, name)) = self.by_time.pop_first()
        {
            if let Some(targets) = self.targets.get_mut(&name) {
                targets.retain(|_, until| *until > now);
                if targets.is_empty() {
                    self.targets.remove(&name);
                }
            }
            due.insert(name);
        }
        due
    }

    /// When the next one has lingered for long enough.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_target_stays_for_a_moment_and_a_later_deletion_counts_anew() {
        let (mut lingering, start) = (Lingering::default(), Instant::now());
        let name: HostName = "web.w1.example".parse().unwrap();
        let at = |lingering: &Lingering| lingering.at(&name).cloned().collect::<Vec<_>>();
        lingering.deleted(name.clone(), "10.0.0.1".to_owned(), start);
        lingering.deleted(name.clone(), "fd00::1".to_owned(), start + LINGER / 2);
        assert_eq!(lingering.due(), Some(start + LINGER));
        assert_eq!(at(&lingering), ["10.0.0.1", "fd00::1"]);
        assert_eq!(lingering.take_due(start + LINGER), BTreeSet::from([name.clone()]));
        assert_eq!(at(&lingering), ["fd00::1"]);
        lingering.deleted(name.clone(), "fd00::1".to_owned(), start + LINGER);
        let _ = lingering.take_due(start + LINGER * 3 / 2);
        assert_eq!(at(&lingering), ["fd00::1"], "it was deleted again");
        let _ = lingering.take_due(start + LINGER * 2);
        assert_eq!((at(&lingering).len(), lingering.due()), (0, None));
    }
}
