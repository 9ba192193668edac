//! Lists, in pages if somebody wants that.

use serde_json::{Value, json};

use crate::path::Place;
use crate::refusal::Refusal;
use crate::state::{Call, State, partial};

impl State {
    pub(crate) fn list(&self, at: &Place, call: &Call) -> Result<Value, Refusal> {
        let kind = self.kind(at)?;
        let query = &call.query;
        if let Some(asked) = query.resource_version.filter(|asked| *asked > self.revision) {
            return Err(Refusal::too_large(asked, self.revision));
        }
        let exactly = query.resource_version.filter(|_| query.exactly);
        // Every page shows the objects as they were when the first was asked for.
        let (revision, after) = match query.continued.as_str() {
            "" => (exactly.unwrap_or(self.revision), None),
            token => token_of(token).map(|(revision, after)| (revision.min(self.revision), Some(after)))?,
        };
        let objects = kind.at(revision, after.as_ref())?;
        let mut in_scope = objects
            .into_iter()
            .filter(|(key, _)| at.namespace.as_ref().is_none_or(|namespace| key.0 == *namespace));
        let limit = if query.limit == 0 { usize::MAX } else { query.limit };
        let page: Vec<_> = in_scope
            .by_ref()
            .filter(|(key, object)| query.selector.matches(key, object))
            .take(limit)
            .collect();
        // As a real server: whether a selector fits what is left is found out by asking for it.
        let rest = in_scope.count();
        let items: Vec<Value> = page
            .iter()
            .map(|(_, object)| {
                let mut item = object.object();
                if call.partial {
                    return partial(&item);
                }
                // Lists of built-in kinds say the kind once for all.
                if !kind.resource.custom
                    && let Some(item) = item.as_object_mut()
                {
                    item.remove("apiVersion");
                    item.remove("kind");
                }
                item
            })
            .collect();
        let mut metadata = json!({ "resourceVersion": revision.to_string() });
        if let Some((key, _)) = page.last().filter(|_| rest > 0) {
            metadata["continue"] = json!(format!("{revision}:{}/{}", key.0, key.1));
            if query.selector.is_empty() {
                metadata["remainingItemCount"] = json!(rest);
            }
        }
        let (api_version, name) = if call.partial {
            ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadata")
        } else {
            (kind.resource.api_version(), kind.resource.kind.as_str())
        };
        Ok(
            json!({ "kind": format!("{name}List"), "apiVersion": api_version, "metadata": metadata, "items": items }),
        )
    }
}

/// The revision of the first page, and the key of the last object of the page before.
fn token_of(token: &str) -> Result<(u64, (String, String)), Refusal> {
    let parse = || {
        let (revision, key) = token.split_once(':')?;
        let (namespace, name) = key.split_once('/')?;
        Some((revision.parse().ok()?, (namespace.to_owned(), name.to_owned())))
    };
    parse().ok_or_else(|| Refusal::bad_request("continue key is not valid"))
}
