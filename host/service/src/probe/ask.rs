//! Asks one DNS server one question.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::DnsHandle as _;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{DnsRequestOptions, Query};
use hickory_resolver::proto::rr::RecordType;
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};
use openmcp_dns_core::expectation::Answer;
use thiserror::Error;

use super::message::{complete, failure, read};

/// How long one attempt may take. Longer than CoreDNS needs without etcd (5 s would be), short
/// enough for a person who waits.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Aliases that are followed, one after the other: as many as CoreDNS follows (`plugin/backend_lookup.go`).
const MAX_ALIASES: usize = 8;

/// Asks one DNS server: over UDP, and over TCP when the answer does not fit.
///
/// What the server answers is given as it is. A resolver would ask on for the target of a CNAME where
/// the answer has no address of it, and an authoritative server refuses names that are not its own.
#[derive(Clone)]
pub struct Asker {
    connections: NameServerPool<TokioRuntimeProvider>,
}

/// Why a server cannot be asked at all.
#[derive(Debug, Error)]
#[error("unable to prepare questions to DNS server {server}")]
pub struct AskerError {
    server: SocketAddr,
    source: NetError,
}

impl Asker {
    /// Prepares questions to one server.
    ///
    /// # Errors
    /// When the connections cannot be prepared.
    pub fn new(server: SocketAddr) -> Result<Self, AskerError> {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = server.port();
            connection
        });
        let name_server = NameServerConfig::new(server.ip(), true, connections.to_vec());
        let mut options = ResolverOpts::default();
        options.timeout = TIMEOUT;
        let tls = TlsConfig::new().map_err(|source| AskerError { server, source })?;
        let context = Arc::new(PoolContext::new(options, tls));
        let connections =
            NameServerPool::from_config([name_server], context, TokioRuntimeProvider::default());
        Ok(Self { connections })
    }

    /// Asks one question, and where the answer is an alias without an address, what becomes of the alias.
    ///
    /// The server knows the end of an alias within its own zones only, and says nothing of the others: what it
    /// refuses to be asked for is no fault.
    pub async fn ask_through(&self, name: &str, record_type: RecordType) -> Answer {
        let answer = self.ask(name, record_type).await;
        match answer {
            Answer::Records { values, cnames }
                if values.is_empty() && matches!(record_type, RecordType::A | RecordType::AAAA) =>
            {
                if self.leads_nowhere(name, &cnames).await {
                    Answer::LeadsNowhere { cnames }
                } else {
                    Answer::Records { values, cnames }
                }
            }
            other => other,
        }
    }

    /// Whether the server says that no address stands at the end of aliases, or that they go round in a circle.
    async fn leads_nowhere(&self, name: &str, cnames: &BTreeSet<String>) -> bool {
        let mut seen = BTreeSet::from([name.to_owned()]);
        let mut next = cnames.clone();
        while let Some(target) = next.iter().find(|target| !seen.contains(*target)).cloned() {
            if seen.len() > MAX_ALIASES {
                return true;
            }
            next.clear();
            for record_type in [RecordType::A, RecordType::AAAA] {
                match self.ask(&target, record_type).await {
                    Answer::Records { values, cnames } if values.is_empty() => next.extend(cnames),
                    Answer::NoSuchName | Answer::NoData => {}
                    // An address, or a name of which this server does not speak.
                    _ => return false,
                }
            }
            seen.insert(target);
        }
        true
    }

    /// Asks one question.
    pub async fn ask(&self, name: &str, record_type: RecordType) -> Answer {
        let name = match complete(name) {
            Ok(name) => name,
            Err(why) => return Answer::Silence(why),
        };
        let query = Query::query(name, record_type);
        match self.connections.lookup(query, DnsRequestOptions::default()).next().await {
            None => Answer::Silence("the connection was closed".to_owned()),
            Some(Ok(response)) => read(&response, record_type),
            Some(Err(NetError::Dns(DnsError::NoRecordsFound(none)))) => failure(none.response_code),
            Some(Err(NetError::Dns(DnsError::ResponseCode(code)))) => failure(code),
            Some(Err(error)) => Answer::Silence(error.to_string()),
        }
    }
}

/// A type of the records that this service publishes, as questions have it.
#[must_use]
pub const fn wire_type(record_type: openmcp_dns_core::record::RecordType) -> RecordType {
    use openmcp_dns_core::record::RecordType as Published;
    match record_type {
        Published::A => RecordType::A,
        Published::Aaaa => RecordType::AAAA,
        Published::Cname => RecordType::CNAME,
        Published::Txt => RecordType::TXT,
        Published::Srv => RecordType::SRV,
        Published::Ptr => RecordType::PTR,
    }
}
