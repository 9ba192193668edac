//! Manifests: from the text of a file to the objects that the service reads.

use std::fmt;

use openmcp_dns_core::kinds::{self, Fields, Part, Reader, Watched};
use serde::Serialize;
use serde::de::IgnoredAny;

use super::document::{Document, Syntax, documents};
use openmcp_dns_api::{Cluster, DNSPolicy};

/// Kinds of objects that are read from a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The clusters of the landscape.
    Cluster,
    /// Which module decides.
    DnsPolicy,
    /// What is watched in every cluster.
    Watched(kinds::Kind),
}

impl Kind {
    fn all() -> impl Iterator<Item = Self> {
        [Self::Cluster, Self::DnsPolicy].into_iter().chain(kinds::Kind::ALL.map(Self::Watched))
    }

    /// The kind in its Kubernetes spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "Cluster",
            Self::DnsPolicy => "DNSPolicy",
            Self::Watched(kind) => kind.as_str(),
        }
    }

    const fn group(self) -> &'static str {
        match self {
            Self::Cluster => "clusters.openmcp.cloud",
            Self::DnsPolicy => "dns.openmcp.cloud",
            Self::Watched(kind) => kind.group(),
        }
    }

    const fn is_namespaced(self) -> bool {
        match self {
            Self::Cluster => true,
            Self::DnsPolicy => false,
            Self::Watched(kind) => kind.is_namespaced(),
        }
    }
}

/// Names an object within its cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name } = self;
        let kind = kind.as_str();
        if namespace.is_empty() { write!(f, "{kind}/{name}") } else { write!(f, "{kind}/{namespace}/{name}") }
    }
}

/// An object as a manifest has it.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// A cluster of the landscape.
    Cluster(Box<Cluster>),
    /// Which module decides.
    Policy(Box<DNSPolicy>),
    /// An object of a cluster.
    Watched(Watched),
}

/// An object, and where its manifest begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Line in the file, from 1.
    pub line: usize,
    /// The object.
    pub object: Object,
}

/// What is wrong with a file or a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Line in the file, from 1, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// The next step.
    pub hint: String,
    /// Whether something could not be read, so that it is not known what it asks for.
    pub is_error: bool,
}

impl Problem {
    /// Something could not be read.
    pub fn error(line: Option<usize>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { line, message: message.into(), hint: hint.into(), is_error: true }
    }

    /// Something is read, but probably not as it is meant.
    pub fn warning(line: Option<usize>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { line, message: message.into(), hint: hint.into(), is_error: false }
    }
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// The objects, in the order of the file.
    pub objects: Vec<(ObjectId, Manifest)>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

/// Reads the text of a file. A document that cannot be read does not keep the others from being read.
pub fn parse(syntax: Syntax, text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    if text.trim().is_empty() {
        let hint = "delete the file to withdraw what it held";
        parsed.problems.push(Problem::error(None, "the file is empty", hint));
    }
    for document in documents(syntax, text) {
        if let Err(problem) = read_document(&document, &mut parsed) {
            parsed.problems.push(problem);
        }
    }
    parsed
}

/// What every object says of itself.
#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Header {
    api_version: Option<String>,
    kind: Option<String>,
    metadata: Option<HeaderMetadata>,
    items: Option<IgnoredAny>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct HeaderMetadata {
    name: Option<String>,
    namespace: Option<String>,
}

#[derive(serde::Deserialize)]
struct List {
    items: Vec<serde_json::Value>,
}

fn read_document(document: &Document<'_>, parsed: &mut Parsed) -> Result<(), Problem> {
    let Some(header) = document.read::<Option<Header>>()? else { return Ok(()) };
    let is_list = header.items.is_some() && header.kind.as_deref().is_some_and(|kind| kind.ends_with("List"));
    if !is_list {
        return add(header, document.line, parsed, |kind| read_text(kind, document));
    }
    // The items of `kubectl get -o yaml`; their lines are not known.
    for item in document.read::<List>()?.items {
        let at = |error: serde_json::Error| Problem::error(Some(document.line), error.to_string(), FIX_FIELD);
        let header: Header = serde_json::from_value(item.clone()).map_err(at)?;
        add(header, document.line, parsed, |kind| read_json(kind, item).map_err(at))?;
    }
    Ok(())
}

const FIX_FIELD: &str = "correct the field; what the file published before stays until then";

/// Reads an object from JSON.
fn read_json(kind: Kind, value: serde_json::Value) -> serde_json::Result<Object> {
    Ok(match kind {
        Kind::Cluster => Object::Cluster(serde_json::from_value(value)?),
        Kind::DnsPolicy => Object::Policy(serde_json::from_value(value)?),
        Kind::Watched(kind) => Object::Watched(Watched::from_json(kind, value)?),
    })
}

/// Reads an object straight from the text, so that an error knows its line.
fn read_text(kind: Kind, document: &Document<'_>) -> Result<Object, Problem> {
    Ok(match kind {
        Kind::Cluster => Object::Cluster(document.read()?),
        Kind::DnsPolicy => Object::Policy(document.read()?),
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

/// Adds an object if it is of a kind that is read.
fn add(
    header: Header,
    line: usize,
    parsed: &mut Parsed,
    read: impl FnOnce(Kind) -> Result<Object, Problem>,
) -> Result<(), Problem> {
    let Header { api_version, kind, metadata, items: _ } = header;
    let (Some(api_version), Some(kind)) = (api_version, kind) else {
        let message = "this is no Kubernetes object: apiVersion or kind is missing";
        return Err(Problem::error(Some(line), message, "add the field, or move the file elsewhere"));
    };
    let kind = match recognise(&api_version, &kind) {
        Recognised::Read(kind) => kind,
        Recognised::Other => return Ok(()),
        Recognised::Misspelled(meant) => {
            let message = format!("the kind {kind} is not known, so the object is passed over");
            let hint = format!("kinds are case-sensitive: write {}", meant.as_str());
            parsed.problems.push(Problem::warning(Some(line), message, hint));
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
    let mut object = read(kind)?;
    set_namespace(&mut object, &namespace);
    let id = ObjectId { kind, namespace, name };
    if parsed.objects.iter().any(|(other, _)| *other == id) {
        let message = format!("{id} stands twice in this file; the first one counts");
        parsed.problems.push(Problem::warning(Some(line), message, "remove or rename one of them"));
        return Ok(());
    }
    parsed.objects.push((id, Manifest { line, object }));
    Ok(())
}

fn set_namespace(object: &mut Object, namespace: &str) {
    let namespace = namespace.to_owned();
    match object {
        Object::Cluster(cluster) => cluster.metadata.namespace = Some(namespace),
        Object::Policy(policy) => policy.metadata.namespace = None,
        Object::Watched(object) => object.meta.namespace = namespace,
    }
}

/// What a group and kind mean to the service.
enum Recognised {
    /// The object is read.
    Read(Kind),
    /// Hardly anything else than a kind that is read can be meant.
    Misspelled(Kind),
    /// A kind that the service never reads.
    Other,
}

fn recognise(api_version: &str, kind: &str) -> Recognised {
    // Every version of a group: the fields that are read are the same in all of them.
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let in_group = |known: &Kind| known.group() == group;
    if let Some(known) = Kind::all().filter(in_group).find(|known| known.as_str() == kind) {
        return Recognised::Read(known);
    }
    let alike = |known: &Kind| known.as_str().eq_ignore_ascii_case(kind);
    Kind::all().filter(in_group).find(alike).map_or(Recognised::Other, Recognised::Misspelled)
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
        assert_eq!(parsed.objects.iter().map(|(_, manifest)| manifest.line).collect::<Vec<_>>(), [3, 9]);
        assert_eq!(parsed.problems, []);
    }

    #[test]
    fn kinds_of_others_are_passed_over_without_a_word() {
        let parsed = yaml(
            "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: [anything]\n---\n\
             apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g}\n---\n\
             apiVersion: cluster.x-k8s.io/v1beta1\nkind: Cluster\nmetadata: {name: c}\n",
        );
        assert_eq!(parsed, Parsed::default());
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
