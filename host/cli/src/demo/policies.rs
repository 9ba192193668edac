//! Policies: which DNSPolicies the platform's API server holds, and what the demo writes into them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kube::Resource as _;
use openmcp_dns_api::DNSPolicy;
use openmcp_dns_core::name::HostName;
use openmcp_dns_kit::DEFAULT_BASE_DOMAIN;
use serde_json::{Value, json};

use super::given::Given;
use super::mirror::{DNS_POLICY, Key, Wanted};

/// Name of the DNSPolicy that the demo makes where the landscape has none.
pub(super) const DEFAULT_POLICY: &str = "default";

/// Puts together the policies from those in the folder and what was given.
///
/// A module in a file gets an absolute path, which is what the service wants, and its SHA-256, so that the
/// service loads it anew when the file is another one.
pub(super) fn policies(
    in_folder: BTreeMap<Key, Wanted>,
    given: &Given,
    landscape: &Path,
    modules: &mut ModuleFiles,
) -> BTreeMap<Key, Wanted> {
    let mut policies = match given {
        Given::Policy(policy) => {
            let name = policy.pointer("/metadata/name").and_then(Value::as_str).unwrap_or(DEFAULT_POLICY);
            let mut object = policy.clone();
            object["apiVersion"] = json!(DNSPolicy::api_version(&()));
            BTreeMap::from([ours(name, &object)])
        }
        Given::Nothing | Given::Module(_) => in_folder,
    };
    if policies.is_empty() {
        policies.extend([ours(
            DEFAULT_POLICY,
            &json!({
                "apiVersion": DNSPolicy::api_version(&()),
                "kind": DNS_POLICY,
                "metadata": { "name": DEFAULT_POLICY },
                "spec": { "baseDomain": DEFAULT_BASE_DOMAIN },
            }),
        )]);
    }
    for (key, policy) in &mut policies {
        policy.change(key, |object| {
            let spec = &mut object["spec"];
            if let Given::Module(path) = given {
                spec["module"] = json!({ "file": { "path": path } });
                spec["mode"] = json!("Enforce");
            } else if let Some(module) = spec.get_mut("module") {
                modules.pin(module, landscape);
            }
            for guard in spec.get_mut("guards").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(module) = guard.get_mut("module") {
                    modules.pin(module, landscape);
                }
            }
        });
    }
    policies
}

fn ours(name: &str, object: &Value) -> (Key, Wanted) {
    (Key::new(DNS_POLICY, "", name), Wanted::ours(object))
}

/// The zones of policies.
pub(super) fn zones(policies: &BTreeMap<Key, Wanted>) -> BTreeSet<HostName> {
    let base_domain =
        |(key, policy): (&Key, &Wanted)| policy.object(key)["spec"]["baseDomain"].as_str()?.parse().ok();
    policies.iter().filter_map(base_domain).collect()
}

/// Policy modules in files: what they hold.
#[derive(Debug, Default)]
pub(super) struct ModuleFiles {
    /// A module that is larger is refused in any case.
    limit_bytes: u64,
    known: BTreeMap<PathBuf, String>,
    /// Files that somebody is still writing.
    being_written: BTreeSet<PathBuf>,
    /// Files that are others than before.
    changed: BTreeSet<PathBuf>,
}

impl ModuleFiles {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes: u64::try_from(limit_bytes).unwrap_or(u64::MAX), ..Self::default() }
    }

    /// These are left as they were known before until they are written.
    pub(super) fn leave(&mut self, being_written: BTreeSet<PathBuf>) {
        self.being_written = being_written;
    }

    /// The files that have changed since the last call.
    pub(super) fn changed(&mut self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut self.changed)
    }

    /// Gives a module in a file of the landscape's folder its absolute path and its digest.
    fn pin(&mut self, module: &mut Value, landscape: &Path) {
        let Some(path) = module.pointer("/file/path").and_then(Value::as_str) else { return };
        let path = landscape.join(path);
        let sha256 = self.sha256(&path);
        let path = std::path::absolute(&path).unwrap_or(path);
        module["file"]["path"] = json!(path);
        if let (None, Some(sha256)) = (module.get("sha256"), sha256) {
            module["sha256"] = json!(sha256);
        }
    }

    /// The digest of a file; `None` where it is no module that can be read: the service says so.
    fn sha256(&mut self, path: &Path) -> Option<String> {
        let known = self.known.get(path);
        if let Some(known) = known
            && self.being_written.contains(path)
        {
            return Some(known.clone());
        }
        let is_readable =
            |metadata: std::fs::Metadata| metadata.is_file() && metadata.len() <= self.limit_bytes;
        let bytes =
            std::fs::metadata(path).is_ok_and(is_readable).then(|| std::fs::read(path).ok()).flatten();
        let now = openmcp_dns_policy::digest(&bytes?);
        if known.is_some_and(|known| *known != now) {
            self.changed.insert(path.to_owned());
        }
        self.known.insert(path.to_owned(), now.clone());
        Some(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(spec: Value) -> BTreeMap<Key, Wanted> {
        let object = json!({ "kind": DNS_POLICY, "metadata": { "name": "p" }, "spec": spec });
        BTreeMap::from([ours("p", &object)])
    }

    fn spec(policies: &BTreeMap<Key, Wanted>) -> Value {
        let (key, policy) = policies.first_key_value().unwrap();
        policy.object(key)["spec"].clone()
    }

    #[test]
    fn a_module_in_a_file_is_found_in_the_landscapes_folder_and_known_by_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.wasm");
        let mut modules = ModuleFiles::new(10);
        let read = |module: Value, modules: &mut ModuleFiles| {
            let wanted = policy(json!({ "baseDomain": "a.b", "module": module }));
            let wanted = policies(wanted, &Given::Nothing, folder.path(), modules);
            spec(&wanted)["module"].clone()
        };
        let named = json!({ "file": { "path": "policy.wasm" } });
        assert_eq!(read(named.clone(), &mut modules), json!({ "file": { "path": file } }));
        std::fs::write(&file, "one").unwrap();
        let one = read(named.clone(), &mut modules)["sha256"].clone();
        assert!(one.is_string() && modules.changed().is_empty());
        std::fs::write(&file, "two").unwrap();
        modules.leave(BTreeSet::from([file.clone()]));
        assert_eq!(read(named.clone(), &mut modules)["sha256"], one);
        modules.leave(BTreeSet::new());
        assert_ne!(read(named.clone(), &mut modules)["sha256"], one);
        assert_eq!(modules.changed(), BTreeSet::from([file.clone()]));
        let guard = json!({ "name": "g", "module": { "file": { "path": "policy.wasm" } } });
        let wanted = policy(json!({ "baseDomain": "a.b", "guards": [guard] }));
        let wanted = policies(wanted, &Given::Nothing, folder.path(), &mut modules);
        assert_eq!(spec(&wanted)["guards"][0]["module"]["file"]["path"], json!(file));
        assert!(spec(&wanted)["guards"][0]["module"]["sha256"].is_string());
        // Whoever names a digest means it.
        let pinned = json!({ "file": { "path": "policy.wasm" }, "sha256": "0" });
        assert_eq!(read(pinned, &mut modules)["sha256"], "0");
        std::fs::write(&file, "more than ten bytes").unwrap();
        assert!(read(named, &mut modules)["sha256"].is_null());
    }

    #[test]
    fn what_is_given_takes_the_place_of_what_the_landscape_says() {
        let monitored = json!({ "baseDomain": "a.b", "mode": "Monitor", "configuration": { "ttl": 5 } });
        let module = Given::Module("/m.wasm".into());
        let all =
            |in_folder, given: &Given| policies(in_folder, given, Path::new("/l"), &mut ModuleFiles::new(1));
        assert_eq!(
            spec(&all(policy(monitored.clone()), &module)),
            json!({
                "baseDomain": "a.b", "mode": "Enforce", "configuration": { "ttl": 5 },
                "module": { "file": { "path": "/m.wasm" } }
            })
        );
        let other = json!({ "metadata": { "name": "q" }, "spec": { "baseDomain": "c.d" } });
        assert_eq!(spec(&all(policy(monitored), &Given::Policy(other)))["baseDomain"], "c.d");
        assert_eq!(
            spec(&all(BTreeMap::new(), &Given::Nothing)),
            json!({ "baseDomain": DEFAULT_BASE_DOMAIN })
        );
    }
}
