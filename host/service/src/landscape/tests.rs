//! The landscape as it changes: what follows for whom.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

use super::state::{Effect, Input, Landscape};
use crate::clusters::{Desired, Governed};
use crate::inventory::Access;
use crate::policies::test_support::{LANDSCAPE, Mock, moment, policy};
use crate::policies::{self, Load};
use crate::watch::Update;
use openmcp_dns_api::conditions::now;
use openmcp_dns_api::{CONFIRM_ANNOTATION, Cluster, ClusterDNS, DNSPolicy, FINALIZER};
use openmcp_dns_core::cluster::ClusterId;

fn id(name: &str) -> ClusterId {
    ClusterId::new("s", name)
}

fn cluster(name: &str) -> Cluster {
    let mut cluster = Cluster::default();
    cluster.metadata.name = Some(name.to_owned());
    cluster.metadata.namespace = Some("s".to_owned());
    cluster
}

/// A policy for these clusters.
fn policy_of(name: &str, second: i64, clusters: &[&str]) -> DNSPolicy {
    let identities: Vec<_> = clusters.iter().map(|name| json!({ "name": name, "namespace": "s" })).collect();
    let selector = json!({ "matchIdentities": identities });
    policy(name, second, json!({ "baseDomain": "openmcp.cluster", "clusterSelector": selector }))
}

fn access(name: &str) -> (ClusterId, Access) {
    (id(name), Access::by_kubeconfig(format!("Secret s/{name}"), Ok(String::new())))
}

fn handle(landscape: &mut Landscape<Mock>, input: Input<Mock>) -> Vec<Effect> {
    landscape.handle(input, &moment())
}

/// A landscape of the clusters w1 and w2, with access to both, and these policies, whose modules are being
/// loaded; with what follows from the policies.
fn landscape(policies: Vec<DNSPolicy>) -> (Landscape<Mock>, Vec<Effect>) {
    let mut landscape = Landscape::new(LANDSCAPE);
    handle(&mut landscape, Input::Gateways(Update::All(Vec::new())));
    handle(&mut landscape, Input::Clusters(Update::All(vec![cluster("w1"), cluster("w2")])));
    handle(&mut landscape, Input::Access(Update::All(vec![access("w1"), access("w2")])));
    let effects = handle(&mut landscape, Input::Policies(Update::All(policies)));
    (landscape, effects)
}

#[test]
fn the_reverse_zones_of_listed_networks_are_served_beside_the_zones_of_policies_in_force() {
    let listing = |name: &str, second: i64, zone: &str, networks: &[&str]| {
        let records = json!({ "ptr": { "networks": networks } });
        policy(name, second, json!({ "baseDomain": zone, "records": records }))
    };
    let (landscape, _) = landscape(vec![
        listing("a", 1, "a.cluster", &["10.1.0.0/16", "no network", "fd00:1::/32"]),
        listing("inside", 2, "x.a.cluster", &["10.2.0.0/16"]),
        listing("b", 3, "b.cluster", &["10.1.0.0/16"]),
    ]);
    let zones: Vec<String> = landscape.zones().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(zones, ["1.0.0.0.0.0.d.f.ip6.arpa", "1.10.in-addr.arpa", "a.cluster", "b.cluster"]);
}

fn assigned(effects: &[Effect]) -> Vec<&str> {
    let assigned = effects.iter().filter_map(|effect| match effect {
        Effect::Assign(id) => Some(&*id.name),
        _ => None,
    });
    assigned.collect()
}

fn forgotten(effects: &[Effect]) -> Vec<&str> {
    let forgotten = effects.iter().filter_map(|effect| match effect {
        Effect::Forget(policy) => Some(&**policy),
        _ => None,
    });
    forgotten.collect()
}

fn loads(effects: &[Effect]) -> Vec<(&str, Load)> {
    let loads = effects.iter().filter_map(|effect| match effect {
        Effect::Policy(policy, policies::Effect::Load(load)) => Some((&**policy, load.clone())),
        _ => None,
    });
    loads.collect()
}

/// All these loads have gone well.
fn admit(landscape: &mut Landscape<Mock>, effects: &[Effect]) -> Vec<Effect> {
    let mut followed = Vec::new();
    for (policy, load) in loads(effects) {
        let loaded = policies::Input::Loaded(load, Mock::loaded("a1", None));
        followed.extend(handle(landscape, Input::Policy(policy.to_owned(), Box::new(loaded))));
    }
    followed
}

fn policy_for(landscape: &Landscape<Mock>, name: &str) -> String {
    match landscape.desired(&id(name)).unwrap().governed {
        Governed::No => "none".to_owned(),
        Governed::NotYet(_) => "not yet".to_owned(),
        Governed::By(policy) => policy.policy_name,
    }
}

#[test]
fn a_list_that_has_not_been_read_is_not_an_empty_one() {
    let all = || {
        [
            Input::Clusters(Update::All(vec![cluster("w1")])),
            Input::Policies(Update::All(Vec::new())),
            Input::Gateways(Update::All(Vec::new())),
            Input::Access(Update::All(Vec::new())),
        ]
    };
    for unread in 0..4 {
        let mut landscape = Landscape::new(LANDSCAPE);
        let mut read = all().into_iter().enumerate().collect::<Vec<_>>();
        let (_, last) = read.remove(unread);
        for (_, input) in read {
            handle(&mut landscape, input);
        }
        assert!(!landscape.is_known() && landscape.desired(&id("w1")).is_none(), "{unread}");
        assert_eq!(assigned(&handle(&mut landscape, last)), ["w1"], "{unread}");
        assert!(landscape.is_known() && landscape.desired(&id("w1")).is_some(), "{unread}");
    }
}

#[test]
fn a_change_before_the_first_list_says_nothing() {
    let mut landscape = Landscape::<Mock>::new(LANDSCAPE);
    for input in [
        Input::Clusters(Update::Set(Box::new(cluster("w1")))),
        Input::Policies(Update::Set(Box::new(policy_of("p", 1, &["w1"])))),
        Input::Access(Update::Set(Box::new(access("w1")))),
    ] {
        assert!(handle(&mut landscape, input).is_empty());
    }
    assert!(!landscape.is_known());
}

#[test]
fn clusters_are_told_when_the_module_of_their_policy_is_admitted() {
    let (mut landscape, effects) = landscape(vec![policy_of("p", 1, &["w1"])]);
    assert_eq!(policy_for(&landscape, "w1"), "not yet");
    assert_eq!(policy_for(&landscape, "w2"), "none");
    let effects = admit(&mut landscape, &effects);
    assert_eq!(assigned(&effects), ["w1", "w2"]);
    assert_eq!(policy_for(&landscape, "w1"), "p");
}

#[test]
fn an_older_policy_takes_a_cluster_over_and_leaves_it_when_it_is_deleted() {
    let (mut landscape, effects) = landscape(vec![policy_of("new", 9, &["w1"])]);
    admit(&mut landscape, &effects);
    let effects =
        handle(&mut landscape, Input::Policies(Update::Set(Box::new(policy_of("old", 5, &["w1"])))));
    assert_eq!(policy_for(&landscape, "w1"), "not yet", "it belongs to the older one already");
    admit(&mut landscape, &effects);
    assert_eq!(policy_for(&landscape, "w1"), "old");

    let gone = Update::Removed(Box::new(policy_of("old", 5, &["w1"])));
    let effects = handle(&mut landscape, Input::Policies(gone));
    assert_eq!((forgotten(&effects), assigned(&effects)), (vec!["old"], vec!["w1", "w2"]));
    assert_eq!(policy_for(&landscape, "w1"), "new");
}

#[test]
fn a_write_of_the_status_of_a_policy_has_no_cluster_looked_at() {
    let (mut landscape, effects) = landscape(vec![policy_of("p", 1, &["w1"])]);
    admit(&mut landscape, &effects);
    let mut written = policy_of("p", 1, &["w1"]);
    written.metadata.resource_version = Some("2".to_owned());
    written.status = Some(serde_json::from_value(json!({ "published": 7 })).unwrap());
    let mut seen =
        |policy: &DNSPolicy| handle(&mut landscape, Input::Policies(Update::Set(Box::new(policy.clone()))));
    assert_eq!(assigned(&seen(&written)), [""; 0]);
    let mut changed = policy_of("p", 1, &["w2"]);
    changed.status = written.status;
    assert_eq!(assigned(&seen(&changed)), ["w1", "w2"]);
    changed.metadata.deletion_timestamp = changed.metadata.creation_timestamp.clone();
    assert_eq!(assigned(&seen(&changed)), ["w1", "w2"]);
    assert_eq!(policy_for(&landscape, "w2"), "none");
}

#[test]
fn a_policy_that_is_being_deleted_holds_for_no_cluster() {
    let mut leaving = policy_of("old", 5, &["w1"]);
    leaving.metadata.deletion_timestamp = leaving.metadata.creation_timestamp.clone();
    let (mut landscape, effects) = landscape(vec![leaving, policy_of("new", 9, &["w1"])]);
    admit(&mut landscape, &effects);
    assert_eq!(policy_for(&landscape, "w1"), "new");
}

#[test]
fn a_new_list_keeps_the_modules_of_the_policies_that_are_still_in_it() {
    let (mut landscape, effects) = landscape(vec![policy_of("a", 1, &["w1"]), policy_of("b", 1, &["w2"])]);
    admit(&mut landscape, &effects);
    let effects = handle(&mut landscape, Input::Policies(Update::All(vec![policy_of("a", 1, &["w1"])])));
    assert_eq!(loads(&effects), []);
    assert_eq!(forgotten(&effects), ["b"]);
    assert_eq!(policy_for(&landscape, "w1"), "a");
    assert_eq!(policy_for(&landscape, "w2"), "none");
}

#[test]
fn a_cluster_that_is_missing_in_a_new_list_is_not_one_whose_deletion_was_seen() {
    let (mut landscape, _) = landscape(Vec::new());
    let effects = handle(&mut landscape, Input::Clusters(Update::All(vec![cluster("w2")])));
    assert_eq!(assigned(&effects), ["w2"]);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Release(..))));
    assert!(landscape.desired(&id("w1")).is_none());
}

#[test]
fn the_controller_of_a_deleted_cluster_learns_under_which_policy_it_stood() {
    let (mut landscape, effects) = landscape(vec![policy_of("p", 1, &["w1"])]);
    admit(&mut landscape, &effects);
    let effects = handle(&mut landscape, Input::Clusters(Update::Removed(Box::new(cluster("w1")))));
    let [Effect::Release(released, Desired { present: false, governed, access, .. })] = &effects[..] else {
        panic!("{}", effects.len())
    };
    assert_eq!(*released, id("w1"));
    assert!(matches!(governed, Governed::By(policy) if policy.policy_name == "p"));
    assert!(access.is_some(), "clean-up needs the way into the cluster");
    assert!(landscape.desired(&id("w1")).is_none());
}

#[test]
fn a_cluster_that_was_released_is_not_taken_back_again_while_the_watch_still_shows_it_and_one_made_anew_is_taken_up()
 {
    let (mut landscape, _) = landscape(Vec::new());
    let of_uid = |uid: &str| {
        let mut cluster = cluster("w1");
        cluster.metadata.uid = Some(uid.to_owned());
        cluster
    };
    let set = |cluster: Cluster| Input::Clusters(Update::Set(Box::new(cluster)));
    let mut leaves = of_uid("first");
    leaves.metadata.deletion_timestamp = Some(Time(now()));
    leaves.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
    handle(&mut landscape, set(leaves.clone()));
    assert!(landscape.desired(&id("w1")).is_some());
    handle(&mut landscape, Input::Ended(id("w1")));
    assert!(landscape.desired(&id("w1")).is_none());
    // What was written before our finalizer went comes late.
    handle(&mut landscape, set(leaves.clone()));
    assert!(landscape.desired(&id("w1")).is_none());
    handle(&mut landscape, Input::Clusters(Update::Removed(Box::new(leaves.clone()))));
    handle(&mut landscape, set(of_uid("second")));
    assert!(landscape.desired(&id("w1")).is_some());

    // It may have come before the controller has ended.
    handle(&mut landscape, set(leaves));
    handle(&mut landscape, set(of_uid("third")));
    assert_eq!(assigned(&handle(&mut landscape, Input::Ended(id("w1")))), ["w1"]);
    assert!(landscape.desired(&id("w1")).is_some());
}

#[test]
fn access_that_is_granted_or_withdrawn_concerns_its_cluster_alone() {
    let (mut landscape, _) = landscape(Vec::new());
    let withdrawn = Input::Access(Update::Removed(Box::new(access("w1"))));
    assert_eq!(assigned(&handle(&mut landscape, withdrawn)), ["w1"]);
    assert!(landscape.desired(&id("w1")).unwrap().access.is_none());
    let granted = Input::Access(Update::Set(Box::new(access("w1"))));
    assert_eq!(assigned(&handle(&mut landscape, granted)), ["w1"]);
    assert_eq!(landscape.desired(&id("w1")).unwrap().access, Some(access("w1").1));
}

#[test]
fn a_watch_in_trouble_changes_nothing() {
    let (mut landscape, effects) = landscape(vec![policy_of("p", 1, &["w1"])]);
    admit(&mut landscape, &effects);
    let trouble = || "no route to host".to_owned();
    for input in [
        Input::Clusters(Update::Trouble(trouble())),
        Input::Policies(Update::Trouble(trouble())),
        Input::Gateways(Update::Trouble(trouble())),
        Input::Access(Update::Trouble(trouble())),
        Input::ClusterDns(Update::Trouble(trouble())),
    ] {
        assert!(handle(&mut landscape, input).is_empty());
    }
    assert_eq!(policy_for(&landscape, "w1"), "p");
}

#[test]
fn a_confirmation_is_handed_on_with_its_token() {
    let mut confirmed = ClusterDNS::new("w1", serde_json::from_value(json!({})).unwrap());
    confirmed.metadata.namespace = Some("s".to_owned());
    let other = confirmed.clone();
    confirmed.metadata.annotations = Some([(CONFIRM_ANNOTATION.to_owned(), "t0k3n".to_owned())].into());
    let (mut landscape, _) = landscape(Vec::new());
    let effects = handle(&mut landscape, Input::ClusterDns(Update::All(vec![other, confirmed.clone()])));
    assert!(matches!(&effects[0], Effect::Confirm(of, token) if *of == id("w1") && token == "t0k3n"));

    // Those that are not there any more are made again, whether that was seen or not.
    let lost = |effects: &[Effect]| -> Vec<String> {
        let one = |effect: &Effect| match effect {
            Effect::ClusterDnsLost(id) => Some(id.name.clone()),
            _ => None,
        };
        effects.iter().filter_map(one).collect()
    };
    assert_eq!(lost(&effects), ["w2"]);
    let removed = Input::ClusterDns(Update::Removed(Box::new(confirmed)));
    assert_eq!(lost(&handle(&mut landscape, removed)), ["w1"]);
}

#[test]
fn what_happens_to_a_policy_that_is_gone_concerns_nobody() {
    let (mut landscape, effects) = landscape(vec![policy_of("p", 1, &["w1"])]);
    let gone = Update::Removed(Box::new(policy_of("p", 1, &["w1"])));
    handle(&mut landscape, Input::Policies(gone));
    assert!(admit(&mut landscape, &effects).is_empty());
}
