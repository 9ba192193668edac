//! What cannot be done from inside the cluster: what a person has to do instead.

use super::corefile::main;
use super::facts::Facts;
use super::{Fit, Order};
use crate::corefile::Corefile;

/// A group that GKE serves, whichever DNS its clusters have.
const GKE: &str = "networking.gke.io";

/// A person has chosen it.
pub(super) fn wished() -> Fit {
    let by_hand = |order: Order<'_>| {
        format!("have the cluster's DNS forward {} to {}", order.zone, order.upstreams().join(" "))
    };
    Fit { by_hand: Some(by_hand), ..Fit::default() }
}

/// Huawei's CCE renders the Corefile from the parameters of its add-on, which its API has. It is known by where its server
/// listens.
pub(super) fn add_on(facts: &Facts) -> Option<Fit> {
    let main = main(facts)?;
    let corefile = Corefile::parse(main.at.text(facts)?).ok()?;
    let listens = corefile.blocks.iter().any(|block| {
        let binds = |plugin: &crate::corefile::Plugin| plugin.tokens.join(" ") == "bind {$POD_IP}";
        block.keys.iter().any(|key| key == ".:5353") && block.plugins.iter().any(binds)
    });
    if !listens {
        return None;
    }
    let because = vec![
        main.because,
        "its server listens on port 5353 of {$POD_IP}: this is Huawei's add-on".to_owned(),
    ];
    let by_hand = |order: Order<'_>| {
        let servers: Vec<String> = order.upstreams().iter().map(|server| format!("{server:?}")).collect();
        format!(
            "set the parameter stub_domains of the add-on coredns to {{\"{}\": [{}]}} in the console or by the API of CCE: what is \
             written into the Corefile itself is taken back",
            order.zone,
            servers.join(", ")
        )
    };
    Some(Fit { because, by_hand: Some(by_hand), ..Fit::default() })
}

/// Nothing in the cluster answers, as far as can be seen.
pub(super) fn no_pods(facts: &Facts) -> Option<Fit> {
    let pods = facts.dns_pods();
    if let Some(pods) = pods {
        let because = format!(
            "{} stands behind the cluster's DNS Service, and its configuration is not known",
            pods.name()
        );
        return Some(Fit { because: vec![because], ..wished() });
    }
    if facts.is_blind() {
        let because =
            "which pods answer the cluster's questions cannot be seen: apply deploy/cluster-access.yaml"
                .to_owned();
        return Some(Fit { because: vec![because], ..wished() });
    }
    if facts.serves(GKE) {
        let because =
            format!("the cluster serves {GKE}, and no pods in it answer: this is Cloud DNS for GKE");
        let by_hand = |order: Order<'_>| {
            let (zone, servers) = (order.zone, order.upstreams().join(","));
            format!(
                "make a private forwarding zone in Cloud DNS for the cluster's network: gcloud dns managed-zones create \
                 openmcp-dns --dns-name={zone}. --visibility=private --networks=NETWORK --forwarding-targets={servers} \
                 --description=openmcp-dns"
            )
        };
        return Some(Fit { because: vec![because], by_hand: Some(by_hand), ..Fit::default() });
    }
    let because = "no pods stand behind a DNS Service in kube-system, and there is no key Corefile of ConfigMap kube-system/coredns";
    let by_hand = |order: Order<'_>| {
        format!(
            "if the cluster has no workers, nothing has to be done until it has; if its DNS runs elsewhere, have that one forward \
             {} to {}",
            order.zone,
            order.upstreams().join(" ")
        )
    };
    Some(Fit { because: vec![because.to_owned()], by_hand: Some(by_hand), ..Fit::default() })
}
