//! What writes names into the hosts files of a cluster's nodes: `node-hosts` of the service's own image, as a DaemonSet.
//!
//! ```text
//! names ──► ConfigMap ──► DaemonSet, whose pods have its digest in their arguments ──► ready: it stands on the node
//! ```
//! With other names come other pods: a pod that is ready has what is wanted now, and no pod has rights or a network by which it would have to
//! say so.

use serde_json::{Value, json};

use super::config::Workload;
use super::covers::covers;
use super::object::{container_security, finished, metadata, own_account, own_namespace, selector};
use crate::node_hosts::{Hosts, text_digest};

/// The namespace of what writes on the nodes of a cluster, and the name of all its objects.
pub const NODES: &str = "openmcp-dns-nodes";

/// The component label of its objects.
pub const NODES_COMPONENT: &str = "nodes";

/// Where the program lies in the service's image.
const PROGRAM: &str = "/usr/local/bin/openmcp-dns";

/// Where the container has the names, the node's `/etc`, and the kubelet's folder of pods.
const NAMES: &str = "/names";
const NODE_ETC: &str = "/node/etc";
const NODE_PODS: &str = "/node/pods";

/// The kubelet's folder of pods on the node.
const KUBELET_PODS: &str = "/var/lib/kubelet/pods";

/// The arguments without which what was written is taken away.
const NAMES_FLAGS: [&str; 2] = ["--names=", "--revision="];

/// The argument with which copies are kept that static pods have.
const STATIC_PODS_FLAG: &str = "--static-pods=";

/// How the pods are run, as an operator wants it.
#[derive(Clone, Debug, PartialEq)]
pub struct Nodes {
    /// The pods.
    pub workload: Workload,
    /// Whether copies of the hosts file are kept that static pods of an API server have.
    pub static_pods: bool,
}

/// All objects, in the order in which they are applied.
#[must_use]
pub fn render_nodes(nodes: &Nodes, hosts: &Hosts) -> Vec<Value> {
    let text = hosts.text();
    let names = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(NODES, NODES, NODES_COMPONENT),
        "data": {"hosts": text},
    });
    let daemon_set = daemon_set(nodes, &text_digest(&text));
    [namespace(), account(), policy(), names, daemon_set].map(finished).into()
}

/// Files of nodes are mounted: only the standard `privileged` allows that.
fn namespace() -> Value {
    own_namespace(NODES, NODES_COMPONENT, "privileged")
}

/// Without any right: it is there for who lets pods mount files of nodes by account (OpenShift).
fn account() -> Value {
    own_account(NODES, NODES_COMPONENT)
}

/// It speaks with nobody.
fn policy() -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(NODES, NODES, NODES_COMPONENT),
        "spec": {
            "podSelector": {"matchLabels": selector(NODES_COMPONENT)},
            "policyTypes": ["Ingress", "Egress"],
        },
    })
}

fn daemon_set(nodes: &Nodes, revision: &str) -> Value {
    let Nodes { workload, static_pods } = nodes;
    let Workload { image, resources, node_selector, tolerations, priority_class } = workload;
    let mut node_selector = node_selector.clone();
    // Nodes with Windows have no such files, and cannot run the image.
    node_selector.entry("kubernetes.io/os".to_owned()).or_insert_with(|| "linux".to_owned());
    let mut args = vec![
        "node-hosts".to_owned(),
        format!("--names={NAMES}/hosts"),
        format!("--revision={revision}"),
        format!("--hosts={NODE_ETC}/hosts"),
    ];
    // A file is renamed over in its folder: the file alone would be a mount that cannot be.
    let mut folders = vec![("etc", "/etc", NODE_ETC)];
    if *static_pods {
        args.push(format!("{STATIC_PODS_FLAG}{NODE_PODS}"));
        folders.push(("pods", KUBELET_PODS, NODE_PODS));
    }
    let mut mounts = vec![json!({"name": "names", "mountPath": NAMES, "readOnly": true})];
    let mut volumes = vec![json!({"name": "names", "configMap": {"name": NODES}})];
    for (name, of_node, here) in folders {
        let mut mount = json!({"name": name, "mountPath": here});
        if of_node == KUBELET_PODS {
            // A copy of the mounts of all volumes would else hold those that the kubelet takes away.
            mount["mountPropagation"] = json!("HostToContainer");
        }
        mounts.push(mount);
        volumes.push(json!({"name": name, "hostPath": {"path": of_node, "type": "Directory"}}));
    }
    let mut spec = json!({
        "serviceAccountName": NODES,
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": 5,
        // The files belong to root, who needs no capability to write them.
        "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "seccompProfile": {"type": "RuntimeDefault"},
            // Where SELinux keeps containers from files of the node. Elsewhere it means nothing.
            "seLinuxOptions": {"type": "spc_t"},
        },
        "nodeSelector": node_selector,
        "tolerations": if tolerations.is_empty() { json!([{"operator": "Exists"}]) } else { json!(tolerations) },
        "containers": [container(image, resources, &args, &mounts)],
        "volumes": volumes,
    });
    if let Some(class) = priority_class {
        spec["priorityClassName"] = json!(class);
    }
    json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": metadata(NODES, NODES, NODES_COMPONENT),
        "spec": {
            "selector": {"matchLabels": selector(NODES_COMPONENT)},
            // What a pod has written stays while another one takes its place.
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
            "template": {"metadata": {"labels": selector(NODES_COMPONENT)}, "spec": spec},
        },
    })
}

fn container(image: &str, resources: &Value, args: &[String], mounts: &[Value]) -> Value {
    json!({
        "name": "node-hosts",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": args,
        "readinessProbe": {
            "exec": {"command": check(args)},
            "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 1,
        },
        "resources": resources,
        "securityContext": container_security(),
        "volumeMounts": mounts,
    })
}

/// Says whether all is as these arguments have it.
fn check(args: &[String]) -> Vec<String> {
    let program = std::iter::once(PROGRAM.to_owned());
    program.chain(args.iter().cloned()).chain(["--check".to_owned()]).collect()
}

/// The arguments of the container of a DaemonSet that was rendered here.
fn args_of(daemon_set: &Value) -> Option<Vec<String>> {
    let args = daemon_set.pointer("/spec/template/spec/containers/0/args")?.as_array()?;
    args.iter().map(|arg| arg.as_str().map(str::to_owned)).collect()
}

fn is_of_names(arg: &str) -> bool {
    NAMES_FLAGS.iter().any(|flag| arg.starts_with(flag))
}

/// Whether the pods of a DaemonSet take away what was written.
#[must_use]
pub fn is_taking_away(daemon_set: &Value) -> bool {
    args_of(daemon_set).is_none_or(|args| !args.iter().any(|arg| is_of_names(arg)))
}

/// What has the pods of a DaemonSet take away what was written, as a merge patch (RFC 7386); `None` where they do already. All
/// else stays: how they are run may not be known any more.
#[must_use]
pub fn taking_away(daemon_set: &Value) -> Option<Value> {
    if is_taking_away(daemon_set) {
        return None;
    }
    let mut args = args_of(daemon_set)?;
    args.retain(|arg| !is_of_names(arg));
    let mut container = daemon_set.pointer("/spec/template/spec/containers/0")?.clone();
    container["readinessProbe"]["exec"]["command"] = json!(check(&args));
    container["args"] = json!(args);
    Some(json!({"spec": {"template": {"spec": {"containers": [container]}}}}))
}

/// Whether the pods of a live DaemonSet write where those of a wanted one would not come any more: on other nodes, or in copies that
/// static pods have. A pod that goes takes nothing away, so what was written there would stay.
#[must_use]
pub fn loses_files(live: &Value, wanted: &Value) -> bool {
    let of = |daemon_set: &Value, field: &str| {
        daemon_set.pointer(&format!("/spec/template/spec/{field}")).cloned().unwrap_or_default()
    };
    let has_static_pods = |daemon_set| {
        args_of(daemon_set).is_some_and(|args| args.iter().any(|arg| arg.starts_with(STATIC_PODS_FLAG)))
    };
    // A selector with more labels has fewer nodes, and so have fewer tolerations.
    let selects_all = covers(&of(live, "nodeSelector"), &of(wanted, "nodeSelector"));
    let (tolerated, wanted_tolerated) = (of(live, "tolerations"), of(wanted, "tolerations"));
    let listed = |tolerations: &Value| tolerations.as_array().cloned().unwrap_or_default();
    let wanted_tolerated = listed(&wanted_tolerated);
    let tolerates_all = wanted_tolerated.contains(&json!({"operator": "Exists"}))
        || listed(&tolerated).iter().all(|toleration| wanted_tolerated.contains(toleration));
    !selects_all || !tolerates_all || (has_static_pods(live) && !has_static_pods(wanted))
}

/// How many nodes have what is wanted now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodesStatus {
    /// On how many a pod is to run.
    pub wanted: i64,
    /// On how many one has a pod of the last generation that is ready, at most.
    pub ready: i64,
    /// Whether all of them have.
    pub is_done: bool,
}

/// How a DaemonSet stands by its status.
#[must_use]
pub fn nodes_status(daemon_set: &Value) -> NodesStatus {
    let number = |pointer| daemon_set.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
    let is_seen = number("/status/observedGeneration") >= number("/metadata/generation");
    let wanted = number("/status/desiredNumberScheduled");
    let ready = number("/status/updatedNumberScheduled").min(number("/status/numberReady"));
    let ready = if is_seen { ready } else { 0 };
    NodesStatus { wanted, ready, is_done: is_seen && ready == wanted }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> Nodes {
        let workload = Workload { image: "openmcp-dns:1".to_owned(), ..Workload::default() };
        Nodes { workload, static_pods: true }
    }

    #[test]
    fn other_names_are_another_pod_and_the_same_ones_are_the_same() {
        let render = |text: &str| render_nodes(&nodes(), &Hosts::parse(text).unwrap());
        let (none, one) = (render(""), render("10.0.0.1 a.openmcp.cluster\n"));
        assert_eq!(one, render("10.0.0.1 a.openmcp.cluster\n"));
        assert_ne!(none[4]["spec"]["template"], one[4]["spec"]["template"]);
        assert_eq!(one[3]["data"]["hosts"], "10.0.0.1 a.openmcp.cluster\n");
    }

    #[test]
    fn volumes_that_the_kubelet_unmounts_are_not_held_in_its_folder_of_pods() {
        let daemon_set = render_nodes(&nodes(), &Hosts::default()).pop().unwrap();
        let mounts = &daemon_set["spec"]["template"]["spec"]["containers"][0]["volumeMounts"];
        let of =
            |path: &str| mounts.as_array().unwrap().iter().find(|mount| mount["mountPath"] == path).unwrap();
        assert_eq!(of(NODE_PODS)["mountPropagation"], "HostToContainer");
        assert_eq!(of(NODE_ETC).get("mountPropagation"), None);
    }

    #[test]
    fn what_was_written_is_taken_away_by_the_same_pods_without_names() {
        let mut live = render_nodes(&nodes(), &Hosts::default()).pop().unwrap();
        live["spec"]["template"]["spec"]["containers"][0]["terminationMessagePath"] =
            json!("/dev/termination-log");
        let patch = taking_away(&live).unwrap();
        let container = &patch["spec"]["template"]["spec"]["containers"][0];
        let args = ["node-hosts", "--hosts=/node/etc/hosts", "--static-pods=/node/pods"];
        assert_eq!(container["args"], json!(args));
        let check = [&[PROGRAM], &args[..], &["--check"]].concat();
        assert_eq!(container["readinessProbe"]["exec"]["command"], json!(check));
        assert_eq!(container["image"], "openmcp-dns:1");
        assert_eq!(container["terminationMessagePath"], "/dev/termination-log");
        live["spec"]["template"]["spec"]["containers"][0] = container.clone();
        assert!(is_taking_away(&live));
        assert_eq!(taking_away(&live), None);
    }

    #[test]
    fn fewer_nodes_or_files_lose_what_was_written_and_more_of_them_do_not() {
        let render = |change: &dyn Fn(&mut Nodes)| {
            let mut nodes = nodes();
            change(&mut nodes);
            render_nodes(&nodes, &Hosts::default()).pop().unwrap()
        };
        let all = render(&|_| {});
        let some = render(&|nodes| drop(nodes.workload.node_selector.insert("a".to_owned(), "b".to_owned())));
        let tolerant = render(&|nodes| {
            nodes.workload.tolerations = serde_json::from_value(json!([{"key": "a"}, {"key": "b"}])).unwrap();
        });
        let less = render(&|nodes| {
            nodes.workload.tolerations = serde_json::from_value(json!([{"key": "b"}])).unwrap();
        });
        let without = render(&|nodes| nodes.static_pods = false);
        for (live, wanted, loses) in [
            (&all, &all, false),
            (&all, &some, true),
            (&some, &all, false),
            (&all, &tolerant, true),
            (&tolerant, &all, false),
            (&tolerant, &less, true),
            (&less, &tolerant, false),
            (&all, &without, true),
            (&without, &all, false),
        ] {
            assert_eq!(loses_files(live, wanted), loses, "{live} {wanted}");
        }
    }

    #[test]
    fn nodes_have_it_when_all_pods_of_the_last_generation_are_ready() {
        let status = |observed: i64, updated: i64, ready: i64| {
            nodes_status(&json!({"metadata": {"generation": 2}, "status": {
                "observedGeneration": observed, "desiredNumberScheduled": 3, "updatedNumberScheduled": updated,
                "numberReady": ready,
            }}))
        };
        assert_eq!(status(2, 3, 3), NodesStatus { wanted: 3, ready: 3, is_done: true });
        assert_eq!(status(2, 1, 3), NodesStatus { wanted: 3, ready: 1, is_done: false });
        assert_eq!(status(2, 3, 2), NodesStatus { wanted: 3, ready: 2, is_done: false });
        assert_eq!(status(1, 3, 3), NodesStatus { wanted: 3, ready: 0, is_done: false });
    }
}
