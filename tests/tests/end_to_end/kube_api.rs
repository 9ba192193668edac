//! What the API in memory is held against: the same battery of tests, on a real API server.

use openmcp_dns_kube_memory::battery::{self, THING_CRD};
use openmcp_dns_tests::kinds::{Reference, apply, apply_crds};
use openmcp_dns_tests::manifests;

use crate::World;

/// Namespace of the battery.
const NAMESPACE: &str = "kube-api";

pub(crate) async fn it_passes_the_battery_that_the_one_in_memory_passes(world: &World) -> anyhow::Result<()> {
    let client = world.landscape.workload02.client();
    apply_crds(&client, &[THING_CRD.to_owned()]).await?;
    apply(&client, &manifests::namespace(NAMESPACE)).await?;
    battery::run(client.clone(), NAMESPACE).await?;
    let crd = Reference {
        api_version: "apiextensions.k8s.io/v1",
        kind: "CustomResourceDefinition",
        namespace: "",
        name: "things.battery.openmcp.cloud",
    };
    crd.delete(&client).await
}
