//! Report: status and Events, for people.

pub mod cluster_dns;
pub mod dns_policy;
mod event_series;
pub mod events;
pub mod statuses;
