//! The life of namespaces: what the controller of namespaces does in a real cluster.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::kept::{Kept, Stored};
use crate::metadata;
use crate::path::Place;
use crate::refusal::Refusal;
use crate::state::State;

impl State {
    /// Refuses to make objects in a namespace that is not there, or is about to go.
    pub(crate) fn check_namespace(&self, name: &str, what: &str) -> Result<(), Refusal> {
        let Ok(kind) = self.kind(&place(name)) else { return Ok(()) };
        let Some(namespace) = kind.get(&place(name).key()) else {
            return Err(Refusal::new(404, "NotFound", format!("namespaces \"{name}\" not found")));
        };
        if metadata::is_deleted(&namespace.object()) {
            let why =
                format!("unable to create new content in namespace {name} because it is being terminated");
            return Err(Refusal::new(403, "Forbidden", format!("{what} is forbidden: {why}")));
        }
        Ok(())
    }

    /// Deletes all that is in a namespace. One whose objects wait for finalizers waits with them.
    pub(crate) fn delete_namespace(&mut self, at: &Place, old: Stored, now: Timestamp) -> Value {
        let name = at.name.clone().unwrap_or_default();
        let mut object = old.object;
        object["metadata"]["deletionTimestamp"] = json!(metadata::time(now));
        object["status"] = json!({ "phase": "Terminating" });
        let terminating = self.keep(at, at.key(), object, &old.managers);
        for inside in self.places_in(&name) {
            // It is there, and nothing is asked of it: nothing can be refused.
            let _ = self.delete(&inside, &[], now);
        }
        self.release_namespace(&name);
        terminating
    }

    /// Lets go of a namespace that waits for nothing any more.
    pub(crate) fn release_namespace(&mut self, name: &str) {
        let at = place(name);
        let namespace = self.kind(&at).ok().and_then(|kind| kind.get(&at.key()));
        let waits = namespace.map(Kept::object).is_some_and(|namespace| {
            metadata::is_deleted(&namespace) && metadata::finalizers(&namespace).is_empty()
        });
        if waits && self.places_in(name).is_empty() {
            self.drop_object(&at);
        }
    }

    fn places_in(&self, name: &str) -> Vec<Place> {
        let namespaced = self.kinds.values().filter(|kind| kind.resource.namespaced);
        let inside = namespaced.flat_map(|kind| kind.objects().map(move |(key, _)| (&kind.resource, key)));
        inside
            .filter(|(_, (namespace, _))| namespace == name)
            .map(|(resource, (namespace, name))| Place::named(resource, namespace, name))
            .collect()
    }
}

fn place(name: &str) -> Place {
    Place {
        version: "v1".to_owned(),
        plural: "namespaces".to_owned(),
        name: Some(name.to_owned()),
        ..Place::default()
    }
}
