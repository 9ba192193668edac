//! `plan` as people run it: the example landscape and a changed copy.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;

use support::{copy_of_the_example, document, example, ingress, run};

#[test]
fn a_change_is_shown_to_people_programs_and_reviewers() {
    let after = copy_of_the_example();
    fs::write(after.path().join("workload01/new.yaml"), ingress("new.workload01.openmcp.cluster")).unwrap();
    let shop = after.path().join("workload02/shop.yaml");
    let text = fs::read_to_string(&shop).unwrap();
    fs::write(&shop, text.replace("lb-4711.", "lb-4712.")).unwrap();
    fs::write(after.path().join("workload02/more.yaml"), ingress("new.workload01.openmcp.cluster")).unwrap();
    fs::remove_file(after.path().join("platform/portal.yaml")).unwrap();
    let folder = after.path().to_str().unwrap();
    let mut all = String::new();
    for format in ["text", "markdown"] {
        let done = run(&["plan", example(), folder, "--output", format]);
        assert_eq!(done.code, 1, "{done:?}");
        all.push_str(&format!("$ plan --output {format}\n{}\n", done.stdout));
    }
    insta::assert_snapshot!(all);
    let done = run(&["plan", example(), folder, "--output", "json"]);
    let plan = document("plan", &done.stdout);
    assert_eq!(plan["names"].as_array().unwrap().len(), 3, "{plan:#}");
    assert_eq!(plan["notPublished"][0]["code"], "outside-domain");
}

#[test]
fn nothing_ends_with_0_and_what_is_not_known_with_2() {
    let done = run(&["plan", example(), example()]);
    assert_eq!((done.code, done.stdout.as_str()), (0, "nothing would change\n"), "{done:?}");
    let broken = copy_of_the_example();
    fs::write(broken.path().join("workload02/broken.yaml"), "kind: [").unwrap();
    let done = run(&["plan", example(), broken.path().to_str().unwrap()]);
    assert!(done.code == 2 && done.stderr.contains("broken.yaml:1"), "{done:?}");
    let done = run(&["plan", example(), "/does/not/exist"]);
    assert_eq!(done.code, 2, "{done:?}");
}
