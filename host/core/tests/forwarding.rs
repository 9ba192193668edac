//! Each flavour of a cluster's DNS: a file with its objects, and what becomes of them as a golden file.
//! `cargo insta review` shows what changed.

#![allow(clippy::unwrap_used, reason = "what is written here can be read")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use openmcp_dns_core::chain;
use openmcp_dns_core::deployment::Reference;
use openmcp_dns_core::forwarding::{
    Action, Change, Facts, LISTS, Order, Orders, Plan, Seen, Strategy, dns_service, plan, plan_all, removal,
    removal_of_all,
};
use openmcp_dns_core::name::HostName;
use serde_json::{Value, json};

/// A cluster, as far as its DNS goes.
#[derive(Clone)]
struct Cluster {
    groups: Vec<String>,
    refused: Vec<String>,
    wish: Option<Strategy>,
    objects: BTreeMap<Reference, Value>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/forwarding")
}

fn flavours() -> Vec<String> {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> =
        files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

impl Cluster {
    fn read(flavour: &str) -> Self {
        let text = std::fs::read_to_string(folder().join(format!("{flavour}.yaml"))).unwrap();
        let mut documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        let head = documents.remove(0);
        let words = |key: &str| -> Vec<String> {
            let words = head[key].as_array().into_iter().flatten();
            words.map(|word| word.as_str().unwrap().to_owned()).collect()
        };
        let wish = head["wish"]
            .as_str()
            .map(|wish| Strategy::ALL.into_iter().find(|one| one.as_str() == wish).unwrap());
        let objects = documents.into_iter().map(|object| (Reference::of(&object), object)).collect();
        Self { groups: words("groups"), refused: words("refused"), wish, objects }
    }

    /// As the service reads it: the lists, and what they ask for.
    fn facts(&self) -> Facts {
        let mut facts = Facts::new(self.groups.clone());
        let is_refused = |name: &str| self.refused.iter().any(|refused| refused == name);
        for kind in LISTS {
            let all = self.objects.iter().filter(|(reference, _)| reference.kind == kind.kind);
            facts.take_list(
                kind,
                (!is_refused(kind.kind)).then(|| all.map(|(_, object)| object.clone()).collect()),
            );
        }
        loop {
            let missing = facts.missing();
            if missing.is_empty() {
                return facts;
            }
            for reference in missing {
                let seen = match self.objects.get(&reference) {
                    _ if is_refused(&reference.name) => Seen::Refused,
                    Some(object) => Seen::There(object.clone()),
                    None => Seen::Missing,
                };
                facts.take(reference, seen);
            }
        }
    }

    /// As an API server takes it.
    fn apply(&mut self, Change { object, action }: Change) {
        match action {
            Action::Create(created) => {
                assert_eq!(Reference::of(&created), object);
                let mut created = created;
                created["metadata"]["resourceVersion"] = json!("1");
                assert!(self.objects.insert(object, created).is_none(), "it is there already");
            }
            Action::Merge(patch) => {
                let live = self.objects.get_mut(&object).unwrap();
                assert_eq!(patch["metadata"]["resourceVersion"], live["metadata"]["resourceVersion"]);
                merge(live, &patch);
            }
            Action::Delete { resource_version } => {
                let live = self.objects.remove(&object).unwrap();
                assert_eq!(live["metadata"]["resourceVersion"], resource_version);
            }
        }
    }

    /// Changes what is missing until nothing is.
    fn forward(&mut self, order: Order<'_>) -> Result<Plan, String> {
        self.forward_all(Orders { main: order, reverse: &BTreeSet::new() })
    }

    /// As [`Self::forward`], with reverse zones.
    fn forward_all(&mut self, orders: Orders<'_>) -> Result<Plan, String> {
        for _ in 0..3 {
            let plan = plan_all(&self.facts(), orders, self.wish).map_err(|refusal| chain(&refusal))?;
            if plan.changes.is_empty() {
                return Ok(plan);
            }
            plan.changes.into_iter().for_each(|change| self.apply(change));
        }
        panic!("it does not come to an end")
    }
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let target = target.as_object_mut().unwrap();
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

fn zone() -> HostName {
    "openmcp.cluster".parse().unwrap()
}

fn central(addresses: &[&str]) -> Vec<SocketAddr> {
    addresses.iter().map(|address| address.parse().unwrap()).collect()
}

/// What is said, and the objects that are others than before.
fn told(before: &Cluster, after: &Cluster, said: &Result<Plan, String>) -> String {
    let mut text = String::new();
    match said {
        Err(refusal) => writeln!(text, "refused: {refusal}").unwrap(),
        Ok(Plan { strategy, because, places, changes: _, notes, by_hand }) => {
            writeln!(text, "strategy: {strategy}").unwrap();
            for (what, lines) in [("because", because), ("place", places), ("note", notes)] {
                lines.iter().for_each(|line| writeln!(text, "{what}: {line}").unwrap());
            }
            by_hand.iter().for_each(|line| writeln!(text, "by hand: {line}").unwrap());
        }
    }
    for (reference, object) in &after.objects {
        if before.objects.get(reference) != Some(object) {
            writeln!(text, "---\n{}", serde_saphyr::to_string(object).unwrap().trim_end()).unwrap();
        }
    }
    text
}

#[test]
fn every_flavour_is_known_by_what_it_has_and_changed_in_its_own_place() {
    for flavour in flavours() {
        let before = Cluster::read(&flavour);
        let mut after = before.clone();
        let (zone, servers) = (zone(), central(&["172.18.200.3:53", "172.18.200.4:5353"]));
        let said = after.forward(Order { zone: &zone, upstreams: &servers });
        insta::assert_snapshot!(flavour, told(&before, &after, &said));
    }
}

#[test]
fn what_is_taken_back_leaves_every_flavour_as_it_was() {
    let zone = zone();
    for flavour in flavours() {
        let before = Cluster::read(&flavour);
        let servers = central(&["172.18.200.3:53"]);
        let mut now = before.clone();
        if now.forward(Order { zone: &zone, upstreams: &servers }).is_err() {
            assert_eq!(now.objects, before.objects, "{flavour}");
            continue;
        }
        // Another address of the central DNS changes nothing but that.
        let mut moved = now.clone();
        moved.forward(Order { zone: &zone, upstreams: &central(&["172.18.200.9:53"]) }).unwrap();
        assert_eq!(moved.objects.len(), now.objects.len(), "{flavour}");
        for mut cluster in [now, moved] {
            let changes = removal(&cluster.facts(), &zone).unwrap();
            changes.into_iter().for_each(|change| cluster.apply(change));
            assert_eq!(removal(&cluster.facts(), &zone), Ok(Vec::new()), "{flavour}");
            let (mut now, mut then) = (json!({}), json!({}));
            for (cluster, objects) in [(&cluster, &mut now), (&before, &mut then)] {
                for (reference, object) in &cluster.objects {
                    let mut object = object.clone();
                    tidy(&mut object);
                    objects[reference.to_string()] = object;
                }
            }
            // What stood there of ours before is gone as well.
            if !["moved_to_another_config_map", "wish_manual"].contains(&flavour.as_str()) {
                assert_eq!(now, then, "{flavour}");
            }
        }
    }
}

fn reverse_zones() -> BTreeSet<HostName> {
    ["200.18.172.in-addr.arpa", "1.0.0.0.0.0.d.f.ip6.arpa"].map(|zone| zone.parse().unwrap()).into()
}

#[test]
fn reverse_zones_are_forwarded_beside_the_zone_in_the_same_place() {
    for flavour in [
        "kubeadm",
        "k3s",
        "lke",
        "gke",
        "openshift",
        "alibaba",
        "alibaba_with_zones",
        "node_local",
        "rke2",
        "wish_manual",
    ] {
        let before = Cluster::read(flavour);
        let mut after = before.clone();
        let (zone, servers) = (zone(), central(&["172.18.200.3:53", "172.18.200.4:5353"]));
        let main = Order { zone: &zone, upstreams: &servers };
        let said = after.forward_all(Orders { main, reverse: &reverse_zones() });
        insta::assert_snapshot!(format!("reverse_{flavour}"), told(&before, &after, &said));
    }
}

#[test]
fn one_change_of_an_object_is_enough_for_all_zones_and_each_can_be_taken_back_alone() {
    let (zone, servers, reverse) = (zone(), central(&["172.18.200.3:53"]), reverse_zones());
    let main = Order { zone: &zone, upstreams: &servers };
    let none = BTreeSet::new();
    for flavour in flavours() {
        let before = Cluster::read(&flavour);
        let mut only_zone = before.clone();
        if only_zone.forward(main).is_err() {
            continue;
        }
        let mut all = before.clone();
        let plan = plan_all(&all.facts(), Orders { main, reverse: &reverse }, all.wish).unwrap();
        let changed: BTreeSet<&Reference> = plan.changes.iter().map(|change| &change.object).collect();
        assert_eq!(changed.len(), plan.changes.len(), "{flavour}");
        all.forward_all(Orders { main, reverse: &reverse }).unwrap();
        let mut rest = all.clone();
        for zone in &reverse {
            removal(&rest.facts(), zone).unwrap().into_iter().for_each(|change| rest.apply(change));
        }
        for (now, then) in [(&mut rest, &mut only_zone)] {
            for object in now.objects.values_mut().chain(then.objects.values_mut()) {
                tidy(object);
            }
            assert_eq!(now.objects, then.objects, "{flavour}");
        }
        for change in removal_of_all(&all.facts(), &zone, &reverse).unwrap() {
            all.apply(change);
        }
        assert_eq!(removal_of_all(&all.facts(), &zone, &reverse), Ok(Vec::new()), "{flavour}");
        assert_eq!(
            removal_of_all(&before.facts(), &zone, &none),
            removal(&before.facts(), &zone),
            "{flavour}"
        );
    }
}

/// What becomes of a kubeadm cluster with this in place of that, and these reverse zones.
fn forwarded_in(replace: (&str, &str), reverse: &[&str]) -> (Cluster, Plan) {
    let mut cluster = Cluster::read("kubeadm");
    for object in cluster.objects.values_mut() {
        let text = object.to_string();
        *object = serde_json::from_str(&text.replace(replace.0, replace.1)).unwrap();
    }
    let (zone, servers) = (zone(), central(&["172.18.200.3:53"]));
    let reverse = reverse.iter().map(|zone| zone.parse().unwrap()).collect();
    let main = Order { zone: &zone, upstreams: &servers };
    let plan = cluster.forward_all(Orders { main, reverse: &reverse }).unwrap();
    (cluster, plan)
}

#[test]
fn a_reverse_zone_that_cannot_be_forwarded_is_told_and_keeps_no_other_from_it() {
    let corefile = |cluster: &Cluster| {
        let is_corefile = |(reference, _): &(&Reference, &Value)| reference.kind == "ConfigMap";
        let (_, object) = cluster.objects.iter().find(is_corefile).unwrap();
        object["data"]["Corefile"].as_str().unwrap().to_owned()
    };
    let zones = ["96.10.in-addr.arpa", "200.18.172.in-addr.arpa"];
    // The cluster's own Services.
    let own = (
        "\"spec\":{\"selector\":{\"k8s-app\"",
        "\"spec\":{\"clusterIP\":\"10.96.0.10\",\"selector\":{\"k8s-app\"",
    );
    // Somebody else's server, by its name and as a network.
    let server = |key: &str| format!("{key} {{\\n    forward . 10.0.0.1\\n}}\\n.:53 {{");
    let (by_name, as_network) = (server("96.10.in-addr.arpa:53"), server("10.96.0.0/16:53"));
    for (replace, why) in [
        (
            own,
            "96.10.in-addr.arpa is not forwarded: the cluster's own DNS Service has the address 10.96.0.10",
        ),
        ((".:53 {", by_name.as_str()), "96.10.in-addr.arpa is not forwarded: "),
        ((".:53 {", as_network.as_str()), "96.10.in-addr.arpa is not forwarded: "),
    ] {
        let (cluster, plan) = forwarded_in(replace, &zones);
        assert!(plan.notes.iter().any(|note| note.starts_with(why)), "{:?}", plan.notes);
        let text = corefile(&cluster);
        assert!(
            text.contains("openmcp.cluster:53 {") && text.contains("200.18.172.in-addr.arpa:53 {"),
            "{text}"
        );
        assert_eq!(text.matches("openmcp-dns managed").count(), 4, "{text}");
    }
    // One that was forwarded before it was known to be the cluster's own.
    let (mut cluster, _) = forwarded_in(("", ""), &zones);
    let service = cluster.objects.values_mut().find(|object| object["kind"] == "Service").unwrap();
    service["spec"]["clusterIPs"] = json!(["10.96.0.10"]);
    let (zone, servers) = (zone(), central(&["172.18.200.3:53"]));
    let reverse = zones.iter().map(|zone| zone.parse().unwrap()).collect();
    cluster
        .forward_all(Orders { main: Order { zone: &zone, upstreams: &servers }, reverse: &reverse })
        .unwrap();
    assert!(!corefile(&cluster).contains("96.10.in-addr.arpa:53"));
}

/// An object without what means nothing: maps that became empty.
fn tidy(object: &mut Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.values_mut().for_each(tidy);
        fields.retain(|_, value| *value != json!({}) && *value != json!([]));
    }
}

#[test]
fn of_a_cluster_only_what_counts_is_watched() {
    let watched = |flavour: &str| -> Vec<String> {
        Cluster::read(flavour).facts().watched().iter().map(ToString::to_string).collect()
    };
    assert_eq!(watched("kubeadm"), ["ConfigMap kube-system/coredns"]);
    assert_eq!(watched("k3s"), ["ConfigMap kube-system/coredns", "ConfigMap kube-system/coredns-custom"]);
    assert_eq!(watched("openshift"), ["DNS default", "ConfigMap kube-system/coredns"]);
    assert_eq!(watched("rights_of_before"), ["ConfigMap kube-system/coredns"]);
}

#[test]
fn a_clusters_account_may_ask_the_pods_wherever_the_dns_of_a_flavour_runs() {
    let services = flavours().into_iter().filter_map(|flavour| dns_service(&Cluster::read(&flavour).facts()));
    let runs: BTreeSet<String> = services.map(|service| service.namespace).collect();
    let mut allowed = BTreeSet::new();
    for file in ["cluster-access.yaml", "cluster-access-openshift.yaml"] {
        let text = std::fs::read_to_string(folder().join("../../../../deploy").join(file)).unwrap();
        let roles: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        for role in &roles {
            let rules = role["rules"].as_array().unwrap().iter();
            for rule in rules.filter(|rule| rule["resources"] == json!(["pods/portforward"])) {
                assert_eq!((&rule["apiGroups"], &rule["verbs"]), (&json!([""]), &json!(["get", "create"])));
                assert_eq!(role["kind"], "Role", "nowhere else");
                allowed.insert(role["metadata"]["namespace"].as_str().unwrap().to_owned());
            }
        }
    }
    assert_eq!(allowed, runs);
}

#[test]
fn the_documentation_has_a_section_for_every_flavour_and_says_the_right_strategy() {
    let page = std::fs::read_to_string(folder().join("../../../../docs/clusters.md")).unwrap();
    let mut documented = Vec::new();
    for section in page.split("\n## ").skip(1) {
        let title = section.lines().next().unwrap();
        for part in ["Strategy", "Examples", "Looked for", "Changed", "By hand", "Upgrades"] {
            assert!(section.contains(&format!("\n- {part}: ")), "{title} says nothing under {part:?}");
        }
        let strategy = section.split("- Strategy: `").nth(1).unwrap().split('`').next().unwrap();
        documented.push(strategy.to_owned());
        for example in section.split("/tests/forwarding/").skip(1) {
            let flavour = example.split(".yaml").next().unwrap();
            let (zone, servers) = (zone(), central(&["172.18.200.3:53"]));
            let plan =
                plan(&Cluster::read(flavour).facts(), Order { zone: &zone, upstreams: &servers }, None);
            assert_eq!(plan.unwrap().strategy.as_str(), strategy, "{title}: {flavour}");
        }
    }
    assert!(Strategy::ALL.iter().all(|strategy| documented.iter().any(|one| one == strategy.as_str())));
}
