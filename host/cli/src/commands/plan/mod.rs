//! `openmcp-dns plan`: what a change of manifests would change in DNS.

mod show;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use openmcp_dns_kit::LoadedPolicy;
use openmcp_dns_kit::plan::{Plan, Side};
use openmcp_dns_landscape::Landscape;
use openmcp_dns_policy::Engine;

use super::landscape::folder;
use super::policy::choice::ModuleChoice;
use super::policy::guards::Place;
use super::policy::module::engine;
use crate::terminal::ending::or_code;
use crate::terminal::output::{json, print};

/// What the exit code says when it is not known what would change.
const NOT_KNOWN: u8 = 2;

/// Says which names would come, go and get other records, and which claims would be refused, when the manifests of
/// one folder become those of another.
///
/// Both are landscapes as `openmcp-dns demo` reads them, for example two checkouts of a repository. It is decided as the
/// service decides: what is only not there yet, such as an address, leaves published what was, and a deletion of too
/// much is held. Nothing is changed.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when nothing would change, 1 when something would, 2 when that is not known.

Examples:
  openmcp-dns plan main/landscape branch/landscape
  openmcp-dns plan main/landscape branch/landscape --output markdown > comment.md")]
pub struct PlanArgs {
    /// The landscape as it is
    #[arg(value_name = "BEFORE")]
    before: PathBuf,

    /// The landscape as it is to be
    #[arg(value_name = "AFTER")]
    after: PathBuf,

    /// The module that decides on both sides: a file or `standard` [default: the one that the DNSPolicy of each folder
    /// names]
    #[arg(long, value_name = "MODULE")]
    module: Option<ModuleChoice>,

    /// `text` for people, `json` for programs, `markdown` for a pull request
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    output: Format,
}

/// For whom it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// For a pull request
    Markdown,
}

/// Runs the command.
pub async fn run(args: PlanArgs) -> anyhow::Result<ExitCode> {
    or_code(plan(args).await, NOT_KNOWN)
}

async fn plan(PlanArgs { before, after, module, output }: PlanArgs) -> anyhow::Result<ExitCode> {
    let (old, new) = (side(&before, module.as_ref()).await?, side(&after, module.as_ref()).await?);
    let plan =
        Plan::of(Side { policy: &old.0, landscape: &old.1 }, Side { policy: &new.0, landscape: &new.1 });
    print(&match output {
        Format::Text => show::text(&plan),
        Format::Json => json(&plan)?,
        Format::Markdown => show::markdown(&plan),
    })?;
    Ok(if plan.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A folder with the policy that holds there.
async fn side(path: &Path, module: Option<&ModuleChoice>) -> anyhow::Result<(LoadedPolicy, Landscape)> {
    let landscape = folder::read(path)?;
    let module = match module {
        Some(module) => module.clone(),
        None => folder::module(path, &landscape)?,
    };
    let engine: Engine = engine(&module.given().into_iter().collect::<Vec<_>>())?;
    let policy = module.policy(&engine, None, &landscape, Place::Folder(path)).await?;
    Ok((policy, landscape))
}
