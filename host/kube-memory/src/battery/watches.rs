//! Watches.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail, ensure};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::runtime::watcher::{Config, Event, watcher};
use serde_json::json;

use super::{Ground, a_config_map, a_thing, same};

type Events = BoxStream<'static, kube::Result<WatchEvent<ConfigMap>>>;

async fn watch(ground: &Ground, params: &WatchParams, version: &str) -> anyhow::Result<Events> {
    Ok(ground.api::<ConfigMap>().watch(params, version).await?.boxed())
}

/// What happens next, as `ADDED name value version`.
async fn next(events: &mut Events) -> anyhow::Result<(String, String)> {
    loop {
        let (event, object) = match events.try_next().await?.context("the watch has ended")? {
            WatchEvent::Added(object) => ("ADDED", object),
            WatchEvent::Modified(object) => ("MODIFIED", object),
            WatchEvent::Deleted(object) => ("DELETED", object),
            WatchEvent::Bookmark(_) => continue,
            WatchEvent::Error(status) => bail!("{status:?}"),
        };
        let data = object.data.clone().unwrap_or_default();
        let text = data.get("a").map(String::as_str).unwrap_or_default();
        let version = object.resource_version().unwrap_or_default();
        return Ok((format!("{event} {} {text}", object.name_any()), version));
    }
}

async fn expect(events: &mut Events, expected: &str) -> anyhow::Result<()> {
    let (found, _) = next(events).await?;
    same("the next event", found.as_str(), expected)
}

async fn create(ground: &Ground, name: &str, set: &str) -> anyhow::Result<ConfigMap> {
    let object = json!({ "metadata": { "labels": { "set": set } }, "data": { "a": "1" } });
    Ok(ground.api::<ConfigMap>().create(&PostParams::default(), &a_config_map(name, object)?).await?)
}

async fn merge(ground: &Ground, name: &str, change: serde_json::Value) -> anyhow::Result<ConfigMap> {
    Ok(ground.api::<ConfigMap>().patch(name, &PatchParams::default(), &Patch::Merge(change)).await?)
}

async fn delete(ground: &Ground, name: &str) -> anyhow::Result<()> {
    ground.api::<ConfigMap>().delete(name, &DeleteParams::default()).await?;
    Ok(())
}

pub(super) async fn changes_come_in_order(ground: &Ground) -> anyhow::Result<()> {
    let set = WatchParams::default().labels("set=order");
    let listed = ground.api::<ConfigMap>().list(&ListParams::default().limit(1)).await?;
    let version = listed.metadata.resource_version.unwrap_or_default();
    let mut events = watch(ground, &set, &version).await?;
    create(ground, "order", "order").await?;
    let changed = merge(ground, "order", json!({ "data": { "a": "2" } })).await?;
    delete(ground, "order").await?;
    expect(&mut events, "ADDED order 1").await?;
    expect(&mut events, "MODIFIED order 2").await?;
    let (found, version) = next(&mut events).await?;
    same("the last event", found.as_str(), "DELETED order 2")?;
    ensure!(Some(&version) != changed.resource_version().as_ref(), "a deletion is a version of its own");
    // From a version in between, only what came after it.
    let version = changed.resource_version().unwrap_or_default();
    let mut events = watch(ground, &set, &version).await?;
    expect(&mut events, "DELETED order 2").await
}

pub(super) async fn a_selector_makes_changes_come_and_go(ground: &Ground) -> anyhow::Result<()> {
    let version = create(ground, "moves", "elsewhere").await?.resource_version().unwrap_or_default();
    let mut events = watch(ground, &WatchParams::default().labels("set=here"), &version).await?;
    let mut named = watch(ground, &WatchParams::default().fields("metadata.name=moves"), &version).await?;
    let set = |set: &str, a: &str| json!({ "metadata": { "labels": { "set": set } }, "data": { "a": a } });
    for (label, a) in [("elsewhere", "2"), ("here", "3"), ("here", "4"), ("elsewhere", "5")] {
        merge(ground, "moves", set(label, a)).await?;
    }
    delete(ground, "moves").await?;
    expect(&mut events, "ADDED moves 3").await?;
    expect(&mut events, "MODIFIED moves 4").await?;
    expect(&mut events, "DELETED moves 4").await?;
    for event in
        ["MODIFIED moves 2", "MODIFIED moves 3", "MODIFIED moves 4", "MODIFIED moves 5", "DELETED moves 5"]
    {
        expect(&mut named, event).await?;
    }
    Ok(())
}

pub(super) async fn without_a_version_it_begins_with_what_is_there(ground: &Ground) -> anyhow::Result<()> {
    create(ground, "there", "there").await?;
    // "0" means any version, and a cache that is a moment behind is one.
    let mut events = watch(ground, &WatchParams::default().labels("set=there"), "0").await?;
    expect(&mut events, "ADDED there 1").await?;
    delete(ground, "there").await?;
    expect(&mut events, "DELETED there 1").await
}

pub(super) async fn a_version_that_is_too_old_is_expired(ground: &Ground) -> anyhow::Result<()> {
    let things = ground.things();
    things.create(&PostParams::default(), &a_thing("old", json!({}))?).await?;
    let mut events = things.watch(&WatchParams::default(), "1").await?.boxed();
    match events.try_next().await? {
        Some(WatchEvent::Error(status)) => {
            same("refusal", (status.code, status.reason.as_str()), (410, "Expired"))?;
            ensure!(status.message.contains("too old resource version: 1"), "{}", status.message);
        }
        other => bail!("{other:?} instead of an error"),
    }
    ensure!(events.try_next().await?.is_none(), "it goes on");
    Ok(())
}

pub(super) async fn the_watcher_of_kube_sees_all_by_lists(ground: &Ground) -> anyhow::Result<()> {
    sees_all(ground, "listed", Config::default().page_size(2)).await
}

pub(super) async fn the_watcher_of_kube_sees_all_by_streaming(ground: &Ground) -> anyhow::Result<()> {
    sees_all(ground, "streamed", Config::default().streaming_lists()).await
}

async fn sees_all(ground: &Ground, set: &str, config: Config) -> anyhow::Result<()> {
    let names: BTreeSet<String> = (0..5).map(|number| format!("{set}-{number}")).collect();
    for name in &names {
        create(ground, name, set).await?;
    }
    let mut events = watcher(ground.api::<ConfigMap>(), config.labels(&format!("set={set}"))).boxed();
    let mut seen = BTreeSet::new();
    loop {
        match events.try_next().await?.context("the watcher has ended")? {
            Event::Init => {}
            Event::InitApply(object) => {
                seen.insert(object.name_any());
            }
            Event::InitDone => break,
            other => bail!("{other:?} before the first list is done"),
        }
    }
    same("the first list", &seen, &names)?;
    let name = format!("{set}-0");
    merge(ground, &name, json!({ "data": { "a": "2" } })).await?;
    match events.try_next().await? {
        Some(Event::Apply(object)) => same("changed", object.name_any(), name.clone())?,
        other => bail!("{other:?} instead of a change"),
    }
    delete(ground, &name).await?;
    match events.try_next().await? {
        Some(Event::Delete(object)) => same("deleted", object.name_any(), name),
        other => bail!("{other:?} instead of a deletion"),
    }
}
