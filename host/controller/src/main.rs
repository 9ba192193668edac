//! `openmcp-dns` makes every host name of an openMCP landscape resolvable on every cluster of it.
//!
//! ```text
//! API servers ──observe──► record ──► store ──► central DNS ◄──forward── each cluster's DNS
//!                            │ asks                  ▲
//!                            ▼                       └── probe
//!                       policy module
//! ```
//! A folder is one duty of the service: `landscape` knows the clusters and policies, `observe`
//! watches their objects, `record` decides and writes, `forward` and `annotate` configure the
//! clusters, `probe` asks real questions, `report` tells people. `registry` and `remote` fetch policy
//! modules. `run` wires them, `demo` does so for a folder of manifests, and `cli` holds the commands.

#![allow(unreachable_pub, reason = "a binary has no outside; here `pub` says what a module offers to others")]

mod address;
mod annotate;
mod api;
mod cli;
mod demo;
mod forward;
mod landscape;
mod measured;
mod metrics;
mod observe;
mod probe;
mod record;
mod registry;
mod remote;
mod report;
mod run;
mod serve;
mod watch;

fn main() -> std::process::ExitCode {
    cli::main()
}
