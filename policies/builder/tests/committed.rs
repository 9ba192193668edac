//! The built modules in the repository belong to their sources and decide as their vectors say.

use std::path::{Path, PathBuf};

use openmcp_dns_policy_builder::{check, check_decisions, guests, module_path};

fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn every_committed_module_was_built_from_the_sources_beside_it() {
    let guests = guests(&policies()).unwrap();
    assert_eq!(guests.len(), 2, "{guests:?}");
    for guest in guests {
        if let Err(error) = check(&guest, &module_path(&guest).unwrap()) {
            panic!("{error}");
        }
    }
}

#[test]
fn every_committed_module_decides_as_its_vectors_say() {
    for guest in guests(&policies()).unwrap() {
        let module = std::fs::read(module_path(&guest).unwrap()).unwrap();
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
