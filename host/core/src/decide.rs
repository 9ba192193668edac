//! From claims to record sets: asks the policy and checks what it answers.
//!
//! A policy can narrow what is published, never widen it. So the host's own rules come first (the
//! policy is not even asked about a name that can never be published) and once more on the answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use crate::allowed_names::AllowedNames;
use crate::codes;
use crate::details::AskedClaim;
use crate::name::{HostName, NameError};
use crate::policy::{
    CheckedClaim, Context, Denial, FailureKind, Policy, PolicyFailure, ProposedRecordSet, Verdict,
};
use crate::record::{RecordSet, RecordType, RecordValue, lines};
use crate::service_names::is_service_name;

/// Most values of one record set: more do not fit into a DNS answer that people would want, and
/// one etcd transaction takes 128 operations by default.
pub const MAX_VALUES: usize = 64;
/// Most record sets of one claim.
pub const MAX_RECORD_SETS: usize = 16;
/// Longest message of a denial in bytes; what is longer is cut.
pub const MAX_DENIAL_MESSAGE_BYTES: usize = 512;

/// What becomes of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is published so.
    Publish(Arc<[RecordSet]>),
    /// It is refused: what it published before is withdrawn.
    Deny(Denial),
    /// The policy did not decide: what was published stays, a new name is not published.
    Undecided(PolicyFailure),
}

impl Decision {
    /// The decision for people: its records, sorted, or one line that says why there are none.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Publish(record_sets) if record_sets.is_empty() => vec!["no records".to_owned()],
            Self::Publish(record_sets) => lines(record_sets),
            Self::Deny(denial) => vec![format!("denied, {}: {}", denial.code, denial.message)],
            Self::Undecided(failure) => vec![format!("undecided: {failure}")],
        }
    }

    /// As [`Self::lines`], where perhaps nobody was asked.
    #[must_use]
    pub fn lines_of(decision: Option<&Self>) -> Vec<String> {
        decision.map_or_else(|| vec!["not asked".to_owned()], Self::lines)
    }
}

/// Decides on one host name that one object asks for.
pub fn decide(
    policy: &dyn Policy,
    context: &Context,
    allowed: &AllowedNames,
    asked: &AskedClaim,
) -> Decision {
    let AskedClaim { source, labels, claim: wanted, details, published_names } = asked;
    let host_name = match check_name(&wanted.host_name, wanted.host_name.parse(), context, allowed) {
        Ok(name) => name,
        Err(denial) => return Decision::Deny(denial),
    };
    let targets = match reachable_targets(&wanted.targets) {
        Ok(targets) => targets,
        Err(denial) => return Decision::Deny(denial),
    };
    let claim = CheckedClaim {
        host_name,
        source: source.clone(),
        labels: labels.clone(),
        targets,
        details: details.clone(),
        published_names: published_names.unwrap_or_default(),
    };
    match policy.validate_hostname(context, &allowed.domain, &claim) {
        Ok(Verdict::Allow) => {}
        Ok(Verdict::Deny(denial)) => return Decision::Deny(tidy(denial)),
        Err(failure) => return Decision::Undecided(failure),
    }
    match policy.name_records(context, &allowed.domain, &claim) {
        Ok(proposed) => match check_record_sets(proposed, wanted.ttl_seconds, context, allowed) {
            Ok(record_sets) => Decision::Publish(record_sets),
            Err(message) => Decision::Undecided(PolicyFailure::new(FailureKind::InvalidAnswer, message)),
        },
        Err(failure) => Decision::Undecided(failure),
    }
}

/// Asks the policy for a cluster's domain and checks it: it must lie below the base domain, or be
/// the base domain, and leave the service's own names alone.
///
/// # Errors
/// When the policy failed, or answered something that is no domain of this landscape.
pub fn cluster_domain(policy: &dyn Policy, context: &Context) -> Result<HostName, PolicyFailure> {
    let text = policy.domain_filter(context)?;
    let invalid = |why: String| PolicyFailure::new(FailureKind::InvalidAnswer, why);
    let cluster = &context.cluster.id;
    let domain: HostName = text
        .parse()
        .map_err(|error: NameError| invalid(format!("domain {text:?} of cluster {cluster}: {error}")))?;
    if domain.is_wildcard() || !domain.is_within(&context.base_domain) {
        return Err(invalid(format!(
            "domain {domain} of cluster {cluster} is not within the base domain {}",
            context.base_domain
        )));
    }
    if is_service_name(&domain, &context.base_domain) || has_query_wildcard(&domain) {
        return Err(invalid(format!("domain {domain} of cluster {cluster} is reserved for the service")));
    }
    Ok(domain)
}

/// The host's own rules for a name, before the policy is asked and again on what it answers. An SRV name goes with its
/// host name.
fn check_name(
    text: &str,
    parsed: Result<HostName, NameError>,
    context: &Context,
    allowed: &AllowedNames,
) -> Result<HostName, Denial> {
    let deny = |code: &str, message: String| Err(Denial::new(code, message));
    let name = match parsed {
        Ok(name) => name,
        Err(error) => return deny(codes::INVALID_HOST_NAME, format!("{text:?} is no host name: {error}")),
    };
    let host = name.host();
    if !allowed.has(&host) {
        return deny(
            codes::OUTSIDE_DOMAIN,
            format!(
                "{name} is not within {}, the domain of cluster {}, and no DNSPolicy shares it with the cluster",
                allowed.domain, context.cluster.id
            ),
        );
    }
    if *host == context.base_domain || is_service_name(&host, &context.base_domain) {
        return deny(codes::RESERVED_NAME, format!("{name} is reserved for the DNS service itself"));
    }
    if has_query_wildcard(&host) {
        return deny(
            codes::RESERVED_NAME,
            format!("{name} has the label \"any\", which CoreDNS takes for a wildcard in questions"),
        );
    }
    if name.is_wildcard() && !allowed.wildcards {
        return deny(
            codes::WILDCARD_UNSUPPORTED,
            format!("{name} is a wildcard, which CoreDNS's etcd plugin cannot serve"),
        );
    }
    Ok(name)
}

/// CoreDNS's etcd plugin takes the label `any` in a question for "everything here".
pub(crate) fn has_query_wildcard(name: &HostName) -> bool {
    name.labels().any(|label| label == "any")
}

/// The targets that other clusters can reach. An object with one good address is not refused for
/// another bad one.
fn reachable_targets(targets: &[String]) -> Result<Vec<String>, Denial> {
    let mut reachable = BTreeSet::new();
    let mut last_error = None;
    for target in targets {
        match parse_target(target) {
            Ok(value) => {
                reachable.insert(value.to_string());
            }
            Err(error) => last_error = Some(error.to_string()),
        }
    }
    match last_error {
        Some(message) if reachable.is_empty() => Err(Denial::new(codes::UNREACHABLE_TARGET, message)),
        _ => Ok(reachable.into_iter().collect()),
    }
}

fn parse_target(target: &str) -> Result<RecordValue, crate::record::ValueError> {
    let canonical = target.parse().map(|address: std::net::IpAddr| address.to_canonical().to_string());
    let text = canonical.as_deref().unwrap_or(target);
    RecordValue::parse(RecordType::of_target(target), text)
}

/// Checks a policy's record sets. Nonsense in one of them makes the whole answer nonsense: half of
/// what a policy meant is not what it meant.
fn check_record_sets(
    proposed: Vec<ProposedRecordSet>,
    ttl_seconds: Option<u32>,
    context: &Context,
    allowed: &AllowedNames,
) -> Result<Arc<[RecordSet]>, String> {
    if proposed.len() > MAX_RECORD_SETS {
        return Err(format!(
            "{} record sets for one claim, at most {MAX_RECORD_SETS} are possible",
            proposed.len()
        ));
    }
    let mut checked: BTreeMap<(HostName, RecordType), RecordSet> = BTreeMap::new();
    for set in proposed {
        let parsed = HostName::of_record(&set.name);
        let name = check_name(&set.name, parsed, context, allowed).map_err(|denial| denial.message)?;
        if set.record_type == RecordType::Ptr {
            return Err(format!("PTR {name}: PTR records follow from address records, see spec.records.ptr"));
        }
        if name.is_srv() != (set.record_type == RecordType::Srv) {
            return Err(format!(
                "{} {name}: SRV records stand at names such as _tls._tcp.{}, and no others do",
                set.record_type,
                name.host()
            ));
        }
        if set.values.is_empty() || set.values.len() > MAX_VALUES {
            return Err(format!(
                "{} {name} has {} values, 1 to {MAX_VALUES} are possible",
                set.record_type,
                set.values.len()
            ));
        }
        let mut values = BTreeSet::new();
        for text in &set.values {
            let value = RecordValue::parse(set.record_type, text)
                .map_err(|error| format!("{} {name}: {error}", set.record_type))?;
            if value == RecordValue::Cname(name.clone()) {
                return Err(format!("CNAME {name} points to itself"));
            }
            values.insert(value);
        }
        if set.record_type == RecordType::Cname && values.len() > 1 {
            return Err(format!("CNAME {name} has {} values, only one is possible", values.len()));
        }
        // What the author of an object says of it goes before what holds for all.
        let ttl_seconds = allowed.ttl.nearest(ttl_seconds.unwrap_or(set.ttl_seconds));
        let key = (name.clone(), set.record_type);
        let values = values.into_iter().collect();
        if checked.insert(key, RecordSet { name: name.clone(), ttl_seconds, values }).is_some() {
            return Err(format!("{} {name} is given twice", set.record_type));
        }
    }
    let cname_beside_others = checked.keys().any(|(name, record_type)| {
        *record_type == RecordType::Cname && checked.keys().filter(|(other, _)| other == name).count() > 1
    });
    if cname_beside_others {
        return Err("a CNAME stands beside records of another type at the same name (RFC 2181 section 10.1)"
            .to_owned());
    }
    Ok(checked.into_values().collect())
}

/// Makes a denial of a module fit for a metric label and an Event.
fn tidy(denial: Denial) -> Denial {
    let code_is_fine = (1..=63).contains(&denial.code.len())
        && denial.code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let code = if code_is_fine { denial.code } else { codes::UNSPECIFIED.to_owned() };
    let mut message: String = denial.message.chars().filter(|c| !c.is_control()).collect();
    let mut end = message.len().min(MAX_DENIAL_MESSAGE_BYTES);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message.truncate(end);
    Denial { code, message, guard: denial.guard }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{ClusterFacts, ClusterId, SourceRef};
    use crate::kinds::Kind;
    use crate::labels::Labels;
    use crate::resolve::Claim;
    use crate::ttl::TtlBounds;

    /// A policy that answers as told.
    struct Answers {
        domain: &'static str,
        verdict: Result<Verdict, PolicyFailure>,
        records: Vec<ProposedRecordSet>,
    }

    impl Policy for Answers {
        fn domain_filter(&self, _: &Context) -> Result<String, PolicyFailure> {
            Ok(self.domain.to_owned())
        }
        fn validate_hostname(
            &self,
            _: &Context,
            _: &HostName,
            _: &CheckedClaim,
        ) -> Result<Verdict, PolicyFailure> {
            self.verdict.clone()
        }
        fn name_records(
            &self,
            _: &Context,
            _: &HostName,
            _: &CheckedClaim,
        ) -> Result<Vec<ProposedRecordSet>, PolicyFailure> {
            Ok(self.records.clone())
        }
    }

    fn name(text: &str) -> HostName {
        text.parse().unwrap()
    }

    fn context() -> Context {
        let id = ClusterId::new("openmcp-system", "workload01");
        Context {
            base_domain: name("openmcp.cluster"),
            cluster: ClusterFacts { id, purposes: vec!["workload".into()], labels: BTreeMap::new() },
            configuration: "{}".into(),
            shared_names: Vec::new(),
            shared_suffixes: Vec::new(),
        }
    }

    fn proposed(host: &str, record_type: RecordType, values: &[&str]) -> ProposedRecordSet {
        let values = values.iter().map(ToString::to_string).collect();
        ProposedRecordSet { name: host.into(), record_type, ttl_seconds: 60, values }
    }

    fn run(host: &str, targets: &[&str], answers: &Answers) -> Decision {
        let allowed = AllowedNames {
            domain: name("workload01.openmcp.cluster"),
            shared_names: [name("shared.openmcp.cluster")].into(),
            shared_suffixes: [name("team.openmcp.cluster")].into(),
            wildcards: false,
            ttl: TtlBounds::default(),
        };
        let source = SourceRef::new(Kind::HttpRoute, "default", "r");
        let wanted = Claim {
            host_name: host.into(),
            targets: targets.iter().map(ToString::to_string).collect(),
            ttl_seconds: None,
        };
        decide(answers, &context(), &allowed, &AskedClaim::new(source, Labels::default(), wanted))
    }

    fn allow(records: Vec<ProposedRecordSet>) -> Answers {
        Answers { domain: "workload01.openmcp.cluster", verdict: Ok(Verdict::Allow), records }
    }

    const GOOD: &str = "a.workload01.openmcp.cluster";

    #[test]
    fn names_that_can_never_be_published_are_denied_before_the_policy_is_asked() {
        for (host, code) in [
            ("in_valid.workload01.openmcp.cluster", codes::INVALID_HOST_NAME),
            ("", codes::INVALID_HOST_NAME),
            ("a.workload02.openmcp.cluster", codes::OUTSIDE_DOMAIN),
            ("a.badworkload01.openmcp.cluster", codes::OUTSIDE_DOMAIN),
            ("example.com", codes::OUTSIDE_DOMAIN),
            ("any.workload01.openmcp.cluster", codes::RESERVED_NAME),
            ("*.workload01.openmcp.cluster", codes::WILDCARD_UNSUPPORTED),
        ] {
            let refuses = Answers { verdict: Err(failure()), ..allow(vec![]) };
            match run(host, &["10.0.0.1"], &refuses) {
                Decision::Deny(denial) => assert_eq!(denial.code, code, "{host}"),
                other => panic!("{host}: {other:?}"),
            }
        }
    }

    fn failure() -> PolicyFailure {
        PolicyFailure::new(FailureKind::Trap, "asked")
    }

    #[test]
    fn a_shared_name_is_published_although_it_lies_outside_the_domain() {
        let answers = allow(vec![proposed("shared.openmcp.cluster", RecordType::A, &["10.0.0.1"])]);
        assert!(matches!(run("shared.openmcp.cluster", &["10.0.0.1"], &answers), Decision::Publish(_)));
    }

    #[test]
    fn an_answer_that_is_nonsense_counts_as_a_failure_of_the_module() {
        let a = RecordType::A;
        for sets in [
            vec![proposed("a.workload02.openmcp.cluster", a, &["10.0.0.1"])],
            vec![proposed("ns.dns.openmcp.cluster", a, &["10.0.0.1"])],
            vec![proposed(GOOD, a, &["not an address"])],
            vec![proposed(GOOD, a, &["127.0.0.1"])],
            vec![proposed(GOOD, a, &[])],
            vec![proposed(GOOD, RecordType::Cname, &[GOOD])],
            vec![proposed(GOOD, RecordType::Cname, &["a.example", "b.example"])],
            vec![proposed(GOOD, a, &["10.0.0.1"]), proposed(GOOD, a, &["10.0.0.2"])],
            vec![proposed(GOOD, a, &["10.0.0.1"]), proposed(GOOD, RecordType::Cname, &["a.example"])],
            vec![proposed(GOOD, RecordType::Txt, &["x"]); MAX_RECORD_SETS + 1],
            vec![proposed(GOOD, RecordType::Srv, &["10 100 9443 a.example"])],
            vec![proposed(&format!("_tls._tcp.{GOOD}"), a, &["10.0.0.1"])],
            vec![proposed(&format!("_tls._tcp.{GOOD}"), RecordType::Srv, &["9443"])],
            vec![proposed(
                "_tls._tcp.a.workload02.openmcp.cluster",
                RecordType::Srv,
                &["10 100 1 a.example"],
            )],
            vec![proposed("_tls._tcp.ns.dns.openmcp.cluster", RecordType::Srv, &["10 100 1 a.example"])],
        ] {
            match run(GOOD, &["10.0.0.1"], &allow(sets.clone())) {
                Decision::Undecided(failure) => assert_eq!(failure.kind, FailureKind::InvalidAnswer),
                other => panic!("{sets:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn an_srv_name_goes_with_its_host_name_and_no_object_asks_for_it() {
        for host in [GOOD, "shared.openmcp.cluster", "a.team.openmcp.cluster"] {
            let service = format!("_tls._tcp.{host}");
            let set = proposed(&service, RecordType::Srv, &[&format!("10 100 9443 {host}")]);
            match run(host, &["10.0.0.1"], &allow(vec![set])) {
                Decision::Publish(sets) => assert_eq!(sets[0].name.as_str(), service),
                other => panic!("{host}: {other:?}"),
            }
            let asked = run(&service, &["10.0.0.1"], &allow(vec![]));
            assert!(matches!(asked, Decision::Deny(denial) if denial.code == codes::INVALID_HOST_NAME));
        }
    }

    #[test]
    fn below_a_shared_suffix_a_cluster_may_publish_what_the_policy_allows() {
        let below = "a.team.openmcp.cluster";
        let answers = allow(vec![proposed(below, RecordType::A, &["10.0.0.1"])]);
        assert!(matches!(run(below, &["10.0.0.1"], &answers), Decision::Publish(_)));
        for (host, code) in [
            ("team.openmcp.cluster", codes::OUTSIDE_DOMAIN),
            ("a.steam.openmcp.cluster", codes::OUTSIDE_DOMAIN),
            ("any.team.openmcp.cluster", codes::RESERVED_NAME),
        ] {
            match run(host, &["10.0.0.1"], &answers) {
                Decision::Deny(denial) => assert_eq!(denial.code, code, "{host}"),
                other => panic!("{host}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_time_to_live_is_brought_into_the_bounds_of_the_policy() {
        let mut set = proposed(GOOD, RecordType::A, &["10.0.0.1"]);
        set.ttl_seconds = 0;
        match run(GOOD, &["10.0.0.1"], &allow(vec![set])) {
            Decision::Publish(sets) => assert_eq!(sets[0].ttl_seconds, 1),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_claim_whose_only_targets_are_unreachable_is_denied() {
        let answers = allow(vec![proposed(GOOD, RecordType::A, &["10.0.0.1"])]);
        assert!(
            matches!(run(GOOD, &["127.0.0.1"], &answers), Decision::Deny(denial) if denial.code == codes::UNREACHABLE_TARGET)
        );
        assert!(matches!(run(GOOD, &["127.0.0.1", "10.0.0.1"], &answers), Decision::Publish(_)));
    }

    #[test]
    fn a_denial_is_made_fit_for_a_metric_label_and_an_event() {
        let denial = Denial::new("Not A Code\n", "ü".repeat(400));
        let answers = Answers { verdict: Ok(Verdict::Deny(denial)), ..allow(vec![]) };
        match run(GOOD, &["10.0.0.1"], &answers) {
            Decision::Deny(denial) => {
                assert_eq!(denial.code, codes::UNSPECIFIED);
                assert_eq!(denial.message.len(), MAX_DENIAL_MESSAGE_BYTES);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_cluster_domain_must_lie_within_the_base_domain_and_not_be_the_services_own() {
        for (domain, fine) in [
            ("workload01.openmcp.cluster", true),
            ("openmcp.cluster", true),
            ("example.com", false),
            ("*.openmcp.cluster", false),
            ("dns.openmcp.cluster", false),
            ("any.openmcp.cluster", false),
            ("", false),
        ] {
            let answers = Answers { domain, ..allow(vec![]) };
            assert_eq!(cluster_domain(&answers, &context()).is_ok(), fine, "{domain}");
        }
    }
}
