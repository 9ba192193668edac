//! Histories of recording, told step by step.

mod agents;
mod clusters;
mod counting;
mod decisions;
mod findings;
mod history;
mod look;
mod policies;
mod reports;
mod reverse;
mod routes;
mod rules;
mod service;
mod store;
mod world;

use std::time::Duration;

use super::{NoDomain, Report, Role};
use rules::{HOLD, Rules, SHARED, ZONE, id, ingress, routed};
use world::World;

const MANY: [&str; 10] = ["a", "b", "c", "d", "e", "evil-1", "evil-2", "evil-3", "evil-4", "evil-5"];

/// A world in which cluster w1 has published names under a policy that allows all.
fn published(names: &[&str]) -> World {
    let mut world = World::new();
    world.govern("w1", &Rules::default());
    world.list_named("w1", names);
    world.rest();
    let summary = world.summary("w1");
    assert_eq!((summary.published, summary.pending), (names.len(), 0));
    assert_eq!(world.names().len(), names.len());
    world.reports.clear();
    world
}
