//! What a method and a path ask for.

use http::Method;

use crate::refusal::Refusal;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Reads one object.
    Get,
    /// Reads all objects of a kind.
    List,
    /// Follows the objects of a kind.
    Watch,
    /// Makes an object.
    Create,
    /// Replaces an object.
    Update,
    /// Changes an object by a merge or apply patch.
    Patch,
    /// Deletes an object.
    Delete,
    /// Asks which groups and kinds are served.
    Discover,
}

impl Verb {
    /// Whether it changes something.
    #[must_use]
    pub const fn writes(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Patch | Self::Delete)
    }

    /// As access rules write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::Discover => "discover",
        }
    }
}

/// A path below `/api` and `/apis`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// `/version`
    Version,
    /// `/api`
    CoreVersions,
    /// `/apis`
    Groups,
    /// `/apis/GROUP`
    Group(String),
    /// `/api/v1` and `/apis/GROUP/VERSION`
    Resources { group: String, version: String },
    /// Objects.
    Objects(Place),
}

/// Where objects are.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) namespace: Option<String>,
    /// None for all of them.
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
}

impl Path {
    pub(crate) fn parse(path: &str) -> Result<Self, Refusal> {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        match segments.as_slice() {
            ["version"] => Ok(Self::Version),
            ["api"] => Ok(Self::CoreVersions),
            ["apis"] => Ok(Self::Groups),
            ["apis", group] => Ok(Self::Group((*group).to_owned())),
            ["api", version] => Ok(Self::Resources { group: String::new(), version: (*version).to_owned() }),
            ["apis", group, version] => {
                Ok(Self::Resources { group: (*group).to_owned(), version: (*version).to_owned() })
            }
            ["api", version, rest @ ..] => Place::parse("", version, rest).map(Self::Objects),
            ["apis", group, version, rest @ ..] => Place::parse(group, version, rest).map(Self::Objects),
            _ => Err(Refusal::no_such_page()),
        }
    }
}

impl Place {
    /// Whether namespaces are there.
    pub(crate) fn is_namespace(&self) -> bool {
        self.group.is_empty() && self.plural == "namespaces"
    }

    fn parse(group: &str, version: &str, rest: &[&str]) -> Result<Self, Refusal> {
        let (namespace, rest) = match rest {
            // A Namespace is both a place and an object.
            ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => (None, rest),
            ["namespaces", namespace, rest @ ..] => (Some((*namespace).to_owned()), rest),
            rest => (None, rest),
        };
        let (plural, name, subresource) = match *rest {
            [plural] => (plural, None, None),
            [plural, name] => (plural, Some(name), None),
            [plural, name, subresource] => (plural, Some(name), Some(subresource)),
            _ => return Err(Refusal::no_such_page()),
        };
        Ok(Self {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: plural.to_owned(),
            namespace,
            name: name.map(str::to_owned),
            subresource: subresource.map(str::to_owned),
        })
    }
}

/// What is done with what a path names.
pub(crate) fn verb(method: &Method, path: &Path, watch: bool) -> Result<Verb, Refusal> {
    let Path::Objects(place) = path else {
        return if method == Method::GET { Ok(Verb::Discover) } else { Err(Refusal::method_not_allowed()) };
    };
    match (method.as_str(), place.name.is_some()) {
        ("GET", true) => Ok(Verb::Get),
        ("GET", false) if watch => Ok(Verb::Watch),
        ("GET", false) => Ok(Verb::List),
        ("POST", false) => Ok(Verb::Create),
        ("PUT", true) => Ok(Verb::Update),
        ("PATCH", true) => Ok(Verb::Patch),
        ("DELETE", true) => Ok(Verb::Delete),
        _ => Err(Refusal::method_not_allowed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str) -> Place {
        match Path::parse(path) {
            Ok(Path::Objects(place)) => place,
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn a_namespace_is_a_place_and_an_object() {
        let at = place("/api/v1/namespaces/shop/configmaps/one");
        assert_eq!((at.namespace.as_deref(), at.plural.as_str()), (Some("shop"), "configmaps"));
        let at = place("/api/v1/namespaces/shop");
        assert_eq!(
            (at.namespace, at.plural.as_str(), at.name.as_deref()),
            (None, "namespaces", Some("shop"))
        );
        let at = place("/api/v1/namespaces/shop/status");
        assert_eq!((at.name.as_deref(), at.subresource.as_deref()), (Some("shop"), Some("status")));
        assert_eq!(place("/api/v1/namespaces").name, None);
    }

    #[test]
    fn paths_of_groups_and_objects_are_told_apart() {
        assert_eq!(Path::parse("/apis/example.com"), Ok(Path::Group("example.com".into())));
        let expected = Path::Resources { group: "example.com".into(), version: "v1".into() };
        assert_eq!(Path::parse("/apis/example.com/v1"), Ok(expected));
        let at = place("/apis/example.com/v1/namespaces/a/things/b/status");
        assert_eq!(
            (at.group.as_str(), at.version.as_str(), at.plural.as_str()),
            ("example.com", "v1", "things")
        );
        for path in ["/", "/healthz", "/api/v1/namespaces/a/things/b/status/more"] {
            assert_eq!(Path::parse(path), Err(Refusal::no_such_page()), "{path}");
        }
    }
}
