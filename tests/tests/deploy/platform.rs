//! The platform cluster with the service on it.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::{Api, Client};
use openmcp_dns_tests::api_server::ApiServer;
use openmcp_dns_tests::conditions::find;
use openmcp_dns_tests::kinds::{apply, apply_crds};
use openmcp_dns_tests::manifests::namespace;
use openmcp_dns_tests::process::Process;
use openmcp_dns_tests::programs::openmcp_dns;
use openmcp_dns_tests::service::output_of;
use openmcp_dns_tests::wait::wait_until;
use serde_json::{Value, json};

/// For everything that takes milliseconds unless the machine is busy.
pub(crate) const SOON: Duration = Duration::from_secs(30);

pub(crate) const NAMESPACE: &str = "openmcp-dns";
pub(crate) const CENTRAL: &str = "openmcp-dns-central";
pub(crate) const ETCD: &str = "openmcp-dns-etcd";

/// The platform cluster with the service on it.
pub(crate) struct Platform {
    server: ApiServer,
    folder: tempfile::TempDir,
    pub(crate) service: Option<Process>,
}

impl Platform {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        Self::start_with("10.110.0.0/16", None).await
    }

    /// Starts it with a DNSServiceConfig.
    pub(crate) async fn start_with(services: &str, config: Option<&Value>) -> anyhow::Result<Self> {
        let mut platform = Self::prepare(services, config).await?;
        platform.run().await?;
        Ok(platform)
    }

    /// The platform cluster, where no service runs yet.
    pub(crate) async fn prepare(services: &str, config: Option<&Value>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let server = ApiServer::start("platform", services, folder.path(), folder.path()).await?;
        let client = server.client();
        apply(&client, &namespace(NAMESPACE)).await?;
        apply_crds(&client, &crds()?).await?;
        if let Some(config) = config {
            apply(&client, config).await?;
        }
        Ok(Self { server, folder, service: None })
    }

    /// Starts the service, again where it runs.
    pub(crate) async fn run(&mut self) -> anyhow::Result<()> {
        if let Some(service) = self.service.take() {
            service.terminate(SOON).await?;
        }
        let kubeconfig = self.file("platform.yaml");
        std::fs::write(&kubeconfig, self.server.kubeconfig())?;
        let arguments = [
            "run".to_owned(),
            format!("--kubeconfig={kubeconfig}"),
            format!("--namespace={NAMESPACE}"),
            format!("--state={}", self.file("state")),
        ];
        let environment = [("NO_COLOR", "1")];
        let logs: &Path = self.folder.path();
        self.service = Some(Process::start("openmcp-dns", &openmcp_dns()?, &arguments, &environment, logs)?);
        Ok(())
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub(crate) fn client(&self) -> Client {
        self.server.client()
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client(), NAMESPACE)
    }

    pub(crate) fn configs(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("dns.openmcp.cloud", "v1alpha1", "DNSServiceConfig");
        Api::all_with(self.client(), &ApiResource::from_gvk_with_plural(&kind, "dnsserviceconfigs"))
    }

    /// Waits until the service has ended by itself; gives its exit code, and what it wrote last.
    pub(crate) async fn ended(&mut self) -> anyhow::Result<(Option<i32>, String)> {
        let mut service = self.service.take().context("the service does not run")?;
        let status = wait_until("the service ends", SOON, async || {
            Ok(service.ended()?.ok_or_else(|| "it still runs".to_owned()))
        })
        .await?;
        Ok((status.code(), service.log_tail()))
    }

    /// What the service wrote last.
    pub(crate) fn log(&self) -> String {
        self.service.as_ref().map(Process::log_tail).unwrap_or_default()
    }

    /// Waits until the condition `Deployed` says this.
    pub(crate) async fn deployed(&self, status: &str, message: &str) -> anyhow::Result<()> {
        let configs = self.configs();
        wait_until(&format!("Deployed is {status}: {message}"), SOON, async || {
            let Some(config) = configs.get_opt("openmcp-dns").await? else {
                return Ok(Err("no DNSServiceConfig".to_owned()));
            };
            let condition = find(&config.data, "Deployed").cloned().unwrap_or_default();
            let said = condition["message"].as_str().is_some_and(|text| text.contains(message));
            Ok(if condition["status"] == status && said { Ok(()) } else { Err(condition.to_string()) })
        })
        .await
        .with_context(|| self.log())
    }
}

/// How the platform's load balancer and kubelet would report.
pub(crate) async fn report<K>(api: &Api<K>, name: &str, status: Value) -> anyhow::Result<()>
where
    K: kube::Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let patch = Patch::Merge(json!({"status": status}));
    api.patch_status(name, &PatchParams::default(), &patch).await?;
    Ok(())
}

/// Our CRDs as they are today.
pub(crate) fn crds() -> anyhow::Result<Vec<String>> {
    Ok(vec![output_of(&["crds"])?])
}

/// The DNSServiceConfig that counts.
pub(crate) fn config(spec: Value) -> Value {
    json!({
        "apiVersion": "dns.openmcp.cloud/v1alpha1",
        "kind": "DNSServiceConfig",
        "metadata": {"name": "openmcp-dns"},
        "spec": spec,
    })
}
