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
fn a_restart_is_no_activation_and_times_of_an_earlier_life_stay() {
    let earlier = "2026-01-01T00:00:00Z";
    let module = |seconds: u32| {
        json!({
            "active": remembered(seconds),
            "lastActivationTime": earlier, "lastDownloadTime": earlier, "lastErrorTime": earlier,
        })
    };
    let configured = json!({ "baseDomain": "openmcp.cluster", "configuration": { "ttlSeconds": 30 } });
    for (seconds, is_same) in [(30, true), (60, false)] {
        let (mut scenario, effects) = Scenario::restarted(configured.clone(), &module(seconds));
        let digest = remembered(seconds)["sha256"].as_str().unwrap().to_owned();
        scenario.admit(load_of(&effects, ChosenBy::Spec), &digest);
        let status = serde_json::to_value(scenario.policy.module_status()).unwrap();
        assert_eq!(status["lastActivationTime"] == earlier, is_same, "{status}");
        assert_eq!(
            (&status["lastDownloadTime"], &status["lastErrorTime"]),
            (&json!(earlier), &json!(earlier))
        );
    }
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
fn a_restarted_service_goes_on_with_what_is_kept_while_the_source_of_the_same_module_is_away() {
    let active = json!({ "sha256": "a1", "module": oci("registry.example/m:1")["module"] });
    for is_back_first in [false, true] {
        let (mut scenario, effects) =
            Scenario::restarted(oci("registry.example/m:1"), &json!({ "active": active }));
        let (kept, of_spec) = (load_of(&effects, ChosenBy::Status), load_of(&effects, ChosenBy::Spec));
        let digests = Digests { module: "a1".to_owned(), guards: Vec::new() };
        assert_eq!((&kept.kept, &of_spec.kept), (&Some(digests), &None));
        if !is_back_first {
            assert_eq!(scenario.admit(kept.clone(), "a1"), [Effect::TellClusters]);
            scenario.fail(of_spec.clone(), missing());
            let finding = scenario.module_active();
            assert_eq!(finding.reason, Reason::ModuleUnavailable);
            assert!(finding.message.contains("SHA-256 a1 goes on deciding"), "{finding:?}");
            assert_eq!(scenario.policy.ready().status, Some(true));
        }
        scenario.admit(of_spec, "a1");
        if is_back_first {
            scenario.admit(kept, "a1");
        }
        assert_eq!(scenario.modules(), ["a1", "", ""], "it is not its own predecessor");
        assert_eq!(scenario.module_active().status, Some(true));
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
