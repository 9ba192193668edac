//! Many decisions at once, and many modules at once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use openmcp_dns_core::decide::{AllowedNames, Decision, decide};
use openmcp_dns_core::details::AskedClaim;
use openmcp_dns_core::labels::Labels;
use openmcp_dns_core::resolve::Claim;
use openmcp_dns_policy::{Engine, Module, STANDARD};

use crate::cases::{Case, DOMAIN, RULES};

const DECISIONS: usize = 100_000;
const MODULES: usize = 50;

/// Whole decisions, the host's checks included, on every core: an allowed claim takes two questions.
pub(crate) fn throughput(module: &Module, cases: &[Case]) {
    let threads = std::thread::available_parallelism().unwrap().get();
    let allowed = AllowedNames {
        domain: DOMAIN.parse().unwrap(),
        shared_names: cases[0].context.shared_names.iter().cloned().collect(),
        shared_suffixes: BTreeSet::new(),
        wildcards: true,
        ttl: openmcp_dns_core::ttl::TtlBounds::default(),
    };
    let undecided = AtomicUsize::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (allowed, undecided) = (&allowed, &undecided);
            scope.spawn(move || {
                for index in (thread..DECISIONS).step_by(threads) {
                    let Case { context, claim } = &cases[index % cases.len()];
                    let wanted = Claim {
                        host_name: claim.host_name.to_string(),
                        targets: claim.targets.clone(),
                        ttl_seconds: None,
                    };
                    let asked = AskedClaim::new(claim.source.clone(), Labels::default(), wanted);
                    let decision = decide(module, context, allowed, &asked);
                    // On a machine that stalls for a second, a call meets its deadline.
                    if let Decision::Undecided(_) = decision {
                        undecided.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let elapsed = started.elapsed();
    println!(
        "\n{DECISIONS} decisions on {threads} cores: {:.2} s, {:.0} decisions per second, {} undecided",
        elapsed.as_secs_f64(),
        DECISIONS as f64 / elapsed.as_secs_f64(),
        undecided.into_inner()
    );
}

/// What a loaded module keeps of the process's memory.
pub(crate) fn memory(engine: &Engine) {
    let before = resident_bytes();
    let loaded: Vec<Module> =
        (0..MODULES).map(|number| engine.load(&marked(number), RULES).unwrap()).collect();
    let grown = resident_bytes().saturating_sub(before);
    println!("{} loaded modules: {} KiB of memory for each", loaded.len(), grown / loaded.len() / 1024);
}

/// The standard module with a section that makes its bytes, and so its digest, others.
pub(crate) fn marked(number: usize) -> Vec<u8> {
    let mut bytes = STANDARD.to_vec();
    bytes.extend([0, 5, 4]);
    bytes.extend(format!("{number:04}").bytes());
    bytes
}

/// Bytes of the process that are in memory now (`VmRSS`).
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
