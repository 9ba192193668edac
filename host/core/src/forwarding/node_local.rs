//! NodeLocal DNSCache: a cache on each node that pods ask first. It sends questions for other zones than the cluster's own
//! to the resolvers of its node, past the cluster's DNS: so it has to know of the zone as well.

use super::corefile::Block;
use super::facts::{Facts, config_map};
use super::pods::{MountedKey, Pods};
use super::stub_domains::{self, StubDomain};
use super::{Fit, Place};

/// Where it looks for the ConfigMap of kube-dns, unless it is told another folder (`-kubednscm`).
const KUBE_DNS: &str = "/etc/kube-dns";

/// Where it looks for the template of its Corefile, unless it is told another one (`-basecorefile`).
const BASE: &str = "/etc/coredns/Corefile.base";

/// The names that its ConfigMap has in most clusters.
const CUSTOMARY: [&str; 2] = ["node-local-dns", "nodelocaldns"];

pub(super) fn fits(facts: &Facts) -> Option<Fit> {
    let pods = facts.node_local()?;
    let stands_in_front = format!("{} is a NodeLocal DNSCache, in front of the cluster's DNS", pods.name());
    if let Some(config_map) = pods.mounted_folder(pods.flag("kubednscm").unwrap_or(KUBE_DNS)) {
        let because = vec![stands_in_front, format!("it reads stub domains from {config_map}")];
        let places: Vec<Box<dyn Place>> = vec![Box::new(StubDomain { config_map })];
        return Some(Fit { because, places, ..Fit::default() });
    }
    let Some(at) = corefile(facts, pods) else {
        let note =
            "no configuration of it was found that could be changed: questions may pass the cluster's DNS by"
                .to_owned();
        return Some(Fit { because: vec![stands_in_front], notes: vec![note], ..Fit::default() });
    };
    let because = vec![stands_in_front, format!("it reads {}", at.name())];
    Some(Fit { because, places: vec![Box::new(Block { at, is_main: false })], ..Fit::default() })
}

fn corefile(facts: &Facts, pods: Pods<'_>) -> Option<MountedKey> {
    let paths = [pods.flag("basecorefile").unwrap_or(BASE), pods.flag("conf").unwrap_or_default()];
    paths.into_iter().filter_map(|path| pods.mounted_file(path)).find(|at| at.text(facts).is_some())
}

pub(super) fn traces(facts: &Facts) -> Vec<Box<dyn Place>> {
    let customary =
        CUSTOMARY.map(|name| MountedKey { config_map: config_map(name), key: "Corefile".to_owned() });
    let found = facts.node_local().and_then(|pods| corefile(facts, pods));
    let blocks = customary.into_iter().chain(found);
    let mut all = stub_domains::traces(facts);
    all.extend(blocks.map(|at| Box::new(Block { at, is_main: false }) as Box<dyn Place>));
    all
}
