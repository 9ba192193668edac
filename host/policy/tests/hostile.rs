//! Modules that are broken or mean harm, one by one. None of them may do more than fail its own call.

#![allow(clippy::unwrap_used, reason = "a helper of tests that fails says where by its panic")]

mod common;

use std::time::{Duration, Instant};

use common::{ENGINE, Guest, claim, context, domain};
use openmcp_dns_core::policy::{FailureKind, Policy, Verdict};
use openmcp_dns_policy::{Engine, Limits, LoadError, LoadReason};

/// Shows of a fixture that such a module is not admitted, and that one that turns hostile later fails
/// only the calls in which it is.
fn fails_only_its_own_calls(file: &str, kind: FailureKind) {
    fails_with(&ENGINE, file, kind);
}

fn fails_with(engine: &Engine, file: &str, kind: FailureKind) {
    match engine.load(&Guest::always(file).component(), "{}") {
        Err(LoadError::Trial { source, .. }) => assert_eq!(source.kind, kind, "{file}: {source}"),
        other => panic!("{file}: {other:?}"),
    }
    let module = engine.load(&Guest::later(file).component(), "{}").unwrap();
    let ask = |label: &str| module.validate_hostname(&context(), &domain(), &claim(label));
    for _ in 0..3 {
        assert_eq!(ask("shop"), Ok(Verdict::Allow), "{file}");
        let failure = ask("evil").unwrap_err();
        assert_eq!(failure.kind, kind, "{file}: {failure}");
    }
    assert_eq!(ask("shop"), Ok(Verdict::Allow), "{file}");
}

/// Shows of a fixture that it is not admitted; gives the error's text.
fn is_refused(file: &str, reason: LoadReason) -> String {
    refused(&ENGINE, &Guest::always(file).component(), reason)
}

fn refused(engine: &Engine, bytes: &[u8], reason: LoadReason) -> String {
    let started = Instant::now();
    let error = engine.load(bytes, "{}").unwrap_err();
    let text = match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    assert_eq!(error.reason(), reason, "{text}");
    assert!(started.elapsed() < Duration::from_secs(20), "{text}: took {:?}", started.elapsed());
    text
}

#[test]
fn the_fixture_that_all_others_change_is_a_good_module() {
    let module = ENGINE.load(&Guest::good().component(), "{}").unwrap();
    assert_eq!(module.description().name, "guest");
    assert_eq!(module.domain_filter(&context()), Ok("openmcp.cluster".to_owned()));
    assert_eq!(module.name_records(&context(), &domain(), &claim("shop")), Ok(Vec::new()));
}

mod that_trap {
    use super::*;

    #[test]
    fn unreachable_code_is_a_trap() {
        fails_only_its_own_calls("unreachable", FailureKind::Trap);
    }

    #[test]
    fn a_division_by_zero_is_a_trap() {
        fails_only_its_own_calls("divide-by-zero", FailureKind::Trap);
    }

    #[test]
    fn an_access_out_of_bounds_is_a_trap() {
        fails_only_its_own_calls("out-of-bounds", FailureKind::Trap);
    }

    #[test]
    fn a_call_of_nothing_is_a_trap() {
        fails_only_its_own_calls("call-nothing", FailureKind::Trap);
    }

    #[test]
    fn endless_recursion_is_a_trap_and_not_a_crash() {
        fails_only_its_own_calls("endless-recursion", FailureKind::Trap);
    }

    #[test]
    fn a_trap_after_the_answer_spoils_the_answer_and_nothing_else() {
        assert!(is_refused("answer-then-trap", LoadReason::Trial).contains("unreachable"));
    }

    #[test]
    fn a_trap_when_it_starts_is_found_when_it_is_loaded() {
        assert!(is_refused("start-trap", LoadReason::Trial).contains("describe"));
    }
}

mod that_do_not_end {
    use super::*;

    #[test]
    fn an_endless_loop_runs_out_of_fuel() {
        fails_only_its_own_calls("endless-loop", FailureKind::OutOfFuel);
    }

    #[test]
    fn an_endless_loop_with_fuel_left_meets_the_deadline() {
        let limits = Limits { fuel: u64::MAX, deadline: Duration::from_millis(50), ..Limits::default() };
        let started = Instant::now();
        fails_with(&Engine::new(limits).unwrap(), "endless-loop", FailureKind::Deadline);
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn instructions_that_burn_little_fuel_for_their_time_end_all_the_same() {
        let started = Instant::now();
        let module = ENGINE.load(&Guest::later("fill-memory").component(), "{}").unwrap();
        let failure = module.validate_hostname(&context(), &domain(), &claim("evil")).unwrap_err();
        assert!(matches!(failure.kind, FailureKind::OutOfFuel | FailureKind::Deadline), "{failure}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn an_endless_loop_when_it_starts_is_found_when_it_is_loaded() {
        assert!(is_refused("start-loop", LoadReason::Trial).contains("OutOfFuel"));
    }

    #[test]
    fn an_endless_loop_while_it_takes_the_question_is_found_when_it_is_loaded() {
        assert!(is_refused("realloc-loop", LoadReason::Trial).contains("OutOfFuel"));
    }
}

mod that_take_memory {
    use super::*;

    #[test]
    fn growing_memory_page_by_page_ends_at_the_limit() {
        fails_only_its_own_calls("grow-memory", FailureKind::Memory);
    }

    #[test]
    fn growing_memory_at_once_ends_at_the_limit() {
        fails_only_its_own_calls("grow-memory-at-once", FailureKind::Memory);
    }

    #[test]
    fn growing_a_table_ends_at_the_limit() {
        fails_only_its_own_calls("grow-table", FailureKind::Memory);
    }

    #[test]
    fn more_memory_than_allowed_from_the_start_is_refused() {
        assert!(is_refused("large-memory", LoadReason::TooLarge).contains("bytes of memory"));
    }

    #[test]
    fn a_larger_table_than_allowed_from_the_start_is_refused() {
        assert!(is_refused("large-table", LoadReason::TooLarge).contains("table elements"));
    }

    #[test]
    fn the_limits_hold_where_no_memory_is_set_aside_too() {
        let limits = Limits { concurrent_calls: 1_000_000.try_into().unwrap(), ..Limits::default() };
        let engine = Engine::new(limits).unwrap();
        assert!(!engine.is_pooled());
        for file in ["grow-memory", "grow-memory-at-once", "grow-table"] {
            fails_with(&engine, file, FailureKind::Memory);
        }
        fails_with(&engine, "huge-text", FailureKind::TooLarge);
        refused(&engine, &Guest::always("large-memory").component(), LoadReason::TooLarge);
    }
}

mod that_answer_nonsense {
    use super::*;

    #[test]
    fn a_huge_text_is_too_large() {
        fails_only_its_own_calls("huge-text", FailureKind::TooLarge);
    }

    #[test]
    fn a_text_beyond_the_memory_is_a_trap() {
        fails_only_its_own_calls("endless-text", FailureKind::Trap);
    }

    #[test]
    fn text_that_is_no_utf8_is_a_trap() {
        fails_only_its_own_calls("invalid-utf8", FailureKind::Trap);
    }

    #[test]
    fn a_case_that_does_not_exist_is_a_trap() {
        fails_only_its_own_calls("unknown-case", FailureKind::Trap);
    }

    #[test]
    fn an_answer_outside_of_the_memory_is_a_trap() {
        fails_only_its_own_calls("pointer-outside", FailureKind::Trap);
    }

    #[test]
    fn an_answer_at_an_odd_place_is_a_trap() {
        fails_only_its_own_calls("pointer-misaligned", FailureKind::Trap);
    }

    #[test]
    fn a_list_of_half_a_million_record_sets_is_too_large() {
        assert!(is_refused("million-records", LoadReason::Trial).contains("TooLarge"));
    }

    #[test]
    fn a_record_type_that_does_not_exist_is_found_when_it_is_loaded() {
        is_refused("unknown-type", LoadReason::Trial);
    }

    #[test]
    fn records_for_a_name_of_somebody_else_are_found_when_it_is_loaded() {
        assert!(is_refused("foreign-records", LoadReason::Answer).contains("www.example.com"));
    }

    #[test]
    fn a_domain_outside_of_the_base_domain_is_found_when_it_is_loaded() {
        assert!(is_refused("foreign-domain", LoadReason::Answer).contains("example.com"));
    }

    #[test]
    fn a_denial_whose_code_is_none_is_found_when_it_is_loaded() {
        assert!(is_refused("nonsense-code", LoadReason::Answer).contains("1.0.0"));
    }

    #[test]
    fn a_question_written_outside_of_the_memory_is_a_trap() {
        is_refused("realloc-nowhere", LoadReason::Trial);
    }

    #[test]
    fn a_question_that_overwrites_itself_harms_only_the_module() {
        ENGINE.load(&Guest::later("realloc-same").component(), "{}").unwrap_err();
    }
}

mod that_differ_from_call_to_call {
    use super::*;

    #[test]
    fn a_module_cannot_remember_so_it_answers_the_second_question_like_the_first() {
        let module = ENGINE.load(&Guest::always("remembers").component(), "{}").unwrap();
        for _ in 0..20 {
            assert_eq!(module.validate_hostname(&context(), &domain(), &claim("shop")), Ok(Verdict::Allow));
        }
    }

    #[test]
    fn many_threads_at_once_get_the_answers_of_one() {
        let limits = Limits { concurrent_calls: 1.try_into().unwrap(), ..Limits::default() };
        let module =
            Engine::new(limits).unwrap().load(&Guest::later("endless-loop").component(), "{}").unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let module = &module;
                scope.spawn(move || {
                    for _ in 0..20 {
                        let ask = |label| module.validate_hostname(&context(), &domain(), &claim(label));
                        assert_eq!(ask("shop"), Ok(Verdict::Allow));
                        if thread == 0 {
                            assert_eq!(ask("evil").unwrap_err().kind, FailureKind::OutOfFuel);
                        }
                    }
                });
            }
        });
    }
}
