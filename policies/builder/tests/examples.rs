//! The examples whose modules are not committed, since they bring the runtime of their language along: they
//! are built where their tools are, once for each state of their sources, and decide as their vectors say.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

use openmcp_dns_policy_builder::{
    BuildError, CompileError, Language, Purpose, Toolchain, build, check, check_decisions, module_path,
};

/// The module of an example; `None`, with a line that says why, where it cannot be built.
fn built(name: &str) -> Option<(PathBuf, Vec<u8>)> {
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    let path = module_path(&guest, Purpose::Deciding).unwrap();
    if let Ok((module, _)) = check(&guest, &path) {
        return Some((guest, module));
    }
    let toolchain = match Toolchain::find(Language::of(&guest).unwrap()) {
        Ok(toolchain) => toolchain,
        Err(why) => {
            eprintln!("skipped the example {name}: {why}");
            return None;
        }
    };
    match build(&guest, &toolchain, Purpose::Deciding, &|step| eprintln!("{name}: {step}")) {
        Ok(module) => {
            std::fs::write(path, &module).unwrap();
            Some((guest, module))
        }
        Err(BuildError::Compile(why @ CompileError::NotInstalled { .. })) => {
            eprintln!("skipped the example {name}: {why}");
            None
        }
        Err(error) => panic!("{name}: {error:?}"),
    }
}

fn decides_as_its_vectors_say(name: &str) {
    let Some((guest, module)) = built(name) else { return };
    let count = check_decisions(&guest, &module).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    // Those of the contract, and some of its own.
    assert!(count > 45, "{name}: {count} vectors");
}

#[test]
fn the_example_in_javascript_decides_as_its_vectors_say() {
    decides_as_its_vectors_say("geo-label");
}

#[test]
fn the_example_in_python_decides_as_its_vectors_say() {
    decides_as_its_vectors_say("name-pattern");
}
