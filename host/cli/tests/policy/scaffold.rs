//! `policy scaffold`: what is written, and what is refused.

use crate::{policy, text};

#[test]
fn scaffold_refuses_to_overwrite_and_names_that_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let guest = folder.path().join("my-policy");
    let done = policy(&["scaffold", text(&guest), "--language", "rust"]);
    assert_eq!(done.code, 0, "{done:?}");
    let readme = std::fs::read_to_string(guest.join("README.md")).unwrap();
    assert!(readme.starts_with("# my-policy\n") && readme.contains("my-policy.wasm"), "{readme}");
    let vectors = std::fs::read_to_string(guest.join("vectors/README.md")).unwrap();
    assert!(vectors.contains("hostName: shop.{domain}"), "{vectors}");
    policy(&["scaffold", text(&guest), "--language", "rust"]).gave_up_because("nothing is overwritten");
    let other = folder.path().join("Other Policy");
    policy(&["scaffold", text(&other), "--language", "rust"]).gave_up_because("is no name for a module");
    assert!(!other.exists());
}
