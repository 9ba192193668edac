//! Attacks on the way in: who may connect, how often, and for how long.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::HeaderMap;
use http_body_util::{BodyExt as _, StreamBody};
use openmcp_dns_core::cluster::ClusterId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tonic::Code;

use super::certificates::{Authority, Signed, Use};
use super::client::{Answer, Client, TestBody, Way, framed};
use super::world::{OWN_KEY, World, credentials, everything, put};
use crate::budget::CONNECTIONS;
use crate::messages as pb;

const TLS12: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];

const RANGE: &str = "/etcdserverpb.KV/Range";

/// Whether somebody who comes so gets an answer.
async fn is_answered(way: &Way) -> bool {
    let Ok(client) = way.connect().await else { return false };
    let answer: io::Result<Answer<pb::RangeResponse>> = client.kv("Range", &everything()).await;
    answer.is_ok_and(|answer| answer.code == Code::Ok)
}

/// Reads until the gate ends the connection.
async fn is_cut_off(mut stream: impl tokio::io::AsyncRead + Unpin) {
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
}

/// A body that begins and never ends.
fn endless() -> TestBody {
    let first = futures::stream::iter([Ok(http_body::Frame::data(Bytes::from_static(&[0, 0, 0, 1, 0])))]);
    let never = futures::stream::pending();
    StreamBody::new(futures::StreamExt::chain(first, never)).boxed_unsync()
}

#[tokio::test]
async fn nobody_is_let_in_but_with_a_certificate_on_the_list() {
    let world = World::new().await;
    let other = Authority::new("agents");
    let listed = |signed: Signed| {
        let signed = Arc::new(signed);
        world.agents.send_modify(|agents| {
            agents.insert(signed.fingerprint(), ClusterId::new("clusters", "victim"));
        });
        signed
    };
    let unlisted = Arc::new(world.authority.sign("victim", Use::Client));
    for (name, certificate) in [
        ("no certificate", None),
        ("one of the same name that is not listed", Some(unlisted)),
        (
            "one of another authority of the same name, though listed",
            Some(listed(other.sign("victim", Use::Client))),
        ),
        (
            "one that has ended, though listed",
            Some(listed(world.authority.sign("victim", Use::ExpiredClient))),
        ),
        ("one of a server, though listed", Some(listed(world.authority.sign("victim", Use::Server)))),
    ] {
        assert!(!is_answered(&world.way(certificate)).await, "{name}");
        world.victim_is_well(name).await;
    }
    assert!(is_answered(&world.way(Some(Arc::clone(&world.attacker_certificate)))).await);
    let mut old = world.way(Some(Arc::clone(&world.attacker_certificate)));
    old.versions = TLS12;
    assert!(is_answered(&old).await, "external-dns may come with TLS 1.2");
    old.alpn = b"http/1.1";
    assert!(!is_answered(&old).await, "another protocol");
}

#[tokio::test]
async fn who_is_taken_off_the_list_is_cut_off_and_not_let_in_again() {
    let world = World::new().await;
    let way = world.way(Some(Arc::clone(&world.attacker_certificate)));
    let client = way.connect().await.unwrap();
    let _: Answer<pb::PutResponse> = client.kv("Put", &put(OWN_KEY, "10.0.0.1")).await.unwrap();
    let fingerprint = world.attacker_certificate.fingerprint();
    let visit = || world.visits.of(&ClusterId::new("clusters", "attacker")).unwrap();
    assert_eq!(visit().fingerprint, fingerprint);
    assert!(visit().is_there(Duration::ZERO, Instant::now()));
    world.agents.send_modify(|agents| drop(agents.remove(&fingerprint)));
    let _ = client.driver.await;
    while visit().is_there(Duration::ZERO, Instant::now() + Duration::from_secs(1)) {
        tokio::task::yield_now().await;
    }
    assert!(!is_answered(&way).await);
    world.victim_is_well("a certificate was revoked").await;
}

#[tokio::test]
async fn certificates_and_authorities_change_while_the_gate_serves() {
    let world = World::new().await;
    let old = world.way(Some(Arc::clone(&world.attacker_certificate)));
    world.credentials.send_replace(Some(crate::Credentials {
        certificate: b"nonsense".to_vec(),
        ..credentials(&world.authority, &world.authority.pem)
    }));
    assert!(is_answered(&old).await, "what is of no use changes nothing");

    let next = Authority::new("next");
    let renewed = Arc::new(next.sign("attacker", Use::Client));
    let cluster = ClusterId::new("clusters", "attacker");
    world.agents.send_modify(|agents| drop(agents.insert(renewed.fingerprint(), cluster)));
    world.credentials.send_replace(Some(credentials(&next, &next.pem)));
    let mut way = world.way(Some(renewed));
    way.authority = next.pem.clone();
    // The gate takes it before the next connection, or the one after that.
    while !is_answered(&way).await {
        tokio::task::yield_now().await;
    }
    let mut former = old;
    former.authority = next.pem;
    assert!(!is_answered(&former).await, "its authority is not trusted any more");
}

type Attempt = for<'w> fn(&'w World) -> BoxFuture<'w, Box<dyn std::any::Any + Send>>;

/// What is tried; what it gives is held until the victim was looked at.
const ATTEMPTS: &[(&str, Attempt)] = &[
    ("plain text", |world| {
        async {
            let mut stream = world.way(None).tcp().await.unwrap();
            let _ = stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
            is_cut_off(stream).await;
            held(())
        }
        .boxed()
    }),
    ("TLS 1.1", |world| {
        async {
            let mut stream = world.way(None).tcp().await.unwrap();
            // A ClientHello of TLS 1.1 with one cipher suite.
            let mut hello = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2];
            hello.extend([7; 32]);
            hello.extend([0, 0, 2, 0, 0x2f, 1, 0]);
            let _ = stream.write_all(&hello).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            assert_eq!(answer.first(), Some(&0x15), "an alert, and no more");
            held(())
        }
        .boxed()
    }),
    ("connections that say nothing", |world| {
        async {
            let mut open = Vec::new();
            for _ in 0..200 {
                open.extend(world.way(None).tcp().await);
            }
            held(open)
        }
        .boxed()
    }),
    ("connections that say half of it", |world| {
        async {
            let mut open = Vec::new();
            for _ in 0..200 {
                let Ok(mut stream) = world.way(None).tcp().await else { continue };
                let _ = stream.write_all(&[0x16, 3, 1, 2, 0, 1]).await;
                open.push(stream);
            }
            held(open)
        }
        .boxed()
    }),
    ("hundreds of connections with its certificate", |world| {
        async {
            let way = world.way(Some(Arc::clone(&world.attacker_certificate)));
            let (mut open, mut answered) = (Vec::new(), 0);
            for _ in 0..300 {
                let Ok(client) = way.connect().await else { continue };
                let answer: io::Result<Answer<pb::RangeResponse>> = client.kv("Range", &everything()).await;
                answered += usize::from(answer.is_ok_and(|answer| answer.code == Code::Ok));
                open.push(client);
            }
            assert!((1..=CONNECTIONS).contains(&answered), "{answered}");
            held(open)
        }
        .boxed()
    }),
    ("requests that never end", |world| {
        async {
            let mut open: Vec<Box<dyn std::any::Any + Send>> = Vec::new();
            let way = world.way(Some(Arc::clone(&world.attacker_certificate)));
            for _ in 0..CONNECTIONS {
                let Ok(client) = way.connect().await else { continue };
                for _ in 0..16 {
                    if let Ok(answer) = client.send(RANGE, HeaderMap::new(), endless()).await {
                        open.push(Box::new(tokio::spawn(answer)));
                    }
                }
                open.push(Box::new(client));
            }
            held(open)
        }
        .boxed()
    }),
    ("answers that nobody reads", |world| {
        async {
            let client = world.attacker().await;
            for number in 0..300 {
                let key = format!("/skydns/example/attacker/n{number}/00000001");
                let _: io::Result<Answer<pb::PutResponse>> = client.kv("Put", &put(&key, "10.0.0.1")).await;
            }
            let mut open = Vec::new();
            for _ in 0..16 {
                let body = super::client::whole(framed(false, &prost::Message::encode_to_vec(&everything())));
                let answer = client.send(RANGE, HeaderMap::new(), body).await.unwrap();
                // The answer has begun; its body is not read.
                open.push(tokio::spawn(answer));
            }
            held((client, open))
        }
        .boxed()
    }),
    ("requests that are taken back at once", |world| {
        async {
            let client = world.attacker().await;
            for _ in 0..2000 {
                let Ok(answer) = client.send(RANGE, HeaderMap::new(), endless()).await else { break };
                drop(answer);
            }
            held(client)
        }
        .boxed()
    }),
    ("headers without end", |world| {
        async {
            let client = world.attacker().await;
            let mut headers = HeaderMap::new();
            for number in 0..200 {
                let name: http::HeaderName = format!("x-{number}").parse().unwrap();
                headers.insert(name, "x".repeat(1000).parse().unwrap());
            }
            let body = super::client::whole(framed(false, b""));
            let answer: io::Result<Answer<pb::RangeResponse>> = client.call(RANGE, headers, body).await;
            assert!(answer.is_err() || answer.unwrap().code != Code::Ok);
            held(client)
        }
        .boxed()
    }),
    ("garbage after the handshake", |world| {
        async {
            let way = world.way(Some(Arc::clone(&world.attacker_certificate)));
            let mut stream = way.secure().await.unwrap();
            let _ = stream.write_all(&[0x5a; 100_000]).await;
            is_cut_off(stream).await;
            held(())
        }
        .boxed()
    }),
    ("hundreds of requests at once", |world| {
        async {
            let client = world.attacker().await;
            let message = everything();
            let requests = (0..500).map(|_| client.kv::<pb::RangeResponse>("Range", &message));
            let all = Vec::from_iter(requests);
            held(futures::future::join_all(all).await.len())
        }
        .boxed()
    }),
    ("what the victim has sent, once more", |world| {
        async {
            // Somebody on the way keeps what the victim sends, and sends it again.
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut way = world.way(Some(Arc::clone(&world.victim_certificate)));
            let gate = std::mem::replace(&mut way.gate, listener.local_addr().unwrap());
            let eavesdropper = tokio::spawn(async move {
                let (victim, _) = listener.accept().await.unwrap();
                let there = tokio::net::TcpStream::connect(gate).await.unwrap();
                let ((mut from, mut to), (mut back, mut forth)) = (victim.into_split(), there.into_split());
                let answers = tokio::spawn(async move { tokio::io::copy(&mut back, &mut to).await });
                let (mut kept, mut buffer) = (Vec::new(), [0; 4096]);
                while let Ok(read @ 1..) = from.read(&mut buffer).await {
                    kept.extend_from_slice(&buffer[..read]);
                    forth.write_all(&buffer[..read]).await.unwrap();
                }
                answers.abort();
                kept
            });
            let client = way.connect().await.unwrap();
            let _: Answer<pb::RangeResponse> = client.kv("Range", &everything()).await.unwrap();
            let Client { driver, .. } = client;
            driver.abort();
            let kept = eavesdropper.await.unwrap();
            way.gate = gate;
            let mut again = way.tcp().await.unwrap();
            let _ = again.write_all(&kept).await;
            is_cut_off(again).await;
            held(())
        }
        .boxed()
    }),
];

fn held(what: impl std::any::Any + Send) -> Box<dyn std::any::Any + Send> {
    Box::new(what)
}

#[tokio::test]
async fn whatever_somebody_does_at_the_door_another_one_is_served() {
    for (name, attempt) in ATTEMPTS {
        let world = World::new().await;
        let attempted = tokio::time::timeout(Duration::from_secs(600), attempt(&world)).await;
        let Ok(open) = attempted else { panic!("{name} does not end") };
        world.victim_is_well(name).await;
        drop(open);
    }
}
