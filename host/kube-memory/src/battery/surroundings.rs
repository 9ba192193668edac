//! Discovery and Events.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event as Recorded;
use kube::Api;
use kube::Resource as _;
use kube::api::{ListParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use serde_json::json;

use super::{Ground, a_config_map, same, thing};

pub(super) async fn kinds_are_discovered(ground: &Ground) -> anyhow::Result<()> {
    let client = &ground.client;
    let groups = client.list_api_groups().await?;
    for wanted in ["networking.k8s.io", "events.k8s.io", &thing().group] {
        let group = groups.groups.iter().find(|group| group.name == wanted);
        let group = group.with_context(|| format!("no group {wanted}"))?;
        ensure!(group.versions.iter().any(|version| version.version == "v1"), "{group:?}");
    }
    let networking = client.list_api_group_resources("networking.k8s.io/v1").await?;
    let ingress = networking.resources.iter().find(|resource| resource.name == "ingresses");
    let ingress = ingress.context("no ingresses")?;
    same("ingresses", (ingress.kind.as_str(), ingress.namespaced), ("Ingress", true))?;
    ensure!(ingress.verbs.iter().any(|verb| verb == "watch"), "{:?}", ingress.verbs);
    ensure!(networking.resources.iter().any(|resource| resource.name == "ingresses/status"), "no status");
    ensure!(client.list_core_api_versions().await?.versions.iter().any(|version| version == "v1"), "no v1");
    let core = client.list_core_api_resources("v1").await?;
    let namespaces = core.resources.iter().find(|resource| resource.name == "namespaces");
    same("namespaces", namespaces.map(|resource| resource.namespaced), Some(false))?;
    ensure!(client.apiserver_version().await?.git_version.starts_with("v1."), "no version");
    Ok(())
}

pub(super) async fn a_kind_that_is_not_served_is_not_found(ground: &Ground) -> anyhow::Result<()> {
    let client = &ground.client;
    let result = client.list_api_group_resources("nothing.example.com/v1").await;
    ensure!(matches!(&result, Err(kube::Error::Api(status)) if status.code == 404), "{result:?}");
    let own = thing().group;
    for (group, version, kind, plural) in [
        ("nothing.example.com", "v1", "Nothing", "nothings"),
        ("networking.k8s.io", "v9", "Ingress", "ingresses"),
        (&own, "v1", "Other", "others"),
    ] {
        let resource =
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        let result = api.list(&ListParams::default()).await;
        ensure!(matches!(&result, Err(kube::Error::Api(status)) if status.code == 404), "{result:?}");
    }
    Ok(())
}

pub(super) async fn events_are_recorded_and_counted(ground: &Ground) -> anyhow::Result<()> {
    let object = a_config_map("regarded", json!({}))?;
    let object: ConfigMap = ground.api().create(&PostParams::default(), &object).await?;
    let recorder = Recorder::new(ground.client.clone(), Reporter::from("battery"));
    let event = Event {
        type_: EventType::Warning,
        reason: "Tried".to_owned(),
        note: Some("a note".to_owned()),
        action: "Test".to_owned(),
        secondary: None,
    };
    let found = async || {
        let all = ground.api::<Recorded>().list(&ListParams::default()).await?;
        let mut found = all.items.into_iter().filter(|event| {
            event.regarding.as_ref().is_some_and(|regarding| regarding.uid == object.metadata.uid)
        });
        let first = found.next().context("no Event")?;
        ensure!(found.next().is_none(), "more than one Event");
        anyhow::Ok(first)
    };
    recorder.publish(&event, &object.object_ref(&())).await?;
    let first = found().await?;
    same("note", first.note.as_deref(), Some("a note"))?;
    same("series", first.series, None)?;
    recorder.publish(&event, &object.object_ref(&())).await?;
    same("count", found().await?.series.map(|series| series.count), Some(2))
}
