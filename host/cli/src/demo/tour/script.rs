//! Script: what the tour does, what has to come of it, and why. It is told on examples/landscape.

use std::fmt::Write as _;

use super::super::event::{Answered, Event};
use super::super::overview::ClaimState;

/// A module that denies what its name says, for the steps about modules.
const DENY_PREFIX: &[u8] = include_bytes!("../../../../../policies/deny-prefix/deny-prefix.wasm");

/// How many names vanish at once, half of what stands there.
pub(super) const VANISHING: usize = 15;

/// One step.
pub(super) struct Step {
    pub(super) title: &'static str,
    /// What happens, and why.
    pub(super) why: &'static str,
    pub(super) acts: Vec<Act>,
    /// What has to happen.
    pub(super) awaits: Vec<Await>,
    /// What the DNS server has to answer then.
    pub(super) asks: Vec<Ask>,
}

/// Something that is done to the landscape.
pub(super) enum Act {
    /// Writes a file below the landscape's folder.
    Write { file: &'static str, text: String },
    /// Puts a file of this repository there.
    Copy { from: &'static str, file: &'static str, bytes: &'static [u8] },
    /// Moves a folder away, as when a cluster cannot be reached any more.
    MoveAway { folder: &'static str },
    /// Confirms the deletion that is held.
    Confirm,
}

/// What a step waits for.
#[derive(Debug)]
pub(super) enum Await {
    /// The answer to a name has come, changed or gone.
    Answered { name: &'static str, how: &'static str },
    /// A claim is refused.
    Denied { cluster: &'static str, host_name: &'static str },
    /// An Event stands where the author of an object looks.
    Told { cluster: &'static str, object: &'static str, reason: &'static str },
    /// A module decides.
    Module(&'static str),
    /// A module that only watches would decide so many claims otherwise.
    Candidate { differing: i64 },
    /// Of the names that vanish, all that have not gone yet are held.
    AllHeld { cluster: &'static str },
    /// All names that are to vanish are published.
    AllThere,
    /// None of the names that vanish is published any more.
    AllGone,
    /// A cluster does not answer.
    Unreachable { cluster: &'static str },
}

/// A question to the DNS server.
pub(super) struct Ask {
    /// `None` for a name whose deletion was held.
    pub(super) name: Option<&'static str>,
    /// As [`openmcp_dns_core::expectation::Answer`] is written.
    pub(super) answer: &'static str,
}

impl Await {
    /// Whether an event is what is waited for; for the rest the session has to be looked at.
    pub(super) fn is_met_by(&self, event: &Event) -> bool {
        match (self, event) {
            (Self::Answered { name, how }, Event::Answered(Answered { name: of, how: by, .. })) => {
                of == name && by == how
            }
            (Self::Denied { cluster, host_name }, Event::Claim { cluster: of, claim }) => {
                of == cluster && claim.host_name == *host_name && claim.state == ClaimState::Denied
            }
            (Self::Module(name), Event::Module { module, .. }) => module.description.starts_with(name),
            (Self::Candidate { differing }, Event::Candidate { candidate, .. }) => {
                candidate.complete && candidate.differing == *differing
            }
            (Self::Unreachable { cluster }, Event::Condition { cluster: of, condition }) => {
                of == cluster && condition.condition_type == "Reachable" && condition.status != "True"
            }
            _ => false,
        }
    }
}

const HELLO: &str = "hello.workload01.openmcp.cluster";
const DENY_ME: &str = "deny-me.workload01.openmcp.cluster";
const FIRST: &str = "app1.workload02.openmcp.cluster";
const LAST: &str = "app30.workload02.openmcp.cluster";

/// The steps, in their order.
pub(super) fn steps() -> Vec<Step> {
    vec![
        Step {
            title: "A route appears, and its name resolves",
            why: "A Gateway of workload01 has an address, and an HTTPRoute of it has two host names. The \
                  service watches both, asks the policy module, records the names in the store that the central \
                  DNS server answers from, and asks that server itself. Nothing is to be done by the author.",
            acts: vec![Act::Write { file: "workload01/hello.yaml", text: route("hello", &[HELLO, DENY_ME]) }],
            awaits: vec![
                Await::Answered { name: HELLO, how: "added" },
                Await::Answered { name: DENY_ME, how: "added" },
            ],
            asks: vec![Ask { name: Some(HELLO), answer: "172.18.201.50" }],
        },
        Step {
            title: "A claim on another cluster's name is denied, and its author is told",
            why: "workload02 asks for the name that workload01 has just got. A cluster publishes in its own domain \
                  only, and at the names that a DNSPolicy shares with it. The claim is denied by a rule of the host, \
                  before any module is asked; an Event on the object says so to its author. The name stays as it was.",
            acts: vec![Act::Write { file: "workload02/greedy.yaml", text: route("greedy", &[HELLO]) }],
            awaits: vec![
                Await::Denied { cluster: "workload02", host_name: HELLO },
                Await::Told {
                    cluster: "workload02",
                    object: "HTTPRoute/default/greedy",
                    reason: "HostNameDenied",
                },
            ],
            asks: vec![Ask { name: Some(HELLO), answer: "172.18.201.50" }],
        },
        Step {
            title: "Monitor: another policy module watches first",
            why: "A policy module is a WebAssembly file. With `mode: Monitor` it is asked about everything, and \
                  decides nothing: the status of the DNSPolicy says what it would decide otherwise. deny-prefix \
                  refuses names that begin with `deny-`.",
            acts: vec![
                Act::Copy {
                    from: "policies/deny-prefix/deny-prefix.wasm",
                    file: "deny-prefix.wasm",
                    bytes: DENY_PREFIX,
                },
                Act::Write { file: POLICY, text: policy("Monitor") },
            ],
            awaits: vec![Await::Candidate { differing: 1 }],
            asks: vec![Ask { name: Some(DENY_ME), answer: "172.18.201.50" }],
        },
        Step {
            title: "The module is swapped while the service runs",
            why: "With `mode: Enforce` the module decides, from one question to the next: none is lost, none is \
                  answered by both. The name that it refuses is withdrawn; all others stay.",
            acts: vec![Act::Write { file: POLICY, text: policy("Enforce") }],
            awaits: vec![Await::Module("deny-prefix"), Await::Answered { name: DENY_ME, how: "removed" }],
            asks: vec![
                Ask { name: Some(DENY_ME), answer: "NXDOMAIN" },
                Ask { name: Some(HELLO), answer: "172.18.201.50" },
            ],
        },
        Step {
            title: "Rollback: the module before decides again",
            why: "The service keeps the module that decided before. `mode: Rollback` takes it back into use without \
                  loading anything, and the name returns.",
            acts: vec![Act::Write { file: POLICY, text: policy("Rollback") }],
            awaits: vec![Await::Module("standard"), Await::Answered { name: DENY_ME, how: "added" }],
            asks: vec![Ask { name: Some(DENY_ME), answer: "172.18.201.50" }],
        },
        Step {
            title: "A team moves in with thirty names",
            why: "One file with thirty Ingresses: so that there is something to lose in the next step.",
            acts: vec![Act::Write { file: MANY, text: ingresses(1) }],
            awaits: vec![
                Await::Answered { name: FIRST, how: "added" },
                Await::Answered { name: LAST, how: "added" },
                Await::AllThere,
            ],
            asks: vec![Ask { name: Some(FIRST), answer: "172.18.202.30" }],
        },
        Step {
            title: "Half of them vanish at once, and the deletion is held",
            why: "Somebody deletes half of the Ingresses, by a wrong `kubectl delete` or an empty Helm release. Ten \
                  names may go within a minute (`spec.deletionGuard` of the DNSPolicy); what is more, and more than \
                  30 % of a cluster's, is suspicious: those names stay in DNS, and the condition `Recorded` says \
                  DeletionHeld until somebody confirms it or nothing has changed for ten minutes.",
            acts: vec![Act::Write { file: MANY, text: ingresses(VANISHING + 1) }],
            awaits: vec![Await::AllHeld { cluster: "workload02" }],
            asks: vec![Ask { name: None, answer: "172.18.202.30" }],
        },
        Step {
            title: "The deletion is confirmed",
            why: "It was meant. The confirmation names a token that stands in the status: it lets exactly this \
                  deletion go on, and no later one. On a real platform cluster: kubectl annotate clusterdns -n \
                  openmcp-system workload02 --overwrite dns.openmcp.cloud/confirm-deletion=TOKEN",
            acts: vec![Act::Confirm],
            awaits: vec![Await::AllGone],
            asks: vec![
                Ask { name: None, answer: "NXDOMAIN" },
                Ask { name: Some(LAST), answer: "172.18.202.30" },
            ],
        },
        Step {
            title: "A cluster goes away, and its names stay",
            why: "workload02 cannot be reached any more: an upgrade, a network that is cut, a lost node. That says \
                  nothing about its services, so its names stay as they were recorded, and the condition \
                  `Reachable` says what is the matter. They go when its Cluster object is deleted.",
            acts: vec![Act::MoveAway { folder: "workload02" }],
            awaits: vec![Await::Unreachable { cluster: "workload02" }],
            asks: vec![
                Ask { name: Some(LAST), answer: "172.18.202.30" },
                Ask { name: Some(HELLO), answer: "172.18.201.50" },
            ],
        },
    ]
}

const POLICY: &str = "platform/policy.yaml";
const MANY: &str = "workload02/team.yaml";

fn policy(mode: &str) -> String {
    format!(
        "\
apiVersion: dns.openmcp.cloud/v1alpha1
kind: DNSPolicy
metadata:
  name: landscape
spec:
  baseDomain: openmcp.cluster
  module:
    file: {{path: deny-prefix.wasm}}
  mode: {mode}
"
    )
}

fn route(name: &str, host_names: &[&str]) -> String {
    let host_names = host_names.join(", ");
    format!(
        "\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: {name}, namespace: default}}
spec:
  gatewayClassName: openmcp
  listeners: [{{name: http, port: 80, protocol: HTTP}}]
status:
  addresses: [{{type: IPAddress, value: 172.18.201.50}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}, namespace: default}}
spec:
  hostnames: [{host_names}]
  parentRefs: [{{name: {name}}}]
status:
  parents:
    - controllerName: openmcp.cloud/gateway-controller
      parentRef: {{name: {name}}}
      conditions:
        - {{type: Accepted, status: \"True\", reason: Accepted, message: \"\", lastTransitionTime: \"2025-01-01T00:00:00Z\"}}
"
    )
}

/// The names that vanish.
pub(super) fn vanishing() -> impl Iterator<Item = String> {
    (1..=VANISHING).map(|number| format!("app{number}.workload02.openmcp.cluster"))
}

/// Ingresses up to the thirtieth.
fn ingresses(first: usize) -> String {
    (first..=2 * VANISHING).fold(String::new(), |mut text, number| {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: app{number}, namespace: team}}
spec:
  rules: [{{host: app{number}.workload02.openmcp.cluster}}]
status:
  loadBalancer: {{ingress: [{{ip: 172.18.202.30}}]}}
"
        );
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_waits_for_something_and_asks_for_a_name() {
        for Step { title, awaits, asks, .. } in steps() {
            assert!(!awaits.is_empty() && !asks.is_empty(), "{title}");
        }
    }
}
