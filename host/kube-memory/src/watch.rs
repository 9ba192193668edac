//! Watches: cursors into the history of a kind.
//!
//! A watch has no queue of its own. One that reads too slowly finds its place in the history gone,
//! and ends with 410 as a new one from there would.

use serde_json::{Value, json};

use crate::kept::Kept;
use crate::kind::{Key, Kind};
use crate::path::Place;
use crate::refusal::Refusal;
use crate::selector::Selector;
use crate::state::{Call, State, partial};

/// At most so many events are read at once, so that a long history is not written into one piece.
const AT_ONCE: usize = 256;

/// Where a watch stands.
#[derive(Debug)]
pub(crate) struct Watch {
    kind: (String, String),
    registration: u64,
    epoch: u64,
    revision: u64,
    namespace: Option<String>,
    selector: Selector,
    partial: bool,
    /// What was there when it began; told first.
    initial: Vec<Kept>,
    /// The end of what was there is to be told.
    end_of_initial: bool,
    bookmarks: bool,
    pub(crate) timeout_seconds: Option<u64>,
}

/// What a watch reads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Read {
    /// Events as lines.
    pub(crate) lines: String,
    /// Nothing comes any more.
    pub(crate) ended: bool,
}

impl State {
    pub(crate) fn watch(&self, at: &Place, call: &Call) -> Result<Watch, Refusal> {
        let kind = self.kind(at)?;
        let query = &call.query;
        let asked = query.resource_version.unwrap_or(0);
        if asked > self.revision {
            return Err(Refusal::too_large(asked, self.revision));
        }
        let mut watch = Watch {
            kind: (at.group.clone(), at.plural.clone()),
            registration: kind.registration,
            epoch: self.epoch,
            revision: asked,
            namespace: at.namespace.clone(),
            selector: query.selector.clone(),
            partial: call.partial,
            initial: Vec::new(),
            end_of_initial: query.initial,
            bookmarks: query.bookmarks,
            timeout_seconds: query.timeout_seconds,
        };
        if asked == 0 || query.initial {
            watch.revision = self.revision;
            let there = kind.objects().filter(|(key, object)| watch.matches(key, object));
            // The last comes first, for it is taken from the end.
            watch.initial = there.map(|(_, object)| object.clone()).collect();
            watch.initial.reverse();
        }
        Ok(watch)
    }

    /// What a watch has not read yet.
    pub(crate) fn read(&self, watch: &mut Watch) -> Read {
        let kind = self.kinds.get(&watch.kind).filter(|kind| kind.registration == watch.registration);
        let Some(kind) = kind.filter(|_| watch.epoch == self.epoch) else {
            return Read { lines: String::new(), ended: true };
        };
        let mut lines = String::new();
        for _ in 0..AT_ONCE {
            let Some(object) = watch.initial.pop() else { break };
            watch.write(&mut lines, "ADDED", &object);
        }
        if !watch.initial.is_empty() {
            return Read { lines, ended: false };
        }
        if std::mem::take(&mut watch.end_of_initial) {
            let annotations = json!({ "k8s.io/initial-events-end": "true" });
            lines.push_str(&watch.bookmark(kind, Some(annotations)));
        }
        match kind.since(watch.revision) {
            Err(refusal) => {
                line(&mut lines, "ERROR", &refusal.to_status().to_string());
                Read { lines, ended: true }
            }
            Ok(changes) => {
                for change in changes.take(AT_ONCE) {
                    watch.revision = change.revision;
                    let matches = |object: &&Kept| watch.matches(&change.key, object);
                    match (change.before.as_ref().filter(matches), change.after.as_ref().filter(matches)) {
                        (None, None) => {}
                        (None, Some(after)) => watch.write(&mut lines, "ADDED", after),
                        (Some(_), Some(after)) => watch.write(&mut lines, "MODIFIED", after),
                        (Some(before), None) => {
                            let mut before = before.object();
                            before["metadata"]["resourceVersion"] = json!(change.revision.to_string());
                            watch.write(&mut lines, "DELETED", &Kept::new(&before));
                        }
                    }
                }
                Read { lines, ended: false }
            }
        }
    }

    /// How far a watch has read, for one that wants to be told.
    pub(crate) fn bookmark(&self, watch: &Watch) -> Option<String> {
        let kind = self.kinds.get(&watch.kind).filter(|_| watch.bookmarks && watch.initial.is_empty())?;
        Some(watch.bookmark(kind, None))
    }
}

impl Watch {
    fn matches(&self, key: &Key, object: &Kept) -> bool {
        self.namespace.as_ref().is_none_or(|wanted| key.0 == *wanted) && self.selector.matches(key, object)
    }

    fn write(&self, lines: &mut String, event: &str, object: &Kept) {
        if self.partial {
            line(lines, event, &partial(&object.object()).to_string());
        } else {
            line(lines, event, object.text());
        }
    }

    fn bookmark(&self, kind: &Kind, annotations: Option<Value>) -> String {
        let mut object = json!({
            "apiVersion": kind.resource.api_version(), "kind": kind.resource.kind,
            "metadata": { "resourceVersion": self.revision.to_string() },
        });
        if let Some(annotations) = annotations {
            object["metadata"]["annotations"] = annotations;
        }
        let mut text = String::new();
        line(&mut text, "BOOKMARK", &object.to_string());
        text
    }
}

/// `type` stands first: who reads it knows what the object is before it comes.
fn line(lines: &mut String, event: &str, object: &str) {
    lines.push_str(&format!("{{\"type\":\"{event}\",\"object\":{object}}}\n"));
}
