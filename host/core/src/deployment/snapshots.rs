//! Snapshots of etcd, on a volume that the operator has for them.

use serde_json::{Value, json};

use super::READER_SECRET;
use super::config::{Config, Facts};
use super::etcd::client_endpoint;
use super::object::{
    COMPONENT_LABEL, MANAGED_BY_LABEL, MANAGER, container_security, metadata, placed, pod_security, selector,
};

/// The component label of its pods.
pub(super) const COMPONENT: &str = "snapshots";

/// Where the container has its certificate for etcd.
const CERTIFICATES: &str = "/etc/etcd/certificates";

/// A file each, and when it is written anew (cron, UTC): what was lost is found in the last one before. Minutes that nobody
/// else takes, and not the same.
const SCHEDULES: [(&str, &str); 3] = [("hour", "17 * * * *"), ("day", "23 1 * * *"), ("week", "41 2 * * 0")];

/// How long one may take in seconds: the largest etcd over a slow line.
const DEADLINE_SECONDS: u16 = 900;

/// Selects the CronJobs.
pub fn snapshots_selector() -> String {
    format!("{MANAGED_BY_LABEL}={MANAGER},{COMPONENT_LABEL}={COMPONENT}")
}

/// None where the operator has no volume for them.
pub(super) fn objects(config: &Config, facts: &Facts) -> Vec<Value> {
    let jobs = |claim: &String| SCHEDULES.map(|(each, schedule)| job(config, facts, claim, each, schedule));
    config.snapshots.iter().flat_map(jobs).collect()
}

fn job(config: &Config, facts: &Facts, claim: &str, each: &str, schedule: &str) -> Value {
    let Config { etcd, .. } = config;
    let pod = json!({
        "restartPolicy": "Never",
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "securityContext": pod_security(),
        "containers": [{
            "name": "etcdctl",
            "image": etcd.image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["etcdctl"],
            // Written beside the old one, and then put in its place.
            "args": arguments(&client_endpoint(&facts.namespace), CERTIFICATES, &format!("/snapshots/{each}.db")),
            "resources": etcd.resources,
            "securityContext": container_security(),
            "volumeMounts": [
                {"name": "certificates", "mountPath": CERTIFICATES, "readOnly": true},
                {"name": "snapshots", "mountPath": "/snapshots"},
            ],
        }],
        "volumes": [
            {"name": "certificates", "secret": {"secretName": READER_SECRET, "defaultMode": 288}},
            {"name": "snapshots", "persistentVolumeClaim": {"claimName": claim}},
        ],
    });
    json!({
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata(&facts.namespace, &format!("openmcp-dns-snapshot-{each}"), COMPONENT),
        "spec": {
            "schedule": schedule,
            "concurrencyPolicy": "Forbid",
            // One that was missed while the cluster was away is made up for.
            "startingDeadlineSeconds": 1800,
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 1,
            "jobTemplate": {"spec": {
                "backoffLimit": 2,
                "activeDeadlineSeconds": DEADLINE_SECONDS,
                "template": {
                    "metadata": {"labels": selector(COMPONENT)},
                    "spec": placed(pod, etcd, COMPONENT),
                },
            }},
        },
    })
}

/// What etcdctl is told.
fn arguments(endpoint: &str, certificates: &str, file: &str) -> [String; 7] {
    [
        format!("--endpoints={endpoint}"),
        format!("--cacert={certificates}/ca.crt"),
        format!("--cert={certificates}/tls.crt"),
        format!("--key={certificates}/tls.key"),
        "snapshot".to_owned(),
        "save".to_owned(),
        file.to_owned(),
    ]
}
