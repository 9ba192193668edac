//! The life cycle of a policy, as scenarios.

mod for_cluster;
mod guards;
mod invalid_spec;
mod loading;
mod modes;
mod occurrences;
mod restarts;
mod tags;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::cluster_policy::ClusterPolicy;
use serde_json::{Value, json};

use super::test_support::{LANDSCAPE, Mock, TAG_CHECK, moment, policy};
use super::{ChosenBy, Digests, Effect, Input, Load, ModuleOccurrence, Moment, PolicyLifeCycle};
use crate::counts::PolicyCounts;
use openmcp_dns_api::conditions::{Finding, Reason};
use openmcp_dns_api::{Cluster, DNSPolicy};
use openmcp_dns_modules::{Facts, Loaded, ModuleError};

const SECOND: Duration = Duration::from_secs(1);

/// A policy, the loads that it wants, and a clock.
struct Scenario {
    policy: PolicyLifeCycle<Mock>,
    spec: Value,
    now: Moment,
    /// What was told of the modules.
    told: Vec<ModuleOccurrence>,
}

impl Scenario {
    /// A policy of which nothing is remembered.
    fn new(spec: Value) -> (Self, Vec<Effect>) {
        Self::restarted(spec, &json!({}))
    }

    /// A policy whose status remembers modules.
    fn restarted(spec: Value, module: &Value) -> (Self, Vec<Effect>) {
        let mut object = object(&spec);
        object.status = Some(serde_json::from_value(json!({ "module": module })).unwrap());
        let (policy, effects) = PolicyLifeCycle::new(Arc::new(object), LANDSCAPE);
        (Self { policy, spec, now: moment(), told: Vec::new() }, effects)
    }

    /// A policy whose module, of this digest, decides.
    fn active(spec: Value, digest: &str) -> Self {
        let (mut scenario, effects) = Self::new(spec);
        scenario.admit(load(&effects), digest);
        scenario
    }

    /// Gives what has to be done, and keeps what is told.
    fn handle(&mut self, input: Input<Mock>) -> Vec<Effect> {
        let mut done = Vec::new();
        for effect in self.policy.handle(input, &self.now) {
            match effect {
                Effect::Tell(occurrence) => self.told.push(occurrence),
                effect => done.push(effect),
            }
        }
        done
    }

    fn take_told(&mut self) -> Vec<ModuleOccurrence> {
        std::mem::take(&mut self.told)
    }

    /// The spec has these fields from now on, besides those that it had.
    fn set(&mut self, fields: Value) -> Vec<Effect> {
        for (key, value) in fields.as_object().unwrap() {
            self.spec[key] = value.clone();
        }
        let mut changed = object(&self.spec);
        changed.status = self.policy.policy().status.clone();
        self.handle(Input::Changed(Arc::new(changed)))
    }

    fn admit(&mut self, load: Load, digest: &str) -> Vec<Effect> {
        self.handle(Input::Loaded(load, Mock::loaded(digest, Some(&format!("sha256:{digest}")))))
    }

    fn fail(&mut self, load: Load, error: ModuleError) -> Vec<Effect> {
        self.handle(Input::Loaded(load, Loaded { facts: Facts::default(), module: Err(error) }))
    }

    fn tick_after(&mut self, wait: Duration) -> Vec<Effect> {
        self.now.instant += wait;
        self.handle(Input::Tick)
    }

    fn module_active(&self) -> Finding {
        self.policy.module_active(&PolicyCounts::default())
    }

    /// The policy as it holds for a cluster.
    fn for_cluster(&self, name: &str) -> Option<ClusterPolicy> {
        Some(self.policy.active()?.for_cluster(&ClusterId::new("s", name), &Cluster::default()))
    }

    /// Digests of the modules that decides, that is compared with it, and that could come back.
    fn modules(&self) -> [String; 3] {
        let cluster = self.for_cluster("w1").unwrap();
        let candidate = cluster.candidate.map(|candidate| candidate.module_digest.to_string());
        let previous = self.policy.module_status().previous.map(|previous| previous.sha256);
        [
            cluster.module.module_digest.to_string(),
            candidate.unwrap_or_default(),
            previous.unwrap_or_default(),
        ]
    }
}

fn object(spec: &Value) -> DNSPolicy {
    policy("p", 1, spec.clone())
}

fn spec() -> Value {
    json!({ "baseDomain": "openmcp.cluster" })
}

fn oci(reference: &str) -> Value {
    json!({ "baseDomain": "openmcp.cluster", "module": { "oci": { "reference": reference }, "sha256": "a1" } })
}

/// The status of a service that was restarted: the module with a TTL of so many seconds decided.
fn remembered(seconds: u32) -> Value {
    json!({ "sha256": "d0", "module": { "builtIn": "standard" }, "configuration": { "ttlSeconds": seconds } })
}

fn loads(effects: &[Effect]) -> Vec<Load> {
    let loads = effects.iter().filter_map(|effect| match effect {
        Effect::Load(load) => Some(load.clone()),
        _ => None,
    });
    loads.collect()
}

/// The only load.
#[track_caller]
fn load(effects: &[Effect]) -> Load {
    let mut loads = loads(effects);
    assert_eq!(loads.len(), 1, "{effects:?}");
    loads.remove(0)
}

/// The load of what is chosen by this.
fn load_of(effects: &[Effect], chosen_by: ChosenBy) -> Load {
    loads(effects).into_iter().find(|load| load.chosen_by == chosen_by).unwrap()
}

fn chosen(effects: &[Effect]) -> Vec<ChosenBy> {
    loads(effects).into_iter().map(|load| load.chosen_by).collect()
}

fn missing() -> ModuleError {
    ModuleError::Missing("there is no ConfigMap a/b".to_owned())
}
