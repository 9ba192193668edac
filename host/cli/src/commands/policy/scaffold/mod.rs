//! `openmcp-dns policy scaffold`: a complete guest to start from.

mod c;
mod example;
mod javascript;
mod lock;
mod python;
mod rust;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use openmcp_dns_policy::CONTRACT;
use openmcp_dns_policy_builder::Language;

use super::Outcome;
use crate::terminal::hint::{Hint as _, hinted};
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
    language: Language,

    /// What the module calls itself: lower-case letters, digits and hyphens; otherwise the folder's name
    #[arg(long)]
    name: Option<String>,
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
    let files = files(*language, &name, &in_folder(folder));
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

/// The files of a guest that calls itself `name`; `module` is the file's name that it is built to.
fn files(language: Language, name: &str, module: &str) -> Vec<File> {
    let (mut files, source) = match language {
        Language::Rust => (rust::files(name), "src/lib.rs"),
        Language::C => (c::files(name), "src/decisions.c"),
        Language::JavaScript => (javascript::files(name), "src/decisions.js"),
        Language::Python => (python::files(name), "src/decisions.py"),
    };
    // A large module belongs into a registry, not into version control.
    let (ignored, note) = if language.has_runtime() {
        (
            format!("/target/\n/{module}\n__pycache__/\n"),
            "The module brings the runtime of its language along: the service takes it with raised limits, which \
             `openmcp-dns policy inspect` names. Push it to a registry instead of committing it.",
        )
    } else {
        (
            "/target/\n".to_owned(),
            "Commit the built module with the sources: it holds the digest of the sources that it was built from.",
        )
    };
    let readme = include_str!("../../../../templates/guest.md")
        .replace("{{name}}", name)
        .replace("{{language}}", &language.to_string())
        .replace("{{module}}", module)
        .replace("{{source}}", source)
        .replace("{{module note}}", note);
    files.extend([("README.md", readme), (".gitignore", ignored), ("wit/policy.wit", CONTRACT.to_owned())]);
    files
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
    fn nothing_is_left_of_the_name_and_the_place_of_the_example() {
        let left =
            ["deny-prefix", "DenyPrefix", "tenant-guard", "geo-label", "name-pattern", "../../wit", "{{"];
        for language in Language::ALL {
            let files = files(language, "mine", "mine.wasm");
            for (path, content) in &files {
                for left in left {
                    assert!(!content.contains(left), "{path} of a guest in {language} has {left}");
                }
            }
            let named = files.iter().filter(|(_, content)| content.contains("mine")).count();
            // The README, and at least the file that says the name, and the vectors.
            assert!(named >= 3, "{language}: {named}");
        }
    }

    #[test]
    fn a_guest_is_recognised_as_one_of_its_language() {
        for language in Language::ALL {
            let paths: Vec<&str> =
                files(language, "mine", "mine.wasm").iter().map(|(path, _)| *path).collect();
            assert!(paths.contains(&language.marker()), "{language}: {paths:?}");
        }
    }

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
