//! The probe as people run it: the real binary against the built-in DNS server of a demo.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};

use serde_json::Value;
use support::{Done, Running, command, copy_of_the_example, document, example, run};

const NAME: &str = "svc-abc123.workload01.openmcp.cluster";
const ALIAS: &str = "shop.workload02.openmcp.cluster";

/// An address at which nobody answers.
fn nobody() -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap()
}

fn example_server() -> Running {
    Running::start(example().as_ref())
}

fn last_line(done: &Done) -> &str {
    done.stderr.trim_end().lines().last().unwrap_or_default()
}

#[test]
fn right_answers_end_with_0() {
    let demo = example_server();
    let server = demo.server.to_string();
    for arguments in [
        vec![NAME],
        vec![NAME, "--expect", "172.18.201.1"],
        vec!["SVC-abc123.workload01.openmcp.cluster.", "--type", "a", "--expect", "172.18.201.1"],
        vec![ALIAS, "--expect", "lb-4711.eu-central-1.elb.example.com"],
        vec![ALIAS, "--type", "CNAME", "--expect", "LB-4711.eu-central-1.elb.example.com."],
        vec!["wiki6.workload01.openmcp.cluster", "--expect", "FD00:18:201:0::20"],
        vec!["openmcp.cluster", "--type", "SOA"],
        vec!["unknown.workload01.openmcp.cluster", "--expect", "NXDOMAIN"],
        vec![NAME, "--type", "AAAA", "--expect", "NODATA"],
        vec![NAME, ALIAS],
    ] {
        let done = run(&[&["probe", "--server", &server], arguments.as_slice()].concat());
        assert_eq!(done.code, 0, "{arguments:?}: {done:?}");
        assert!(done.stdout.contains("  ok"), "{}", done.stdout);
    }
}

#[test]
fn the_server_can_come_from_the_environment() {
    let demo = example_server();
    let output =
        command(&["probe", NAME]).env("OPENMCP_DNS_SERVER", demo.server.to_string()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn wrong_answers_end_with_1() {
    let demo = example_server();
    let server = demo.server.to_string();
    for arguments in [
        vec![NAME, "--expect", "172.18.201.2"],
        vec![NAME, "--expect", "172.18.201.1", "--expect", "172.18.201.2"],
        vec!["unknown.workload01.openmcp.cluster"],
        vec![NAME, "--type", "TXT"],
        vec![NAME, "elsewhere.example"],
    ] {
        let done = run(&[&["probe", "--server", &server], arguments.as_slice()].concat());
        assert_eq!(done.code, 1, "{arguments:?}: {done:?}");
        assert!(done.stdout.contains("mismatch"), "{}", done.stdout);
    }
}

#[test]
fn what_cannot_be_asked_ends_with_2_and_says_what_to_do() {
    let nobody = nobody().to_string();
    let closed_etcd = format!("http://{nobody}");
    for (arguments, expected) in [
        (vec!["probe", NAME], "no DNS server is known"),
        (vec!["probe", NAME, "--server", "127.0.0.1", "--etcd", &closed_etcd], "etcd"),
        (vec!["probe", NAME, "--server", "127.0.0.1", "--etcd", "no url"], "etcd"),
        (vec!["probe", NAME, "--all", "--kubeconfig", "/does/not/exist"], "/does/not/exist"),
    ] {
        let done = run(&arguments);
        assert_eq!(done.code, 2, "{arguments:?}: {done:?}");
        assert!(done.stderr.contains(expected), "{done:?}");
        assert!(last_line(&done).starts_with("hint: "), "{done:?}");
    }
    let done = run(&["probe", NAME, "--server", &nobody]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stdout.contains("no answer"), "{}", done.stdout);
    for wrong in [
        &["probe"][..],
        &["probe", NAME, "--server", "localhost"],
        &["probe", NAME, "--type", "nonsense"],
        &["probe", "a..b", "--server", "127.0.0.1"],
        &["probe", NAME, "--kubeconfig", "file"],
    ] {
        assert_eq!(run(wrong).code, 2, "{wrong:?}");
    }
}

#[test]
fn several_servers_are_measured_by_the_first() {
    let (first, landscape) = (example_server(), copy_of_the_example());
    let file = landscape.path().join("workload01/example.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("value: 172.18.201.1", "value: 172.18.201.9")).unwrap();
    let second = Running::start(landscape.path());
    let servers = format!("{},{}", first.server, second.server);
    let done = run(&["probe", NAME, ALIAS, "--server", &servers, "--output", "json"]);
    assert_eq!(done.code, 1, "{done:?}");
    let result = document("probe", &done.stdout);
    assert_eq!(result["allMatch"], false);
    let verdicts: Vec<(&str, &str)> = result["probes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|probe| (probe["expected"].as_str().unwrap(), probe["verdict"].as_str().unwrap()))
        .collect();
    let alias = "CNAME lb-4711.eu-central-1.elb.example.com";
    assert_eq!(
        verdicts,
        [("any record", "ok"), ("172.18.201.1", "mismatch"), ("any record", "ok"), (alias, "ok")]
    );
}

#[test]
fn an_answer_that_does_not_fit_into_a_datagram_is_asked_for_over_tcp() {
    let landscape = copy_of_the_example();
    let mut manifests = String::new();
    for gateway in 1..=2 {
        let mut addresses = String::new();
        for host in 1..=30 {
            write!(addresses, "{{value: 'fd00::{gateway}:{host}'}}, ").unwrap();
        }
        write!(
            manifests,
            "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: g{gateway}}}\n\
             spec: {{listeners: [{{name: http, port: 80, protocol: HTTP}}]}}\nstatus: {{addresses: [{addresses}]}}\n\
             ---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: r{gateway}}}\n\
             spec: {{hostnames: [large.workload01.openmcp.cluster], parentRefs: [{{name: g{gateway}}}]}}\n\
             status: {{parents: [{{parentRef: {{name: g{gateway}}}, conditions: [{{type: Accepted, status: 'True'}}]}}]}}\n"
        )
        .unwrap();
    }
    fs::write(landscape.path().join("workload01/large.yaml"), manifests).unwrap();
    let demo = Running::start(landscape.path());
    let server = demo.server.to_string();
    let large = "large.workload01.openmcp.cluster";
    let done = run(&["probe", large, "--type", "AAAA", "--server", &server, "--output", "json"]);
    assert_eq!(done.code, 0, "{done:?}");
    let result = document("probe", &done.stdout);
    // 60 records of 28 bytes are more than the 1232 bytes that fit into a datagram.
    assert_eq!(result["probes"][0]["answer"].as_str().unwrap().split(' ').count(), 60);
}

#[test]
fn servers_with_ipv6_addresses_are_asked() {
    let demo = Running::start_with(example().as_ref(), &["--listen", "[::1]:0"]);
    assert!(demo.server.is_ipv6());
    let done = run(&["probe", NAME, "--server", &demo.server.to_string(), "--expect", "172.18.201.1"]);
    assert_eq!(done.code, 0, "{done:?}");
    // Without a port it is 53, where nobody is; what matters is that it is understood.
    let done = run(&["probe", NAME, "--server", "::1"]);
    assert!(done.stdout.contains("[::1]:53") && done.code != 0, "{done:?}");
}

/// Answers every request with a list of ClusterDNS objects.
fn platform_api(addresses: &[String]) -> SocketAddr {
    let items: Vec<Value> = addresses
        .iter()
        .enumerate()
        .map(|(number, address)| {
            serde_json::json!({
                "apiVersion": "dns.openmcp.cloud/v1alpha1",
                "kind": "ClusterDNS",
                "metadata": { "name": format!("workload0{}", number + 1), "namespace": "openmcp-system" },
                "spec": {},
                "status": { "clusterDnsAddress": address },
            })
        })
        .collect();
    let list = serde_json::json!({
        "apiVersion": "dns.openmcp.cloud/v1alpha1", "kind": "ClusterDNSList", "metadata": {}, "items": items,
    })
    .to_string();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = Vec::new();
            let mut buffer = [0; 1024];
            while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(0) | Err(_) => break,
                    Ok(read) => request.extend_from_slice(&buffer[..read]),
                }
            }
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
            // The reader may be gone.
            let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{list}", list.len());
        }
    });
    address
}

#[test]
fn all_asks_the_dns_of_every_cluster() {
    let (central, cluster) = (example_server(), example_server());
    let api = platform_api(&[cluster.server.to_string(), String::new()]);
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    fs::write(
        &kubeconfig,
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: 'http://{api}'}}}}]\nusers: [{{name: u, user: {{}}}}]\n"
        ),
    )
    .unwrap();
    let (kubeconfig, server) = (kubeconfig.to_str().unwrap(), central.server.to_string());
    let done = run(&["probe", NAME, "--server", &server, "--all", "--kubeconfig", kubeconfig]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains("(openmcp-system/workload01)"), "{}", done.stdout);
    assert!(done.stdout.contains("2 of 2 answers are as expected"), "{}", done.stdout);
    assert!(done.stderr.contains("cluster openmcp-system/workload02 is not asked"), "{done:?}");
}
