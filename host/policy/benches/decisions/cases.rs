//! The claims that are decided.

use std::collections::BTreeMap;

use openmcp_dns_core::cluster::{ClusterFacts, ClusterId, SourceRef};
use openmcp_dns_core::details::PublishedNames;
use openmcp_dns_core::kinds::Kind;
use openmcp_dns_core::policy::{CheckedClaim, Context, Verdict};

/// The configuration, the same for all.
pub(crate) const RULES: &str = include_str!("rules.json");
/// The domain of the cluster that asks.
pub(crate) const DOMAIN: &str = "workload01.openmcp.cluster";
/// The code of a verdict that is no denial.
pub(crate) const ALLOW: &str = "allow";

/// A question.
pub(crate) struct Case {
    pub(crate) context: Context,
    pub(crate) claim: CheckedClaim,
}

/// A verdict as one word.
pub(crate) fn code(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Allow => ALLOW.to_owned(),
        Verdict::Deny(denial) => denial.code.clone(),
    }
}

/// Each kind of claim that the rules tell apart.
pub(crate) fn cases() -> Vec<Case> {
    let many: Vec<String> = (1..=70).map(|number| format!("10.0.0.{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let own = |labels: &str| format!("{labels}.{DOMAIN}");
    [
        case(&own("shop"), "team-red", &["10.0.0.1"]),
        case(&own("a"), "team-red", &["10.0.0.1", "10.0.0.2", "fd00::1"]),
        case(&own("blue-shop"), "team-blue", &["10.0.0.1"]),
        case(&own("azure-shop"), "team-blue", &["fd00::1"]),
        case(&own("abc123"), "team-short", &["10.0.0.1"]),
        case(&own("flat"), "team-flat", &["lb.example.com"]),
        case(&own("a.b.c"), "team-red", &["10.0.0.1"]),
        case(&own("*.apps"), "team-red", &["10.0.0.1"]),
        case(&own("admin.a"), "team-red", &["10.0.0.1"]),
        case("ab.openmcp.cluster", "team-short", &["10.0.0.1"]),
        case(DOMAIN, "team-red", &["10.0.0.1"]),
        case(&own("admin"), "team-red", &["10.0.0.1"]),
        case(&own("a.admin"), "team-red", &["10.0.0.1"]),
        case(&own("shop"), "team-blue", &["10.0.0.1"]),
        case(&own("*.shop"), "team-blue", &["10.0.0.1"]),
        case(&own("ab"), "team-short", &["10.0.0.1"]),
        case(&own("abcdefghi"), "team-short", &["10.0.0.1"]),
        case(&own("ab-c"), "team-short", &["10.0.0.1"]),
        case(&own("a.b"), "team-flat", &["10.0.0.1"]),
        case(&own("*"), "team-flat", &["10.0.0.1"]),
        case(&own("a.b.c.d"), "team-red", &["10.0.0.1"]),
        case(&own("shop"), "team-red", &["lb-1.example.com", "lb-2.example.com"]),
        case(&own("shop"), "team-red", &[&own("shop")]),
        case(&own("shop"), "team-red", &many),
        case("shop.example.com", "team-red", &["10.0.0.1"]),
        ingress(case(&own("shop"), "team-red", &["10.0.0.1"])),
    ]
    .into()
}

fn ingress(mut case: Case) -> Case {
    let source = &case.claim.source;
    case.claim.source = SourceRef::new(Kind::Ingress, source.namespace.as_str(), source.name.as_str());
    case
}

fn case(host_name: &str, namespace: &str, targets: &[&str]) -> Case {
    let context = Context {
        base_domain: "openmcp.cluster".parse().unwrap(),
        cluster: ClusterFacts {
            id: ClusterId::new("default", "workload01"),
            purposes: vec!["workload".to_owned()],
            labels: BTreeMap::from([("tier".to_owned(), "gold".to_owned())]),
        },
        configuration: RULES.to_owned(),
        shared_names: vec!["ab.openmcp.cluster".parse().unwrap()],
        shared_suffixes: Vec::new(),
    };
    let source = SourceRef::new(Kind::HttpRoute, namespace, "shop");
    let mut targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
    targets.sort();
    let labels = [("app", "shop")].into_iter().collect();
    let host_name = host_name.parse().unwrap();
    let published_names = PublishedNames::default();
    let claim = CheckedClaim { host_name, source, labels, targets, details: None, published_names };
    Case { context, claim }
}
