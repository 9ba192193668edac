//! What recording costs at 1,000 to 1,000,000 names, on a store in memory with etcd's rules and on etcd.
//!
//! It drives the recorder of the service with all machines behind it, and a policy module of no cost, beside
//! raw writes of the same keys in batches. Each landscape has a process of its own, so that its memory is its
//! own.
//!
//! usage: `make bench-scale`, or `scripts/bench-scale ARGUMENTS`:
//!   --million        a million names in a thousand clusters, too
//!   --only N         this number of names only
//!   memory, etcd     only on this store

mod figures;
mod landscape;
mod measure;
mod running;
mod stores;

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use figures::{ALL, Figure, Figures};
use landscape::Size;
use stores::Kind;

#[global_allocator]
static ALLOCATOR: openmcp_dns_allocated::Counting = openmcp_dns_allocated::Counting;

const SIZES: [Size; 3] = [
    Size { names: 1_000, clusters: 10 },
    Size { names: 10_000, clusters: 10 },
    Size { names: 100_000, clusters: 100 },
];

const MILLION: Size = Size { names: 1_000_000, clusters: 1_000 };

/// Tells a process that it is to measure one landscape.
const ONE: &str = "--one";

fn main() -> anyhow::Result<()> {
    // Cargo adds an argument of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let kind = |text: &str| [Kind::Memory, Kind::Etcd].into_iter().find(|kind| kind.as_str() == text);
    if let [one, store, names, clusters] = &arguments[..]
        && one == ONE
    {
        let size = Size { names: names.parse()?, clusters: clusters.parse()? };
        return one_landscape(kind(store).context("no such store")?, size);
    }
    let mut sizes = SIZES.to_vec();
    let mut kinds: Vec<Kind> = arguments.iter().filter_map(|argument| kind(argument)).collect();
    if kinds.is_empty() {
        kinds = vec![Kind::Memory, Kind::Etcd];
    }
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--million" => sizes.push(MILLION),
            "--only" => {
                let only: usize = rest.next().context("--only wants a number of names")?.parse()?;
                sizes.push(MILLION);
                sizes.retain(|size| size.names == only);
            }
            other => ensure!(kind(other).is_some(), "{other}: see the head of the bench for what it takes"),
        }
    }
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{cores} cores");
    for kind in kinds {
        let mut all = Vec::new();
        for size in &sizes {
            eprintln!("{}: {} names in {} clusters ...", kind.as_str(), size.names, size.clusters);
            all.push((*size, in_its_own_process(kind, *size)?));
        }
        print(kind, &all);
    }
    Ok(())
}

fn in_its_own_process(kind: Kind, size: Size) -> anyhow::Result<Figures> {
    let (names, clusters) = (size.names.to_string(), size.clusters.to_string());
    let mut command = Command::new(std::env::current_exe()?);
    command.args([ONE, kind.as_str(), &names, &clusters]).stderr(std::process::Stdio::inherit());
    let output = command.output()?;
    ensure!(output.status.success(), "{names} names on {}: {}", kind.as_str(), output.status);
    Ok(Figures::read(&String::from_utf8(output.stdout)?))
}

fn one_landscape(kind: Kind, size: Size) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(measure::measure(kind, size, Path::new(folder.path())))?;
    print!("{}", figures.write());
    Ok(())
}

fn print(kind: Kind, all: &[(Size, Figures)]) {
    println!("\n{:<56}{}", format!("on {}", kind.as_str()), columns(all, |size, _| size.names.to_string()));
    println!("{:<56}{}", "clusters", columns(all, |size, _| size.clusters.to_string()));
    for (figure, text, digits) in ALL {
        println!("{text:<56}{}", columns(all, |_, figures| format!("{:.digits$}", figures.get(figure))));
    }
    println!("{:<56}{}", "cold start / raw", ratio(all, Figure::ColdSeconds, Figure::RawSeconds));
    println!(
        "{:<56}{}",
        "p99 beside a hostile cluster / quiet",
        ratio(all, Figure::BesideP99, Figure::QuietP99)
    );
    let Some((_, smallest)) = all.first() else { return };
    for (figure, text) in [
        (Figure::ChangeP50, "one change, p50 / that of the first column"),
        (Figure::ChangeCpu, "one change, processor time / that of the first column"),
    ] {
        let first = smallest.get(figure);
        println!("{text:<56}{}", columns(all, |_, figures| format!("{:.2}", figures.get(figure) / first)));
    }
}

fn ratio(all: &[(Size, Figures)], of: Figure, to: Figure) -> String {
    columns(all, |_, figures| format!("{:.2}", figures.get(of) / figures.get(to)))
}

fn columns(all: &[(Size, Figures)], cell: impl Fn(&Size, &Figures) -> String) -> String {
    all.iter().map(|(size, figures)| format!("{:>12}", cell(size, figures))).collect()
}
