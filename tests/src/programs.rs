//! Where the programs lie: the real servers in the cache that `scripts/setup test` fills, and our own.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// A server, or a folder of manifests, that `scripts/setup test` provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provided {
    /// The program `kube-apiserver`.
    KubeApiserver,
    /// The program `etcd`.
    Etcd,
    /// The program `etcdctl`.
    Etcdctl,
    /// The program `etcdutl`.
    Etcdutl,
    /// The program `coredns`.
    CoreDns,
    /// CoreDNS's own parser of Corefiles, behind a program of ours.
    CorefileParser,
    /// The CRDs of the Gateway API in their standard channel.
    GatewayApi,
    /// The same in their experimental channel, where older versions are served.
    GatewayApiExperimental,
    /// What the Gateway API's own conformance suite applies: `base` and `tests`.
    GatewayApiConformance,
    /// The CRDs of OpenReports.
    OpenReports,
    /// The program `kubectl`.
    Kubectl,
    /// The program `helm`.
    Helm,
    /// The program `external-dns`.
    ExternalDns,
}

impl Provided {
    /// Name, wrapper module, the module whose version counts, and the path in the folder.
    const fn describe(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::KubeApiserver => (
                "kube-apiserver",
                include_str!("../servers/kube-apiserver/go.mod"),
                "k8s.io/kubernetes",
                "kube-apiserver",
            ),
            Self::Etcd => {
                ("etcd", include_str!("../servers/etcd/go.mod"), "go.etcd.io/etcd/server/v3", "etcd")
            }
            Self::Etcdctl => {
                ("etcd", include_str!("../servers/etcd/go.mod"), "go.etcd.io/etcd/server/v3", "etcdctl")
            }
            Self::Etcdutl => {
                ("etcdutl", include_str!("../servers/etcd/go.mod"), "go.etcd.io/etcd/etcdutl/v3", "etcdutl")
            }
            Self::CoreDns => (
                "coredns",
                include_str!("../servers/coredns/go.mod"),
                "github.com/coredns/coredns",
                "coredns",
            ),
            Self::CorefileParser => (
                "corefile-parser",
                include_str!("../servers/corefile-parser/go.mod"),
                "github.com/coredns/caddy",
                "corefile-parser",
            ),
            Self::GatewayApi => (
                "gateway-api",
                include_str!("../servers/gateway-api/go.mod"),
                "sigs.k8s.io/gateway-api",
                "standard",
            ),
            Self::GatewayApiExperimental => (
                "gateway-api",
                include_str!("../servers/gateway-api/go.mod"),
                "sigs.k8s.io/gateway-api",
                "experimental",
            ),
            Self::GatewayApiConformance => (
                "gateway-api-conformance",
                include_str!("../servers/gateway-api-conformance/go.mod"),
                "sigs.k8s.io/gateway-api/conformance",
                "tests",
            ),
            Self::OpenReports => (
                "openreports",
                include_str!("../servers/openreports/go.mod"),
                "github.com/openreports/reports-api",
                "crd",
            ),
            Self::ExternalDns => (
                "external-dns",
                include_str!("../servers/external-dns/go.mod"),
                "sigs.k8s.io/external-dns",
                "external-dns",
            ),
            Self::Kubectl => {
                ("kubectl", include_str!("../servers/kube-apiserver/go.mod"), "k8s.io/kubernetes", "kubectl")
            }
            Self::Helm => ("helm", include_str!("../servers/helm/go.mod"), "helm.sh/helm/v4", "helm"),
        }
    }

    /// Where it lies.
    ///
    /// # Errors
    /// When it is not there.
    pub fn path(self) -> anyhow::Result<PathBuf> {
        let (name, go_mod, module, path) = self.describe();
        let version = pinned_version(go_mod, module)
            .with_context(|| format!("tests/servers/{name}/go.mod does not pin {module}"))?;
        let path = cache()?.join(format!("{name}-{version}")).join(path);
        if !path.exists() {
            bail!("{} is missing\nhint: run scripts/setup test", path.display());
        }
        Ok(path)
    }
}

/// The version that a `go.mod` requires of a module.
fn pinned_version<'t>(go_mod: &'t str, module: &str) -> Option<&'t str> {
    go_mod.lines().find_map(|line| {
        let line = line.trim().trim_start_matches("require ");
        let version = line.strip_prefix(module)?.split_whitespace().next()?;
        version.starts_with('v').then_some(version)
    })
}

/// The same folder as in `scripts/setup`.
fn cache() -> anyhow::Result<PathBuf> {
    let set = |variable| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("OPENMCP_DNS_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("openmcp-dns")))
        .or_else(|| Some(set("HOME")?.join(".cache/openmcp-dns")))
        .context("none of OPENMCP_DNS_CACHE, XDG_CACHE_HOME and HOME is set")
}

/// Our own program: what `OPENMCP_DNS_BIN` names, else the one of the build that runs now.
///
/// # Errors
/// When it is not there.
pub fn openmcp_dns() -> anyhow::Result<PathBuf> {
    if let Some(program) = std::env::var_os("OPENMCP_DNS_BIN") {
        let program = PathBuf::from(program);
        if !program.is_file() {
            bail!("OPENMCP_DNS_BIN names {}, which is no file", program.display());
        }
        return Ok(program);
    }
    // target/<profile>/deps/<test> lies one folder below target/<profile>/openmcp-dns.
    let test = std::env::current_exe().context("failed to find the running program")?;
    let profile =
        test.parent().and_then(Path::parent).context("the running program lies in no target folder")?;
    let program = profile.join("openmcp-dns");
    if !program.is_file() {
        bail!("{} is missing\nhint: run cargo build -p openmcp-dns", program.display());
    }
    Ok(program)
}

/// A path in the repository.
#[must_use]
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_version_is_that_of_the_module_itself() {
        let go_mod = "tool example.com/a/cmd\nrequire example.com/a/b v2.0.0\nrequire (\n\texample.com/a v1.2.3 // indirect\n)\n";
        assert_eq!(pinned_version(go_mod, "example.com/a"), Some("v1.2.3"));
        assert_eq!(pinned_version(go_mod, "example.com/a/b"), Some("v2.0.0"));
        assert_eq!(pinned_version(go_mod, "example.com/c"), None);
    }

    #[test]
    fn every_wrapper_pins_a_version() {
        for provided in [
            Provided::KubeApiserver,
            Provided::Etcd,
            Provided::CoreDns,
            Provided::GatewayApi,
            Provided::OpenReports,
            Provided::Helm,
            Provided::ExternalDns,
        ] {
            let (_, go_mod, module, _) = provided.describe();
            assert!(pinned_version(go_mod, module).is_some(), "{module}");
        }
    }
}
