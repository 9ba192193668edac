//! The example landscape, read from its folder.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use openmcp_dns_core::kinds::Watched;
use openmcp_dns_landscape::folder::{self, Files, Kind, Object, scan};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/landscape");

#[test]
fn the_example_is_a_landscape_without_problems() {
    let landscape = folder::read(Path::new(EXAMPLE)).unwrap();
    assert_eq!(landscape.problems.len(), 0, "{:?}", landscape.problems);
    assert_eq!(landscape.clusters.len(), 3);
    assert!(landscape.clusters.iter().any(|member| !member.objects.as_ref().unwrap().sources().is_empty()));
}

#[test]
fn an_object_as_it_stands_is_read_as_the_same_type_as_its_text() {
    let mut files = Files::default();
    files.update(scan(Path::new(EXAMPLE)).unwrap());
    assert!(files.raw().count() >= files.objects().len() && files.objects().len() > 3);
    for ((_, id), placed) in files.objects() {
        let value = placed.manifest.raw.object();
        let read = match id.kind {
            Kind::Cluster => Object::Cluster(serde_json::from_value(value).unwrap()),
            Kind::DnsPolicy => Object::Policy(serde_json::from_value(value).unwrap()),
            Kind::GatewayServiceConfig => Object::Gateways(serde_json::from_value(value).unwrap()),
            Kind::Watched(kind) => Object::Watched(Watched::from_json(kind, value).unwrap()),
        };
        assert_eq!(read, placed.manifest.object, "{id}");
    }
}
