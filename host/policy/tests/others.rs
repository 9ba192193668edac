//! What a hostile module does to others: their decisions wait for it no longer than its own time limit, and
//! the process keeps its size. These tests are a process of their own, because they measure it.

#![allow(clippy::unwrap_used, reason = "a helper of tests that fails says where by its panic")]

mod common;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{Guest, claim, context, domain};
use openmcp_dns_core::policy::{FailureKind, Policy, Verdict};
use openmcp_dns_policy::{Engine, Limits, STANDARD};

/// One test at a time: both look at the whole process.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn a_decision_waits_for_no_more_than_the_time_limit_of_a_module_that_loops() {
    let _alone = ALONE.lock();
    let deadline = Duration::from_millis(500);
    // Fuel would end the loops sooner; so the time limit has to.
    let limits =
        Limits { fuel: u64::MAX, deadline, concurrent_calls: 2.try_into().unwrap(), ..Limits::default() };
    let engine = Engine::new(limits).unwrap();
    // Two hostile modules, so that together they may take every call there is.
    let hostile: Vec<_> =
        (0..2).map(|_| engine.load(&Guest::later("endless-loop").component(), "{}").unwrap()).collect();
    let good = engine.load(STANDARD, "{}").unwrap();
    let (done, looping) = (AtomicBool::new(false), AtomicUsize::new(0));
    let loops = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        // Several threads for each, which ask again at once: who comes again must not get ahead.
        for module in hostile.iter().cycle().take(6) {
            let (done, looping, loops) = (&done, &looping, &loops);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    looping.fetch_add(1, Ordering::Relaxed);
                    let started = Instant::now();
                    let failure =
                        module.validate_hostname(&context(), &domain(), &claim("evil")).unwrap_err();
                    assert_eq!(failure.kind, FailureKind::Deadline);
                    loops.lock().unwrap().push(started.elapsed());
                }
            });
        }
        while looping.load(Ordering::Relaxed) < 6 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let waited: Vec<Duration> = (0..4)
            .map(|_| {
                let started = Instant::now();
                let verdict = good.validate_hostname(&context(), &domain(), &claim("shop"));
                assert_eq!(verdict, Ok(Verdict::Allow));
                started.elapsed()
            })
            .collect();
        done.store(true, Ordering::Relaxed);
        // The machine may be busy, so the limit is as long as it was for a loop in this very run.
        while loops.lock().unwrap().is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let shortest_loop = *loops.lock().unwrap().iter().min().unwrap();
        assert!(shortest_loop >= deadline);
        for waited in waited {
            assert!(waited < 2 * shortest_loop, "waited {waited:?}, a loop took {shortest_loop:?}");
        }
    });
}

#[test]
fn hostile_modules_leave_the_process_as_large_as_it_was() {
    let _alone = ALONE.lock();
    let limits = Limits::default();
    let most_at_once = limits.concurrent_calls.get() * limits.memory_bytes;
    let engine = Engine::new(limits).unwrap();
    let files =
        ["grow-memory", "grow-memory-at-once", "grow-table", "huge-text", "endless-recursion", "fill-memory"];
    let modules = files.map(|file| engine.load(&Guest::later(file).component(), "{}").unwrap());
    let round = || {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for module in &modules {
                        module.validate_hostname(&context(), &domain(), &claim("evil")).unwrap_err();
                    }
                });
            }
        });
    };
    round();
    let before = Memory::now();
    (0..10).for_each(|_| round());
    let after = Memory::now();
    // A byte kept of each of the 240 calls' memories would show: they had 16 MiB each.
    assert!(after.resident < before.resident + (8 << 20), "{before:?}, later {after:?}");
    assert!(after.peak < before.resident + most_at_once + (8 << 20), "{before:?}, later {after:?}");
}

/// Bytes of this process in memory: now, and at most so far.
#[derive(Debug)]
struct Memory {
    resident: usize,
    peak: usize,
}

impl Memory {
    fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let of = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
        };
        Self { resident: of("VmRSS:"), peak: of("VmHWM:") }
    }
}
