//! Modules and policies for tests: no engine, no network, no clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::{
    CheckedClaim, Context, FailureKind, Policy, PolicyFailure, ProposedRecordSet, Verdict,
};
use openmcp_dns_policy::Description;
use serde_json::Value;

use super::{ActiveModule, Effect, Input, LandscapeFacts, Moment, PolicyLifeCycle, PolicyModule};
use openmcp_dns_api::DNSPolicy;
use openmcp_dns_api::dns_policy::GuardStatus;
use openmcp_dns_modules::{Facts, Loaded};

/// How often tags are looked up.
pub(crate) const TAG_CHECK: Duration = Duration::from_secs(300);

pub(crate) const LANDSCAPE: LandscapeFacts = LandscapeFacts { tag_check: TAG_CHECK, wildcards: false };

/// A module that is nothing but its digest.
#[derive(Debug)]
pub(crate) struct Mock {
    digest: String,
    description: Description,
    guards: Vec<GuardStatus>,
}

impl Mock {
    pub(crate) fn new(digest: &str) -> Self {
        let text = String::from;
        let description = Description { name: text("mock"), version: text("1.0.0"), summary: String::new() };
        Self { digest: text(digest), description, guards: Vec::new() }
    }

    /// The same behind guards of these names and digests.
    pub(crate) fn behind(mut self, guards: &[(&str, &str)]) -> Self {
        let status = |&(name, sha256): &(&str, &str)| GuardStatus {
            name: name.to_owned(),
            sha256: sha256.to_owned(),
            description: "mock 1.0.0".to_owned(),
        };
        self.guards = guards.iter().map(status).collect();
        self
    }

    /// What the loader says of it when it was downloaded.
    pub(crate) fn loaded(digest: &str, manifest: Option<&str>) -> Loaded<Self> {
        let facts = Facts {
            fetched_digest: Some(digest.to_owned()),
            manifest_digest: manifest.map(str::to_owned),
            download_time: None,
        };
        Loaded { facts, module: Ok(Self::new(digest)) }
    }
}

impl PolicyModule for Mock {
    fn digest(&self) -> &str {
        &self.digest
    }

    fn description(&self) -> &Description {
        &self.description
    }

    fn guards(&self) -> Vec<GuardStatus> {
        self.guards.clone()
    }

    fn active(&self, label: &str, configuration: &str) -> ActiveModule {
        ActiveModule {
            policy: Arc::new(Labelled(label.to_owned())),
            digest: self.digest.as_str().into(),
            guards: Arc::default(),
            configuration: configuration.to_owned(),
        }
    }
}

/// Decides nothing, and says under which label it was asked.
struct Labelled(String);

impl Labelled {
    fn failure(&self) -> PolicyFailure {
        PolicyFailure::new(FailureKind::Internal, self.0.clone())
    }
}

impl Policy for Labelled {
    fn domain_filter(&self, _: &Context) -> Result<String, PolicyFailure> {
        Err(self.failure())
    }

    fn validate_hostname(
        &self,
        _: &Context,
        _: &HostName,
        _: &CheckedClaim,
    ) -> Result<Verdict, PolicyFailure> {
        Err(self.failure())
    }

    fn name_records(
        &self,
        _: &Context,
        _: &HostName,
        _: &CheckedClaim,
    ) -> Result<Vec<ProposedRecordSet>, PolicyFailure> {
        Err(self.failure())
    }
}

/// A moment on a clock that nobody winds.
pub(crate) fn moment() -> Moment {
    Moment { instant: Instant::now(), time: Time(Timestamp::UNIX_EPOCH), random: 1.0 }
}

/// A DNSPolicy that was created in this second.
pub(crate) fn policy(name: &str, second: i64, spec: Value) -> DNSPolicy {
    let mut policy = DNSPolicy::new(name, serde_json::from_value(spec).unwrap());
    policy.metadata.creation_timestamp = Some(Time(Timestamp::from_second(second).unwrap()));
    policy
}

/// A policy whose module has been admitted, or is being loaded.
pub(crate) fn life_cycle(name: &str, second: i64, spec: Value, is_active: bool) -> PolicyLifeCycle<Mock> {
    let (mut life_cycle, effects) = PolicyLifeCycle::new(Arc::new(policy(name, second, spec)), LANDSCAPE);
    for effect in effects {
        if let Effect::Load(load) = effect
            && is_active
        {
            life_cycle.handle(Input::Loaded(load, Mock::loaded("a1", None)), &moment());
        }
    }
    life_cycle
}
