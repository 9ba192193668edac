//! Which of several replicas leads.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt as _};
use openmcp_dns_core::chain;
use openmcp_dns_core::leadership::{LeaderKey, Timing};
use openmcp_dns_service::leadership::{Elector, LEASE, Leadership, LeaseName, elect};

/// Its uid tells platform clusters apart.
const WELL_KNOWN: &str = "kube-system";

/// How long to wait before the platform's API server is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// Which of several replicas leads.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Replicas")]
pub struct LeaderArgs {
    /// Stand for election by the Lease `openmcp-dns` in the namespace of --namespace: one replica writes, the others
    /// stand by. By default inside of a cluster. Without it, the one that was started last writes to etcd, and one
    /// that was started before ends
    #[arg(long, env = "OPENMCP_DNS_LEADER_ELECT", value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true")]
    leader_elect: Option<bool>,

    /// For how long a leader that is gone keeps the others out, in seconds. A leader that does not reach the API
    /// server for four fifths of it ends
    #[arg(long, env = "OPENMCP_DNS_LEASE_SECONDS", value_name = "SECONDS", default_value_t = 2,
        value_parser = clap::value_parser!(u32).range(1..=60))]
    lease_seconds: u32,
}

impl LeaderArgs {
    /// Stands for election from now on, where `in_cluster` or the arguments say so.
    pub fn leadership(&self, platform: &kube::Client, namespace: &str, in_cluster: bool) -> Leadership {
        let Self { leader_elect, lease_seconds } = self;
        let host = std::env::var("POD_NAME").or_else(|_| std::env::var("HOSTNAME"));
        let host = host.unwrap_or_else(|_| "openmcp-dns".to_owned());
        let identity = format!("{host}_{:016x}", fastrand::u64(..));
        if !leader_elect.unwrap_or(in_cluster) {
            return Leadership::alone(identity);
        }
        let lease = LeaseName { namespace: namespace.to_owned(), name: LEASE.to_owned() };
        let timing = Timing::of(Duration::from_secs(u64::from(*lease_seconds)));
        let (leadership, elector) = elect(platform.clone(), lease, identity, timing);
        tokio::spawn(Elector::run(elector));
        leadership
    }
}

/// Where the store has who leads in this landscape. Waits for the platform's API server, with which nothing is known.
pub async fn leader_key(platform: &kube::Client) -> LeaderKey {
    let namespaces: Api<Namespace> = Api::all(platform.clone());
    let mut told = None;
    loop {
        let trouble = match namespaces.get(WELL_KNOWN).await {
            Ok(namespace) => match namespace.uid() {
                Some(uid) => return LeaderKey::of_platform(&uid),
                None => format!("the namespace {WELL_KNOWN} has no uid"),
            },
            Err(error) => chain(&error),
        };
        if told.as_ref() != Some(&trouble) {
            tracing::warn!(
                error = trouble,
                "unable to see which platform cluster this is, and waiting for it"
            );
        }
        told = Some(trouble);
        tokio::time::sleep(RETRY).await;
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        leader: LeaderArgs,
    }

    fn leader_elect(arguments: &[&str]) -> Option<bool> {
        let arguments = ["run"].iter().chain(arguments);
        Command::parse_from(arguments).leader.leader_elect
    }

    #[test]
    fn election_is_asked_for_as_go_providers_are_asked_for_it() {
        assert_eq!(leader_elect(&[]), None);
        assert_eq!(leader_elect(&["--leader-elect"]), Some(true));
        assert_eq!(leader_elect(&["--leader-elect=true"]), Some(true));
        assert_eq!(leader_elect(&["--leader-elect=false"]), Some(false));
    }
}
