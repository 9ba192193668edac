//! What is next for a cluster.

use kube::ResourceExt as _;
use openmcp_dns_core::cluster_policy::ClusterPolicy;
use openmcp_dns_core::name::HostName;

use super::{Desired, Governed, finalizer};
use openmcp_dns_api::{ZONE_ANNOTATION, ignored_by};

/// What is next for a cluster.
pub(super) enum Step<'d> {
    /// Somebody wants the `Cluster` left alone, its deletion included: its watches end, nothing is written, and what is
    /// published stays.
    Ignore,
    /// The duties are fulfilled under this policy.
    Fulfil(&'d ClusterPolicy),
    /// A policy selects the cluster, but cannot decide, and why: all stays as it is.
    Wait(&'d str),
    /// No policy selects it: its watches end. What is published stays, because a policy that was
    /// deleted by mistake must not take a landscape's names with it.
    Rest,
    /// Everything that was done for it is taken back.
    TakeBack,
    /// It is no longer ours: nothing of us is there.
    End,
}

/// Decides what is next. Once a cluster is `leaving`, it never comes back: what was begun to be taken
/// back is taken back, and who comes under the same name begins anew. It is ours while we hold it, or
/// have `governed` it in this life of the service.
pub(super) fn step(desired: &Desired, leaving: bool, governed: bool) -> Step<'_> {
    let Desired { cluster, present, governed: policy, access: _, gateway: _ } = desired;
    if *present && ignored_by(&**cluster).is_some() {
        return Step::Ignore;
    }
    if leaving || !present || cluster.metadata.deletion_timestamp.is_some() {
        let is_ours = governed || finalizer::is_held(cluster);
        return if is_ours { Step::TakeBack } else { Step::End };
    }
    match policy {
        Governed::No => Step::Rest,
        Governed::NotYet(why) => Step::Wait(why),
        Governed::By(policy) => Step::Fulfil(policy),
    }
}

/// The landscape's zone: from the policy, or as the `Cluster` carries it, or as it was `noted` in its `ClusterDNS`.
pub(super) fn zone(desired: &Desired, noted: Option<&HostName>) -> Option<HostName> {
    match &desired.governed {
        Governed::By(policy) => Some(policy.module.context.base_domain.clone()),
        Governed::No | Governed::NotYet(_) => {
            let carried = desired.cluster.annotations().get(ZONE_ANNOTATION);
            carried.and_then(|zone| zone.parse().ok()).or_else(|| noted.cloned())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;
    use openmcp_dns_core::cluster::{ClusterFacts, ClusterId};
    use openmcp_dns_core::cluster_policy::ClusterModule;
    use openmcp_dns_core::deletion_guard::DeletionLimits;
    use openmcp_dns_core::name::HostName;
    use openmcp_dns_core::policy::{
        CheckedClaim, Context, Policy, PolicyFailure, ProposedRecordSet, Verdict,
    };

    use super::*;
    use openmcp_dns_api::{Cluster, FINALIZER};

    /// Whether a cluster has a policy matters here, not what it decides.
    struct Unasked;

    impl Policy for Unasked {
        fn domain_filter(&self, _: &Context) -> Result<String, PolicyFailure> {
            unreachable!("nobody asks")
        }
        fn validate_hostname(
            &self,
            _: &Context,
            _: &HostName,
            _: &CheckedClaim,
        ) -> Result<Verdict, PolicyFailure> {
            unreachable!("nobody asks")
        }
        fn name_records(
            &self,
            _: &Context,
            _: &HostName,
            _: &CheckedClaim,
        ) -> Result<Vec<ProposedRecordSet>, PolicyFailure> {
            unreachable!("nobody asks")
        }
    }

    fn by() -> Governed {
        let cluster =
            ClusterFacts { id: ClusterId::new("ns", "w1"), purposes: Vec::new(), labels: Default::default() };
        let context = Context {
            base_domain: "openmcp.cluster".parse().unwrap(),
            cluster,
            configuration: "{}".to_owned(),
            shared_names: Vec::new(),
            shared_suffixes: Vec::new(),
        };
        Governed::By(Box::new(ClusterPolicy {
            policy_name: "landscape".to_owned(),
            module: ClusterModule {
                policy: Arc::new(Unasked),
                module_digest: "".into(),
                guards: Arc::default(),
                context: Arc::new(context),
                wildcards: false,
                ttl: openmcp_dns_core::ttl::TtlBounds::default(),
                srv_records: false,
            },
            candidate: None,
            sources: Arc::default(),
            limits: openmcp_dns_core::limits::Limits::default(),
            networks: Arc::default(),
            precedence: openmcp_dns_core::precedence::Precedence::default(),
            route_status: true,
            open_reports: true,
            deletion_limits: DeletionLimits { share_percent: 30, free_names: 10 },
            hold: Duration::ZERO,
            created_unix_seconds: 0,
        }))
    }

    fn desired(governed: Governed, change: impl Fn(&mut Cluster)) -> Desired {
        let mut cluster = Cluster::new("w1", Default::default());
        change(&mut cluster);
        Desired { cluster: Arc::new(cluster), present: true, governed, access: None, gateway: None }
    }

    fn held(cluster: &mut Cluster) {
        cluster.metadata.finalizers = Some(vec!["another".to_owned(), FINALIZER.to_owned()]);
    }

    fn deleted(cluster: &mut Cluster) {
        cluster.metadata.deletion_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn a_cluster_under_a_policy_is_served_and_one_without_is_left_as_it_is() {
        let nothing = |_: &mut Cluster| {};
        assert!(matches!(step(&desired(by(), nothing), false, false),
            Step::Fulfil(policy) if policy.policy_name == "landscape"));
        let loading = Governed::NotYet("loading".to_owned());
        assert!(matches!(step(&desired(loading, nothing), false, true), Step::Wait("loading")));
        assert!(matches!(step(&desired(Governed::No, nothing), false, true), Step::Rest));
        assert!(matches!(step(&desired(Governed::No, held), false, true), Step::Rest));
    }

    #[test]
    fn a_deleted_cluster_that_we_hold_is_cleaned_up_whatever_its_policy_is() {
        for governed in [by(), Governed::No, Governed::NotYet("loading".to_owned())] {
            let desired = desired(governed, |cluster| {
                held(cluster);
                deleted(cluster);
            });
            assert!(matches!(step(&desired, false, false), Step::TakeBack));
        }
    }

    #[test]
    fn a_cluster_whose_finalizer_somebody_removed_is_cleaned_up_all_the_same() {
        let mut gone = desired(by(), |_| {});
        gone.present = false;
        assert!(matches!(step(&gone, false, true), Step::TakeBack));
    }

    #[test]
    fn a_deleted_cluster_that_was_never_ours_is_left_alone() {
        assert!(matches!(step(&desired(by(), deleted), false, false), Step::End));
    }

    #[test]
    fn a_cluster_that_leaves_does_not_come_back() {
        let returned = desired(by(), held);
        assert!(matches!(step(&returned, true, true), Step::TakeBack));
        assert!(matches!(step(&desired(by(), |_| {}), true, false), Step::End));
    }

    #[test]
    fn the_zone_is_that_of_the_policy_and_else_what_the_cluster_carries_or_what_was_noted() {
        let carries = |zone: &'static str| {
            move |cluster: &mut Cluster| {
                cluster.metadata.annotations = Some([(ZONE_ANNOTATION.to_owned(), zone.to_owned())].into());
            }
        };
        let noted: HostName = "noted.cluster".parse().unwrap();
        let text = |desired: &Desired| zone(desired, Some(&noted)).map(|zone| zone.to_string());
        assert_eq!(text(&desired(by(), carries("old.cluster"))).as_deref(), Some("openmcp.cluster"));
        assert_eq!(text(&desired(Governed::No, carries("old.cluster"))).as_deref(), Some("old.cluster"));
        assert_eq!(text(&desired(Governed::No, carries("no zone"))).as_deref(), Some("noted.cluster"));
        assert_eq!(text(&desired(Governed::No, |_| {})).as_deref(), Some("noted.cluster"));
    }
}
