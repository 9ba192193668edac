//! Create, update, patch and delete.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::fields::FieldSet;
use crate::kept::{Kept, Stored};
use crate::kind::{Key, Kind};
use crate::managers::{self, Manager, Writer};
use crate::metadata;
use crate::patch;
use crate::path::Place;
use crate::refusal::Refusal;
use crate::resource::Resource;
use crate::state::{Call, State};

const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// Who writes if the client does not say.
const UNKNOWN_MANAGER: &str = "unknown";

/// An object on its way into the store.
struct Candidate {
    object: Value,
    status: bool,
    /// Where nobody says which version is meant, the last one is.
    needs_version: bool,
    /// A precondition on the identifier fails with this code.
    wrong_uid: fn(&Resource, &str, &str, &str) -> Refusal,
}

impl State {
    pub(crate) fn create(
        &mut self,
        at: &Place,
        call: &Call,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        let mut object = metadata::decode(body)?;
        metadata::tidy(&mut object);
        let resource = self.kind(at)?.resource.clone();
        metadata::place(&resource, at, &mut object)?;
        if !metadata::text(&object, "resourceVersion").is_empty() {
            // Real servers have no better code for it.
            let message = "resourceVersion should not be set on objects to be created";
            return Err(Refusal::new(500, "", message));
        }
        if resource.has_status
            && let Some(object) = object.as_object_mut()
        {
            object.remove("status");
        }
        let entry = entry(&resource, call, false, at, now);
        self.insert(&resource, object, now, |object| managers::after_update(&[], &json!({}), object, entry))
    }

    /// Keeps a new object.
    pub(crate) fn insert(
        &mut self,
        resource: &Resource,
        mut object: Value,
        now: Timestamp,
        managers: impl FnOnce(&Value) -> Vec<Manager>,
    ) -> Result<Value, Refusal> {
        let uid = metadata::uid(&self.name, self.made);
        let prefix = metadata::text(&object, "generateName");
        if metadata::text(&object, "name").is_empty() && !prefix.is_empty() {
            object["metadata"]["name"] = json!(format!("{prefix}{}", metadata::suffix(&uid)));
        }
        let at = Place::of(resource, &object);
        let key = at.key();
        metadata::check_name(resource, &key.1)?;
        if resource.namespaced {
            self.check_namespace(&key.0, &format!("{} {:?}", resource.qualified(), key.1))?;
        }
        let kind = self.kind(&at)?;
        if kind.get(&key).is_some() {
            return Err(Refusal::already_exists(resource, &key.1));
        }
        metadata::make_new(resource, &mut object, &uid, now);
        metadata::set_defaults(resource, &mut object);
        validate(kind, &object)?;
        self.made += 1;
        let managers = managers(&object);
        Ok(self.keep(&at, key, object, &managers))
    }

    pub(crate) fn update(
        &mut self,
        at: &Place,
        call: &Call,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        let kind = self.kind(at)?;
        let resource = kind.resource.clone();
        let mut object = metadata::decode(body)?;
        metadata::tidy(&mut object);
        metadata::place(&resource, at, &mut object)?;
        let old = kind.found(&at.key())?.stored();
        let candidate = Candidate {
            object,
            status: at.subresource.is_some(),
            needs_version: resource.custom,
            wrong_uid: |resource, name, given, there| {
                let why =
                    format!("Precondition failed: UID in precondition: {given}, UID in object meta: {there}");
                Refusal::conflict(resource, name, &why)
            },
        };
        let new = settle(kind, &old, candidate)?;
        let managers =
            managers::after_update(&old.managers, &old.object, &new, entry(&resource, call, false, at, now));
        Ok(self.replace(at, &old, new, &managers))
    }

    /// Gives the status code as well: applying may create.
    pub(crate) fn patch(
        &mut self,
        at: &Place,
        call: &Call,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(u16, Value), Refusal> {
        match call.content_type.as_str() {
            MERGE => self.merge(at, call, body, now).map(|object| (200, object)),
            APPLY => self.apply(at, call, body, now),
            other => Err(Refusal::unsupported_media_type(other)),
        }
    }

    fn merge(&mut self, at: &Place, call: &Call, body: &[u8], now: Timestamp) -> Result<Value, Refusal> {
        let patch = metadata::decode(body)?;
        let kind = self.kind(at)?;
        let resource = kind.resource.clone();
        let old = kind.found(&at.key())?.stored();
        let mut object = old.object.clone();
        patch::merge(&mut object, &patch);
        metadata::tidy(&mut object);
        metadata::place(&resource, at, &mut object)?;
        let new = settle(kind, &old, Candidate::patched(object, at))?;
        let managers =
            managers::after_update(&old.managers, &old.object, &new, entry(&resource, call, false, at, now));
        Ok(self.replace(at, &old, new, &managers))
    }

    fn apply(
        &mut self,
        at: &Place,
        call: &Call,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(u16, Value), Refusal> {
        let mut configuration = metadata::decode(body)?;
        metadata::tidy(&mut configuration);
        let kind = self.kind(at)?;
        let resource = kind.resource.clone();
        let name = at.name.as_deref().unwrap_or_default();
        if call.query.field_manager.is_empty() {
            let why = "fieldManager: Required value: is required for apply patch";
            return Err(Refusal::new(
                422,
                "Invalid",
                format!("PatchOptions.meta.k8s.io \"\" is invalid: {why}"),
            ));
        }
        for field in ["apiVersion", "kind"] {
            if configuration[field].as_str().is_none_or(str::is_empty) {
                return Err(Refusal::bad_request(format!("invalid object: {field} is not set")));
            }
        }
        if !configuration["metadata"]["managedFields"].is_null() {
            return Err(Refusal::bad_request("metadata.managedFields must be nil"));
        }
        metadata::place(&resource, at, &mut configuration)?;
        let status = at.subresource.is_some();
        let owned = metadata::restrict(&resource, status, &Value::Null, configuration.clone());
        let entry = entry(&resource, call, true, at, now);
        let Some(old) = kind.get(&at.key()).map(Kept::stored) else {
            let uid = metadata::text(&configuration, "uid");
            if status {
                return Err(Refusal::not_found(&resource, name));
            }
            if !uid.is_empty() {
                let why = format!(
                    "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                );
                return Err(Refusal::conflict(&resource, name, &why));
            }
            let (object, managers) = patch::apply(&json!({}), &[], &owned, entry, true)?;
            return Ok((201, self.insert(&resource, object, now, |_| managers)?));
        };
        let (mut object, managers) =
            patch::apply(&old.object, &old.managers, &owned, entry, call.query.force)?;
        for field in ["uid", "resourceVersion"] {
            if let Some(given) = configuration["metadata"].get(field) {
                object["metadata"][field] = given.clone();
            }
        }
        metadata::tidy(&mut object);
        let new = settle(kind, &old, Candidate::patched(object, at))?;
        Ok((200, self.replace(at, &old, new, &managers)))
    }

    pub(crate) fn delete(&mut self, at: &Place, body: &[u8], now: Timestamp) -> Result<Value, Refusal> {
        let options = if body.is_empty() { json!({}) } else { metadata::decode(body)? };
        let kind = self.kind(at)?;
        let resource = kind.resource.clone();
        let old = kind.found(&at.key())?.stored();
        let name = at.name.as_deref().unwrap_or_default();
        for (field, shown) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
            let there = metadata::text(&old.object, field);
            match options["preconditions"][field].as_str() {
                Some(wanted) if wanted != there => {
                    let why = format!(
                        "the {shown} in the precondition ({wanted}) does not match the {shown} in record ({there}). \
                         The object might have been deleted and then recreated"
                    );
                    return Err(Refusal::conflict(&resource, name, &why));
                }
                _ => {}
            }
        }
        if metadata::is_deleted(&old.object) {
            return Ok(old.object);
        }
        if resource.is_namespace() {
            return Ok(self.delete_namespace(at, old, now));
        }
        if metadata::finalizers(&old.object).is_empty() {
            self.drop_object(at);
            return Ok(json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                "details": {
                    "name": name, "group": resource.group, "kind": resource.plural,
                    "uid": metadata::text(&old.object, "uid"),
                },
            }));
        }
        let mut object = old.object;
        object["metadata"]["deletionTimestamp"] = json!(metadata::time(now));
        object["metadata"]["deletionGracePeriodSeconds"] = json!(0);
        if let Some(generation) = object["metadata"]["generation"].as_u64() {
            object["metadata"]["generation"] = json!(generation + 1);
        }
        Ok(self.keep(at, at.key(), object, &old.managers))
    }

    /// Keeps what has changed; an object that waits for its last finalizer goes with it.
    pub(crate) fn replace(&mut self, at: &Place, old: &Stored, new: Value, managers: &[Manager]) -> Value {
        if metadata::is_deleted(&new) && metadata::finalizers(&new).is_empty() {
            match &at.name {
                // A namespace waits for what is in it, too.
                Some(name) if at.is_namespace() => {
                    self.keep(at, at.key(), new.clone(), managers);
                    self.release_namespace(name);
                }
                _ => self.drop_object(at),
            }
            return new;
        }
        if old.object == new && managers::same(&old.managers, managers) {
            return new;
        }
        self.keep(at, at.key(), new, managers)
    }

    pub(crate) fn keep(&mut self, at: &Place, key: Key, mut object: Value, managers: &[Manager]) -> Value {
        object["metadata"]["managedFields"] = managers::to_managed_fields(managers);
        self.commit(at, key, Some(&mut object));
        object
    }

    /// Removes an object, whatever finalizers it has.
    pub(crate) fn drop_object(&mut self, at: &Place) {
        self.commit(at, at.key(), None);
        if let Some(namespace) = &at.namespace {
            self.release_namespace(namespace);
        }
    }

    /// Sets or removes an object; an object gets the revision as its version.
    fn commit(&mut self, at: &Place, key: Key, after: Option<&mut Value>) {
        if let Some(kind) = self.kinds.get_mut(&(at.group.clone(), at.plural.clone())) {
            self.revision += 1;
            let after = after.map(|object| {
                object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
                Kept::new(object)
            });
            kind.commit(self.revision, key, after, self.history);
        }
    }
}

impl Candidate {
    fn patched(object: Value, at: &Place) -> Self {
        Self {
            object,
            status: at.subresource.is_some(),
            needs_version: false,
            wrong_uid: |resource, name, given, _| {
                let why = format!("metadata.uid: Invalid value: {given:?}: field is immutable");
                Refusal::invalid(resource, name, &why)
            },
        }
    }
}

/// Who writes, with no fields yet.
fn entry(resource: &Resource, call: &Call, applies: bool, at: &Place, now: Timestamp) -> Manager {
    let name = Some(call.query.field_manager.clone()).filter(|name| !name.is_empty());
    Manager {
        writer: Writer {
            name: name.unwrap_or_else(|| UNKNOWN_MANAGER.to_owned()),
            applies,
            subresource: at.subresource.clone(),
        },
        api_version: resource.api_version(),
        time: metadata::time(now),
        fields: FieldSet::new(),
    }
}

/// Holds a change against the rules, and gives what is to be kept.
fn settle(kind: &Kind, old: &Stored, candidate: Candidate) -> Result<Value, Refusal> {
    let Candidate { object, status, needs_version, wrong_uid } = candidate;
    let resource = &kind.resource;
    let name = metadata::text(&old.object, "name");
    let (uid, there) = (metadata::text(&object, "uid"), metadata::text(&old.object, "uid"));
    if !uid.is_empty() && uid != there {
        return Err(wrong_uid(resource, name, uid, there));
    }
    let version = metadata::text(&object, "resourceVersion");
    if version.is_empty() && needs_version {
        let why = "metadata.resourceVersion: Invalid value: 0: must be specified for an update";
        return Err(Refusal::invalid(resource, name, why));
    }
    if !version.is_empty() && version != metadata::text(&old.object, "resourceVersion") {
        return Err(Refusal::changed_since(resource, name));
    }
    let mut new = metadata::restrict(resource, status, &old.object, object);
    metadata::keep_server_fields(&old.object, &mut new);
    metadata::set_defaults(resource, &mut new);
    if metadata::is_deleted(&old.object) {
        let before = metadata::finalizers(&old.object);
        let added: Vec<&str> =
            metadata::finalizers(&new).into_iter().filter(|finalizer| !before.contains(finalizer)).collect();
        if !added.is_empty() {
            let why = format!(
                "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, \
                 found new finalizers {added:?}"
            );
            return Err(Refusal::invalid(resource, name, &why));
        }
    }
    metadata::count_generation(resource, &old.object, &mut new);
    validate(kind, &new)?;
    Ok(new)
}

fn validate(kind: &Kind, object: &Value) -> Result<(), Refusal> {
    let Some(validator) = &kind.validator else { return Ok(()) };
    let name = metadata::text(object, "name");
    validator(object).map_err(|why| Refusal::invalid(&kind.resource, name, &why))
}

impl State {
    /// Creates or replaces an object whole, for whoever stands outside.
    pub(crate) fn put(
        &mut self,
        resource: &Resource,
        at: &Place,
        object: Value,
        now: Timestamp,
        managers: impl FnOnce(&[Manager], &Value, &Value) -> Vec<Manager>,
    ) -> Result<Value, Refusal> {
        let kind = self.kind(at)?;
        let Some(old) = kind.get(&at.key()).map(Kept::stored) else {
            return self.insert(resource, object, now, |object| managers(&[], &json!({}), object));
        };
        let mut new = object;
        metadata::keep_server_fields(&old.object, &mut new);
        metadata::set_defaults(resource, &mut new);
        metadata::count_generation(resource, &old.object, &mut new);
        validate(kind, &new)?;
        let managers = managers(&old.managers, &old.object, &new);
        Ok(self.replace(at, &old, new, &managers))
    }
}
