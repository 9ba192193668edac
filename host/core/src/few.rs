//! Sets that nearly always have one member.

use std::ops::Deref;

/// A sorted set without room for more: a node of a `BTreeSet` has room for eleven, and there may be a million sets.
/// It is made anew when it changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Few<T>(Box<[T]>);

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    /// The members, in order.
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Ord> Few<T> {
    /// Adds a member, if it is not there yet.
    pub fn insert(&mut self, member: T) {
        if let Err(at) = self.0.binary_search(&member) {
            let mut members = std::mem::take(&mut self.0).into_vec();
            members.reserve_exact(1);
            members.insert(at, member);
            self.0 = members.into();
        }
    }

    /// Takes a member away, if it is there.
    pub fn remove(&mut self, member: &T) {
        if let Ok(at) = self.0.binary_search(member) {
            let mut members = std::mem::take(&mut self.0).into_vec();
            members.remove(at);
            self.0 = members.into();
        }
    }

    /// Whether this is a member.
    #[must_use]
    pub fn has(&self, member: &T) -> bool {
        self.0.binary_search(member).is_ok()
    }
}

impl<T: Ord> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(members: I) -> Self {
        let mut members: Vec<T> = members.into_iter().collect();
        members.sort_unstable();
        members.dedup();
        Self(members.into())
    }
}

impl<'f, T> IntoIterator for &'f Few<T> {
    type Item = &'f T;
    type IntoIter = std::slice::Iter<'f, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(changes in proptest::collection::vec((any::<bool>(), 0u8..6), 0..20)) {
            let (mut few, mut set) = (Few::default(), BTreeSet::new());
            for (is_added, member) in changes {
                if is_added {
                    few.insert(member);
                    set.insert(member);
                } else {
                    few.remove(&member);
                    set.remove(&member);
                }
                prop_assert!(few.iter().eq(&set));
                prop_assert_eq!(few.has(&member), set.contains(&member));
                prop_assert_eq!(&few, &set.iter().rev().copied().collect());
            }
        }
    }
}
