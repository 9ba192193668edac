//! `openmcp-dns policy scaffold`: a complete guest to start from.

use std::path::PathBuf;

use openmcp_dns_kit::Language;
use openmcp_dns_kit::scaffold::{ScaffoldError, scaffold};

use super::Outcome;
use crate::terminal::hint::Hint as _;
use crate::terminal::output::print;

/// Writes a complete guest: sources, vectors, the contract and a README. It builds as it is, passes its
/// vectors, and is there to be changed.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when the guest was written, 2 when not.

Examples:
  openmcp-dns policy scaffold my-policy --language rust
  openmcp-dns policy scaffold my-policy --language python
  openmcp-dns policy scaffold policies/tenant --language c --name tenant-names")]
pub(super) struct ScaffoldArgs {
    /// Where to write it: a folder that does not exist, or is empty
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// The language of the guest
    #[arg(long, value_enum)]
    language: LanguageArg,

    /// What the module calls itself: lower-case letters, digits and hyphens; otherwise the folder's name
    #[arg(long)]
    name: Option<String>,
}

/// A language on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum LanguageArg {
    /// Compiled by cargo.
    Rust,
    /// Compiled by clang.
    C,
    /// Put into a JavaScript engine by componentize-js.
    #[value(name = "javascript")]
    JavaScript,
    /// Put into a Python interpreter by componentize-py.
    Python,
}

impl From<LanguageArg> for Language {
    fn from(language: LanguageArg) -> Self {
        match language {
            LanguageArg::Rust => Self::Rust,
            LanguageArg::C => Self::C,
            LanguageArg::JavaScript => Self::JavaScript,
            LanguageArg::Python => Self::Python,
        }
    }
}

/// Runs the command.
pub(super) fn run(args: &ScaffoldArgs) -> anyhow::Result<Outcome> {
    let ScaffoldArgs { folder, language, name } = args;
    let written = scaffold(folder, (*language).into(), name.as_deref()).with_hint(next_step)?;
    print(&written.files.iter().map(|file| format!("{}\n", file.display())).collect::<String>())?;
    super::note(&format!(
        "next: openmcp-dns policy build {} && openmcp-dns policy test {}",
        folder.display(),
        written.module.display()
    ));
    Ok(Outcome::Yes)
}

/// What to do when no guest is written.
const fn next_step(error: &ScaffoldError) -> &'static str {
    match error {
        ScaffoldError::Folder { .. } => "name a folder to write to",
        ScaffoldError::Name { .. } => {
            "give one with --name: at most 40 lower-case letters, digits and hyphens, for example tenant-guard"
        }
        ScaffoldError::Unknown { .. } => "name a folder that does not exist",
        ScaffoldError::NotEmpty { .. } => "name another folder, or empty this one",
        ScaffoldError::Write { .. } => "choose a folder that you can write to",
    }
}
