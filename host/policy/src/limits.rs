//! What a module may use.

use std::num::NonZeroUsize;
use std::time::Duration;

/// What a module may use, for each call where nothing else is said.
///
/// Fuel is the limit that modules meet: it is deterministic, so a module that decides within it on
/// its author's machine decides within it everywhere. All others are backstops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Instructions that one call may run, set-up of its instance included; one is about one
    /// nanosecond. Default 10,000,000: the standard module takes some ten thousand, a Python one
    /// a hundred thousand, and a hundred times that still ends within the deadline.
    pub fuel: u64,
    /// How long one call may run on the clock. Default 1 second: a hundred times what the fuel takes on
    /// a quiet machine, so that only a call that does not burn fuel (a huge copy) or a machine that
    /// has stalled meets it. Measured in steps of 10 milliseconds; the clock stands still while the
    /// whole machine does.
    pub deadline: Duration,
    /// Linear memory of one instance in bytes. Default 16 MiB: ten times what guests with a
    /// language runtime inside need. Each concurrent call may use that much.
    pub memory_bytes: usize,
    /// Elements of one table of functions. Default 20,000, the largest runtimes have 10,000.
    pub table_elements: usize,
    /// Size of a module in bytes. Default 2 MiB: compiling takes 50 to 100 times a module's size in
    /// memory and one second for each megabyte. Raise it to 32 MiB for modules in JavaScript or
    /// Python, with the two limits below, and give the service 1 GiB.
    pub module_bytes: usize,
    /// Functions in a module. Default 20,000. It bounds what a small module can make the compiler do.
    pub functions: u32,
    /// Code of one function in bytes. Default 128 KiB: compiling takes more than
    /// proportionally long for large functions. Python's runtime has one of 420 KiB.
    pub function_bytes: usize,
    /// What a module makes the compiler do, in units of one value followed to one place in the code: at
    /// most this for all of it, and a tenth for one function. Default 2,000,000: the standard module
    /// takes 50,000, ordinary code about one for each byte, and the worst modules that fit keep the
    /// compiler busy for about 20 seconds with some 200 MB. Raise it with `module_bytes`: JavaScript and Python take 5,000,000 to 10,000,000.
    pub compile_work: u64,
    /// Texts of one question in bytes, configuration included. Default 256 KiB; a configuration may
    /// have 64 KiB.
    pub question_bytes: usize,
    /// What one answer may take in the host's memory, in bytes. Default 256 KiB: enough for 16
    /// record sets of 64 long values.
    pub answer_bytes: usize,
    /// How many calls may run at once; more wait. Default: two for each processor, at least 4. Memory is
    /// set aside for each, so this bounds what all modules together may use. One module gets at most
    /// half of them, so that a slow one does not keep the others from being asked.
    pub concurrent_calls: NonZeroUsize,
}

impl Default for Limits {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let at_least = NonZeroUsize::MIN.saturating_add(3);
        Self {
            fuel: 10_000_000,
            deadline: Duration::from_secs(1),
            memory_bytes: 16 << 20,
            table_elements: 20_000,
            module_bytes: 2 << 20,
            functions: 20_000,
            function_bytes: 128 << 10,
            compile_work: 2_000_000,
            question_bytes: 256 << 10,
            answer_bytes: 256 << 10,
            concurrent_calls: NonZeroUsize::new(2 * processors).unwrap_or(at_least).max(at_least),
        }
    }
}

impl Limits {
    /// What a module needs that brings the runtime of its language along: JavaScript (componentize-js, 12 MB) or
    /// Python (componentize-py, 18 MB). The tools for authors take them for every module; the service
    /// does when its options say so.
    ///
    /// Compiling such a module takes ten seconds and 600 MB, so the defaults refuse it. The deadline stays.
    #[must_use]
    pub fn for_language_runtimes() -> Self {
        Self {
            // A question takes up to 3 million in JavaScript, one with more than 64 targets above 10 million.
            fuel: 100_000_000,
            // 9 MB (JavaScript) and 13 MB (Python) at first, and what a decision takes.
            memory_bytes: 64 << 20,
            // 12 MB and 18 MB, and what an author adds in libraries.
            module_bytes: 32 << 20,
            // 13,000 each.
            functions: 40_000,
            // Interpreters have one large loop: 172 kB and 427 kB.
            function_bytes: 1 << 20,
            // 9 and 5 million units, an interpreter's loop a good part of them.
            compile_work: 40_000_000,
            ..Self::default()
        }
    }
}

/// Core instances of one component. A component without imports has one; Python has 38, one for each
/// library that it is linked of and what stands between them.
pub(crate) const CORE_INSTANCES: u32 = 48;
/// Tables of one component, for the same guests.
pub(crate) const TABLES: u32 = 8;
/// Memories of one component: the limit on memory is for all of an instance.
pub(crate) const MEMORIES: u32 = 1;

/// Longest configuration in bytes, as the contract says.
pub(crate) const CONFIGURATION_BYTES: usize = 64 << 10;
