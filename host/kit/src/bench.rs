//! How long a module takes to decide.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use openmcp_dns_core::cluster::{ClusterFacts, ClusterId, SourceRef};
use openmcp_dns_core::decide::{AllowedNames, Decision, cluster_domain, decide};
use openmcp_dns_core::details::AskedClaim;
use openmcp_dns_core::kinds::Kind;
use openmcp_dns_core::labels::Labels;
use openmcp_dns_core::name::NameError;
use openmcp_dns_core::policy::{Context, Policy, PolicyFailure};
use openmcp_dns_core::resolve::Claim;
use openmcp_dns_core::ttl::TtlBounds;
use openmcp_dns_policy::Module;
use openmcp_dns_policy::metered::{Metered, Question};
use thiserror::Error;

use crate::loaded_policy::DEFAULT_BASE_DOMAIN;
use crate::questions::Questions;

/// Questions that are asked before it counts: the first ones find cold caches.
const WARM_UP: u64 = 100;

/// Why there is nothing to measure.
#[derive(Debug, Error)]
pub enum BenchError {
    /// The default zone is no name; a bug of ours.
    #[error(transparent)]
    Zone(#[from] NameError),
    /// The module gives no domain to the cluster.
    #[error(transparent)]
    NoDomain(PolicyFailure),
    /// The module does not decide on the host name.
    #[error(transparent)]
    Undecided(PolicyFailure),
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After so many decisions.
    Decisions(u64),
    /// After this time, and at least one decision.
    Time(Duration),
}

/// What was measured of one question.
#[derive(Debug)]
pub struct QuestionTimes {
    /// Name of the function in the contract.
    pub function: &'static str,
    /// The time that half of them did not exceed.
    pub p50: Duration,
    /// The time that 99 of 100 did not exceed.
    pub p99: Duration,
    /// Instructions of the last one; they are the same each time.
    pub fuel: u64,
}

/// What several threads did together.
#[derive(Debug)]
pub struct Throughput {
    /// Whole decisions.
    pub decisions: u64,
    /// From the first to the last.
    pub took: Duration,
}

/// One decision that is made again and again: an HTTPRoute of one cluster asks for one host name with one
/// address.
pub struct Bench {
    module: Arc<Module>,
    context: Context,
    allowed: AllowedNames,
    asked: AskedClaim,
}

impl Bench {
    /// Asks the module for the cluster's domain; `configuration` is JSON text.
    ///
    /// # Errors
    /// When it gives none.
    pub fn new(module: Arc<Module>, configuration: String) -> Result<Self, BenchError> {
        let id = ClusterId::new("default", "workload01");
        let cluster = ClusterFacts { id, purposes: vec!["workload".to_owned()], labels: BTreeMap::new() };
        let base_domain = DEFAULT_BASE_DOMAIN.parse()?;
        let context = Context {
            base_domain,
            cluster,
            configuration,
            shared_names: Vec::new(),
            shared_suffixes: Vec::new(),
        };
        let domain = cluster_domain(&*module, &context).map_err(BenchError::NoDomain)?;
        let claim = Claim {
            host_name: format!("shop.{domain}"),
            targets: vec!["10.0.0.1".to_owned()],
            ttl_seconds: None,
        };
        let source = SourceRef::new(Kind::HttpRoute, "default", "shop");
        let allowed = AllowedNames::of(&context, domain, true, TtlBounds::default());
        Ok(Self { module, context, allowed, asked: AskedClaim::new(source, Labels::default(), claim) })
    }

    /// Times each question by itself on the calling thread.
    ///
    /// # Errors
    /// When the module does not answer one.
    pub fn one_core(&self, until: Until) -> Result<Vec<QuestionTimes>, BenchError> {
        let measured = Metered::new(Arc::clone(&self.module), Questions::default());
        for _ in 0..WARM_UP {
            if let Decision::Undecided(failure) = self.decide(&measured) {
                return Err(BenchError::Undecided(failure));
            }
        }
        measured.meter().take();
        let mut times: BTreeMap<&'static str, (Vec<Duration>, u64)> = BTreeMap::new();
        let (started, mut count) = (Instant::now(), 0);
        while !until.is_reached(count, started) {
            cluster_domain(&measured, &self.context).map_err(BenchError::NoDomain)?;
            self.decide(&measured);
            count += 1;
            for Question { function, fuel, time, failure: _ } in measured.meter().take() {
                let (all, last_fuel) = times.entry(function).or_default();
                all.push(time);
                *last_fuel = fuel;
            }
        }
        let rows = ["domain-filter", "validate-hostname", "name-records"].into_iter();
        let rows = rows.filter_map(|function| {
            let (mut all, fuel) = times.remove(function)?;
            all.sort_unstable();
            Some(QuestionTimes { function, p50: percentile(&all, 50), p99: percentile(&all, 99), fuel })
        });
        Ok(rows.collect())
    }

    /// How many decisions so many threads make together.
    #[must_use]
    pub fn all_cores(&self, until: Until, threads: usize) -> Throughput {
        let begun = AtomicU64::new(0);
        let done = AtomicU64::new(0);
        let started = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while !until.is_reached(begun.fetch_add(1, Ordering::Relaxed), started) {
                        self.decide(&*self.module);
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        Throughput { decisions: done.into_inner(), took: started.elapsed() }
    }

    fn decide(&self, policy: &dyn Policy) -> Decision {
        let Self { module: _, context, allowed, asked } = self;
        decide(policy, context, allowed, asked)
    }
}

impl Throughput {
    /// Decisions per second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.decisions as f64 / self.took.as_secs_f64()
    }
}

impl Until {
    fn is_reached(self, count: u64, started: Instant) -> bool {
        match self {
            Self::Decisions(decisions) => count >= decisions,
            Self::Time(time) => started.elapsed() >= time && count > 0,
        }
    }
}

/// The value that this share of the sorted values does not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_micros).collect();
        assert_eq!(percentile(&times, 50), Duration::from_micros(100));
        assert_eq!(percentile(&times, 99), Duration::from_micros(198));
        assert_eq!(percentile(&times[..1], 99), Duration::from_micros(1));
    }
}
