//! One landscape on one store: everything that is measured of it, one after the other.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::kinds::Watched;
use openmcp_dns_core::objects::Change;
use openmcp_dns_core::recording::Observation;

use crate::figures::{Figure, Figures};
use crate::landscape::{self, Size, TTL_SECONDS, ingress, large_ingress, name_of};
use crate::running::Running;
use crate::stores::{Kind, Place};

/// Changes one after the other.
const CHANGES: usize = 1000;

/// Most names that a cluster is taken out of.
const EVACUATED: usize = 10_000;

/// How long nothing happens, to see what that costs.
const REST: Duration = Duration::from_secs(5);

/// Time for what was allocated for the moment to be given back.
const CALM: Duration = Duration::from_millis(500);

/// Host names of the object with which a hostile cluster keeps everybody busy: as many as are looked at.
const HOSTILE_HOSTS: usize = 256;

/// After this long, the other clusters are held up.
const HOSTILE_LIMIT: Duration = Duration::from_secs(30);

const KIB: f64 = 1024.0;

/// Measures everything.
pub(crate) async fn measure(kind: Kind, size: Size, folder: &Path) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let raw_bytes = raw(kind, size, folder, &mut figures).await?;

    let mut place = Place::open(kind, &folder.join("recorded")).await?;
    let before = openmcp_dns_allocated::now();
    let _ = openmcp_dns_allocated::take_peak();
    eprintln!("  cold start ...");
    let running = cold(&place, size, &mut figures).await?;
    tokio::time::sleep(CALM).await;
    let per_name = |bytes: usize| bytes.saturating_sub(before + raw_bytes) as f64 / size.names as f64;
    figures.add(Figure::CoreBytes, per_name(openmcp_dns_allocated::now()));
    figures.add(Figure::PeakBytes, per_name(openmcp_dns_allocated::take_peak()));
    figures.add(Figure::ResidentMib, resident_kib()? / KIB);

    eprintln!("  at rest ...");
    rest(&running, &mut figures).await?;
    eprintln!("  one change ...");
    one_change(&running, size, &mut figures).await?;
    // As in the beginning, for what follows.
    list(&running, lists(size, 0)?).await?;
    running.settled(size).await?;
    eprintln!("  module swap ...");
    swap(&running, size, &mut figures).await?;
    eprintln!("  restart of the store ...");
    store_restart(&mut place, &running, size, &mut figures).await?;
    running.end().await?;
    eprintln!("  restart of the service ...");
    let running = service_restart(&place, size, &mut figures).await?;
    eprintln!("  a hostile cluster ...");
    match tokio::time::timeout(HOSTILE_LIMIT, hostile(&running, size, &mut figures)).await {
        Ok(measured) => measured?,
        // The figures stay open.
        Err(_) => eprintln!("  others were not recorded beside it within {HOSTILE_LIMIT:?}"),
    }
    running.end().await?;
    eprintln!("  evacuation ...");
    evacuation(kind, size, folder, &mut figures).await?;
    Ok(figures)
}

/// Two clusters have the same names, and one of them is taken out.
async fn evacuation(kind: Kind, size: Size, folder: &Path, figures: &mut Figures) -> anyhow::Result<()> {
    let names = size.names.min(EVACUATED);
    let both = Size { names: 2 * names, clusters: 2 };
    let place = Place::open(kind, &folder.join("evacuated")).await?;
    let running = Running::start(place.store().await?);
    running.govern(both, "first", TTL_SECONDS).await?;
    for (edition, cluster) in [0, 1].into_iter().zip(both.clusters()) {
        let all = (0..names).map(|number| landscape::shared_ingress(number, edition));
        running.list(&cluster, all.collect::<anyhow::Result<_>>()?).await?;
    }
    running.settled(both).await?;
    for (is_evacuated, figure) in [(true, Figure::EvacuationSeconds), (false, Figure::ReturnSeconds)] {
        let written = running.store.names();
        let started = Instant::now();
        running.evacuate(&landscape::cluster(0), is_evacuated).await?;
        running.written(written + names as u64).await?;
        figures.add(figure, started.elapsed().as_secs_f64());
        running.settled(both).await?;
    }
    running.end().await
}

/// Gives how much memory a store of our own takes.
async fn raw(kind: Kind, size: Size, folder: &Path, figures: &mut Figures) -> anyhow::Result<usize> {
    let place = Place::open(kind, &folder.join("raw")).await?;
    let before = openmcp_dns_allocated::now();
    let (time, transactions) = place.write_raw(size).await?;
    figures.add(Figure::RawSeconds, time.as_secs_f64());
    figures.add(Figure::RawTransactions, transactions as f64);
    Ok(match kind {
        Kind::Memory => openmcp_dns_allocated::now().saturating_sub(before),
        Kind::Etcd => 0,
    })
}

async fn cold(place: &Place, size: Size, figures: &mut Figures) -> anyhow::Result<Running> {
    let lists = lists(size, 0)?;
    let running = Running::start(place.store().await?);
    let (started, cpu) = (Instant::now(), cpu()?);
    running.govern(size, "first", TTL_SECONDS).await?;
    list(&running, lists).await?;
    running.settled(size).await?;
    figures.add(Figure::ColdSeconds, started.elapsed().as_secs_f64());
    figures.add(Figure::ColdCpuSeconds, self::cpu()?.saturating_sub(cpu).as_secs_f64());
    figures.add(Figure::ColdTransactions, running.store.take() as f64);
    Ok(running)
}

async fn rest(running: &Running, figures: &mut Figures) -> anyhow::Result<()> {
    let before = cpu()?;
    tokio::time::sleep(REST).await;
    let used = cpu()?.saturating_sub(before);
    figures.add(Figure::RestCpu, 1000.0 * used.as_secs_f64() / REST.as_secs_f64());
    figures.add(Figure::RestTransactions, running.store.take() as f64);
    Ok(())
}

async fn one_change(running: &Running, size: Size, figures: &mut Figures) -> anyhow::Result<()> {
    // What happens only the first time is not what is measured.
    changes(running, size, 1).await?;
    running.store.take();
    let before = cpu()?;
    let mut times = changes(running, size, 2).await?;
    let used = cpu()?.saturating_sub(before);
    figures.add(Figure::ChangeP50, percentile(&mut times, 50));
    figures.add(Figure::ChangeP99, percentile(&mut times, 99));
    figures.add(Figure::ChangeCpu, 1000.0 * used.as_secs_f64() / times.len() as f64);
    figures.add(Figure::ChangeTransactions, running.store.take() as f64 / times.len() as f64);
    Ok(())
}

/// Changes some objects, one after the other and spread over all clusters but the last; in milliseconds.
async fn changes(running: &Running, size: Size, edition: u8) -> anyhow::Result<Vec<f64>> {
    let quiet = size.clusters - 1;
    let mut times = Vec::with_capacity(CHANGES);
    for change in 0..CHANGES {
        let (cluster, number) = (change % quiet, change / quiet * 7 % size.names_per_cluster());
        // With few names the same one comes again.
        let round = (change / quiet * 7 / size.names_per_cluster()) as u8;
        let cluster = landscape::cluster(cluster);
        let object = ingress(&cluster, number, edition.wrapping_mul(64).wrapping_add(round))?;
        let took = running.change(&cluster, object, name_of(&cluster, number)?).await?;
        times.push(1000.0 * took.as_secs_f64());
    }
    Ok(times)
}

fn hostile_cluster(size: Size) -> ClusterId {
    landscape::cluster(size.clusters - 1)
}

/// One cluster changes the addresses of its largest object as fast as anybody takes it.
async fn hostile(running: &Running, size: Size, figures: &mut Figures) -> anyhow::Result<()> {
    let mut quiet = changes(running, size, 3).await?;
    let cluster = hostile_cluster(size);
    let editions = [large_ingress(&cluster, HOSTILE_HOSTS, 0)?, large_ingress(&cluster, HOSTILE_HOSTS, 1)?];
    let (observations, goes_on) = (running.observations(), Arc::new(AtomicBool::new(true)));
    let sent = tokio::spawn({
        let goes_on = Arc::clone(&goes_on);
        async move {
            let mut sent = 0_u64;
            for object in editions.iter().cycle() {
                let change = Observation::Change(Change::Set(object.clone()));
                if !goes_on.load(Ordering::Relaxed)
                    || observations.send((cluster.clone(), change)).await.is_err()
                {
                    break;
                }
                sent += 1;
            }
            sent
        }
    });
    let started = Instant::now();
    let mut beside = changes(running, size, 1).await?;
    let seconds = started.elapsed().as_secs_f64();
    goes_on.store(false, Ordering::Relaxed);
    figures.add(Figure::QuietP99, percentile(&mut quiet, 99));
    figures.add(Figure::BesideP99, percentile(&mut beside, 99));
    figures.add(Figure::HostileRate, sent.await? as f64 / seconds);
    Ok(())
}

async fn swap(running: &Running, size: Size, figures: &mut Figures) -> anyhow::Result<()> {
    for (digest, ttl_seconds, time, transactions) in [
        ("second", TTL_SECONDS, Figure::SameSeconds, Figure::SameTransactions),
        ("third", TTL_SECONDS / 2, Figure::OtherSeconds, Figure::OtherTransactions),
    ] {
        running.store.take();
        let started = Instant::now();
        running.govern(size, digest, ttl_seconds).await?;
        running.settled(size).await?;
        figures.add(time, started.elapsed().as_secs_f64());
        figures.add(transactions, running.store.take() as f64);
    }
    Ok(())
}

/// Something changes while the store is away.
async fn store_restart(
    place: &mut Place,
    running: &Running,
    size: Size,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    place.stop();
    let cluster = landscape::cluster(0);
    let object = ingress(&cluster, 0, 200)?;
    let change = running.change(&cluster, object, name_of(&cluster, 0)?);
    let resume = async {
        let started = Instant::now();
        place.resume().await?;
        anyhow::Ok(started)
    };
    let (took, started) = tokio::join!(change, resume);
    took?;
    running.settled(size).await?;
    figures.add(Figure::StoreRestartSeconds, started?.elapsed().as_secs_f64());
    figures.add(Figure::StoreRestartTransactions, running.store.take() as f64);
    running.change(&cluster, ingress(&cluster, 0, 0)?, name_of(&cluster, 0)?).await?;
    Ok(())
}

async fn service_restart(place: &Place, size: Size, figures: &mut Figures) -> anyhow::Result<Running> {
    let lists = lists(size, 0)?;
    let running = Running::start(place.store().await?);
    let started = Instant::now();
    running.govern(size, "third", TTL_SECONDS / 2).await?;
    list(&running, lists).await?;
    running.settled(size).await?;
    figures.add(Figure::RestartSeconds, started.elapsed().as_secs_f64());
    figures.add(Figure::RestartTransactions, running.store.take() as f64);
    Ok(running)
}

type Lists = Vec<(ClusterId, Vec<Watched>)>;

async fn list(running: &Running, lists: Lists) -> anyhow::Result<()> {
    for (cluster, list) in lists {
        running.list(&cluster, list).await?;
    }
    Ok(())
}

fn lists(size: Size, edition: u8) -> anyhow::Result<Lists> {
    let list = |cluster: ClusterId| {
        let objects = (0..size.names_per_cluster()).map(|number| ingress(&cluster, number, edition));
        let objects = objects.collect::<anyhow::Result<_>>()?;
        Ok((cluster, objects))
    };
    size.clusters().map(list).collect()
}

/// Processor time that the threads of this process have used so far.
fn cpu() -> anyhow::Result<Duration> {
    let mut nanoseconds = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        // A thread may end meanwhile.
        let Ok(times) = std::fs::read_to_string(task?.path().join("schedstat")) else { continue };
        nanoseconds += times.split_whitespace().next().unwrap_or("0").parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

fn resident_kib() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    Ok(line.and_then(|line| line.split_whitespace().next()).unwrap_or("0").parse()?)
}

fn percentile(times: &mut [f64], percent: usize) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    let rank = (times.len() * percent).div_ceil(100).max(1);
    times.get(rank - 1).copied().unwrap_or(f64::NAN)
}
