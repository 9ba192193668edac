//! Server-side apply.

use anyhow::ensure;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::{Ground, a_config_map, a_thing, refused, same, value};

/// Applies a ConfigMap.
async fn applied(
    ground: &Ground,
    manager: &str,
    force: bool,
    name: &str,
    fields: Value,
) -> kube::Result<ConfigMap> {
    let mut object = json!({ "apiVersion": "v1", "kind": "ConfigMap" });
    super::super::patch::merge(&mut object, &fields);
    object["metadata"]["name"] = json!(name);
    let params = PatchParams { force, ..PatchParams::apply(manager) };
    ground.api::<ConfigMap>().patch(name, &params, &Patch::Apply(object)).await
}

pub(super) async fn it_creates_and_takes_back_what_is_no_longer_applied(
    ground: &Ground,
) -> anyhow::Result<()> {
    let name = "applied";
    let all = json!({
        "metadata": { "annotations": { "example.com/x": "y" }, "labels": { "a": "b" } },
        "data": { "a": "1", "b": "2" },
    });
    let made = applied(ground, "one", false, name, all).await?;
    same("data", value(&made.data)?, json!({ "a": "1", "b": "2" }))?;
    applied(ground, "two", false, name, json!({ "data": { "c": "3" } })).await?;
    let less = json!({ "metadata": { "annotations": {} }, "data": { "b": "2" } });
    let left = applied(ground, "one", false, name, less).await?;
    same("data", value(&left.data)?, json!({ "b": "2", "c": "3" }))?;
    same("annotations", left.annotations().len(), 0)?;
    same("labels", left.labels().len(), 0)
}

pub(super) async fn a_field_of_somebody_else_is_a_conflict_unless_forced(
    ground: &Ground,
) -> anyhow::Result<()> {
    let name = "conflict";
    let with = |text: &str| json!({ "metadata": { "annotations": { "example.com/x": text } } });
    applied(ground, "one", false, name, with("1")).await?;
    let message = refused(applied(ground, "two", false, name, with("2")).await, 409, "Conflict")?;
    same(
        "message",
        message.as_str(),
        "Apply failed with 1 conflict: conflict with \"one\": .metadata.annotations.example.com/x",
    )?;
    let forced = applied(ground, "two", true, name, with("2")).await?;
    same("annotation", forced.annotations().get("example.com/x").map(String::as_str), Some("2"))?;
    // It is no longer the first one's, who therefore takes nothing back.
    let after = applied(ground, "one", false, name, json!({})).await?;
    same("annotation", after.annotations().get("example.com/x").map(String::as_str), Some("2"))?;
    let message = refused(
        applied(
            ground,
            "three",
            false,
            name,
            json!({ "metadata": { "annotations": { "example.com/x": "3" } } }),
        )
        .await,
        409,
        "Conflict",
    )?;
    ensure!(message.contains("conflict with \"two\""), "{message}");
    Ok(())
}

pub(super) async fn what_two_apply_stays_until_neither_does(ground: &Ground) -> anyhow::Result<()> {
    let name = "shared";
    let both = json!({ "data": { "a": "1" } });
    applied(ground, "one", false, name, both.clone()).await?;
    applied(ground, "two", false, name, both).await?;
    let left = applied(ground, "one", false, name, json!({})).await?;
    same("data", value(&left.data)?, json!({ "a": "1" }))?;
    let left = applied(ground, "two", false, name, json!({})).await?;
    ensure!(left.data.unwrap_or_default().is_empty(), "it is left");
    Ok(())
}

pub(super) async fn finalizers_are_a_set(ground: &Ground) -> anyhow::Result<()> {
    let name = "finalizers";
    let with = |finalizer: &str| json!({ "metadata": { "finalizers": [finalizer] } });
    applied(ground, "one", false, name, with("example.com/one")).await?;
    let both = applied(ground, "two", false, name, with("example.com/two")).await?;
    same(
        "finalizers",
        both.finalizers().to_vec(),
        vec!["example.com/one".to_owned(), "example.com/two".to_owned()],
    )?;
    let left = applied(ground, "one", false, name, json!({})).await?;
    same("finalizers", left.finalizers().to_vec(), vec!["example.com/two".to_owned()])?;
    let left = applied(ground, "two", false, name, json!({})).await?;
    same("finalizers", left.finalizers().to_vec(), Vec::new())
}

pub(super) async fn who_updates_a_field_owns_it(ground: &Ground) -> anyhow::Result<()> {
    let name = "updated";
    applied(ground, "one", false, name, json!({ "data": { "a": "1" } })).await?;
    let params = PatchParams { field_manager: Some("a-person".to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({ "data": { "a": "2" } }));
    ground.api::<ConfigMap>().patch(name, &params, &patch).await?;
    let result = applied(ground, "one", false, name, json!({ "data": { "a": "1" } })).await;
    let message = refused(result, 409, "Conflict")?;
    let start = "Apply failed with 1 conflict: conflict with \"a-person\" using v1";
    ensure!(message.starts_with(start) && message.ends_with(": .data.a"), "{message}");
    // It is nobody else's any more.
    let result = applied(ground, "two", false, name, json!({ "data": { "a": "3" } })).await;
    let message = refused(result, 409, "Conflict")?;
    ensure!(message.starts_with(start), "{message}");
    // The value that stands there can be applied by everybody.
    let applied = applied(ground, "one", false, name, json!({ "data": { "a": "2" } })).await?;
    same("managers", applied.managed_fields().len(), 2)
}

pub(super) async fn an_identifier_keeps_it_from_making_a_new_object(ground: &Ground) -> anyhow::Result<()> {
    let name = "identified";
    let api = ground.api::<ConfigMap>();
    let made = api.create(&PostParams::default(), &a_config_map(name, json!({}))?).await?;
    let with = |uid: Option<String>| json!({ "metadata": { "uid": uid }, "data": { "a": "1" } });
    applied(ground, "one", false, name, with(made.uid())).await?;
    let other = "11111111-2222-4333-8444-555555555555".to_owned();
    let result = applied(ground, "one", false, name, with(Some(other))).await;
    ensure!(
        matches!(&result, Err(kube::Error::Api(status)) if matches!(status.code, 409 | 422)),
        "{result:?}"
    );
    api.delete(name, &DeleteParams::default()).await?;
    let message = refused(applied(ground, "one", false, name, with(made.uid())).await, 409, "Conflict")?;
    ensure!(message.contains("no existing object was found"), "{message}");
    same("object", api.get_opt(name).await?, None)
}

pub(super) async fn it_has_to_say_who_applies(ground: &Ground) -> anyhow::Result<()> {
    let thing = value(&a_thing("nobody", json!({ "spec": {} }))?)?;
    let path = format!("/apis/battery.openmcp.cloud/v1/namespaces/{}/things/nobody", ground.namespace);
    let request = http::Request::patch(path)
        .header(http::header::CONTENT_TYPE, "application/apply-patch+yaml")
        .body(thing.to_string().into_bytes())?;
    let result = ground.client.request::<Value>(request).await;
    let message = refused(result, 422, "Invalid")?;
    ensure!(message.contains("is required for apply patch"), "{message}");
    Ok(())
}
