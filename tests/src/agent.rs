//! external-dns in a cluster, which records through the gate.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType,
};
use sha2::{Digest as _, Sha256};

use crate::landscape::{Cluster, Landscape};
use crate::manifests::{CLUSTERS, ZONE};
use crate::ports::free_address;
use crate::process::Process;
use crate::programs::Provided;

/// The files of the gate, and whom it lets in.
pub struct GateFiles {
    /// Where the gate listens.
    pub address: SocketAddr,
    folder: PathBuf,
    authority: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key, and what tells it from others.
struct Identity {
    certificate: PathBuf,
    key: PathBuf,
    fingerprint: String,
}

impl GateFiles {
    /// Makes them; nobody is let in yet.
    ///
    /// # Errors
    /// When a certificate cannot be made, or a file not be written.
    pub fn create(landscape: &Landscape) -> anyhow::Result<Self> {
        let folder = landscape.folder().join("gate");
        std::fs::create_dir_all(&folder).context("failed to create a folder for the gate")?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "agents");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let files = Self { address: free_address()?, folder, authority };
        std::fs::write(files.folder.join("ca.crt"), files.authority.pem())?;
        files.sign("tls", ExtendedKeyUsagePurpose::ServerAuth)?;
        files.admit(&[])?;
        Ok(files)
    }

    /// What the service is started with.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        vec![format!("--gate-listen={}", self.address), format!("--gate-files={}", self.folder.display())]
    }

    fn sign(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> anyhow::Result<Identity> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names = vec![SanType::IpAddress(self.address.ip())];
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate()?;
        let signed = params.signed_by(&key, &self.authority)?;
        let digits = Sha256::digest(signed.der()).iter().map(|byte| format!("{byte:02x}")).collect();
        let identity = Identity {
            certificate: self.folder.join(format!("{name}.crt")),
            key: self.folder.join(format!("{name}.key")),
            fingerprint: digits,
        };
        std::fs::write(&identity.certificate, signed.pem())?;
        std::fs::write(&identity.key, key.serialize_pem())?;
        Ok(identity)
    }

    /// Lets these agents in, and no others.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn admit(&self, agents: &[&Agent]) -> anyhow::Result<()> {
        let line = |agent: &&Agent| format!("{CLUSTERS}/{} {}\n", agent.cluster, agent.identity.fingerprint);
        let new = self.folder.join("agents.new");
        std::fs::write(&new, agents.iter().map(line).collect::<String>())?;
        std::fs::rename(new, self.folder.join("agents")).context("failed to write the file of agents")
    }
}

/// external-dns for one cluster.
pub struct Agent {
    cluster: &'static str,
    identity: Identity,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    logs: PathBuf,
    process: Option<Process>,
}

impl Agent {
    /// As the flags of the openMCP design have it, with these further ones. It is not started.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn new(
        landscape: &Landscape,
        gate: &GateFiles,
        cluster: &Cluster,
        more: &[&str],
    ) -> anyhow::Result<Self> {
        let identity = gate.sign(cluster.name, ExtendedKeyUsagePurpose::ClientAuth)?;
        let kubeconfig = landscape.folder().join(format!("{}.agent.kubeconfig", cluster.name));
        std::fs::write(&kubeconfig, cluster.api.kubeconfig())?;
        let mut arguments = vec![
            "--source=ingress".to_owned(),
            "--source=gateway-httproute".to_owned(),
            "--provider=coredns".to_owned(),
            "--policy=sync".to_owned(),
            "--interval=1s".to_owned(),
            format!("--domain-filter={}.{ZONE}", cluster.name),
            format!("--txt-owner-id={}", cluster.name),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--metrics-address={}", free_address()?),
        ];
        arguments.extend(more.iter().map(ToString::to_string));
        let text = |path: &Path| path.display().to_string();
        let environment = vec![
            ("ETCD_URLS", format!("https://{}", gate.address)),
            ("ETCD_CA_FILE", text(&gate.folder.join("ca.crt"))),
            ("ETCD_CERT_FILE", text(&identity.certificate)),
            ("ETCD_KEY_FILE", text(&identity.key)),
        ];
        let logs = landscape.logs();
        Ok(Self { cluster: cluster.name, identity, arguments, environment, logs, process: None })
    }

    /// Starts it, if it does not run: it ends at every error, and the kubelet starts it again.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn keep_alive(&mut self) -> anyhow::Result<()> {
        if let Some(process) = &mut self.process
            && process.ended()?.is_none()
        {
            return Ok(());
        }
        let environment: Vec<(&str, &str)> =
            self.environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let program = Provided::ExternalDns.path()?;
        let name = format!("{}-external-dns", self.cluster);
        self.process = Some(Process::start(&name, &program, &self.arguments, &environment, &self.logs)?);
        Ok(())
    }

    /// What it has logged.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub fn log(&self) -> anyhow::Result<String> {
        let log = self.logs.join(format!("{}-external-dns.log", self.cluster));
        std::fs::read_to_string(&log).with_context(|| format!("failed to read {}", log.display()))
    }
}
