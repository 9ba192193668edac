//! Refusals, as a metav1 `Status` says them.

use serde_json::{Value, json};
use thiserror::Error;

use crate::resource::Resource;

/// Why a request is refused, in the words of a real API server.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Refusal {
    /// HTTP status code.
    pub code: u16,
    /// Reason as programs read it, for example `NotFound`.
    pub reason: &'static str,
    /// For a person.
    pub message: String,
    details: Value,
}

impl Refusal {
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: Value::Null }
    }

    fn about(mut self, resource: &Resource, name: &str) -> Self {
        self.details = json!({ "name": name, "group": resource.group, "kind": resource.plural });
        self
    }

    /// Nothing is served under this path.
    pub(crate) fn no_such_page() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource")
    }

    pub(crate) fn not_found(resource: &Resource, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", resource.qualified());
        Self::new(404, "NotFound", message).about(resource, name)
    }

    pub(crate) fn already_exists(resource: &Resource, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", resource.qualified());
        Self::new(409, "AlreadyExists", message).about(resource, name)
    }

    pub(crate) fn conflict(resource: &Resource, name: &str, why: &str) -> Self {
        let what = resource.qualified();
        let message = format!("Operation cannot be fulfilled on {what} \"{name}\": {why}");
        Self::new(409, "Conflict", message).about(resource, name)
    }

    pub(crate) fn changed_since(resource: &Resource, name: &str) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(resource, name, why)
    }

    /// Fields of others that an apply would change, as (message, field).
    pub(crate) fn apply_conflict(message: String, causes: &[(String, String)]) -> Self {
        let cause = |(message, field): &(String, String)| json!({ "reason": "FieldManagerConflict", "message": message, "field": field });
        let causes: Vec<Value> = causes.iter().map(cause).collect();
        Self { details: json!({ "causes": causes }), ..Self::new(409, "Conflict", message) }
    }

    pub(crate) fn invalid(resource: &Resource, name: &str, why: &str) -> Self {
        let (kind, group) = (&resource.kind, &resource.group);
        let what = if group.is_empty() { kind.clone() } else { format!("{kind}.{group}") };
        let mut refusal = Self::new(422, "Invalid", format!("{what} \"{name}\" is invalid: {why}"));
        refusal.details = json!({ "name": name, "group": group, "kind": kind });
        refusal
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    }

    pub(crate) fn unsupported_media_type(given: &str) -> Self {
        let accepted = "application/merge-patch+json, application/apply-patch+yaml";
        let message =
            format!("the body of the request was in an unknown format ({given}); accepted: {accepted}");
        Self::new(415, "UnsupportedMediaType", message)
    }

    pub(crate) fn expired(asked: u64, oldest: u64) -> Self {
        Self::new(410, "Expired", format!("too old resource version: {asked} ({oldest})"))
    }

    pub(crate) fn too_large(asked: u64, current: u64) -> Self {
        Self::new(504, "Timeout", format!("Too large resource version: {asked}, current: {current}"))
    }

    /// The metav1 `Status`.
    #[must_use]
    pub fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        });
        if !self.details.is_null() {
            status["details"] = self.details.clone();
        }
        status
    }
}
