//! Modules that are refused before one of their instructions runs.

#![allow(clippy::unwrap_used, reason = "a helper of tests that fails says where by its panic")]

mod common;

use std::fmt::Write;
use std::time::{Duration, Instant};

use common::{ENGINE, Guest};
use openmcp_dns_policy::{LoadReason, STANDARD};

/// Shows that a module is refused for this reason, and soon; gives the error's text.
fn refused(bytes: &[u8], reason: LoadReason) -> String {
    let started = Instant::now();
    let error = ENGINE.load(bytes, "{}").unwrap_err();
    assert_eq!(error.reason(), reason, "{error}");
    assert!(started.elapsed() < Duration::from_secs(10), "{error}: took {:?}", started.elapsed());
    error.to_string()
}

fn text(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[test]
fn a_module_that_imports_wasi_is_refused_with_the_names_of_its_imports() {
    let wasi = text(r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#);
    assert!(refused(&wasi, LoadReason::Imports).contains("wasi:cli/environment@0.2.0"));
}

#[test]
fn a_module_of_another_version_of_the_contract_is_refused_with_both_versions() {
    let error = refused(&Guest::good().replacing("@0.1.0", "@0.9.0").component(), LoadReason::Contract);
    assert!(error.contains("policy@0.1.0"), "{error}");
    assert!(error.contains("speaks version 0.9.0"), "{error}");
}

#[test]
fn a_later_version_of_the_same_track_is_loaded() {
    ENGINE.load(&Guest::good().replacing("@0.1.0", "@0.1.7").component(), "{}").unwrap();
}

#[test]
fn a_module_without_one_of_the_functions_is_refused_with_its_name() {
    let less = "  @since(version = 0.1.0)\n  describe: func() -> description;\n";
    let stripped = Guest::good().without("(func $describe").replacing(less, "").component();
    assert!(refused(&stripped, LoadReason::Contract).contains("describe"));
}

#[test]
fn a_module_that_exports_nothing_is_refused() {
    assert!(refused(&text("(component)"), LoadReason::Contract).contains("does not export it"));
}

#[test]
fn a_record_with_a_field_more_is_refused() {
    let field = "targets: list<string>,";
    let wider = Guest::good().replacing(field, "targets: list<string>, generation: u64,").component();
    assert!(refused(&wider, LoadReason::Contract).contains("types differ"));
}

#[test]
fn a_module_whose_code_or_data_was_cut_is_refused() {
    refused(&STANDARD[..STANDARD.len() / 2], LoadReason::NotAComponent);
}

#[test]
fn thousands_of_functions_are_refused() {
    let mut many = String::new();
    for _ in 0..20_001 {
        many.push_str("(func)");
    }
    assert!(refused(&Guest::good().with(&many).component(), LoadReason::TooLarge).contains("functions"));
}

#[test]
fn thousands_of_tables_are_refused() {
    let mut many = String::new();
    for _ in 0..1000 {
        many.push_str("(table 1 funcref)");
    }
    assert!(refused(&Guest::good().with(&many).component(), LoadReason::TooLarge).contains("tables"));
}

#[test]
fn a_data_segment_of_a_hundred_megabytes_is_refused() {
    // A core module that is nothing but data, within a component.
    let size = 100 << 20;
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    let data = [&[1, 0][..], b"\x41\x00\x0b", &leb(size), &vec![7; size]].concat();
    module.push(11);
    module.extend(leb(data.len()));
    module.extend(data);
    let mut component = b"\0asm\x0d\0\x01\0\x01".to_vec();
    component.extend(leb(module.len()));
    component.extend(module);
    assert!(refused(&component, LoadReason::TooLarge).contains("bytes"));
}

/// A number as WebAssembly writes it (LEB128).
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

#[test]
fn nested_loops_over_many_variables_which_keep_a_compiler_busy_are_refused() {
    let mut bomb = String::from("(func $bomb");
    for index in 0..1000 {
        write!(bomb, " (local $v{index} i32)").unwrap();
    }
    bomb.push_str(&" (loop".repeat(500));
    for index in 0..1000 {
        write!(bomb, " (local.set $v{index} (i32.add (local.get $v{index}) (i32.const 1)))").unwrap();
    }
    bomb.push_str(&")".repeat(501));
    assert!(refused(&Guest::good().with(&bomb).component(), LoadReason::TooLarge).contains("compiler"));
}

#[test]
fn instructions_that_no_policy_needs_are_refused() {
    for file in ["simd", "threads"] {
        refused(&Guest::always(file).component(), LoadReason::Compile);
    }
}
