//! What routes and Ingresses lead to.

use serde::Deserialize;
use serde::de::Deserializer;

use super::meta::or_default;
use crate::details::Backend;

/// The kind of most backends, which a reference need not name.
const SERVICE: &str = "Service";

/// Backends in one text, a line for each: there may be a million routes, and few modules ask for their backends.
/// Parts that are the usual ones are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backends(Box<str>);

/// A reference to a backend, as routes have it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BackendRef {
    #[serde(deserialize_with = "or_default")]
    group: String,
    #[serde(deserialize_with = "or_default")]
    kind: String,
    #[serde(deserialize_with = "or_default")]
    namespace: String,
    name: String,
    port: Option<u16>,
}

impl Backends {
    fn of(references: impl IntoIterator<Item = BackendRef>) -> Self {
        let mut lines: Vec<String> = references.into_iter().filter_map(BackendRef::line).collect();
        lines.sort_unstable();
        lines.dedup();
        Self(lines.join("\n").into())
    }

    /// The backends of an object in this namespace: sorted, without duplicates.
    pub(super) fn of_object_in(&self, namespace: &str) -> Vec<Backend> {
        let mut backends: Vec<Backend> = self.0.lines().map(|line| backend(line, namespace)).collect();
        backends.sort_unstable();
        // One reference may name the namespace, another leave it out.
        backends.dedup();
        backends
    }
}

impl BackendRef {
    /// The reference as it is kept. A name with a space is none: no API server lets it in.
    fn line(self) -> Option<String> {
        let Self { group, kind, namespace, name, port } = self;
        let kind = if kind == SERVICE { "" } else { &kind };
        let has_space = |part: &str| part.contains(char::is_whitespace);
        if name.is_empty() || [&group, kind, &namespace, &name].into_iter().any(has_space) {
            return None;
        }
        let port = port.map(|port| port.to_string()).unwrap_or_default();
        Some([&name, &port, &namespace, kind, &group].join(" ").trim_end().to_owned())
    }
}

fn backend(line: &str, object_namespace: &str) -> Backend {
    let mut parts = line.split(' ').map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    let (name, port, namespace, kind, group) = (next(), next(), next(), next(), next());
    let or = |given: String, usual: &str| if given.is_empty() { usual.to_owned() } else { given };
    Backend {
        group,
        kind: or(kind, SERVICE),
        namespace: or(namespace, object_namespace),
        name,
        port: port.parse().ok(),
    }
}

/// Reads `spec.rules` of a route.
pub(super) fn of_route_rules<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Backends, D::Error> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Rule {
        #[serde(deserialize_with = "or_default")]
        backend_refs: Vec<BackendRef>,
    }
    let rules: Vec<Rule> = or_default(deserializer)?;
    Ok(Backends::of(rules.into_iter().flat_map(|rule| rule.backend_refs)))
}

/// A backend, as an Ingress has it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct IngressBackend {
    service: Option<IngressService>,
    resource: Option<IngressResource>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct IngressService {
    name: String,
    #[serde(deserialize_with = "or_default")]
    port: IngressPort,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct IngressPort {
    number: Option<u16>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct IngressResource {
    #[serde(deserialize_with = "or_default")]
    api_group: String,
    kind: String,
    name: String,
}

impl IngressBackend {
    fn references(self) -> impl Iterator<Item = BackendRef> {
        let service = self.service.map(|IngressService { name, port }| BackendRef {
            name,
            port: port.number,
            ..BackendRef::default()
        });
        let resource = self.resource.map(|IngressResource { api_group, kind, name }| BackendRef {
            group: api_group,
            kind,
            name,
            ..BackendRef::default()
        });
        service.into_iter().chain(resource)
    }
}

/// Reads `http` of a rule of an Ingress.
pub(super) fn of_ingress_rule<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Backends, D::Error> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Http {
        #[serde(deserialize_with = "or_default")]
        paths: Vec<Path>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Path {
        #[serde(deserialize_with = "or_default")]
        backend: IngressBackend,
    }
    let Http { paths } = or_default(deserializer)?;
    Ok(Backends::of(paths.into_iter().flat_map(|path| path.backend.references())))
}

/// Reads `spec.defaultBackend` of an Ingress.
pub(super) fn of_default_backend<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Backends, D::Error> {
    let backend: IngressBackend = or_default(deserializer)?;
    Ok(Backends::of(backend.references()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn in_words(backends: &Backends) -> Vec<String> {
        let all = backends.of_object_in("web").into_iter();
        all.map(|Backend { group, kind, namespace, name, port }| {
            format!("{group} {kind} {namespace}/{name} {port:?}")
        })
        .collect()
    }

    #[test]
    fn what_a_reference_leaves_out_is_the_usual_and_nothing_is_there_twice() {
        let rules = json!([
            { "backendRefs": [{ "name": "shop", "port": 80 }, { "name": "shop", "kind": "Service", "group": "" }] },
            { "backendRefs": [{ "name": "shop", "port": 80, "namespace": "web" }] },
            { "backendRefs": [{ "name": "far", "namespace": "other", "kind": "ServiceImport", "group": "m.io" }] },
            { "filters": [] },
            { "backendRefs": null },
        ]);
        let backends = of_route_rules(rules).unwrap();
        assert_eq!(
            in_words(&backends),
            [" Service web/shop None", " Service web/shop Some(80)", "m.io ServiceImport other/far None"]
        );
        // What most routes have takes no more than its name and port.
        let usual = of_route_rules(json!([{ "backendRefs": [{ "name": "shop", "port": 80 }] }])).unwrap();
        assert_eq!(&*usual.0, "shop 80");
        assert_eq!(of_route_rules(json!(null)).unwrap(), Backends::default());
    }

    #[test]
    fn an_ingress_leads_to_services_and_to_other_resources() {
        let http = json!({ "paths": [
            { "path": "/", "backend": { "service": { "name": "shop", "port": { "number": 80 } } } },
            { "path": "/a", "backend": { "service": { "name": "shop", "port": { "name": "http" } } } },
            { "path": "/b", "backend": { "resource": { "apiGroup": "s.io", "kind": "Bucket", "name": "b" } } },
        ]});
        assert_eq!(
            in_words(&of_ingress_rule(http).unwrap()),
            [" Service web/shop None", " Service web/shop Some(80)", "s.io Bucket web/b None"]
        );
        let backend = json!({ "service": { "name": "rest" } });
        assert_eq!(in_words(&of_default_backend(backend).unwrap()), [" Service web/rest None"]);
    }
}
