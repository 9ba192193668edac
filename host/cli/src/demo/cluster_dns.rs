//! Cluster DNS: for each cluster a server that answers as its CoreDNS would, by the Corefile that stands in its API server.
//!
//! Only what the Corefile says of forwarding is followed: a name goes to whom the block of its closest zone forwards to. Of the cluster's
//! own names, it knows the one of the API server; of all others, nothing, as where there is no internet.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdUdpSocket};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use openmcp_dns_core::corefile::Corefile;
use openmcp_dns_kube_memory::Server;
use openmcp_dns_service::address::parse_server;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

/// The cluster's own name that is known, and the address that clusters of kubeadm give it.
const OWN_NAME: &str = "kubernetes.default.svc.cluster.local";
const OWN_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);

/// Time to live of what is answered from here, in seconds: that of the plugin `kubernetes`.
const TTL_SECONDS: u32 = 30;

/// Largest message over UDP, in bytes.
const MAX_MESSAGE_BYTES: usize = 4096;

/// How long another server may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The DNS of one cluster; ends with the value.
pub(super) struct ClusterDns {
    /// Where it answers, over UDP.
    pub(super) address: SocketAddr,
    _serving: AbortOnDropHandle<()>,
}

impl ClusterDns {
    /// Begins to answer on a free port of the loopback address.
    ///
    /// # Errors
    /// When the system gives no socket.
    pub(super) fn start(cluster: Server) -> io::Result<Self> {
        let socket = StdUdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let socket = Arc::new(UdpSocket::from_std(socket)?);
        let serving = AbortOnDropHandle::new(tokio::spawn(serve(socket, cluster)));
        Ok(Self { address, _serving: serving })
    }
}

async fn serve(socket: Arc<UdpSocket>, cluster: Server) {
    let (mut request, mut answering) = (vec![0; MAX_MESSAGE_BYTES], JoinSet::new());
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut request) => received,
            Some(_) = answering.join_next() => continue,
        };
        // An error is about an asker who has gone.
        let Ok((length, asker)) = received else { continue };
        let (request, socket, cluster) = (request[..length].to_vec(), Arc::clone(&socket), cluster.clone());
        answering.spawn(async move {
            if let Some(response) = answer(&cluster, &request).await {
                let _ = socket.send_to(&response, asker).await;
            }
        });
    }
}

/// The answer to a question; `None` to what is none, and where the other server is silent.
async fn answer(cluster: &Server, request: &[u8]) -> Option<Vec<u8>> {
    let question = Message::from_vec(request).ok()?;
    let query = question.queries.first().filter(|_| question.message_type == MessageType::Query)?;
    let config_map = cluster.get("v1", "ConfigMap", "kube-system", "coredns");
    let corefile = config_map.as_ref().and_then(|found| found["data"]["Corefile"].as_str());
    let name = query.name().to_ascii().trim_end_matches('.').to_lowercase();
    match forwarded_to(corefile.unwrap_or_default(), &name) {
        Some(server) => tokio::time::timeout(TIMEOUT, relay(server, request)).await.ok()?.ok(),
        None => {
            let (asked, record_type) = (query.name().clone(), query.query_type());
            from_here(question, &name, asked, record_type).to_vec().ok()
        }
    }
}

/// Whom a Corefile has asked for a name: the first server of the plugin `forward` in the block of the closest zone.
fn forwarded_to(corefile: &str, name: &str) -> Option<SocketAddr> {
    let corefile = Corefile::parse(corefile).ok()?;
    let server = corefile.closest(name)?;
    let forward = server.plugins.iter().filter(|plugin| plugin.name == "forward");
    forward.flat_map(|plugin| plugin.tokens.iter().skip(2)).find_map(|to| parse_server(to).ok())
}

async fn relay(server: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let any: IpAddr =
        if server.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(request).await?;
    let mut response = vec![0; MAX_MESSAGE_BYTES];
    let length = socket.recv(&mut response).await?;
    response.truncate(length);
    Ok(response)
}

/// Answers what nobody else is asked for.
fn from_here(question: Message, name: &str, asked: Name, record_type: RecordType) -> Message {
    let mut response = Message::response(question.id, question.op_code);
    response.metadata.recursion_desired = question.recursion_desired;
    response.metadata.recursion_available = true;
    response.add_queries(question.queries);
    match (name == OWN_NAME, record_type) {
        (true, RecordType::A) => {
            let address = RData::A(OWN_ADDRESS.into());
            response.add_answer(Record::from_rdata(asked, TTL_SECONDS, address));
        }
        (true, _) => {}
        (false, _) => response.metadata.response_code = ResponseCode::NXDomain,
    }
    response
}

#[cfg(test)]
mod tests {
    use openmcp_dns_core::expectation::Answer;
    use openmcp_dns_service::probe::Asker;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_block_of_the_closest_zone_says_whom_a_name_is_forwarded_to() {
        const COREFILE: &str = "\
openmcp.cluster:53 dns://x.example {
    forward . 10.0.0.1 10.0.0.2
}
a.openmcp.cluster {
    errors
    forward . 10.0.0.3:5353 {
       max_concurrent 1000
    }
}
.:53 {
    forward . /etc/resolv.conf
}
";
        for (name, server) in [
            ("openmcp.cluster", Some("10.0.0.1:53")),
            ("b.openmcp.cluster", Some("10.0.0.1:53")),
            ("c.x.example", Some("10.0.0.1:53")),
            ("b.a.openmcp.cluster", Some("10.0.0.3:5353")),
            ("notopenmcp.cluster", None),
            ("", None),
        ] {
            assert_eq!(forwarded_to(COREFILE, name), server.map(|server| server.parse().unwrap()), "{name}");
        }
        assert_eq!(forwarded_to("broken {", "a"), None);
    }

    #[tokio::test]
    async fn a_clusters_dns_follows_its_corefile_from_one_question_to_the_next() {
        let (cluster, other) = (Server::new("w"), Server::new("other"));
        let (dns, behind) = (ClusterDns::start(cluster.clone()).unwrap(), ClusterDns::start(other).unwrap());
        let asker = Asker::new(dns.address).unwrap();
        let own = asker.ask(OWN_NAME, RecordType::A).await;
        assert!(matches!(&own, Answer::Records { values, .. } if values.contains("10.96.0.1")), "{own:?}");
        assert_eq!(asker.ask(OWN_NAME, RecordType::AAAA).await, Answer::NoData);
        assert_eq!(asker.ask(".", RecordType::NS).await, Answer::NoSuchName);
        for (port, expected) in [(behind.address.port(), true), (1, false)] {
            let corefile = format!("cluster.local {{\n    forward . 127.0.0.1:{port}\n}}\n");
            let config_map = json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "namespace": "kube-system", "name": "coredns" },
                "data": { "Corefile": corefile },
            });
            cluster.put(config_map).unwrap();
            let forwarded = asker.ask(OWN_NAME, RecordType::A).await;
            assert_eq!(matches!(forwarded, Answer::Records { .. }), expected, "{forwarded:?}");
        }
    }
}
