//! What a policy means for one cluster.

use openmcp_dns_api::EVACUATE_ANNOTATION;
use openmcp_dns_core::ttl::TtlBounds;

use super::*;

fn policy_for(spec: Value, annotations: &[(&str, &str)]) -> ClusterPolicy {
    let scenario = Scenario::active(spec, "a1");
    let mut cluster = Cluster::default();
    let annotations = annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    cluster.metadata.annotations = Some(annotations.collect());
    scenario.policy.active().unwrap().for_cluster(&ClusterId::new("s", "w2"), &cluster)
}

#[test]
fn times_to_live_have_the_bounds_of_the_policy() {
    assert_eq!(policy_for(spec(), &[]).module.ttl, TtlBounds::default());
    let bounded = json!({ "baseDomain": "openmcp.cluster", "ttl": { "minSeconds": 30 } });
    let policy = policy_for(bounded, &[]);
    let expected = TtlBounds { min_seconds: 30, max_seconds: 86_400 };
    assert_eq!(policy.module.ttl, expected);
    assert_eq!(policy.module.allowed("w2.openmcp.cluster".parse().unwrap()).ttl, expected);
    assert!(!policy.module.answers_like(&policy_for(spec(), &[]).module), "all is decided anew");
}

#[test]
fn a_cluster_has_its_place_in_the_order_of_a_shared_name_and_may_be_taken_out() {
    let clusters = json!([{ "name": "w1", "namespace": "s" }, { "name": "w2", "namespace": "s" }]);
    let shared = |name: &str, serve: &str| json!({ "name": name, "clusters": clusters, "serve": serve });
    let spec = json!({
        "baseDomain": "openmcp.cluster",
        "sharedNames": [
            shared("first.openmcp.cluster", "First"),
            shared("all.openmcp.cluster", "All"),
            shared("elsewhere.example", "First"),
        ],
    });
    let precedence = policy_for(spec.clone(), &[(EVACUATE_ANNOTATION, "no")]).precedence;
    assert!(!precedence.is_evacuated);
    let places: Vec<_> = precedence
        .places
        .iter()
        .map(|(name, place)| (name.as_str(), place.number, place.failback_delay.as_secs()))
        .collect();
    assert_eq!(places, [("first.openmcp.cluster", 1, 60)]);
    assert!(policy_for(spec, &[(EVACUATE_ANNOTATION, "true")]).precedence.is_evacuated);
}
