//! The servers, the service, and what every step does with them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use openmcp_dns_tests::api_server::ApiServer;
use openmcp_dns_tests::conditions::wait_object;
use openmcp_dns_tests::etcd::{Durability, Etcd};
use openmcp_dns_tests::faults::{Content, Faults};
use openmcp_dns_tests::kinds::{apply, apply_crds};
use openmcp_dns_tests::manifests::{self, CLUSTERS, POLICY};
use openmcp_dns_tests::process::Process;
use openmcp_dns_tests::programs::openmcp_dns;
use openmcp_dns_tests::registry::{Door, PASSWORD, Registry, USER, docker_config};
use openmcp_dns_tests::service::output_of;
use openmcp_dns_tests::wait::wait_until;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::modules::digest;

/// A module is compiled when it is used for the first time, and the machine may be busy. A module of 18 MB takes a minute
/// to be compiled on a busy machine, without optimisation.
pub(crate) const SOON: Duration = Duration::from_secs(600);

/// The pull secret that is right.
pub(crate) const SECRET: &str = "registry";

pub(crate) struct World {
    /// https with a password.
    pub(crate) guarded: Registry,
    /// https for everybody.
    pub(crate) open: Registry,
    /// Plain http with a password.
    pub(crate) plain: Registry,
    /// In front of `plain`.
    pub(crate) faults: Faults,
    /// Another web server, over plain http.
    pub(crate) elsewhere: Faults,
    api: ApiServer,
    store: Etcd,
    service: Option<Process>,
    folder: TempDir,
}

impl World {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("openmcp-dns-sources-").tempdir()?;
        let path = folder.path().to_owned();
        let (logs, storage, store) = (path.join("logs"), path.join("registry"), path.join("store"));
        std::fs::create_dir_all(&logs)?;
        let registry = |door| Registry::start(door, &storage, &path, &logs);
        let (guarded, open, plain) =
            tokio::try_join!(registry(Door::Guarded), registry(Door::Open), registry(Door::Plain))?;
        let (api, store) = tokio::try_join!(
            ApiServer::start("platform", "10.100.0.0/16", &path, &logs),
            Etcd::start("store-etcd", Durability::Unsynced, &store, &logs)
        )?;
        let faults = Faults::start(Content::Of(plain.address)).await?;
        let elsewhere = Faults::start(Content::Bytes(Vec::new())).await?;
        let client = api.client();
        apply_crds(&client, &[output_of(&["crds", "--with-cluster"])?]).await?;
        apply(&client, &manifests::namespace(CLUSTERS)).await?;
        apply(&client, &manifests::dns_policy()).await?;
        let mut world = Self { guarded, open, plain, faults, elsewhere, api, store, service: None, folder };
        let registries = [world.guarded.address, world.faults.address];
        world.put_secret(SECRET, &docker_config_of(&registries, PASSWORD)).await?;
        world.run_service(&[])?;
        Ok(world)
    }

    /// Starts the service, with further arguments. One that runs is ended.
    pub(crate) fn run_service(&mut self, further: &[&str]) -> anyhow::Result<()> {
        self.service = None;
        let kubeconfig = self.folder.path().join("service.kubeconfig");
        std::fs::write(&kubeconfig, self.api.kubeconfig())?;
        let mut arguments = vec![
            "run".to_owned(),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--etcd={}", self.store.endpoint),
            format!("--insecure-registry={}", self.faults.address),
            format!("--insecure-registry={}", self.elsewhere.address),
            "--tag-check-seconds=1".to_owned(),
        ];
        arguments.extend(further.iter().map(|argument| (*argument).to_owned()));
        let level =
            "info,openmcp_dns=trace,kube=debug,reqwest=trace,hyper=trace,hyper_util=trace,rustls=debug";
        let environment = [("RUST_LOG", level), ("NO_COLOR", "1"), ("NO_PROXY", "127.0.0.1")];
        self.service =
            Some(Process::start("openmcp-dns", &openmcp_dns()?, &arguments, &environment, &self.logs())?);
        Ok(())
    }

    /// Ends the service.
    pub(crate) fn stop_service(&mut self) {
        self.service = None;
    }

    pub(crate) fn client(&self) -> Client {
        self.api.client()
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.folder.path().join("logs")
    }

    /// A file for a step.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> anyhow::Result<PathBuf> {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).with_context(|| format!("failed to write {}", path.display()))?;
        Ok(path)
    }

    /// Runs `openmcp-dns policy` with a password on stdin, whether or not it reads it.
    pub(crate) fn policy(&self, arguments: &[&str], password: &str) -> anyhow::Result<Output> {
        let stdin = self.file("password", password.as_bytes())?;
        let output = Command::new(openmcp_dns()?)
            .arg("policy")
            .args(arguments)
            .env("DOCKER_CONFIG", self.folder.path().join("docker"))
            .env("NO_PROXY", "127.0.0.1")
            .current_dir(self.folder.path())
            .stdin(std::fs::File::open(stdin).map(Stdio::from)?)
            .output()
            .context("failed to start openmcp-dns")?;
        for text in [&output.stdout, &output.stderr] {
            let text = String::from_utf8_lossy(text);
            ensure!(!text.contains(password), "the password is in the output: {text}");
        }
        Ok(output)
    }

    /// Pushes a module's file to the registry with a password; gives what was printed.
    pub(crate) fn push(&self, module: &Path, name: &str) -> anyhow::Result<String> {
        let reference = format!("{}/{name}", self.guarded.address);
        let (module, ca) = (module.display().to_string(), self.guarded.authority.display().to_string());
        let arguments = ["push", &module, &reference, "--username", USER, "--password-stdin", "--ca", &ca];
        let output = self.policy(&arguments, PASSWORD)?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Pushes a module, and gives its SHA-256.
    pub(crate) fn push_bytes(&self, module: &[u8], name: &str) -> anyhow::Result<String> {
        let file = self.file("pushed.wasm", module)?;
        self.push(&file, name)?;
        Ok(digest(module))
    }

    pub(crate) async fn put_secret(&self, name: &str, content: &str) -> anyhow::Result<()> {
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": { "name": name, "namespace": CLUSTERS },
            "type": "kubernetes.io/dockerconfigjson",
            "stringData": { ".dockerconfigjson": content },
        });
        apply(&self.client(), &secret).await
    }

    /// The authority of the registry with a password, as `ca` of a source.
    pub(crate) fn ca(&self) -> anyhow::Result<Value> {
        Ok(json!({ "pem": std::fs::read_to_string(&self.guarded.authority)? }))
    }

    /// A source in the registry with a password.
    pub(crate) fn oci(&self, name: &str, sha256: &str) -> anyhow::Result<Value> {
        Ok(json!({
            "oci": {
                "reference": format!("{}/{name}", self.guarded.address),
                "pullSecret": { "namespace": CLUSTERS, "name": SECRET },
                "ca": self.ca()?,
            },
            "sha256": sha256,
        }))
    }

    /// A source in the registry that has faults.
    pub(crate) fn faulty(&self, name: &str, sha256: &str) -> Value {
        json!({
            "oci": {
                "reference": format!("{}/{name}", self.faults.address),
                "pullSecret": { "namespace": CLUSTERS, "name": SECRET },
                "insecure": true,
            },
            "sha256": sha256,
        })
    }

    /// Sets the source of the policy; what is not in `source` is removed.
    pub(crate) async fn set(&self, source: &Value) -> anyhow::Result<()> {
        let mut module = json!({
            "builtIn": null, "configMap": null, "oci": null, "http": null, "file": null, "sha256": null
        });
        if let (Some(module), Some(source)) = (module.as_object_mut(), source.as_object()) {
            for (field, value) in source {
                module.insert(field.clone(), value.clone());
            }
        }
        // A merge would mix an old oci with the new one.
        let nothing = json!({ "spec": { "module": { "builtIn": "standard", "configMap": null, "oci": null,
            "http": null, "file": null, "sha256": null } } });
        POLICY.merge(&self.client(), &nothing).await?;
        POLICY.merge(&self.client(), &json!({ "spec": { "module": module } })).await
    }

    /// Waits until a module is active; gives the status of the policy.
    pub(crate) async fn wait_active(&self, sha256: &str) -> anyhow::Result<Value> {
        wait_object(&self.client(), POLICY, &format!("module {sha256} is active"), SOON, |object| {
            let status = &object["status"];
            let current = status["observedGeneration"] == object["metadata"]["generation"];
            let conditions = status["conditions"].as_array()?;
            let is_good = conditions
                .iter()
                .any(|condition| condition["type"] == "ModuleActive" && condition["status"] == "True");
            (status["module"]["activeDigest"] == sha256 && current && is_good).then(|| status.clone())
        })
        .await
    }

    /// Waits until a module is kept for a restart.
    pub(crate) async fn wait_kept(&self, sha256: &str) -> anyhow::Result<()> {
        let config_maps: Api<ConfigMap> = Api::default_namespaced(self.client());
        wait_until(&format!("module {sha256} is kept"), SOON, async || {
            let names: Vec<String> =
                config_maps.list(&ListParams::default()).await?.iter().map(ResourceExt::name_any).collect();
            let is_kept = names.iter().any(|name| name.contains(&sha256[..8]));
            Ok(if is_kept { Ok(()) } else { Err(names.join(", ")) })
        })
        .await
    }

    /// Waits until the module in the spec is not active for this reason, and gives the message.
    pub(crate) async fn wait_inactive(&self, reason: &str) -> anyhow::Result<String> {
        let what = format!("its module is not active because of {reason}");
        wait_object(&self.client(), POLICY, &what, SOON, |object| {
            let status = &object["status"];
            let conditions = status["conditions"].as_array()?;
            let found = conditions.iter().find(|condition| condition["type"] == "ModuleActive")?;
            // What was said of another source does not count.
            let is_it = status["observedGeneration"] == object["metadata"]["generation"]
                && found["status"] == "False"
                && found["reason"] == reason;
            is_it.then(|| found["message"].as_str().unwrap_or_default().to_owned())
        })
        .await
    }

    /// The digest of the active module.
    pub(crate) async fn active(&self) -> anyhow::Result<String> {
        let object = POLICY.get(&self.client()).await?.context("the DNSPolicy is gone")?;
        Ok(object["status"]["module"]["activeDigest"].as_str().unwrap_or_default().to_owned())
    }

    /// Goes back to the built-in module.
    pub(crate) async fn reset(&self) -> anyhow::Result<()> {
        self.set(&json!({ "builtIn": "standard" })).await?;
        self.wait_built_in().await
    }

    /// Waits until the built-in module is active.
    pub(crate) async fn wait_built_in(&self) -> anyhow::Result<()> {
        let standard = openmcp_dns_tests::programs::repository("policies/standard/standard.wasm");
        self.wait_active(&digest(&std::fs::read(standard)?)).await?;
        Ok(())
    }

    /// Neither the log of the service, at its most talkative where it talks to registries, nor the status has the password.
    pub(crate) async fn no_secret_was_written(&self) -> anyhow::Result<()> {
        let log = std::fs::read_to_string(self.logs().join("openmcp-dns.log"))?;
        let object = POLICY.get(&self.client()).await?.unwrap_or_default().to_string();
        let basic = k8s_openapi::ByteString(format!("{USER}:{PASSWORD}").into_bytes());
        let basic = serde_json::to_value(basic)?;
        for secret in [PASSWORD, basic.as_str().unwrap_or(PASSWORD)] {
            ensure!(!log.contains(secret), "the service's log has {secret}");
            ensure!(!object.contains(secret), "the status has {secret}");
        }
        Ok(())
    }
}

/// The content of a pull secret for several registries.
pub(crate) fn docker_config_of(registries: &[std::net::SocketAddr], password: &str) -> String {
    let mut auths = serde_json::Map::new();
    for registry in registries {
        let one: Value = serde_json::from_str(&docker_config(*registry, password)).unwrap_or_default();
        auths.extend(one["auths"].as_object().cloned().unwrap_or_default());
    }
    json!({ "auths": auths }).to_string()
}
