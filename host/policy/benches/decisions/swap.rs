//! Decides without a pause while another module is loaded and takes over, again and again.

use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use openmcp_dns_core::policy::{Policy, Verdict};
use openmcp_dns_policy::{Engine, Module, STANDARD};

use crate::cases::cases;
use crate::figures::{Figures, row};

/// Denies names that start with `deny-`; the standard module allows them. So an answer says which of
/// the two gave it.
const OTHER: &[u8] = include_bytes!("../../../../policies/deny-prefix/deny-prefix.wasm");
const SWAPS: usize = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// Measures the same time with and without swaps: with every core busy deciding, and with one left to the
/// rest of the machine.
pub(crate) fn swap_under_load(engine: &Engine) {
    let cores = std::thread::available_parallelism().unwrap().get();
    for threads in [cores, cores - 1].into_iter().filter(|threads| *threads > 0) {
        println!("\n{threads} of {cores} cores decide without a pause");
        swap_while(engine, threads);
    }
}

fn swap_while(engine: &Engine, threads: usize) {
    let started = Instant::now();
    let with = run(engine, threads, |current| {
        for swap in 0..SWAPS {
            let next = engine.load(if swap % 2 == 0 { OTHER } else { STANDARD }, "{}").unwrap();
            *current.write().unwrap() = next;
            std::thread::sleep(PAUSE);
        }
    });
    let as_long = started.elapsed();
    let without = run(engine, threads, |_| std::thread::sleep(as_long));

    println!("{:<52} {:>9} {:>9} {:>9} {:>9}", "ONE QUESTION (microseconds)", "p50", "p99", "p99.9", "max");
    for (what, (figures, lost)) in
        [("without swaps", &without), ("while 20 modules are loaded and swapped in", &with)]
    {
        row(what, figures);
        let bound = figures.quantile(0.5).unwrap_or_default() * 10;
        println!(
            "  {} answers, all of the module that was asked; {lost} questions without one; {} took longer than ten times the median",
            figures.count(),
            figures.longer_than(bound)
        );
    }
}

/// Decides in some threads while `meanwhile` runs. Gives the times, and how many questions got no answer.
fn run(engine: &Engine, threads: usize, meanwhile: impl FnOnce(&RwLock<Module>)) -> (Figures, usize) {
    let standard = engine.load(STANDARD, "{}").unwrap();
    let standard_digest = standard.digest().to_owned();
    let current = RwLock::new(standard);
    let (done, lost) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut case = cases().swap_remove(0);
    case.context.configuration = "{}".to_owned();
    case.claim.host_name = "deny-shop.workload01.openmcp.cluster".parse().unwrap();
    let domain = "workload01.openmcp.cluster".parse().unwrap();
    let ask = || {
        let mut times = Vec::new();
        while !done.load(Ordering::Relaxed) {
            let started = Instant::now();
            let module = current.read().unwrap().clone();
            let verdict = module.validate_hostname(&case.context, &domain, &case.claim);
            times.push(started.elapsed());
            let Ok(verdict) = verdict else {
                lost.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            assert_eq!(verdict == Verdict::Allow, module.digest() == standard_digest, "{verdict:?}");
        }
        times
    };
    std::thread::scope(|scope| {
        let deciding: Vec<_> = (0..threads).map(|_| scope.spawn(ask)).collect();
        meanwhile(&current);
        done.store(true, Ordering::Relaxed);
        let times = deciding.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        (Figures::of(times), lost.load(Ordering::Relaxed))
    })
}
