use std::fs;
use std::path::Path;

use openmcp_dns_landscape::folder;
use openmcp_dns_policy::{Engine, Limits, STANDARD};

use super::*;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/landscape");

/// A copy of the example landscape with one more file.
fn with(file: &str, manifest: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for folder in ["platform", "workload01", "workload02"] {
        fs::create_dir(copy.path().join(folder)).unwrap();
        for file in fs::read_dir(Path::new(EXAMPLE).join(folder)).unwrap().map(Result::unwrap) {
            fs::copy(file.path(), copy.path().join(folder).join(file.file_name())).unwrap();
        }
    }
    fs::write(copy.path().join(file), manifest).unwrap();
    copy
}

fn plan(before: &Path, after: &Path) -> Plan {
    let engine = Engine::new(Limits::default()).unwrap();
    let read = |path| {
        let landscape = folder::read(path).unwrap();
        (LoadedPolicy::load(&engine, STANDARD, landscape.policy()).unwrap(), landscape)
    };
    let (old, new) = (read(before), read(after));
    Plan::of(Side { policy: &old.0, landscape: &old.1 }, Side { policy: &new.0, landscape: &new.1 })
}

/// Ingresses that publish a name each, at addresses of one network; without an address where `has_address` is not.
fn ingresses(count: usize, has_address: bool) -> String {
    let one = |number: usize| {
        let address = if has_address { format!("{{ip: 10.7.0.{number}}}") } else { String::new() };
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: i{number}, namespace: default}}\n\
             spec: {{rules: [{{host: n{number}.workload01.openmcp.cluster}}]}}\n\
             status: {{loadBalancer: {{ingress: [{address}]}}}}\n"
        )
    };
    (1..=count).map(one).collect::<Vec<_>>().join("---\n")
}

#[test]
fn the_same_folder_changes_nothing() {
    let plan = plan(EXAMPLE.as_ref(), EXAMPLE.as_ref());
    assert!(plan.is_empty() && plan.held.is_empty(), "{plan:#?}");
}

#[test]
fn names_come_go_and_change_and_a_claim_that_is_refused_is_told() {
    let after = with("workload01/more.yaml", &ingresses(1, true));
    let policy = after.path().join("workload02/denied.yaml");
    fs::remove_file(&policy).unwrap();
    let shop = after.path().join("workload02/shop.yaml");
    let text = fs::read_to_string(&shop).unwrap();
    fs::write(&shop, text.replace("lb-4711.", "lb-4712.")).unwrap();
    fs::remove_file(after.path().join("platform/portal.yaml")).unwrap();
    let there = plan(EXAMPLE.as_ref(), after.path());
    assert_eq!(there.counts(), (1, 1, 1), "{there:#?}");
    assert_eq!(there.not_published, []);
    assert_eq!(there.names[0].name.as_str(), "n1.workload01.openmcp.cluster");
    assert_eq!(
        there.names[0].after,
        ["60 A 10.7.0.1 (Ingress/default/i1 of cluster openmcp-system/workload01)"]
    );
    // And back: what was refused is again.
    let back = plan(after.path(), EXAMPLE.as_ref());
    assert_eq!(back.counts(), (1, 1, 1));
    let codes: Vec<&str> = back.not_published.iter().map(|claim| claim.code.as_str()).collect();
    assert_eq!(codes, ["invalid-host-name", "outside-domain"]);
}

#[test]
fn what_is_only_not_there_yet_leaves_published_what_was() {
    let before = with("workload01/more.yaml", &ingresses(3, true));
    let after = with("workload01/more.yaml", &ingresses(3, false));
    let there = plan(before.path(), after.path());
    assert_eq!(there.names, []);
    assert_eq!(there.not_published.len(), 3);
    assert!(there.not_published.iter().all(|claim| claim.stays && claim.code == "unresolved"), "{there:#?}");
    // What has never had an address is not published.
    let anew = plan(EXAMPLE.as_ref(), after.path());
    assert!(anew.names.is_empty() && anew.not_published.iter().all(|claim| !claim.stays), "{anew:#?}");
}

#[test]
fn too_much_at_once_is_held_and_an_alias_beside_addresses_gives_way() {
    let before = with("workload01/more.yaml", &ingresses(30, true));
    let there = plan(before.path(), EXAMPLE.as_ref());
    assert_eq!(there.counts(), (0, 30, 0));
    let [Held { cluster, deleted: 30, published: 33 }] = &there.held[..] else { panic!("{:?}", there.held) };
    assert_eq!(cluster, "openmcp-system/workload01");
    let alias = ingresses(1, true).replace("ip: 10.7.0.1", "hostname: lb.example.com");
    let alias = alias.replace("name: i1", "name: alias");
    let after = with("workload01/more.yaml", &format!("{}---\n{alias}", ingresses(30, true)));
    let there = plan(before.path(), after.path());
    assert_eq!(there.names, []);
    assert_eq!((there.not_published[0].code.as_str(), there.held.len()), ("conflict", 0));
}

#[test]
fn another_policy_is_a_change_like_any_other() {
    let text = fs::read_to_string(Path::new(EXAMPLE).join("platform/policy.yaml")).unwrap();
    let after = with(
        "platform/policy.yaml",
        &text.replace("builtIn: standard", "builtIn: standard\n  configuration: {ttlSeconds: 30}"),
    );
    let there = plan(EXAMPLE.as_ref(), after.path());
    assert!(there.names.iter().all(|change| change.after[0].starts_with("30 ")), "{there:#?}");
    let (come, go, change) = there.counts();
    assert!(come == 0 && go == 0 && change > 3, "{there:#?}");
}

#[test]
fn a_cluster_that_comes_first_takes_over_after_its_delay() {
    let ingress = |address: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: front, namespace: default}}\n\
             spec: {{rules: [{{host: front.openmcp.cluster}}]}}\nstatus: {{loadBalancer: {{ingress: [{{ip: {address}}}]}}}}\n"
        )
    };
    let of = |first: &str, second: &str, all: &[(&str, &str)]| {
        let cluster = |name: &str| format!("{{name: {name}, namespace: openmcp-system}}");
        let clusters = format!("[{}, {}]", cluster(first), cluster(second));
        let policy = format!(
            "apiVersion: dns.openmcp.cloud/v1alpha1\nkind: DNSPolicy\nmetadata: {{name: landscape}}\nspec:\n  \
             baseDomain: openmcp.cluster\n  module: {{builtIn: standard}}\n  \
             sharedNames: [{{name: front.openmcp.cluster, clusters: {clusters}, serve: First, failbackDelaySeconds: 90}}]\n"
        );
        let copy = with("platform/policy.yaml", &policy);
        for (cluster, address) in all {
            fs::write(copy.path().join(cluster).join("front.yaml"), ingress(address)).unwrap();
        }
        copy
    };
    let (w1, w2) = (("workload01", "10.9.0.1"), ("workload02", "10.9.0.2"));
    let one = of("workload01", "workload02", &[w2]);
    let both = of("workload01", "workload02", &[w1, w2]);
    let other_order = of("workload02", "workload01", &[w1, w2]);
    for (before, after, address, delay) in [
        // It comes back.
        (&one, &both, w1.1, Some(90)),
        // The one that serves goes.
        (&both, &one, w2.1, None),
        // Both have been there for long.
        (&both, &other_order, w2.1, None),
    ] {
        let plan = plan(before.path(), after.path());
        let [change] = &plan.names[..] else { panic!("{plan:#?}") };
        assert!(change.after.len() == 1 && change.after[0].contains(address), "{change:?}");
        assert_eq!(change.takes_over_after_seconds, delay, "{change:?}");
    }
}
