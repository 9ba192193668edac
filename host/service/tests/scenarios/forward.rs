//! The block in a cluster's Corefile.

use std::net::SocketAddr;
use std::time::Duration;

use openmcp_dns_core::corefile::remove_forward;
use openmcp_dns_core::skydns::Prefix;
use openmcp_dns_kube_memory::{Effect, Fault, Server, Verb};
use openmcp_dns_server::{Records, Server as DnsServer};
use serde_json::{Value, json};

use crate::objects::{
    CLUSTER, CLUSTERS, CONFIG, CONFIG_MAP, COREFILE, DNS_SERVICE_CONFIG, OPENSHIFT_DNS, POLICY, ZONE, config,
    config_map, coredns, dns_pods, openshift_dns, policy,
};
use crate::world::{World, corefile, forwards, message, requests, text, until};

/// A landscape whose cluster has this Corefile.
async fn with_corefile(text: &str) -> (World, Server) {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let w1 = world.add_cluster("w1");
    w1.put(coredns(text)).unwrap();
    world.start();
    (world, w1)
}

#[tokio::test]
async fn our_block_is_written_and_nothing_else_is_touched() {
    let (world, w1) = with_corefile(COREFILE).await;
    let message = world.condition("w1", "Forwarded", "True", "Succeeded").await;
    assert!(message.contains("the cluster's DNS forwards openmcp.cluster"), "{message}");
    assert_eq!(remove_forward(&corefile(&w1), ZONE).unwrap().text, COREFILE);
    let config_map = CONFIG_MAP.get(&w1, "kube-system", "coredns").unwrap();
    assert_eq!(config_map["data"]["other"], "stays");
    world.all_is_well("w1").await;
    assert_eq!(requests(&w1, Verb::Patch, CONFIG_MAP.plural), 1);
}

#[tokio::test]
async fn a_corefile_that_is_not_understood_is_left_alone_until_it_is_mended() {
    let broken = COREFILE.replace("lameduck 5s\n    }", "lameduck 5s\n    }}");
    let (world, w1) = with_corefile(&broken).await;
    let message = world.condition("w1", "Forwarded", "False", "NotUnderstood").await;
    assert!(message.contains("line 1: this brace has no counterpart"), "{message}");
    assert!(message.contains("mend it, or forward openmcp.cluster to 127.0.0.1:"), "{message}");
    assert_eq!((corefile(&w1), w1.writes()), (broken, 0));
    w1.put(coredns(COREFILE)).unwrap();
    world.condition("w1", "Forwarded", "True", "Succeeded").await;
    assert!(forwards(&w1));
}

#[tokio::test]
async fn a_zone_that_somebody_else_serves_is_left_to_them() {
    let theirs = format!("{COREFILE}{ZONE}:53 {{\n    forward . 10.9.9.9\n}}\n");
    let (world, w1) = with_corefile(&theirs).await;
    world.condition("w1", "Forwarded", "False", "NotUnderstood").await;
    assert_eq!((corefile(&w1), w1.writes()), (theirs, 0));
}

#[tokio::test]
async fn a_block_that_somebody_removes_comes_back() {
    let (world, w1) = with_corefile(COREFILE).await;
    until("the block stands there", || forwards(&w1)).await;
    w1.put(coredns(COREFILE)).unwrap();
    until("it is back", || forwards(&w1)).await;
    world.all_is_well("w1").await;
}

#[tokio::test]
async fn who_removes_the_block_again_and_again_is_named_and_given_way_until_a_person_chooses() {
    let (world, w1) = with_corefile(COREFILE).await;
    while !is_given_way(&world) {
        until("the block stands there, or is given up", || forwards(&w1) || is_given_way(&world)).await;
        CONFIG_MAP.merge(&w1, "kube-system", "coredns", &json!({ "data": { "Corefile": COREFILE } })).await;
    }
    let message = world.condition("w1", "Forwarded", "False", "ChangedBack").await;
    assert!(message.starts_with("ConfigMap kube-system/coredns was changed back 10 times"), "{message}");
    assert!(message.contains("last by a-person, so nothing more is written"), "{message}");
    assert_eq!(corefile(&w1), COREFILE);
    let chosen = json!({ "clusters": [{ "forward": { "strategy": "corefile" } }] });
    world.platform.put(config(&chosen)).unwrap();
    until("the block is back", || forwards(&w1)).await;
    world.condition("w1", "Forwarded", "True", "Succeeded").await;
}

fn is_given_way(world: &World) -> bool {
    message(&world.status("w1"), "Forwarded").contains("so nothing more is written")
}

#[tokio::test]
async fn a_cluster_without_the_config_map_says_what_to_do_until_there_is_one() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let w1 = world.add_cluster("w1");
    CONFIG_MAP.delete(&w1, "kube-system", "coredns");
    nobody_says_where_to_ask(&world).await;
    world.start();
    let message = world.condition("w1", "Forwarded", "False", "ManualStep").await;
    assert!(message.contains("forward openmcp.cluster to 127.0.0.1:"), "{message}");
    w1.put(coredns(COREFILE)).unwrap();
    world.condition("w1", "Forwarded", "Unknown", "NotProbed").await;
    assert!(forwards(&w1));
}

/// The `Cluster` has no address of its DNS, so that nothing but its configuration is known.
async fn nobody_says_where_to_ask(world: &World) {
    let no_address =
        json!({ "metadata": { "annotations": { "dns.openmcp.cloud/cluster-dns-address": null } } });
    world.change_cluster("w1", no_address).await;
}

/// The Corefile as k3s and many clouds have it.
fn with_import(corefile: &str) -> String {
    format!("{corefile}import custom/*.server\n")
}

fn custom(server: &Server) -> Value {
    CONFIG_MAP.get(server, "kube-system", "coredns-custom").unwrap_or_default()["data"].clone()
}

/// The key of our file.
const KEY: &str = "openmcp-dns.openmcp.cluster.server";

#[tokio::test]
async fn a_file_that_the_corefile_imports_is_ours_and_goes_with_the_cluster() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let w1 = world.add_cluster("w1");
    w1.put(coredns(&with_import(COREFILE))).unwrap();
    dns_pods().into_iter().for_each(|object| drop(w1.put(object).unwrap()));
    world.start();
    let message = world.condition("w1", "Forwarded", "True", "Succeeded").await;
    assert!(message.contains("a block in ConfigMap kube-system/coredns-custom"), "{message}");
    assert!(text(&custom(&w1)[KEY]).contains("openmcp.cluster:53 {"), "{}", custom(&w1));
    assert_eq!(corefile(&w1), with_import(COREFILE));
    let status = world.status("w1");
    assert_eq!(status["forwarding"]["strategy"], "importedFile", "{status:#}");
    assert!(text(&status["forwarding"]["because"][1]).contains("imports custom/*.server"), "{status:#}");
    CLUSTER.delete(&world.platform, CLUSTERS, "w1");
    until("the Cluster is released", || world.cluster("w1").is_none()).await;
    assert_eq!(CONFIG_MAP.get(&w1, "kube-system", "coredns-custom"), None);
    assert_eq!(corefile(&w1), with_import(COREFILE));
}

#[tokio::test]
async fn somebody_elses_file_for_the_zone_is_seen_before_anything_is_written() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let w1 = world.add_cluster("w1");
    w1.put(coredns(&with_import(COREFILE))).unwrap();
    let theirs = json!({ "mine.server": format!("{ZONE}:53 {{\n    forward . 10.9.9.9\n}}\n") });
    w1.put(config_map("kube-system", "coredns-custom", json!({ "data": theirs }))).unwrap();
    dns_pods().into_iter().for_each(|object| drop(w1.put(object).unwrap()));
    world.start();
    let message = world.condition("w1", "Forwarded", "False", "NotUnderstood").await;
    assert!(
        message.contains("key mine.server of ConfigMap kube-system/coredns-custom is left alone: line 1"),
        "{message}"
    );
    assert_eq!(w1.writes(), 0);
}

#[tokio::test]
async fn the_block_moves_when_the_corefile_begins_to_import() {
    let (world, w1) = with_corefile(COREFILE).await;
    until("the block stands there", || forwards(&w1)).await;
    dns_pods().into_iter().for_each(|object| drop(w1.put(object).unwrap()));
    w1.put(coredns(&with_import(&corefile(&w1)))).unwrap();
    until("it stands in the file", || custom(&w1)[KEY].is_string()).await;
    assert_eq!(corefile(&w1), with_import(COREFILE));
    world.all_is_well("w1").await;
}

#[tokio::test]
async fn pods_that_come_after_the_corefile_that_they_read_are_seen_by_a_second_look() {
    let (world, w1) = with_corefile(COREFILE).await;
    until("the block stands there", || forwards(&w1)).await;
    w1.put(coredns(&with_import(COREFILE))).unwrap();
    until("the block is back", || forwards(&w1)).await;
    dns_pods().into_iter().for_each(|object| drop(w1.put(object).unwrap()));
    until("it stands in the file", || custom(&w1)[KEY].is_string()).await;
    assert_eq!(corefile(&w1), with_import(COREFILE));
    world.all_is_well("w1").await;
}

#[tokio::test]
async fn an_operators_list_gets_one_entry() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let w1 = world.add_cluster("w1");
    w1.register(OPENSHIFT_DNS.resource(), None);
    w1.put(openshift_dns()).unwrap();
    world.start();
    world.condition("w1", "Forwarded", "True", "Succeeded").await;
    assert_eq!(world.status("w1")["forwarding"]["strategy"], "dnsOperator");
    let servers = || OPENSHIFT_DNS.get(&w1, "", "default").unwrap()["spec"]["servers"].clone();
    assert_eq!(servers()[0], openshift_dns()["spec"]["servers"][0]);
    assert_eq!(servers()[1]["zones"], json!([ZONE]));
    assert_eq!(corefile(&w1), COREFILE, "which is not what the operator's pods read");
    CLUSTER.delete(&world.platform, CLUSTERS, "w1");
    until("the Cluster is released", || world.cluster("w1").is_none()).await;
    assert_eq!(servers(), openshift_dns()["spec"]["servers"]);
}

/// A cluster's DNS that knows the cluster's own name, or does not.
struct OwnDns {
    records: Records,
    address: SocketAddr,
}

impl OwnDns {
    async fn start() -> Self {
        let records = Records::new("cluster.local".parse().unwrap(), Prefix::default());
        let server = DnsServer::bind("127.0.0.1:0".parse().unwrap(), records.clone()).await.unwrap();
        let address = server.local_addr();
        tokio::spawn(server.run(std::future::pending()));
        Self { records, address }
    }

    fn answers(&self, answers: bool) {
        let own =
            ("/skydns/local/cluster/svc/default/kubernetes".to_owned(), br#"{"host":"10.96.0.1"}"#.to_vec());
        self.records.replace(answers.then_some(own));
    }
}

/// A name that a cluster's DNS has to go on answering.
const OWN_NAME: &str = "kubernetes.default.svc.cluster.local";

#[tokio::test]
async fn a_change_that_breaks_the_clusters_own_names_is_taken_back_once() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let w1 = world.add_cluster("w1");
    let dns = OwnDns::start().await;
    dns.answers(true);
    let address = json!({ "metadata": { "annotations": { "dns.openmcp.cloud/cluster-dns-address": dns.address.to_string() } } });
    world.change_cluster("w1", address).await;
    world.start();
    until("the block stands there", || forwards(&w1)).await;
    dns.answers(false);
    let said = world.condition("w1", "Forwarded", "False", "TakenBack").await;
    assert!(
        said.contains("failed that had resolved before, so it was taken back") && said.contains(OWN_NAME),
        "{said}"
    );
    until("the block is gone", || corefile(&w1) == COREFILE).await;
    let stays = |status: &Value| status["forwarding"]["takenBack"].is_string();
    world.status_is("w1", "it says with which configuration that was", stays).await;

    // Another service finds that in the status, also when all is well again.
    world.stop().await;
    dns.answers(true);
    w1.forget_requests();
    world.start();
    let resolves =
        |status: &Value| message(status, "Forwarded").contains(&format!("now {OWN_NAME} resolves"));
    world.status_is("w1", "another service says it, too", resolves).await;
    assert_eq!((corefile(&w1), requests(&w1, Verb::Patch, CONFIG_MAP.plural)), (COREFILE.to_owned(), 0));
    w1.put(coredns(&COREFILE.replace("cache 30", "cache 60"))).unwrap();
    until("it is tried again with another text", || forwards(&w1)).await;
}

#[tokio::test]
async fn who_wants_to_do_it_by_hand_is_told_what_and_gets_our_block_out_of_the_way() {
    let (world, w1) = with_corefile(COREFILE).await;
    until("the block stands there", || forwards(&w1)).await;
    nobody_says_where_to_ask(&world).await;
    let manual = json!({ "clusters": [{ "forward": { "strategy": "manual" } }] });
    world.platform.put(config(&manual)).unwrap();
    let message = world.condition("w1", "Forwarded", "False", "ManualStep").await;
    assert!(message.contains("have the cluster's DNS forward openmcp.cluster to 127.0.0.1:"), "{message}");
    assert_eq!(corefile(&w1), COREFILE);
    let impossible = json!({ "clusters": [{ "forward": { "strategy": "dnsOperator" } }] });
    world.platform.put(config(&impossible)).unwrap();
    let message = world.condition("w1", "Forwarded", "False", "NotUnderstood").await;
    assert!(message.contains("asks for strategy dnsOperator"), "{message}");
    DNS_SERVICE_CONFIG.delete(&world.platform, "", CONFIG);
    until("the block is back", || forwards(&w1)).await;
}

#[tokio::test]
async fn a_change_of_somebody_else_in_between_is_not_lost() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let w1 = world.add_cluster("w1");
    let slow = Effect::Delay(Duration::from_millis(300));
    w1.fail(Fault::new(slow).kind(CONFIG_MAP.plural).verbs([Verb::Patch]).times(1));
    world.start();
    until("our write is on its way", || requests(&w1, Verb::Patch, CONFIG_MAP.plural) == 1).await;
    let theirs = COREFILE.replace("cache 30", "cache 60");
    w1.put(coredns(&theirs)).unwrap();
    world.condition("w1", "Forwarded", "True", "Succeeded").await;
    assert_eq!(remove_forward(&corefile(&w1), ZONE).unwrap().text, theirs);
}

#[tokio::test]
async fn a_cluster_that_refuses_the_write_is_reported() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let w1 = world.add_cluster("w1");
    w1.fail(Fault::new(Effect::Refuse(403)).kind(CONFIG_MAP.plural).verbs([Verb::Patch]));
    world.start();
    let message = world.condition("w1", "Forwarded", "False", "WriteFailed").await;
    assert!(message.contains("unable to write ConfigMap kube-system/coredns"), "{message}");
    assert_eq!(corefile(&w1), COREFILE);
}
