//! Makes components of the text fixtures in `tests/hostile`, and questions to ask them.

#![allow(dead_code, reason = "each test file that includes this uses a part of it")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use openmcp_dns_core::cluster::{ClusterFacts, ClusterId, SourceRef};
use openmcp_dns_core::details::PublishedNames;
use openmcp_dns_core::kinds::Kind;
use openmcp_dns_core::labels::Labels;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::{CheckedClaim, Context};
use openmcp_dns_policy::{Engine, Limits};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The contract that the guests are of: the memory of a question lies there as it always will.
pub(crate) const CONTRACT: &str = include_str!("../../../../wit/released/0.1.0/policy.wit");

/// An engine with the limits of production.
pub(crate) static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::new(Limits::default()).unwrap());

/// A guest in the text form, made of `guest.wat` and what replaces parts of it.
pub(crate) struct Guest {
    forms: Vec<(String, String)>,
    always: bool,
    contract: String,
}

impl Guest {
    /// The well-behaved one.
    pub(crate) fn good() -> Self {
        let forms = forms(&fixture("guest"));
        Self { forms, always: false, contract: CONTRACT.to_owned() }
    }

    /// One that is hostile for names that start with `evil`.
    pub(crate) fn later(file: &str) -> Self {
        Self::good().with(&fixture(file))
    }

    /// One that is hostile for every name.
    pub(crate) fn always(file: &str) -> Self {
        Self { always: true, ..Self::later(file) }
    }

    /// Replaces definitions and adds others.
    pub(crate) fn with(mut self, text: &str) -> Self {
        for (name, form) in forms(text) {
            let known = match name.as_str() {
                "" => None,
                name => self.forms.iter_mut().find(|(other, _)| other == name),
            };
            match known {
                Some((_, replaced)) => *replaced = form,
                None => self.forms.push((name, form)),
            }
        }
        self
    }

    /// Replaces text in the contract and in the guest.
    pub(crate) fn replacing(mut self, from: &str, to: &str) -> Self {
        self.contract = self.contract.replace(from, to);
        for (_, form) in &mut self.forms {
            *form = form.replace(from, to);
        }
        self
    }

    /// Leaves out the definitions that start so.
    pub(crate) fn without(mut self, start: &str) -> Self {
        self.forms.retain(|(_, form)| !form.starts_with(start));
        self
    }

    /// Of another contract, given as text.
    pub(crate) fn of_contract(mut self, contract: &str) -> Self {
        self.contract = contract.to_owned();
        self
    }

    /// The core module as text.
    pub(crate) fn text(&self) -> String {
        let forms: String = self.forms.iter().map(|(_, form)| format!("{form}\n")).collect();
        format!("(module\n(global $always i32 (i32.const {}))\n{forms})", i32::from(self.always))
    }

    /// The core module with the contract that it was made for in a custom section.
    pub(crate) fn core(&self) -> Vec<u8> {
        let mut core = wat::parse_str(self.text()).unwrap();
        let mut resolve = Resolve::default();
        let package = resolve.push_str("contract.wit", &self.contract).unwrap();
        let world = resolve.select_world(&[package], None).unwrap();
        embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8, false).unwrap();
        core
    }

    /// The component.
    pub(crate) fn component(&self) -> Vec<u8> {
        ComponentEncoder::default().validate(false).module(&self.core()).unwrap().encode().unwrap()
    }
}

fn fixture(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/hostile/{file}.wat"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Splits text into its top-level forms, each with its kind and name, empty where it has none.
fn forms(text: &str) -> Vec<(String, String)> {
    let code: String =
        text.lines().map(|line| line.split(";;").next().unwrap_or("")).collect::<Vec<_>>().join("\n");
    let (mut forms, mut depth, mut start, mut quoted) = (Vec::new(), 0, 0, false);
    for (index, character) in code.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '(' if !quoted => {
                if depth == 0 {
                    start = index;
                }
                depth += 1;
            }
            ')' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    let form = &code[start..=index];
                    let mut words = form.split([' ', '\n', ')']);
                    let name = match (words.next(), words.next()) {
                        (Some(kind), Some(name)) if name.starts_with('$') => format!("{kind} {name}"),
                        _ => String::new(),
                    };
                    forms.push((name, form.to_owned()));
                }
            }
            _ => {}
        }
    }
    assert_eq!(depth, 0, "unbalanced: {text}");
    forms
}

/// A host name.
pub(crate) fn name(text: &str) -> HostName {
    text.parse().unwrap()
}

/// An ordinary cluster asks.
pub(crate) fn context() -> Context {
    let id = ClusterId::new("default", "workload01");
    Context {
        base_domain: name("openmcp.cluster"),
        cluster: ClusterFacts { id, purposes: vec!["workload".to_owned()], labels: BTreeMap::new() },
        configuration: "{}".to_owned(),
        shared_names: Vec::new(),
        shared_suffixes: Vec::new(),
    }
}

/// An ordinary claim of a name below `workload01.openmcp.cluster`.
pub(crate) fn claim(label: &str) -> CheckedClaim {
    CheckedClaim {
        host_name: name(&format!("{label}.workload01.openmcp.cluster")),
        source: SourceRef::new(Kind::HttpRoute, "default", "shop"),
        labels: Labels::default(),
        targets: vec!["10.0.0.1".to_owned()],
        details: None,
        published_names: PublishedNames::default(),
    }
}

/// The domain of the ordinary cluster.
pub(crate) fn domain() -> HostName {
    name("workload01.openmcp.cluster")
}
