//! The kinds of openMCP's own services: the real definitions where they are at hand, else the part of them that counts here.

use std::path::Path;

use anyhow::Context as _;
use serde_json::json;

use crate::service::output_of;

/// Names the folder with the operator's definitions; those of other services lie in folders beside it.
const FOLDER: &str = "OPENMCP_DNS_OPENMCP_CRDS";

/// `Cluster`.
///
/// # Errors
/// When it cannot be read.
pub fn cluster_crd() -> anyhow::Result<String> {
    match real("openmcp-operator", "clusters.openmcp.cloud_clusters.yaml")? {
        Some(real) => Ok(real),
        None => {
            let all = output_of(&["crds", "--with-cluster"])?;
            let own = all.split("---\n").find(|text| text.contains("name: clusters.clusters.openmcp.cloud"));
            Ok(own.context("the program knows no Cluster")?.to_owned())
        }
    }
}

/// `AccessRequest`.
///
/// # Errors
/// When it cannot be read.
pub fn access_request_crd() -> anyhow::Result<String> {
    let real = real("openmcp-operator", "clusters.openmcp.cloud_accessrequests.yaml")?;
    let names = ["AccessRequest", "accessrequest", "accessrequests"];
    Ok(real.unwrap_or_else(|| any("clusters.openmcp.cloud", names, "Namespaced")))
}

/// `PlatformService`.
///
/// # Errors
/// When it cannot be read.
pub fn platform_service_crd() -> anyhow::Result<String> {
    let real = real("openmcp-operator", "openmcp.cloud_platformservices.yaml")?;
    let names = ["PlatformService", "platformservice", "platformservices"];
    Ok(real.unwrap_or_else(|| any("openmcp.cloud", names, "Cluster")))
}

/// `GatewayServiceConfig` of the gateway service.
///
/// # Errors
/// When it cannot be read.
pub fn gateway_service_config_crd() -> anyhow::Result<String> {
    let real = real("platform-service-gateway", "gateway.openmcp.cloud_gatewayserviceconfigs.yaml")?;
    let names = ["GatewayServiceConfig", "gatewayserviceconfig", "gatewayserviceconfigs"];
    Ok(real.unwrap_or_else(|| any("gateway.openmcp.cloud", names, "Cluster")))
}

/// `DNSServiceConfig` as openMCP's own DNS service defines it; `None` where that is not at hand: ours takes what it takes.
///
/// # Errors
/// When it cannot be read.
pub fn upstream_dns_service_config_crd() -> anyhow::Result<Option<String>> {
    real("platform-service-dns", "dns.openmcp.cloud_dnsserviceconfigs.yaml")
}

/// A real definition, of the folder of a service.
fn real(service: &str, file: &str) -> anyhow::Result<Option<String>> {
    let Some(folder) = std::env::var_os(FOLDER).filter(|folder| !folder.is_empty()) else { return Ok(None) };
    let file = Path::new(&folder).join("..").join(service).join(file);
    let text = std::fs::read_to_string(&file);
    text.map(Some).with_context(|| format!("failed to read {}, which {FOLDER} asks for", file.display()))
}

/// A kind that takes everything. `names` are kind, singular and plural.
fn any(group: &str, [kind, singular, plural]: [&str; 3], scope: &str) -> String {
    let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural, "singular": singular},
            "scope": scope,
            "versions": [{
                "name": "v1alpha1", "served": true, "storage": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": anything, "status": anything}}},
            }],
        },
    })
    .to_string()
}
