//! A report as OpenReports has it, from what is found in a namespace.
//!
//! Fields as in `openreports.io/v1alpha1` of <https://github.com/openreports/reports-api>
//! (`apis/openreports.io/v1alpha1/report_types.go`): the objects that a result is about stand in `resources`, and `warn` is
//! for what is not met and not scored.

use serde_json::{Map, Value, json};

use super::findings::{Finding, Findings, MAX_RESULTS, Outcome};
use crate::deployment::{MANAGED_BY_LABEL, MANAGER};

/// API group and version of reports.
pub const API_GROUP: &str = "openreports.io";
/// The only version that there is.
pub const API_VERSION: &str = "v1alpha1";
/// The kind.
pub const REPORT_KIND: &str = "Report";
/// Its name in the path of its API.
pub const REPORT_PLURAL: &str = "reports";

/// The name of our report in each namespace, and who it is from.
pub const REPORT_NAME: &str = MANAGER;

/// The rule of the result that stands for those that are not listed.
const MORE: &str = "more-results";

/// The fields of a report that are ours.
const FIELDS: [&str; 4] = ["source", "configuration", "summary", "results"];

/// Selects our reports.
#[must_use]
pub fn selector() -> String {
    format!("{MANAGED_BY_LABEL}={MANAGER}")
}

/// Whether a report is ours; one without our label is somebody else's, whatever it is called.
#[must_use]
pub fn is_our_report(report: &Value) -> bool {
    report["metadata"]["name"] == REPORT_NAME && report["metadata"]["labels"][MANAGED_BY_LABEL] == MANAGER
}

/// A new report on a namespace.
#[must_use]
pub fn new_report(namespace: &str, findings: &Findings, now_unix_seconds: i64) -> Value {
    let metadata = json!({
        "namespace": namespace, "name": REPORT_NAME, "labels": { MANAGED_BY_LABEL: MANAGER },
    });
    let mut report = content(findings, now_unix_seconds);
    report.insert("apiVersion".to_owned(), format!("{API_GROUP}/{API_VERSION}").into());
    report.insert("kind".to_owned(), REPORT_KIND.into());
    report.insert("metadata".to_owned(), metadata);
    Value::Object(report)
}

/// The report that takes the place of one that stands there, with what is not ours in it; `None` where that says the same
/// already. A result that stands there keeps its time.
#[must_use]
pub fn changed_report(standing: &Value, findings: &Findings, now_unix_seconds: i64) -> Option<Value> {
    let mut content = content(findings, now_unix_seconds);
    let old = standing["results"].as_array().map(Vec::as_slice).unwrap_or_default();
    for result in content.get_mut("results").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(same) = old.iter().find(|old| is_same(old, result)) {
            result["timestamp"] = same["timestamp"].clone();
        }
    }
    let mut report = standing.clone();
    for field in FIELDS {
        report[field] = content.remove(field).unwrap_or_default();
    }
    (report != *standing).then_some(report)
}

/// Whether two results differ in nothing but their times.
fn is_same(a: &Value, b: &Value) -> bool {
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else { return false };
    let is_timed = a.get("timestamp").is_some_and(Value::is_object);
    let all = |of: &Map<String, Value>, other: &Map<String, Value>| {
        of.iter().all(|(key, value)| key == "timestamp" || other.get(key) == Some(value))
    };
    is_timed && all(a, b) && all(b, a)
}

fn content(findings: &Findings, now_unix_seconds: i64) -> Map<String, Value> {
    let listed = findings.listed.iter();
    let mut results: Vec<Value> = listed.map(|finding| result(&findings.policy, finding)).collect();
    let more = findings.total() - results.len();
    if more > 0 {
        results.push(json!({
            "policy": findings.policy, "rule": MORE, "category": "DNS", "result": "skip",
            "message": format!(
                "{more} more host names of this namespace are denied or given up; each object's Events say why"
            ),
        }));
    }
    let timestamp = json!({ "seconds": now_unix_seconds, "nanos": 0 });
    for result in &mut results {
        result["timestamp"] = timestamp.clone();
    }
    let count = |outcome| findings.counts.get(&outcome).copied().unwrap_or_default();
    let summary = json!({
        "pass": 0,
        "fail": count(Outcome::Denied),
        "warn": count(Outcome::GaveWay),
        "error": count(Outcome::Failed),
        "skip": usize::from(more > 0),
    });
    Map::from_iter([
        ("source".to_owned(), MANAGER.into()),
        ("configuration".to_owned(), json!({ "limits": { "maxResults": MAX_RESULTS } })),
        ("summary".to_owned(), summary),
        ("results".to_owned(), results.into()),
    ])
}

fn result(policy: &str, finding: &Finding) -> Value {
    let Finding { source, uid, host_name, outcome, code, message, guard, winner } = finding;
    let (result, severity) = match outcome {
        Outcome::Denied => ("fail", "medium"),
        Outcome::Failed => ("error", "medium"),
        Outcome::GaveWay => ("warn", "low"),
    };
    let mut properties = Map::from_iter([("hostName".to_owned(), host_name.as_str().into())]);
    properties.extend(guard.as_ref().map(|guard| ("guard".to_owned(), guard.as_str().into())));
    properties.extend(winner.as_ref().map(|winner| ("publishedFor".to_owned(), winner.as_str().into())));
    json!({
        "policy": policy,
        "rule": code,
        "category": "DNS",
        "severity": severity,
        "result": result,
        "scored": *outcome == Outcome::Denied,
        "message": message,
        "resources": [{
            "apiVersion": source.kind.api_version(), "kind": source.kind.as_str(),
            "namespace": source.namespace, "name": source.name, "uid": uid,
        }],
        "properties": properties,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{denied, finding};
    use super::*;

    #[test]
    fn a_report_has_a_result_for_each_name_and_counts_them() {
        let denied = Finding { guard: Some("team".to_owned()), ..denied("shop", "a.w1") };
        let winner = Some("Ingress/ns/web of cluster s/w2".to_owned());
        let lost = Finding { winner, ..finding("shop", "b.w1", Outcome::GaveWay) };
        let findings = Findings::of("landscape", [lost, denied, finding("web", "c.w1", Outcome::Failed)]);
        let report = new_report("ns", &findings, 17);
        assert_eq!(report["apiVersion"], "openreports.io/v1alpha1");
        assert_eq!(report["kind"], "Report");
        assert_eq!(report["metadata"]["name"], "openmcp-dns");
        assert!(is_our_report(&report));
        assert_eq!(report["source"], "openmcp-dns");
        assert_eq!(report["summary"], json!({ "pass": 0, "fail": 1, "warn": 1, "error": 1, "skip": 0 }));
        assert_eq!(
            report["results"][0],
            json!({
                "policy": "landscape", "rule": "no", "category": "DNS", "severity": "medium", "result": "fail", "scored": true,
                "message": "a.w1 is not published", "timestamp": { "seconds": 17, "nanos": 0 },
                "resources": [{
                    "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "namespace": "ns", "name": "shop",
                    "uid": "uid-shop",
                }],
                "properties": { "hostName": "a.w1", "guard": "team" },
            })
        );
        let lost = &report["results"][1];
        assert_eq!(
            (&lost["result"], &lost["severity"], &lost["scored"]),
            (&"warn".into(), &"low".into(), &false.into())
        );
        assert_eq!(lost["properties"]["publishedFor"], "Ingress/ns/web of cluster s/w2");
        assert_eq!(report["results"][2]["result"], "error");
    }

    #[test]
    fn a_result_that_stands_there_keeps_its_time_and_what_others_have_added_stays() {
        let first = Findings::of("landscape", [denied("shop", "a.w1")]);
        let mut standing = new_report("ns", &first, 17);
        standing["metadata"]["labels"]["team"] = "a".into();
        assert_eq!(changed_report(&standing, &first, 18), None);
        let both = Findings::of("landscape", [denied("shop", "a.w1"), denied("shop", "b.w1")]);
        let changed = changed_report(&standing, &both, 18).unwrap();
        let seconds = |index: usize| changed["results"][index]["timestamp"]["seconds"].clone();
        assert_eq!((seconds(0), seconds(1)), (17.into(), 18.into()));
        assert_eq!(changed["metadata"]["labels"]["team"], "a");
    }

    #[test]
    fn a_report_has_a_bound_and_no_object_keeps_others_from_it() {
        let greedy = (0..1000).map(|number| denied("a-greedy", &format!("n{number:04}.w1")));
        let modest = (0..20).map(|number| denied(&format!("modest-{number:02}"), "shop.w1"));
        let message = "long ".repeat(1000);
        let modest = modest.map(|finding| Finding { message: message.clone(), ..finding });
        let findings = Findings::of("landscape", greedy.chain(modest));
        let report = new_report("ns", &findings, 17);
        let results = report["results"].as_array().unwrap();
        assert_eq!(results.len(), MAX_RESULTS);
        let of = |name: &str| {
            results
                .iter()
                .filter(|result| {
                    result["resources"][0]["name"].as_str().is_some_and(|other| other.starts_with(name))
                })
                .count()
        };
        assert_eq!((of("modest"), of("a-greedy")), (20, MAX_RESULTS - 21));
        assert_eq!(results.last().unwrap()["result"], "skip");
        let more = results.last().unwrap()["message"].as_str().unwrap();
        assert!(more.starts_with("921 more host names"), "{more}");
        assert_eq!((&report["summary"]["fail"], &report["summary"]["skip"]), (&1020.into(), &1.into()));
        assert!(report.to_string().len() < 100_000, "{}", report.to_string().len());
    }
}
