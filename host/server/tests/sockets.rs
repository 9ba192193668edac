//! The server over real sockets, asked by a real resolver and by hand-made messages.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use openmcp_dns_core::skydns::Prefix;
use openmcp_dns_server::{BindError, Records, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longer than any answer over loopback takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

struct Running {
    address: SocketAddr,
    records: Records,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(entries: &[(&str, &str)]) -> Self {
        Self::start_on(loopback(), entries).await
    }

    async fn start_on(address: SocketAddr, entries: &[(&str, &str)]) -> Self {
        let records = Records::new("openmcp.cluster".parse().unwrap(), Prefix::default());
        records.replace(
            entries.iter().map(|(key, json)| (format!("/skydns/cluster/{key}"), json.as_bytes().to_vec())),
        );
        let server = Server::bind(address, records.clone()).await.unwrap();
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            server
                .run(async {
                    let _ = stopped.await;
                })
                .await
                .unwrap();
        });
        Self { address, records, stop, task }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        timeout(PATIENCE, self.task).await.expect("the server ends").unwrap();
    }

    async fn ask(&self, name: &str, record_type: RecordType) -> String {
        let resolver = resolver(self.address);
        match timeout(PATIENCE, resolver.lookup(Name::from_ascii(name).unwrap(), record_type)).await.unwrap()
        {
            Ok(lookup) => {
                let mut texts: Vec<String> = lookup
                    .answers()
                    .iter()
                    .map(|record| format!("{} {}", record.record_type(), record.data))
                    .collect();
                texts.sort();
                texts.join(", ")
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
                format!("{:?} {:?}", none.response_code, none.negative_ttl)
            }
            Err(error) => error.to_string(),
        }
    }
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn resolver(server: SocketAddr) -> TokioResolver {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    let name_server = NameServerConfig::new(server.ip(), true, connections.to_vec());
    let mut options = ResolverOpts::default();
    options.timeout = PATIENCE;
    options.attempts = 1;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.edns0 = true;
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![name_server]);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .with_options(options)
        .build()
        .unwrap()
}

fn question(name: &str, record_type: RecordType) -> Vec<u8> {
    let mut message = Message::query();
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), record_type));
    message.to_vec().unwrap()
}

async fn exchange(socket: &UdpSocket, server: SocketAddr, request: &[u8]) -> Message {
    socket.send_to(request, server).await.unwrap();
    let mut response = [0; 4096];
    let (length, _) = timeout(PATIENCE, socket.recv_from(&mut response)).await.unwrap().unwrap();
    Message::from_vec(&response[..length]).unwrap()
}

async fn exchange_over_tcp(stream: &mut TcpStream, request: &[u8]) -> Message {
    stream.write_u16(request.len().try_into().unwrap()).await.unwrap();
    stream.write_all(request).await.unwrap();
    read_over_tcp(stream).await
}

async fn read_over_tcp(stream: &mut TcpStream) -> Message {
    let length = timeout(PATIENCE, stream.read_u16()).await.unwrap().unwrap();
    let mut response = vec![0; usize::from(length)];
    timeout(PATIENCE, stream.read_exact(&mut response)).await.unwrap().unwrap();
    Message::from_vec(&response).unwrap()
}

#[tokio::test]
async fn a_resolver_gets_every_type_of_record() {
    let server = Running::start(&[
        ("openmcp/svc/0123456789abcdef", r#"{"host":"10.0.0.1","owner":"openmcp.cluster/a/w1"}"#),
        ("openmcp/svc/1a2b3c4d", r#"{"host":"10.0.0.2"}"#),
        ("openmcp/svc/2a2b3c4d", r#"{"host":"fd00::1"}"#),
        ("openmcp/svc/3a2b3c4d", r#"{"text":"hello"}"#),
        ("openmcp/www", r#"{"host":"svc.openmcp.cluster"}"#),
        ("openmcp/out", r#"{"host":"lb.example.com"}"#),
    ])
    .await;
    assert_eq!(server.ask("svc.openmcp.cluster.", RecordType::A).await, "A 10.0.0.1, A 10.0.0.2");
    assert_eq!(server.ask("SVC.openmcp.CLUSTER.", RecordType::AAAA).await, "AAAA fd00::1");
    assert_eq!(server.ask("svc.openmcp.cluster.", RecordType::TXT).await, "TXT hello");
    assert_eq!(
        server.ask("www.openmcp.cluster.", RecordType::A).await,
        "A 10.0.0.1, A 10.0.0.2, CNAME svc.openmcp.cluster."
    );
    assert_eq!(server.ask("out.openmcp.cluster.", RecordType::CNAME).await, "CNAME lb.example.com.");
    assert_eq!(server.ask("openmcp.cluster.", RecordType::NS).await, "NS ns.dns.openmcp.cluster.");
    server.stop().await;
}

#[tokio::test]
async fn on_all_addresses_both_families_are_answered() {
    let entry = ("openmcp/w1/a", r#"{"host":"10.0.0.1"}"#);
    let mut running = Running::start_on("[::]:0".parse().unwrap(), &[entry]).await;
    let port = running.address.port();
    // A machine without IPv6 has no such address.
    let addresses = [SocketAddr::from(([127, 0, 0, 1], port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port))];
    let there = addresses.into_iter().filter(|address| std::net::UdpSocket::bind((address.ip(), 0)).is_ok());
    for address in there {
        running.address = address;
        assert_eq!(running.ask("a.w1.openmcp.cluster.", RecordType::A).await, "A 10.0.0.1", "{address}");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = question("a.w1.openmcp.cluster.", RecordType::A);
        assert_eq!(exchange_over_tcp(&mut stream, &request).await.answers.len(), 1, "{address}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_resolver_sees_what_does_not_exist_and_for_how_long() {
    let server = Running::start(&[("openmcp/wl01/svc", r#"{"host":"10.0.0.1"}"#)]).await;
    assert_eq!(server.ask("no.openmcp.cluster.", RecordType::A).await, "NXDomain Some(5)");
    assert_eq!(server.ask("svc.wl01.openmcp.cluster.", RecordType::AAAA).await, "NoError Some(5)");
    assert_eq!(server.ask("wl01.openmcp.cluster.", RecordType::A).await, "NoError Some(5)");
    server.stop().await;
}

#[tokio::test]
async fn wildcards_work_and_yield_to_names_that_exist() {
    let server = Running::start(&[
        ("openmcp/apps/*/0123456789abcdef", r#"{"host":"10.0.0.9"}"#),
        ("openmcp/apps/real/deep", r#"{"host":"10.0.0.1"}"#),
    ])
    .await;
    assert_eq!(server.ask("any.apps.openmcp.cluster.", RecordType::A).await, "A 10.0.0.9");
    assert_eq!(server.ask("a.b.apps.openmcp.cluster.", RecordType::A).await, "A 10.0.0.9");
    assert_eq!(server.ask("real.apps.openmcp.cluster.", RecordType::A).await, "NoError Some(5)");
    assert_eq!(server.ask("x.real.apps.openmcp.cluster.", RecordType::A).await, "NXDomain Some(5)");
    server.stop().await;
}

#[tokio::test]
async fn a_resolver_gets_a_large_answer_over_tcp() {
    let entries: Vec<(String, String)> = (0..150)
        .map(|index| (format!("openmcp/many/{index:08x}"), format!(r#"{{"host":"10.0.1.{index}"}}"#)))
        .collect();
    let text = format!(r#"{{"text":"{}"}}"#, "x".repeat(3000));
    let mut entries: Vec<(&str, &str)> =
        entries.iter().map(|(key, json)| (key.as_str(), json.as_str())).collect();
    entries.push(("openmcp/text", &text));
    let server = Running::start(&entries).await;
    let socket = UdpSocket::bind(loopback()).await.unwrap();
    let cut = exchange(&socket, server.address, &question("many.openmcp.cluster.", RecordType::A)).await;
    assert!(cut.metadata.truncation && cut.answers.is_empty());
    let whole = server.ask("many.openmcp.cluster.", RecordType::A).await;
    assert_eq!(whole.split(", ").count(), 150);
    assert_eq!(server.ask("text.openmcp.cluster.", RecordType::TXT).await.matches('x').count(), 3000);
    server.stop().await;
}

#[tokio::test]
async fn names_outside_of_the_zone_are_refused() {
    let server = Running::start(&[]).await;
    let socket = UdpSocket::bind(loopback()).await.unwrap();
    let refused = exchange(&socket, server.address, &question("example.com.", RecordType::A)).await;
    assert_eq!(refused.metadata.response_code, ResponseCode::Refused);
    server.stop().await;
}

#[tokio::test]
async fn a_change_shows_in_the_next_answer() {
    let server =
        Running::start(&[("openmcp/a", "no json"), ("openmcp/a/0000000a", r#"{"host":"10.0.0.1"}"#)]).await;
    assert_eq!(server.ask("a.openmcp.cluster.", RecordType::A).await, "A 10.0.0.1");
    let key = "/skydns/cluster/openmcp/b/0123456789abcdef";
    assert_eq!(server.ask("b.openmcp.cluster.", RecordType::A).await, "NXDomain Some(5)");
    server.records.apply(key, Some(br#"{"host":"10.0.0.2"}"#));
    assert_eq!(server.ask("b.openmcp.cluster.", RecordType::A).await, "A 10.0.0.2");
    server.records.apply(key, Some(br#"{"host":"10.0.0.3"}"#));
    assert_eq!(server.ask("b.openmcp.cluster.", RecordType::A).await, "A 10.0.0.3");
    server.records.apply(key, None);
    assert_eq!(server.ask("b.openmcp.cluster.", RecordType::A).await, "NXDomain Some(5)");
    server.records.replace([]);
    assert_eq!(server.ask("a.openmcp.cluster.", RecordType::A).await, "NXDomain Some(5)");
    server.stop().await;
}

#[tokio::test]
async fn malformed_datagrams_and_streams_do_not_stop_the_answers() {
    let server = Running::start(&[("openmcp/svc", r#"{"host":"10.0.0.1"}"#)]).await;
    let socket = UdpSocket::bind(loopback()).await.unwrap();
    let good = question("svc.openmcp.cluster.", RecordType::A);
    // Unanswered: nothing, too little, a response.
    let mut response = good.clone();
    response[2] |= 0x80;
    for datagram in [&[][..], &good[..5], &response] {
        socket.send_to(datagram, server.address).await.unwrap();
    }
    for cut in 12..good.len() {
        let code = exchange(&socket, server.address, &good[..cut]).await.metadata.response_code;
        assert_eq!(code, ResponseCode::FormErr, "{cut}");
    }
    let noise = [vec![0xff; 600], vec![0; 5000]];
    for datagram in &noise {
        socket.send_to(datagram, server.address).await.unwrap();
    }
    // A socket of its own: what the noise led to must not be taken for the answer.
    let socket = UdpSocket::bind(loopback()).await.unwrap();
    assert_eq!(exchange(&socket, server.address, &good).await.answers.len(), 1);

    for message in noise.iter().map(Vec::as_slice).chain([&[][..], &good[..5]]) {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_u16(message.len().try_into().unwrap()).await.unwrap();
        stream.write_all(message).await.unwrap();
    }
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(exchange_over_tcp(&mut stream, &good).await.answers.len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn one_connection_carries_many_requests_even_in_one_piece() {
    let server = Running::start(&[("openmcp/svc", r#"{"host":"10.0.0.1"}"#)]).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let good = question("svc.openmcp.cluster.", RecordType::A);
    let mut framed = u16::try_from(good.len()).unwrap().to_be_bytes().to_vec();
    framed.extend_from_slice(&good);
    stream.write_all(&framed.repeat(3)).await.unwrap();
    for _ in 0..3 {
        let response = read_over_tcp(&mut stream).await;
        let [record] = response.answers.as_slice() else { panic!("no record") };
        assert_eq!(record.data.to_string(), "10.0.0.1");
    }
    server.stop().await;
}

#[tokio::test]
async fn two_servers_pick_ports_of_their_own() {
    let first = Running::start(&[("openmcp/svc", r#"{"host":"10.0.0.1"}"#)]).await;
    let second = Running::start(&[("openmcp/svc", r#"{"host":"10.0.0.2"}"#)]).await;
    assert_ne!(first.address, second.address);
    assert_eq!(first.ask("svc.openmcp.cluster.", RecordType::A).await, "A 10.0.0.1");
    assert_eq!(second.ask("svc.openmcp.cluster.", RecordType::A).await, "A 10.0.0.2");
    let taken = Server::bind(first.address, second.records.clone()).await.unwrap_err();
    assert!(matches!(taken, BindError::Tcp { .. }), "{taken}");
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn a_port_that_only_another_udp_socket_has_is_reported_as_taken() {
    let socket = UdpSocket::bind(loopback()).await.unwrap();
    let address = socket.local_addr().unwrap();
    let records = Records::new("openmcp.cluster".parse().unwrap(), Prefix::default());
    let taken = Server::bind(address, records).await.unwrap_err();
    // Another test may have the same port over TCP at this moment.
    assert!(matches!(taken, BindError::Udp { .. } | BindError::Tcp { .. }), "{taken}");
}

#[tokio::test]
async fn a_shutdown_ends_open_connections_and_frees_the_port() {
    let server = Running::start(&[]).await;
    let address = server.address;
    let mut idle = TcpStream::connect(address).await.unwrap();
    let mut halfway = TcpStream::connect(address).await.unwrap();
    halfway.write_all(&[0, 100, 1, 2, 3]).await.unwrap();
    let asked = exchange_over_tcp(&mut idle, &question("openmcp.cluster.", RecordType::SOA)).await;
    assert_eq!(asked.answers.len(), 1);
    timeout(Duration::from_secs(3), server.stop()).await.expect("a second is enough");
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert_eq!(halfway.read(&mut [0; 1]).await.unwrap_or(0), 0);
    UdpSocket::bind(address).await.unwrap();
    TcpListener::bind(address).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_stay_whole_while_records_change() {
    let server = Running::start(&[("openmcp/fixed", r#"{"host":"10.0.0.1"}"#)]).await;
    let records = server.records.clone();
    let changing = tokio::task::spawn_blocking(move || {
        for index in 0..20_000 {
            let key = format!("/skydns/cluster/openmcp/n{}/0000000a", index % 50);
            records.apply(&key, (index % 3 != 0).then_some(br#"{"host":"10.0.0.2"}"#.as_slice()));
        }
    });
    let socket = UdpSocket::bind(loopback()).await.unwrap();
    let mut asked = 0;
    while !changing.is_finished() || asked < 100 {
        let response =
            exchange(&socket, server.address, &question("fixed.openmcp.cluster.", RecordType::A)).await;
        assert_eq!(response.answers.len(), 1);
        asked += 1;
    }
    changing.await.unwrap();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_questions_waits_until_it_is_read() {
    const CLIENTS: usize = 8;
    const QUESTIONS: usize = 50;
    let records = Records::new("openmcp.cluster".parse().unwrap(), Prefix::default());
    records.replace(std::iter::empty());
    let server = Server::bind(loopback(), records).await.unwrap();
    let address = server.local_addr();
    // Nobody reads yet: it is as if the server had no processor for a moment.
    let request = question("missing.openmcp.cluster", RecordType::A);
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let client = UdpSocket::bind(loopback()).await.unwrap();
        for _ in 0..QUESTIONS {
            client.send_to(&request, address).await.unwrap();
        }
        clients.push(client);
    }
    let running = tokio::spawn(server.run(std::future::pending()));
    let mut response = [0; 4096];
    for client in clients {
        for answered in 0..QUESTIONS {
            let received = timeout(PATIENCE, client.recv_from(&mut response)).await;
            received.unwrap_or_else(|_| panic!("only {answered} questions were answered")).unwrap();
        }
    }
    running.abort();
}

/// Other loopback addresses are there on Linux without being set up.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn one_address_cannot_take_all_connections() {
    const OF_ADDRESS: usize = 64;
    let running = Running::start(&[]).await;
    let connect = async |last: u8| {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).unwrap();
        socket.connect(running.address).await.unwrap()
    };
    let request = question("missing.openmcp.cluster", RecordType::A);
    let mut greedy = Vec::new();
    for _ in 0..OF_ADDRESS {
        let mut stream = connect(2).await;
        exchange_over_tcp(&mut stream, &request).await;
        greedy.push(stream);
    }
    let mut further = connect(2).await;
    assert_eq!(timeout(PATIENCE, further.read(&mut [0; 16])).await.unwrap().unwrap_or(0), 0);
    exchange_over_tcp(&mut connect(3).await, &request).await;
    drop(greedy);
    running.stop().await;
}
