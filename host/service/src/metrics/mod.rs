//! Metrics in the text format of Prometheus, for machines that watch the service.
//!
//! Labels are bounded: never a host name, and of the codes that policy modules choose only the
//! first `MAX_CODES`.

mod dns_server;
mod policy;
mod server;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openmcp_dns_core::cluster::ClusterId;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use openmcp_dns_api::conditions::DutyName;
use openmcp_dns_core::expectation::Verdict;

pub use dns_server::DnsServerMetrics;
pub use policy::PolicyMetrics;
pub use server::{MetricsServer, Readiness};

/// Codes of denials that get a label of their own; a module that makes up more is at fault.
const MAX_CODES: usize = 50;

/// The label of further codes.
const OTHER_CODE: &str = "other";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Evaluation {
    policy: String,
    function: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failure {
    policy: String,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Denial {
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProbeOf {
    verdict: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConditionOf {
    namespace: String,
    cluster: String,
    condition: &'static str,
}

/// All metrics. Clones are the same metrics.
#[derive(Clone)]
pub struct Metrics {
    evaluations: Family<Evaluation, Counter>,
    durations: Family<Evaluation, Histogram, fn() -> Histogram>,
    fuel: Family<Evaluation, Counter>,
    failures: Family<Failure, Counter>,
    denials: Family<Denial, Counter>,
    probes: Family<ProbeOf, Counter>,
    probe_durations: Histogram,
    changes: Counter,
    conditions: Family<ConditionOf, Gauge>,
    unknown_owners: Gauge,
    unknown_owner_names: Gauge,
    leader: Gauge,
    decisions_lost: Counter,
    decision_log_failing: Gauge,
    codes: Arc<Mutex<BTreeSet<String>>>,
    registry: Arc<Registry>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("openmcp_dns");
        // Up to two seconds: longer than the default deadline of a question.
        let durations: fn() -> Histogram = || Histogram::new(exponential_buckets(1e-6, 2.0, 22));
        let mut metrics = Self {
            evaluations: Family::default(),
            durations: Family::new_with_constructor(durations),
            fuel: Family::default(),
            failures: Family::default(),
            denials: Family::default(),
            probes: Family::default(),
            probe_durations: Histogram::new(exponential_buckets(1e-3, 2.0, 15)),
            changes: Counter::default(),
            conditions: Family::default(),
            unknown_owners: Gauge::default(),
            unknown_owner_names: Gauge::default(),
            leader: Gauge::default(),
            decisions_lost: Counter::default(),
            decision_log_failing: Gauge::default(),
            codes: Arc::default(),
            registry: Arc::default(),
        };
        let Self {
            evaluations,
            durations,
            fuel,
            failures,
            denials,
            probes,
            probe_durations,
            changes,
            conditions,
            unknown_owners,
            unknown_owner_names,
            leader,
            decisions_lost,
            decision_log_failing,
            codes: _,
            registry: _,
        } = metrics.clone();
        registry.register("policy_evaluations", "Questions asked of policy modules", evaluations);
        registry.register("policy_evaluation_seconds", "How long a policy module took", durations);
        registry.register("policy_fuel", "Fuel that policy modules used, in units of the engine", fuel);
        registry.register("policy_failures", "Questions that a policy module failed at", failures);
        registry.register("denials", "Claims that were denied, by code", denials);
        registry.register("probes", "Checks of names with the central DNS server, by verdict", probes);
        registry.register(
            "probe_seconds",
            "From the request to check a name until the verdict",
            probe_durations,
        );
        registry.register("names_changed", "Names whose records were changed in the store", changes);
        registry.register(
            "cluster_condition",
            "Conditions of clusters: 1 is True, 0 is False, -1 is Unknown",
            conditions,
        );
        registry.register(
            "unknown_owners",
            "Clusters that have records and do not exist, so that nobody takes them back",
            unknown_owners,
        );
        registry.register("unknown_owner_names", "Names at which such records stand", unknown_owner_names);
        registry.register("leader", "Whether this replica leads: 1, or stands by: 0", leader);
        registry.register("decision_log_lost", "Events that are missing in the decision log", decisions_lost);
        registry.register(
            "decision_log_failing",
            "Whether the decision log cannot be written: 1",
            decision_log_failing,
        );
        metrics.registry = Arc::new(registry);
        metrics
    }
}

impl Metrics {
    /// A question was asked of a policy module.
    fn evaluated(&self, policy: &str, function: &'static str, took: Duration, fuel: u64) {
        let labels = Evaluation { policy: policy.to_owned(), function };
        self.evaluations.get_or_create(&labels).inc();
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
        self.fuel.get_or_create(&labels).inc_by(fuel);
    }

    /// A policy module failed at a question.
    fn failed(&self, policy: &str, kind: &'static str) {
        self.failures.get_or_create(&Failure { policy: policy.to_owned(), kind }).inc();
    }

    /// A claim was denied.
    pub fn denied(&self, code: &str) {
        let code = self.bounded(code);
        self.denials.get_or_create(&Denial { code }).inc();
    }

    /// A name was checked.
    pub fn probed(&self, verdict: Verdict, took: Duration) {
        self.probes.get_or_create(&ProbeOf { verdict: verdict.as_str() }).inc();
        self.probe_durations.observe(took.as_secs_f64());
    }

    /// A name's records were changed in the store.
    pub fn changed(&self) {
        self.changes.inc();
    }

    /// What a condition of a cluster is: true, false, or unknown.
    pub fn condition(&self, cluster: &ClusterId, duty: DutyName, status: Option<bool>) {
        let labels = condition_of(cluster, duty);
        self.conditions.get_or_create(&labels).set(status.map_or(-1, i64::from));
    }

    /// At how many names each owner has records that no cluster stands for.
    pub fn unknown_owners(&self, names: impl Iterator<Item = usize> + Clone) {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.unknown_owners.set(count(names.clone().count()));
        self.unknown_owner_names.set(count(names.sum()));
    }

    /// Whether this replica leads.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// So many events did not come into the decision log, or into the journal before it.
    pub fn decisions_lost(&self, events: u64) {
        self.decisions_lost.inc_by(events);
    }

    /// Whether the decision log cannot be written.
    pub fn decision_log_fails(&self, fails: bool) {
        self.decision_log_failing.set(i64::from(fails));
    }

    /// A cluster is no longer ours.
    pub fn forget(&self, cluster: &ClusterId) {
        for duty in DutyName::ALL {
            self.conditions.remove(&condition_of(cluster, duty));
        }
    }

    fn bounded(&self, code: &str) -> String {
        // Every change is one insert, so a panic elsewhere leaves nothing half done.
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        if codes.contains(code) {
            return code.to_owned();
        }
        if codes.len() >= MAX_CODES {
            return OTHER_CODE.to_owned();
        }
        codes.insert(code.to_owned());
        code.to_owned()
    }
}

/// What the server of metrics shows.
pub trait Exposed: Clone + Send + Sync + 'static {
    /// All metrics as text.
    ///
    /// # Errors
    /// When they cannot be written.
    fn text(&self) -> Result<String, std::fmt::Error>;
}

impl Exposed for Metrics {
    fn text(&self) -> Result<String, std::fmt::Error> {
        encoded(&self.registry)
    }
}

fn encoded(registry: &Registry) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry)?;
    Ok(text)
}

fn condition_of(cluster: &ClusterId, duty: DutyName) -> ConditionOf {
    let (namespace, cluster) = (cluster.namespace.clone(), cluster.name.clone());
    ConditionOf { namespace, cluster, condition: duty.as_str() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_makes_up_codes_does_not_make_up_labels() {
        let metrics = Metrics::default();
        for number in 0..200 {
            metrics.denied(&format!("code-{number}"));
        }
        metrics.denied("code-0");
        let text = metrics.text().unwrap();
        assert_eq!(text.matches("openmcp_dns_denials_total{").count(), MAX_CODES + 1);
        assert!(text.contains(r#"openmcp_dns_denials_total{code="other"} 150"#), "{text}");
        assert!(text.contains(r#"openmcp_dns_denials_total{code="code-0"} 2"#), "{text}");
    }

    #[test]
    fn a_forgotten_cluster_leaves_no_series_behind() {
        let metrics = Metrics::default();
        let cluster = ClusterId::new("openmcp-system", "w1");
        metrics.condition(&cluster, DutyName::Probed, Some(true));
        let line =
            r#"openmcp_dns_cluster_condition{namespace="openmcp-system",cluster="w1",condition="Probed"} 1"#;
        assert!(metrics.text().unwrap().contains(line));
        metrics.forget(&cluster);
        assert!(!metrics.text().unwrap().contains("openmcp_dns_cluster_condition{"));
    }
}
