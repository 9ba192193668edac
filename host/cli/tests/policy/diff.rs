//! `policy diff`: what another module or configuration would change.

use crate::{policy, text};

#[test]
fn diff_shows_which_names_and_domains_another_module_or_configuration_changes() {
    let landscape = "examples/landscape";
    let done = policy(&["diff", "standard", "standard", landscape]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains(" decided the same; 3 clusters, 0 with another domain"), "{done:?}");

    let done = policy(&["diff", "standard", "standard", landscape, "--config", "{\"ttlSeconds\": 30}"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains(" 30 A ") && done.stdout.contains("other records"), "{done:?}");
    let same = ["--config", "{\"ttlSeconds\": 30}", "--old-config", "{\"ttlSeconds\": 30}"];
    let done = policy(&[&["diff", "standard", "standard", landscape], &same[..]].concat());
    assert_eq!(done.code, 0, "{done:?}");

    let config = "{\"domainTemplate\": \"{cluster}.{namespace}.{base}\"}";
    let done = policy(&["diff", "standard", "standard", landscape, "--config", config, "--output", "json"]);
    assert_eq!(done.code, 1, "{done:?}");
    let report = done.document("policy-diff");
    assert_eq!(report["domains"].as_array().unwrap().len(), 3);
    assert_eq!(report["domains"][0]["new"], "platform.openmcp-system.openmcp.cluster");
    assert!(report["counts"]["newly denied"].as_u64().unwrap() > 0, "{report}");
    // The other way round the same names are newly allowed.
    let back =
        policy(&["diff", "standard", "standard", landscape, "--old-config", config, "--output", "json"])
            .document("policy-diff");
    assert_eq!(back["counts"]["newly allowed"], report["counts"]["newly denied"]);

    // One domain for all: it belongs to the oldest cluster, and the others get none.
    let shared = "{\"domainTemplate\": \"{base}\"}";
    let done = policy(&["diff", "standard", "standard", landscape, "--config", shared]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(
        done.stdout.contains("+ none: domain openmcp.cluster overlaps with that of the older cluster"),
        "{done:?}"
    );
}

#[test]
fn diff_compares_nothing_when_a_part_of_the_landscape_cannot_be_read() {
    policy(&["diff", "standard", "standard", "/does/not/exist"])
        .gave_up_because("failed to read the landscape");
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("platform")).unwrap();
    policy(&["diff", "standard", "standard", text(folder.path())]).gave_up_because("there is no Cluster");
    std::fs::write(folder.path().join("platform/a.yaml"), "kind: [").unwrap();
    policy(&["diff", "standard", "standard", text(folder.path())]).gave_up_because("a.yaml:1");
}

#[test]
fn diff_takes_the_active_module_from_a_running_landscape_only() {
    policy(&["diff", "active", "standard", "examples/landscape"]).gave_up_because("--kubeconfig");
    for (further, expected) in [
        (&[][..], "<FOLDER>"),
        (&["examples/landscape", "--kubeconfig", "platform.yaml"], "cannot be used with"),
        (&["examples/landscape", "--policy", "landscape"], "cannot be used with"),
    ] {
        let done = policy(&[&["diff", "standard", "standard"], further].concat());
        assert!(done.code == 2 && done.stderr.contains(expected), "{done:?}");
    }
}
