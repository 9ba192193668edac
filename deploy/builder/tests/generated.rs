//! What is committed is what would be made.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use openmcp_dns_api::Images;

#[test]
fn what_is_installed_is_made_of_its_source() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (name, text) in openmcp_dns_deploy_builder::generate(&deploy).unwrap() {
        let committed = std::fs::read_to_string(deploy.join(&name)).unwrap_or_default();
        assert!(
            committed == text,
            "deploy/{name} is out of date; run: cargo run -p openmcp-dns-deploy-builder"
        );
    }
}

#[test]
fn the_service_is_installed_in_its_own_version() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = openmcp_dns_deploy_builder::generate(&deploy).unwrap();
    let install = &files["install.yaml"];
    let image = concat!("image: openmcp-dns:", env!("CARGO_PKG_VERSION"), "\n");
    assert!(install.contains(image), "deploy/openmcp-dns.yaml has another image than {image}");
    for image in [Images::CORE_DNS, Images::ETCD] {
        assert!(install.contains(&format!("value: {image}\n")), "deploy/openmcp-dns.yaml lacks {image}");
    }
}
