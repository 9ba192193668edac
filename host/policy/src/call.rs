//! One call of a module: a fresh instance, its limits, and what a failure means.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use openmcp_dns_core::policy::{FailureKind, PolicyFailure};
use wasmtime::{ResourceLimiter, Store, Trap};

use crate::debugging::{Frame, Trace, plain};
use crate::engine::Engine;
use crate::limits::{CORE_INSTANCES, Limits, MEMORIES, TABLES};
use crate::permits::Permits;
use crate::ticker;

/// Most bytes that are kept of what one call prints: an endless loop prints, too, until its fuel is used up.
const PRINTED_BYTES: usize = 64 << 10;

/// What a call carries: its limits, and what it has printed.
pub(crate) struct State {
    memory_bytes: usize,
    table_elements: usize,
    printed: Vec<String>,
    printed_bytes: usize,
}

impl State {
    /// Keeps the lines of a text, without control characters: they go to a terminal.
    pub(crate) fn print(&mut self, text: &str) {
        for line in text.lines() {
            let line = plain(line);
            // An empty line counts as well.
            let bytes = self.printed_bytes.saturating_add(line.len() + 1);
            if bytes > PRINTED_BYTES {
                return;
            }
            self.printed_bytes = bytes;
            self.printed.push(line);
        }
    }
}

/// A module asked for more memory than it may have. Ends the call at once: a guest that is told of
/// the failure instead usually aborts, and the reason would be lost.
#[derive(Debug, thiserror::Error)]
#[error("asked for {asked} {what}, at most {limit} are allowed")]
struct Exceeded {
    what: &'static str,
    asked: usize,
    limit: usize,
}

impl ResourceLimiter for State {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        check("bytes of memory", desired, self.memory_bytes)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        check("table elements", desired, self.table_elements)
    }

    // A pool has the same bounds; these are for where there is none.
    fn instances(&self) -> usize {
        CORE_INSTANCES as usize
    }

    fn tables(&self) -> usize {
        TABLES as usize
    }

    fn memories(&self) -> usize {
        MEMORIES as usize
    }
}

fn check(what: &'static str, asked: usize, limit: usize) -> wasmtime::Result<bool> {
    if asked > limit {
        return Err(Exceeded { what, asked, limit }.into());
    }
    Ok(true)
}

/// How wasmtime says that an answer is larger than allowed; its type for that is private. A test with a
/// huge answer fails when the words change.
const ANSWER_TOO_LARGE: &str = "fuel allocated for hostcalls has been exhausted";

/// What a call gave, and what it cost.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome<T> {
    pub(crate) answer: Result<T, PolicyFailure>,
    pub(crate) fuel: u64,
}

impl<T> Outcome<T> {
    /// Changes the answer, where there is one.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Outcome<U> {
        Outcome { answer: self.answer.map(change), fuel: self.fuel }
    }
}

/// Runs the calls of one module.
#[derive(Clone)]
pub(crate) struct Caller {
    engine: Engine,
    /// How many calls of this module may run at once.
    share: Arc<Permits>,
}

impl Caller {
    /// For a module of this engine.
    pub(crate) fn new(engine: Engine) -> Self {
        let share = Arc::new(Permits::new(share(engine.limits().concurrent_calls)));
        Self { engine, share }
    }

    /// The limits of each call.
    pub(crate) fn limits(&self) -> &Limits {
        self.engine.limits()
    }

    /// Runs `ask`, which makes an instance in the store and calls it. `function` is its name in the
    /// contract, for messages.
    pub(crate) fn call<T>(
        &self,
        function: &'static str,
        ask: impl FnOnce(&mut Store<State>) -> wasmtime::Result<T>,
    ) -> Outcome<T> {
        // The module's own share comes first: what waits there stands in nobody's way.
        let _share = self.share.take();
        let _permit = self.engine.permits().take();
        // The store is made and dropped inside, so nothing that a panic leaves half done is seen again.
        let outcome = catch_unwind(AssertUnwindSafe(|| run(&self.engine, function, ask)));
        outcome.unwrap_or_else(|panic| {
            let message =
                format!("{function}: the host panicked while it ran the module: {}", panic_text(&*panic));
            Outcome { answer: Err(PolicyFailure::new(FailureKind::Internal, message)), fuel: 0 }
        })
    }
}

/// The calls that one module may run at once: half of all, so that a module whose calls take as long as
/// they may never keeps another one from being asked.
fn share(calls: NonZeroUsize) -> NonZeroUsize {
    NonZeroUsize::new(calls.get() / 2).unwrap_or(NonZeroUsize::MIN)
}

fn run<T>(
    engine: &Engine,
    function: &'static str,
    ask: impl FnOnce(&mut Store<State>) -> wasmtime::Result<T>,
) -> Outcome<T> {
    let limits = engine.limits();
    let state = State {
        memory_bytes: limits.memory_bytes,
        table_elements: limits.table_elements,
        printed: Vec::new(),
        printed_bytes: 0,
    };
    let mut store = Store::new(engine.wasmtime(), state);
    store.limiter(|state| state);
    store.set_epoch_deadline(ticker::ticks(limits.deadline));
    store.set_hostcall_fuel(limits.answer_bytes);
    let answer = store.set_fuel(limits.fuel).and_then(|()| ask(&mut store));
    if let Some(traces) = engine.traces() {
        let frames = answer.as_ref().err().map_or_else(Vec::new, Frame::of);
        traces.keep(Trace { function, printed: std::mem::take(&mut store.data_mut().printed), frames });
    }
    let answer = answer.map_err(|error| failure(function, &error, engine));
    let fuel = limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
    Outcome { answer, fuel }
}

/// Which kind of failure an error of the engine is.
fn failure(function: &str, error: &wasmtime::Error, engine: &Engine) -> PolicyFailure {
    let limits = engine.limits();
    let (kind, what) = if let Some(exceeded) = error.downcast_ref::<Exceeded>() {
        (FailureKind::Memory, exceeded.to_string())
    } else if let Some(trap) = error.downcast_ref::<Trap>() {
        match trap {
            Trap::OutOfFuel => (
                FailureKind::OutOfFuel,
                format!(
                    "used up its fuel of {}; the module loops, or the limit is too low for it",
                    limits.fuel
                ),
            ),
            Trap::Interrupt => {
                (FailureKind::Deadline, format!("ran longer than {} seconds", limits.deadline.as_secs_f64()))
            }
            trap => (FailureKind::Trap, trap.to_string()),
        }
    } else if error.root_cause().to_string().contains(ANSWER_TOO_LARGE) {
        (FailureKind::TooLarge, format!("answered more than {} bytes", limits.answer_bytes))
    } else {
        // A value that is none by the contract's types: text that is no UTF-8, a pointer outside of
        // memory, a case that does not exist.
        (FailureKind::Trap, error.root_cause().to_string())
    };
    PolicyFailure::new(kind, format!("{function}: {what}"))
}

/// The text of a panic, where it has one.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller() -> Caller {
        Caller::new(Engine::new(Limits::default()).unwrap())
    }

    #[test]
    fn a_panic_of_the_host_fails_one_call_and_gives_its_place_back() {
        let caller = caller();
        // More often than calls may run at once: a lost permit would block the last of them for ever.
        for _ in 0..2 * caller.limits().concurrent_calls.get() {
            let outcome = caller.call::<()>("describe", |_| panic!("a bug of the host"));
            let failure = outcome.answer.unwrap_err();
            assert_eq!(failure.kind, FailureKind::Internal);
            assert_eq!(
                failure.message,
                "describe: the host panicked while it ran the module: a bug of the host"
            );
        }
        assert_eq!(caller.call("describe", |_| Ok(7)).answer, Ok(7));
    }

    #[test]
    fn one_module_gets_half_of_the_calls_and_at_least_one() {
        let share = |calls: usize| share(NonZeroUsize::new(calls).unwrap()).get();
        assert_eq!([1, 2, 3, 4, 16].map(share), [1, 1, 1, 2, 8]);
    }
}
