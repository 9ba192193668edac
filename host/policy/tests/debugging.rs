//! What an author is shown of a module beside its answers; and that no service takes a module that can be shown more of.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "common/mod.rs"]
mod common;

use common::{CONTRACT, ENGINE, Guest, claim, context, domain};
use openmcp_dns_core::policy::{FailureKind, Policy as _};
use openmcp_dns_policy::debugging::{OUTPUT, Traces};
use openmcp_dns_policy::{Author, Engine, Limits, LoadError, Module};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A guest that, for names that start with `evil`, runs this code, which may call `$print` with a pointer and a length.
fn printing(turn: &str) -> Vec<u8> {
    let import =
        "(module (import \"openmcp:dns-policy-debug/output@0.1.0\" \"print\" (func $print (param i32 i32)))";
    let turn = format!("(func $turn (param $question i32) (result i32) {turn} (i32.const 0))");
    let text = Guest::good().with(&turn).text().replacen("(module", import, 1);
    let mut core = wat::parse_str(text).unwrap();
    for (wit, world) in [(CONTRACT, "dns-policy"), (OUTPUT, "debug")] {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("contract.wit", wit).unwrap();
        let world = resolve.select_world(&[package], Some(world)).unwrap();
        embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8, false).unwrap();
    }
    ComponentEncoder::default().module(&core).unwrap().encode().unwrap()
}

fn engine(traces: &Traces) -> Engine {
    let author = Author { traces: Some(traces.clone()), ..Author::default() };
    Engine::for_author(Limits::default(), author).unwrap()
}

fn debugged(module: &[u8]) -> (Module, Traces) {
    let traces = Traces::default();
    let engine = engine(&traces);
    let module = engine.load(module, "{}").unwrap();
    assert_eq!(traces.take(), [], "nothing was printed, and nothing trapped");
    (module, traces)
}

fn ask(module: &Module) -> Option<FailureKind> {
    let answer = module.validate_hostname(&context(), &domain(), &claim("evil"));
    answer.err().map(|failure| failure.kind)
}

/// Prints `guest`.
const PRINT: &str = "(call $print (i32.const 1024) (i32.const 5))";

#[test]
fn a_module_that_prints_is_refused_by_every_engine_but_one_for_debugging() {
    let error = ENGINE.load(&printing(PRINT), "{}").unwrap_err();
    assert!(matches!(&error, LoadError::Imports { names } if names.contains("debug")), "{error}");
    let (module, traces) = debugged(&printing(PRINT));
    assert_eq!(ask(&module), None);
    let [trace] = &traces.take()[..] else { panic!("one question was asked") };
    assert_eq!((trace.function, &trace.printed[..]), ("validate-hostname", &["guest".to_owned()][..]));
    assert_eq!(trace.to_string(), "validate-hostname printed\n  guest\n");
}

#[test]
fn an_engine_for_debugging_takes_no_other_import() {
    let wasi = wat::parse_str("(component (import \"wasi:cli/environment@0.2.0\" (instance)))").unwrap();
    let engine = engine(&Traces::default());
    assert!(matches!(engine.load(&wasi, "{}").unwrap_err(), LoadError::Imports { .. }));
}

#[test]
fn a_trap_is_shown_with_the_functions_that_led_to_it_and_what_was_printed_before() {
    let (module, traces) = debugged(&printing(&format!("{PRINT} unreachable")));
    assert_eq!(ask(&module), Some(FailureKind::Trap));
    let shown = traces.take()[0].to_string();
    assert_eq!(
        shown, "validate-hostname printed\n  guest\nvalidate-hostname trapped in\n  turn\n  verdict\n",
        "the names are those of the text"
    );
    // A module that decides is shown as well, without names where it has none.
    let (module, traces) = debugged(&Guest::later("unreachable").component());
    assert_eq!(ask(&module), Some(FailureKind::Trap));
    assert!(traces.take()[0].printed.is_empty());
}

#[test]
fn what_prints_without_end_is_cut() {
    let (module, traces) = debugged(&printing(&format!("(loop $again {PRINT} (br $again))")));
    assert_eq!(ask(&module), Some(FailureKind::OutOfFuel));
    let lines = traces.take()[0].printed.len();
    assert!((1000..20_000).contains(&lines), "{lines}");
}
