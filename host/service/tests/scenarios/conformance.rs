//! external-dns's own cases of what its provider `coredns` writes, through the gate.
//!
//! They lie in `<folder>/external-dns/coredns` with the folder from `OPENMCP_DNS_CONFORMANCE` (relative to the workspace),
//! and are skipped without it. What external-dns asks its etcd for is played here, as its provider does it
//! (`provider/coredns/coredns.go`); what it then finds there is what the case expects.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::agents::closed;
use crate::gate::Agent;

/// Cases that are refused at the gate, for a reason in docs/agents.md: names of reverse zones belong to no cluster.
const REFUSED: [&str; 4] = [
    "apply-ptr-create-exact-key",
    "apply-ptr-delete-exact",
    "apply-ptr-delete-keeps-byte-prefix-neighbour",
    "apply-ptr-update-in-place",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    kind: String,
    #[serde(default)]
    config: Config,
    #[serde(default)]
    key: String,
    stored_before: Option<Value>,
    value: Option<Value>,
    etcd: Option<Etcd>,
    etcd_before: Option<Etcd>,
    #[serde(default)]
    changes: Changes,
    #[serde(default)]
    expect: Expect,
}

/// Keys and values.
type Etcd = BTreeMap<String, Value>;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    #[serde(rename = "ownerID")]
    owner: String,
    strictly_owned: bool,
    domain_filter: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Changes {
    create: Vec<Endpoint>,
    update: Vec<Update>,
    delete: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct Update {
    old: Endpoint,
    new: Endpoint,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    dns_name: String,
    record_type: String,
    targets: Vec<String>,
    #[serde(default)]
    provider_specific: Vec<Property>,
}

#[derive(Clone, Deserialize)]
struct Property {
    name: String,
    value: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Expect {
    stored: Option<Value>,
    error: bool,
    deleted_keys: Option<BTreeSet<String>>,
    etcd: Option<Etcd>,
}

/// The names of the cases, as names of the cluster.
fn ours(text: &str) -> String {
    text.replace("/skydns/local/", "/skydns/cluster/openmcp/w1/")
        .replace("/skydns/org/example/", "/skydns/cluster/openmcp/w1/")
        .replace("/prefix/1", "/skydns/cluster/openmcp/w1/one")
        .replace(".local", ".w1.openmcp.cluster")
        .replace(".example.org", ".w1.openmcp.cluster")
}

/// What external-dns finds of what it has written: which label a target of a name lies under, and the text there.
fn labels(etcd: &Etcd, endpoint: &Endpoint) -> BTreeMap<String, (String, Value)> {
    let below = format!("{}/", key_of(&endpoint.dns_name));
    let found = etcd.iter().filter_map(|(key, value)| {
        let target = value["host"].as_str()?.to_owned();
        Some((target, (key.strip_prefix(&below)?.to_owned(), value["text"].clone())))
    });
    found.collect()
}

fn key_of(name: &str) -> String {
    let labels: Vec<&str> = name.split('.').rev().collect();
    format!("/skydns/{}", labels.join("/"))
}

impl Config {
    fn matches(&self, endpoint: &Endpoint) -> bool {
        let filter = &self.domain_filter;
        filter.is_empty() || filter.iter().any(|domain| endpoint.dns_name.ends_with(domain))
    }
}

/// external-dns's provider, as far as it speaks to etcd.
struct Provider<'c> {
    agent: &'c mut Agent,
    config: &'c Config,
    /// The last label that was made.
    label: u32,
}

impl Provider<'_> {
    fn is_owned(&self, value: &Value) -> bool {
        !self.config.strictly_owned || value["owner"] == self.config.owner.as_str()
    }

    async fn save(&mut self, key: &str, mut value: Value) -> Result<(), String> {
        if self.config.strictly_owned {
            if let Some(there) = self.agent.all().await.get(key)
                && !self.is_owned(there)
            {
                return Err(format!("{key} is not owned by this provider"));
            }
            value["owner"] = json!(self.config.owner);
        }
        // It ends at an error, and begins anew.
        match self.agent.put_value(key, &value).await {
            Err(_) => self.agent.put_value(key, &value).await,
            Ok(()) => Ok(()),
        }
    }

    async fn delete(&mut self, key: &str, with_prefix: bool) {
        if self.config.strictly_owned {
            for (found, value) in self.agent.all().await {
                if found.starts_with(key) && self.is_owned(&value) {
                    self.agent.delete(&found, false).await;
                }
            }
        } else {
            self.agent.delete(key, with_prefix).await;
        }
    }

    async fn apply(&mut self, changes: &Changes) -> Result<(), String> {
        let config = self.config;
        let before = self.agent.all().await;
        let mut by_name: BTreeMap<&str, Vec<(&Endpoint, Option<&Endpoint>)>> = BTreeMap::new();
        let created = changes.create.iter().map(|endpoint| (endpoint, None));
        let updated = changes.update.iter().map(|Update { old, new }| (new, Some(old)));
        for (new, old) in created.chain(updated).filter(|(new, _)| config.matches(new)) {
            by_name.entry(&new.dns_name).or_default().push((new, old));
        }
        for endpoints in by_name.into_values() {
            let mut services: Vec<(String, Value)> = Vec::new();
            let (texts, hosts): (Vec<_>, Vec<_>) =
                endpoints.into_iter().partition(|(endpoint, _)| endpoint.record_type == "TXT");
            for (endpoint, old) in hosts {
                services.extend(self.hosts(endpoint, old.map(|old| labels(&before, old))).await);
            }
            for (index, (endpoint, _)) in texts.into_iter().enumerate() {
                if index >= services.len() {
                    let key = format!("{}/{}", key_of(&endpoint.dns_name), self.next_label());
                    services.push((key, json!({ "targetstrip": 1 })));
                }
                services[index].1["text"] = json!(endpoint.targets[0]);
            }
            for (key, value) in services {
                self.save(&key, value).await?;
            }
        }
        for endpoint in changes.delete.iter().filter(|endpoint| config.matches(endpoint)) {
            let key = key_of(&endpoint.dns_name);
            let is_exact = ["TXT", "PTR"].contains(&endpoint.record_type.as_str());
            let last = labels(&before, endpoint).into_values().map(|(label, _)| label).next_back();
            match last.filter(|_| !is_exact) {
                Some(label) => self.delete(&format!("{key}/{label}"), true).await,
                None => self.delete(&key, !is_exact).await,
            }
        }
        Ok(())
    }

    /// What is written for the targets of an endpoint; the stale ones are deleted first.
    async fn hosts(
        &mut self,
        endpoint: &Endpoint,
        old: Option<BTreeMap<String, (String, Value)>>,
    ) -> Vec<(String, Value)> {
        let name = key_of(&endpoint.dns_name);
        if endpoint.record_type == "PTR" {
            return vec![(name, json!({ "host": endpoint.targets[0] }))];
        }
        let old = old.unwrap_or_default();
        let mut services = Vec::new();
        for target in &endpoint.targets {
            let label = old.get(target).map_or_else(|| self.next_label(), |(label, _)| label.clone());
            let mut value = json!({ "host": target, "targetstrip": 1 });
            if let Some(text) = old.values().map(|(_, text)| text).find(|text| text.is_string()) {
                value["text"] = text.clone();
            }
            let group = endpoint.provider_specific.iter().find(|property| property.name == "coredns/group");
            if let Some(group) = group {
                value["group"] = json!(group.value);
            }
            services.push((format!("{name}/{label}"), value));
        }
        for (_, (label, _)) in old.into_iter().filter(|(target, _)| !endpoint.targets.contains(target)) {
            self.delete(&format!("{name}/{label}"), true).await;
        }
        services
    }

    fn next_label(&mut self) -> String {
        self.label += 1;
        format!("{:08x}", self.label)
    }
}

/// A key without the label that external-dns makes, which the cases write as `<x>`.
fn without_label(key: &str, value: &Value) -> String {
    let name = key.rsplit_once('/').filter(|_| value["targetstrip"] == 1).map(|(name, _)| name);
    name.unwrap_or(key).to_owned()
}

fn shown(etcd: &Etcd) -> BTreeSet<(String, String)> {
    etcd.iter().map(|(key, value)| (without_label(key, value), value.to_string())).collect()
}

/// Plays a case; gives how it went otherwise than it should.
async fn play(case: &Case, agent: &mut Agent) -> Result<(), String> {
    let Case { kind, config, key, stored_before, value, etcd, etcd_before, changes, expect } = case;
    let mut before = etcd.clone().or_else(|| etcd_before.clone()).unwrap_or_default();
    before.extend(stored_before.clone().map(|value| (key.clone(), value)));
    for (key, value) in &before {
        agent.put_value(key, value).await?;
    }
    let mut provider = Provider { agent, config, label: 0 };
    let done = match (kind.as_str(), value) {
        ("save", Some(value)) => provider.save(key, value.clone()).await,
        ("delete-prefix", _) => {
            provider.delete(key, true).await;
            Ok(())
        }
        ("apply", _) => provider.apply(changes).await,
        other => panic!("{other:?}"),
    };
    let after = agent.all().await;
    if done.is_err() != expect.error {
        return Err(format!("{done:?}"));
    }
    let expected = match (&expect.stored, &expect.deleted_keys, &expect.etcd) {
        (Some(stored), _, _) => Etcd::from([(key.clone(), stored.clone())]),
        (_, Some(deleted), _) => before.into_iter().filter(|(key, _)| !deleted.contains(key)).collect(),
        (_, _, Some(etcd)) => etcd.clone(),
        // Nothing is left out by upstream but that all is as it was.
        (None, None, None) => before,
    };
    if shown(&after) == shown(&expected) {
        Ok(())
    } else {
        Err(format!("expected {:#?}, found {:#?}", shown(&expected), shown(&after)))
    }
}

fn cases(folder: &Path) -> BTreeMap<String, Case> {
    let mut cases = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if ["save-", "delete-", "apply-"].iter().any(|kind| name.starts_with(kind)) {
            let text = ours(&std::fs::read_to_string(&path).unwrap());
            let case = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            cases.insert(name, case);
        }
    }
    cases
}

#[tokio::test]
async fn what_external_dns_writes_is_there_as_in_its_own_cases() {
    let Some(folder) = std::env::var_os("OPENMCP_DNS_CONFORMANCE") else {
        println!("skipped external-dns's cases: OPENMCP_DNS_CONFORMANCE names no folder");
        return;
    };
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let cases = cases(&folder.join("external-dns/coredns"));
    assert!(cases.len() >= 25, "{}", cases.len());
    let (_world, mut agent) = closed().await;
    agent.put_when_let("/skydns/cluster/openmcp/w1/first/00000001", "10.0.0.1").await;
    let mut wrong = BTreeMap::new();
    for (name, case) in &cases {
        agent.delete("/skydns/", true).await;
        let played = play(case, &mut agent).await;
        let is_refused = |why: &String| why.contains("permission denied") && why.contains("outside-domain");
        match (REFUSED.contains(&name.as_str()), played) {
            (false, Ok(())) => {}
            (true, Err(why)) if is_refused(&why) => {}
            (_, played) => drop(wrong.insert(name, played)),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
