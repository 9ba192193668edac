//! Guests in Python: componentize-py puts the sources into a Python interpreter.
//!
//! pip installs what `requirements.txt` pins below `target/python`, once for each such file. It takes a
//! folder of its own instead of a virtual environment, which Debian has in a further package.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::compile::{CompileError, absolute, empty_folder, install, read, run, write};
use crate::language::Language;
use crate::no_toolchain::NoToolchain;
use crate::search::version_of;

/// Starts componentize-py, which as a folder has no program of its own in the search path.
const START: &str =
    "import sys; from componentize_py import script; sys.argv[0] = 'componentize-py'; sys.exit(script())";
/// Written when all packages are there: the file that they were installed by.
const INSTALLED: &str = "installed.txt";

/// Python with pip.
#[derive(Debug)]
pub struct PythonToolchain {
    version: String,
}

impl PythonToolchain {
    pub(crate) fn find() -> Result<Self, NoToolchain> {
        let missing = |program, why| NoToolchain::Missing {
            language: Language::Python,
            program,
            why,
            packages: "python3 python3-pip",
        };
        let python = Path::new("python3");
        let version = version_of(python, &["--version"]).map_err(|why| missing("Python (python3)", why))?;
        version_of(python, &["-m", "pip", "--version"]).map_err(|why| missing("pip", why))?;
        Ok(Self { version })
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
        let module = folder.join("module.wasm");
        say("putting the sources into a Python interpreter by componentize-py, 10 to 20 s ...");
        let mut command = Command::new("python3");
        command
            .current_dir(guest)
            .env("PYTHONPATH", folder.join("packages"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .args(["-c", START, "-q", "-w", "dns-policy", "-d"])
            .arg(absolute(contract)?)
            // Without WASI nothing is imported.
            .args(["componentize", "--stub-wasi", "-p", "src", "decisions", "-o"])
            .arg(&module);
        run(command, "componentize-py", guest)?;
        read(&module)
    }
}

/// Installs the pinned packages, unless they are there already.
fn packages(guest: &Path, say: &dyn Fn(&str)) -> Result<PathBuf, CompileError> {
    let folder = absolute(&guest.join("target/python"))?;
    let pins = guest.join("requirements.txt");
    let pinned = read(&pins)?;
    if read(&folder.join(INSTALLED)).is_ok_and(|installed| installed == pinned) {
        return Ok(folder);
    }
    empty_folder(&folder)?;
    say("installing what requirements.txt names by pip, 70 MB the first time ...");
    let mut command = Command::new("python3");
    command
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"])
        .args(["--only-binary", ":all:", "--require-hashes", "--target"])
        .arg(folder.join("packages"))
        .arg("--requirement")
        .arg(absolute(&pins)?);
    install(command, "pip install", &pins)?;
    write(&folder.join(INSTALLED), &pinned)?;
    Ok(folder)
}
