//! Measures the policy engine: `make bench-policy`, one table on stdout.
//!
//! The same rules (the configuration in `rules.json`) decide the same claims three times: in the standard
//! module, in the sources of the standard module compiled into this program, and in Rego. All three must
//! give the same verdicts before anything is measured.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made says where by its panic")]

extern crate alloc;

// The standard module's own sources: they find each other under the crate's root.
#[allow(
    dead_code,
    unreachable_pub,
    clippy::all,
    reason = "the module uses more of it, and is linted with the guest"
)]
#[path = "../../../../policies/standard/src/configuration.rs"]
mod configuration;
#[allow(dead_code, unreachable_pub, clippy::all, reason = "see configuration")]
#[path = "../../../../policies/standard/src/domain.rs"]
mod domain;
#[allow(dead_code, unreachable_pub, clippy::all, reason = "see configuration")]
#[path = "../../../../policies/standard/src/fields.rs"]
mod fields;
#[allow(dead_code, unreachable_pub, clippy::all, reason = "see configuration")]
#[path = "../../../../policies/standard/src/hostname.rs"]
mod hostname;
#[allow(dead_code, unreachable_pub, clippy::all, reason = "see configuration")]
#[path = "../../../../policies/standard/src/json.rs"]
mod json;
#[allow(dead_code, unreachable_pub, clippy::all, reason = "see configuration")]
#[path = "../../../../policies/standard/src/records.rs"]
mod records;
#[allow(dead_code, unreachable_pub, clippy::all, reason = "see configuration")]
#[path = "../../../../policies/standard/src/rule.rs"]
mod rule;

#[allow(missing_docs, dead_code, unreachable_pub, clippy::all, reason = "generated from wit/policy.wit")]
mod bindings {
    wasmtime::component::bindgen!({ path: "../../wit", world: "dns-policy" });
}

mod cases;
mod figures;
mod load;
mod native;
mod rego;
mod swap;

use openmcp_dns_core::policy::Policy;
use openmcp_dns_policy::{Engine, Limits, STANDARD};

use crate::cases::{Case, DOMAIN, RULES, cases};
use crate::figures::{Figures, row};

const QUESTIONS: usize = 20_000;

fn main() {
    let engine = Engine::new(Limits::default()).unwrap();
    let module = engine.load(STANDARD, RULES).unwrap();
    let (cases, domain) = (cases(), DOMAIN.parse().unwrap());
    let native: Vec<native::Question> = cases.iter().map(native::Question::of).collect();
    let mut rego = rego::Rules::new(&cases);
    let verdict =
        |case: &Case| cases::code(&module.validate_hostname(&case.context, &domain, &case.claim).unwrap());
    for (index, case) in cases.iter().enumerate() {
        let verdicts = [verdict(case), native[index].verdict(), rego.verdict(index)];
        assert!(verdicts.iter().all(|other| *other == verdicts[0]), "{}: {verdicts:?}", case.claim.host_name);
    }

    println!("{} claims, {} of them denied; all three give the same verdicts", cases.len(), {
        cases.iter().filter(|case| verdict(case) != cases::ALLOW).count()
    });
    println!("\n{:<52} {:>9} {:>9} {:>9} {:>9}", "ONE QUESTION (microseconds)", "p50", "p99", "p99.9", "max");
    let each = |index: usize| &cases[index % cases.len()];
    row(
        "validate-hostname, fresh instance",
        &Figures::measure(QUESTIONS, |index| {
            verdict(each(index));
        }),
    );
    row(
        "name-records, fresh instance",
        &Figures::measure(QUESTIONS, |index| {
            let case = each(index);
            let _ = std::hint::black_box(module.name_records(&case.context, &domain, &case.claim));
        }),
    );
    row("validate-hostname, reused instance: not offered", &Figures::default());
    row(
        "validate-hostname, the same sources in this program",
        &Figures::measure(QUESTIONS, |index| {
            std::hint::black_box(native[index % native.len()].verdict());
        }),
    );
    row(
        "validate-hostname, Rego (regorus), parsed once",
        &Figures::measure(QUESTIONS / 4, |index| {
            std::hint::black_box(rego.verdict(index % cases.len()));
        }),
    );

    load::throughput(&module, &cases);
    load::memory(&engine);
    swap::swap_under_load(&engine);
}
