//! What the service does, as people see it: scenarios on Kubernetes API servers in memory.
//!
//! Each of them has a landscape of its own: platform, clusters, store and central DNS server. Nothing is
//! waited for but what is to be seen, so they take as long as the service does.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod agents;
mod annotate;
mod cleanup;
mod clusters;
mod conformance;
mod decisions;
mod details;
mod dns_pods;
mod faulty_store;
mod forward;
mod gate;
mod gateway_service;
mod held;
mod landscape;
mod leaving;
mod names;
mod nodes;
mod objects;
mod observe;
mod open_reports;
mod operations;
mod page;
mod policies;
mod replica;
mod report;
mod reverse;
mod route_status;
mod standby;
mod upgrade;
mod world;
