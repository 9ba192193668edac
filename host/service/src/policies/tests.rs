//! The life cycle of a policy, as scenarios.

use std::sync::Arc;
use std::time::Duration;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::cluster_policy::ClusterPolicy;
use serde_json::{Value, json};

use super::test_support::{Mock, TAG_CHECK, moment, policy};
use super::{ChosenBy, Effect, Input, Load, Moment, PolicyLifeCycle};
use crate::report::tally::Sum;
use openmcp_dns_api::conditions::{Finding, Reason};
use openmcp_dns_api::{Cluster, DNSPolicy};
use openmcp_dns_modules::{Facts, Loaded, ModuleError};

const SECOND: Duration = Duration::from_secs(1);

/// A policy, the loads that it wants, and a clock.
struct Scenario {
    policy: PolicyLifeCycle<Mock>,
    spec: Value,
    now: Moment,
}

impl Scenario {
    /// A policy of which nothing is remembered.
    fn new(spec: Value) -> (Self, Vec<Effect>) {
        Self::restarted(spec, &json!({}))
    }

    /// A policy whose status remembers modules.
    fn restarted(spec: Value, module: &Value) -> (Self, Vec<Effect>) {
        let mut object = object(&spec);
        object.status = Some(serde_json::from_value(json!({ "module": module })).unwrap());
        let (policy, effects) = PolicyLifeCycle::new(Arc::new(object), TAG_CHECK);
        (Self { policy, spec, now: moment() }, effects)
    }

    /// A policy whose module, of this digest, decides.
    fn active(spec: Value, digest: &str) -> Self {
        let (mut scenario, effects) = Self::new(spec);
        scenario.admit(load(&effects), digest);
        scenario
    }

    fn handle(&mut self, input: Input<Mock>) -> Vec<Effect> {
        self.policy.handle(input, &self.now)
    }

    /// The spec has these fields from now on, besides those that it had.
    fn set(&mut self, fields: Value) -> Vec<Effect> {
        for (key, value) in fields.as_object().unwrap() {
            self.spec[key] = value.clone();
        }
        let mut changed = object(&self.spec);
        changed.status = self.policy.policy().status.clone();
        self.handle(Input::Changed(Arc::new(changed)))
    }

    fn admit(&mut self, load: Load, digest: &str) -> Vec<Effect> {
        self.handle(Input::Loaded(load, Mock::loaded(digest, Some(&format!("sha256:{digest}")))))
    }

    fn fail(&mut self, load: Load, error: ModuleError) -> Vec<Effect> {
        self.handle(Input::Loaded(load, Loaded { facts: Facts::default(), module: Err(error) }))
    }

    fn tick_after(&mut self, wait: Duration) -> Vec<Effect> {
        self.now.instant += wait;
        self.handle(Input::Tick)
    }

    fn module_active(&self) -> Finding {
        self.policy.module_active(&Sum::default())
    }

    /// The policy as it holds for a cluster.
    fn for_cluster(&self, name: &str) -> Option<ClusterPolicy> {
        Some(self.policy.active()?.for_cluster(&ClusterId::new("s", name), &Cluster::default()))
    }

    /// Digests of the modules that decides, that is compared with it, and that could come back.
    fn modules(&self) -> [String; 3] {
        let cluster = self.for_cluster("w1").unwrap();
        let candidate = cluster.candidate.map(|candidate| candidate.module_digest.to_string());
        let previous = self.policy.module_status().previous.map(|previous| previous.sha256);
        [
            cluster.module.module_digest.to_string(),
            candidate.unwrap_or_default(),
            previous.unwrap_or_default(),
        ]
    }
}

fn object(spec: &Value) -> DNSPolicy {
    policy("p", 1, spec.clone())
}

fn spec() -> Value {
    json!({ "baseDomain": "openmcp.cluster" })
}

fn oci(reference: &str) -> Value {
    json!({ "baseDomain": "openmcp.cluster", "module": { "oci": { "reference": reference }, "sha256": "a1" } })
}

/// The status of a service that was restarted: the module with a TTL of so many seconds decided.
fn remembered(seconds: u32) -> Value {
    json!({ "sha256": "d0", "module": { "builtIn": "standard" }, "configuration": { "ttlSeconds": seconds } })
}

fn loads(effects: &[Effect]) -> Vec<Load> {
    let loads = effects.iter().filter_map(|effect| match effect {
        Effect::Load(load) => Some(load.clone()),
        _ => None,
    });
    loads.collect()
}

/// The only load.
#[track_caller]
fn load(effects: &[Effect]) -> Load {
    let mut loads = loads(effects);
    assert_eq!(loads.len(), 1, "{effects:?}");
    loads.remove(0)
}

/// The load of what is chosen by this.
fn load_of(effects: &[Effect], chosen_by: ChosenBy) -> Load {
    loads(effects).into_iter().find(|load| load.chosen_by == chosen_by).unwrap()
}

fn chosen(effects: &[Effect]) -> Vec<ChosenBy> {
    loads(effects).into_iter().map(|load| load.chosen_by).collect()
}

fn missing() -> ModuleError {
    ModuleError::Missing("there is no ConfigMap a/b".to_owned())
}

// === loading ===

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
    let Some(Effect::Follow(Some(followed))) = effects.first() else { panic!("{effects:?}") };
    assert_eq!((&*followed.namespace, &*followed.name, &*followed.key), ("a", "b", "module.wasm"));

    scenario.fail(load(&effects), missing());
    let again = load(&scenario.handle(Input::ConfigMapChanged));
    assert_eq!(scenario.admit(again, "a1"), [Effect::TellClusters]);

    let effects = scenario.set(json!({ "module": { "builtIn": "standard" } }));
    assert_eq!(effects.first(), Some(&Effect::Follow(None)));
}

#[test]
fn a_module_that_is_loaded_again_is_not_its_own_predecessor() {
    let mut scenario = Scenario::active(spec(), "a1");
    let again = load(&scenario.handle(Input::ConfigMapChanged));
    scenario.admit(again, "a1");
    assert_eq!(scenario.modules(), ["a1", "", ""]);
}

// === tags ===

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

// === Monitor and Rollback ===

#[test]
fn a_monitored_module_is_compared_and_decides_when_it_is_enforced() {
    let mut scenario = Scenario::active(spec(), "a1");
    let effects = scenario.set(json!({ "mode": "Monitor", "configuration": { "ttlSeconds": 5 } }));
    assert_eq!(scenario.modules(), ["a1", "", ""]);
    assert_eq!(scenario.admit(load(&effects), "b2"), [Effect::TellClusters]);
    assert_eq!(scenario.modules(), ["a1", "b2", ""]);
    assert_eq!(scenario.module_active().reason, Reason::Monitored);
    assert_eq!(scenario.policy.candidate_status(&Sum::default()).unwrap().sha256, "b2");
    let candidate = scenario.for_cluster("w1").unwrap().candidate.unwrap();
    let failure = candidate.policy.domain_filter(&candidate.context).unwrap_err();
    assert_eq!(failure.message, "p/candidate", "its questions are counted by themselves");

    let effects = scenario.set(json!({ "mode": "Enforce" }));
    scenario.admit(load(&effects), "b2");
    assert_eq!(scenario.modules(), ["b2", "", "a1"]);
    assert!(scenario.policy.candidate_status(&Sum::default()).is_none());
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

// === restarts ===

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

// === what goes on ===

#[test]
fn the_last_good_module_goes_on_deciding_when_another_is_not_compiled_in_time() {
    let mut scenario = Scenario::active(spec(), "a1");
    let late = ModuleError::NotCompiledInTime { limit: Duration::from_millis(1) };
    assert!(late.is_transient());
    let again = load(&scenario.handle(Input::ConfigMapChanged));
    assert_eq!(scenario.fail(again, late), []);
    assert_eq!(scenario.modules(), ["a1", "", ""]);
    let finding = scenario.module_active();
    assert_eq!(finding.reason, Reason::ModuleUnavailable);
    assert!(finding.message.contains("goes on deciding: the module was not compiled"), "{finding:?}");
}

#[test]
fn a_base_domain_that_is_no_name_puts_no_cluster_under_the_policy() {
    let scenario = Scenario::active(json!({ "baseDomain": "-" }), "a1");
    assert!(scenario.for_cluster("w1").is_none());
    let ready = scenario.policy.ready();
    assert_eq!((ready.status, ready.reason), (Some(false), Reason::InvalidSpec));
    assert!(ready.message.contains("spec.baseDomain \"-\""), "{ready:?}");
}

#[test]
fn a_shared_name_outside_the_zone_is_told_and_the_policy_is_in_force_without_it() {
    let of = |cluster: &str| json!([{ "name": cluster, "namespace": "s" }]);
    let scenario = Scenario::active(
        json!({
            "baseDomain": "openmcp.cluster",
            "sharedNames": [
                { "name": "shop.openmcp.cluster", "clusters": of("w1") },
                { "name": "elsewhere.example", "clusters": of("w1") },
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
    let ready = scenario.policy.ready();
    assert_eq!((ready.status, ready.reason), (Some(false), Reason::InvalidSpec));
    assert!(ready.message.contains("elsewhere.example does not lie below openmcp.cluster"), "{ready:?}");
}
