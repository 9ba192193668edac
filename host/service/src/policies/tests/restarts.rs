//! What a restarted service goes on with.

use super::*;

#[test]
fn a_module_that_decided_before_a_restart_is_missed_only_by_whoever_wants_it_back() {
    let (mut scenario, effects) = Scenario::restarted(spec(), &json!({ "active": remembered(30) }));
    assert_eq!(chosen(&effects), [ChosenBy::Status, ChosenBy::Spec]);

    let before = load_of(&effects, ChosenBy::Status);
    assert_eq!(before.choice.configuration, "{\"ttlSeconds\":30}");
    assert_eq!(scenario.fail(before, ModuleError::NoSource), []);
    assert_eq!(scenario.module_active().status, Some(false));

    assert_eq!(scenario.admit(load_of(&effects, ChosenBy::Spec), "a1"), [Effect::TellClusters]);
    assert_eq!(scenario.module_active().status, Some(true));
    let previous = scenario.policy.module_status().previous.unwrap();
    assert_eq!(previous.configuration, Some(json!({ "ttlSeconds": 30 })));

    let effects = scenario.set(json!({ "mode": "Rollback" }));
    assert_eq!(chosen(&effects), [ChosenBy::Spec, ChosenBy::Status]);
    assert_eq!(load_of(&effects, ChosenBy::Status).choice.configuration, "{\"ttlSeconds\":30}");
}

#[test]
fn a_restarted_service_restores_what_decides_instead_of_the_module_in_the_spec() {
    let same = json!({ "ttlSeconds": 30 });
    for (mode, configuration, expected) in [
        ("Enforce", &same, &[ChosenBy::Spec][..]),
        ("Monitor", &same, &[ChosenBy::Status, ChosenBy::Spec]),
        ("Monitor", &json!({}), &[ChosenBy::Status, ChosenBy::Spec]),
        ("Rollback", &json!({}), &[ChosenBy::Status, ChosenBy::Spec]),
    ] {
        let spec = json!({ "baseDomain": "openmcp.cluster", "mode": mode, "configuration": configuration });
        let (_, effects) = Scenario::restarted(spec, &json!({ "active": remembered(30) }));
        assert_eq!(chosen(&effects), expected, "{mode}");
    }
}

#[test]
fn a_restarted_service_goes_on_with_the_module_that_decided_when_that_of_the_spec_is_refused() {
    let (mut scenario, effects) = Scenario::restarted(spec(), &json!({ "active": remembered(30) }));
    scenario.fail(load_of(&effects, ChosenBy::Spec), ModuleError::NoDigest);
    assert!(scenario.for_cluster("w1").is_none());
    let active = scenario.policy.module_status().active.unwrap();
    assert_eq!(active.sha256, "d0", "it is remembered until something else decides");

    assert_eq!(scenario.admit(load_of(&effects, ChosenBy::Status), "d0"), [Effect::TellClusters]);
    assert_eq!(scenario.modules(), ["d0", "", ""]);
    assert!(scenario.module_active().message.contains("goes on deciding: spec.module.sha256 is missing"));
}

#[test]
fn a_remembered_module_that_comes_after_that_of_the_spec_could_come_back() {
    let (mut scenario, effects) = Scenario::restarted(spec(), &json!({ "active": remembered(30) }));
    scenario.admit(load_of(&effects, ChosenBy::Spec), "a1");
    scenario.admit(load_of(&effects, ChosenBy::Status), "d0");
    assert_eq!(scenario.modules(), ["a1", "", "d0"]);
}
