//! `openmcp-dns policy scaffold`: a complete guest to start from.

mod lock;
mod rust;

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::super::hint::{Hint as _, hinted};
use super::super::output::print;
use super::Outcome;

/// Writes a complete guest: sources, vectors, the contract and a README. It builds as it is, passes its
/// vectors, and is there to be changed.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when the guest was written, 2 when not.

Examples:
  openmcp-dns policy scaffold my-policy --language rust
  openmcp-dns policy scaffold policies/tenant --language rust --name tenant-guard")]
pub(super) struct ScaffoldArgs {
    /// Where to write it: a folder that does not exist, or is empty
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// The language of the guest
    #[arg(long, value_enum)]
    language: Language,

    /// What the module calls itself: lower-case letters, digits and hyphens; otherwise the folder's name
    #[arg(long)]
    name: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Language {
    Rust,
}

/// A file of the guest: its path below the folder, and what stands in it.
type File = (&'static str, String);

/// Runs the command.
pub(super) fn run(args: &ScaffoldArgs) -> anyhow::Result<Outcome> {
    let ScaffoldArgs { folder, language, name } = args;
    let name = match name {
        Some(name) => name.clone(),
        None => folder_name(folder)?,
    };
    check_name(&name)?;
    let files = match language {
        Language::Rust => rust::files(&name, &in_folder(folder)),
    };
    check_free(folder)?;
    let mut written = String::new();
    for (path, content) in files {
        let file = folder.join(path);
        let what = || format!("failed to write {}", file.display());
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent)
                .with_context(what)
                .hint("choose a folder that you can write to")?;
        }
        std::fs::write(&file, content).with_context(what).hint("choose a folder that you can write to")?;
        written.push_str(&format!("{}\n", file.display()));
    }
    print(&written)?;
    super::note(&format!(
        "next: openmcp-dns policy build {0} && openmcp-dns policy test {1}",
        folder.display(),
        folder.join(in_folder(folder)).display()
    ));
    Ok(Outcome::Yes)
}

/// The file's name that `policy build` gives to the module.
fn in_folder(folder: &Path) -> String {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    format!("{}.wasm", absolute.file_name().unwrap_or_default().to_string_lossy())
}

fn folder_name(folder: &Path) -> anyhow::Result<String> {
    let absolute = std::path::absolute(folder)
        .with_context(|| format!("{} is no folder", folder.display()))
        .hint("name a folder to write to")?;
    Ok(absolute.file_name().unwrap_or_default().to_string_lossy().into_owned())
}

/// A name becomes part of a package's name and of file names.
fn check_name(name: &str) -> anyhow::Result<()> {
    let fine = (1..=40).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fine {
        return Ok(());
    }
    Err(hinted(
        format!("{name:?} is no name for a module"),
        "give one with --name: at most 40 lower-case letters, digits and hyphens, for example tenant-guard",
    ))
}

/// Nothing that exists is overwritten.
fn check_free(folder: &Path) -> anyhow::Result<()> {
    let taken = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => {
            return Err(error)
                .with_context(|| format!("{} cannot be written to", folder.display()))
                .hint("name a folder that does not exist");
        }
    };
    if taken {
        return Err(hinted(
            format!("{} is not empty, and nothing is overwritten", folder.display()),
            "name another folder, or empty this one",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_be_part_of_a_package_name_are_refused() {
        for good in ["a", "tenant-guard", "geo2"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "1a", "a_b", "a b", "ä", "a.b", &"a".repeat(41)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
