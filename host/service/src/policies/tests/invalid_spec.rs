//! Specs that are of no use, as a whole or in part.

use super::*;

#[test]
fn a_base_domain_that_is_no_name_puts_no_cluster_under_the_policy() {
    let scenario = Scenario::active(json!({ "baseDomain": "-" }), "a1");
    assert!(scenario.for_cluster("w1").is_none());
    let ready = scenario.policy.ready();
    assert_eq!((ready.status, ready.reason), (Some(false), Reason::InvalidSpec));
    assert!(ready.message.contains("spec.baseDomain \"-\""), "{ready:?}");
}

#[test]
fn a_shared_name_or_suffix_outside_the_zone_is_told_and_the_policy_is_in_force_without_it() {
    let of = |cluster: &str| json!([{ "name": cluster, "namespace": "s" }]);
    let scenario = Scenario::active(
        json!({
            "baseDomain": "openmcp.cluster",
            "sharedNames": [
                { "name": "shop.openmcp.cluster", "clusters": of("w1") },
                { "name": "elsewhere.example", "clusters": of("w1") },
            ],
            "sharedSuffixes": [
                { "suffix": "team.openmcp.cluster", "clusters": of("w1") },
                { "suffix": "*.team.openmcp.cluster", "clusters": of("w1") },
                { "suffix": "openmcp.cluster", "clusters": of("w1") },
            ],
        }),
        "a1",
    );
    let shared = |cluster: &str| {
        let names = scenario.for_cluster(cluster).unwrap().module.context.shared_names.clone();
        names.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(shared("w1"), ["shop.openmcp.cluster"]);
    assert_eq!(shared("w2"), [""; 0]);
    let suffixes = |cluster: &str| {
        let suffixes = scenario.for_cluster(cluster).unwrap().module.context.shared_suffixes.clone();
        suffixes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!((suffixes("w1"), suffixes("w2")), (vec!["team.openmcp.cluster".to_owned()], vec![]));
    let ready = scenario.policy.ready();
    assert_eq!((ready.status, ready.reason), (Some(false), Reason::InvalidSpec));
    for part in [
        "elsewhere.example does not lie below openmcp.cluster",
        "spec.sharedSuffixes: openmcp.cluster does not lie below openmcp.cluster",
        "*.team.openmcp.cluster is a wildcard",
    ] {
        assert!(ready.message.contains(part), "{ready:?}");
    }
}
