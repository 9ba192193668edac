//! What goes, and when.

use anyhow::ensure;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use serde_json::json;

use super::{Ground, a_config_map, a_thing, refused, same};

pub(super) async fn without_finalizers_it_is_gone_at_once(ground: &Ground) -> anyhow::Result<()> {
    let (api, name) = (ground.api::<ConfigMap>(), "gone");
    let first = api.create(&PostParams::default(), &a_config_map(name, json!({}))?).await?;
    let answer = api.delete(name, &DeleteParams::default()).await?;
    ensure!(answer.is_right(), "{answer:?} instead of a Status");
    same("object", api.get_opt(name).await?, None)?;
    let second = api.create(&PostParams::default(), &a_config_map(name, json!({}))?).await?;
    ensure!(first.uid() != second.uid(), "the same identifier again");
    Ok(())
}

pub(super) async fn finalizers_hold_it(ground: &Ground) -> anyhow::Result<()> {
    let (things, name, params) = (ground.things(), "held", PatchParams::default());
    let finalizers = json!({ "finalizers": ["example.com/one", "example.com/two"] });
    things.create(&PostParams::default(), &a_thing(name, json!({ "metadata": finalizers }))?).await?;
    let answer = things.delete(name, &DeleteParams::default()).await?;
    ensure!(answer.is_left(), "{answer:?} instead of the object");
    let held = things.get(name).await?;
    ensure!(held.metadata.deletion_timestamp.is_some(), "it is not being deleted");
    things.delete(name, &DeleteParams::default()).await?;
    same(
        "version after a second deletion",
        things.get(name).await?.resource_version(),
        held.resource_version(),
    )?;
    let more =
        json!({ "metadata": { "finalizers": ["example.com/one", "example.com/two", "example.com/three"] } });
    let message = refused(things.patch(name, &params, &Patch::Merge(more)).await, 422, "Invalid")?;
    ensure!(message.contains("no new finalizers can be added"), "{message}");
    let one = json!({ "metadata": { "finalizers": ["example.com/two"] } });
    let held = things.patch(name, &params, &Patch::Merge(one)).await?;
    ensure!(held.metadata.deletion_timestamp.is_some(), "it is not being deleted any more");
    // It can still be changed.
    things.patch(name, &params, &Patch::Merge(json!({ "metadata": { "labels": { "a": "b" } } }))).await?;
    let none = json!({ "metadata": { "finalizers": null } });
    things.patch(name, &params, &Patch::Merge(none)).await?;
    same("object", things.get_opt(name).await?.map(|object| object.name_any()), None)
}

pub(super) async fn it_takes_preconditions(ground: &Ground) -> anyhow::Result<()> {
    let (api, name) = (ground.api::<ConfigMap>(), "conditions");
    let made = api.create(&PostParams::default(), &a_config_map(name, json!({}))?).await?;
    let params = |uid: Option<String>, resource_version: Option<String>| DeleteParams {
        preconditions: Some(Preconditions { uid, resource_version }),
        ..DeleteParams::default()
    };
    let message =
        refused(api.delete(name, &params(Some("another".to_owned()), None)).await, 409, "Conflict")?;
    ensure!(message.contains("the UID in the precondition (another)"), "{message}");
    refused(api.delete(name, &params(None, Some("1".to_owned()))).await, 409, "Conflict")?;
    api.delete(name, &params(made.uid(), made.resource_version())).await?;
    same("object", api.get_opt(name).await?, None)
}
