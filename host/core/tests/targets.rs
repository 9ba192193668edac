//! What becomes of the targets that objects name: addresses in every notation, names, and what is neither.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;

use openmcp_dns_core::cluster::{ClusterFacts, ClusterId, SourceRef};
use openmcp_dns_core::codes;
use openmcp_dns_core::decide::{AllowedNames, Decision, decide};
use openmcp_dns_core::details::AskedClaim;
use openmcp_dns_core::kinds::Kind;
use openmcp_dns_core::labels::Labels;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::{CheckedClaim, Context, Policy, PolicyFailure, ProposedRecordSet, Verdict};
use openmcp_dns_core::record::RecordType;
use openmcp_dns_core::resolve::Claim;
use openmcp_dns_core::ttl::TtlBounds;

/// Publishes the first target as it comes.
struct AsItComes;

impl Policy for AsItComes {
    fn domain_filter(&self, _: &Context) -> Result<String, PolicyFailure> {
        unreachable!("the domain is given")
    }
    fn validate_hostname(
        &self,
        _: &Context,
        _: &HostName,
        _: &CheckedClaim,
    ) -> Result<Verdict, PolicyFailure> {
        Ok(Verdict::Allow)
    }
    fn name_records(
        &self,
        _: &Context,
        _: &HostName,
        claim: &CheckedClaim,
    ) -> Result<Vec<ProposedRecordSet>, PolicyFailure> {
        let target = claim.targets[0].clone();
        let record_type = match target.parse::<std::net::IpAddr>() {
            Ok(std::net::IpAddr::V4(_)) => RecordType::A,
            Ok(std::net::IpAddr::V6(_)) => RecordType::Aaaa,
            Err(_) => RecordType::Cname,
        };
        let name = claim.host_name.to_string();
        Ok(vec![ProposedRecordSet { name, record_type, ttl_seconds: 60, values: vec![target] }])
    }
}

/// What is published for a target: type and value, or the code of the denial.
fn published(target: &str) -> String {
    let domain: HostName = "w1.openmcp.cluster".parse().unwrap();
    let context = Context {
        base_domain: "openmcp.cluster".parse().unwrap(),
        cluster: ClusterFacts {
            id: ClusterId::new("openmcp-system", "w1"),
            purposes: Vec::new(),
            labels: BTreeMap::new(),
        },
        configuration: "{}".into(),
        shared_names: Vec::new(),
        shared_suffixes: Vec::new(),
    };
    let allowed = AllowedNames::of(&context, domain, false, TtlBounds::default());
    let source = SourceRef::new(Kind::Ingress, "web", "shop");
    let claim = Claim {
        host_name: "a.w1.openmcp.cluster".into(),
        targets: vec![target.to_owned()],
        ttl_seconds: None,
    };
    match decide(&AsItComes, &context, &allowed, &AskedClaim::new(source, Labels::default(), claim)) {
        Decision::Publish(sets) => {
            let value = sets[0].values.iter().next().unwrap();
            format!("{} {value}", value.record_type())
        }
        Decision::Deny(denial) => denial.code,
        Decision::Undecided(failure) => panic!("{target}: {failure}"),
    }
}

#[test]
fn an_address_in_ipv6_notation_is_the_address_that_it_stands_for() {
    for (target, expected) in [
        ("::ffff:10.0.0.1", "A 10.0.0.1"),
        ("::FFFF:0a00:0001", "A 10.0.0.1"),
        ("64:ff9b::10.0.0.1", "AAAA 64:ff9b::a00:1"),
        ("FD00:0::1", "AAAA fd00::1"),
        ("::ffff:127.0.0.1", codes::UNREACHABLE_TARGET),
        ("::ffff:169.254.1.1", codes::UNREACHABLE_TARGET),
        ("::127.0.0.1", codes::UNREACHABLE_TARGET),
        ("64:ff9b::127.0.0.1", codes::UNREACHABLE_TARGET),
        ("fe80::1%eth0", codes::UNREACHABLE_TARGET),
    ] {
        assert_eq!(published(target), expected, "{target}");
    }
}

#[test]
fn what_is_neither_address_nor_host_name_and_what_each_cluster_resolves_for_itself_become_no_alias() {
    for target in [
        "10.0.0.256",
        "010.0.0.1",
        "10.0.0.1:80",
        "10.1",
        "0x7f000001",
        "lb_1.example.com",
        "localhost",
        "ingress",
        "ingress.web.svc",
        "ingress.web.svc.cluster.local",
        "printer.local.",
    ] {
        assert_eq!(published(target), codes::UNREACHABLE_TARGET, "{target}");
    }
    assert_eq!(published("LB.example.com."), "CNAME lb.example.com");
}
