//! Reports on a namespace, on a real API server with the CRDs of OpenReports.

use openmcp_dns_tests::conditions::wait_object;
use openmcp_dns_tests::kinds::{Reference, apply_crds, documents};
use openmcp_dns_tests::landscape::manifests_of;
use openmcp_dns_tests::manifests::{POLICY, route_reference};
use openmcp_dns_tests::programs::Provided;
use openmcp_dns_tests::wait::wait_until;
use serde_json::json;

use crate::{LATER, SOON, World};

const REPORT: Reference<'_> = Reference {
    api_version: "openreports.io/v1alpha1",
    kind: "Report",
    namespace: "default",
    name: "openmcp-dns",
};

pub(crate) async fn what_is_denied_stands_in_a_report_once_the_crd_is_there_until_it_is_not_wanted(
    world: &World,
) -> anyhow::Result<()> {
    let (client, name) = (world.landscape.workload01.client(), "reported.workload02.openmcp.cluster");
    let report = |is: bool| json!({ "spec": { "report": { "openReports": is } } });
    POLICY.merge(&world.platform(), &report(true)).await?;
    world.publish("reported", &[name]).await?;
    // Clusters without the CRD are well.
    world.wait_all_good().await?;
    let crds = manifests_of(Provided::OpenReports)?;
    apply_crds(&client, &crds).await?;
    let told = wait_object(&client, REPORT, "the name is reported", LATER, |object| {
        let results = object["results"].as_array()?;
        let result = results.iter().find(|result| result["properties"]["hostName"] == name)?;
        Some((object.clone(), result.clone()))
    });
    let (told, result) = told.await?;
    assert_eq!((&result["result"], &result["rule"]), (&"fail".into(), &"outside-domain".into()));
    assert_eq!((&result["policy"], &told["source"]), (&POLICY.name.into(), &"openmcp-dns".into()));
    let object = &result["resources"][0];
    let route = route_reference("reported").get(&client).await?.unwrap_or_default();
    assert_eq!((&object["kind"], &object["name"]), (&"HTTPRoute".into(), &"reported".into()));
    assert_eq!(object["uid"], route["metadata"]["uid"]);
    assert_eq!(told["summary"]["fail"], told["results"].as_array().map_or(0, Vec::len));
    assert!(result["timestamp"]["seconds"].is_i64(), "{result:#}");

    // A second name is added; what was found before keeps its time, and at rest nothing more is written.
    let second = "reported-too.workload02.openmcp.cluster";
    world.publish("reported-too", &[second]).await?;
    let both = wait_object(&client, REPORT, "both names are reported", SOON, |object| {
        let names: Vec<&str> = object["results"]
            .as_array()?
            .iter()
            .filter_map(|result| result["properties"]["hostName"].as_str())
            .collect();
        (names.contains(&name) && names.contains(&second)).then(|| object.clone())
    });
    let both = both.await?;
    let kept = both["results"].as_array().into_iter().flatten();
    let mut kept = kept.filter(|found| found["properties"]["hostName"] == name);
    assert_eq!(kept.next(), Some(&result));
    route_reference("reported-too").delete(&client).await?;
    wait_object(&client, REPORT, "the second name is gone", SOON, |object| {
        (!object["results"].to_string().contains(second)).then_some(())
    })
    .await?;

    POLICY.merge(&world.platform(), &report(false)).await?;
    wait_until("the report is gone", SOON, async || {
        Ok(REPORT.get(&client).await?.map_or(Ok(()), |report| Err(report.to_string())))
    })
    .await?;
    route_reference("reported").delete(&client).await?;
    for crd in crds.iter().map(|text| documents(text)).collect::<anyhow::Result<Vec<_>>>()?.concat() {
        Reference::of(&crd).delete(&client).await?;
    }
    world.wait_all_good().await?;
    Ok(())
}
