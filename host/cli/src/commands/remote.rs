//! How registries and web servers with policy modules are reached, as options of the commands that do.

use openmcp_dns_modules::remote::UntrustedHttp;

/// How registries and web servers are reached.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Policy modules")]
pub struct RemoteArgs {
    /// Allow plain http to this registry or web server, host or host:port, for sources that ask for it.
    /// Repeat it for several. Whoever sits on the way sees the credentials
    #[arg(long, env = "OPENMCP_DNS_INSECURE_REGISTRY", value_name = "HOST", value_delimiter = ',')]
    insecure_registry: Vec<String>,
}

impl RemoteArgs {
    /// The hosts that may be reached over plain http.
    pub fn untrusted_http(self) -> UntrustedHttp {
        UntrustedHttp::new(self.insecure_registry)
    }
}
