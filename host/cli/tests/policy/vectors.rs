//! `policy test`: what does not hold is shown beside what was expected.

use crate::{DENY_PREFIX, policy, text};

#[test]
fn test_passes_the_modules_of_this_repository() {
    let done = policy(&["test", "standard", "policies/standard/vectors"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.ends_with(" passed, 0 failed\n"), "{done:?}");
    // The folder beside the module is found.
    let done = policy(&["test", DENY_PREFIX, "--verbose"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains("ok    policies/deny-prefix/vectors/decisions.yaml: "), "{done:?}");
    assert!(done.stdout.contains("ok    contract: "), "{done:?}");
}

#[test]
fn test_shows_what_was_expected_beside_what_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.yaml");
    let vectors = "vectors:\n\
        - name: other records\n  claim: {hostName: \"a.{domain}\"}\n  expect: {records: [a.workload01.openmcp.cluster 61 A 10.0.0.1]}\n\
        - name: another domain\n  expect: {domain: w1.openmcp.cluster}\n\
        - name: one that holds\n";
    std::fs::write(&file, vectors).unwrap();
    let done = policy(&["test", "standard", text(&file)]);
    assert_eq!(done.code, 1, "{done:?}");
    for part in [
        "      - a.workload01.openmcp.cluster 61 A 10.0.0.1\n      + a.workload01.openmcp.cluster 60 A 10.0.0.1\n",
        "      expected domain w1.openmcp.cluster\n      got      domain workload01.openmcp.cluster\n",
        " passed, 2 failed\n",
    ] {
        assert!(done.stdout.contains(part), "{part}: {}", done.stdout);
    }
    let done = policy(&["test", "standard", text(&file), "--output", "json"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert_eq!(done.document("policy-test")["failed"], 2);
}

#[test]
fn vectors_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    policy(&["test", "standard", text(folder.path())]).gave_up_because("there are no vectors in");
    let file = folder.path().join("bad.yaml");
    for (content, why) in [
        ("vectors: [", "bad.yaml"),
        ("vectors: []", "there are no vectors"),
        ("vectors: [{name: a, expects: {}}]", "expects"),
    ] {
        std::fs::write(&file, content).unwrap();
        policy(&["test", "standard", text(folder.path())]).gave_up_because(why);
    }
    policy(&["test", "standard", "/does/not/exist"]).gave_up_because("failed to read the vectors");
}
