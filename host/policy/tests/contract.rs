//! A released version of the contract stays what it was.

#![allow(clippy::unwrap_used, reason = "a helper of tests that fails says where by its panic")]

use std::path::Path;

use openmcp_dns_policy::CONTRACT;
use wit_parser::{Resolve, WorldId};

/// What can be found wrong with a contract, compared with an earlier one of the same track: a module that
/// was made for the earlier one must fit.
fn breaks(earlier: &str, now: &str) -> Option<String> {
    let mut resolve = Resolve::default();
    let earlier = world(&mut resolve, earlier);
    // Two packages of one name need two versions; the check itself looks at neither.
    let version = version(now);
    let patch = version.rsplit('.').next().unwrap();
    let renamed = version.strip_suffix(patch).unwrap();
    let now = now.replacen(&format!("@{version};"), &format!("@{renamed}9{patch};"), 1);
    let now = world(&mut resolve, &now);
    wit_component::semver_check(resolve, earlier, now).err().map(|error| format!("{error:#}"))
}

fn world(resolve: &mut Resolve, text: &str) -> WorldId {
    let package = resolve.push_str("policy.wit", text).unwrap();
    resolve.select_world(&[package], Some("dns-policy")).unwrap()
}

/// The number in the first line of a contract that names the package.
fn version(text: &str) -> &str {
    let line = text.lines().find_map(|line| line.strip_prefix("package openmcp:dns-policy@")).unwrap();
    line.trim_end_matches(';')
}

/// The numbers that all versions that fit this one start with.
fn track(version: &str) -> &str {
    let parts = if version.starts_with("0.") { 2 } else { 1 };
    let end = version.match_indices('.').nth(parts - 1).unwrap().0;
    &version[..=end]
}

/// The released contracts by the name of their folder.
fn released() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/released");
    let mut released: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let text = std::fs::read_to_string(entry.path().join("policy.wit")).unwrap();
            (entry.file_name().into_string().unwrap(), text)
        })
        .collect();
    released.sort();
    released
}

#[test]
fn a_module_of_every_released_contract_of_this_track_fits_the_contract_of_today() {
    let compared: Vec<String> = released()
        .into_iter()
        .filter(|(number, _)| track(number) == track(version(CONTRACT)))
        .map(|(number, text)| {
            assert_eq!(breaks(&text, CONTRACT), None, "compared with {number}");
            number
        })
        .collect();
    // A track has no released contract until the service is released with it.
    let newest = released().pop().unwrap().0;
    assert!(compared.last().is_none_or(|last| *last == newest), "{compared:?}");
}

#[test]
fn a_released_contract_lies_in_the_folder_of_its_number_and_is_never_edited() {
    // A number more is a line more; a line that has to change is an edited release.
    let digests = [("0.1.0", "2f6a48ecbc91f25704ca68a37bcecc14aec775e6eaa80485fe887fc57c474842")];
    let found: Vec<(String, String)> = released()
        .into_iter()
        .map(|(number, text)| {
            assert_eq!(version(&text), number);
            (number, openmcp_dns_policy::digest(text.as_bytes()))
        })
        .collect();
    assert_eq!(found, digests.map(|(number, digest)| (number.to_owned(), digest.to_owned())));
}

#[test]
fn the_check_finds_every_change_that_breaks_a_module() {
    for (what, from, to) in [
        ("a field more", "targets: list<string>,", "targets: list<string>, generation: u64,"),
        ("a field less", "    configuration: string,\n", ""),
        ("another type", "ttl-seconds: u32", "ttl-seconds: u64"),
        ("another name of a field", "ttl-seconds: u32", "ttl: u32"),
        ("a case more", "deny(denial),", "deny(denial), postpone(string),"),
        ("a case less", "    allow,\n", ""),
        ("an enum's case more", "    srv,\n", "    srv, https,\n"),
        (
            "a function more",
            "describe: func() -> description;",
            "describe: func() -> description; more: func();",
        ),
        ("a parameter more", "func(context: context) ->", "func(context: context, more: string) ->"),
        ("another name of a function", "describe: func()", "introduce: func()"),
    ] {
        assert!(CONTRACT.contains(from), "{what}");
        let changed = CONTRACT.replace(from, to);
        assert!(breaks(CONTRACT, &changed).is_some(), "{what} was not found");
    }
}

#[test]
fn the_check_lets_pass_what_breaks_no_module() {
    for (what, from, to) in [
        ("nothing", "", ""),
        ("a comment", "/// The cluster that asks.", "/// Who asks."),
        (
            "a function that is no longer asked",
            "  @since(version = 0.2.0)\n  describe: func() -> description;\n",
            "",
        ),
    ] {
        assert_eq!(breaks(CONTRACT, &CONTRACT.replace(from, to)), None, "{what}");
    }
}
