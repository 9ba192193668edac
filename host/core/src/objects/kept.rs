//! Objects in a set, found by their namespace and name.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::ops::Deref;

use crate::cluster::SourceName;
use crate::kinds::{ObjectKey, Watched};

/// An object in a set. It has its name itself, and a place in the set, of which many are free, takes one word.
#[derive(Debug)]
pub(super) struct Kept(Box<Watched>);

impl Kept {
    pub(super) fn new(object: Watched) -> Self {
        Self(Box::new(object))
    }
}

impl Deref for Kept {
    type Target = Watched;

    fn deref(&self) -> &Watched {
        &self.0
    }
}

/// What has a namespace and a name, by which it is found.
pub(super) trait Named {
    fn names(&self) -> (&str, &str);
}

impl Named for Watched {
    fn names(&self) -> (&str, &str) {
        (&self.meta.namespace, &self.meta.name)
    }
}

impl Named for Kept {
    fn names(&self) -> (&str, &str) {
        self.0.names()
    }
}

impl Named for ObjectKey {
    fn names(&self) -> (&str, &str) {
        (&self.0, &self.1)
    }
}

impl Named for SourceName {
    fn names(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }
}

impl<'n> Borrow<dyn Named + 'n> for Kept {
    fn borrow(&self) -> &(dyn Named + 'n) {
        self
    }
}

macro_rules! ordered_by_names {
    ($named:ty) => {
        impl Ord for $named {
            fn cmp(&self, other: &Self) -> Ordering {
                self.names().cmp(&other.names())
            }
        }

        impl PartialOrd for $named {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl PartialEq for $named {
            fn eq(&self, other: &Self) -> bool {
                self.names() == other.names()
            }
        }

        impl Eq for $named {}
    };
}

ordered_by_names!(Kept);
ordered_by_names!(dyn Named + '_);
