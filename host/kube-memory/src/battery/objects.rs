//! Objects one by one.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::{Ground, a_config_map, a_thing, refused, same, value};

pub(super) async fn a_new_object_gets_what_only_the_server_sets(ground: &Ground) -> anyhow::Result<()> {
    let things = ground.things();
    let wanted = a_thing(
        "new",
        json!({
            "metadata": { "uid": "mine", "generation": 7, "creationTimestamp": "2001-01-01T00:00:00Z" },
            "spec": { "a": 1 },
        }),
    )?;
    let made = things.create(&PostParams::default(), &wanted).await?;
    let read = things.get("new").await?;
    same("what is read", value(&read)?, value(&made)?)?;
    ensure!(made.uid().is_some_and(|uid| uid.len() == 36), "uid {:?}", made.uid());
    same("generation", made.metadata.generation, Some(1))?;
    same("namespace", made.namespace(), Some(ground.namespace.clone()))?;
    ensure!(made.creation_timestamp() > wanted.creation_timestamp(), "{:?}", made.creation_timestamp());
    let version = made.resource_version().unwrap_or_default();
    ensure!(version.parse::<u64>().is_ok(), "version {version}");
    let entry = made.managed_fields().first().context("no managed fields")?;
    same("operation", entry.operation.as_deref(), Some("Update"))
}

pub(super) async fn an_object_is_created_once(ground: &Ground) -> anyhow::Result<()> {
    let api = ground.api::<ConfigMap>();
    let object = a_config_map("once", json!({}))?;
    api.create(&PostParams::default(), &object).await?;
    let message = refused(api.create(&PostParams::default(), &object).await, 409, "AlreadyExists")?;
    same("message", message.as_str(), "configmaps \"once\" already exists")
}

pub(super) async fn a_name_can_be_generated(ground: &Ground) -> anyhow::Result<()> {
    let api = ground.api::<ConfigMap>();
    let mut object: ConfigMap = a_config_map("unused", json!({}))?;
    object.metadata.name = None;
    object.metadata.generate_name = Some("some-".to_owned());
    let names = [
        api.create(&PostParams::default(), &object).await?.name_any(),
        api.create(&PostParams::default(), &object).await?.name_any(),
    ];
    ensure!(names[0] != names[1], "twice {}", names[0]);
    ensure!(names.iter().all(|name| name.starts_with("some-") && name.len() == 10), "{names:?}");
    Ok(())
}

pub(super) async fn names_and_places_that_do_not_fit_are_refused(ground: &Ground) -> anyhow::Result<()> {
    let api = ground.api::<ConfigMap>();
    let post = PostParams::default();
    let mut object: ConfigMap = a_config_map("Not_A_Name", json!({}))?;
    refused(api.create(&post, &object).await, 422, "Invalid")?;
    object.metadata.name = None;
    let message = refused(api.create(&post, &object).await, 422, "Invalid")?;
    ensure!(message.contains("name or generateName is required"), "{message}");
    object.metadata.name = Some("one".to_owned());
    object.metadata.namespace = Some("another".to_owned());
    refused(api.create(&post, &object).await, 400, "BadRequest")?;
    let nowhere: Api<ConfigMap> = Api::namespaced(ground.client.clone(), "there-is-no-such-namespace");
    object.metadata.namespace = None;
    let message = refused(nowhere.create(&post, &object).await, 404, "NotFound")?;
    same("message", message.as_str(), "namespaces \"there-is-no-such-namespace\" not found")
}

pub(super) async fn what_is_not_there_is_not_found(ground: &Ground) -> anyhow::Result<()> {
    let (api, things) = (ground.api::<ConfigMap>(), ground.things());
    let message = refused(api.get("nothing").await, 404, "NotFound")?;
    same("message", message.as_str(), "configmaps \"nothing\" not found")?;
    let message = refused(things.get("nothing").await, 404, "NotFound")?;
    same("message", message.as_str(), "things.battery.openmcp.cloud \"nothing\" not found")?;
    let patch = Patch::Merge(json!({ "data": {} }));
    refused(api.patch("nothing", &PatchParams::default(), &patch).await, 404, "NotFound")?;
    refused(api.delete("nothing", &kube::api::DeleteParams::default()).await, 404, "NotFound")?;
    let mut object: ConfigMap = a_config_map("nothing", json!({}))?;
    object.metadata.resource_version = Some("1".to_owned());
    refused(api.replace("nothing", &PostParams::default(), &object).await, 404, "NotFound")?;
    Ok(())
}

pub(super) async fn a_replacement_of_an_old_version_is_refused(ground: &Ground) -> anyhow::Result<()> {
    let api = ground.api::<ConfigMap>();
    let post = PostParams::default();
    let first: ConfigMap =
        api.create(&post, &a_config_map("versions", json!({ "data": { "a": "1" } }))?).await?;
    let mut changed = first.clone();
    changed.data = Some([("a".to_owned(), "2".to_owned())].into());
    let second = api.replace("versions", &post, &changed).await?;
    ensure!(second.resource_version() != first.resource_version(), "the version stays");
    let message = refused(api.replace("versions", &post, &changed).await, 409, "Conflict")?;
    ensure!(message.contains("the object has been modified; please apply your changes"), "{message}");
    // Who names no version means the last one.
    changed.metadata.resource_version = None;
    changed.data = Some([("a".to_owned(), "3".to_owned())].into());
    api.replace("versions", &post, &changed).await?;
    changed.metadata.uid = Some("another".to_owned());
    let message = refused(api.replace("versions", &post, &changed).await, 409, "Conflict")?;
    ensure!(message.contains("Precondition failed: UID in precondition"), "{message}");
    let renamed: ConfigMap = a_config_map("another", json!({}))?;
    refused(api.replace("versions", &post, &renamed).await, 400, "BadRequest")?;
    Ok(())
}

pub(super) async fn a_custom_resource_is_replaced_only_by_who_names_its_version(
    ground: &Ground,
) -> anyhow::Result<()> {
    let things = ground.things();
    let post = PostParams::default();
    let object: DynamicObject = a_thing("versions", json!({ "spec": { "a": 1 } }))?;
    let made = things.create(&post, &object).await?;
    let message = refused(things.replace("versions", &post, &object).await, 422, "Invalid")?;
    ensure!(message.contains("must be specified for an update"), "{message}");
    let mut changed = made.clone();
    changed.data["spec"]["a"] = json!(2);
    things.replace("versions", &post, &changed).await?;
    refused(things.replace("versions", &post, &changed).await, 409, "Conflict")?;
    Ok(())
}

pub(super) async fn a_merge_patch_changes_what_it_names(ground: &Ground) -> anyhow::Result<()> {
    let api = ground.api::<ConfigMap>();
    let object = a_config_map("merged", json!({ "data": { "a": "1", "b": "2" } }))?;
    let made: ConfigMap = api.create(&PostParams::default(), &object).await?;
    let version = made.resource_version();
    let patch = |version: Option<String>| {
        Patch::Merge(json!({
            "metadata": { "resourceVersion": version, "annotations": { "example.com/x": "y" } },
            "data": { "a": null, "c": "3" },
        }))
    };
    let params = PatchParams::default();
    let merged = api.patch("merged", &params, &patch(version.clone())).await?;
    let expected = json!({ "b": "2", "c": "3" });
    same("data", value(&merged.data)?, expected)?;
    same("annotations", merged.annotations().len(), 1)?;
    let message = refused(api.patch("merged", &params, &patch(version)).await, 409, "Conflict")?;
    ensure!(message.contains("the object has been modified"), "{message}");
    // What only the server sets cannot be patched away.
    let patch = Patch::Merge(json!({ "metadata": { "creationTimestamp": null, "resourceVersion": null } }));
    let same_time = api.patch("merged", &params, &patch).await?;
    same("creation", same_time.creation_timestamp(), made.creation_timestamp())
}

pub(super) async fn a_write_that_changes_nothing_writes_nothing(ground: &Ground) -> anyhow::Result<()> {
    let api = ground.api::<ConfigMap>();
    let object: ConfigMap = a_config_map("quiet", json!({ "data": { "a": "1" } }))?;
    let made = api.create(&PostParams::default(), &object).await?;
    let replaced = api.replace("quiet", &PostParams::default(), &made).await?;
    same("version after replacing", replaced.resource_version(), made.resource_version())?;
    let patch = Patch::Merge(json!({ "data": { "a": "1" } }));
    let merged = api.patch("quiet", &PatchParams::default(), &patch).await?;
    same("version after merging", merged.resource_version(), made.resource_version())?;
    let apply = Patch::Apply(a_config_map::<serde_json::Value>("quiet", json!({ "data": { "a": "1" } }))?);
    let applied = api.patch("quiet", &PatchParams::apply("somebody"), &apply).await?;
    let again = api.patch("quiet", &PatchParams::apply("somebody"), &apply).await?;
    same("version after applying twice", again.resource_version(), applied.resource_version())
}

pub(super) async fn the_server_fills_in_what_kinds_need(ground: &Ground) -> anyhow::Result<()> {
    let namespaces: Api<Namespace> = Api::all(ground.client.clone());
    let own = namespaces.get(&ground.namespace).await?;
    same("label", own.labels().get("kubernetes.io/metadata.name"), Some(&ground.namespace))?;
    let secret: Secret = serde_json::from_value(json!({
        "metadata": { "name": "texts" }, "stringData": { "kubeconfig": "a text" },
    }))?;
    let made = ground.api::<Secret>().create(&PostParams::default(), &secret).await?;
    same("type", made.type_.as_deref(), Some("Opaque"))?;
    same("texts", made.string_data, None)?;
    let data = made.data.unwrap_or_default();
    same("data", data.get("kubeconfig").map(|bytes| bytes.0.as_slice()), Some(b"a text".as_slice()))
}
