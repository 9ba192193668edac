//! The DNS of one cluster: CoreDNS, and the few lines that do what kubelet does for it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;

use anyhow::Context as _;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ObjectMeta, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use tokio::task::JoinHandle;

use crate::api_server::ApiServer;
use crate::coredns;
use crate::dns::{Answer, Dns, Transport};
use crate::ports::free_address;
use crate::process::Process;

/// The key of the ConfigMap.
pub const KEY: &str = "Corefile";

/// A name that a cluster's DNS knows from the first moment.
pub const OWN_NAME: &str = "kubernetes.default.svc.cluster.local";

/// One cluster's DNS.
pub struct ClusterDns {
    /// Asked over UDP.
    pub udp: Dns,
    /// Asked over TCP.
    pub tcp: Dns,
    /// What [`OWN_NAME`] resolves to.
    pub own_address: String,
    /// The Corefile as the installation wrote it.
    pub installed: String,
    /// The file that CoreDNS reads.
    pub file: PathBuf,
    /// A folder with the keys of ConfigMap `coredns-custom` as files, which the Corefile may import.
    pub custom: PathBuf,
    client: Client,
    kubelet: [JoinHandle<()>; 2],
    _process: Process,
}

impl ClusterDns {
    /// Writes the ConfigMap as kubeadm does, starts CoreDNS and the part of kubelet, and waits until
    /// the cluster's own names resolve. `own_address` is the address of the Service `kubernetes`, and
    /// `outside` the server that is asked for all other names.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(
        name: &str,
        api: &ApiServer,
        own_address: &str,
        outside: SocketAddr,
        folder: &Path,
        logs: &Path,
    ) -> anyhow::Result<Self> {
        let kubeconfig = folder.join(format!("{name}.kubeconfig"));
        std::fs::write(&kubeconfig, api.kubeconfig())
            .with_context(|| format!("failed to write {}", kubeconfig.display()))?;
        let address = free_address()?;
        let installed = kubeadm_corefile(address, &kubeconfig, outside)?;
        let config_maps: Api<ConfigMap> = Api::namespaced(api.client(), "kube-system");
        let config_map = ConfigMap {
            metadata: ObjectMeta { name: Some("coredns".to_owned()), ..ObjectMeta::default() },
            data: Some(BTreeMap::from([(KEY.to_owned(), installed.clone())])),
            ..ConfigMap::default()
        };
        config_maps
            .create(&PostParams::default(), &config_map)
            .await
            .with_context(|| format!("failed to create the ConfigMap coredns of {name}"))?;

        let corefile = folder.join(format!("{name}.Corefile"));
        write_file(&corefile, &installed)?;
        let custom = folder.join(format!("{name}-custom"));
        std::fs::create_dir(&custom).with_context(|| format!("failed to make {}", custom.display()))?;
        let kubelet = [
            tokio::spawn(follow(config_maps.clone(), corefile.clone())),
            tokio::spawn(follow_custom(config_maps, custom.clone())),
        ];
        let mut process = coredns::start(&format!("{name}-coredns"), &corefile, logs)?;
        let udp = Dns::new(address, Transport::Udp)?;
        let tcp = Dns::new(address, Transport::Tcp)?;
        let own = Answer::of([own_address]);
        process
            .wait_ready(
                &format!("the CoreDNS of {name} answers for {OWN_NAME}"),
                coredns::START,
                async || {
                    let answer = udp.a(OWN_NAME).await;
                    if answer == own { Ok(()) } else { Err(answer.to_string()) }
                },
            )
            .await?;
        let client = api.client();
        let own_address = own_address.to_owned();
        Ok(Self {
            udp,
            tcp,
            own_address,
            installed,
            file: corefile,
            custom,
            client,
            kubelet,
            _process: process,
        })
    }

    /// The Corefile that the ConfigMap holds now.
    ///
    /// # Errors
    /// When there is none.
    pub async fn corefile(&self) -> anyhow::Result<String> {
        let config_maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), "kube-system");
        let config_map = config_maps.get("coredns").await.context("failed to read the ConfigMap coredns")?;
        config_map
            .data
            .and_then(|mut data| data.remove(KEY))
            .context("the ConfigMap coredns has no key Corefile")
    }

    /// Writes the Corefile, as a person does.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn write_corefile(&self, text: &str) -> anyhow::Result<()> {
        let config_maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), "kube-system");
        let mut config_map =
            config_maps.get("coredns").await.context("failed to read the ConfigMap coredns")?;
        config_map.data = Some(BTreeMap::from([(KEY.to_owned(), text.to_owned())]));
        config_maps
            .replace("coredns", &PostParams::default(), &config_map)
            .await
            .context("failed to write the ConfigMap coredns")?;
        Ok(())
    }
}

impl Drop for ClusterDns {
    fn drop(&mut self) {
        self.kubelet.iter().for_each(JoinHandle::abort);
    }
}

/// Kubelet's part: the file says what the ConfigMap says, while that exists.
async fn follow(config_maps: Api<ConfigMap>, corefile: PathBuf) {
    let mut versions = pin!(watcher::watch_object(config_maps, "coredns").default_backoff());
    while let Some(version) = versions.next().await {
        // Trouble passes: the watch goes on by itself, and CoreDNS keeps what it has.
        let Ok(Some(config_map)) = version else { continue };
        if let Some(text) = config_map.data.as_ref().and_then(|data| data.get(KEY)) {
            // The log of a test that fails because of it shows the old text in use.
            let _ = write_file(&corefile, text);
        }
    }
}

/// The same of all keys of the other ConfigMap: files that have no key any more go.
async fn follow_custom(config_maps: Api<ConfigMap>, folder: PathBuf) {
    let mut versions = pin!(watcher::watch_object(config_maps, "coredns-custom").default_backoff());
    let mut written = BTreeMap::<String, String>::new();
    while let Some(version) = versions.next().await {
        let Ok(config_map) = version else { continue };
        let wanted = config_map.and_then(|config_map| config_map.data).unwrap_or_default();
        for gone in written.keys().filter(|key| !wanted.contains_key(*key)) {
            let _ = std::fs::remove_file(folder.join(gone));
        }
        for (key, text) in &wanted {
            let _ = write_file(&folder.join(key), text);
        }
        written = wanted;
    }
}

/// Writes a file so that a reader sees the old text or the new one, never half of it.
fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    let partial = path.with_extension("partial");
    std::fs::write(&partial, text)
        .and_then(|()| std::fs::rename(&partial, path))
        .with_context(|| format!("failed to write {}", path.display()))
}

/// The Corefile of kubeadm 1.36, with addresses that suit one machine: everything listens on
/// 127.0.0.1, and unknown names go to `outside` instead of the machine's own resolver.
fn kubeadm_corefile(address: SocketAddr, kubeconfig: &Path, outside: SocketAddr) -> anyhow::Result<String> {
    Ok(format!(
        ".:{port} {{
    bind {ip}
    errors
    health {health} {{
       lameduck 1s
    }}
    ready {ready}
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
       kubeconfig {kubeconfig}
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }}
    prometheus {metrics}
    forward . {outside} {{
       max_concurrent 1000
    }}
    cache 30 {{
       disable success cluster.local
       disable denial cluster.local
    }}
    loop
    reload 2s 1s
    loadbalance
}}
",
        port = address.port(),
        ip = address.ip(),
        health = free_address()?,
        ready = free_address()?,
        metrics = free_address()?,
        kubeconfig = kubeconfig.display(),
    ))
}
