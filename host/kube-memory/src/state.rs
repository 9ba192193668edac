//! All that a server knows, and how it answers.

use std::collections::BTreeMap;

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::discovery;
use crate::kind::{Key, Kind};
use crate::metadata;
use crate::path::{self, Path, Place, Verb};
use crate::query::Query;
use crate::refusal::Refusal;
use crate::resource::{Resource, Validator};
use crate::watch::Watch;

/// How many changes of a kind are remembered for watches. One that is further behind has to list anew.
pub const HISTORY: usize = 4096;

/// The server as a value: it answers requests and knows no time, no tasks and no network.
pub(crate) struct State {
    /// Told apart from other servers by this; part of every identifier.
    pub(crate) name: String,
    /// The version of the last change; one counter for all kinds.
    pub(crate) revision: u64,
    /// Counts objects, for their identifiers.
    pub(crate) made: u64,
    /// Counts registrations of kinds.
    registrations: u64,
    /// Watches of an earlier epoch have been dropped.
    pub(crate) epoch: u64,
    /// By group and plural.
    pub(crate) kinds: BTreeMap<(String, String), Kind>,
    pub(crate) history: usize,
}

/// A request whose path and query have been understood.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) verb: Verb,
    pub(crate) path: Path,
    pub(crate) query: Query,
    /// Only metadata is wanted.
    pub(crate) partial: bool,
    pub(crate) content_type: String,
}

/// How a request is answered.
#[derive(Debug)]
pub(crate) enum Answer {
    Object { code: u16, body: Value },
    Watch(Watch),
}

impl Answer {
    pub(crate) const fn ok(body: Value) -> Self {
        Self::Object { code: 200, body }
    }
}

impl Call {
    pub(crate) fn parse(
        method: &Method,
        path: &str,
        query: &str,
        accept: &str,
        content_type: &str,
    ) -> Result<Self, Refusal> {
        let (path, query) = (Path::parse(path)?, Query::parse(query)?);
        Ok(Self {
            verb: path::verb(method, &path, query.watch)?,
            path,
            query,
            partial: accept.contains("as=PartialObjectMetadata"),
            content_type: content_type.split(';').next().unwrap_or_default().trim().to_owned(),
        })
    }

    /// The plural of the kind that it is about, with the subresource if there is one.
    pub(crate) fn subject(&self) -> String {
        match &self.path {
            Path::Objects(Place { plural, subresource: Some(subresource), .. }) => {
                format!("{plural}/{subresource}")
            }
            Path::Objects(Place { plural, .. }) => plural.clone(),
            _ => String::new(),
        }
    }
}

impl State {
    pub(crate) fn new(name: &str, history: usize) -> Self {
        Self {
            name: name.to_owned(),
            revision: 1,
            made: 0,
            registrations: 0,
            epoch: 0,
            kinds: BTreeMap::new(),
            history: history.max(1),
        }
    }

    /// Serves a kind from now on; one that is already served is begun anew, without objects.
    pub(crate) fn register(&mut self, resource: Resource, validator: Option<Validator>) {
        self.registrations += 1;
        self.revision += 1;
        let key = (resource.group.clone(), resource.plural.clone());
        self.kinds.insert(key, Kind::new(resource, validator, self.registrations, self.revision));
    }

    /// Does not serve a kind any more. Gives whether it was served.
    pub(crate) fn unregister(&mut self, group: &str, plural: &str) -> bool {
        self.kinds.remove(&(group.to_owned(), plural.to_owned())).is_some()
    }

    /// Forgets all history: what watches from a version that is known now has to list anew.
    pub(crate) fn expire_history(&mut self) {
        self.revision += 1;
        for kind in self.kinds.values_mut() {
            kind.expire(self.revision);
        }
    }

    pub(crate) fn answer(&mut self, call: &Call, body: &[u8], now: Timestamp) -> Result<Answer, Refusal> {
        let at = match &call.path {
            Path::Objects(at) => at,
            path => {
                return discovery::answer(path, self.kinds.values().map(|kind| &kind.resource))
                    .map(Answer::ok);
            }
        };
        self.check_place(call.verb, at)?;
        let answer = match call.verb {
            Verb::Get => Answer::ok(self.get(at)?),
            Verb::List => Answer::ok(self.list(at, call)?),
            Verb::Watch => Answer::Watch(self.watch(at, call)?),
            Verb::Create => Answer::Object { code: 201, body: self.create(at, call, body, now)? },
            Verb::Update => Answer::ok(self.update(at, call, body, now)?),
            Verb::Patch => {
                let (code, body) = self.patch(at, call, body, now)?;
                Answer::Object { code, body }
            }
            Verb::Delete => Answer::ok(self.delete(at, body, now)?),
            Verb::Discover => return Err(Refusal::method_not_allowed()),
        };
        match answer {
            Answer::Object { code, body } if call.partial && body["kind"] != "Status" => {
                Ok(Answer::Object { code, body: if call.verb == Verb::List { body } else { partial(&body) } })
            }
            answer => Ok(answer),
        }
    }

    /// Refuses what no kind serves in this way.
    fn check_place(&self, verb: Verb, at: &Place) -> Result<(), Refusal> {
        let resource = &self.kind(at)?.resource;
        match at.subresource.as_deref() {
            None => {}
            Some("status") if resource.has_status && verb != Verb::Delete => {}
            Some(_) => return Err(Refusal::no_such_page()),
        }
        match (resource.namespaced, &at.namespace) {
            (false, Some(_)) => Err(Refusal::no_such_page()),
            (true, None) if !matches!(verb, Verb::List | Verb::Watch) => Err(Refusal::method_not_allowed()),
            _ => Ok(()),
        }
    }

    pub(crate) fn kind(&self, at: &Place) -> Result<&Kind, Refusal> {
        self.kinds
            .get(&(at.group.clone(), at.plural.clone()))
            .filter(|kind| kind.resource.version == at.version)
            .ok_or_else(Refusal::no_such_page)
    }

    /// A kind by what objects of it say.
    pub(crate) fn kind_of(&self, api_version: &str, kind: &str) -> Option<&Kind> {
        self.kinds
            .values()
            .find(|served| served.resource.kind == kind && served.resource.api_version() == api_version)
    }

    fn get(&self, at: &Place) -> Result<Value, Refusal> {
        Ok(self.kind(at)?.found(&at.key())?.object())
    }

    pub(crate) fn namespace_exists(&self, name: &str) -> bool {
        let namespaces = self.kinds.get(&(String::new(), "namespaces".to_owned()));
        namespaces.is_none_or(|kind| kind.get(&(String::new(), name.to_owned())).is_some())
    }
}

impl Place {
    pub(crate) fn key(&self) -> Key {
        (self.namespace.clone().unwrap_or_default(), self.name.clone().unwrap_or_default())
    }

    /// The place of an object of a kind.
    pub(crate) fn of(resource: &Resource, object: &Value) -> Self {
        Self::named(resource, metadata::text(object, "namespace"), metadata::text(object, "name"))
    }

    pub(crate) fn named(resource: &Resource, namespace: &str, name: &str) -> Self {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Self {
            group: resource.group.clone(),
            version: resource.version.clone(),
            plural: resource.plural.clone(),
            namespace: text(namespace).filter(|_| resource.namespaced),
            name: text(name),
            subresource: None,
        }
    }
}

/// An object without anything but its metadata.
pub(crate) fn partial(object: &Value) -> Value {
    json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"],
    })
}
