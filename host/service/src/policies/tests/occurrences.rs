//! What is told of the modules.

use super::*;
use crate::policies::ModuleOccurrence;
use openmcp_dns_api::dns_policy::Mode;

fn loaded(digest: &str, chosen_by: ChosenBy, mode: Mode, decides: bool) -> ModuleOccurrence {
    ModuleOccurrence::Loaded { digest: digest.to_owned(), chosen_by, mode, decides }
}

#[test]
fn a_module_that_is_loaded_says_whether_it_decides() {
    let mut scenario = Scenario::active(spec(), "a1");
    assert_eq!(scenario.take_told(), [loaded("a1", ChosenBy::Spec, Mode::Enforce, true)]);
    let effects = scenario.set(json!({ "mode": "Monitor", "configuration": { "ttlSeconds": 5 } }));
    scenario.admit(load(&effects), "b2");
    assert_eq!(scenario.take_told(), [loaded("b2", ChosenBy::Spec, Mode::Monitor, false)]);
}

#[test]
fn a_module_that_is_remembered_decides_unless_that_of_the_spec_was_faster() {
    for (first, decides) in [(ChosenBy::Status, true), (ChosenBy::Spec, false)] {
        let (mut scenario, effects) = Scenario::restarted(spec(), &json!({ "active": remembered(30) }));
        let both = [load_of(&effects, ChosenBy::Spec), load_of(&effects, ChosenBy::Status)];
        let [of_spec, of_status] = both;
        if first == ChosenBy::Spec {
            scenario.admit(of_spec, "a1");
            scenario.take_told();
            // What it would take to load the other one is not done any more, but it may be under way.
            assert_eq!(scenario.admit(of_status, "d0"), [Effect::TellClusters]);
        } else {
            scenario.admit(of_status, "d0");
        }
        assert_eq!(scenario.take_told(), [loaded("d0", ChosenBy::Status, Mode::Enforce, decides)]);
    }
}

#[test]
fn trouble_is_told_once_and_again_when_it_is_another_one() {
    let (mut scenario, effects) = Scenario::new(spec());
    let mut next = load(&effects);
    for (error, told) in [(missing(), 1), (missing(), 0), (ModuleError::NoDigest, 1)] {
        let message = openmcp_dns_core::chain(&error);
        scenario.fail(next.clone(), error);
        let expected = vec![ModuleOccurrence::Refused { message }; told];
        assert_eq!(scenario.take_told(), expected);
        next = load(&scenario.handle(Input::ConfigMapSeen(None)));
    }
}

#[test]
fn a_rollback_is_told_when_it_happens() {
    let mut scenario = Scenario::active(spec(), "a1");
    let effects = scenario.set(json!({ "configuration": { "ttlSeconds": 5 } }));
    scenario.admit(load(&effects), "b2");
    scenario.take_told();
    scenario.set(json!({ "mode": "Rollback" }));
    assert_eq!(scenario.take_told(), [ModuleOccurrence::RolledBack]);
}

#[test]
fn a_tag_that_moves_is_told_and_one_that_cannot_be_looked_up_once() {
    let mut scenario = Scenario::active(oci("registry.example/policy:1"), "a1");
    let effects = scenario.tick_after(TAG_CHECK);
    let [Effect::LookUp(number, _)] = effects[..] else { panic!("{effects:?}") };
    scenario.take_told();
    for told in [1, 0] {
        scenario.handle(Input::Resolved(number, Err(missing())));
        let message = "unable to see whether the tag has moved: there is no ConfigMap a/b".to_owned();
        assert_eq!(scenario.take_told(), vec![ModuleOccurrence::TagUnknown { message }; told]);
    }
    scenario.handle(Input::Resolved(number, Ok("sha256:b2".to_owned())));
    assert_eq!(scenario.take_told(), [ModuleOccurrence::TagMoved { digest: "sha256:b2".to_owned() }]);
}
