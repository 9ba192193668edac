//! Makes what is installed of one source.
//!
//! ```text
//! openmcp-dns.yaml, cluster-access.yaml ─┬─ without marks ──► install.yaml
//! access-requests.yaml ──────────────────┤
//! CRDs (host/api) ───────────────────────┤
//!                                        └─ marks as expressions ──► chart/templates
//! marked values ──► chart/values.yaml ◄── described by Values ──► chart/values.schema.json
//! ```
//! A mark is a comment after a value, `# chart: EXPRESSION`: a template of the chart has the expression in its place. The
//! value itself is the default, so that the chart without values is `install.yaml`.

mod source;
mod values;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use kube::CustomResourceExt as _;
use openmcp_dns_api::{ClusterDNS, DNSPolicy, DNSServiceConfig};
use serde_json::json;

use source::Source;

/// Helm then leaves the CRDs where they are when the release goes, and with them every DNSPolicy.
const KEEP: (&str, &str) = ("helm.sh/resource-policy", "keep");

/// Says where a generated file comes from.
const GENERATED: &str = "# Made by deploy/builder of deploy/openmcp-dns.yaml, deploy/*-access.yaml, deploy/access-requests.yaml and the CRDs: change those, then\n\
     # cargo run -p openmcp-dns-deploy-builder\n";

/// All generated files, by their path below `deploy`.
///
/// # Errors
/// When a source cannot be read, or has a mark that is not understood.
pub fn generate(deploy: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let crds = crds()?;
    let mut install = format!(
        "# openmcp-dns with all that it needs: kubectl apply -f deploy/install.yaml\n{GENERATED}{crds}"
    );
    let mut files = BTreeMap::new();
    let mut defaults = json!({});
    // What is no part of an installation by default is a part of the chart under a condition.
    for (name, is_default) in
        [("openmcp-dns.yaml", true), ("cluster-access.yaml", true), ("access-requests.yaml", false)]
    {
        let source = Source::read(&deploy.join(name))?;
        if is_default {
            install.push_str("---\n");
            install.push_str(&source.plain());
        }
        source.defaults(&mut defaults)?;
        let template = format!("{GENERATED}{}", source.template());
        files.insert(format!("chart/templates/{name}"), template);
    }
    files.insert("chart/templates/crds.yaml".to_owned(), format!("{GENERATED}{crds}"));
    files.insert("chart/Chart.yaml".to_owned(), chart());
    files.insert("chart/values.yaml".to_owned(), format!("{GENERATED}{}", values::yaml(defaults)?));
    files.insert("chart/values.schema.json".to_owned(), values::schema()?);
    files.insert("install.yaml".to_owned(), install);
    Ok(files)
}

fn crds() -> anyhow::Result<String> {
    let mut text = String::new();
    for mut crd in [DNSPolicy::crd(), ClusterDNS::crd(), DNSServiceConfig::crd()] {
        let (key, value) = KEEP;
        crd.metadata.annotations.get_or_insert_default().insert(key.to_owned(), value.to_owned());
        let crd = serde_saphyr::to_string(&crd).context("failed to write a CRD as YAML")?;
        anyhow::ensure!(!crd.contains("{{"), "a CRD would be read as a template:\n{crd}");
        text.push_str("---\n");
        text.push_str(crd.trim_end());
        text.push('\n');
    }
    Ok(text)
}

fn chart() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "{GENERATED}apiVersion: v2\n\
         name: openmcp-dns\n\
         description: Makes every host name of an openMCP landscape resolvable on every cluster of it\n\
         type: application\n\
         version: {version}\n\
         appVersion: {version}\n\
         kubeVersion: \">=1.29.0-0\"\n\
         home: {home}\n",
        home = env!("CARGO_PKG_REPOSITORY")
    )
}
