//! What the openMCP operator passes to a platform service.
//!
//! ```text
//! Job:         init --environment=E --verbosity=INFO --provider-name=N
//! Deployment:  run  --environment=E --verbosity=INFO --provider-name=N --metrics-bind-address=:8080 --metrics-secure=false
//! ```
//! (openmcp-operator, `internal/controllers/provider/install/deployment.go`.) A flag that a later operator adds must not
//! keep the service from running: see [`parse`].

use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use clap::Parser;
use clap::builder::BoolishValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use openmcp_dns_core::deployment::MANAGER;
use openmcp_dns_service::inventory::{AccessRequestInventory, Insecure, Inventory};

use super::platform::PlatformArgs;

/// Who the operator says that we are.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "As a platform service of openMCP")]
pub struct ProviderArgs {
    /// Name of the PlatformService that stands for this; the DNSServiceConfig of the same name counts. With it, a flag that
    /// is not known is a warning
    #[arg(long, value_name = "NAME")]
    pub provider_name: Option<String>,

    /// What the operator calls the landscape; for the log
    #[arg(long, value_name = "NAME")]
    pub environment: Option<String>,

    /// How much is logged; RUST_LOG says it more finely
    #[arg(long, value_enum, value_name = "LEVEL", ignore_case = true)]
    pub verbosity: Option<Verbosity>,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Verbosity {
    /// What fails for good
    Error,
    /// What is done, too
    Info,
    /// Every step, too
    Debug,
}

impl Verbosity {
    /// As `RUST_LOG` would say it.
    pub const fn filter(self) -> &'static str {
        match self {
            Self::Error => "error,kube_client=off",
            Self::Info => "warn,openmcp_dns=info,kube_client=off",
            Self::Debug => "warn,openmcp_dns=debug,kube_client=off",
        }
    }
}

/// How metrics are served, besides where.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "As a platform service of openMCP")]
pub struct MetricsArgs {
    /// Metrics are served without TLS; what else is asked for here is a warning
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        value_parser = BoolishValueParser::new())]
    metrics_secure: Option<bool>,
}

impl MetricsArgs {
    /// Says what is done otherwise.
    pub fn warn(&self) {
        if self.metrics_secure == Some(true) {
            tracing::warn!("--metrics-secure: metrics are served without TLS all the same");
        }
    }
}

/// How the service gets into clusters for which nobody gives it a kubeconfig.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "As a platform service of openMCP")]
pub struct AccessArgs {
    /// Ask for access to clusters by AccessRequests, with the rights in deploy/cluster-access.yaml, where no Secret has a
    /// kubeconfig [default: with --provider-name]
    #[arg(long, env = "OPENMCP_DNS_ACCESS_REQUESTS", value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = BoolishValueParser::new())]
    access_requests: Option<bool>,
}

impl AccessArgs {
    /// How to get into the clusters.
    pub fn inventory(
        &self,
        platform_args: &PlatformArgs,
        platform: &kube::Client,
        provider_name: Option<&str>,
    ) -> Arc<dyn Inventory> {
        let given = platform_args.inventory(platform);
        if !self.access_requests.unwrap_or(provider_name.is_some()) {
            return Arc::new(given);
        }
        let insecure = Insecure::allowed_if(platform_args.allow_insecure_kubeconfigs);
        let name = provider_name.unwrap_or(MANAGER);
        Arc::new(AccessRequestInventory::new(platform.clone(), name, given, insecure))
    }
}

/// Reads a command line. Where the operator has written it, flags that nobody knows are left out; gives which.
///
/// # Errors
/// When it is not understood.
pub fn parse<C: Parser>(mut words: Vec<OsString>) -> Result<(C, Vec<String>), clap::Error> {
    let is_of_operator = words.iter().any(|word| starts_with(word, "--provider-name"));
    let mut left_out = Vec::new();
    loop {
        match C::try_parse_from(&words) {
            Err(error) if is_of_operator && error.kind() == ErrorKind::UnknownArgument => {
                let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else {
                    return Err(error);
                };
                let Some(at) = words.iter().position(|word| is_flag(word, flag)) else { return Err(error) };
                left_out.push(words.remove(at).to_string_lossy().into_owned());
            }
            read => return read.map(|read| (read, left_out)),
        }
    }
}

fn starts_with(word: &OsStr, prefix: &str) -> bool {
    word.as_encoded_bytes().starts_with(prefix.as_bytes())
}

/// `--NAME` or `--NAME=VALUE`, as the operator writes them; of a letter, all that is joined with it.
fn is_flag(word: &OsStr, flag: &str) -> bool {
    let rest = word.as_encoded_bytes().strip_prefix(flag.as_bytes());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"=") || !flag.starts_with("--"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[derive(Parser, Debug)]
    struct Program {
        #[command(flatten)]
        provider: ProviderArgs,
        #[command(flatten)]
        metrics: MetricsArgs,
    }

    fn read(line: &str) -> Result<(Program, Vec<String>), clap::Error> {
        parse(std::iter::once("program").chain(line.split_whitespace()).map(OsString::from).collect())
    }

    #[test]
    fn what_the_operator_passes_is_understood() {
        let (program, left_out) =
            read("--environment=dev --verbosity=INFO --provider-name=dns --metrics-secure=false").unwrap();
        assert_eq!(program.provider.provider_name.as_deref(), Some("dns"));
        assert_eq!(program.provider.verbosity, Some(Verbosity::Info));
        assert_eq!(program.metrics.metrics_secure, Some(false));
        assert!(left_out.is_empty());
        for verbosity in ["debug", "DEBUG", "Error"] {
            assert!(read(&format!("--provider-name=dns --verbosity={verbosity}")).is_ok(), "{verbosity}");
        }
        assert!(read("--provider-name=dns --metrics-secure").is_ok());
    }

    #[test]
    fn a_flag_that_nobody_knows_is_left_out_where_the_operator_wrote_it() {
        let (_, left_out) = read("--new-flag=1 --provider-name=dns --another -x").unwrap();
        assert_eq!(left_out, ["--new-flag=1", "--another", "-x"]);
        assert_eq!(read("--new-flag").unwrap_err().kind(), ErrorKind::UnknownArgument);
        // A value that is wrong is no flag that is unknown.
        assert!(read("--provider-name=dns --verbosity=LOUD").is_err());
    }
}
