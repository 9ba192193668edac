//! What a machine that watches the running service is told.

use anyhow::Context as _;
use openmcp_dns_tests::conditions::wait_problem;
use openmcp_dns_tests::http::get;
use openmcp_dns_tests::manifests::{POLICY, route_reference};
use openmcp_dns_tests::wait::wait_until;

use crate::{SOON, World};

pub(crate) async fn the_service_says_that_it_lives_and_what_its_policy_does(
    world: &World,
) -> anyhow::Result<()> {
    let address = world.service.metrics();
    assert_eq!(get(address, "/healthz").await?, (200, "ok\n".to_owned()));
    assert_eq!(get(address, "/readyz").await?, (200, "ok\n".to_owned()));
    assert_eq!(get(address, "/unknown").await?.0, 404);

    let before = metrics(world).await?;
    let denied = |text: &str| value(text, "openmcp_dns_denials_total", &[("code", "outside-domain")]);
    let name = "watched.workload02.openmcp.cluster";
    world.publish("watched", &[name, "watched.workload01.openmcp.cluster"]).await?;
    let source = "HTTPRoute/default/watched";
    wait_problem(&world.platform(), "workload01", source, name, "outside-domain", SOON).await?;
    // A claim may be denied more than once: its Gateway's acceptance comes after the route.
    let after = wait_until("the denial is counted", SOON, async || {
        let now = metrics(world).await?;
        let counted = denied(&now).unwrap_or_default() > denied(&before).unwrap_or_default();
        Ok(if counted { Ok(now) } else { Err(now) })
    })
    .await?;

    for function in ["domain-filter", "validate-hostname", "name-records"] {
        let labels = [("policy", POLICY.name), ("function", function)];
        let total = |text: &str, name: &str| value(text, name, &labels).with_context(|| name.to_owned());
        let evaluations = total(&after, "openmcp_dns_policy_evaluations_total")?;
        // Every question takes fuel, and a time that lies in the buckets, the first of which is 1 µs.
        assert!(total(&after, "openmcp_dns_policy_fuel_total")? > 100.0 * evaluations, "{after}");
        assert_eq!(total(&after, "openmcp_dns_policy_evaluation_seconds_count")?, evaluations, "{after}");
        assert!(total(&after, "openmcp_dns_policy_evaluation_seconds_sum")? > 0.0, "{after}");
        let first = [labels[0], labels[1], ("le", "0.000001")];
        assert!(value(&after, "openmcp_dns_policy_evaluation_seconds_bucket", &first).is_some(), "{after}");
    }
    let asked = |text: &str| {
        let labels = [("policy", POLICY.name), ("function", "name-records")];
        value(text, "openmcp_dns_policy_evaluations_total", &labels)
    };
    assert!(asked(&after) > asked(&before), "the other name of the route was not decided on: {after}");
    // The standard module fails at nothing.
    assert!(!after.contains("openmcp_dns_policy_failures_total{"), "{after}");
    // A host name would make a series of its own for each.
    assert!(!after.contains("openmcp.cluster"), "{after}");
    route_reference("watched").delete(&world.landscape.workload01.client()).await?;
    world.wait_all_good().await?;
    Ok(())
}

async fn metrics(world: &World) -> anyhow::Result<String> {
    let (status, text) = get(world.service.metrics(), "/metrics").await?;
    anyhow::ensure!(status == 200, "/metrics: {status}");
    Ok(text)
}

/// The value of the series of this name with these labels, in any order.
fn value(text: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    text.lines().find_map(|line| {
        let (found, value) = line.strip_prefix(name)?.strip_prefix('{')?.split_once("} ")?;
        let has =
            |(key, value): &(&str, &str)| found.split(',').any(|label| label == format!("{key}=\"{value}\""));
        let all = labels.iter().all(has);
        (all && found.split(',').count() == labels.len()).then(|| value.parse().ok())?
    })
}
