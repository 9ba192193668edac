//! The gate of a landscape in memory, and what comes through it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use etcd_client::{
    Certificate, Client, ConnectOptions, DeleteOptions, GetOptions, Identity, KeyValue, TlsOptions,
};
use k8s_openapi::ByteString;
use openmcp_dns_api::Images;
use openmcp_dns_kube_memory::Server;
use openmcp_dns_service::api_client::limited;
use openmcp_dns_service::certificates::Lifetimes;
use openmcp_dns_service::enrolment::{Enrolment, EnrolmentOptions};
use openmcp_dns_service::run::AgentGate;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::objects::{SECRET, agents_everywhere};
use crate::world::{World, eventually};

/// Where the service keeps what is its own.
pub(crate) const NAMESPACE: &str = "openmcp-dns";

impl World {
    /// Starts the service with a gate; every cluster is to have an agent. Gives where the gate is.
    pub(crate) async fn start_with_gate(&mut self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gate = listener.local_addr().unwrap();
        self.platform.put(agents_everywhere(gate)).unwrap();
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } });
        self.platform.put(namespace).unwrap();
        let enrolment = Enrolment::new(EnrolmentOptions {
            platform: limited(self.platform.client()),
            namespace: NAMESPACE.to_owned(),
            config_name: "openmcp-dns".to_owned(),
            images: Images::default(),
            lifetimes: Lifetimes::default(),
            pod: None,
            port: Some(gate.port()),
        });
        let mut service = self.own_service();
        let (inputs, recorded) = (enrolment.inputs(), enrolment.recorded());
        service.gate = Some(AgentGate { listener, inputs, recorded });
        service.enrolment = Some(enrolment);
        self.access.say_something();
        self.start_service(service);
        gate
    }

    /// The Secret of the only agent.
    pub(crate) fn agent_secret(&self) -> Option<Value> {
        let mut all = SECRET.list(&self.platform).into_iter();
        all.find(|secret| {
            let name = secret["metadata"]["name"].as_str().unwrap_or_default();
            secret["metadata"]["namespace"] == NAMESPACE && name.starts_with("openmcp-dns-agent-")
        })
    }
}

/// A file of a Secret.
pub(crate) fn file(secret: &Value, name: &str) -> String {
    let ByteString(bytes) = serde_json::from_value(secret["data"][name].clone()).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// An agent, as external-dns speaks to what it takes for its etcd.
pub(crate) struct Agent(Client);

impl Agent {
    /// With the certificate in a Secret.
    pub(crate) async fn new(gate: SocketAddr, secret: &Value) -> Self {
        let tls = TlsOptions::new()
            .ca_certificate(Certificate::from_pem(file(secret, "ca.crt")))
            .identity(Identity::from_pem(file(secret, "tls.crt"), file(secret, "tls.key")));
        let options = ConnectOptions::new().with_tls(tls);
        Self(Client::connect([format!("https://{gate}")], Some(options)).await.unwrap())
    }

    /// Writes a target of a name; gives what is refused.
    pub(crate) async fn put(&mut self, key: &str, target: &str) -> Result<(), String> {
        self.put_value(key, &json!({ "host": target, "targetstrip": 1 })).await
    }

    /// The same for any value.
    pub(crate) async fn put_value(&mut self, key: &str, value: &Value) -> Result<(), String> {
        self.0.put(key, value.to_string(), None).await.map(drop).map_err(|error| error.to_string())
    }

    /// Reads everything, as at the begin of each synchronisation.
    pub(crate) async fn all(&mut self) -> BTreeMap<String, Value> {
        let everything = GetOptions::new().with_prefix();
        let read = self.0.get("/skydns/", Some(everything)).await.unwrap();
        let pair = |pair: &KeyValue| {
            (pair.key_str().unwrap().to_owned(), serde_json::from_slice(pair.value()).unwrap())
        };
        read.kvs().iter().map(pair).collect()
    }

    /// Deletes a key, or all that begin so.
    pub(crate) async fn delete(&mut self, key: &str, with_prefix: bool) {
        let options = with_prefix.then(|| DeleteOptions::new().with_prefix());
        self.0.delete(key, options).await.unwrap();
    }

    /// Tries until it is let write this.
    pub(crate) async fn put_when_let(&mut self, key: &str, target: &str) {
        let start = tokio::time::Instant::now();
        while let Err(why) = self.put(key, target).await {
            assert!(start.elapsed().as_secs() < 60, "{why}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

/// Waits for the Secret with the objects that somebody is to bring.
pub(crate) async fn handed_out(world: &World) -> Value {
    eventually("the agent's objects are handed out", || {
        let secret = world.agent_secret().unwrap_or_default();
        if secret["data"]["agent.json"].is_string() { Ok(secret) } else { Err(format!("{secret:#}")) }
    })
    .await
}

/// A cluster's API server that serves all that an agent consists of.
pub(crate) fn serve_agents(server: &Server) {
    for (group, version, kind, plural, is_namespaced) in [
        ("", "v1", "ServiceAccount", "serviceaccounts", true),
        ("", "v1", "Pod", "pods", true),
        ("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", false),
        ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", false),
        ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", true),
        ("apps", "v1", "Deployment", "deployments", true),
    ] {
        let resource = openmcp_dns_kube_memory::Resource::custom(group, version, kind, plural);
        server.register(if is_namespaced { resource } else { resource.in_no_namespace() }, None);
    }
}
