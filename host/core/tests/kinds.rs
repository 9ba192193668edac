//! What every kind must have: objects with what comes of them, permissions, and a line in the
//! documentation.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use openmcp_dns_core::cluster::SourceRef;
use openmcp_dns_core::kinds::{Kind, SourceRules, Watched};
use openmcp_dns_core::objects::{Change, Objects};
use openmcp_dns_core::resolve::Resolution;
use serde::Deserialize;
use serde_json::Value;

/// The form of `kinds/<kind in lower case>.yaml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    /// Objects that all cases share.
    #[serde(default)]
    objects: Vec<Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    objects: Vec<Value>,
    /// By source. A source that is not named asks for nothing.
    expect: BTreeMap<String, Expected>,
}

#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
struct Expected {
    /// Targets by host name.
    claims: BTreeMap<String, Vec<String>>,
    /// Times to live in seconds by host name, where objects ask for one.
    ttl: BTreeMap<String, u32>,
    /// Reasons by host name; several are sorted.
    unresolved: BTreeMap<String, Vec<String>>,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn fixtures() -> impl Iterator<Item = (Kind, Fixture)> {
    Kind::sources().map(|kind| {
        let file =
            format!("{}/tests/kinds/{}.yaml", env!("CARGO_MANIFEST_DIR"), kind.as_str().to_lowercase());
        let fixture = serde_saphyr::from_str(&read(Path::new(&file)));
        (kind, fixture.unwrap_or_else(|error| panic!("{file}: {error}")))
    })
}

fn object(object: &Value) -> Watched {
    let kind = object["kind"].as_str().and_then(Kind::parse).unwrap_or_else(|| panic!("no kind: {object}"));
    assert_eq!(object["apiVersion"], kind.api_version(), "{object}");
    Watched::from_json(kind, object.clone()).unwrap_or_else(|error| panic!("{object}: {error}"))
}

fn told(resolution: &Resolution) -> Expected {
    let mut told = Expected::default();
    for claim in &resolution.wanted {
        told.claims.insert(claim.host_name.clone(), claim.targets.clone());
        told.ttl.extend(claim.ttl_seconds.map(|seconds| (claim.host_name.clone(), seconds)));
    }
    for unresolved in &resolution.unresolved {
        told.unresolved.entry(unresolved.host_name.clone()).or_default().push(unresolved.reason.to_string());
    }
    told
}

#[test]
fn objects_of_every_kind_ask_for_what_their_fixture_says() {
    for (kind, fixture) in fixtures() {
        let mut claims = 0;
        for case in &fixture.cases {
            let what = format!("{kind}: {}", case.name);
            let mut objects = Objects::default();
            for all in fixture.objects.iter().chain(&case.objects) {
                objects.apply(Change::Set(object(all)));
            }
            let mut found = BTreeMap::new();
            for source in objects.sources() {
                found.insert(
                    source.to_string(),
                    told(&objects.resolve(&source, &SourceRules::default()).unwrap()),
                );
            }
            found.retain(|_, told| *told != Expected::default());
            assert!(found.keys().all(|source| source.starts_with(&format!("{kind}/"))), "{what}: {found:?}");
            claims += found.values().map(|told| told.claims.len()).sum::<usize>();
            assert_eq!(found, case.expect, "{what}");
        }
        assert!(claims > 0, "the fixture of {kind} has a source that claims something");
    }
}

/// In whatever order objects come and go, what is affected by each change is all that changes.
#[test]
fn whatever_a_change_leads_to_is_said_to_be_affected() {
    for (kind, fixture) in fixtures() {
        for case in &fixture.cases {
            let all: Vec<Watched> = fixture.objects.iter().chain(&case.objects).map(object).collect();
            for first in 0..all.len() {
                let order = (0..all.len()).map(|index| &all[(first + index) % all.len()]);
                let set = order.clone().map(|object| Change::Set(object.clone()));
                let removed = order.map(|object| Change::Removed(object.kind, object.key()));
                let mut objects = Objects::default();
                let mut known: BTreeMap<SourceRef, Resolution> = BTreeMap::new();
                for change in set.chain(removed) {
                    let what = format!("{kind}: {}: {change:?}", case.name);
                    for source in objects.apply(change) {
                        match objects.resolve(&source, &SourceRules::default()) {
                            Some(resolution) if resolution != Resolution::default() => {
                                known.insert(source, resolution)
                            }
                            _ => known.remove(&source),
                        };
                    }
                    let sources = objects.sources().into_iter();
                    let asking = sources.filter_map(|source| {
                        let resolution = objects.resolve(&source, &SourceRules::default())?;
                        (resolution != Resolution::default()).then_some((source, resolution))
                    });
                    let now: BTreeMap<SourceRef, Resolution> = asking.collect();
                    assert_eq!(known, now, "{what}");
                }
                assert!(known.is_empty());
            }
        }
    }
}

/// Without these, something that is needed would not be known, and would look as if it were gone.
#[test]
fn every_kind_needs_the_kinds_that_its_fixture_cannot_do_without() {
    for (kind, fixture) in fixtures() {
        let mut needed = BTreeSet::from([kind]);
        if kind.is_watched() {
            // A module can ask for the labels of the namespace.
            needed.insert(Kind::Namespace);
        }
        for case in &fixture.cases {
            let all: Vec<Watched> = fixture.objects.iter().chain(&case.objects).map(object).collect();
            let claims = |without: Option<Kind>| {
                let mut objects = Objects::default();
                for object in all.iter().filter(|object| Some(object.kind) != without) {
                    objects.apply(Change::Set(object.clone()));
                }
                let resolve = |source: SourceRef| {
                    objects.resolve(&source, &SourceRules::default()).map(|resolution| resolution.wanted)
                };
                objects.sources().into_iter().map(resolve).collect::<Vec<_>>()
            };
            let others = Kind::ALL.into_iter().filter(|other| *other != kind);
            needed.extend(others.filter(|other| claims(Some(*other)) != claims(None)));
        }
        assert_eq!(kind.needs().collect::<BTreeSet<_>>(), needed, "{kind}");
    }
}

#[test]
fn every_fixture_belongs_to_a_kind() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kinds");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let kinds = Kind::sources().map(|kind| format!("{}.yaml", kind.as_str().to_lowercase()));
    assert_eq!(files.collect::<BTreeSet<_>>(), kinds.collect());
}

#[test]
fn a_kind_is_found_by_its_name_and_sources_sort_as_they_always_have() {
    for kind in Kind::ALL {
        assert_eq!(Kind::parse(&kind.to_string()), Some(kind));
    }
    assert_eq!(Kind::parse("httproute"), None);
    assert!(Kind::HttpRoute < Kind::Ingress);
}

#[derive(Deserialize)]
struct Role {
    kind: String,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    api_groups: Vec<String>,
    resources: Vec<String>,
    verbs: BTreeSet<String>,
}

#[test]
fn a_clusters_account_may_read_the_kinds_write_the_status_of_routes_and_nothing_else_of_their_groups() {
    let roles: Vec<Role> =
        serde_saphyr::from_multiple(&read(&repository().join("deploy/cluster-access.yaml"))).unwrap();
    let mut allowed = BTreeMap::new();
    for rule in roles.into_iter().filter(|role| role.kind == "ClusterRole").flat_map(|role| role.rules) {
        let Rule { api_groups, resources, verbs } = rule;
        for group in api_groups.into_iter().filter(|group| Kind::watched().any(|kind| kind.group() == group))
        {
            for resource in &resources {
                let twice = allowed.insert((group.clone(), resource.clone()), verbs.clone());
                assert_eq!(twice, None, "{group}/{resource} has one rule");
            }
        }
    }
    let reading = || ["get", "list", "watch"].map(str::to_owned).into();
    let mut wanted: BTreeMap<(String, String), BTreeSet<String>> = Kind::watched()
        .map(|kind| ((kind.group().to_owned(), kind.plural().to_owned()), reading()))
        .collect();
    let routes = Kind::watched().filter(|kind| kind.is_route());
    wanted.extend(routes.map(|kind| {
        let status = format!("{}/status", kind.plural());
        ((kind.group().to_owned(), status), BTreeSet::from(["patch".to_owned()]))
    }));
    assert_eq!(allowed, wanted);
}

#[test]
fn the_documentation_has_every_kind_with_its_group() {
    let page = read(&repository().join("docs/sources.md"));
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let rows = page.lines().filter(|line| line.starts_with("| `")).map(cells);
    let rows = rows.filter(|cells| Kind::parse(cells[1].trim_matches('`')).is_some());
    let found: Vec<_> = rows.map(|cells| (cells[1].clone(), cells[2].clone(), cells.len())).collect();
    let group =
        |kind: Kind| if kind.group().is_empty() { "core".to_owned() } else { kind.group().to_owned() };
    let wanted: Vec<_> = Kind::watched().map(|kind| (format!("`{kind}`"), group(kind), 7)).collect();
    assert_eq!(found, wanted);
}
