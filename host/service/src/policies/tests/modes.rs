//! Monitor and Rollback.

use super::*;

#[test]
fn a_monitored_module_is_compared_and_decides_when_it_is_enforced() {
    let mut scenario = Scenario::active(spec(), "a1");
    let effects = scenario.set(json!({ "mode": "Monitor", "configuration": { "ttlSeconds": 5 } }));
    assert_eq!(scenario.modules(), ["a1", "", ""]);
    assert_eq!(scenario.admit(load(&effects), "b2"), [Effect::TellClusters]);
    assert_eq!(scenario.modules(), ["a1", "b2", ""]);
    assert_eq!(scenario.module_active().reason, Reason::Monitored);
    assert_eq!(scenario.policy.candidate_status(&PolicyCounts::default()).unwrap().sha256, "b2");
    let candidate = scenario.for_cluster("w1").unwrap().candidate.unwrap();
    let failure = candidate.policy.domain_filter(&candidate.context).unwrap_err();
    assert_eq!(failure.message, "p/candidate", "its questions are counted by themselves");

    let effects = scenario.set(json!({ "mode": "Enforce" }));
    scenario.admit(load(&effects), "b2");
    assert_eq!(scenario.modules(), ["b2", "", "a1"]);
    assert!(scenario.policy.candidate_status(&PolicyCounts::default()).is_none());
}

#[test]
fn monitoring_where_nothing_was_enforced_before_says_so() {
    let (mut scenario, effects) =
        Scenario::new(json!({ "baseDomain": "openmcp.cluster", "mode": "Monitor" }));
    scenario.admit(load(&effects), "a1");
    assert!(scenario.for_cluster("w1").is_none());
    let ready = scenario.policy.ready();
    assert_eq!((ready.status, ready.reason), (Some(false), Reason::NoActiveModule));
    assert_eq!(scenario.module_active(), ready);
}

#[test]
fn a_rollback_brings_the_module_before_back_at_once() {
    let mut scenario = Scenario::active(spec(), "a1");
    let effects = scenario.set(json!({ "configuration": { "ttlSeconds": 5 } }));
    scenario.admit(load(&effects), "b2");
    assert_eq!(scenario.modules(), ["b2", "", "a1"]);

    let effects = scenario.set(json!({ "mode": "Rollback" }));
    assert_eq!(scenario.modules(), ["a1", "b2", ""], "without a load");
    scenario.admit(load(&effects), "b2");
    assert_eq!(scenario.modules(), ["a1", "b2", ""]);
}

#[test]
fn a_rollback_after_a_restart_loads_the_module_before() {
    let status = json!({ "active": remembered(30), "previous": remembered(60) });
    let same = json!({ "ttlSeconds": 30 });
    let (mut scenario, effects) =
        Scenario::restarted(json!({ "baseDomain": "openmcp.cluster", "configuration": same }), &status);
    scenario.admit(load(&effects), "d0");

    let effects = scenario.set(json!({ "mode": "Rollback" }));
    let (candidate, before) = (load_of(&effects, ChosenBy::Spec), load_of(&effects, ChosenBy::Status));
    assert_eq!(before.choice.configuration, "{\"ttlSeconds\":60}");
    scenario.admit(candidate, "d0");
    assert_eq!(scenario.admit(before, "e0"), [Effect::TellClusters]);
    assert_eq!(scenario.modules(), ["e0", "d0", ""]);
}

#[test]
fn a_service_that_is_restarted_during_a_rollback_goes_on_with_it() {
    let status = json!({ "active": remembered(30), "previous": remembered(60) });
    let spec = json!({
        "baseDomain": "openmcp.cluster", "mode": "Rollback", "configuration": { "ttlSeconds": 30 },
    });
    let (_, effects) = Scenario::restarted(spec, &status);
    assert_eq!(load_of(&effects, ChosenBy::Status).choice.configuration, "{\"ttlSeconds\":60}");
}
