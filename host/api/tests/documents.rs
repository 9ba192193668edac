//! What a machine is told has a place where people read what to do about it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use kube::CustomResourceExt as _;
use openmcp_dns_api::ClusterDNS;
use openmcp_dns_api::conditions::{DutyName, Reason};
use openmcp_dns_core::codes;
use openmcp_dns_core::route_status::RouteReason;

/// The words that no row of a table in docs/operations.md is about: they stand in its first cell, as code.
fn missing(words: impl IntoIterator<Item = String>) -> Vec<String> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
    let text = std::fs::read_to_string(file).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    let first_cells: Vec<&str> = rows.filter_map(|row| row.split(" |").next()).collect();
    let is_missing = |word: &String| !first_cells.iter().any(|cell| cell.contains(&format!("`{word}`")));
    words.into_iter().filter(is_missing).collect()
}

#[test]
fn operators_read_what_to_do_about_every_reason_of_a_condition() {
    assert_eq!(missing(Reason::all().map(|reason| reason.to_string())), [""; 0]);
}

#[test]
fn operators_read_what_to_do_about_every_reason_that_a_route_has_in_its_status() {
    let reasons = RouteReason::ALL.iter().map(|reason| reason.as_str().to_owned());
    assert_eq!(missing(reasons), [""; 0]);
}

#[test]
fn operators_read_what_to_do_about_every_code_of_the_host() {
    assert_eq!(missing(codes::ALL.iter().map(ToString::to_string)), [""; 0]);
}

#[test]
fn the_condition_of_every_duty_is_documented_in_the_crd_and_for_operators() {
    let crd = serde_json::to_value(ClusterDNS::crd()).unwrap();
    let schema =
        "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/conditions/description";
    let description = crd.pointer(schema).and_then(|text| text.as_str()).unwrap();
    for name in DutyName::ALL.map(DutyName::as_str) {
        assert!(description.contains(name), "{name}: {description}");
    }
    assert_eq!(missing(DutyName::ALL.map(|name| name.as_str().to_owned())), [""; 0]);
}
