//! Answers that have the right shape and say what they may not. The host's checks come behind the module,
//! so both are asked here: nothing of such an answer is published, and what was published stays.

#![allow(clippy::unwrap_used, reason = "a helper of tests that fails says where by its panic")]

mod common;

use std::collections::BTreeSet;
use std::fmt::Write;

use common::{ENGINE, Guest, claim, context, domain};
use openmcp_dns_core::decide::{AllowedNames, Decision, decide};
use openmcp_dns_core::details::AskedClaim;
use openmcp_dns_core::index::{Index, State};
use openmcp_dns_core::policy::FailureKind;
use openmcp_dns_core::record::{RecordSet, RecordType, RecordValue};
use openmcp_dns_core::resolve::{Claim, Resolution};
use openmcp_dns_policy::Module;

const OWN: &str = "evil.workload01.openmcp.cluster";

/// One record set as a module answers it.
struct Answer<'a> {
    name: &'a str,
    record_type: RecordType,
    ttl_seconds: u32,
    value: &'a str,
}

const GOOD: Answer<'_> = Answer { name: OWN, record_type: RecordType::A, ttl_seconds: 60, value: "10.0.0.1" };

/// A module that gives this answer for names that start with `evil`, and for others none.
fn module(answer: &Answer<'_>) -> Module {
    let Answer { name, record_type, ttl_seconds, value } = answer;
    let case = match record_type {
        RecordType::A => 0,
        RecordType::Aaaa => 1,
        RecordType::Cname => 2,
        RecordType::Txt => 3,
        RecordType::Srv => 4,
        RecordType::Ptr => unreachable!("the contract has no such type"),
    };
    let escaped = |text: &str| {
        text.bytes().fold(String::new(), |mut escaped, byte| {
            write!(escaped, "\\{byte:02x}").unwrap();
            escaped
        })
    };
    let text = format!(
        r#"
(data $name (i32.const 3000) "{name}")
(data $value (i32.const 3500) "{value}")
(func $records (export "openmcp:dns-policy/policy@0.1.0#name-records") (param $question i32) (result i32)
  (if (i32.eqz (call $is-evil (i32.load (i32.add (local.get $question) (i32.const 64)))))
    (then (return (i32.const 0))))
  (i32.store (i32.const 4) (i32.const 2048)) (i32.store (i32.const 8) (i32.const 1))
  (i32.store (i32.const 2048) (i32.const 3000)) (i32.store (i32.const 2052) (i32.const {name_bytes}))
  (i32.store8 (i32.const 2056) (i32.const {case})) (i32.store (i32.const 2060) (i32.const {ttl_seconds}))
  (i32.store (i32.const 2064) (i32.const 2100)) (i32.store (i32.const 2068) (i32.const 1))
  (i32.store (i32.const 2100) (i32.const 3500)) (i32.store (i32.const 2104) (i32.const {value_bytes}))
  (i32.const 0))
"#,
        name = escaped(name),
        value = escaped(value),
        name_bytes = name.len(),
        value_bytes = value.len(),
    );
    ENGINE.load(&Guest::good().with(&text).component(), "{}").unwrap()
}

fn allowed() -> AllowedNames {
    AllowedNames {
        domain: domain(),
        shared_names: BTreeSet::new(),
        shared_suffixes: BTreeSet::new(),
        wildcards: false,
        ttl: openmcp_dns_core::ttl::TtlBounds::default(),
    }
}

fn decision(module: &Module, wanted: &Claim) -> Decision {
    let claim = claim("evil");
    let asked = AskedClaim::new(claim.source, claim.labels, wanted.clone());
    decide(module, &context(), &allowed(), &asked)
}

fn wanted() -> Claim {
    Claim { host_name: OWN.to_owned(), targets: vec!["10.0.0.1".to_owned()], ttl_seconds: None }
}

/// Shows that an answer is none, and that a record which was published stays as it was.
fn changes_no_record(module: &Module, what: &str) -> FailureKind {
    let claim = claim("evil");
    let published = RecordSet {
        name: claim.host_name.clone(),
        ttl_seconds: 300,
        values: [RecordValue::parse(RecordType::A, "10.9.9.9").unwrap()].into_iter().collect(),
    };
    let resolution = || Some(Resolution { wanted: vec![wanted()], ..Resolution::default() });
    let record_sets = |index: &Index| index.outcomes(&claim.source).unwrap()[OWN].record_sets.to_vec();
    let mut index = Index::default();
    let publish = |_: &Claim| Some(Decision::Publish([published.clone()].into()));
    index.redecide(&claim.source, resolution(), publish, Vec::new);
    assert_eq!(record_sets(&index), std::slice::from_ref(&published));
    let mut kind = None;
    index.redecide(
        &claim.source,
        resolution(),
        |wanted| {
            let decision = decision(module, wanted);
            match &decision {
                Decision::Undecided(failure) => kind = Some(failure.kind),
                other => panic!("{what}: {other:?}"),
            }
            Some(decision)
        },
        || panic!("{what}: the index knows what is published"),
    );
    assert_eq!(record_sets(&index), [published], "{what}");
    // A name that was not published stays unpublished.
    let mut index = Index::default();
    index.redecide(&claim.source, resolution(), |wanted| Some(decision(module, wanted)), Vec::new);
    assert!(record_sets(&index).is_empty(), "{what}");
    kind.unwrap()
}

fn is_no_answer(answer: &Answer<'_>) {
    let kind = changes_no_record(&module(answer), answer.name);
    assert_eq!(kind, FailureKind::InvalidAnswer, "{} {}", answer.name, answer.value);
}

#[test]
fn a_good_answer_of_the_same_fixture_is_published() {
    match decision(&module(&GOOD), &wanted()) {
        Decision::Publish(sets) => assert_eq!(sets[0].name.as_str(), OWN),
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_outside_of_the_zone_or_of_another_cluster_are_no_answer() {
    for name in ["www.example.com", "evil.workload02.openmcp.cluster", "evil.notworkload01.openmcp.cluster"] {
        is_no_answer(&Answer { name, ..GOOD });
    }
}

#[test]
fn names_that_the_service_needs_itself_are_no_answer() {
    for name in ["openmcp.cluster", "ns.dns.openmcp.cluster", "apex.dns.openmcp.cluster"] {
        is_no_answer(&Answer { name, ..GOOD });
    }
}

#[test]
fn a_name_of_300_characters_is_no_answer() {
    let name = format!("{}{OWN}", "a2345678.".repeat(30));
    assert!(name.len() > 300);
    is_no_answer(&Answer { name: &name, ..GOOD });
}

#[test]
fn a_label_of_64_characters_is_no_answer() {
    is_no_answer(&Answer { name: &format!("{}.{OWN}", "a".repeat(64)), ..GOOD });
}

#[test]
fn names_that_are_no_host_names_are_no_answer() {
    for name in [
        "",
        ".",
        "bücher.workload01.openmcp.cluster",
        "a b.workload01.openmcp.cluster",
        "a\0.workload01.openmcp.cluster",
        "-a.workload01.openmcp.cluster",
        "a..workload01.openmcp.cluster",
        "evil.workload01.openmcp.cluster..",
        "10.0.0.1",
    ] {
        is_no_answer(&Answer { name, ..GOOD });
    }
}

#[test]
fn one_trailing_dot_is_dropped_and_never_published() {
    match decision(&module(&Answer { name: "evil.workload01.openmcp.cluster.", ..GOOD }), &wanted()) {
        Decision::Publish(sets) => assert_eq!(sets[0].name.as_str(), OWN),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_wildcard_and_the_labels_any_and_star_are_no_answer_where_the_store_cannot_serve_them() {
    for name in [
        "*.workload01.openmcp.cluster",
        "any.workload01.openmcp.cluster",
        "a.any.workload01.openmcp.cluster",
        "a.*.workload01.openmcp.cluster",
        "*.*.workload01.openmcp.cluster",
    ] {
        is_no_answer(&Answer { name, ..GOOD });
    }
}

#[test]
fn a_time_to_live_of_0_or_of_136_years_is_brought_into_its_range() {
    for (answered, published) in [(0, 1), (u32::MAX, 86_400)] {
        match decision(&module(&Answer { ttl_seconds: answered, ..GOOD }), &wanted()) {
            Decision::Publish(sets) => assert_eq!(sets[0].ttl_seconds, published),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn values_that_are_no_addresses_of_their_type_are_no_answer() {
    let (a, aaaa) = (RecordType::A, RecordType::Aaaa);
    for (record_type, value) in
        [(a, ""), (a, "shop"), (a, "10.0.0.256"), (a, "fd00::1"), (aaaa, "10.0.0.1"), (aaaa, "fd00::g")]
    {
        is_no_answer(&Answer { record_type, value, ..GOOD });
    }
}

#[test]
fn loopback_link_local_and_other_addresses_of_nobody_are_no_answer() {
    let (a, aaaa) = (RecordType::A, RecordType::Aaaa);
    for (record_type, value) in [
        (a, "127.0.0.1"),
        (a, "169.254.169.254"),
        (a, "0.0.0.0"),
        (a, "224.0.0.1"),
        (aaaa, "::1"),
        (aaaa, "fe80::1"),
        (aaaa, "::"),
        (aaaa, "ff02::1"),
    ] {
        is_no_answer(&Answer { record_type, value, ..GOOD });
    }
}

#[test]
fn an_alias_of_itself_is_no_answer() {
    for value in [OWN, "EVIL.workload01.openmcp.cluster."] {
        is_no_answer(&Answer { record_type: RecordType::Cname, value, ..GOOD });
    }
}

#[test]
fn a_module_that_fails_changes_no_record() {
    for file in [
        "unreachable",
        "endless-loop",
        "endless-recursion",
        "grow-memory",
        "huge-text",
        "invalid-utf8",
        "unknown-case",
    ] {
        let module = ENGINE.load(&Guest::later(file).component(), "{}").unwrap();
        assert_ne!(changes_no_record(&module, file), FailureKind::Internal, "{file}");
    }
}

#[test]
fn a_claim_that_is_undecided_says_so() {
    let module = module(&Answer { value: "127.0.0.1", ..GOOD });
    let claim = claim("evil");
    let mut index = Index::default();
    let resolution = Some(Resolution { wanted: vec![wanted()], ..Resolution::default() });
    index.redecide(&claim.source, resolution, |wanted| Some(decision(&module, wanted)), Vec::new);
    let outcomes = index.outcomes(&claim.source).unwrap();
    assert!(matches!(outcomes[OWN].state, State::Undecided(_)));
}
