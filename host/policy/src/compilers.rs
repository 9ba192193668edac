//! The threads that compile modules.

use std::sync::Once;

/// A tenth of the processor's time where others want all of it (`setpriority`, section 2 of the Linux manual).
/// The lowest priority, 19, would leave so little that a module is not compiled in minutes.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Has the compiler's threads step back behind all others: a module that is compiled uses all processors,
/// and those that decide meanwhile must not wait for it. Once for the whole process, whose threads for such
/// work these are.
pub(crate) fn step_back() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let pool = rayon::ThreadPoolBuilder::new()
            .thread_name(|number| format!("policy-compile-{number}"))
            .start_handler(|_| lower_priority());
        if let Err(error) = pool.build_global() {
            tracing::debug!(%error, "the compiler's threads have the priority of all others");
        }
    });
}

/// Lowers the priority of this thread: Linux takes the number of a thread for that of a process here.
#[cfg(target_os = "linux")]
fn lower_priority() {
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE) {
        tracing::debug!(%error, "a thread of the compiler has the priority of all others");
    }
}

#[cfg(not(target_os = "linux"))]
const fn lower_priority() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::getpriority_process;
    use rustix::thread::gettid;

    #[test]
    fn only_the_threads_that_compile_step_back() {
        let own = getpriority_process(Some(gettid())).unwrap();
        super::step_back();
        assert_eq!(rayon::broadcast(|_| getpriority_process(Some(gettid())).unwrap())[0], super::NICE);
        assert_eq!(getpriority_process(Some(gettid())).unwrap(), own);
    }
}
