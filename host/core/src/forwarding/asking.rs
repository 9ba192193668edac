//! Which servers of a cluster's DNS are asked, and how often.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::answers::Heard;
use super::dns_operator;
use super::facts::{Facts, NAMESPACE};
use super::guard::YOUNG;
use super::pods::elements;
use crate::name::HostName;

/// How long it is asked most often, and how often, while the answer is not the right one: kubelet writes a ConfigMap within a minute, and
/// CoreDNS looks at it every half minute.
const IMPATIENT: (Duration, Duration) = (Duration::from_secs(120), Duration::from_secs(2));

/// How often while the guard looks on, and something fails.
const ATTENTIVE: Duration = Duration::from_secs(10);

/// How often where something has been wrong for longer.
const PATIENT: Duration = Duration::from_secs(60);

/// How often while all is well, and something was changed a short while ago.
const WATCHFUL: Duration = Duration::from_secs(15);

/// How often while all is well. A question costs the API server a connection through kubelet for each pod.
const CALM: Duration = Duration::from_secs(300);

/// Whether the guard looks on: what is asked is asked because the configuration was changed, and that is not long ago.
#[must_use]
pub const fn is_guarded(is_written: bool, asked_for: Duration) -> bool {
    is_written && asked_for.as_secs() < YOUNG.as_secs()
}

/// How long to wait until the pods of a cluster's DNS are asked again. `asked_for` is since when they are asked this, and `is_written`
/// whether that is because their configuration was changed.
#[must_use]
pub const fn pause(heard: &Heard, is_written: bool, asked_for: Duration) -> Duration {
    let is_young = asked_for.as_secs() < YOUNG.as_secs();
    match (heard.is_well(is_guarded(is_written, asked_for)), is_young) {
        (true, true) if is_written => WATCHFUL,
        (true, _) => CALM,
        (false, true) if asked_for.as_secs() < IMPATIENT.0.as_secs() => IMPATIENT.1,
        (false, true) => ATTENTIVE,
        (false, false) => PATIENT,
    }
}

/// The Service behind which the pods stand that answer a cluster's questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsService {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Finds it; `None` where there is none.
#[must_use]
pub fn dns_service(facts: &Facts) -> Option<DnsService> {
    let named =
        |namespace: &str, name: &str| DnsService { namespace: namespace.to_owned(), name: name.to_owned() };
    if dns_operator::is_there(facts) {
        return Some(named(dns_operator::PODS, dns_operator::SERVICE));
    }
    match facts.dns_service().and_then(|service| service.pointer("/metadata/name")?.as_str()) {
        Some(name) => Some(named(NAMESPACE, name)),
        // What it is called nearly everywhere.
        None => facts.is_blind().then(|| named(NAMESPACE, "kube-dns")),
    }
}

/// The pods behind a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsPods {
    /// Those that are ready: where each of them answers over TCP, by its name.
    pub ready: BTreeMap<HostName, u16>,
    /// Those that are there, and are not.
    pub unready: BTreeSet<HostName>,
}

impl DnsPods {
    /// As the EndpointSlices of the Service have them.
    #[must_use]
    pub fn of(slices: &[Value]) -> Self {
        let mut pods = Self::default();
        for slice in slices {
            let ports = elements(slice, "/ports");
            let at = |protocol: &'static str| {
                ports
                    .iter()
                    .filter(move |port| port["protocol"] == protocol)
                    .filter_map(|port| port["port"].as_u64())
            };
            // What listens for both is the DNS; metrics are served over TCP alone.
            let Some(port) = at("TCP").find(|port| at("UDP").any(|other| other == *port)) else { continue };
            let Ok(port) = u16::try_from(port) else { continue };
            for endpoint in elements(slice, "/endpoints") {
                let pod = endpoint.get("targetRef").filter(|target| target["kind"] == "Pod");
                let name = pod.and_then(|pod| pod["name"].as_str()?.parse().ok());
                match name {
                    Some(name) if endpoint.pointer("/conditions/ready") != Some(&Value::Bool(false)) => {
                        pods.ready.insert(name, port);
                    }
                    Some(name) => drop(pods.unready.insert(name)),
                    None => {}
                }
            }
        }
        pods
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::forwarding::{Forwards, LISTS, Names, Resolution};

    fn slice(endpoints: &Value) -> Value {
        json!({
            "ports": [
                { "name": "metrics", "port": 9153, "protocol": "TCP" },
                { "name": "dns-tcp", "port": 8053, "protocol": "TCP" },
                { "name": "dns", "port": 8053, "protocol": "UDP" },
            ],
            "endpoints": endpoints,
        })
    }

    fn endpoint(name: &str, ready: Option<bool>) -> Value {
        json!({ "conditions": { "ready": ready }, "targetRef": { "kind": "Pod", "name": name } })
    }

    #[test]
    fn ready_pods_are_asked_each_once_at_the_port_where_they_serve_dns() {
        let both_families = [
            slice(&json!([endpoint("a", Some(true)), endpoint("b", None), endpoint("c", Some(false))])),
            slice(&json!([endpoint("a", Some(true)), { "addresses": ["10.0.0.1"] }])),
            json!({ "ports": [{ "port": 53, "protocol": "UDP" }], "endpoints": [endpoint("d", Some(true))] }),
            json!({ "ports": null, "endpoints": null }),
        ];
        let ready = [("a", 8053), ("b", 8053)].map(|(name, port)| (name.parse().unwrap(), port)).into();
        assert_eq!(DnsPods::of(&both_families), DnsPods { ready, unready: ["c".parse().unwrap()].into() });
        let hostile = slice(&json!([endpoint("../../../api/v1/secrets", Some(true))]));
        assert_eq!(DnsPods::of(&[hostile]), DnsPods::default());
    }

    #[test]
    fn the_service_is_the_one_whose_pods_are_looked_at() {
        let mut facts = Facts::default();
        assert_eq!(dns_service(&facts), None);
        let service = json!({
            "metadata": { "name": "rke2-coredns", "labels": { "k8s-app": "kube-dns" } },
            "spec": { "selector": { "k8s-app": "kube-dns" } },
        });
        facts.take_list(LISTS[0], Some(vec![service]));
        let found = dns_service(&facts).unwrap();
        assert_eq!((found.namespace.as_str(), found.name.as_str()), ("kube-system", "rke2-coredns"));
        let mut blind = Facts::default();
        blind.take_list(LISTS[0], None);
        assert_eq!(dns_service(&blind).unwrap().name, "kube-dns");
    }

    #[test]
    fn questions_come_often_after_a_change_and_seldom_when_all_is_well() {
        let (well, failing) =
            (Heard { forwards: Forwards::Yes(1), ..Heard::nothing("") }, Heard::none_ready(1));
        let seconds = |is_well, is_written, asked_for| {
            let heard = if is_well { &well } else { &failing };
            pause(heard, is_written, Duration::from_secs(asked_for)).as_secs()
        };
        assert_eq!(
            [0, 119, 120, 599, 600, 90_000].map(|at| seconds(false, true, at)),
            [2, 2, 10, 10, 60, 60]
        );
        assert_eq!([0, 599, 600].map(|at| seconds(true, true, at)), [15, 15, 300]);
        assert_eq!(seconds(true, false, 0), 300, "nothing was changed: a restart is no reason to hurry");
        // A resolver that does not know the root is none of our business, but for after a change.
        let outside = Resolution::Fails("SERVFAIL".to_owned());
        let heard = Heard { names: Names { outside, ..Names::default() }, ..well.clone() };
        let pauses = [(false, 0), (true, 0), (true, 600)]
            .map(|(is_written, at)| pause(&heard, is_written, Duration::from_secs(at)).as_secs());
        assert_eq!(pauses, [300, 2, 300]);
    }
}
