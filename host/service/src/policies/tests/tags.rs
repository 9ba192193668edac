//! Tags that move.

use super::*;

#[test]
fn a_tag_that_has_moved_loads_the_module_anew() {
    let mut scenario = Scenario::active(oci("registry.example/policy:1"), "a1");
    assert_eq!(scenario.tick_after(TAG_CHECK - SECOND), []);
    let effects = scenario.tick_after(SECOND);
    let [Effect::LookUp(number, oci)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(oci.reference, "registry.example/policy:1");
    assert_eq!(scenario.tick_after(SECOND), [], "it is looked up once");

    assert_eq!(scenario.handle(Input::Resolved(*number, Ok("sha256:a1".to_owned()))), []);
    let moved = scenario.handle(Input::Resolved(*number, Ok("sha256:b2".to_owned())));
    scenario.admit(load(&moved), "b2");
    // It is the same choice: who wants the old bytes back has to name them.
    assert_eq!(scenario.modules(), ["b2", "", ""]);
    assert_eq!(scenario.policy.module_status().resolved_reference, "registry.example/policy:1@sha256:b2");
}

#[test]
fn a_tag_that_cannot_be_looked_up_takes_no_module_away() {
    let mut scenario = Scenario::active(oci("registry.example/policy:1"), "a1");
    let effects = scenario.tick_after(TAG_CHECK);
    let [Effect::LookUp(number, _)] = effects[..] else { panic!("{effects:?}") };
    assert_eq!(scenario.handle(Input::Resolved(number, Err(missing()))), []);
    assert_eq!(scenario.modules(), ["a1", "", ""]);
    assert_eq!(scenario.module_active().status, Some(true));
    let error = scenario.policy.module_status().last_error;
    assert_eq!(error, "unable to see whether the tag has moved: there is no ConfigMap a/b");

    assert!(matches!(scenario.tick_after(TAG_CHECK)[..], [Effect::LookUp(..)]));
    scenario.handle(Input::Resolved(number, Ok("sha256:a1".to_owned())));
    assert_eq!(scenario.policy.module_status().last_error, "");
}

#[test]
fn what_a_tag_meant_for_an_earlier_load_does_not_count() {
    let mut scenario = Scenario::active(oci("registry.example/policy:1"), "a1");
    let effects = scenario.tick_after(TAG_CHECK);
    let [Effect::LookUp(number, _)] = effects[..] else { panic!("{effects:?}") };
    let other = json!({ "oci": { "reference": "registry.example/policy:2" }, "sha256": "b2" });
    let new = load(&scenario.set(json!({ "module": other })));
    assert_eq!(scenario.handle(Input::Resolved(number, Ok("sha256:c3".to_owned()))), []);
    assert_eq!(scenario.tick_after(10 * TAG_CHECK), [], "no tag is looked up while a load is under way");
    scenario.admit(new, "b2");
    assert!(matches!(scenario.tick_after(TAG_CHECK)[..], [Effect::LookUp(..)]));
}

#[test]
fn a_digest_cannot_move_so_nobody_looks_it_up() {
    let mut scenario = Scenario::active(oci("registry.example/policy:1@sha256:a1"), "a1");
    assert_eq!(scenario.tick_after(100 * TAG_CHECK), []);
}
