//! Report: status and Events, for people.

pub mod cluster_dns;
pub mod dns_policy;
pub mod dns_service_config;
mod event_series;
pub mod events;
pub mod statuses;
