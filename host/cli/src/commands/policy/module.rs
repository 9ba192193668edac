//! The module that a command is about.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context as _;
use openmcp_dns_api::DNSPolicy;
use openmcp_dns_kit::module::{self, ModuleFileError, needs_raised};
use openmcp_dns_kit::{BASE_DOMAIN_HINT, LoadedPolicy, PolicyError};
use openmcp_dns_policy::{
    Author, Engine, Limits, LoadError, LoadReason, Module, STANDARD, SizeLimit, Survey,
};

use super::super::limits::LimitArgs;
use super::{compiled, note};
use crate::terminal::hint::Hint as _;

/// The name of the module that is built in.
const BUILT_IN: &str = "standard";

/// A module on the command line.
#[derive(Clone, Debug)]
pub(in crate::commands) enum ModuleArg {
    /// The built-in standard module.
    Standard,
    /// A file.
    File(PathBuf),
}

impl FromStr for ModuleArg {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == BUILT_IN { Self::Standard } else { Self::File(text.into()) })
    }
}

impl fmt::Display for ModuleArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard => f.write_str(BUILT_IN),
            Self::File(file) => write!(f, "{}", file.display()),
        }
    }
}

impl ModuleArg {
    /// The module's bytes, whatever they are.
    pub(super) fn read(&self) -> anyhow::Result<Cow<'static, [u8]>> {
        let Self::File(file) = self else { return Ok(Cow::Borrowed(STANDARD)) };
        let bytes = module::read(file).with_hint(|error| match error {
            ModuleFileError::Read { .. } | ModuleFileError::Size { .. } => {
                format!("name a file that `openmcp-dns policy build` wrote, or {BUILT_IN}")
            }
            ModuleFileError::Folder { path } => format!(
                "build it with `openmcp-dns policy build {}`, and name the .wasm file that it writes",
                path.display()
            ),
        })?;
        Ok(Cow::Owned(bytes))
    }

    /// The module as the service admits it.
    pub(super) fn admit(&self, engine: &Engine, configuration: &str) -> anyhow::Result<Module> {
        let bytes = self.read()?;
        note_raised_options(&bytes, engine)?;
        let admitted = engine.load(&bytes, configuration);
        self.explain(admitted)
    }

    /// These bytes of the module, as the service admits them under a policy.
    pub(super) fn under(
        &self,
        engine: &Engine,
        bytes: &[u8],
        policy: &DNSPolicy,
    ) -> anyhow::Result<LoadedPolicy> {
        LoadedPolicy::load(engine, bytes, Some(policy)).with_hint(|error| match error {
            PolicyError::Module(error) => self.next_step(error.reason()),
            PolicyError::BaseDomain { .. } => BASE_DOMAIN_HINT.to_owned(),
        })
    }

    /// The module before it is asked anything of a configuration.
    pub(super) fn compile(&self, engine: &Engine) -> anyhow::Result<Module> {
        let bytes = self.read()?;
        note_raised_options(&bytes, engine)?;
        let compiled = engine.compile(&bytes);
        self.explain(compiled)
    }

    fn explain<T>(&self, loaded: Result<T, LoadError>) -> anyhow::Result<T> {
        let hint = loaded.as_ref().err().map(|error| self.next_step(error.reason()));
        loaded
            .with_context(|| format!("the service would refuse the module {self}"))
            .hint(hint.unwrap_or_default())
    }

    /// What to do about a module that is refused.
    pub(super) fn next_step(&self, reason: LoadReason) -> String {
        match reason {
            LoadReason::NotAComponent => {
                "build the module with `openmcp-dns policy build DIR`, which makes a component".to_owned()
            }
            LoadReason::Imports => {
                "build it for wasm32-unknown-unknown, without a standard library that asks for WASI; a debug build \
                 is for `policy run --debug` and `policy test --debug`"
                    .to_owned()
            }
            LoadReason::Contract => {
                "generate the bindings from wit/policy.wit; `openmcp-dns policy scaffold` writes a guest that does"
                    .to_owned()
            }
            LoadReason::TooLarge | LoadReason::Compile => {
                "build it in release mode with opt-level \"s\" and strip; docs/policy-authors.md lists the limits"
                    .to_owned()
            }
            LoadReason::Trial | LoadReason::Answer => {
                format!("`openmcp-dns policy test {self}` shows every vector that does not hold")
            }
            LoadReason::Configuration => {
                "correct the configuration, which is given with --config or in a DNSPolicy".to_owned()
            }
            LoadReason::Internal => "this is a bug; please report it with the module".to_owned(),
        }
    }
}

/// The limits of a service in this environment.
pub(super) fn service_limits() -> anyhow::Result<Limits> {
    Ok(LimitArgs::from_environment()?.limits())
}

/// The engine for some modules. Its limits are the service's, or, when one of the modules is larger than
/// they allow, those that modules in JavaScript and Python need: the service takes such a module when its
/// options say so, see [`raised_options`]. What it compiles is kept for the next command.
pub(in crate::commands) fn engine(modules: &[&ModuleArg]) -> anyhow::Result<Engine> {
    let author = Author { compiled: compiled::modules(), ..Author::default() };
    Ok(Engine::for_author(limits(modules)?, author)?)
}

/// The same, which compiles whatever was compiled before: for who measures it.
pub(super) fn engine_that_compiles(modules: &[&ModuleArg]) -> anyhow::Result<Engine> {
    Ok(Engine::new(limits(modules)?)?)
}

fn limits(modules: &[&ModuleArg]) -> anyhow::Result<Limits> {
    let limits = service_limits()?;
    // What cannot be read is refused by the command, with the reason.
    let large = modules.iter().any(|module| module.read().is_ok_and(|bytes| needs_raised(&limits, &bytes)));
    Ok(if large { Limits::for_language_runtimes() } else { limits })
}

/// Says on stderr when the service takes a module only with raised limits. No service is to take one that is
/// debugged.
pub(super) fn note_raised_options(module: &[u8], engine: &Engine) -> anyhow::Result<()> {
    if engine.is_debugging() {
        return Ok(());
    }
    let limits = service_limits()?;
    let options = Survey::of(module).map(|survey| raised_options(&survey, &limits)).unwrap_or_default();
    if !options.is_empty() {
        note(&format!("openmcp-dns run needs raised limits for this module, at least {}", options.join(" ")));
        note("compiling it takes 10 to 30 seconds, the first time ...");
    }
    Ok(())
}

/// The options of `openmcp-dns run` that a module needs, with the least value that it can do with; empty
/// when it fits the limits.
pub(super) fn raised_options(survey: &Survey, limits: &Limits) -> Vec<String> {
    let mut options: Vec<String> = survey
        .beyond(limits)
        .into_iter()
        .map(|(limit, needed)| {
            let option = match limit {
                SizeLimit::ModuleBytes => "--policy-module-bytes",
                SizeLimit::MemoryBytes => "--policy-memory-bytes",
                SizeLimit::Functions => "--policy-functions",
                SizeLimit::FunctionBytes => "--policy-function-bytes",
                SizeLimit::CompileWork => "--policy-compile-work",
                SizeLimit::TableElements => "--policy-table-elements",
            };
            format!("{option} {needed}")
        })
        .collect();
    let fuel = Limits::for_language_runtimes().fuel;
    if !options.is_empty() && limits.fuel < fuel {
        // What the tools give to such a module; its code does not say what it takes.
        options.push(format!("--policy-fuel {fuel}"));
    }
    options
}
