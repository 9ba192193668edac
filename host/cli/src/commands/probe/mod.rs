//! `openmcp-dns probe`: real DNS questions, and whether the answers are right.

mod expected;
mod question;
pub(super) mod servers;
pub(super) mod show;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures::future::join_all;
use hickory_resolver::proto::rr::{Name, RecordType};

use crate::terminal::ending::or_code;
use crate::terminal::hint::hinted;
use crate::terminal::output::{OutputFormat, json, print};
use expected::{Expected, Recorded, Source};
use openmcp_dns_service::address::parse_server;
use openmcp_dns_service::probe::{Answer, Asker, Verdict};
use question::{Question, questions};
use servers::Asked;

/// Questions under way at once: enough to be quick, few enough that no answer is lost to a full buffer.
const CONCURRENCY: usize = 16;

/// What the exit code says when not everything could be asked.
const COULD_NOT_ASK: u8 = 2;

/// Asks DNS servers for names, and says whether they answer as they should.
///
/// What a server should answer is, in this order: what --expect says; what is recorded in etcd, with
/// --etcd; what the first server answers, if there are several; else any record at all.
///
/// Each question is asked over UDP, and over TCP when the answer does not fit.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when every answer is as expected, 1 when one is not, 2 when something could not be asked.

Examples:
  openmcp-dns probe svc-abc123.workload01.openmcp.cluster --server 172.18.200.53
  openmcp-dns probe svc-abc123.workload01.openmcp.cluster --server '[::1]:5353' --expect 172.18.201.1
  openmcp-dns probe svc-abc123.workload01.openmcp.cluster --all --etcd http://127.0.0.1:2379
  openmcp-dns probe gone.workload01.openmcp.cluster --server 127.0.0.1 --expect NXDOMAIN --output json")]
pub struct ProbeArgs {
    /// The names to ask for
    #[arg(value_name = "NAME", required = true, value_parser = parse_name)]
    names: Vec<String>,

    /// A DNS server: IP or IP:port, default port 53; several are possible, the first is the central one
    #[arg(
        long = "server",
        env = "OPENMCP_DNS_SERVER",
        value_name = "ADDRESS",
        value_delimiter = ',',
        value_parser = parse_server
    )]
    servers: Vec<SocketAddr>,

    /// The record type: A, AAAA, CNAME, TXT, SOA, ... [default: what --expect or --etcd call for, else A]
    #[arg(long = "type", value_name = "TYPE", value_parser = parse_type)]
    record_type: Option<RecordType>,

    /// A value that must be answered, and no other; several are possible. NXDOMAIN: the name must not
    /// exist; NODATA: it must exist without such a record
    #[arg(long = "expect", value_name = "VALUE", allow_hyphen_values = true)]
    expected: Vec<String>,

    /// Endpoints of the etcd that holds the records; what stands there must be answered
    #[arg(long, env = "OPENMCP_DNS_ETCD", value_name = "URL", value_delimiter = ',')]
    etcd: Vec<String>,

    #[command(flatten)]
    etcd_options: super::etcd::EtcdOptions,

    /// Also ask each cluster's own DNS, whose address stands in its ClusterDNS on the platform cluster
    #[arg(long)]
    all: bool,

    /// Kubeconfig of the platform cluster, for --all [default: the pod's service account, KUBECONFIG,
    /// or ~/.kube/config]
    #[arg(long, value_name = "FILE", requires = "all")]
    kubeconfig: Option<PathBuf>,

    /// `text` for people, `json` for programs
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    output: OutputFormat,
}

/// One question to one server, and how it was answered.
struct Probe {
    question: Question,
    server: Asked,
    expected: Expected,
    answer: Answer,
    verdict: Verdict,
    took: Duration,
}

/// Runs the command.
pub async fn run(args: ProbeArgs) -> anyhow::Result<ExitCode> {
    or_code(probe(args).await, COULD_NOT_ASK)
}

async fn probe(args: ProbeArgs) -> anyhow::Result<ExitCode> {
    let ProbeArgs { names, servers, record_type, expected, etcd, etcd_options, all, kubeconfig, output } =
        args;
    let mut asked = servers::given(servers);
    if all {
        asked.extend(servers::of_clusters(kubeconfig.as_deref()).await?);
    }
    if asked.is_empty() {
        return Err(hinted(
            "no DNS server is known",
            "name one with --server ADDRESS or the environment variable OPENMCP_DNS_SERVER",
        ));
    }
    let source = if !expected.is_empty() {
        Source::Values(expected)
    } else if !etcd.is_empty() {
        Source::Etcd(Box::new(Recorded(etcd_options.read(etcd_options.connect(etcd).await?).await?.1)))
    } else if asked.len() > 1 {
        Source::FirstServer
    } else {
        Source::Anything
    };
    let questions = questions(&names, record_type, &source);
    let probes = ask_all(questions, &asked, &source).await?;
    let text = match output {
        OutputFormat::Text => show::text(&probes),
        OutputFormat::Json => json(&show::Document::of(&probes))?,
    };
    print(&text)?;
    Ok(exit_code(&probes))
}

/// Asks every server every question, several at a time.
async fn ask_all(questions: Vec<Question>, servers: &[Asked], source: &Source) -> anyhow::Result<Vec<Probe>> {
    let askers = servers.iter().map(|server| Asker::new(server.address)).collect::<Result<Vec<_>, _>>()?;
    let permits = tokio::sync::Semaphore::new(CONCURRENCY);
    let mut pending = Vec::new();
    for question in &questions {
        for asker in &askers {
            pending.push(async {
                // The semaphore is never closed.
                let _permit = permits.acquire().await;
                let started = Instant::now();
                let answer = asker.ask_through(&question.name, question.record_type).await;
                (answer, started.elapsed())
            });
        }
    }
    let mut answers = join_all(pending).await.into_iter();
    let mut probes = Vec::new();
    for question in questions {
        let mut first = None;
        for (server, (answer, took)) in servers.iter().zip(answers.by_ref()) {
            let expected = source.expected(&question, first.as_ref());
            let verdict = expected.judge(&question, &answer);
            first.get_or_insert_with(|| answer.clone());
            let (question, server) = (question.clone(), server.clone());
            probes.push(Probe { question, server, expected, answer, verdict, took });
        }
    }
    Ok(probes)
}

fn exit_code(probes: &[Probe]) -> ExitCode {
    let any = |verdict| probes.iter().any(|probe| probe.verdict == verdict);
    if any(Verdict::NoAnswer) {
        ExitCode::from(COULD_NOT_ASK)
    } else if any(Verdict::Mismatch) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn parse_name(text: &str) -> Result<String, String> {
    let name = text.trim_end_matches('.');
    if name.is_empty() {
        return Err("a name has at least one label".to_owned());
    }
    Name::from_ascii(name).map_err(|error| error.to_string())?;
    Ok(name.to_ascii_lowercase())
}

fn parse_type(text: &str) -> Result<RecordType, String> {
    match text.to_ascii_uppercase().parse() {
        // What a server answers to these is no list of values to compare.
        Ok(RecordType::ANY | RecordType::AXFR | RecordType::IXFR | RecordType::OPT) | Err(_) => {
            Err("no record type that can be asked for, such as A, AAAA, CNAME or TXT".to_owned())
        }
        Ok(record_type) => Ok(record_type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_types_are_checked_before_anything_is_asked() {
        assert_eq!(parse_name("Svc.OpenMCP.cluster.").as_deref(), Ok("svc.openmcp.cluster"));
        assert_eq!(parse_name("_acme.openmcp.cluster").as_deref(), Ok("_acme.openmcp.cluster"));
        assert!(parse_name(".").is_err());
        assert!(parse_name(&"a".repeat(64)).is_err());
        assert_eq!(parse_type("aaaa"), Ok(RecordType::AAAA));
        assert!(parse_type("AXFR").is_err());
        assert!(parse_type("nonsense").is_err());
    }
}
