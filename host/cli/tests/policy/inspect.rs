//! `policy inspect`: what a module is, and the reason of a refusal.

use crate::{DENY_PREFIX, bad_modules, policy, text};

#[test]
fn inspect_says_what_a_module_is_and_what_it_was_built_from() {
    let done = policy(&["inspect", "standard", "--output", "json"]);
    assert_eq!(done.code, 0, "{done:?}");
    let report = done.document("policy-inspect");
    assert_eq!(report["name"], "standard");
    assert_eq!(report["contractVersions"][0], "0.2.0");
    assert_eq!(report["imports"].as_array().unwrap().len(), 0);
    assert_eq!(report["admitted"], true);
    assert_eq!(report["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(report["annotations"]["openmcp:source-sha256"].as_str().unwrap().len(), 64);
    let done = policy(&["inspect", DENY_PREFIX]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains("\nadmitted      yes\n"), "{done:?}");
}

#[test]
fn inspect_names_the_reason_of_a_refusal_and_the_next_step() {
    let (_folder, bad) = bad_modules();
    for (file, why) in bad {
        let done = policy(&["inspect", text(&file)]);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.stdout.contains("\nadmitted      no, "), "{done:?}");
        assert!(done.stdout.contains(why) && done.stdout.contains("\nnext step "), "{why}: {done:?}");
        let report = policy(&["inspect", text(&file), "--output", "json"]).document("policy-inspect");
        assert_eq!(report["admitted"], false);
        assert!(report["message"].as_str().unwrap().contains(why), "{report}");
    }
    let done = policy(&["inspect", DENY_PREFIX, "--config", "{\"prefix\": \"a\"}"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("ConfigurationRefused"), "{done:?}");
}
