//! Manifests: from the text of a file to the objects that the service reads.

use std::collections::BTreeSet;
use std::sync::Arc;

use openmcp_dns_api::{Cluster, DNSPolicy, GatewayServiceConfig};
use openmcp_dns_core::kinds::{self, Fields, Part, Reader, Watched};
use serde::Deserialize as _;
use serde_json::Value;

use super::document::{Document, Syntax, documents};
use super::kind::{Kind, ObjectId, Recognised, recognise};
use super::raw::{Header, HeaderMetadata, List, Raw};
use crate::problem::Problem;

/// An object as a manifest has it.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// A cluster of the landscape.
    Cluster(Box<Cluster>),
    /// Which module decides.
    Policy(Box<DNSPolicy>),
    /// What openMCP's gateway service says of the domains of clusters.
    Gateways(Box<GatewayServiceConfig>),
    /// An object of a cluster.
    Watched(Watched),
}

/// An object of a kind that the service reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// All that stands there, and where.
    pub raw: Raw,
    /// What the service reads of it.
    pub object: Object,
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// The objects, in the order of the file.
    pub objects: Vec<(ObjectId, Arc<Manifest>)>,
    /// The objects of kinds that the service does not read, in the order of the file.
    pub others: Vec<Raw>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

/// Reads the text of a file. A document that cannot be read does not keep the others from being read.
pub fn parse(syntax: Syntax, text: &str) -> Parsed {
    let mut reading = Reading::default();
    if text.trim().is_empty() {
        let hint = "delete the file to withdraw what it held";
        reading.parsed.problems.push(Problem::error(None, "the file is empty", hint));
    }
    for document in documents(syntax, text) {
        if let Err(problem) = reading.document(&document) {
            reading.parsed.problems.push(problem);
        }
    }
    reading.parsed
}

/// A file that is being read.
#[derive(Default)]
struct Reading {
    parsed: Parsed,
    /// What stands in it.
    seen: BTreeSet<ObjectId>,
}

const FIX_FIELD: &str = "correct the field; what the file published before stays until then";

/// Reads an object from JSON.
fn read_json(kind: Kind, value: Value) -> serde_json::Result<Object> {
    Ok(match kind {
        Kind::Cluster => Object::Cluster(serde_json::from_value(value)?),
        Kind::DnsPolicy => Object::Policy(serde_json::from_value(value)?),
        Kind::GatewayServiceConfig => Object::Gateways(serde_json::from_value(value)?),
        Kind::Watched(kind) => Object::Watched(Watched::from_json(kind, value)?),
    })
}

/// Reads an object straight from the text, so that an error knows its line.
fn read_text(kind: Kind, document: &Document<'_>) -> Result<Object, Problem> {
    Ok(match kind {
        Kind::Cluster => Object::Cluster(document.read()?),
        Kind::DnsPolicy => Object::Policy(document.read()?),
        Kind::GatewayServiceConfig => Object::Gateways(document.read()?),
        Kind::Watched(kind) => Object::Watched(kind.read(Text { kind, document })?),
    })
}

struct Text<'a> {
    kind: kinds::Kind,
    document: &'a Document<'a>,
}

impl Reader for Text<'_> {
    type Output = Result<Watched, Problem>;

    fn read<Spec: Part, Status: Part>(self, fields: fn(Spec, Status) -> Fields) -> Self::Output {
        Ok(self.document.read::<kinds::Object<Spec, Status>>()?.watched(self.kind, fields))
    }
}

impl Reading {
    /// YAML is read once, as it stands; where that is not as expected, once more as what was expected, which knows the line.
    fn document(&mut self, document: &Document<'_>) -> Result<(), Problem> {
        let value = document.value();
        let header = value.as_ref().ok().and_then(|value| Option::<Header>::deserialize(value).ok());
        let header = header.map_or_else(|| document.read::<Option<Header>>(), Ok)?;
        let Some(header) = header else { return Ok(()) };
        if !header.is_list() {
            return self.add(header, document.line, value, |kind, value| {
                let from_value = value.and_then(|value| read_json(kind, value.clone()).ok());
                from_value.map_or_else(|| read_text(kind, document), Ok)
            });
        }
        // Their lines are not known.
        for item in document.read::<List>()?.items {
            let at =
                |error: serde_json::Error| Problem::error(Some(document.line), error.to_string(), FIX_FIELD);
            let header = Header::deserialize(&item).map_err(at)?;
            self.add(header, document.line, Ok(item), |kind, item| {
                read_json(kind, item.cloned().unwrap_or_default()).map_err(at)
            })?;
        }
        Ok(())
    }

    /// Adds an object if it is of a kind that is read.
    fn add(
        &mut self,
        header: Header,
        line: usize,
        value: Result<Value, Problem>,
        read: impl FnOnce(Kind, Option<&Value>) -> Result<Object, Problem>,
    ) -> Result<(), Problem> {
        let Header { api_version, kind, metadata, .. } = header;
        let (Some(api_version), Some(kind)) = (api_version, kind) else {
            let message = "this is no Kubernetes object: apiVersion or kind is missing";
            return Err(Problem::error(Some(line), message, "add the field, or move the file elsewhere"));
        };
        let kind = match recognise(&api_version, &kind) {
            Recognised::Read(kind) => kind,
            Recognised::Other => {
                // What nobody here reads may be as broken as it likes.
                self.parsed.others.extend(value.map(|value| Raw::new(line, &value)));
                return Ok(());
            }
            Recognised::Misspelled(meant) => {
                let message = format!("the kind {kind} is not known, so the object is passed over");
                let hint = format!("kinds are case-sensitive: write {}", meant.as_str());
                self.parsed.problems.push(Problem::warning(Some(line), message, hint));
                return Ok(());
            }
        };
        let HeaderMetadata { name, namespace } = metadata.unwrap_or_default();
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            let message = format!("the {} has no metadata.name", kind.as_str());
            return Err(Problem::error(Some(line), message, "add the field"));
        };
        let namespace = match namespace.filter(|namespace| !namespace.is_empty()) {
            _ if !kind.is_namespaced() => String::new(),
            Some(namespace) => namespace,
            // As kubectl does.
            None => "default".to_owned(),
        };
        let mut object = read(kind, value.as_ref().ok())?;
        set_namespace(&mut object, &namespace);
        let raw = Raw::named(line, value?, &namespace, &name);
        let id = ObjectId { kind, namespace, name };
        if !self.seen.insert(id.clone()) {
            let message = format!("{id} stands twice in this file; the first one counts");
            self.parsed.problems.push(Problem::warning(Some(line), message, "remove or rename one of them"));
            return Ok(());
        }
        self.parsed.objects.push((id, Arc::new(Manifest { raw, object })));
        Ok(())
    }
}

fn set_namespace(object: &mut Object, namespace: &str) {
    let namespace = namespace.to_owned();
    match object {
        Object::Cluster(cluster) => cluster.metadata.namespace = Some(namespace),
        Object::Policy(policy) => policy.metadata.namespace = None,
        Object::Gateways(config) => config.metadata.namespace = None,
        Object::Watched(object) => object.meta.namespace = namespace.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaml(text: &str) -> Parsed {
        parse(Syntax::Yaml, text)
    }

    fn ids(parsed: &Parsed) -> Vec<String> {
        parsed.objects.iter().map(|(id, _)| id.to_string()).collect()
    }

    const ROUTE: &str =
        "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: HTTPRoute\nmetadata: {name: r}\n";

    #[test]
    fn every_document_is_an_object_with_its_line() {
        let parsed = yaml(&format!(
            "# a comment first\n---\n{ROUTE}---\n# nothing here\n---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: n}}\n"
        ));
        assert_eq!(ids(&parsed), ["HTTPRoute/default/r", "Namespace/n"]);
        assert_eq!(parsed.objects.iter().map(|(_, manifest)| manifest.raw.line).collect::<Vec<_>>(), [3, 9]);
        assert_eq!(parsed.problems, []);
    }

    #[test]
    fn kinds_of_others_are_passed_over_without_a_word() {
        let parsed = yaml(
            "apiVersion: v1\nkind: Pod\nmetadata: {name: s}\nspec: [anything]\n---\n\
             apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\n---\n\
             apiVersion: cluster.x-k8s.io/v1beta1\nkind: Cluster\nmetadata: {name: c}\n",
        );
        let lines: Vec<(usize, [&str; 4])> =
            parsed.others.iter().map(|raw| (raw.line, raw.identity())).collect();
        assert_eq!(
            lines,
            [
                (1, ["v1", "Pod", "", "s"]),
                (6, ["networking.istio.io/v1", "Gateway", "", "g"]),
                (10, ["cluster.x-k8s.io/v1beta1", "Cluster", "", "c"]),
            ]
        );
        assert_eq!(parsed, Parsed { others: parsed.others.clone(), ..Parsed::default() });
    }

    #[test]
    fn an_object_is_kept_with_the_fields_that_nobody_reads() {
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: n}\ndata: {a: Yg==}\n";
        let parsed = yaml(&format!("{ROUTE}status: {{own: [1]}}\n---\n{secret}"));
        let route = &parsed.objects[0].1.raw;
        assert_eq!(route.object()["status"]["own"][0], 1);
        assert_eq!(route.identity()[2..], ["default", "r"]);
        assert_eq!(parsed.others[0].object()["data"]["a"], "Yg==");
        assert_eq!(parsed.others[0].line, 6);
    }

    #[test]
    fn a_name_that_looks_like_something_else_is_kept_as_a_name() {
        let route = ROUTE.replace("{name: r}", "{name: 12, namespace: on, labels: {country: no}}");
        let parsed = yaml(&format!("{route}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: n}}\n"));
        let raw = &parsed.objects[0].1.raw;
        assert_eq!(raw.identity()[2..], ["on", "12"]);
        assert_eq!(raw.object()["metadata"]["labels"]["country"], "no");
        assert_eq!(parsed.others[0].identity()[3], "n");
    }

    #[test]
    fn what_has_no_namespace_is_kept_without_the_one_that_is_written() {
        let parsed = yaml("apiVersion: v1\nkind: Namespace\nmetadata: {name: n, namespace: wrong}\n");
        assert_eq!(parsed.objects[0].1.raw.identity(), ["v1", "Namespace", "", "n"]);
    }

    #[test]
    fn a_kind_in_the_wrong_case_is_not_passed_over_in_silence() {
        let parsed = yaml(&ROUTE.replace("HTTPRoute", "HttpRoute"));
        assert_eq!(ids(&parsed), [""; 0]);
        assert!(parsed.problems[0].hint.contains("write HTTPRoute"));
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line_and_the_rest_is_read() {
        for (bad, line, message) in [
            ("kind: HTTPRoute\nmetadata: {name: x", 5, ""),
            ("apiVersion: v1\nmetadata: {name: x}\n", 5, "apiVersion or kind is missing"),
            ("just a text\n", 5, ""),
            ("apiVersion: v1\nkind: Namespace\nmetadata: {}\n", 5, "has no metadata.name"),
            (
                "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: x}\nspec:\n  hostnames: one\n",
                9,
                "",
            ),
            (
                "apiVersion: dns.openmcp.cloud/v1alpha1\nkind: DNSPolicy\nmetadata: {name: x}\nspec: {baseDomian: x}\n",
                8,
                "baseDomian",
            ),
        ] {
            let parsed = yaml(&format!("{ROUTE}---\n{bad}"));
            assert_eq!(ids(&parsed), ["HTTPRoute/default/r"], "{bad}");
            let problem = &parsed.problems[0];
            assert!(problem.message.contains(message), "{bad}: {problem:?}");
            assert!(problem.is_error && !problem.hint.is_empty(), "{problem:?}");
            assert!(
                problem.line.is_some_and(|found| found >= line && found <= line + 1),
                "{bad}: {problem:?}"
            );
        }
    }

    #[test]
    fn an_empty_file_is_an_error_because_it_may_be_half_written() {
        assert!(yaml("").problems[0].is_error);
        assert_eq!(yaml("# only a comment\n"), Parsed::default());
    }

    #[test]
    fn of_two_objects_with_one_name_the_first_counts() {
        let parsed = yaml(&format!("{ROUTE}---\n{ROUTE}"));
        assert_eq!(parsed.objects.len(), 1);
        assert_eq!(parsed.problems[0].line, Some(5));
        assert!(!parsed.problems[0].is_error);
    }

    #[test]
    fn json_and_lists_are_read_too() {
        let item = r#"{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"i","namespace":"a"}}"#;
        assert_eq!(ids(&parse(Syntax::Json, item)), ["Ingress/a/i"]);
        let list = format!("apiVersion: v1\nkind: List\nitems:\n- {item}\n");
        assert_eq!(ids(&yaml(&list)), ["Ingress/a/i"]);
        let broken = parse(Syntax::Json, "{\n  \"kind\": \"Ingress\",\n");
        assert_eq!(broken.problems[0].line, Some(3));
    }
}
