//! Waiting for what objects say of themselves: conditions and Events.

use std::time::Duration;

use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::{Api, Client};
use serde_json::Value;

use crate::kinds::Reference;
use crate::manifests::cluster_dns_reference;
use crate::wait::{Look, wait_until};

/// The duties of the service for a cluster.
pub const DUTIES: [&str; 7] =
    ["Reachable", "Forwarded", "Annotated", "Recorded", "Agent", "NodesForwarded", "Probed"];

/// Waits until an object looks as it should; `look` gives `None` while it does not.
///
/// # Errors
/// When it does not in time; the message has its status.
pub async fn wait_object<T>(
    client: &Client,
    reference: Reference<'_>,
    what: &str,
    timeout: Duration,
    look: impl Fn(&Value) -> Option<T>,
) -> anyhow::Result<T> {
    let Reference { kind, namespace, name, .. } = reference;
    wait_until(&format!("{kind} {namespace}/{name}: {what}"), timeout, async || {
        let object = match reference.get(client).await {
            Ok(Some(object)) => object,
            Ok(None) => return Ok(Err("it does not exist".to_owned())),
            Err(error) => return Ok(Err(format!("{error:#}"))),
        };
        Ok(look(&object).ok_or_else(|| describe(&object)))
    })
    .await
}

/// Waits until a condition has this status and this reason.
///
/// # Errors
/// When it has not in time.
pub async fn wait_condition(
    client: &Client,
    reference: Reference<'_>,
    condition: &str,
    status: &str,
    reason: &str,
    timeout: Duration,
) -> anyhow::Result<String> {
    let what = format!("condition {condition} is {status} for {reason}");
    wait_object(client, reference, &what, timeout, |object| {
        let found = find(object, condition)?;
        let message = found["message"].as_str().unwrap_or_default().to_owned();
        (found["status"] == status && found["reason"] == reason).then_some(message)
    })
    .await
}

/// Waits until all is well with a cluster.
///
/// # Errors
/// When it is not in time.
pub async fn wait_all_good(client: &Client, cluster: &str, timeout: Duration) -> anyhow::Result<Value> {
    let what = "all conditions are True";
    wait_object(client, cluster_dns_reference(cluster), what, timeout, |object| {
        let good = DUTIES
            .iter()
            .all(|duty| find(object, duty).is_some_and(|condition| condition["status"] == "True"));
        good.then(|| object["status"].clone())
    })
    .await
}

/// Waits until a ClusterDNS reports a problem of an object with this code, and gives its message.
///
/// # Errors
/// When it does not in time.
pub async fn wait_problem(
    client: &Client,
    cluster: &str,
    source: &str,
    host_name: &str,
    code: &str,
    timeout: Duration,
) -> anyhow::Result<String> {
    let what = format!("the problem {code} of {source} with {host_name}");
    wait_object(client, cluster_dns_reference(cluster), &what, timeout, |object| {
        let problems = object.pointer("/status/problems")?.as_array()?;
        let problem = problems.iter().find(|problem| {
            problem["source"] == source && problem["hostName"] == host_name && problem["code"] == code
        })?;
        Some(problem["message"].as_str().unwrap_or_default().to_owned())
    })
    .await
}

/// Waits for an Event on an object in `default` that has been told so many times, and gives its note.
///
/// # Errors
/// When there is none in time.
pub async fn wait_event(
    client: &Client,
    kind: &str,
    name: &str,
    reason: &str,
    times: i32,
    timeout: Duration,
) -> anyhow::Result<String> {
    let events: Api<Event> = Api::namespaced(client.clone(), "default");
    wait_until(&format!("an Event {reason} on {kind} {name}"), timeout, async || {
        let list = match events.list(&ListParams::default()).await {
            Ok(list) => list,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let mut others = Vec::new();
        for event in list {
            let object = event.regarding.unwrap_or_default();
            if object.kind.as_deref() == Some(kind)
                && object.name.as_deref() == Some(name)
                && event.reason.as_deref() == Some(reason)
                && event.series.as_ref().map_or(1, |series| series.count) == times
            {
                return Ok(Look::Ok(event.note.unwrap_or_default()));
            }
            let count = event.series.map_or(1, |series| series.count);
            others.push(format!("{:?} on {:?} {:?}, {count} times", event.reason, object.kind, object.name));
        }
        Ok(Err(format!("{} other Events: {}", others.len(), others.join(", "))))
    })
    .await
}

/// The condition of an object with this type.
pub fn find<'o>(object: &'o Value, condition: &str) -> Option<&'o Value> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|candidate| candidate["type"] == condition)
}

/// The conditions as a person reads them, then the rest of the status.
fn describe(object: &Value) -> String {
    let mut status = object["status"].clone();
    let conditions = status.as_object_mut().and_then(|status| status.remove("conditions"));
    let lines = conditions.as_ref().and_then(Value::as_array).into_iter().flatten().map(|condition| {
        let text = |field: &str| condition[field].as_str().unwrap_or("-");
        format!("\n  {} {} {}: {}", text("type"), text("status"), text("reason"), text("message"))
    });
    format!("{}\n  {status}", lines.collect::<String>())
}
