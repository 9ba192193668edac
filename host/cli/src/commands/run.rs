//! `openmcp-dns run`: the service.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::confirm::confirm_command;
use super::decision_log::DecisionLogArgs;
use super::deploy::{DeployArgs, Records};
use super::etcd::EtcdOptions;
use super::gate::{GateArgs, Opened};
use super::leading::{LeaderArgs, leader_key};
use super::limits::LimitArgs;
use super::platform::PlatformArgs;
use super::provider::{AccessArgs, MetricsArgs, ProviderArgs};
use super::remote::RemoteArgs;
use crate::terminal::hint::Hint as _;
use crate::terminal::shutdown::Shutdown;
use openmcp_dns_modules::SourceOptions;
use openmcp_dns_page::PageServer;
use openmcp_dns_service::address::parse_server;
use openmcp_dns_service::api_client::of_leader;
use openmcp_dns_service::journal::Journal;
use openmcp_dns_service::metrics::{Metrics, MetricsServer, Readiness};
use openmcp_dns_service::page::{About, Page};
use openmcp_dns_service::probe::Pace;
use openmcp_dns_service::run::{Budget, Ended, LeavingBounds, Service, TAKE_BACK_AFTER, run as run_service};
use openmcp_dns_service::upgrade::Upgrade;

/// Runs the service on a platform cluster: deploys the central DNS server and its etcd there, watches
/// its `Cluster` and `DNSPolicy` objects and the routes of every cluster, records host names in etcd, and
/// makes every cluster's DNS forward to the central DNS server.
///
/// With --etcd, the central DNS is somebody else's: nothing is deployed.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when it was told to end, 3 when it has lost the lead (it stands by when it is started again), 1 on an error.

Examples:
  Inside of the platform cluster, configured by the environment:
    openmcp-dns run

  From outside, against a central CoreDNS that reads the same etcd:
    openmcp-dns run --kubeconfig platform.yaml --etcd http://10.0.0.5:2379 --dns-server 172.18.200.53

  More to read on stderr:
    RUST_LOG=openmcp_dns=debug openmcp-dns run ...")]
pub struct RunArgs {
    #[command(flatten)]
    platform: PlatformArgs,

    /// Endpoints of the etcd that the central DNS server reads, where they exist already; without it, both are
    /// deployed as the DNSServiceConfig says
    #[arg(long, env = "OPENMCP_DNS_ETCD", value_name = "URL", value_delimiter = ',')]
    etcd: Vec<String>,

    #[command(flatten)]
    etcd_options: EtcdOptions,

    /// Address of the central DNS server beside --etcd as the clusters reach it, IP or IP:port; the first one
    /// is probed. Without it, no cluster is made to forward, and nothing is probed
    #[arg(long, env = "OPENMCP_DNS_SERVER", value_name = "ADDRESS", value_delimiter = ',', value_parser = parse_server,
        requires = "etcd")]
    dns_server: Vec<SocketAddr>,

    #[command(flatten)]
    deploy: DeployArgs,

    #[command(flatten)]
    leader: LeaderArgs,

    #[command(flatten)]
    gate: GateArgs,

    /// Where to answer /metrics (Prometheus), /healthz and /readyz: IP:port, :port for all IPv4 addresses, or 0 for nowhere
    #[arg(long, visible_alias = "metrics-bind-address", env = "OPENMCP_DNS_METRICS_LISTEN", value_name = "ADDRESS",
        value_parser = parse_listen)]
    metrics_listen: Option<Listen>,

    #[command(flatten)]
    metrics: MetricsArgs,

    /// Where to serve the live page, which shows the landscape to operators and changes nothing: IP:port. It has no
    /// login: on 127.0.0.1 of a pod, `kubectl port-forward` leads to it, and nobody else
    #[arg(long, env = "OPENMCP_DNS_PAGE_LISTEN", value_name = "ADDRESS", value_parser = parse_listen)]
    page_listen: Option<Listen>,

    #[command(flatten)]
    decision_log: DecisionLogArgs,

    #[command(flatten)]
    sources: SourceArgs,

    #[command(flatten)]
    limits: LimitArgs,

    #[command(flatten)]
    access: AccessArgs,

    #[command(flatten)]
    pub provider: ProviderArgs,
}

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listen {
    Nowhere,
    At(SocketAddr),
}

/// As Go programs have it, too.
fn parse_listen(text: &str) -> Result<Listen, String> {
    let full = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    match full.parse() {
        Ok(address) => Ok(Listen::At(address)),
        Err(_) if text == "0" => Ok(Listen::Nowhere),
        Err(_) => Err("an address is IP:port, for example 0.0.0.0:8080".to_owned()),
    }
}

/// Where policy modules may come from.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Policy modules")]
struct SourceArgs {
    #[command(flatten)]
    remote: RemoteArgs,

    /// Allow modules from files of this machine (`spec.module.file`). For demonstrations and tests:
    /// whoever may write a DNSPolicy may then have any file read
    #[arg(long)]
    allow_file_modules: bool,

    /// How often to look whether the tag of a module has moved, in seconds
    #[arg(long, env = "OPENMCP_DNS_TAG_CHECK_SECONDS", value_name = "SECONDS", default_value_t = 300,
        value_parser = clap::value_parser!(u64).range(1..=604_800))]
    tag_check_seconds: u64,
}

impl SourceArgs {
    fn options(self) -> SourceOptions {
        let Self { remote, allow_file_modules, tag_check_seconds } = self;
        SourceOptions {
            untrusted_http: remote.untrusted_http(),
            allow_files: allow_file_modules,
            tag_check: Duration::from_secs(tag_check_seconds),
        }
    }
}

/// How long the central CoreDNS may keep an old answer, whatever its TTL: the greatest value in its `cache`, in
/// deploy/central.Corefile and where we deploy it. Until then an old answer is no fault.
const CENTRAL_CACHE: Duration = Duration::from_secs(30);

/// What the exit code says when another replica leads.
const LEAD_LOST: u8 = 3;

/// Runs the command until it is told to end.
pub async fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let RunArgs {
        platform: platform_args,
        etcd,
        etcd_options,
        dns_server,
        deploy,
        leader,
        gate,
        metrics_listen,
        metrics: metrics_args,
        page_listen,
        decision_log,
        sources,
        limits,
        access,
        provider: ProviderArgs { provider_name, environment, verbosity: _ },
    } = args;
    metrics_args.warn();
    let deploy = deploy.named(provider_name.clone());
    let mut shutdown = Shutdown::listen().context("failed to catch signals")?;
    let in_cluster =
        platform_args.kubeconfig.is_none() && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    let platform = platform_args.client().await?;
    let namespace = platform_args.namespace.as_str();
    let prefix = etcd_options.prefix().clone();
    let engine = limits.engine()?;
    let (metrics, readiness) = (Metrics::default(), Readiness::default());
    let serving = serve_metrics(metrics_listen, &metrics, &readiness).await?;
    let page = bind_page(page_listen).await?;
    let upgrade = Upgrade::new(platform.clone(), namespace, env!("CARGO_PKG_VERSION"));
    tokio::select! {
        // Before anything is touched, the Lease included.
        checked = upgrade.check() => checked.hint(
            "delete the ConfigMap openmcp-dns-version beside the service where you know better",
        )?,
        () = shutdown.requested() => return Ok(ExitCode::SUCCESS),
    }
    let leadership = leader.leadership(&platform, namespace, in_cluster);
    tokio::spawn(upgrade.note(leadership.clone()));
    let platform = of_leader(platform, leadership.clone());
    let config_name = Some(deploy.config_name());
    let own_image = deploy.own_image();
    let Opened { gate, enrolment } = gate.open(&platform, namespace, &deploy).await?;
    let starting = async {
        let leader_key = leader_key(&platform).await;
        let records = if etcd.is_empty() {
            deploy.records(&platform, namespace, prefix.clone(), &leadership).await?
        } else {
            if dns_server.is_empty() {
                tracing::warn!("no --dns-server: no cluster is made to forward, and nothing is probed");
            }
            let upstreams = tokio::sync::watch::channel(dns_server).1;
            Records { store: etcd_options.connect(etcd).await?, upstreams, deployer: None }
        };
        anyhow::Ok((leader_key, records))
    };
    let (leader_key, Records { store, upstreams, deployer }) = tokio::select! {
        started = starting => started?,
        () = shutdown.requested() => {
            leadership.release().await;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let service = Service {
        inventory: access.inventory(&platform_args, &platform, provider_name.as_deref()),
        platform,
        leadership,
        leader_key,
        statuses: Budget::default(),
        store,
        prefix,
        engine,
        sources: sources.options(),
        upstreams,
        config_name,
        take_back_after: TAKE_BACK_AFTER,
        leaving: LeavingBounds::default(),
        enrolment,
        own_image,
        deployer,
        gate,
        pace: Pace { cached: CENTRAL_CACHE },
        // CoreDNS's etcd plugin finds a stored one only by asking for `*` itself.
        wildcards: false,
        journal: Journal::new(metrics.clone()),
        metrics,
        readiness,
        decision_log: decision_log.options(),
        page,
    };
    let cancel = CancellationToken::new();
    let ending = cancel.clone();
    tokio::spawn(async move {
        shutdown.requested().await;
        tracing::info!("ending");
        ending.cancel();
    });
    tracing::info!(version = env!("CARGO_PKG_VERSION"), environment, "running");
    tokio::select! {
        ended = run_service(service, cancel) => match ended {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(Ended::Lead(lost)) => {
                tracing::error!("{lost}");
                Ok(ExitCode::from(LEAD_LOST))
            }
            Err(ended) => Err(ended.into()),
        },
        () = serving => anyhow::bail!("metrics are no longer served"),
    }
}

/// Takes the address of the live page, where one is asked for.
async fn bind_page(listen: Option<Listen>) -> anyhow::Result<Option<Page>> {
    let Some(Listen::At(address)) = listen else { return Ok(None) };
    let server = PageServer::bind(address)
        .await
        .with_context(|| format!("failed to listen on {address}"))
        .hint("choose another address with --page-listen")?;
    tracing::info!(address = %server.address(), "the live page is served");
    let about = About {
        title: None,
        version: env!("CARGO_PKG_VERSION"),
        facts: Vec::new(),
        problems: tokio::sync::watch::channel(Vec::new()).1,
        confirm: Box::new(confirm_command),
    };
    Ok(Some(Page { server, about }))
}

/// Answers questions about the service, where that is asked for.
async fn serve_metrics(
    listen: Option<Listen>,
    metrics: &Metrics,
    readiness: &Readiness,
) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    let mut server = None;
    if let Some(Listen::At(address)) = listen {
        let bound = MetricsServer::bind(address, metrics.clone(), readiness.clone())
            .await
            .with_context(|| format!("failed to listen on {address}"))
            .hint("choose another address with --metrics-listen")?;
        tracing::info!(address = %bound.local_addr()?, "metrics are served");
        server = Some(tokio::spawn(bound.run()));
    }
    Ok(async {
        match server {
            Some(server) => drop(server.await),
            None => std::future::pending().await,
        }
    })
}
