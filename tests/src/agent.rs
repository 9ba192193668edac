//! external-dns in a cluster, which records through the gate.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use k8s_openapi::ByteString;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType,
};
use serde_json::Value;
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

/// external-dns, as a kubelet runs it.
pub struct ExternalDns {
    name: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    logs: PathBuf,
    process: Option<Process>,
}

impl ExternalDns {
    /// In a cluster, with these arguments and environment. It is not started.
    ///
    /// # Errors
    /// When a file cannot be written.
    fn new(
        landscape: &Landscape,
        cluster: &Cluster,
        mut arguments: Vec<String>,
        environment: Vec<(String, String)>,
    ) -> anyhow::Result<Self> {
        let kubeconfig = landscape.folder().join(format!("{}.agent.kubeconfig", cluster.name));
        std::fs::write(&kubeconfig, cluster.api.kubeconfig())?;
        arguments.retain(|argument| !argument.starts_with("--metrics-address="));
        arguments.push(format!("--kubeconfig={}", kubeconfig.display()));
        arguments.push(format!("--metrics-address={}", free_address()?));
        let name = format!("{}-external-dns", cluster.name);
        Ok(Self { name, arguments, environment, logs: landscape.logs(), process: None })
    }

    /// Without a gate: it records routes of this domain in the store itself, and keeps no registry.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn on_store(
        landscape: &Landscape,
        cluster: &Cluster,
        domain: &str,
        more: &[&str],
    ) -> anyhow::Result<Self> {
        let mut arguments = vec![
            "--source=gateway-httproute".to_owned(),
            "--provider=coredns".to_owned(),
            "--policy=upsert-only".to_owned(),
            "--registry=noop".to_owned(),
            format!("--domain-filter={domain}"),
        ];
        arguments.extend(more.iter().map(ToString::to_string));
        let environment = vec![("ETCD_URLS".to_owned(), landscape.store.endpoint.clone())];
        Self::new(landscape, cluster, arguments, environment)
    }

    /// As the Deployment among these objects has it, with the files of the Secret among them; `None` where one of them is
    /// missing.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn deployed(
        landscape: &Landscape,
        cluster: &Cluster,
        objects: &[Value],
    ) -> anyhow::Result<Option<Self>> {
        let of_kind = |kind: &str| objects.iter().find(|object| object["kind"] == kind);
        let Some((deployment, secret)) = of_kind("Deployment").zip(of_kind("Secret")) else {
            return Ok(None);
        };
        let pod = &deployment["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let mounted = container["volumeMounts"][0]["mountPath"].as_str().unwrap_or_default();
        let folder = landscape.folder().join(format!("{}.agent", cluster.name));
        std::fs::create_dir_all(&folder).context("failed to create a folder for the agent")?;
        let files: BTreeMap<String, ByteString> = serde_json::from_value(secret["data"].clone())?;
        for (name, ByteString(bytes)) in files {
            std::fs::write(folder.join(name), bytes)?;
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let arguments = container["args"].as_array().into_iter().flatten().map(text).collect();
        let environment = container["env"].as_array().into_iter().flatten().map(|variable| {
            let value = text(&variable["value"]).replace(mounted, &folder.display().to_string());
            (text(&variable["name"]), value)
        });
        Self::new(landscape, cluster, arguments, environment.collect()).map(Some)
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
            self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let program = Provided::ExternalDns.path()?;
        self.process = Some(Process::start(&self.name, &program, &self.arguments, &environment, &self.logs)?);
        Ok(())
    }

    /// What it has logged.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub fn log(&self) -> anyhow::Result<String> {
        let log = self.logs.join(format!("{}.log", self.name));
        std::fs::read_to_string(&log).with_context(|| format!("failed to read {}", log.display()))
    }
}

/// external-dns for one cluster, with a certificate that a test has made.
pub struct Agent {
    cluster: &'static str,
    identity: Identity,
    /// Itself.
    pub external_dns: ExternalDns,
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
        let mut arguments = vec![
            "--source=ingress".to_owned(),
            "--source=gateway-httproute".to_owned(),
            "--provider=coredns".to_owned(),
            "--policy=sync".to_owned(),
            "--interval=1s".to_owned(),
            format!("--domain-filter={}.{ZONE}", cluster.name),
            format!("--txt-owner-id={}", cluster.name),
        ];
        arguments.extend(more.iter().map(ToString::to_string));
        let text = |path: &Path| path.display().to_string();
        let environment = [
            ("ETCD_URLS", format!("https://{}", gate.address)),
            ("ETCD_CA_FILE", text(&gate.folder.join("ca.crt"))),
            ("ETCD_CERT_FILE", text(&identity.certificate)),
            ("ETCD_KEY_FILE", text(&identity.key)),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value)).into();
        let external_dns = ExternalDns::new(landscape, cluster, arguments, environment)?;
        Ok(Self { cluster: cluster.name, identity, external_dns })
    }
}
