//! The built modules in the repository belong to their sources and decide as their vectors say.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

use openmcp_dns_policy_builder::{
    BuildError, Language, Purpose, Toolchain, build, check, check_decisions, guests, module_path,
};

fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The guests whose modules are committed.
fn committed() -> Vec<PathBuf> {
    let mut guests = guests(&policies()).unwrap();
    guests.retain(|guest| !Language::of(guest).unwrap().has_runtime());
    guests
}

#[test]
fn every_committed_module_was_built_from_the_sources_beside_it() {
    let guests = committed();
    assert_eq!(guests.len(), 4, "{guests:?}");
    for guest in guests {
        if let Err(error) = check(&guest, &module_path(&guest, Purpose::Deciding).unwrap()) {
            panic!("{error}");
        }
    }
}

#[test]
fn every_committed_module_decides_as_its_vectors_say() {
    for guest in committed() {
        let module = std::fs::read(module_path(&guest, Purpose::Deciding).unwrap()).unwrap();
        let own = check_decisions(&guest, &module).unwrap_or_else(|error| panic!("{error:?}"));
        assert!(own > 30, "{}: {own} vectors", guest.display());
    }
}

#[test]
fn a_module_that_was_built_from_other_sources_is_found_out() {
    let guest = policies().join("standard");
    let other = policies().join("deny-prefix/deny-prefix.wasm");
    let error = check(&guest, &other).unwrap_err().to_string();
    assert!(error.contains("was built from other sources"), "{error}");
}

/// A guest in C with its contract, to be changed.
fn copied_c_guest() -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy(&entry.path(), &target);
            } else {
                std::fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    copy(&policies().join("tenant-guard/src"), &folder.path().join("src"));
    std::fs::create_dir(folder.path().join("wit")).unwrap();
    std::fs::copy(policies().join("../wit/policy.wit"), folder.path().join("wit/policy.wit")).unwrap();
    folder
}

#[test]
fn a_guest_in_c_that_lacks_a_decision_is_not_built() {
    let toolchain = match Toolchain::find(Language::C) {
        Ok(toolchain) => toolchain,
        Err(why) => return eprintln!("skipped a build of a guest in C: {why}"),
    };
    let guest = copied_c_guest();
    assert!(build(guest.path(), &toolchain, Purpose::Deciding, &|_| ()).is_ok());
    let file = guest.path().join("src/decisions.c");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("policy_name_records(", "policy_other(")).unwrap();
    let error = build(guest.path(), &toolchain, Purpose::Deciding, &|_| ()).unwrap_err();
    assert!(matches!(error, BuildError::Compile(_)), "{error:?}");
    assert!(error.to_string().contains("`clang` failed"), "{error}");
}
