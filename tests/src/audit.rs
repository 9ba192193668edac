//! What the audit log of an API server has of one user.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// Who lets every account ask which kinds are served.
const EVERYBODY: &str = "system:discovery";

/// One request that was answered.
#[derive(Clone, Debug)]
pub struct Request {
    /// For example `patch`.
    pub verb: String,
    /// Path and query.
    pub uri: String,
    /// The status code of the answer; 0 where there was none.
    pub code: u64,
    /// Name of the binding by which RBAC has allowed it; empty where it has not.
    pub allowed_by: String,
}

/// All requests of a user, in the order in which they were answered.
#[derive(Clone, Debug)]
pub struct Audited(pub Vec<Request>);

impl Audited {
    /// Reads them.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(crate) fn read(log: &Path, user: &str) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(log).with_context(|| format!("failed to read {}", log.display()))?;
        // The last line may not have been written to its end.
        let all = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let of_user = all.filter(|event| event["user"]["username"] == user);
        Ok(Self(of_user.map(|event| Request::of(&event)).collect()))
    }

    /// None was refused for want of rights, and each was allowed by one of these bindings, or is what everybody may ask.
    ///
    /// # Errors
    /// When it is not so, with all others; or when next to nothing was asked.
    pub fn is_within(&self, bindings: &BTreeSet<String>) -> anyhow::Result<()> {
        let Self(all) = self;
        ensure!(all.len() > 20, "only {} requests", all.len());
        let is_listed = |request: &Request| {
            request.code != 403 && (bindings.contains(&request.allowed_by) || request.allowed_by == EVERYBODY)
        };
        let others: Vec<String> = all
            .iter()
            .filter(|request| !is_listed(request))
            .map(|Request { verb, uri, code, allowed_by }| format!("{verb} {uri}: {code} {allowed_by}"))
            .collect();
        ensure!(others.is_empty(), "of {} requests, not allowed by {bindings:?}: {others:#?}", all.len());
        Ok(())
    }

    /// How often an object was written, or tried to be.
    #[must_use]
    pub fn writes_of(&self, path: &str) -> usize {
        let is_write = |request: &&Request| matches!(&*request.verb, "create" | "update" | "patch");
        let is_of = |request: &&Request| request.uri.split('?').next() == Some(path);
        self.0.iter().filter(is_write).filter(is_of).count()
    }
}

impl Request {
    fn of(event: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            verb: text(&event["verb"]),
            uri: text(&event["requestURI"]),
            code: event["responseStatus"]["code"].as_u64().unwrap_or_default(),
            allowed_by: allowed_by(event["annotations"]["authorization.k8s.io/reason"].as_str()),
        }
    }
}

/// Name of the binding in a reason of RBAC (`plugin/pkg/auth/authorizer/rbac/rbac.go` of Kubernetes): a RoleBinding has its
/// namespace after it.
fn allowed_by(reason: Option<&str>) -> String {
    let name = || reason?.split_once("Binding \"")?.1.split(['"', '/']).next();
    name().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binding_is_read_from_what_rbac_says() {
        for (reason, binding) in [
            (r#"RBAC: allowed by ClusterRoleBinding "a" of ClusterRole "b" to ServiceAccount "c/d""#, "a"),
            (r#"RBAC: allowed by RoleBinding "a/ns" of Role "b" to ServiceAccount "c/d""#, "a"),
            ("", ""),
        ] {
            assert_eq!(allowed_by(Some(reason)), binding);
        }
        assert_eq!(allowed_by(None), "");
    }
}
