//! An engine that speaks one version more of the contract, which is made up. It is part of the
//! crate's own tests, because what makes a version is no public interface.

#[path = "../common/mod.rs"]
mod common;
mod v0_3;

use openmcp_dns_core::policy::{FailureKind, Policy, Verdict};

use self::common::{Guest, claim, context, domain};
use super::{SPOKEN, Version, v0_1, v0_2};
use crate::engine::Engine;
use crate::limits::Limits;
use openmcp_dns_core::policy::LoadReason;

use crate::load_error::LoadError;

static ALL: [Version; 3] = [v0_1::VERSION, v0_2::VERSION, v0_3::VERSION];

fn speaks_all() -> Engine {
    Engine::speaking(&ALL, Limits::default()).unwrap()
}

/// A module of the made-up version.
fn newer() -> Guest {
    Guest::good()
        .without("(func $describe")
        .replacing("@0.1.0", "@0.3.0")
        .of_contract(v0_3::CONTRACT)
        .with(include_str!("0.3.0/guest.wat"))
}

#[test]
fn a_module_of_each_version_decides_on_an_engine_that_speaks_all() {
    let engine = speaks_all();
    let older = engine.load(&Guest::good().component(), "{}").unwrap();
    let newer = engine.load(&newer().component(), "{}").unwrap();
    assert_eq!(older.contract_version(), "0.1.0");
    assert_eq!(newer.contract_version(), "0.3.0");
    for module in [&older, &newer] {
        assert_eq!(module.domain_filter(&context()), Ok("openmcp.cluster".to_owned()));
        assert_eq!(module.validate_hostname(&context(), &domain(), &claim("shop")), Ok(Verdict::Allow));
    }
    assert_eq!(older.name_records(&context(), &domain(), &claim("shop")), Ok(Vec::new()));
    let records = newer.name_records(&context(), &domain(), &claim("shop")).unwrap();
    assert_eq!(records[0].name, "shop.workload01.openmcp.cluster");
    assert_eq!((records[0].ttl_seconds, records[0].values[0].as_str()), (300, "10.0.0.1"));
}

#[test]
fn the_standard_module_keeps_working_on_an_engine_that_also_speaks_a_later_version() {
    let module = speaks_all().load(crate::STANDARD, "{}").unwrap();
    assert_eq!(module.contract_version(), "0.2.0");
    assert_eq!(module.validate_hostname(&context(), &domain(), &claim("shop")), Ok(Verdict::Allow));
}

#[test]
fn an_answer_that_only_the_newer_version_knows_is_no_decision_of_the_older_kind() {
    let module = speaks_all().load(&newer().component(), "{}").unwrap();
    let failure = module.validate_hostname(&context(), &domain(), &claim("evil")).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    assert_eq!(failure.message, "validate-hostname: postponed: wrong");
}

#[test]
fn the_types_of_a_module_are_compared_with_those_of_its_own_version() {
    // It says 0.3.0 and has the shapes of 0.1.0.
    let mixed = Guest::good().replacing("@0.1.0", "@0.3.0").component();
    let error = speaks_all().load(&mixed, "{}").unwrap_err();
    assert_eq!(error.reason(), LoadReason::Contract);
    assert!(error.to_string().contains("its types differ from the contract's"), "{error}");
}

#[test]
fn a_module_of_a_version_that_is_not_spoken_is_refused_with_those_that_are() {
    let refusal = |engine: &Engine, guest: &Guest| match engine.load(&guest.component(), "{}") {
        Err(LoadError::Contract(message)) => message,
        other => panic!("{other:?}"),
    };
    let spoken = "it must export openmcp:dns-policy/policy@0.1.0 or a later version of 0.1.x, or \
                  openmcp:dns-policy/policy@0.2.0 or a later version of 0.2.x";
    assert_eq!(
        refusal(&Engine::new(Limits::default()).unwrap(), &newer()),
        format!("{spoken}, and speaks version 0.3.0")
    );
    assert_eq!(
        refusal(&speaks_all(), &newer().replacing("@0.3.0", "@0.4.0")),
        format!(
            "{spoken}, or openmcp:dns-policy/policy@0.3.0 or a later version of 0.3.x, and speaks version 0.4.0"
        )
    );
}

#[test]
fn each_version_is_what_its_text_says_and_no_module_fits_two() {
    for (index, version) in ALL.iter().enumerate() {
        assert!(version.wit.contains(&format!("package openmcp:dns-policy@{};", version.number)));
        let fitting = ALL.iter().filter(|other| other.fits(version.number));
        assert_eq!(fitting.map(|other| other.number).collect::<Vec<_>>(), [version.number]);
        assert!(ALL[..index].iter().all(|older| older.number < version.number), "oldest first");
    }
    assert_eq!(SPOKEN.last().map(|version| version.wit), Some(crate::CONTRACT));
}
