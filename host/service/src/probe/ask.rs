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
use hickory_resolver::proto::op::{DnsRequestOptions, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};
use openmcp_dns_core::expectation::Answer;
use thiserror::Error;

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
        // A trailing dot: the name is complete, nothing is appended to it.
        let name = match Name::from_ascii(format!("{}.", name.trim_end_matches('.'))) {
            Ok(name) => name,
            Err(error) => return Answer::Silence(format!("{name:?} cannot be asked for: {error}")),
        };
        let query = Query::query(name, record_type);
        match self.connections.lookup(query, DnsRequestOptions::default()).next().await {
            None => Answer::Silence("the connection was closed".to_owned()),
            Some(Ok(response)) => {
                let mut values = BTreeSet::new();
                let mut cnames = BTreeSet::new();
                for record in &response.answers {
                    match &record.data {
                        RData::CNAME(target) if record_type != RecordType::CNAME => {
                            cnames.insert(undotted(&target.0));
                        }
                        data if record.record_type() == record_type => {
                            values.insert(text(data));
                        }
                        _ => {}
                    }
                }
                Answer::Records { values, cnames }
            }
            Some(Err(NetError::Dns(DnsError::NoRecordsFound(none)))) => match none.response_code {
                ResponseCode::NXDomain => Answer::NoSuchName,
                ResponseCode::NoError => Answer::NoData,
                code => Answer::Failure(mnemonic(code)),
            },
            Some(Err(NetError::Dns(DnsError::ResponseCode(code)))) => Answer::Failure(mnemonic(code)),
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
    }
}

/// Codes as `dig` shows them.
fn mnemonic(code: ResponseCode) -> String {
    match code {
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        other => other.to_string(),
    }
}

/// A value in the form in which record values are shown everywhere else.
fn text(data: &RData) -> String {
    match data {
        RData::CNAME(target) => undotted(&target.0),
        RData::TXT(txt) => {
            let bytes: Vec<u8> = txt.txt_data.iter().flat_map(|part| part.iter().copied()).collect();
            format!("{:?}", String::from_utf8_lossy(&bytes))
        }
        other => other.to_string(),
    }
}

fn undotted(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}
