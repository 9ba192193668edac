//! A landscape of real servers for tests and measurements.
//!
//! ```text
//! Landscape
//!  ├── platform, workload01, workload02: Cluster
//!  │    ├── ApiServer  kube-apiserver, with an etcd of its own
//!  │    └── ClusterDns CoreDNS, which reads what the cluster's ConfigMap kube-system/coredns says
//!  ├── store   etcd, holds the records
//!  └── central CoreDNS with the etcd plugin, answers from the store
//! Service     `openmcp-dns run` against all of it
//! Browser     Chromium without a window, for the live page
//! Agent       external-dns in a cluster, which records through the gate
//! Registry    docker-registry, with Faults in front of it
//! TwoClusters two ApiServers and an etcd, with a Gate in front of them that sees every write
//! ```
//!
//! Every server listens on a free port of 127.0.0.1 and ends with the test, also with one that is
//! killed ([`process`]). Everything is waited for by a condition ([`wait`]). The servers are built
//! by `scripts/setup test`. What controllers of a real cluster would do, the tests do: they patch
//! the status of Gateways and routes ([`kinds`]).

pub mod agent;
pub mod api_server;
pub mod audit;
pub mod browser;
pub mod certificates;
pub mod cluster_dns;
pub mod conditions;
pub mod coredns;
pub mod dns;
pub mod etcd;
pub mod faults;
pub mod http;
pub mod kinds;
pub mod landscape;
pub mod manifests;
pub mod measure;
pub mod openmcp;
pub mod ports;
pub mod process;
pub mod programs;
pub mod proxy;
pub mod registry;
pub mod service;
pub mod steps;
pub mod two_clusters;
pub mod wait;
pub mod way;
