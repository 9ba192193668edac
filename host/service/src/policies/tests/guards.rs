//! Guards: they come, go and come back with the module that they stand before.

use super::*;

/// A guard that comes from a ConfigMap.
fn guard(name: &str, sha256: &str) -> Value {
    let key = json!({ "namespace": "a", "name": name });
    json!({ "name": name, "module": { "configMap": key, "sha256": sha256 }, "configuration": { "strict": true } })
}

fn behind(digest: &str, guards: &[(&str, &str)]) -> Loaded<Mock> {
    Mock::loaded(digest, None).map(|module| module.behind(guards))
}

/// A policy whose module decides behind one guard.
fn guarded() -> Scenario {
    let mut scenario = Scenario::active(spec(), "a1");
    let effects = scenario.set(json!({ "guards": [guard("quota", "b1")] }));
    scenario.handle(Input::Loaded(load(&effects), behind("a1", &[("quota", "b1")])));
    scenario
}

#[test]
fn a_guard_is_loaded_with_the_module_and_told_in_the_status() {
    let mut scenario = Scenario::active(spec(), "a1");
    let effects = scenario.set(json!({ "guards": [guard("quota", "b1"), guard("teams", "b2")] }));
    let Some(Effect::Follow(followed)) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(followed.iter().map(|key| &*key.name).collect::<Vec<_>>(), ["quota", "teams"]);
    let load = load(&effects);
    let names: Vec<_> =
        load.choice.guards.iter().map(|guard| (&*guard.name, &*guard.configuration)).collect();
    assert_eq!(names, [("quota", r#"{"strict":true}"#), ("teams", r#"{"strict":true}"#)]);

    // Until all of them are there, what decided before goes on.
    let trouble = ModuleError::Missing("there is no ConfigMap a/teams".to_owned()).of_guard("teams");
    scenario.fail(load.clone(), trouble);
    let finding = scenario.module_active();
    assert_eq!((finding.status, finding.reason), (Some(false), Reason::ModuleUnavailable));
    assert!(finding.message.ends_with("guard teams: there is no ConfigMap a/teams"), "{finding:?}");
    assert_eq!(scenario.policy.module_status().guards, []);

    let retry = self::load(&scenario.tick_after(SECOND));
    let loaded = behind("a1", &[("quota", "b1"), ("teams", "b2")]);
    assert_eq!(scenario.handle(Input::Loaded(retry, loaded)), [Effect::TellClusters]);
    let finding = scenario.module_active();
    assert_eq!(finding.status, Some(true));
    assert!(
        finding.message.ends_with("behind the guards quota (mock 1.0.0), teams (mock 1.0.0)"),
        "{finding:?}"
    );
    assert_eq!(scenario.policy.module_status().guards.len(), 2);
    // Each list shows the ConfigMaps again.
    assert_eq!(scenario.handle(Input::ConfigMapSeen(Some("b2".to_owned()))), []);
    assert_eq!(loads(&scenario.handle(Input::ConfigMapSeen(Some("b3".to_owned())))).len(), 1);
}

#[test]
fn a_rollback_takes_a_guard_back() {
    let mut scenario = guarded();
    let effects = scenario.set(json!({ "mode": "Rollback" }));
    assert_eq!(scenario.policy.module_status().guards, []);
    scenario.handle(Input::Loaded(load(&effects), behind("a1", &[("quota", "b1")])));
    let status = scenario.policy.module_status();
    assert_eq!((status.guards, status.active.unwrap().guards), (Vec::new(), Vec::new()));
}

#[test]
fn a_restarted_service_asks_the_guards_that_it_asked_before() {
    let before = guarded();
    let kept: Vec<_> = before.policy.to_keep().collect();
    assert_eq!(kept, [("b1".to_owned(), true)], "the standard module needs nobody to keep it");
    let active = serde_json::to_value(before.policy.module_status().active).unwrap();
    assert_eq!(active["guards"][0]["sha256"], "b1", "{active}");

    let (mut scenario, effects) = Scenario::restarted(before.spec, &json!({ "active": active }));
    let remembered = load_of(&effects, ChosenBy::Status);
    let digests = Digests { module: "a1".to_owned(), guards: vec!["b1".to_owned()] };
    assert_eq!(remembered.kept, Some(digests));
    assert_eq!(scenario.policy.to_keep().collect::<Vec<_>>(), [("b1".to_owned(), false)]);
    scenario.handle(Input::Loaded(remembered, behind("a1", &[("quota", "b1")])));
    assert_eq!(scenario.policy.to_keep().collect::<Vec<_>>(), [("b1".to_owned(), true)]);
    scenario.fail(load_of(&effects, ChosenBy::Spec), missing());
    assert_eq!(scenario.policy.module_status().guards[0].name, "quota");
}
