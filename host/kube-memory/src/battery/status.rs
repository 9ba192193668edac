//! The status as a subresource.

use anyhow::ensure;
use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::{Ground, a_thing, refused, same, thing, value};

fn applied(name: &str, fields: Value) -> Patch<Value> {
    let mut object = json!({ "apiVersion": thing().api_version(), "kind": "Thing" });
    super::super::patch::merge(&mut object, &fields);
    object["metadata"]["name"] = json!(name);
    Patch::Apply(object)
}

pub(super) async fn each_side_leaves_the_other_alone(ground: &Ground) -> anyhow::Result<()> {
    let (things, name, params) = (ground.things(), "sides", PatchParams::default());
    let object = a_thing(name, json!({ "spec": { "a": 1 }, "status": { "s": 1 } }))?;
    let made = things.create(&PostParams::default(), &object).await?;
    same("status when created", made.data.get("status"), None)?;
    let change = Patch::Merge(json!({
        "metadata": { "annotations": { "example.com/x": "y" } }, "spec": { "a": 2 }, "status": { "s": 2 },
    }));
    let with_status = things.patch_status(name, &params, &change).await?;
    same("status", &with_status.data["status"], &json!({ "s": 2 }))?;
    same("spec after a write to the status", &with_status.data["spec"], &json!({ "a": 1 }))?;
    same("annotations after a write to the status", with_status.annotations().len(), 0)?;
    let change = Patch::Merge(json!({ "spec": { "a": 3 }, "status": { "s": 3 } }));
    let with_spec = things.patch(name, &params, &change).await?;
    same("spec", &with_spec.data["spec"], &json!({ "a": 3 }))?;
    same("status after a write to the object", &with_spec.data["status"], &json!({ "s": 2 }))?;
    let mut replaced = with_spec.clone();
    replaced.data["status"] = json!({ "s": 4 });
    let replaced = things.replace(name, &PostParams::default(), &replaced).await?;
    same("version after a write that is ignored", replaced.resource_version(), with_spec.resource_version())?;
    let mut replaced = with_spec.clone();
    replaced.data["status"] = json!({ "s": 5 });
    let replaced = things.replace_status(name, &PostParams::default(), &replaced).await?;
    same("status", &replaced.data["status"], &json!({ "s": 5 }))?;
    same("status that is read", value(&things.get_status(name).await?)?, value(&replaced)?)
}

pub(super) async fn the_generation_counts_what_is_asked_for(ground: &Ground) -> anyhow::Result<()> {
    let (things, name, params) = (ground.things(), "generations", PatchParams::default());
    let mut object = a_thing(name, json!({ "spec": { "a": 1 } }))?;
    object.finalizers_mut().push("example.com/hold".to_owned());
    things.create(&PostParams::default(), &object).await?;
    let labels = Patch::Merge(json!({ "metadata": { "labels": { "a": "b" } } }));
    same("after labels", things.patch(name, &params, &labels).await?.metadata.generation, Some(1))?;
    let status = Patch::Merge(json!({ "status": { "a": 1 } }));
    same("after a status", things.patch_status(name, &params, &status).await?.metadata.generation, Some(1))?;
    let spec = Patch::Merge(json!({ "spec": { "a": 2 } }));
    same("after a spec", things.patch(name, &params, &spec).await?.metadata.generation, Some(2))?;
    things.delete(name, &DeleteParams::default()).await?;
    same("after a deletion", things.get(name).await?.metadata.generation, Some(3))?;
    let release = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    things.patch(name, &params, &release).await?;
    same("object", things.get_opt(name).await?.map(|object| object.name_any()), None)
}

pub(super) async fn applying_it_owns_it_apart_from_the_object(ground: &Ground) -> anyhow::Result<()> {
    let (things, name) = (ground.things(), "owned");
    let params = PatchParams::apply("service").force();
    let both =
        json!({ "metadata": { "labels": { "a": "b" } }, "spec": { "a": 1 }, "status": { "s": 1, "t": 1 } });
    let made = things.patch(name, &params, &applied(name, both.clone())).await?;
    same("status", made.data.get("status"), None)?;
    let written = things.patch_status(name, &params, &applied(name, both)).await?;
    same("status", &written.data["status"], &json!({ "s": 1, "t": 1 }))?;
    same("entries", written.managed_fields().len(), 2)?;
    // What the object does not name any more is the status all the same.
    let written = things.patch(name, &params, &applied(name, json!({ "spec": { "a": 1 } }))).await?;
    same("status", &written.data["status"], &json!({ "s": 1, "t": 1 }))?;
    same("labels", written.labels().len(), 0)?;
    let written = things.patch_status(name, &params, &applied(name, json!({ "status": { "t": 1 } }))).await?;
    same("status", &written.data["status"], &json!({ "t": 1 }))?;
    same("spec", &written.data["spec"], &json!({ "a": 1 }))
}

pub(super) async fn an_object_that_is_not_there_gets_none(ground: &Ground) -> anyhow::Result<()> {
    let things = ground.things();
    let apply = applied("nothing", json!({ "status": { "s": 1 } }));
    let result = things.patch_status("nothing", &PatchParams::apply("service").force(), &apply).await;
    refused(result, 404, "NotFound")?;
    same("object", things.get_opt("nothing").await?.map(|object| object.name_any()), None)
}

pub(super) async fn an_ingress_has_one(ground: &Ground) -> anyhow::Result<()> {
    let (api, name) = (ground.api::<Ingress>(), "ingress");
    // Without a host name, so that nobody who watches publishes one.
    let backend = |service: &str| json!({ "service": { "name": service, "port": { "number": 80 } } });
    let ingress: Ingress = serde_json::from_value(json!({
        "metadata": { "name": name }, "spec": { "defaultBackend": backend("web") },
    }))?;
    let made = api.create(&PostParams::default(), &ingress).await?;
    same("generation", made.metadata.generation, Some(1))?;
    let params = PatchParams::default();
    let status =
        Patch::Merge(json!({ "status": { "loadBalancer": { "ingress": [{ "ip": "192.0.2.1" }] } } }));
    let written = api.patch_status(name, &params, &status).await?;
    let shown = value(&written.status)?;
    ensure!(shown["loadBalancer"]["ingress"][0]["ip"] == "192.0.2.1", "{shown}");
    let spec = Patch::Merge(json!({ "spec": { "defaultBackend": backend("other") }, "status": null }));
    let written = api.patch(name, &params, &spec).await?;
    same("status", value(&written.status)?, shown)?;
    same("generation", written.metadata.generation, Some(2))?;
    api.delete(name, &DeleteParams::default()).await?;
    Ok(())
}
