//! Guests in JavaScript: componentize-js puts the sources into a JavaScript engine.
//!
//! npm installs what `package-lock.json` pins below `target/javascript`, once for each lock file.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::compile::{CompileError, absolute, empty_folder, install, read, run, write};
use crate::language::Language;
use crate::no_toolchain::NoToolchain;
use crate::search::version_of;

/// Calls componentize-js so that the module imports nothing.
const SCRIPT: &str = include_str!("javascript.mjs");
/// Written when all packages are there: the lock file that they were installed by.
const INSTALLED: &str = "installed.json";

/// Node.js with npm.
#[derive(Debug)]
pub struct JavaScriptToolchain {
    version: String,
}

impl JavaScriptToolchain {
    pub(crate) fn find() -> Result<Self, NoToolchain> {
        let missing = |program, why| NoToolchain::Missing {
            language: Language::JavaScript,
            program,
            why,
            packages: "nodejs npm",
        };
        let node =
            version_of(Path::new("node"), &["--version"]).map_err(|why| missing("Node.js (node)", why))?;
        version_of(Path::new("npm"), &["--version"]).map_err(|why| missing("npm", why))?;
        Ok(Self { version: format!("node {node}") })
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Makes a component of the guest in a folder.
    pub(crate) fn compile(
        &self,
        guest: &Path,
        contract: &Path,
        say: &dyn Fn(&str),
    ) -> Result<Vec<u8>, CompileError> {
        let folder = packages(guest, say)?;
        let script = folder.join("build.mjs");
        write(&script, SCRIPT.as_bytes())?;
        let module = folder.join("module.wasm");
        say("putting the sources into a JavaScript engine by componentize-js, 10 to 20 s ...");
        let mut command = Command::new("node");
        command.current_dir(guest).arg(&script).arg(absolute(guest)?).arg(absolute(contract)?).arg(&module);
        run(command, "node", guest)?;
        read(&module)
    }
}

/// Installs the pinned packages, unless they are there already.
fn packages(guest: &Path, say: &dyn Fn(&str)) -> Result<PathBuf, CompileError> {
    let folder = absolute(&guest.join("target/javascript"))?;
    let pins = guest.join("package-lock.json");
    let lock = read(&pins)?;
    if read(&folder.join(INSTALLED)).is_ok_and(|installed| installed == lock) {
        return Ok(folder);
    }
    empty_folder(&folder)?;
    write(&folder.join("package.json"), &read(&guest.join("package.json"))?)?;
    write(&folder.join("package-lock.json"), &lock)?;
    say("installing what package-lock.json names by npm, half a minute and 400 MB the first time ...");
    let mut command = Command::new("npm");
    // Nothing that is installed runs a script of its own.
    command.current_dir(&folder).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    install(command, "npm ci", &pins)?;
    write(&folder.join(INSTALLED), &lock)?;
    Ok(folder)
}
