//! Lists.

use anyhow::ensure;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::{Ground, a_config_map, refused, same};

async fn create(ground: &Ground, set: &str, names: &[(&str, &str)]) -> anyhow::Result<()> {
    for (name, tier) in names {
        let labels = json!({ "metadata": { "labels": { "set": set, "tier": tier } }, "data": { "a": "1" } });
        ground.api::<ConfigMap>().create(&PostParams::default(), &a_config_map(name, labels)?).await?;
    }
    Ok(())
}

pub(super) async fn labels_and_fields_select(ground: &Ground) -> anyhow::Result<()> {
    create(ground, "select", &[("select-a", "front"), ("select-b", "back"), ("select-c", "")]).await?;
    let api = ground.api::<ConfigMap>();
    for (labels, expected) in [
        ("set=select", "a b c"),
        ("set=select,tier=front", "a"),
        ("set=select,tier!=front", "b c"),
        ("set=select,tier in (front, back)", "a b"),
        ("set in (select),tier notin (front)", "b c"),
        ("set==select,tier", "a b c"),
        ("set=select,!tier", ""),
        ("set=select,!other,tier=back", "b"),
    ] {
        let listed = api.list(&ListParams::default().labels(labels)).await?;
        let names: Vec<String> =
            listed.iter().map(|object| object.name_any().trim_start_matches("select-").to_owned()).collect();
        same(labels, names.join(" ").as_str(), expected)?;
    }
    let one = api.list(&ListParams::default().fields("metadata.name=select-b")).await?;
    same("by name", one.items.len(), 1)?;
    let everywhere: Api<ConfigMap> = Api::all(ground.client.clone());
    let fields = format!("metadata.name=select-b,metadata.namespace={}", ground.namespace);
    same("by namespace", everywhere.list(&ListParams::default().fields(&fields)).await?.items.len(), 1)?;
    let fields = "metadata.name=select-b,metadata.namespace=default";
    same("elsewhere", everywhere.list(&ListParams::default().fields(fields)).await?.items.len(), 0)?;
    refused(api.list(&ListParams::default().fields("data.a=1")).await, 400, "BadRequest")?;
    refused(api.list(&ListParams::default().labels("a b c")).await, 400, "BadRequest")?;
    Ok(())
}

pub(super) async fn pages_show_the_objects_as_they_were_at_the_first(ground: &Ground) -> anyhow::Result<()> {
    create(ground, "pages", &[("pages-a", ""), ("pages-b", ""), ("pages-c", ""), ("pages-d", "")]).await?;
    let api = ground.api::<ConfigMap>();
    let params = ListParams::default().labels("set=pages").limit(2);
    let first = api.list(&params).await?;
    same("first page", first.items.len(), 2)?;
    let token = first.metadata.continue_.clone().unwrap_or_default();
    ensure!(!token.is_empty(), "no second page");
    api.delete("pages-c", &DeleteParams::default()).await?;
    create(ground, "pages", &[("pages-e", "")]).await?;
    let second = api.list(&params.clone().continue_token(&token)).await?;
    let names: Vec<String> = second.items.iter().map(ConfigMap::name_any).collect();
    same("second page", names, vec!["pages-c".to_owned(), "pages-d".to_owned()])?;
    same("version", &second.metadata.resource_version, &first.metadata.resource_version)?;
    // A server that finds more objects does not look whether the selector fits any of them.
    let mut token = second.metadata.continue_.unwrap_or_default();
    while !token.is_empty() {
        let next = api.list(&params.clone().continue_token(&token)).await?;
        same("further page", next.items.len(), 0)?;
        token = next.metadata.continue_.unwrap_or_default();
    }
    Ok(())
}

pub(super) async fn metadata_can_be_had_alone(ground: &Ground) -> anyhow::Result<()> {
    create(ground, "metadata", &[("metadata-a", ""), ("metadata-b", "")]).await?;
    let api = ground.api::<ConfigMap>();
    let one = api.get_metadata("metadata-a").await?;
    same("kind", one.types.map(|types| types.kind), Some("PartialObjectMetadata".to_owned()))?;
    same("name", one.metadata.name.as_deref(), Some("metadata-a"))?;
    let all = api.list_metadata(&ListParams::default().labels("set=metadata")).await?;
    same("list", all.items.len(), 2)?;
    let patch = Patch::Merge(json!({ "metadata": { "labels": { "more": "1" } } }));
    let patched = api.patch_metadata("metadata-a", &PatchParams::default(), &patch).await?;
    same("labels", patched.metadata.labels.unwrap_or_default().len(), 3)
}
