//! The pods of a cluster's DNS, asked through the API server.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{NS, SOA};
use hickory_resolver::proto::rr::{Name, RData, Record};
use openmcp_dns_kube_memory::{Effect, Fault, Server};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::objects::{COREFILE, POLICY, ZONE, dns_pods, dns_slice, policy};
use crate::world::{World, corefile, forwards, message, until};

/// A name that a cluster's DNS has to go on answering.
const OWN_NAME: &str = "kubernetes.default.svc.cluster.local.";

/// A pod of a cluster's DNS: it forwards the zone as soon as the Corefile says so.
#[derive(Clone)]
struct PodDns {
    cluster: Server,
    /// Whether the central DNS can be reached from it.
    reaches_central: Arc<AtomicBool>,
    /// Whether it answers for the cluster itself, and for what it forwards elsewhere.
    own: Arc<AtomicBool>,
    outside: Arc<AtomicBool>,
}

impl PodDns {
    /// A pod that listens on port 8053.
    async fn start(cluster: &Server, name: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        cluster.listen("kube-system", name, 8053, Some(listener.local_addr().unwrap()));
        let yes = || Arc::new(AtomicBool::new(true));
        let pod = Self { cluster: cluster.clone(), reaches_central: yes(), own: yes(), outside: yes() };
        let server = pod.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(server.clone().serve(stream));
            }
        });
        pod
    }

    async fn serve(self, mut stream: TcpStream) {
        while let Ok(length) = stream.read_u16().await {
            let mut question = vec![0; length.into()];
            stream.read_exact(&mut question).await.unwrap();
            let answer = self.answer(Message::from_vec(&question).unwrap()).to_vec().unwrap();
            stream.write_u16(answer.len().try_into().unwrap()).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    }

    fn answer(&self, mut question: Message) -> Message {
        let name = question.queries[0].name().clone();
        question.metadata.message_type = MessageType::Response;
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        let of_the_zone = || {
            let (server, admin) = (parse(&format!("ns.dns.{ZONE}.")), parse(&format!("hostmaster.{ZONE}.")));
            RData::SOA(SOA::new(server, admin, 1, 7200, 1800, 86400, 5))
        };
        let said = match name.to_ascii().as_str() {
            OWN_NAME if is(&self.own) => Ok(RData::A(Ipv4Addr::new(10, 96, 0, 1).into())),
            "." if is(&self.outside) => Ok(RData::NS(NS(parse("a.root-servers.net.")))),
            OWN_NAME | "." => Err(ResponseCode::ServFail),
            _ if !forwards(&self.cluster) => Err(ResponseCode::NXDomain),
            _ if has_wrong_address(&self.cluster) => Err(ResponseCode::ServFail),
            _ if is(&self.reaches_central) => Ok(of_the_zone()),
            _ => Err(ResponseCode::ServFail),
        };
        match said {
            Ok(data) => drop(question.add_answer(Record::from_rdata(name, 5, data))),
            Err(code) => question.metadata.response_code = code,
        }
        question
    }
}

/// Where no central DNS answers.
const WRONG: &str = "192.0.2.9";

fn has_wrong_address(cluster: &Server) -> bool {
    corefile(cluster).contains(WRONG)
}

fn parse(name: &str) -> Name {
    Name::from_ascii(name).unwrap()
}

fn set(flag: &AtomicBool, is: bool) {
    flag.store(is, Ordering::Relaxed);
}

/// A landscape whose cluster has two pods of a DNS, and nobody has said where that is asked.
async fn two_pods() -> (World, Server, [PodDns; 2]) {
    let world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let (w1, pods) = add_cluster(&world, "w1").await;
    (world, w1, pods)
}

/// A cluster with two pods of a DNS comes.
async fn add_cluster(world: &World, name: &str) -> (Server, [PodDns; 2]) {
    let w1 = world.add_cluster(name);
    dns_pods().into_iter().for_each(|object| drop(w1.put(object).unwrap()));
    w1.put(dns_slice(&[("coredns-a", true), ("coredns-b", true), ("coredns-c", false)])).unwrap();
    let no_address =
        json!({ "metadata": { "annotations": { "dns.openmcp.cloud/cluster-dns-address": null } } });
    world.change_cluster(name, no_address).await;
    let pods = [PodDns::start(&w1, "coredns-a").await, PodDns::start(&w1, "coredns-b").await];
    (w1, pods)
}

/// Waits until this is said of the cluster's DNS.
async fn said(world: &World, text: &str) {
    world.status_is("w1", text, |status: &Value| message(status, "Forwarded").contains(text)).await;
}

#[tokio::test]
async fn every_pod_says_that_the_zone_is_forwarded_without_an_annotation() {
    let (mut world, w1, [_, b]) = two_pods().await;
    set(&b.reaches_central, false);
    world.start();
    said(&world, "pod coredns-b, asked for the SOA of openmcp.cluster: SERVFAIL; it answers for the cluster")
        .await;
    set(&b.reaches_central, true);
    let message = world.condition("w1", "Forwarded", "True", "Succeeded").await;
    assert!(message.ends_with(", say all of its 2 pods"), "{message}");
    assert!(forwards(&w1));
}

#[tokio::test]
async fn where_pods_must_not_be_asked_that_is_said_and_the_zone_is_forwarded_all_the_same() {
    let (mut world, w1, _pods) = two_pods().await;
    let refused = w1.fail(Fault::new(Effect::Refuse(403)).kind("pods"));
    world.start();
    said(
        &world,
        "pod coredns-a cannot be asked: rights to ask its pods are missing: apply deploy/cluster-access.yaml",
    )
    .await;
    world.condition("w1", "Forwarded", "Unknown", "NotProbed").await;
    assert!(forwards(&w1));
    w1.heal(refused);
    world.condition("w1", "Forwarded", "True", "Succeeded").await;
}

#[tokio::test]
async fn a_pod_where_nothing_listens_is_no_pod_that_answers_wrongly() {
    let (mut world, w1, _pods) = two_pods().await;
    w1.listen("kube-system", "coredns-b", 8053, Some(nobody().await));
    world.start();
    said(&world, "pod coredns-b cannot be asked: an error occurred forwarding 8053").await;
    world.condition("w1", "Forwarded", "Unknown", "NotProbed").await;
    assert!(forwards(&w1));
}

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_change_after_which_one_pod_fails_is_taken_back_without_an_annotation() {
    let (mut world, w1, [_, b]) = two_pods().await;
    world.start();
    until("the block stands there", || forwards(&w1)).await;
    set(&b.own, false);
    let said = world.condition("w1", "Forwarded", "False", "TakenBack").await;
    assert!(
        said.contains("now kubernetes.default.svc.cluster.local fails (pod coredns-b, asked for"),
        "{said}"
    );
    until("the block is gone", || corefile(&w1) == COREFILE).await;
}

#[tokio::test]
async fn a_change_after_which_names_outside_fail_is_taken_back() {
    let (mut world, w1, [a, b]) = two_pods().await;
    world.start();
    until("the block stands there", || forwards(&w1)).await;
    [&a, &b].into_iter().for_each(|pod| set(&pod.outside, false));
    let said = world.condition("w1", "Forwarded", "False", "TakenBack").await;
    assert!(said.contains("forwards elsewhere fails (pod coredns-a, asked for the name servers"), "{said}");
    until("the block is gone", || corefile(&w1) == COREFILE).await;
}

#[tokio::test]
async fn another_address_of_the_central_dns_goes_to_one_cluster_first_and_to_no_other_when_that_breaks() {
    let (mut world, w1, _pods) = two_pods().await;
    let (w2, _pods) = add_cluster(&world, "w2").await;
    let mut service = world.own_service();
    let (addresses, upstreams) = watch::channel(service.upstreams.borrow().clone());
    let right = std::mem::replace(&mut service.upstreams, upstreams).borrow().clone();
    world.access.say_something();
    world.start_service(service);
    for cluster in ["w1", "w2"] {
        world.condition(cluster, "Forwarded", "True", "Succeeded").await;
    }
    addresses.send_replace(vec![SocketAddr::new(WRONG.parse().unwrap(), 53)]);
    let waits = |cluster: &str, first: &str| {
        let text = format!(
            "is forwarded as before: a change of many clusters goes to a few first: now to openmcp/{first}"
        );
        message(&world.status(cluster), "Forwarded").ends_with(&text)
    };
    until("one of them waits for the other", || waits("w1", "w2") || waits("w2", "w1")).await;
    let first = if waits("w1", "w2") { "w2" } else { "w1" };
    world
        .status_is(first, "the first one is broken", |status| {
            message(status, "Forwarded").contains("so it gets no answer from 192.0.2.9")
        })
        .await;
    assert!(has_wrong_address(&w1) != has_wrong_address(&w2), "it is in one of them");
    addresses.send_replace(right);
    until("the address is in none of them", || !has_wrong_address(&w1) && !has_wrong_address(&w2)).await;
    for cluster in ["w1", "w2"] {
        world.condition(cluster, "Forwarded", "True", "Succeeded").await;
    }
}
