//! Asking DNS servers.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RecordType};

use crate::wait::wait_until;

/// How a question travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One datagram.
    Udp,
    /// A connection.
    Tcp,
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Records of the asked type.
    Records(BTreeSet<String>),
    /// NXDOMAIN.
    NoSuchName,
    /// The name exists, but not with this type.
    NoData,
    /// Anything else, for example SERVFAIL or no answer in time.
    Failure(String),
}

impl Answer {
    /// An answer of exactly these values.
    pub fn of<'v>(values: impl IntoIterator<Item = &'v str>) -> Self {
        Self::Records(values.into_iter().map(ToOwned::to_owned).collect())
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Records(values) => f.write_str(&values.iter().cloned().collect::<Vec<_>>().join(" ")),
            Self::NoSuchName => f.write_str("NXDOMAIN"),
            Self::NoData => f.write_str("NODATA"),
            Self::Failure(why) => f.write_str(why),
        }
    }
}

/// One DNS server as a client sees it.
#[derive(Clone)]
pub struct Dns {
    address: SocketAddr,
    resolver: TokioResolver,
}

impl Dns {
    /// Prepares questions to a server.
    ///
    /// # Errors
    /// When the resolver cannot be made.
    pub fn new(address: SocketAddr, transport: Transport) -> anyhow::Result<Self> {
        let mut connection = match transport {
            Transport::Udp => ConnectionConfig::udp(),
            Transport::Tcp => ConnectionConfig::tcp(),
        };
        connection.port = address.port();
        let server = NameServerConfig::new(address.ip(), true, vec![connection]);
        let mut options = ResolverOpts::default();
        options.timeout = Duration::from_secs(2);
        options.attempts = 1;
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            .with_options(options)
            .build()
            .with_context(|| format!("failed to prepare questions to {address}"))?;
        Ok(Self { address, resolver })
    }

    /// Where the server listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks one question.
    pub async fn ask(&self, name: &str, record_type: RecordType) -> Answer {
        let name = match Name::from_ascii(format!("{name}.")) {
            Ok(name) => name,
            Err(error) => return Answer::Failure(format!("{name} cannot be asked for: {error}")),
        };
        match self.resolver.lookup(name, record_type).await {
            Ok(lookup) => Answer::Records(
                lookup
                    .answers()
                    .iter()
                    .filter(|record| record.record_type() == record_type)
                    .map(|record| record.data.to_string().trim_end_matches('.').to_owned())
                    .collect(),
            ),
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => match none.response_code {
                ResponseCode::NXDomain => Answer::NoSuchName,
                ResponseCode::NoError => Answer::NoData,
                code => Answer::Failure(code.to_string()),
            },
            Err(error) => Answer::Failure(error.to_string()),
        }
    }

    /// Asks for the IPv4 addresses of a name.
    pub async fn a(&self, name: &str) -> Answer {
        self.ask(name, RecordType::A).await
    }

    /// Waits until the server gives exactly this answer to a question for IPv4 addresses.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn wait_a(&self, name: &str, expected: &Answer, timeout: Duration) -> anyhow::Result<()> {
        self.wait(name, RecordType::A, expected, timeout).await
    }

    /// The same for a question of any type.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn wait(
        &self,
        name: &str,
        record_type: RecordType,
        expected: &Answer,
        timeout: Duration,
    ) -> anyhow::Result<()> {
        let what = format!("{} answers {expected} for {record_type} {name}", self.address);
        wait_until(&what, timeout, async || {
            let answer = self.ask(name, record_type).await;
            Ok(if answer == *expected { Ok(()) } else { Err(answer.to_string()) })
        })
        .await
    }
}
