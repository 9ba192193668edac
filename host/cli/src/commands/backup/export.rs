//! `openmcp-dns export`: the records in etcd, as lines or as a zone file.

use openmcp_dns_core::backup::{kept, zone_file};
use openmcp_dns_core::name::HostName;

use super::KeptIn;
use crate::terminal::hint::hinted;
use crate::terminal::output::{note, print};

/// Prints the records of all clusters, each with its owner, to keep them or to read them elsewhere.
///
/// What others have written to the same etcd is not among them.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  From the etcd that the service has deployed:
    kubectl exec -n openmcp-dns deploy/openmcp-dns -- openmcp-dns export > records.jsonl

  As a zone file, for another DNS server:
    openmcp-dns export --etcd http://10.0.0.5:2379 --format zone --base-domain openmcp.cluster > db.openmcp.cluster")]
pub struct ExportArgs {
    #[command(flatten)]
    kept_in: KeptIn,

    /// How the records are written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::JsonLines)]
    format: Format,

    /// Only records of clusters of this zone; a zone file has exactly one
    #[arg(long, env = "OPENMCP_DNS_BASE_DOMAIN", value_name = "DOMAIN")]
    base_domain: Option<HostName>,
}

/// How records are written.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// A line of JSON for each value, as `restore` takes it
    JsonLines,
    /// A zone file (RFC 1035)
    Zone,
}

/// Runs the command.
pub async fn run(args: ExportArgs) -> anyhow::Result<()> {
    let ExportArgs { kept_in, format, base_domain } = args;
    let (revision, mirror) = kept_in.read(kept_in.connect().await?).await?;
    let mut records = kept(&mirror);
    if let Some(zone) = &base_domain {
        records.retain(|record| record.owner.zone == *zone);
    }
    let text = match (format, &base_domain) {
        (Format::JsonLines, _) => records.iter().map(|record| record.to_line() + "\n").collect(),
        (Format::Zone, Some(zone)) => zone_file(zone, revision, &records),
        (Format::Zone, None) => {
            return Err(hinted("a zone file has one zone".to_owned(), "name it with --base-domain"));
        }
    };
    print(&text)?;
    note(&format!("{} values, as of revision {revision}", records.len()));
    Ok(())
}
