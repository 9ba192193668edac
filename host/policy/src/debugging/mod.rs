//! What a module tells its author besides its answers: what it prints, and where it was when it trapped.
//!
//! ```text
//! a debug build ──print──► State ──┐
//!       └───────trap──► backtrace ─┴──► Trace ──► Traces ──► the author
//! ```
//! Only an engine with [`Author::traces`](crate::Author::traces) does this. Every other one refuses a module that prints: it
//! imports something.

mod trace;

use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

pub(crate) use trace::plain;
pub use trace::{Frame, Trace, Traces};

use crate::call::State;

/// What a debug build may import, as WIT: an interface `output`, and a world `debug` that imports it.
pub const OUTPUT: &str = include_str!("output.wit");

/// The interface of [`OUTPUT`], as a component names it.
pub const INTERFACE: &str = "openmcp:dns-policy-debug/output@0.1.0";

/// Gives modules what [`OUTPUT`] says.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let print = |mut store: StoreContextMut<'_, State>, (text,): (String,)| {
        store.data_mut().print(&text);
        Ok(())
    };
    linker.instance(INTERFACE)?.func_wrap("print", print)
}

/// The world of a debug build of a version of the contract, as WIT.
pub(crate) fn world(contract_version: &str) -> String {
    format!(
        "package openmcp:dns-policy-debug-build;\n\
         world debug-build {{ include openmcp:dns-policy/dns-policy@{contract_version}; import {INTERFACE}; }}"
    )
}
