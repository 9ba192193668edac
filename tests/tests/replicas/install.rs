//! Two replicas on a platform cluster on which nothing was deployed before: one makes the certificates, the other one
//! takes them over.

use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use openmcp_dns_tests::api_server::ApiServer;
use openmcp_dns_tests::kinds::{apply, apply_crds};
use openmcp_dns_tests::manifests::{CLUSTERS, namespace};
use openmcp_dns_tests::process::Process;
use openmcp_dns_tests::programs::openmcp_dns;
use openmcp_dns_tests::service::output_of;
use openmcp_dns_tests::wait::wait_until;

const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_that_begin_together_have_one_certificate_authority() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let api = ApiServer::start("platform", "10.120.0.0/16", folder.path(), folder.path()).await?;
    apply_crds(&api.client(), &[output_of(&["crds", "--with-cluster"])?]).await?;
    apply(&api.client(), &namespace(CLUSTERS)).await?;
    let kubeconfig = folder.path().join("platform.yaml");
    std::fs::write(&kubeconfig, api.kubeconfig())?;
    let states = ["replica-1", "replica-2"].map(|name| folder.path().join(format!("state-of-{name}")));
    let start = |state: &PathBuf| {
        let name = state.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let arguments = [
            "run".to_owned(),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--namespace={CLUSTERS}"),
            format!("--state={}", state.display()),
            "--leader-elect=true".to_owned(),
            "--lease-seconds=8".to_owned(),
        ];
        Process::start(&name, &openmcp_dns()?, &arguments, &[("NO_COLOR", "1")], folder.path())
    };
    let running = [start(&states[0])?, start(&states[1])?];

    let secrets: Api<Secret> = Api::namespaced(api.client(), CLUSTERS);
    wait_until("both have the certificate that was made", SOON, async || {
        let Some(secret) = secrets.get_opt("openmcp-dns-etcd-writer").await? else {
            return Ok(Err("there is none".to_owned()));
        };
        let data = secret.data.unwrap_or_default();
        let differs = states.iter().find(|state| {
            ["ca.crt", "tls.crt"].into_iter().any(|file| {
                let text = std::fs::read(state.join(file)).ok();
                text.is_none() || text.as_ref() != data.get(file).map(|bytes| &bytes.0)
            })
        });
        Ok(differs.map_or(Ok(()), |state| Err(format!("not {}", state.display()))))
    })
    .await?;
    let made = running.iter().filter(|process| process.log_tail().contains("a certificate is made")).count();
    assert_eq!(made, 1, "only who leads makes certificates");
    Ok(())
}
