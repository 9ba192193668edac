use std::path::Path;

use openmcp_dns_api::DNSPolicy;
use openmcp_dns_core::expectation::{Answer, Verdict};
use openmcp_dns_core::mirror::Mirror;
use openmcp_dns_core::record::RecordType;
use openmcp_dns_core::skydns::Prefix;
use openmcp_dns_landscape::{Landscape, folder};
use openmcp_dns_policy::{Engine, Limits, STANDARD};
use serde_json::json;

use super::*;
use crate::LoadedPolicy;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/landscape");
const NAME: &str = "svc-abc123.workload01.openmcp.cluster";
const KEY: &str = "/skydns/cluster/openmcp/workload01/svc-abc123";

fn explain_in(landscape: &Landscape, subject: &str, store: Option<&Mirror>) -> Explanation {
    let engine = Engine::new(Limits::default()).unwrap();
    let policy = LoadedPolicy::load(&engine, STANDARD, landscape.policy()).unwrap();
    Explanation::of(&policy, landscape, &subject.parse().unwrap(), store)
}

fn explain(subject: &str, store: Option<&Mirror>) -> Explanation {
    explain_in(&folder::read(Path::new(EXAMPLE)).unwrap(), subject, store)
}

/// What the store holds: keys with their values and revisions.
fn store(entries: &[(&str, &str, i64)]) -> Mirror {
    let mut mirror = Mirror::new(Prefix::default());
    for (key, value, revision) in entries {
        mirror.apply(key, Some((value.as_bytes(), *revision))).unwrap();
    }
    mirror
}

/// The landscape of the example with one more manifest on a cluster.
fn with(cluster: &str, manifest: &str) -> Landscape {
    let copy = tempfile::tempdir().unwrap();
    for folder in ["platform", "workload01", "workload02"] {
        std::fs::create_dir(copy.path().join(folder)).unwrap();
        for file in std::fs::read_dir(Path::new(EXAMPLE).join(folder)).unwrap().map(Result::unwrap) {
            std::fs::copy(file.path(), copy.path().join(folder).join(file.file_name())).unwrap();
        }
    }
    std::fs::write(copy.path().join(cluster).join("zz-more.yaml"), manifest).unwrap();
    folder::read(copy.path()).unwrap()
}

fn ingress(name: &str, host: &str, address: &str) -> String {
    format!(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}, namespace: default}}\n\
         spec: {{rules: [{{host: '{host}'}}]}}\nstatus: {{loadBalancer: {{ingress: [{address}]}}}}\n"
    )
}

fn standings(explanation: &Explanation) -> Vec<(Standing, Option<i64>)> {
    explanation.names[0].stored.iter().map(|stored| (stored.standing, stored.revision)).collect()
}

#[test]
fn each_key_of_a_name_says_how_it_stands_to_what_is_decided() {
    let before = explain(NAME, None);
    let key = before.names[0].stored[0].key.clone();
    assert_eq!(standings(&before), [(Standing::NotLookedAt, None)]);
    let value = |ttl: u32, object: &str| {
        format!(
            r#"{{"host":"172.18.201.1","ttl":{ttl},"targetstrip":1,"group":"{NAME}","owner":"openmcp.cluster/openmcp-system/workload01","source":"HTTPRoute/default/{object}"}}"#
        )
    };
    let right = value(60, "example-route");
    let gone = right.replace("172.18.201.1", "172.18.201.9");
    let (old, foreign) = (format!("{KEY}/00000000000000ff"), format!("{KEY}/000000ff"));
    for (entries, expected) in [
        (vec![], vec![(Standing::Missing, None)]),
        (vec![(&key, right.clone(), 7)], vec![(Standing::AsDecided, Some(7))]),
        (vec![(&key, value(30, "example-route"), 7)], vec![(Standing::Outdated, Some(7))]),
        (vec![(&key, value(60, "another"), 7)], vec![(Standing::Outdated, Some(7))]),
        (
            vec![(&key, right.clone(), 7), (&old, gone, 5)],
            vec![(Standing::AsDecided, Some(7)), (Standing::NotWanted, Some(5))],
        ),
        (
            vec![(&key, right.clone(), 7), (&foreign, r#"{"host":"10.9.9.9"}"#.to_owned(), 6)],
            vec![(Standing::AsDecided, Some(7)), (Standing::Foreign, Some(6))],
        ),
    ] {
        let entries: Vec<(&str, &str, i64)> =
            entries.iter().map(|(key, value, revision)| (key.as_str(), value.as_str(), *revision)).collect();
        let explanation = explain(NAME, Some(&store(&entries)));
        assert_eq!(standings(&explanation), expected);
        let next = explanation.next_steps.join("\n");
        let is_late = expected.iter().any(|(standing, _)| {
            matches!(standing, Standing::Missing | Standing::Outdated | Standing::NotWanted)
        });
        assert_eq!(next.contains("condition Recorded"), is_late, "{next}");
        let is_foreign = expected.iter().any(|(standing, _)| *standing == Standing::Foreign);
        assert_eq!(next.contains("somebody else has written"), is_foreign, "{next}");
    }
}

#[test]
fn the_name_of_an_address_is_as_decided_while_it_follows_an_address_record() {
    let reverse = "1.201.18.172.in-addr.arpa";
    let value = |host: &str| {
        format!(
            r#"{{"host":"{host}","ttl":60,"owner":"openmcp.cluster/openmcp-system/workload01","source":"address-record"}}"#
        )
    };
    let (key, ptr) = ("/skydns/arpa/in-addr/172/18/201/1", value(NAME));
    let (at_host, address) = (format!("{KEY}/00000000000000ff"), value("172.18.201.1"));
    for (entries, expected) in [
        (vec![(key, ptr.as_str(), 7), (at_host.as_str(), address.as_str(), 6)], Standing::AsDecided),
        (vec![(key, ptr.as_str(), 7)], Standing::NotWanted),
    ] {
        let explanation = explain(reverse, Some(&store(&entries)));
        assert_eq!(standings(&explanation), [(expected, Some(7))]);
        assert_eq!(explanation.names[0].stored[0].record, format!("PTR {NAME}"));
    }
}

#[test]
fn who_wins_and_who_gives_way_is_told() {
    let landscape = with("workload01", &ingress("alias", NAME, "{hostname: lb.example.com}"));
    let explanation = explain_in(&landscape, NAME, None);
    let [name] = &explanation.names[..] else { panic!("{explanation:#?}") };
    assert_eq!(name.won.iter().map(|won| won.record.as_str()).collect::<Vec<_>>(), ["A 172.18.201.1"]);
    assert_eq!(name.gave_way[0].object, "Ingress/default/alias");
    assert!(
        explanation.next_steps.iter().any(|step| step.contains("Ingress/default/alias")),
        "{explanation:#?}"
    );
    // From the side of the object that gives way it is the same name.
    assert_eq!(explain_in(&landscape, "Ingress/default/alias", None).names, explanation.names);
}

#[test]
fn a_cluster_that_comes_back_stands_by_for_a_while_and_says_for_how_long() {
    const FRONT: &str = "front.openmcp.cluster";
    let policy = json!({
        "baseDomain": "openmcp.cluster",
        "sharedNames": [{
            "name": FRONT,
            "clusters": [
                { "name": "workload01", "namespace": "openmcp-system" },
                { "name": "workload02", "namespace": "openmcp-system" },
            ],
            "serve": "First",
        }],
    });
    let policy = DNSPolicy::new("p", serde_json::from_value(policy).unwrap());
    let mut landscape = with("workload01", &ingress("front", FRONT, "{ip: 10.9.0.1}"));
    let other = with("workload02", &ingress("front", FRONT, "{ip: 10.9.0.2}"));
    let other = other.clusters.into_iter().find(|member| &*member.id.name == "workload02").unwrap();
    let of_this = landscape.clusters.iter_mut().find(|member| member.id == other.id).unwrap();
    *of_this = other;
    let engine = Engine::new(Limits::default()).unwrap();
    let loaded = LoadedPolicy::load(&engine, STANDARD, Some(&policy)).unwrap();
    let of = |store: Option<&Mirror>| {
        let explanation = Explanation::of(&loaded, &landscape, &FRONT.parse().unwrap(), store);
        let NameStep { won, standing_by, .. } = explanation.names.into_iter().next().unwrap();
        let [StandingBy { cluster, takes_over_after_seconds }] = &standing_by[..] else {
            panic!("{standing_by:?}")
        };
        (won[0].record.clone(), cluster.clone(), *takes_over_after_seconds)
    };
    let stored = |cluster: &str, address: &str| {
        let value = format!(
            r#"{{"host":"{address}","ttl":60,"owner":"openmcp.cluster/openmcp-system/{cluster}","source":"Ingress/default/front"}}"#
        );
        store(&[("/skydns/cluster/openmcp/front/00000000000000a1", &value, 7)])
    };
    let [first, second] = ["openmcp-system/workload01", "openmcp-system/workload02"].map(str::to_owned);
    let second_waits = ("A 10.9.0.1".to_owned(), second, None);
    assert_eq!(of(None), second_waits);
    assert_eq!(of(Some(&stored("workload01", "10.9.0.1"))), second_waits);
    assert_eq!(of(Some(&stored("workload02", "10.9.0.2"))), ("A 10.9.0.2".to_owned(), first, Some(60)));
}

#[test]
fn a_name_that_a_wildcard_answers_leads_to_the_wildcard() {
    let landscape =
        with("workload01", &ingress("any", "*.apps.workload01.openmcp.cluster", "{ip: 10.1.1.1}"));
    let explanation = explain_in(&landscape, "shop.apps.workload01.openmcp.cluster", None);
    assert_eq!(explanation.claims[0].object, "Ingress/default/any");
    let won: Vec<_> = explanation.names.iter().map(|name| (name.name.as_str(), name.won.len())).collect();
    let expected = [("*.apps.workload01.openmcp.cluster", 1), ("shop.apps.workload01.openmcp.cluster", 0)];
    assert_eq!(won, expected);
    assert_eq!(explanation.next_steps, [""; 0]);
    // One that is published itself is none of the wildcard's.
    assert!(
        explain_in(&landscape, NAME, None).claims.iter().all(|claim| claim.object != "Ingress/default/any")
    );
}

#[test]
fn a_cluster_that_the_policy_does_not_hold_for_or_that_is_not_known_is_named() {
    let mut landscape = folder::read(Path::new(EXAMPLE)).unwrap();
    landscape.policies = vec![DNSPolicy::new(
        "p",
        serde_json::from_value(json!({
            "baseDomain": "openmcp.cluster",
            "clusterSelector": { "matchPurposes": [{ "operator": "ContainsAny", "values": ["other"] }] },
        }))
        .unwrap_or_else(|error| panic!("{error}")),
    )];
    landscape.clusters.last_mut().unwrap().objects = Err("no answer".to_owned());
    let explanation = explain_in(&landscape, NAME, None);
    assert_eq!(explanation.claims[0].domain, None);
    assert!(explanation.claims[0].no_domain.as_ref().unwrap().contains("does not hold"));
    assert!(explanation.next_steps[0].contains("clusterSelector"), "{:?}", explanation.next_steps);
    assert_eq!(explanation.unknown[0].reason, "no answer");
    assert!(explanation.names.iter().all(|name| name.won.is_empty()));
}

#[test]
fn a_cluster_without_a_domain_says_why_and_nobody_is_asked() {
    let mut landscape = folder::read(Path::new(EXAMPLE)).unwrap();
    landscape.policies[0].spec.configuration = Some(json!({ "domainTemplate": "{base}" }));
    let explanation = explain_in(&landscape, NAME, None);
    let without = explanation.claims.iter().find(|claim| claim.no_domain.is_some()).unwrap();
    assert!(without.no_domain.as_ref().unwrap().contains("overlaps"), "{without:?}");
    assert_eq!(without.decision, None);
    assert!(explanation.next_steps.iter().any(|step| step.contains("a domain of its own")));
}

#[test]
fn a_wrong_answer_leads_to_the_condition_of_who_gave_it() {
    let mut explanation = explain(NAME, None);
    let steps = explanation.next_steps.len();
    let name = explanation.names[0].name.clone();
    let answer = |cluster: Option<&str>, verdict| {
        let cluster = cluster.map(ToOwned::to_owned);
        AnswerStep::new("10.0.0.1:53".into(), cluster, RecordType::A, &Answer::NoSuchName, verdict)
    };
    explanation.answered(&name, vec![answer(None, Verdict::Match)]);
    assert_eq!(explanation.next_steps.len(), steps);
    let wrong = [answer(Some("s/w2"), Verdict::Mismatch), answer(None, Verdict::NoAnswer)];
    explanation.answered(&name, wrong.to_vec());
    assert!(explanation.next_steps[steps].contains("condition Forwarded of ClusterDNS s/w2"));
    assert!(explanation.next_steps[steps + 1].contains("CentralDNS"));
}

#[test]
fn where_nobody_asks_the_author_is_told_where_to() {
    for (subject, expected) in [
        ("new.workload02.openmcp.cluster", "in cluster openmcp-system/workload02"),
        ("new.openmcp.cluster", "lies in no cluster's domain"),
        ("new.example.com", "outside of the zone openmcp.cluster"),
        ("HTTPRoute/default/nobody", "there is no HTTPRoute/default/nobody"),
        ("Service/default/example-service", "the annotation external-dns.kubernetes.io/hostname"),
        ("Gateway/default/example-gateway", "dns.openmcp.cloud/listener-host-names"),
    ] {
        let explanation = explain(subject, None);
        assert_eq!(explanation.claims, []);
        assert!(explanation.next_steps[0].contains(expected), "{subject}: {:?}", explanation.next_steps);
    }
    let nothing = ingress("nothing", "", "{ip: 10.1.1.1}");
    let explanation = explain_in(&with("workload01", &nothing), "ingress/default/nothing", None);
    assert!(explanation.next_steps[0].contains("names no host"), "{:?}", explanation.next_steps);
}

#[test]
fn each_listener_says_whether_it_serves_a_name_or_why_not() {
    let gateway = r#"
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: many, namespace: infra}
spec:
  listeners:
  - {name: open, port: 443, protocol: HTTPS, hostname: "*.workload01.openmcp.cluster", allowedRoutes: {namespaces: {from: All}}}
  - {name: other, port: 443, protocol: HTTPS, hostname: "*.example.com", allowedRoutes: {namespaces: {from: All}}}
  - {name: raw, port: 443, protocol: TCP, allowedRoutes: {namespaces: {from: All}}}
  - {name: grpc, port: 443, protocol: HTTPS, allowedRoutes: {namespaces: {from: All}, kinds: [{kind: GRPCRoute}]}}
  - {name: here, port: 443, protocol: HTTPS}
  - {name: plain, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
  - {name: broken, port: 443, protocol: HTTPS, allowedRoutes: {namespaces: {from: All}}}
status:
  addresses: [{value: 172.18.201.30}]
  listeners: [{name: broken, conditions: [{type: Accepted, status: "False"}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: many, namespace: shop}
spec:
  hostnames: [many.workload01.openmcp.cluster]
  parentRefs:
  - {name: many, namespace: infra, port: 443}
  - {name: many, namespace: infra, sectionName: plain}
  - {name: none, namespace: infra}
status:
  parents:
  - parentRef: {name: many, namespace: infra, port: 443}
    conditions: [{type: Accepted, status: "True"}]
  - parentRef: {name: many, namespace: infra, sectionName: plain}
    conditions: [{type: Accepted, status: "True"}]
"#;
    let explanation = explain_in(&with("workload01", gateway), "HTTPRoute/shop/many", None);
    let [claim] = &explanation.claims[..] else { panic!("{explanation:#?}") };
    let says = |parent: usize| {
        let listeners = claim.parents[parent].listeners.iter();
        listeners.map(|step| format!("{} {}", step.listener, step.says)).collect::<Vec<_>>()
    };
    assert_eq!(claim.parents[0].parent, "Gateway infra/many, port 443");
    assert_eq!(
        says(0),
        [
            "open serves many.workload01.openmcp.cluster",
            "other no: its host name is *.example.com",
            "raw no: it has a protocol that routes of this kind do not speak",
            "grpc no: its allowedRoutes.kinds has other kinds",
            "here no: its allowedRoutes.namespaces does not let the route's namespace in",
            "plain no: the route names another port",
            "broken no: it is in conflict with another one, not accepted, or invalid",
        ]
    );
    assert_eq!(claim.parents[1].parent, "Gateway infra/many, section plain");
    assert_eq!(says(1)[0], "open no: the route names another section");
    assert_eq!(says(1)[5], "plain serves many.workload01.openmcp.cluster");
    assert_eq!(claim.parents[2].refused.as_deref(), Some("Gateway infra/none does not exist"));
    assert_eq!(explanation.next_steps, [""; 0]);
}

#[test]
fn an_object_that_is_left_out_leads_to_what_leaves_it_out() {
    let name = "left-out.workload01.openmcp.cluster";
    let annotated = ingress("left-out", name, "{ip: 10.1.1.1}").replace(
        "namespace: default}",
        "namespace: default, annotations: {external-dns.kubernetes.io/controller: other}}",
    );
    let explanation = explain_in(&with("workload01", &annotated), "Ingress/default/left-out", None);
    assert_eq!(explanation.claims, []);
    assert!(explanation.next_steps[0].contains("spec.sources"), "{:?}", explanation.next_steps);
}
