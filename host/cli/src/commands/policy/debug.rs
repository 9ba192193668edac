//! `--debug`: what a module prints, and where it was when it trapped.

use openmcp_dns_policy::debugging::{Frame, Trace, Traces};
use openmcp_dns_policy::{Author, Engine, Limits};

use super::module::{ModuleArg, engine};
use super::{compiled, note};

/// Whether somebody wants to know.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(super) struct DebugArgs {
    /// Show what the module prints, a panic among it, and the functions it was in when it trapped; takes
    /// what `policy build --debug` writes, which has their names
    #[arg(long)]
    debug: bool,
}

impl DebugArgs {
    /// What is shown with these arguments.
    pub(super) fn start(self) -> Debugging {
        Debugging { traces: self.debug.then(Traces::default) }
    }
}

/// What is there to be shown.
pub(super) struct Debugging {
    traces: Option<Traces>,
}

impl Debugging {
    /// The engine for some modules. A debug build takes more of everything than a module that decides: it
    /// is not held to the service's limits.
    pub(super) fn engine(&self, modules: &[&ModuleArg]) -> anyhow::Result<Engine> {
        match &self.traces {
            Some(traces) => {
                let author = Author { traces: Some(traces.clone()), compiled: compiled::modules() };
                Ok(Engine::for_author(Limits::for_language_runtimes(), author)?)
            }
            None => engine(modules),
        }
    }

    /// What was not shown yet.
    pub(super) fn take(&self) -> Vec<Trace> {
        self.traces.as_ref().map(Traces::take).unwrap_or_default()
    }

    /// Passes a loaded module on. Where it was refused, the last question is the one that failed.
    pub(super) fn loaded<T>(&self, loaded: anyhow::Result<T>) -> anyhow::Result<T> {
        let traces = self.take();
        if loaded.is_err() {
            show(traces.last().as_slice());
        }
        loaded
    }

    /// Shows on stderr what was not shown yet.
    pub(super) fn show(&self) {
        show(&self.take().iter().collect::<Vec<_>>());
    }
}

fn show(traces: &[&Trace]) {
    for trace in traces {
        note(trace.to_string().trim_end());
    }
    let nameless = |frame: &Frame| frame.place.is_none();
    if traces.iter().any(|trace| !trace.frames.is_empty() && trace.frames.iter().all(nameless)) {
        note("for names and lines, build the module with `openmcp-dns policy build DIR --debug`");
    }
}
