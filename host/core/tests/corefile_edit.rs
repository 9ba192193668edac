//! The editor's outcomes: what it inserts, updates and removes, and what it refuses.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::SocketAddr;

use openmcp_dns_core::corefile::{
    CorefileError, Warning, remove_forward, set_forward, set_forward_in_own_file,
};

const ZONE: &str = "openmcp.cluster";

const KUBEADM: &str = include_str!("corefiles/kubeadm.Corefile");

const BLOCK: &str = "\
# BEGIN openmcp-dns managed - do not edit
openmcp.cluster:53 {
    errors
    cache 30 {
        denial 9984 5
    }
    forward . 172.18.200.3:53
}
# END openmcp-dns managed
";

fn central() -> Vec<SocketAddr> {
    vec!["172.18.200.3:53".parse().unwrap()]
}

fn set(text: &str) -> String {
    set_forward(text, ZONE, &central()).unwrap().text
}

fn remove(text: &str) -> String {
    remove_forward(text, ZONE).unwrap().text
}

fn refusal(text: &str) -> CorefileError {
    set_forward(text, ZONE, &central()).unwrap_err()
}

#[test]
fn the_block_is_inserted_before_the_default_server() {
    assert_eq!(set(KUBEADM), format!("{BLOCK}{KUBEADM}"));
}

#[test]
fn the_block_is_inserted_after_comments_that_may_end_the_section_of_another_tool() {
    let text = "#start\nother:53 {\n    forward . 10.0.0.1\n}\n#end\n.:53 {\n    errors\n}\n";
    assert_eq!(set(text), text.replace(".:53 {", &format!("{BLOCK}.:53 {{")));
}

#[test]
fn the_block_takes_its_port_from_the_default_server() {
    assert!(set(".:8053 {\n    errors\n}\n").contains("\nopenmcp.cluster:8053 {\n"));
    assert!(set("example.org:1053 dns://.:5353 {\n    errors\n}\n").contains("\nopenmcp.cluster:5353 {\n"));
    assert!(
        set(". {\n    errors\n}\n").contains("\nopenmcp.cluster {\n"),
        "the port that CoreDNS was started with"
    );
}

#[test]
fn the_block_listens_where_the_default_server_listens() {
    let edited = set(".:53 {\n    bind 169.254.20.10 {$POD_IP}\n    errors\n}\n");
    assert!(edited.contains("    errors\n    bind 169.254.20.10 {$POD_IP}\n    cache 30 {\n"), "{edited}");
    assert!(!set_forward(&edited, ZONE, &central()).unwrap().changed);
}

#[test]
fn the_block_does_not_switch_off_how_many_sockets_the_default_server_has() {
    let edited = set(".:53 {\n    multisocket 4\n    bind 10.96.0.10\n    errors\n}\n");
    assert!(
        edited.contains("    errors\n    bind 10.96.0.10\n    multisocket 4\n    cache 30 {\n"),
        "{edited}"
    );
    assert!(!set_forward(&edited, ZONE, &central()).unwrap().changed);
    let bare = edited.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n"));
    assert!(!remove(&bare.collect::<String>()).contains(ZONE), "it is known without its markers");
}

#[test]
fn the_block_listens_on_the_addresses_of_all_default_servers() {
    let server = |lines: &str| format!(".:53 {{\n{lines}    errors\n}}\n");
    let two = server("    bind 10.96.0.10\n") + &server("    bind 169.254.20.10\n");
    let edited = set(&two);
    assert!(edited.contains("    bind 10.96.0.10\n    bind 169.254.20.10\n    cache 30 {\n"), "{edited}");
    assert!(!set_forward(&edited, ZONE, &central()).unwrap().changed);
    assert_eq!(remove(&edited), two);
    for other in [server(""), server("    bind 169.254.20.10\n    multisocket 4\n")] {
        let text = server("    bind 10.96.0.10\n") + &other;
        assert_eq!(refusal(&text), CorefileError::AmbiguousListeners { first_line: 1, line: 5 });
    }
}

#[test]
fn an_import_that_may_bring_servers_is_warned_of() {
    let text = ".:53 {\n    errors\n    import custom/*.override\n}\nimport custom/*.server\n";
    let pattern = "custom/*.server".to_owned();
    let expected = [Warning::ImportedServers { line: 5, pattern }];
    assert_eq!(set_forward(text, ZONE, &central()).unwrap().warnings, expected);
}

#[test]
fn the_block_keeps_the_line_endings_of_the_file() {
    let text = ".:53 {\r\n    errors\r\n}\r\n";
    assert_eq!(set(text), format!("{}{text}", BLOCK.replace('\n', "\r\n")));
}

#[test]
fn a_byte_order_mark_stays_the_first_character() {
    let edited = set("\u{feff}.:53 {\n    errors\n}\n");
    assert_eq!(edited, format!("\u{feff}{BLOCK}.:53 {{\n    errors\n}}\n"));
}

#[test]
fn blocks_that_share_a_line_are_kept_apart() {
    let text = "a.example {\n    whoami\n} .:53 {\n    errors\n}\n";
    assert_eq!(set(text), text.replace(".:53", &format!("{BLOCK}.:53")));
    assert_eq!(remove(&set(text)), text);
}

#[test]
fn a_line_break_stays_where_removing_it_would_change_the_next_line() {
    let text = format!(". {{\n    errors\n}} {BLOCK}import *.server\n");
    assert_eq!(remove(&text), ". {\n    errors\n} \nimport *.server\n");
}

#[test]
fn new_servers_are_written_where_the_old_ones_stood() {
    let text = format!("# mine\n{BLOCK}\n# yours\n{KUBEADM}");
    let upstreams = ["[fd00::53]:53", "172.18.200.4:5353"].map(|text| text.parse().unwrap());
    let edited = set_forward(&text, ZONE, &upstreams).unwrap();
    assert!(edited.changed);
    assert_eq!(edited.text, text.replace("172.18.200.3:53", "172.18.200.4:5353 [fd00::53]:53"));
}

#[test]
fn the_order_of_the_servers_changes_nothing() {
    let upstreams: Vec<SocketAddr> =
        ["10.0.0.2:53", "10.0.0.1:53", "10.0.0.2:53"].map(|text| text.parse().unwrap()).into();
    let first = set_forward(KUBEADM, ZONE, &upstreams).unwrap();
    assert!(first.text.contains("forward . 10.0.0.1:53 10.0.0.2:53\n"));
    let reversed: Vec<_> = upstreams.into_iter().rev().collect();
    assert!(!set_forward(&first.text, ZONE, &reversed).unwrap().changed);
}

#[test]
fn a_block_that_says_the_same_is_left_alone_without_its_markers() {
    let text = format!(
        "OpenMCP.Cluster.:53 {{\n  errors\n  cache 30 {{\n  denial 9984 5\n  }}\n  forward . 172.18.200.3:53\n}}\n{KUBEADM}"
    );
    let edited = set_forward(&text, ZONE, &central()).unwrap();
    assert_eq!((edited.changed, edited.text), (false, text));
}

#[test]
fn a_block_without_markers_is_updated_and_removed_by_its_zone_and_content() {
    let ours =
        "openmcp.cluster:53 {\n  forward . 10.0.0.1:53\n  errors\n  cache 30 {\n    denial 9984 5\n  }\n}";
    let text = format!("# a\n{ours} # b\n.:53 {{\n    errors\n}}\n");
    assert_eq!(set(&text), format!("# a\n{BLOCK} # b\n.:53 {{\n    errors\n}}\n"));
    assert_eq!(remove(&text), "# a\n # b\n.:53 {\n    errors\n}\n");
}

#[test]
fn a_stub_that_a_person_wrote_for_the_zone_is_not_ours() {
    for plugins in [
        "errors\n    cache 30\n    forward . 172.18.200.3",
        "forward . 172.18.200.3:53",
        "errors\n    log\n    cache 30 {\n        denial 9984 5\n    }\n    forward . 172.18.200.3:53",
        "errors\n    cache 30 {\n        denial 9984 5\n    }\n    forward . tls://172.18.200.3",
    ] {
        let text = format!("openmcp.cluster:53 {{\n    {plugins}\n}}\n{KUBEADM}");
        assert!(matches!(refusal(&text), CorefileError::ZoneTaken { line: 1, .. }), "{plugins}");
        assert!(!remove_forward(&text, ZONE).unwrap().changed, "{plugins}");
    }
}

#[test]
fn a_block_between_our_markers_is_ours_whatever_it_holds() {
    let text =
        format!("{}{KUBEADM}", BLOCK.replace("errors\n", "errors\n    log\n").replace(":53 {", ":1053 {"));
    assert_eq!(set(&text), format!("{BLOCK}{KUBEADM}"));
    assert_eq!(remove(&text), KUBEADM);
}

#[test]
fn a_marker_without_end_does_not_take_the_rest_of_the_file_with_it() {
    let text = format!("{}{KUBEADM}", BLOCK.replace("# END openmcp-dns managed\n", ""));
    assert_eq!(set(&text), text, "the block says the right thing");
    assert_eq!(remove(&text), KUBEADM);
    let orphan = format!("# BEGIN openmcp-dns managed - do not edit\n{KUBEADM}");
    assert_eq!(refusal(&orphan), CorefileError::UnterminatedMarker { line: 1 });
    assert!(remove_forward(&orphan, ZONE).is_err());
}

#[test]
fn two_landscapes_have_a_block_each() {
    let both = set_forward(&set(KUBEADM), "other.cluster", &central()).unwrap().text;
    assert_eq!(remove_forward(&both, "other.cluster").unwrap().text, set(KUBEADM));
    assert_eq!(remove(&remove_forward(&both, "other.cluster").unwrap().text), KUBEADM);
}

#[test]
fn a_zone_that_another_block_serves_is_refused() {
    for key in [
        "openmcp.cluster:53",
        "OpenMCP.Cluster.",
        "dns://openmcp.cluster",
        "example.org openmcp.cluster",
        "\"openmcp.cluster\"",
    ] {
        let text = format!("{key} {{\n    file /zones/db\n}}\n{KUBEADM}");
        assert!(matches!(refusal(&text), CorefileError::ZoneTaken { line: 1, .. }), "{key}");
        assert!(!remove_forward(&text, ZONE).unwrap().changed, "{key}");
    }
    let variable = format!("{{$ZONE}}:53 {{\n    whoami\n}}\n{KUBEADM}");
    assert!(matches!(refusal(&variable), CorefileError::ZonePerhapsTaken { line: 1, .. }));
    let twice = format!("{BLOCK}{}{KUBEADM}", "openmcp.cluster {\n    forward . 10.0.0.1\n}\n");
    assert!(matches!(refusal(&twice), CorefileError::ZoneTaken { line: 10, .. }));
    assert!(matches!(
        refusal(&format!("{BLOCK}{BLOCK}{KUBEADM}")),
        CorefileError::ManagedTwice { first_line: 2, line: 11 }
    ));
}

#[test]
fn the_same_zone_on_another_transport_or_port_is_no_conflict() {
    for key in ["tls://openmcp.cluster", "openmcp.cluster:5300", "notopenmcp.cluster"] {
        let text = format!("{key} {{\n    file /zones/db\n}}\n{KUBEADM}");
        assert_eq!(remove(&set(&text)), text);
    }
}

#[test]
fn a_part_of_the_zone_that_goes_elsewhere_is_a_warning() {
    let text = format!("wl01.openmcp.cluster:53 {{\n    forward . 10.0.0.1\n}}\n{KUBEADM}");
    let edited = set_forward(&text, ZONE, &central()).unwrap();
    let key = "wl01.openmcp.cluster:53".to_owned();
    assert_eq!(edited.warnings, [Warning::PartServedElsewhere { line: 1, key }]);
}

#[test]
fn a_plugin_that_will_no_longer_be_asked_for_the_zone_is_a_warning() {
    let text = ".:53 {\n    hosts {\n        10.0.0.1 A.openmcp.cluster\n        fallthrough\n    }\n    rewrite name x.notopenmcp.cluster y\n}\nexample.org {\n    template IN A openmcp.cluster\n}\n";
    let edited = set_forward(text, ZONE, &central()).unwrap();
    assert_eq!(edited.warnings, [Warning::NoLongerAsked { line: 2, plugin: "hosts".to_owned() }]);
}

#[test]
fn a_zone_that_takes_names_from_the_cluster_is_refused() {
    for zone in ["cluster.local", "local", "svc.cluster.local", "a.default.pod.cluster.local", "arpa"] {
        let error = set_forward(KUBEADM, zone, &central()).unwrap_err();
        assert!(matches!(error, CorefileError::ClusterZone { line: 7, .. }), "{zone}: {error}");
    }
    assert!(set_forward(KUBEADM, "openmcp.cluster.local", &central()).is_ok());
    let own_server = "corp.local:53 {\n    kubernetes cluster.corp.local\n}\n.:53 {\n    errors\n}\n";
    assert!(set_forward(own_server, "local", &central()).is_ok(), "the longest match keeps it");
    let without_zones = "corp.local {\n    kubernetes\n}\n.:53 {\n    errors\n}\n";
    let error = set_forward(without_zones, "svc.corp.local", &central()).unwrap_err();
    assert!(matches!(error, CorefileError::ClusterZone { line: 2, .. }), "{error}");
}

#[test]
fn a_file_of_our_own_listens_where_the_main_text_does() {
    let main = ".:8053 {\n    bind 10.0.0.1\n    import custom/*.override\n}\nimport custom/*.server\n";
    let edited = set_forward_in_own_file(main, "", ZONE, &central()).unwrap();
    let block = BLOCK.replace(":53 {", ":8053 {").replace("errors\n", "errors\n    bind 10.0.0.1\n");
    assert_eq!((edited.changed, edited.text.as_str()), (true, block.as_str()));
    assert!(!set_forward_in_own_file(main, &edited.text, ZONE, &central()).unwrap().changed);
    let both = format!("{BLOCK}{KUBEADM}");
    let error = set_forward_in_own_file(&both, "", ZONE, &central()).unwrap_err();
    assert!(matches!(error, CorefileError::ZoneTaken { line: 2, .. }));
}

#[test]
fn a_text_that_is_not_understood_is_refused_with_its_line() {
    for (text, line) in [
        (".:53 {\n    errors\n    kubernetes a {\n        ttl 5\n}\n", Some(1)),
        (".:53 {\n    errors\n}\n}\n", Some(4)),
        (".:53\nerrors\nforward . 9.9.9.9\n", Some(1)),
        (".:53 { errors }\n", Some(1)),
        (".:53 {\n    errors\n", Some(2)),
        ("example.org,\n", Some(1)),
        (".:53 {\n    import\n}\n", Some(2)),
        (".:53 {\n    import a b\n}\n", Some(2)),
        (".:53 {\n    import \"\"\n}\n", Some(2)),
        ("import */*.conf\n.:53 {\n    errors\n}\n", Some(1)),
        ("(a) {\n    errors\n}\n(a) {\n    log\n}\n", Some(4)),
        ("(a) {\n    import a\n}\n", Some(1)),
        ("(a)\nerrors\n", Some(2)),
        (".:0 {\n    errors\n}\n", Some(1)),
        (".:53 {\n    errors\n}\n.:54 {\n    errors\n}\n", Some(4)),
        ("(a) {\n.:53 {\n    errors\n}\n}\nimport a\n", Some(2)),
        ("", None),
        ("# nothing\n", None),
        ("example.org {\n    whoami\n}\n", None),
        (".:{$PORT} {\n    whoami\n}\n", None),
    ] {
        let error = refusal(text);
        assert_eq!(error.line(), line, "{text:?}: {error}");
        assert!(!error.hint().is_empty());
    }
}

#[test]
fn snippets_that_multiply_without_end_are_refused_in_time() {
    let mut text = "(s0) {\n    errors\n}\n".to_owned();
    for depth in 1..40 {
        let below = depth - 1;
        text.push_str(&format!("(s{depth}) {{\n    import s{below}\n    import s{below}\n}}\n"));
    }
    text.push_str(".:53 {\n    import s39\n}\n");
    assert!(matches!(refusal(&text), CorefileError::TooManyExpansions { .. }));
    let each_other = "(a) {\n    import b\n}\n(b) {\n    import a\n}\n.:53 {\n    import a\n}\n";
    assert!(matches!(refusal(each_other), CorefileError::TooManyExpansions { .. }));
}

#[test]
fn zones_and_servers_that_make_no_sense_are_refused() {
    for zone in ["", ".", "*.openmcp.cluster", "a b", "10.0.0.1", "a {"] {
        let error = set_forward(KUBEADM, zone, &central()).unwrap_err();
        assert!(matches!(error, CorefileError::InvalidZone { .. }), "{zone}");
    }
    for upstream in
        ["0.0.0.0:53", "[::]:53", "224.0.0.1:53", "255.255.255.255:53", "10.0.0.1:0", "[fe80::1%3]:53"]
    {
        let error = set_forward(KUBEADM, ZONE, &[upstream.parse().unwrap()]).unwrap_err();
        assert!(matches!(error, CorefileError::InvalidUpstream(_)), "{upstream}");
    }
    assert_eq!(set_forward(KUBEADM, ZONE, &[]).unwrap_err(), CorefileError::NoUpstreams);
    let sixteen: Vec<SocketAddr> = (1..=16).map(|host| ([10, 0, 0, host], 53).into()).collect();
    assert_eq!(set_forward(KUBEADM, ZONE, &sixteen).unwrap_err(), CorefileError::TooManyUpstreams(16));
}

#[test]
fn removing_what_is_not_there_changes_nothing_even_in_a_broken_text() {
    for text in ["", KUBEADM, "} broken {", "\u{feff}\r\n"] {
        let removed = remove_forward(text, ZONE).unwrap();
        assert_eq!((removed.changed, removed.text.as_str()), (false, text));
    }
    assert!(remove_forward("openmcp.cluster {\n", ZONE).is_err());
}
