//! `conformance`: on small cases of our own, and on those of external-dns where they are.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Done, document, run};

const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../kit/tests/conformance");

fn conformance(folder: &Path, arguments: &[&str]) -> Done {
    run(&[&["conformance", folder.to_str().unwrap()], arguments].concat())
}

/// How each case came out.
fn outcomes(done: &Done) -> BTreeMap<String, Value> {
    let report = document("conformance", &done.stdout);
    let cases = report["cases"].as_array().unwrap().iter();
    cases.map(|case| (case["case"].as_str().unwrap().to_owned(), case.clone())).collect()
}

/// A folder with one case, made of one of ours.
fn changed(case: &str, change: impl Fn(&str) -> String) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(Path::new(OWN).join(case)).unwrap();
    let changed = change(&text);
    assert_ne!(text, changed);
    fs::create_dir(folder.path().join("kind")).unwrap();
    fs::write(folder.path().join("kind/case.yaml"), changed).unwrap();
    folder
}

#[test]
fn our_own_cases_pass() {
    let done = conformance(OWN.as_ref(), &[]);
    assert_eq!(done.code, 0, "{done:?}");
    insta::assert_snapshot!(done.stdout);
    let outcomes = outcomes(&conformance(OWN.as_ref(), &["--output", "json"]));
    assert_eq!(outcomes["provider/keys"]["outcome"], "skipped");
    assert_eq!(outcomes["vectors/host-intersection:4"]["outcome"], "passed");
}

#[test]
fn another_answer_is_shown_beside_the_expected_one_and_why() {
    let route = changed("httproute/a-route-that-is-not-accepted.yaml", |text| {
        let endpoint = "- dnsName: a.example.com\n    recordType: A\n    targets: [192.0.2.7]\n    ttl: 60";
        text.replace("endpoints: []", &format!("endpoints:\n  {endpoint}"))
    });
    let done = conformance(route.path(), &[]);
    assert_eq!(done.code, 1, "{done:?}");
    for line in [
        "kind/case",
        "  - a.example.com A 192.0.2.7 ttl 60",
        "HTTPRoute/default/shop shop.example.com: Gateway default/shop does not accept the route",
    ] {
        assert!(done.stdout.contains(line), "{}", done.stdout);
    }
    let count = changed("ingress/two-ingresses-share-a-name.yaml", |text| {
        text.replace("endpointCount: 1", "endpointCount: 2")
    });
    let done = conformance(count.path(), &["--output", "json"]);
    assert_eq!(done.code, 1, "{done:?}");
    let difference = &outcomes(&done)["kind/case"]["difference"];
    assert_eq!(difference[2], "+ wiki.example.com A 192.0.2.1 192.0.2.2", "{difference}");
    let row = changed("vectors/host-names.yaml", |text| text.replace("valid: true", "valid: false"));
    assert_eq!(conformance(row.path(), &[]).code, 1);
}

#[test]
fn what_is_no_case_is_named() {
    let nothing = tempfile::tempdir().unwrap();
    let own = "ingress/two-ingresses-share-a-name.yaml";
    for (folder, expected) in [
        (nothing, "there is no case in"),
        (changed(own, |text| text.replace("source: ingress", "sauce: ingress")), "kind/case.yaml is no case"),
        (
            changed(own, |text| text.replace("endpointCount", "endpoint")),
            "kind/case.yaml is not in the format",
        ),
        (changed(own, |text| format!("{text}\nfurther: 1\n")), "unknown field `further`"),
        (changed(own, |text| text.replace("source: ingress", "source: [")), "kind/case.yaml is no YAML"),
    ] {
        let done = conformance(folder.path(), &[]);
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.stderr.contains(expected) && done.stderr.contains("hint: "), "{expected}: {done:?}");
    }
}

/// The cases that docs/sources.md says come out otherwise, or are not run, each with the reason; `*` stands for
/// all of a folder.
fn documented() -> BTreeMap<String, String> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sources.md");
    let text = fs::read_to_string(file).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| case |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|')).flat_map(|line| {
        let (cases, reason) = line.trim_matches('|').split_once('|').unwrap();
        let cases: Vec<String> = cases.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        cases.into_iter().map(move |case| (case, reason.trim().to_owned()))
    });
    rows.collect()
}

#[test]
fn external_dns_cases_come_out_as_the_documentation_says() {
    let Some(folder) = std::env::var_os("OPENMCP_DNS_CONFORMANCE") else {
        println!("skipped the cases of external-dns: OPENMCP_DNS_CONFORMANCE names no folder");
        return;
    };
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let done = conformance(&folder.join("external-dns"), &["--output", "json"]);
    let documented = documented();
    let (mut other, mut unused) = (Vec::new(), documented.clone());
    for (case, outcome) in outcomes(&done) {
        let whole_folder = case.split_once('/').map_or_else(String::new, |(kind, _)| format!("{kind}/*"));
        let listed = [&case, &whole_folder].into_iter().find(|key| documented.contains_key(*key));
        match (outcome["outcome"].as_str() == Some("passed"), listed) {
            (true, None) => {}
            (false, Some(key)) => drop(unused.remove(key)),
            (true, Some(_)) => {
                other.push(format!("{case} passes, and docs/sources.md says that it does not"))
            }
            (false, None) => other.push(format!("docs/sources.md does not say why: {outcome}")),
        }
    }
    assert!(other.is_empty() && unused.is_empty(), "{other:#?}\nno such case: {unused:#?}");
}
