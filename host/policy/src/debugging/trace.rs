//! What was seen of one call.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::WasmBacktrace;

/// What one call gave besides its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The function of the contract.
    pub function: &'static str,
    /// The lines that the module printed, a panic's among them. Without control characters.
    pub printed: Vec<String>,
    /// Where the module was when it trapped, the innermost function first; empty when it did not.
    pub frames: Vec<Frame>,
}

impl fmt::Display for Trace {
    /// Lines, each with its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, printed, frames } = self;
        if !printed.is_empty() {
            writeln!(f, "{function} printed")?;
            printed.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        if !frames.is_empty() {
            writeln!(f, "{function} trapped in")?;
            frames.iter().try_for_each(|frame| writeln!(f, "  {frame}"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{} at {place}", self.function),
            None => f.write_str(&self.function),
        }
    }
}

/// A function that had been called and had not returned. Both texts are without control characters, as they go to a
/// terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its name, or its number in a module that was built without names.
    pub function: String,
    /// File and line, where the module has what says so.
    pub place: Option<String>,
}

/// About as many are shown: the engine walks through 16, and each of them may have many functions put into it.
const MOST_FRAMES: usize = 64;

/// Keeps what calls gave until it is taken; clones keep it together.
#[derive(Clone, Debug, Default)]
pub struct Traces(Arc<Mutex<Vec<Trace>>>);

impl Traces {
    /// What was kept since the last call of this. The host asks some questions twice: what is the same
    /// stands there once.
    #[must_use]
    pub fn take(&self) -> Vec<Trace> {
        let mut traces = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        traces.dedup();
        traces
    }

    /// Keeps what a call gave, if it gave anything.
    pub(crate) fn keep(&self, trace: Trace) {
        if !trace.printed.is_empty() || !trace.frames.is_empty() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(trace);
        }
    }
}

impl Frame {
    /// The frames of a call that ended so; none where it is no trap.
    pub(crate) fn of(error: &wasmtime::Error) -> Vec<Self> {
        let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
        let mut frames = Vec::new();
        for frame in backtrace.frames() {
            if frames.len() > MOST_FRAMES {
                break;
            }
            // One for each function that the compiler put into this one, and itself.
            for symbol in frame.symbols() {
                let place = symbol.file().map(|file| match symbol.line() {
                    Some(line) => format!("{}:{line}", plain(file)),
                    None => plain(file),
                });
                let name = symbol.name().or_else(|| frame.func_name());
                frames.push(Self { function: readable(name, frame.func_index()), place });
            }
            if frame.symbols().is_empty() {
                frames.push(Self { function: readable(frame.func_name(), frame.func_index()), place: None });
            }
        }
        frames
    }
}

/// A name as its author wrote it: compilers add a digest, and what a linker can read.
fn readable(name: Option<&str>, number: u32) -> String {
    name.map_or_else(
        || format!("function {number}"),
        |name| plain(&format!("{:#}", rustc_demangle::demangle(name))),
    )
}

/// Without control characters.
pub(crate) fn plain(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(printed: &[&str]) -> Trace {
        let printed = printed.iter().map(|line| (*line).to_owned()).collect();
        Trace { function: "describe", printed, frames: Vec::new() }
    }

    #[test]
    fn what_is_the_same_twice_is_taken_once_and_what_is_nothing_is_not_kept() {
        let traces = Traces::default();
        for printed in [&["a"] as &[_], &["a"], &[], &["b"]] {
            traces.keep(trace(printed));
        }
        assert_eq!(traces.take(), [trace(&["a"]), trace(&["b"])]);
        assert_eq!(traces.take(), []);
    }

    #[test]
    fn names_are_those_of_the_source() {
        let mangled = "_ZN4core9panicking9panic_fmt17h0123456789abcdefE";
        assert_eq!(readable(Some(mangled), 1), "core::panicking::panic_fmt");
        assert_eq!(readable(Some("records\u{1b}[31m_of"), 1), "records[31m_of");
        assert_eq!(readable(None, 12), "function 12");
    }
}
