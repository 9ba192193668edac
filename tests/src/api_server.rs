//! kube-apiserver with an etcd of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Namespace, Service, ServiceAccount};
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use rustix::process::Signal;

use crate::audit::Audited;
use crate::certificates::Certificates;
use crate::etcd::{Durability, Etcd};
use crate::ports::free_address;
use crate::process::Process;
use crate::programs::Provided;

/// Six servers that start at once on two cores take their time.
const START: Duration = Duration::from_secs(180);

/// Of the only user, who may do everything. Nothing but this machine can use it.
const TOKEN: &str = "token-of-a-test";

/// Every request is noted, with who has made it and what came of it.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules: [{level: Metadata}]
";

/// One API server.
pub struct ApiServer {
    name: String,
    address: SocketAddr,
    arguments: Vec<String>,
    certificates: Certificates,
    audit_log: PathBuf,
    logs: PathBuf,
    client: Client,
    process: Option<Process>,
    _etcd: Etcd,
}

impl ApiServer {
    /// Starts it with an etcd, and waits until it has made what every cluster has.
    ///
    /// `service_range` is the IPv4 network of Service addresses, for example `10.96.0.0/16`; the
    /// Service `kubernetes` gets its first address.
    ///
    /// # Errors
    /// When one of the two does not start.
    pub async fn start(name: &str, service_range: &str, folder: &Path, logs: &Path) -> anyhow::Result<Self> {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("failed to create {}", folder.display()))?;
        let etcd = Etcd::start(&format!("{name}-etcd"), Durability::Unsynced, &folder, logs).await?;
        let certificates = Certificates::create(name, &folder)?;
        let tokens = folder.join("tokens.csv");
        std::fs::write(&tokens, format!("{TOKEN},admin,1,\"system:masters\"\n"))
            .with_context(|| format!("failed to write {}", tokens.display()))?;
        let (audit_policy, audit_log) = (folder.join("audit-policy.yaml"), folder.join("audit.log"));
        std::fs::write(&audit_policy, AUDIT_POLICY)
            .with_context(|| format!("failed to write {}", audit_policy.display()))?;
        let address = free_address()?;
        let arguments = vec![
            format!("--audit-policy-file={}", audit_policy.display()),
            format!("--audit-log-path={}", audit_log.display()),
            format!("--etcd-servers={}", etcd.endpoint),
            format!("--bind-address={}", address.ip()),
            format!("--advertise-address={}", address.ip()),
            format!("--secure-port={}", address.port()),
            format!("--cert-dir={}", folder.display()),
            format!("--tls-cert-file={}", certificates.server_certificate.display()),
            format!("--tls-private-key-file={}", certificates.server_key.display()),
            format!("--service-account-key-file={}", certificates.service_account_public_key.display()),
            format!("--service-account-signing-key-file={}", certificates.service_account_key.display()),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-cluster-ip-range={service_range}"),
            format!("--token-auth-file={}", tokens.display()),
            "--authorization-mode=RBAC".to_owned(),
            // No endpoint of the Service `kubernetes`: one on 127.0.0.1 would be refused again and again.
            "--endpoint-reconciler-type=none".to_owned(),
            // Nobody makes the default service accounts without a controller manager.
            "--disable-admission-plugins=ServiceAccount".to_owned(),
        ];
        let client = client(name, address, &certificates).await?;
        let mut server = Self {
            name: name.to_owned(),
            address,
            arguments,
            certificates,
            audit_log,
            logs: logs.to_owned(),
            client,
            process: None,
            _etcd: etcd,
        };
        server.resume().await?;
        Ok(server)
    }

    /// A client that may do everything.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// A kubeconfig that may do everything, as YAML.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        kubeconfig(&self.name, self.address, &self.certificates)
    }

    /// A kubeconfig for a service account, with a new token.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn kubeconfig_of(&self, namespace: &str, account: &str) -> anyhow::Result<String> {
        let accounts = Api::<ServiceAccount>::namespaced(self.client(), namespace);
        let token =
            accounts.create_token_request(account, &PostParams::default(), &TokenRequest::default()).await?;
        let token = token.status.and_then(|status| status.token).context("no token")?;
        Ok(self.kubeconfig().replace(TOKEN, &token))
    }

    /// What a user has asked so far.
    ///
    /// # Errors
    /// When the audit log cannot be read.
    pub fn audited(&self, user: &str) -> anyhow::Result<Audited> {
        Audited::read(&self.audit_log, user)
    }

    /// Stops the server as it stands, or has it go on: connections stay open, and nothing is answered.
    ///
    /// # Errors
    /// When it does not run.
    pub fn freeze(&self, is_frozen: bool) -> anyhow::Result<()> {
        let process = self.process.as_ref().context("the API server does not run")?;
        process.signal(if is_frozen { Signal::STOP } else { Signal::CONT })
    }

    /// Kills the server; its data stay.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts the server again, on the same port with the same data.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn resume(&mut self) -> anyhow::Result<()> {
        let program = Provided::KubeApiserver.path()?;
        let name = format!("{}-kube-apiserver", self.name);
        let mut process = Process::start(&name, &program, &self.arguments, &[], &self.logs)?;
        let namespaces: Api<Namespace> = Api::all(self.client());
        let services: Api<Service> = Api::namespaced(self.client(), "default");
        let what = format!("{name} has its first namespaces and the Service kubernetes");
        process
            .wait_ready(&what, START, async || {
                for namespace in ["default", "kube-system"] {
                    namespaces.get(namespace).await.map_err(|error| format!("{namespace}: {error}"))?;
                }
                services.get("kubernetes").await.map_err(|error| format!("kubernetes: {error}"))
            })
            .await?;
        self.process = Some(process);
        Ok(())
    }
}

async fn client(name: &str, address: SocketAddr, certificates: &Certificates) -> anyhow::Result<Client> {
    let kubeconfig = Kubeconfig::from_yaml(&kubeconfig(name, address, certificates))?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.connect_timeout = Some(Duration::from_secs(5));
    Ok(Client::try_from(config)?)
}

fn kubeconfig(name: &str, address: SocketAddr, certificates: &Certificates) -> String {
    use k8s_openapi::ByteString;
    // The same base64 as everywhere in the API.
    let authority = ByteString(certificates.authority.clone().into_bytes());
    let authority = serde_json::to_string(&authority).unwrap_or_default();
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: {name}
  cluster:
    server: https://{address}
    certificate-authority-data: {authority}
users:
- name: admin
  user:
    token: {TOKEN}
contexts:
- name: {name}
  context:
    cluster: {name}
    user: admin
current-context: {name}
"
    )
}
