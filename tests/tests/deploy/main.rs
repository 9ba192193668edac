//! The central DNS is deployed, on a real API server: no pod runs here, so etcd never answers. What runs is seen on
//! real clusters.

mod given;
mod platform;
mod versions;

use anyhow::Context as _;
use hickory_resolver::proto::rr::RecordType;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use openmcp_dns_tests::api_server::ApiServer;
use openmcp_dns_tests::coredns::CentralDns;
use openmcp_dns_tests::dns::{Answer, Dns, Transport};
use openmcp_dns_tests::etcd::{Durability, Etcd};
use openmcp_dns_tests::kinds::{apply, apply_crds};
use openmcp_dns_tests::manifests::ZONE;
use openmcp_dns_tests::ports::free_address;
use openmcp_dns_tests::process::Process;
use openmcp_dns_tests::programs::{openmcp_dns, repository};
use openmcp_dns_tests::wait::wait_until;
use serde_json::{Value, json};

use platform::{CENTRAL, ETCD, Platform, SOON, config, report};

#[tokio::test(flavor = "multi_thread")]
async fn the_central_dns_is_deployed_and_kept_as_it_is_wanted() -> anyhow::Result<()> {
    let mut platform = Platform::start().await?;

    // Without a DNSServiceConfig, the defaults apply, and somewhere it says so.
    platform.deployed("Unknown", "0 of 2 DNS pods are ready").await?;
    platform.deployed("Unknown", "nothing is set: the defaults apply").await?;
    let sets: Api<StatefulSet> = platform.api();
    let pods: Api<Deployment> = platform.api();
    let services: Api<Service> = platform.api();
    let secrets: Api<Secret> = platform.api();
    for secret in ["openmcp-dns-etcd-server", "openmcp-dns-etcd-reader", "openmcp-dns-etcd-writer"] {
        let data = secrets.get(secret).await?.data.unwrap_or_default();
        assert_eq!(data.keys().collect::<Vec<_>>(), ["ca.crt", "tls.crt", "tls.key"], "{secret}");
    }

    // It is deployed when its pods are ready and it has an address.
    let generation = async || anyhow::Ok(pods.get(CENTRAL).await?.metadata.generation);
    report(&sets, ETCD, json!({"replicas": 1, "readyReplicas": 1, "observedGeneration": 1})).await?;
    report(
        &pods,
        CENTRAL,
        json!({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2,
        "observedGeneration": generation().await?}),
    )
    .await?;
    platform.deployed("Unknown", "has no address yet").await?;
    report(&services, CENTRAL, json!({"loadBalancer": {"ingress": [{"ip": "172.18.100.7"}]}})).await?;
    platform.deployed("True", "deployed at 172.18.100.7:53").await?;

    // The service has a DNS server of its own.
    let image = async || {
        let template = pods.get(CENTRAL).await?.spec.map(|spec| spec.template);
        let container = template.and_then(|template| template.spec?.containers.into_iter().next());
        anyhow::Ok(container.and_then(|container| container.image).unwrap_or_default())
    };
    for (provider, expected) in [("builtIn", "openmcp-dns:"), ("coreDNS", "coredns")] {
        apply(&platform.client(), &config(json!({"dns": {"provider": provider}}))).await?;
        wait_until("the DNS pods have the image", SOON, async || {
            let image = image().await?;
            Ok(if image.contains(expected) { Ok(()) } else { Err(image) })
        })
        .await?;
    }

    // A zone comes with new pods.
    let policy = std::fs::read_to_string(repository("examples/first-policy.yaml"))?;
    apply(&platform.client(), &serde_saphyr::from_str(&policy)?).await?;
    let maps: Api<ConfigMap> = platform.api();
    wait_until("the Corefile has the zone", SOON, async || {
        let corefile =
            maps.get(CENTRAL).await?.data.unwrap_or_default().remove("Corefile").unwrap_or_default();
        Ok(if corefile.contains("etcd openmcp.cluster {") { Ok(()) } else { Err(corefile) })
    })
    .await?;

    // What somebody changes in our fields is changed back; their own fields stay.
    let theirs = json!({"metadata": {"labels": {"theirs": "stays"}}, "spec": {"replicas": 7}});
    pods.patch(CENTRAL, &PatchParams::default(), &Patch::Merge(&theirs)).await?;
    wait_until("the replicas are ours again", SOON, async || {
        let found = pods.get(CENTRAL).await?;
        assert_eq!(
            found.metadata.labels.unwrap_or_default().get("theirs").map(String::as_str),
            Some("stays")
        );
        let replicas = found.spec.and_then(|spec| spec.replicas);
        Ok(if replicas == Some(2) { Ok(()) } else { Err(format!("{replicas:?}")) })
    })
    .await?;

    // A second run writes nothing: the certificates are the same, and so are the objects.
    let versions = async || {
        anyhow::Ok((
            sets.get(ETCD).await?.metadata.resource_version,
            services.get(CENTRAL).await?.metadata.resource_version,
            maps.get(CENTRAL).await?.metadata.resource_version,
            secrets.get("openmcp-dns-etcd-writer").await?.metadata.resource_version,
        ))
    };
    let before = versions().await?;
    platform.configs().delete("openmcp-dns", &kube::api::DeleteParams::default()).await?;
    platform.run().await?;
    platform.deployed("Unknown", "DNS pods are ready").await?;
    assert_eq!(versions().await?, before);

    // A Service that is made anew asks for the address that the clusters forward to.
    platform.deployed("Unknown", "nothing is set").await?;
    services.delete(CENTRAL, &kube::api::DeleteParams::default()).await?;
    wait_until("the Service asks for its address", SOON, async || {
        let service = services.get_opt(CENTRAL).await?;
        let asked = service.and_then(|service| service.spec?.load_balancer_ip);
        Ok(if asked.as_deref() == Some("172.18.100.7") { Ok(()) } else { Err(format!("{asked:?}")) })
    })
    .await?;

    // What is not ours is left alone, and named.
    maps.delete(CENTRAL, &kube::api::DeleteParams::default()).await?;
    wait_until("our ConfigMap is back", SOON, async || {
        Ok(maps.get_opt(CENTRAL).await?.map(drop).ok_or_else(|| "none".to_owned()))
    })
    .await?;
    let stripped = json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "helm"}}, "data": {"Corefile": "theirs"}});
    maps.patch(CENTRAL, &PatchParams::default(), &Patch::Merge(&stripped)).await?;
    apply(&platform.client(), &config(json!({"dns": {"replicas": 3}}))).await?;
    platform.deployed("False", "ConfigMap openmcp-dns/openmcp-dns-central is not ours").await?;
    assert_eq!(maps.get(CENTRAL).await?.data.unwrap_or_default()["Corefile"], "theirs");
    Ok(())
}

/// A DNS pod as a kubelet would report it, whose server is at this address.
async fn dns_pod(platform: &Platform, name: &str, address: std::net::SocketAddr) -> anyhow::Result<()> {
    let pods: Api<Pod> = platform.api();
    let labels =
        json!({"app.kubernetes.io/name": "openmcp-dns", "app.kubernetes.io/component": "central-dns"});
    let pod = json!({
        "metadata": {"name": name, "labels": labels, "annotations": {"dns.openmcp.cloud/zones": "openmcp.cluster"}},
        "spec": {
            "readinessGates": [{"conditionType": GATE}],
            "containers": [{"name": "dns", "image": "none",
                "ports": [{"name": "dns", "containerPort": address.port(), "protocol": "UDP"}]}],
        },
    });
    pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
    report(&pods, name, json!({"phase": "Running", "podIP": address.ip(), "podIPs": [{"ip": address.ip()}]}))
        .await
}

const GATE: &str = "dns.openmcp.cloud/canary";

/// Waits until the gate of a pod is open or closed.
async fn gate(platform: &Platform, name: &str, status: &str) -> anyhow::Result<()> {
    let pods: Api<Pod> = platform.api();
    wait_until(&format!("the gate of {name} is {status}"), SOON, async || {
        let conditions =
            pods.get(name).await?.status.and_then(|status| status.conditions).unwrap_or_default();
        let found = conditions.into_iter().find(|condition| condition.type_ == GATE);
        let is_so = found.as_ref().is_some_and(|condition| condition.status == status);
        Ok(if is_so { Ok(()) } else { Err(format!("{found:?}")) })
    })
    .await
    .with_context(|| platform.log())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dns_pod_that_answers_the_canary_wrongly_is_taken_out_and_comes_back() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let start = async |name: &str| {
        Etcd::start(name, Durability::Unsynced, &folder.path().join(name), folder.path()).await
    };
    let (etcd, mut outdated) = (start("records").await?, start("outdated").await?);
    let external = config(json!({
        "dns": {"provider": "external", "addresses": ["172.18.100.7"]},
        "etcd": {"endpoints": [etcd.endpoint]},
    }));
    let platform = Platform::start_with("10.112.0.0/16", Some(&external)).await?;
    platform.deployed("True", "external, at 172.18.100.7:53").await?;
    let policy = std::fs::read_to_string(repository("examples/first-policy.yaml"))?;
    apply(&platform.client(), &serde_saphyr::from_str(&policy)?).await?;

    // The zone has an apex, a name server and a canary.
    wait_until("the names of the service are published", SOON, async || {
        let keys = etcd.below("/skydns/cluster/openmcp/dns/").await?;
        let has = |name: &str| {
            keys.keys().any(|key| key.starts_with(&format!("/skydns/cluster/openmcp/dns/{name}/")))
        };
        Ok(if ["apex", "ns", "canary"].into_iter().all(has) { Ok(()) } else { Err(format!("{keys:?}")) })
    })
    .await?;

    // Two servers: one that follows that etcd, and one that follows another.
    let serve = |name: &str, etcd: &Etcd, address: std::net::SocketAddr| {
        let arguments =
            ["serve".to_owned(), format!("--etcd={}", etcd.endpoint), format!("--listen={address}")];
        Process::start(name, &openmcp_dns()?, &arguments, &[("NO_COLOR", "1")], folder.path())
    };
    let [right_address, wrong_address] = [free_address()?, free_address()?];
    let _right = serve("right", &etcd, right_address)?;
    let wrong = serve("wrong", &outdated, wrong_address)?;

    // The apex has an address, and its name server too; as CoreDNS answers, and as the DNS server of the service does.
    let core_dns = CentralDns::start(ZONE, &etcd, folder.path(), folder.path()).await?;
    for server in [core_dns.udp.clone(), Dns::new(right_address, Transport::Udp)?] {
        let name_server = format!("ns.dns.{ZONE}");
        for (name, record_type, expected) in [
            (ZONE, RecordType::NS, name_server.as_str()),
            (&name_server, RecordType::A, "172.18.100.7"),
            (ZONE, RecordType::A, "172.18.100.7"),
        ] {
            let expected = Answer::of([expected]);
            wait_until(&format!("{name} {record_type} is {expected}"), SOON, async || {
                let answer = server.ask(name, record_type).await;
                Ok(if answer == expected { Ok(()) } else { Err(format!("{}: {answer}", server.address())) })
            })
            .await?;
        }
    }
    dns_pod(&platform, "right", right_address).await?;
    dns_pod(&platform, "wrong", wrong_address).await?;
    gate(&platform, "right", "True").await?;
    gate(&platform, "wrong", "False").await?;
    let central = async |status: &str, message: &str| {
        wait_until(&format!("CentralDNS is {status}: {message}"), SOON, async || {
            let config = platform.configs().get("openmcp-dns").await?;
            let conditions = config.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let found = conditions
                .into_iter()
                .find(|condition| condition["type"] == "CentralDNS")
                .unwrap_or_default();
            let said = found["message"].as_str().is_some_and(|text| text.contains(message));
            Ok(if found["status"] == status && said { Ok(()) } else { Err(found.to_string()) })
        })
        .await
    };
    central("False", "taken out of the Service until it answers rightly: wrong answers").await?;

    // It follows the right one, and comes back.
    drop(wrong);
    outdated.stop();
    let _wrong = serve("mended", &etcd, wrong_address)?;
    gate(&platform, "wrong", "True").await?;
    central("True", "2 DNS pods answer the canary").await?;

    // With the policy goes the zone, and with the zone its names.
    let policies = GroupVersionKind::gvk("dns.openmcp.cloud", "v1alpha1", "DNSPolicy");
    let policies: Api<DynamicObject> =
        Api::all_with(platform.client(), &ApiResource::from_gvk_with_plural(&policies, "dnspolicies"));
    let name = policies
        .list(&kube::api::ListParams::default())
        .await?
        .items
        .remove(0)
        .metadata
        .name
        .unwrap_or_default();
    policies.delete(&name, &kube::api::DeleteParams::default()).await?;
    wait_until("the names of the service are gone", SOON, async || {
        let keys = etcd.below("/skydns/").await?;
        Ok(if keys.is_empty() { Ok(()) } else { Err(format!("{keys:?}")) })
    })
    .await?;

    // Another etcd cannot be taken over while the service runs.
    apply(&platform.client(), &config(json!({"dns": {"provider": "coreDNS"}}))).await?;
    let service = platform.service.as_ref().context("the service runs")?;
    wait_until("the service has ended", SOON, async || {
        Ok(if service.log_tail().contains("names another etcd: start again with it") {
            Ok(())
        } else {
            Err(service.log_tail())
        })
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_be_combined_is_refused_by_the_api_server() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let server = ApiServer::start("platform", "10.111.0.0/16", folder.path(), folder.path()).await?;
    let crd = std::fs::read_to_string(repository("crds/dns.openmcp.cloud_dnsserviceconfigs.yaml"))?;
    apply_crds(&server.client(), &[crd]).await?;
    let crds: Api<CustomResourceDefinition> = Api::all(server.client());
    assert!(crds.get("dnsserviceconfigs.dns.openmcp.cloud").await?.status.is_some());
    let kind = GroupVersionKind::gvk("dns.openmcp.cloud", "v1alpha1", "DNSServiceConfig");
    let configs: Api<DynamicObject> =
        Api::all_with(server.client(), &ApiResource::from_gvk_with_plural(&kind, "dnsserviceconfigs"));
    let create = async |name: &str, spec: Value| {
        let mut object = config(spec);
        object["metadata"]["name"] = json!(name);
        configs
            .create(
                &PostParams::default(),
                &serde_json::from_value(object).unwrap_or_else(|_| unreachable!()),
            )
            .await
    };
    for (name, spec, refusal) in [
        ("node-port", json!({"dns": {"service": "NodePort"}}), "needs addresses"),
        ("two", json!({"etcd": {"members": 2}}), "Unsupported value"),
        ("none", json!({"dns": {"replicas": 0}}), "greater than or equal to 1"),
        ("word", json!({"etcd": {"storage": {"kind": "Disk"}}}), "Unsupported value"),
    ] {
        let error = create(name, spec).await.map(drop).unwrap_err().to_string();
        assert!(error.contains(refusal), "{name}: {error}");
    }
    let given = json!({"addresses": ["192.0.2.1"], "provider": "external"});
    let etcd = json!({"endpoints": ["https://etcd.example:2379"], "clientSecretName": "etcd"});
    for (name, spec, refusal) in [
        ("no-etcd", json!({"dns": given}), "needs dns.addresses and etcd.endpoints"),
        ("no-address", json!({"dns": {"provider": "external"}, "etcd": etcd}), "needs dns.addresses"),
        ("own-etcd", json!({"etcd": etcd}), "need the provider external"),
        (
            "external-pods",
            json!({"dns": {"provider": "external", "addresses": ["192.0.2.1"], "replicas": 2}, "etcd": etcd}),
            "nothing is deployed",
        ),
        ("other", json!({"dns": {"provider": "bind"}}), "Unsupported value"),
    ] {
        let error = create(name, spec).await.map(drop).unwrap_err().to_string();
        assert!(error.contains(refusal), "{name}: {error}");
    }
    create("external", json!({"dns": given, "etcd": etcd})).await?;
    create("fine", json!({"dns": {"service": "NodePort", "addresses": ["192.0.2.1:30053"]}})).await?;
    let grown = Patch::Merge(json!({"spec": {"etcd": {"members": 3}, "dns": {"provider": "builtIn"}}}));
    configs.patch("fine", &PatchParams::default(), &grown).await?;
    Ok(())
}
