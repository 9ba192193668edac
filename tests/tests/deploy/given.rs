//! Certificates of etcd that somebody else makes: `spec.etcd.certificates: Given`.

use std::collections::BTreeMap;

use anyhow::Context as _;
use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use openmcp_dns_tests::kinds::apply;
use openmcp_dns_tests::wait::wait_until;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};

use crate::platform::{CENTRAL, NAMESPACE, Platform, SOON, config};

const SECRETS: [&str; 3] = ["openmcp-dns-etcd-server", "openmcp-dns-etcd-reader", "openmcp-dns-etcd-writer"];

/// What cert-manager would keep: a certificate of another authority each time.
fn secret(name: &str) -> anyhow::Result<Value> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new([name.to_owned()])?.signed_by(&key, &authority)?;
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "stringData": {
            "ca.crt": authority.pem(), "tls.crt": certificate.pem(), "tls.key": key.serialize_pem(),
        },
    }))
}

/// The Deployment's pods are made anew with another certificate: this stands for the one that they have.
async fn certificate_of_pods(platform: &Platform) -> anyhow::Result<String> {
    let pods: Api<Deployment> = platform.api();
    let template = pods.get(CENTRAL).await?.spec.map(|spec| spec.template);
    let annotations = template.and_then(|template| template.metadata?.annotations).unwrap_or_default();
    annotations.get("dns.openmcp.cloud/certificate").cloned().context("the pods have no certificate")
}

/// What the service itself goes to etcd with.
fn own(platform: &Platform) -> BTreeMap<String, Vec<u8>> {
    let file = |name: &str| std::fs::read(platform.file(&format!("state/{name}"))).ok();
    let files = ["ca.crt", "tls.crt", "tls.key"].into_iter();
    files.filter_map(|name| Some((name.to_owned(), file(name)?))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn given_certificates_are_used_and_taken_up_when_they_are_others() -> anyhow::Result<()> {
    let given = config(json!({"etcd": {"certificates": "Given"}}));
    let mut platform = Platform::prepare("10.117.0.0/16", Some(&given)).await?;
    let client = platform.client();
    let secrets: Api<Secret> = platform.api();
    let data = async |name: &str| {
        let data = secrets.get(name).await?.data.unwrap_or_default();
        anyhow::Ok(data.into_iter().map(|(key, ByteString(bytes))| (key, bytes)).collect::<BTreeMap<_, _>>())
    };

    // Without them it says which one it waits for, and makes none.
    apply(&client, &secret(SECRETS[0])?).await?;
    platform.run().await?;
    let (code, log) = platform.ended().await?;
    assert!(
        code != Some(0) && log.contains("Secret openmcp-dns-etcd-reader has no tls.crt, tls.key and ca.crt"),
        "{code:?}\n{log}"
    );
    assert!(secrets.get_opt(SECRETS[1]).await?.is_none());

    for name in &SECRETS[1..] {
        apply(&client, &secret(name)?).await?;
    }
    platform.run().await?;
    platform.deployed("Unknown", "0 of 2 DNS pods are ready").await?;
    assert_eq!(own(&platform), data(SECRETS[2]).await?);
    let first = certificate_of_pods(&platform).await?;

    // Somebody renews them.
    for name in SECRETS {
        apply(&client, &secret(name)?).await?;
    }
    let given = data(SECRETS[2]).await?;
    wait_until("the service and the DNS pods have the new ones", SOON, async || {
        let pods = certificate_of_pods(&platform).await?;
        Ok(if pods != first && own(&platform) == given { Ok(()) } else { Err(format!("pods: {pods}")) })
    })
    .await?;

    // They are theirs still, and there is no authority of ours.
    for name in SECRETS {
        assert_eq!(secrets.get(name).await?.metadata.labels, None, "{name}");
    }
    assert!(secrets.get_opt("openmcp-dns-etcd-ca").await?.is_none());
    Ok(())
}
