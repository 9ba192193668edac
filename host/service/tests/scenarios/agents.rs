//! Agents: external-dns in a cluster, which records through the gate.

use std::time::{Duration, Instant};

use openmcp_dns_kube_memory::Verb;
use serde_json::{Value, json};

use crate::gate::{Agent, file, handed_out, serve_agents};
use crate::objects::{CLUSTERS, DEPLOYMENT, POLICY, policy};
use crate::world::{World, events, forwards, message, requests, text, until};

const AGENT: &str = "openmcp-dns-agent";
const WEB: &str = "/skydns/cluster/openmcp/w1/web/00000001";
const DENIED: &str = "/skydns/cluster/openmcp/w1/deny-me/00000001";
const OUTSIDE: &str = "/skydns/cluster/openmcp/w2/web/00000001";

/// A cluster that nobody lets the service into, and its agent.
pub(crate) async fn closed() -> (World, Agent) {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    world.add_closed_cluster("w1", json!({}));
    let gate = world.start_with_gate().await;
    let agent = Agent::new(gate, &handed_out(&world).await).await;
    (world, agent)
}

#[tokio::test]
async fn a_cluster_that_nobody_lets_the_service_into_is_recorded_by_an_agent_that_somebody_brings() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    world.add_closed_cluster("w1", json!({}));
    let gate = world.start_with_gate().await;
    let secret = handed_out(&world).await;
    let said = world.condition("w1", "Agent", "Unknown", "AgentByHand").await;
    let command = format!("kubectl -n openmcp-dns get secret {} -o", text(&secret["metadata"]["name"]));
    assert!(said.contains(&command) && said.contains(r"{.data.agent\.json}"), "{said}");
    world.condition("w1", "Reachable", "Unknown", "AgentByHand").await;

    // Whoever runs the command gets all of it.
    let list: Value = serde_json::from_str(&file(&secret, "agent.json")).unwrap();
    let kinds: Vec<&str> =
        list["items"].as_array().unwrap().iter().flat_map(|item| item["kind"].as_str()).collect();
    let all = [
        "Namespace",
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "NetworkPolicy",
        "Secret",
        "Deployment",
    ];
    assert_eq!((kinds.as_slice(), &list["kind"]), (&all[..], &json!("List")));
    assert_eq!(list["items"][5]["data"]["tls.key"], secret["data"]["tls.key"]);
    let container = &list["items"][6]["spec"]["template"]["spec"]["containers"][0];
    for flag in ["--source=gateway-httproute", "--source=ingress", "--domain-filter=w1.openmcp.cluster"] {
        assert!(container["args"].as_array().unwrap().contains(&json!(flag)), "{flag}: {container:#}");
    }
    assert_eq!(container["env"][0]["value"], format!("https://{gate}"));

    // It comes, and has all recorded.
    let mut agent = Agent::new(gate, &secret).await;
    assert_eq!(agent.all().await.len(), 0);
    agent.put_when_let(WEB, "10.0.0.1").await;
    world.published("web.w1.openmcp.cluster", &["10.0.0.1"]).await;
    assert_eq!(agent.all().await.len(), 1);
    assert_eq!(agent.all().await.len(), 1);
    world.all_is_well("w1").await;
    let status = world.status("w1");
    assert!(message(&status, "Reachable").contains("needs none"), "{status:#}");
    assert!(message(&status, "Agent").contains("brought by hand"), "{status:#}");
    assert!(world.metrics().await.contains(r#"cluster="w1",condition="Reachable"} 1"#));

    // Access that comes later is used.
    let server = world.cluster_server("w1");
    serve_agents(&server);
    world.access.grant("w1", openmcp_dns_service::inventory::Access::by_client("w1", server.client(), 1));
    world.condition("w1", "Agent", "Unknown", "InProgress").await;
    assert!(DEPLOYMENT.get(&server, AGENT, AGENT).is_some());
    world.published("web.w1.openmcp.cluster", &["10.0.0.1"]).await;
}

#[tokio::test]
async fn what_an_agent_is_refused_becomes_an_event_of_its_cluster() {
    let (world, mut agent) = closed().await;
    agent.put_when_let(WEB, "10.0.0.1").await;
    let refused = agent.put(DENIED, "10.0.0.1").await.unwrap_err();
    assert!(refused.contains("prefix-denied"), "{refused}");
    until("there is an Event", || !events(&world.platform, "AgentRefused").is_empty()).await;
    let event = events(&world.platform, "AgentRefused").remove(0);
    let note = event["note"].as_str().unwrap();
    assert!(
        note.starts_with(
            "refused to the agent of the cluster: etcdserver: permission denied: deny-me.w1.openmcp.cluster to 10.0.0.1: \
             prefix-denied: "
        ),
        "{note}"
    );
    let regarding = &event["regarding"];
    assert_eq!((&regarding["kind"], &regarding["name"]), (&json!("ClusterDNS"), &json!("w1")));
    let cluster_dns = crate::objects::CLUSTER_DNS.get(&world.platform, CLUSTERS, "w1").unwrap();
    assert_eq!(regarding["uid"], cluster_dns["metadata"]["uid"]);
    assert_eq!(event["metadata"]["namespace"], CLUSTERS);

    // What is refused again counts in the Event that says it.
    for _ in 0..2 {
        agent.put(OUTSIDE, "10.0.0.1").await.unwrap_err();
    }
    let counts = || -> Vec<i64> {
        events(&world.platform, "AgentRefused")
            .iter()
            .flat_map(|event| event["series"]["count"].as_i64())
            .collect()
    };
    until("it is counted", || counts() == [2]).await;
    assert_eq!(events(&world.platform, "AgentRefused").len(), 2);
}

#[tokio::test]
async fn an_agent_that_stands_as_it_should_is_looked_at_and_nothing_else_is_asked_for() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let w1 = world.add_cluster("w1");
    serve_agents(&w1);
    world.start_with_gate().await;
    world.condition("w1", "Agent", "Unknown", "InProgress").await;
    until("the agent is deployed", || DEPLOYMENT.get(&w1, AGENT, AGENT).is_some()).await;
    let mut deployment = DEPLOYMENT.get(&w1, AGENT, AGENT).unwrap();
    deployment["status"] = json!({
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
    });
    w1.put(deployment).unwrap();
    world.condition("w1", "Agent", "True", "Succeeded").await;
    until("it forwards", || forwards(&w1)).await;

    let began = Instant::now();
    w1.forget_requests();
    world.platform.forget_requests();
    for number in 0..5 {
        let looks = requests(&w1, Verb::Get, "deployments");
        let label = json!({ "metadata": { "labels": { "number": number.to_string() } } });
        world.change_cluster("w1", label).await;
        until("the agent is looked at", || requests(&w1, Verb::Get, "deployments") > looks).await;
    }
    let asked = [
        requests(&world.platform, Verb::Get, "secrets"),
        requests(&w1, Verb::Get, "namespaces"),
        w1.writes(),
    ];
    assert_eq!(asked, [0, 0, 0], "{:?} {:?}", world.platform.requests(), w1.requests());
    // Whether it lives is asked every five seconds.
    let pulses = began.elapsed().as_secs() / Duration::from_secs(5).as_secs() + 1;
    assert!(requests(&w1, Verb::Discover, "") <= pulses, "{:?}", w1.requests());

    // What is changed there is changed back at once.
    DEPLOYMENT.merge(&w1, AGENT, AGENT, &json!({ "spec": { "replicas": 3 } })).await;
    world.change_cluster("w1", json!({ "metadata": { "labels": { "number": "5" } } })).await;
    until("there is one again", || DEPLOYMENT.get(&w1, AGENT, AGENT).unwrap()["spec"]["replicas"] == 1).await;
}
