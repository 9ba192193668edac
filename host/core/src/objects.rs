//! The watched objects of one cluster, and which of them depend on which.

mod kept;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, Deref};

use crate::cluster::SourceRef;
use crate::details::Detail;
use crate::kinds::{
    Attachment, Kind, Lookup, ObjectDetails, ObjectKey, OwnEntries, ParentClaims, Role, SourceRules, Watched,
};
use crate::labels::Labels;
use crate::resolve::Resolution;
use kept::{Kept, Named};

/// What a watch reports.
#[derive(Clone, Debug)]
pub enum Change {
    /// The object is there, new or changed.
    Set(Watched),
    /// The object is gone.
    Removed(Kind, ObjectKey),
    /// These are all objects of a kind: the first list of a watch, or a new one after an interruption.
    Replaced(Kind, Vec<Watched>),
    /// What is watched in the cluster is none of our business any more: it is forgotten.
    Forgotten,
}

/// The watched objects of one cluster.
#[derive(Debug, Default)]
pub struct Objects {
    by_kind: BTreeMap<Kind, BTreeSet<Kept>>,
    /// Which objects name an object as their parent, or are parts of it, whether it exists or not.
    by_parent: BTreeMap<(Kind, ObjectKey), BTreeSet<SourceRef>>,
}

impl Objects {
    /// Takes in a change and says which objects' claims it may affect.
    pub fn apply(&mut self, change: Change) -> BTreeSet<SourceRef> {
        let mut affected = BTreeSet::new();
        match change {
            Change::Set(object) => self.set(object, &mut affected),
            Change::Removed(kind, key) => self.remove(kind, &key, &mut affected),
            Change::Replaced(kind, objects) => {
                let present: BTreeSet<ObjectKey> = objects.iter().map(Watched::key).collect();
                let known = self.of_kind(kind).map(Watched::key);
                let gone: Vec<ObjectKey> = known.filter(|key| !present.contains(key)).collect();
                for key in gone {
                    self.remove(kind, &key, &mut affected);
                }
                for object in objects {
                    self.set(object, &mut affected);
                }
            }
            Change::Forgotten => {
                // A source is gone before what it depends on, so that it is not said to be without it.
                affected.extend(self.sources().into_iter().filter(|source| source.kind.is_watched()));
                for kind in Kind::watched() {
                    self.by_kind.remove(&kind);
                }
                self.by_parent.clear();
            }
        }
        affected
    }

    /// What a source asks for; `None` when it does not exist (any more).
    #[must_use]
    pub fn resolve(&self, source: &SourceRef, rules: &SourceRules) -> Option<Resolution> {
        self.get(source)?.resolve(self, rules)
    }

    /// Whether rules, or an annotation of its own, leave a source out.
    #[must_use]
    pub fn is_left_out(&self, source: &SourceRef, rules: &SourceRules) -> bool {
        self.get(source).is_some_and(|object| object.is_left_out(rules))
    }

    /// How a source stands to the listeners that it wants to attach to.
    #[must_use]
    pub fn attachments(&self, source: &SourceRef, rules: &SourceRules) -> Vec<Attachment> {
        self.get(source).map(|object| object.attachments(self, rules)).unwrap_or_default()
    }

    /// Labels of a source.
    #[must_use]
    pub fn labels(&self, source: &SourceRef) -> Option<&Labels> {
        Some(&self.get(source)?.meta.labels)
    }

    /// An annotation of a source.
    #[must_use]
    pub fn annotation(&self, source: &SourceRef, key: &str) -> Option<&str> {
        self.get(source)?.meta.annotations.get(key)
    }

    /// What a module that asks for this is told of a source.
    #[must_use]
    pub fn details<'o>(
        &'o self,
        source: &SourceRef,
        rules: &'o SourceRules,
        wanted: &[Detail],
    ) -> Option<ObjectDetails<'o>> {
        if wanted.is_empty() {
            return None;
        }
        Some(self.get(source)?.details(self, rules, wanted))
    }

    /// Unique identifier of a source, for Events on it.
    #[must_use]
    pub fn uid(&self, source: &SourceRef) -> Option<&str> {
        Some(&self.get(source)?.meta.uid)
    }

    /// What a source claims through each of its parents.
    #[must_use]
    pub fn parent_claims(&self, source: &SourceRef, rules: &SourceRules) -> Vec<ParentClaims> {
        self.get(source).map(|object| object.parent_claims(self, rules)).unwrap_or_default()
    }

    /// What stands in the status of a source of ours.
    #[must_use]
    pub fn own_entries(&self, source: &SourceRef) -> OwnEntries {
        self.get(source).map(Watched::own_entries).unwrap_or_default()
    }

    /// How often the spec of a source has changed.
    #[must_use]
    pub fn generation(&self, source: &SourceRef) -> Option<i64> {
        Some(self.get(source)?.meta.generation)
    }

    /// The routes in whose status something else of ours stands after this change.
    #[must_use]
    pub fn with_other_entries(&self, change: &Change) -> Vec<SourceRef> {
        let objects = match change {
            Change::Set(object) => std::slice::from_ref(object),
            Change::Replaced(_, objects) => objects,
            Change::Removed(..) | Change::Forgotten => &[],
        };
        let known =
            |object: &Watched| self.find(object.kind, object).map(Watched::own_entries).unwrap_or_default();
        let routes = objects.iter().filter(|object| object.kind.is_route());
        routes.filter(|object| known(object) != object.own_entries()).map(source).collect()
    }

    /// All objects that can claim host names.
    #[must_use]
    pub fn sources(&self) -> Vec<SourceRef> {
        let of = |kind| self.of_kind(kind).map(source);
        Kind::sources().flat_map(of).collect()
    }

    fn get(&self, source: &SourceRef) -> Option<&Watched> {
        self.find(source.kind, &**source)
    }

    fn find(&self, kind: Kind, named: &dyn Named) -> Option<&Watched> {
        self.by_kind.get(&kind)?.get(named).map(Deref::deref)
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Watched> {
        self.by_kind.get(&kind).into_iter().flatten().map(|kept| &**kept)
    }

    fn set(&mut self, object: Watched, affected: &mut BTreeSet<SourceRef>) {
        let (kind, key, parents) = (object.kind, object.key(), object.parents());
        if object.says_nothing() {
            return self.remove(kind, &key, affected);
        }
        let old = self.find(kind, &key);
        let changed = old.is_none_or(|old| old.differs(&object));
        let old_parents = old.map(Watched::parents).unwrap_or_default();
        let source = source(&object);
        self.unlink(&source, old_parents.difference(&parents));
        for parent in &parents {
            self.by_parent.entry(parent.clone()).or_default().insert(source.clone());
        }
        self.by_kind.entry(kind).or_default().replace(Kept::new(object));
        if changed {
            self.affect(kind, &key, old_parents.union(&parents), affected);
        }
    }

    fn remove(&mut self, kind: Kind, key: &ObjectKey, affected: &mut BTreeSet<SourceRef>) {
        if let Some(old) = self.by_kind.get_mut(&kind).and_then(|objects| objects.take(key as &dyn Named)) {
            let parents = old.parents();
            self.unlink(&source(&old), &parents);
            self.affect(kind, key, &parents, affected);
        }
    }

    /// An object has changed: so may what is asked for by itself, by those it is the parent of or a part of, or
    /// by those in its namespace. `parents` are those that it has, or had.
    fn affect<'p>(
        &self,
        kind: Kind,
        key: &ObjectKey,
        parents: impl IntoIterator<Item = &'p (Kind, ObjectKey)>,
        affected: &mut BTreeSet<SourceRef>,
    ) {
        match kind.role() {
            Role::Source | Role::Parent => {
                self.affect_below(SourceRef::new(kind, key.0.as_str(), key.1.as_str()), affected);
            }
            Role::Part => {
                let whole = parents.into_iter();
                affected
                    .extend(whole.map(|(kind, key)| SourceRef::new(*kind, key.0.as_str(), key.1.as_str())));
            }
            Role::Namespace => {
                let (_, namespace) = key;
                let from = (namespace.clone(), String::new());
                let from: (Bound<&dyn Named>, Bound<&dyn Named>) = (Bound::Included(&from), Bound::Unbounded);
                for dependent in Kind::sources().filter(|source| source.needs().any(|need| need == kind)) {
                    let objects = self.by_kind.get(&dependent).into_iter();
                    let inside = objects.flat_map(|objects| objects.range::<dyn Named, _>(from));
                    let inside = inside.take_while(|kept| *kept.meta.namespace == **namespace);
                    for kept in inside {
                        self.affect_below(source(kept), affected);
                    }
                }
            }
        }
    }

    /// What an object asks for may have changed, and what those ask for that it is the parent of. A Gateway is the
    /// parent of ListenerSets, and these of routes.
    fn affect_below(&self, source: SourceRef, affected: &mut BTreeSet<SourceRef>) {
        if source.kind.role() == Role::Parent {
            let key = (source.namespace.to_string(), source.name.to_string());
            for child in self.by_parent.get(&(source.kind, key)).into_iter().flatten() {
                self.affect_below(child.clone(), affected);
            }
        }
        affected.insert(source);
    }

    fn unlink<'a>(&mut self, source: &SourceRef, parents: impl IntoIterator<Item = &'a (Kind, ObjectKey)>) {
        for parent in parents {
            if let Some(sources) = self.by_parent.get_mut(parent) {
                sources.remove(source);
                if sources.is_empty() {
                    self.by_parent.remove(parent);
                }
            }
        }
    }
}

impl Lookup for Objects {
    fn object(&self, kind: Kind, key: &ObjectKey) -> Option<&Watched> {
        self.find(kind, key)
    }

    fn parts(&self, kind: Kind, key: &ObjectKey) -> impl Iterator<Item = &Watched> {
        let parts = self.by_parent.get(&(kind, key.clone())).into_iter().flatten();
        parts.filter_map(|part| self.get(part))
    }
}

fn source(object: &Watched) -> SourceRef {
    SourceRef::new(object.kind, &*object.meta.namespace, &*object.meta.name)
}
