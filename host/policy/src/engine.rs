//! The engine that all modules share.

use std::sync::Arc;

use thiserror::Error;
use wasmtime::{
    Config, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails, WasmFeatures,
};

use crate::bindings::{SPOKEN, Version};
use crate::compiled::CompiledModules;
use crate::debugging::Traces;
use crate::limits::{CORE_INSTANCES, Limits, MEMORIES, TABLES};
use crate::permits::Permits;
use crate::{compilers, ticker};

/// Native stack of one call in bytes: deep enough for a guest's JSON reader, and small beside a
/// thread's 2 MiB.
const STACK_BYTES: usize = 256 << 10;
/// Memory of a slot that stays mapped between two calls. The pages of small guests fit, so that
/// setting up their instances does not ask the kernel for any.
const RESIDENT_BYTES: usize = 256 << 10;

/// Compiles and runs policy modules. One for the whole process; clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    engine: wasmtime::Engine,
    limits: Limits,
    permits: Permits,
    pooled: bool,
    versions: &'static [Version],
    /// Where it is told what modules print and where they trap; an engine of a service tells nobody.
    traces: Option<Traces>,
}

/// What the author of a module wants of an engine besides answers. A service wants none of it.
#[derive(Clone, Debug, Default)]
pub struct Author {
    /// Is told what modules print and where they were when they trapped. Debug builds, which may print
    /// ([`debugging::OUTPUT`](crate::debugging::OUTPUT)), are taken then.
    pub traces: Option<Traces>,
    /// Where compiled modules are kept, so that the next engine need not compile them.
    pub compiled: Option<CompiledModules>,
}

/// Why no engine can be made.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The engine refused its settings.
    #[error("failed to set up the WebAssembly engine: {0}")]
    Settings(String),
    /// The thread that enforces deadlines could not be started.
    #[error("failed to start the thread that enforces the deadlines of policy modules")]
    Ticker(#[source] std::io::Error),
}

impl Engine {
    /// Makes an engine.
    ///
    /// It sets memory aside for [`Limits::concurrent_calls`] instances, which makes a call several times
    /// faster; where the address space is too small for that, it goes on without.
    ///
    /// # Errors
    /// When the machine cannot run it: its settings do not depend on any input.
    pub fn new(limits: Limits) -> Result<Self, EngineError> {
        Self::speaking(SPOKEN, limits)
    }

    /// Makes an engine for the author of a module.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn for_author(limits: Limits, author: Author) -> Result<Self, EngineError> {
        Self::made(SPOKEN, limits, author)
    }

    /// Makes an engine that speaks these versions of the contract.
    pub(crate) fn speaking(versions: &'static [Version], limits: Limits) -> Result<Self, EngineError> {
        Self::made(versions, limits, Author::default())
    }

    fn made(versions: &'static [Version], limits: Limits, author: Author) -> Result<Self, EngineError> {
        let Author { traces, compiled } = author;
        let mut config = config(&limits, traces.is_some());
        config.cache(compiled.map(|compiled| compiled.cache()));
        let (engine, pooled) = match wasmtime::Engine::new(config.clone().allocation_strategy(pool(&limits)))
        {
            Ok(engine) => (engine, true),
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "unable to set memory aside for policy modules, each call will allocate its own"
                );
                config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
                let engine = wasmtime::Engine::new(&config)
                    .map_err(|error| EngineError::Settings(format!("{error:#}")))?;
                (engine, false)
            }
        };
        compilers::step_back();
        ticker::start(&engine).map_err(EngineError::Ticker)?;
        let permits = Permits::new(limits.concurrent_calls);
        Ok(Self { shared: Arc::new(Shared { engine, limits, permits, pooled, versions, traces }) })
    }

    /// The limits of every module of this engine.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Whether memory was set aside for the instances.
    #[must_use]
    pub fn is_pooled(&self) -> bool {
        self.shared.pooled
    }

    /// Whether somebody is told what modules print and where they trap: [`Author::traces`].
    #[must_use]
    pub fn is_debugging(&self) -> bool {
        self.shared.traces.is_some()
    }

    /// Who is told what modules print and where they trap, if anybody is.
    pub(crate) fn traces(&self) -> Option<&Traces> {
        self.shared.traces.as_ref()
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.shared.engine
    }

    pub(crate) fn versions(&self) -> &'static [Version] {
        self.shared.versions
    }

    pub(crate) fn permits(&self) -> &Permits {
        &self.shared.permits
    }
}

/// What every module gets, whichever way its memory is allocated.
fn config(limits: &Limits, debugging: bool) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(true)
        .concurrency_support(false)
        .max_wasm_stack(STACK_BYTES)
        // Two machines may make different bit patterns of the same NaN; a module could tell them apart.
        .cranelift_nan_canonicalization(true)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(16))
        // What says which line a function is from is read for authors only: a foreign module's may be anything.
        .wasm_backtrace_details(if debugging {
            WasmBacktraceDetails::Enable
        } else {
            WasmBacktraceDetails::Disable
        })
        // What no policy needs is attack surface. Reference types stay: compilers write their
        // encodings even where they are not used.
        .wasm_simd(false)
        .wasm_relaxed_simd(false)
        .wasm_features(unneeded_features(), false);
    // A pool cannot exceed it, and on-demand memories are cut by the same number.
    debug_assert!(limits.memory_bytes > 0);
    config
}

fn unneeded_features() -> WasmFeatures {
    WasmFeatures::THREADS
        | WasmFeatures::MEMORY64
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::GC
        | WasmFeatures::FUNCTION_REFERENCES
        | WasmFeatures::EXCEPTIONS
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::STACK_SWITCHING
        | WasmFeatures::WIDE_ARITHMETIC
        | WasmFeatures::CUSTOM_PAGE_SIZES
}

fn pool(limits: &Limits) -> InstanceAllocationStrategy {
    let calls = u32::try_from(limits.concurrent_calls.get()).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_core_instances(calls.saturating_mul(CORE_INSTANCES))
        .total_memories(calls.saturating_mul(MEMORIES))
        .total_tables(calls.saturating_mul(TABLES))
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_memory_size(limits.memory_bytes)
        .table_elements(limits.table_elements)
        .linear_memory_keep_resident(RESIDENT_BYTES.min(limits.memory_bytes))
        .table_keep_resident(64 << 10);
    InstanceAllocationStrategy::Pooling(pool)
}
