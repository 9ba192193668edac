//! When modules are loaded, and what becomes of the one that decides meanwhile.

use super::*;

#[test]
fn the_first_module_decides_as_soon_as_it_is_admitted() {
    let (mut scenario, effects) = Scenario::new(spec());
    assert_eq!(chosen(&effects), [ChosenBy::Spec]);
    assert!(scenario.for_cluster("w1").is_none());
    assert_eq!(scenario.policy.ready().reason, Reason::InProgress);

    assert_eq!(scenario.admit(load(&effects), "a1"), [Effect::TellClusters]);
    assert_eq!(scenario.modules(), ["a1", "", ""]);
    assert_eq!(scenario.policy.ready().message, "module mock 1.0.0 decides");
    assert_eq!(scenario.module_active().message, "module with SHA-256 a1 decides");
}

#[test]
fn a_load_that_failed_is_tried_again_after_waits_that_grow() {
    let (mut scenario, effects) = Scenario::new(spec());
    let mut last = load(&effects);
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(scenario.fail(last, missing()), []);
        assert_eq!(scenario.tick_after(wait * SECOND - SECOND / 2), []);
        last = load(&scenario.tick_after(SECOND / 2));
        // One attempt at a time.
        assert_eq!(scenario.tick_after(600 * SECOND), []);
    }
    assert!(scenario.policy.ready().message.contains("there is no ConfigMap a/b"));
    scenario.admit(last, "a1");
    assert_eq!(scenario.policy.ready().status, Some(true));
    assert_eq!(scenario.tick_after(600 * SECOND), []);
    let status = scenario.policy.module_status();
    assert_eq!(status.last_error, "");
    assert!(status.last_error_time.is_some(), "when it last went wrong is still of interest");
}

#[test]
fn services_that_failed_together_try_again_at_different_times() {
    let (mut scenario, effects) = Scenario::new(spec());
    scenario.now.random = 0.0;
    scenario.fail(load(&effects), missing());
    assert_eq!(chosen(&scenario.tick_after(SECOND / 2)), [ChosenBy::Spec]);
}

#[test]
fn a_module_that_is_refused_is_not_tried_again_until_something_else_is_chosen() {
    let (mut scenario, effects) = Scenario::new(spec());
    scenario.fail(load(&effects), ModuleError::NoDigest);
    assert_eq!(scenario.module_active().reason, Reason::ModuleRejected);
    assert_eq!(scenario.tick_after(3600 * SECOND), []);

    let effects = scenario.set(json!({ "configuration": { "ttlSeconds": 5 } }));
    assert_eq!(load(&effects).choice.configuration, "{\"ttlSeconds\":5}");
    assert_eq!(scenario.module_active().reason, Reason::InProgress);
}

#[test]
fn a_change_that_concerns_no_module_loads_none() {
    let mut scenario = Scenario::active(spec(), "a1");
    let shared =
        json!([{ "name": "shop.openmcp.cluster", "clusters": [{ "name": "w1", "namespace": "s" }] }]);
    assert_eq!(scenario.set(json!({ "sharedNames": shared })), []);
    assert_eq!(scenario.for_cluster("w1").unwrap().module.context.shared_names.len(), 1);
}

#[test]
fn an_answer_to_an_old_load_is_no_answer() {
    let (mut scenario, effects) = Scenario::new(spec());
    let old = load(&effects);
    let new = load(&scenario.set(json!({ "configuration": { "ttlSeconds": 5 } })));
    assert_eq!(scenario.admit(old.clone(), "a1"), []);
    assert!(scenario.for_cluster("w1").is_none());
    assert_eq!(scenario.admit(new, "b2"), [Effect::TellClusters]);
    assert_eq!(scenario.fail(old, missing()), []);
    assert_eq!(scenario.modules(), ["b2", "", ""]);
    assert_eq!(scenario.module_active().status, Some(true));
}

#[test]
fn a_config_map_is_followed_while_the_module_comes_from_it_and_a_change_loads_it_again() {
    let key = json!({ "namespace": "a", "name": "b" });
    let module = json!({ "configMap": key, "sha256": "a1" });
    let (mut scenario, effects) = Scenario::new(json!({ "baseDomain": "openmcp.cluster", "module": module }));
    let Some(Effect::Follow(followed)) = effects.first() else { panic!("{effects:?}") };
    let followed = followed.first().unwrap();
    assert_eq!((&*followed.namespace, &*followed.name, &*followed.key), ("a", "b", "module.wasm"));

    scenario.fail(load(&effects), missing());
    let again = load(&scenario.handle(Input::ConfigMapSeen(None)));
    assert_eq!(scenario.admit(again, "a1"), [Effect::TellClusters]);

    let effects = scenario.set(json!({ "module": { "builtIn": "standard" } }));
    assert_eq!(effects.first(), Some(&Effect::Follow(BTreeSet::new())));
}

#[test]
fn a_module_that_is_loaded_again_is_not_its_own_predecessor() {
    let mut scenario = Scenario::active(spec(), "a1");
    let again = load(&scenario.handle(Input::ConfigMapSeen(None)));
    scenario.admit(again, "a1");
    assert_eq!(scenario.modules(), ["a1", "", ""]);
}

#[test]
fn a_module_that_a_new_list_shows_again_is_not_loaded_again() {
    let seen = |digest: &str| Input::ConfigMapSeen(Some(digest.to_owned()));
    let (mut scenario, effects) = Scenario::new(spec());
    let again = load(&scenario.handle(seen("a1")));
    scenario.admit(load(&effects), "a1");
    assert!(scenario.for_cluster("w1").is_none(), "what was read before may be another one");
    scenario.admit(again, "a1");
    assert_eq!(scenario.handle(seen("a1")), []);
    let other = load(&scenario.handle(seen("b2")));
    scenario.admit(other, "b2");
    assert_eq!(scenario.modules(), ["b2", "", ""]);
}

#[test]
fn the_last_good_module_goes_on_deciding_when_another_is_not_compiled_in_time() {
    let mut scenario = Scenario::active(spec(), "a1");
    let late = ModuleError::NotCompiledInTime { limit: Duration::from_millis(1) };
    assert!(late.is_transient());
    let again = load(&scenario.handle(Input::ConfigMapSeen(None)));
    assert_eq!(scenario.fail(again, late), []);
    assert_eq!(scenario.modules(), ["a1", "", ""]);
    let finding = scenario.module_active();
    assert_eq!(finding.reason, Reason::ModuleUnavailable);
    assert!(finding.message.contains("goes on deciding: the module was not compiled"), "{finding:?}");
}
