//! Those who play the outside: objects, kinds that come and go, trouble, and what was asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{
    ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams, WatchEvent,
    WatchParams,
};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use openmcp_dns_kube_memory::{Effect, Fault, HISTORY, Resource, Server, Verb};
use serde_json::{Value, json};

fn thing() -> Resource {
    Resource::custom("example.com", "v1", "Thing", "things")
}

fn things(client: Client) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("example.com", "v1", "Thing");
    Api::namespaced_with(client, "shop", &ApiResource::from_gvk_with_plural(&kind, "things"))
}

fn a_thing(fields: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "example.com/v1", "kind": "Thing", "metadata": { "namespace": "shop", "name": "one" },
    });
    for (name, value) in fields.as_object().into_iter().flatten() {
        object[name] = value.clone();
    }
    object
}

fn a_config_map(name: &str, text: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": "shop", "name": name }, "data": { "a": text },
    })
}

fn config_maps(server: &Server) -> Api<ConfigMap> {
    Api::namespaced(server.client(), "shop")
}

fn code<T: std::fmt::Debug>(result: kube::Result<T>) -> u16 {
    match result {
        Err(kube::Error::Api(status)) => status.code,
        other => panic!("{other:?} instead of a refusal"),
    }
}

#[test]
fn an_object_is_put_whole_and_keeps_what_the_server_sets() {
    let server = Server::new("test");
    server.register(thing(), None);
    let first = server.put(a_thing(&json!({ "spec": { "a": 1, "b": 1 }, "status": { "s": 1 } }))).unwrap();
    assert_eq!(first["status"], json!({ "s": 1 }));
    assert!(server.get("v1", "Namespace", "", "shop").is_some(), "its namespace comes with it");
    let second = server.put(a_thing(&json!({ "spec": { "a": 1 } }))).unwrap();
    assert_eq!((&second["spec"], second.get("status")), (&json!({ "a": 1 }), None));
    assert_eq!(second["metadata"]["uid"], first["metadata"]["uid"]);
    assert_eq!(second["metadata"]["generation"], 2);
    let revision = server.revision();
    server.put(second).unwrap();
    assert_eq!(server.revision(), revision, "the same again changes nothing");
    assert_eq!(server.list("example.com/v1", "Thing").len(), 1);
    assert_eq!(server.put(json!({ "apiVersion": "v9", "kind": "Thing" })).unwrap_err().code, 404);
    assert_eq!(server.put(json!([])).unwrap_err().code, 400);
    assert_eq!(server.put(json!({ "apiVersion": "v1", "kind": "ConfigMap" })).unwrap_err().code, 422);
}

#[test]
fn finalizers_hold_what_is_removed_unless_they_are_ignored() {
    let server = Server::new("test");
    let mut object = a_config_map("one", "1");
    object["metadata"]["finalizers"] = json!(["example.com/hold"]);
    server.put(object).unwrap();
    let there = || server.get("v1", "ConfigMap", "shop", "one");
    assert!(server.remove("v1", "ConfigMap", "shop", "one", false));
    assert!(there().unwrap()["metadata"]["deletionTimestamp"].is_string());
    assert!(server.remove("v1", "ConfigMap", "shop", "one", true));
    assert_eq!(there(), None);
    assert!(!server.remove("v1", "ConfigMap", "shop", "one", true));
}

#[test]
fn a_namespace_goes_with_all_that_is_in_it_and_waits_for_finalizers() {
    let server = Server::new("test");
    server.put(a_config_map("one", "1")).unwrap();
    let mut held = a_config_map("held", "1");
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    server.put(held).unwrap();
    assert!(server.remove("v1", "Namespace", "", "shop", false));
    let namespace = || server.get("v1", "Namespace", "", "shop");
    assert_eq!(namespace().unwrap()["status"]["phase"], "Terminating");
    assert_eq!(server.list("v1", "ConfigMap").len(), 1);
    assert_eq!(server.put(a_config_map("late", "1")).unwrap_err().code, 403);
    server.put(a_config_map("held", "1")).unwrap();
    assert_eq!((namespace(), server.list("v1", "ConfigMap")), (None, vec![]));
}

#[test]
fn a_validator_refuses_what_it_does_not_like() {
    let server = Server::new("test");
    let likes = |object: &Value| {
        if object["spec"]["a"].is_i64() { Ok(()) } else { Err("spec.a: Invalid value".to_owned()) }
    };
    server.register(thing(), Some(Arc::new(likes)));
    server.put(a_thing(&json!({ "spec": { "a": 1 } }))).unwrap();
    let refusal = server.put(a_thing(&json!({ "spec": { "a": "1" } }))).unwrap_err();
    assert_eq!(refusal.code, 422);
    assert_eq!(refusal.message, "Thing.example.com \"one\" is invalid: spec.a: Invalid value");
}

#[tokio::test]
async fn a_kind_that_vanishes_ends_its_watches_and_is_not_found() {
    let server = Server::new("test");
    let things = things(server.client());
    assert_eq!(code(things.get("one").await), 404);
    server.register(thing(), None);
    server.put(a_thing(&json!({}))).unwrap();
    let mut events = things.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    assert!(matches!(events.next().await, Some(Ok(WatchEvent::Added(_)))));
    assert!(server.unregister("example.com", "things"));
    assert!(events.next().await.is_none());
    assert_eq!(code(things.list(&ListParams::default()).await), 404);
    let groups = server.client().list_api_groups().await.unwrap();
    assert!(!groups.groups.iter().any(|group| group.name == "example.com"));
    server.register(thing(), None);
    assert_eq!(things.list(&ListParams::default()).await.unwrap().items.len(), 0);
}

#[tokio::test]
async fn dropped_watches_resume_and_forgotten_history_makes_them_list_anew() {
    let server = Server::new("test");
    server.put(a_config_map("one", "1")).unwrap();
    let mut events = watcher(config_maps(&server), watcher::Config::default()).boxed();
    while !matches!(events.next().await, Some(Ok(Event::InitDone))) {}
    server.put(a_config_map("one", "2")).unwrap();
    assert!(matches!(events.next().await, Some(Ok(Event::Apply(_)))));
    server.drop_watches();
    server.put(a_config_map("one", "3")).unwrap();
    assert!(matches!(events.next().await, Some(Ok(Event::Apply(_)))));
    let lists = || server.requests()[&(Verb::List, "configmaps".to_owned())];
    assert_eq!(lists(), 1);
    server.expire_history();
    match events.next().await {
        Some(Err(watcher::Error::WatchError(status))) => assert_eq!(status.code, 410),
        other => panic!("{other:?}"),
    }
    while !matches!(events.next().await, Some(Ok(Event::InitDone))) {}
    assert_eq!(lists(), 2);
}

#[tokio::test]
async fn a_watch_that_reads_too_slowly_is_ended() {
    let server = Server::new("test");
    server.put(a_config_map("one", "0")).unwrap();
    let version = server.revision().to_string();
    let mut events = config_maps(&server).watch(&WatchParams::default(), &version).await.unwrap().boxed();
    for number in 1..=HISTORY + 1 {
        server.put(a_config_map("one", &number.to_string())).unwrap();
    }
    match events.next().await {
        Some(Ok(WatchEvent::Error(status))) => assert_eq!(status.code, 410),
        other => panic!("{other:?}"),
    }
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_watch_ends_with_its_time_and_says_how_far_it_has_read() {
    let server = Server::new("test");
    let version = server.revision().to_string();
    let params = WatchParams::default().timeout(1);
    let mut events = config_maps(&server).watch(&params, &version).await.unwrap().boxed();
    match events.next().await {
        Some(Ok(WatchEvent::Bookmark(bookmark))) => assert_eq!(bookmark.metadata.resource_version, version),
        other => panic!("{other:?}"),
    }
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn trouble_hits_what_it_names() {
    let server = Server::new("test");
    server.put(a_config_map("one", "1")).unwrap();
    let api = config_maps(&server);
    let list = ListParams::default();
    let fault = server.fail(Fault::new(Effect::Refuse(403)).verbs([Verb::List]).kind("configmaps"));
    assert_eq!(code(api.list(&list).await), 403);
    api.get("one").await.unwrap();
    server.heal(fault);
    api.list(&list).await.unwrap();
    server.fail(Fault::new(Effect::Disconnect).times(1));
    assert!(matches!(api.get("one").await, Err(kube::Error::Service(_))));
    api.get("one").await.unwrap();
    server.fail(Fault::new(Effect::Refuse(500)));
    assert_eq!(code(server.client().list_api_groups().await), 500);
    server.heal_all();
    server.client().list_api_groups().await.unwrap();
}

#[tokio::test]
async fn a_server_that_hangs_answers_never_and_a_slow_one_late() {
    let server = Server::new("test");
    server.put(a_config_map("one", "1")).unwrap();
    let api = config_maps(&server);
    let hang = server.fail(Fault::new(Effect::Hang));
    assert!(tokio::time::timeout(Duration::from_millis(50), api.get("one")).await.is_err());
    server.heal(hang);
    server.fail(Fault::new(Effect::Delay(Duration::from_millis(50))));
    let asked = Instant::now();
    api.get("one").await.unwrap();
    assert!(asked.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn requests_are_counted_by_verb_and_kind() {
    let server = Server::new("test");
    server.register(thing(), None);
    server.put(a_thing(&json!({}))).unwrap();
    let things = things(server.client());
    things.get("one").await.unwrap();
    things.get("one").await.unwrap();
    let patch = Patch::Merge(json!({ "status": { "s": 1 } }));
    things.patch_status("one", &PatchParams::default(), &patch).await.unwrap();
    server.client().list_api_groups().await.unwrap();
    let nothing = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("a.b", "v1", "C"), "cs");
    let nothing: Api<DynamicObject> = Api::all_with(server.client(), &nothing);
    assert_eq!(code(nothing.get("x").await), 404);
    let expected = BTreeMap::from([
        ((Verb::Get, "things".to_owned()), 2),
        ((Verb::Get, "unknown".to_owned()), 1),
        ((Verb::Patch, "things/status".to_owned()), 1),
        ((Verb::Discover, String::new()), 1),
    ]);
    assert_eq!((server.requests(), server.writes()), (expected, 1));
    server.forget_requests();
    assert_eq!((server.requests(), server.writes()), (BTreeMap::new(), 0));
}

#[tokio::test]
async fn two_servers_give_different_identifiers_and_one_the_same_again() {
    let uid =
        |name: &str| Server::new(name).put(a_config_map("one", "1")).unwrap()["metadata"]["uid"].clone();
    assert_ne!(uid("a"), uid("b"));
    assert_eq!(uid("a"), uid("a"));
    let server = Server::with_clock("a", || "2026-01-02T03:04:05Z".parse().unwrap());
    let object: ConfigMap = serde_json::from_value(a_config_map("one", "1")).unwrap();
    server.put(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } })).unwrap();
    let made = config_maps(&server).create(&PostParams::default(), &object).await.unwrap();
    assert_eq!(made.creation_timestamp().unwrap().0.to_string(), "2026-01-02T03:04:05Z");
}

/// Whatever is sent, the answer is one, and the server goes on.
#[tokio::test]
async fn nonsense_is_refused() {
    let server = Server::new("test");
    server.register(thing(), None);
    let paths = [
        "/",
        "/api",
        "/apis/example.com",
        "/api/v1/namespaces",
        "/api/v1/namespaces/shop",
        "/apis/example.com/v1/namespaces/shop/things",
        "/apis/example.com/v1/namespaces/shop/things/one",
        "/apis/example.com/v1/namespaces/shop/things/one/status",
        "/apis/example.com/v1/things/one",
        "/api/v1/namespaces/shop/secrets/one",
        "/api/v1/namespaces/shop/secrets",
    ];
    let queries = [
        "",
        "?limit=-1",
        "?continue=nonsense",
        "?labelSelector=(",
        "?fieldSelector=x",
        "?resourceVersion=a",
        "?fieldManager=m&force=true",
        "?dryRun=All",
        "?resourceVersion=18446744073709551615",
    ];
    let named = |rest: &str| format!(r#"{{"apiVersion":"example.com/v1","kind":"Thing",{rest}}}"#);
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let bodies = [
        String::new(),
        "nonsense".into(),
        "null".into(),
        "[]".into(),
        "{}".into(),
        deep,
        "\u{0}".into(),
        named(r#""metadata":[]"#),
        named(r#""metadata":{"labels":1}"#),
        named(r#""metadata":{"finalizers":{}}"#),
        named(r#""metadata":{"annotations":{"a":1}}"#),
        named(r#""metadata":{"ownerReferences":[1]}"#),
        named(r#""metadata":{"uid":[],"resourceVersion":{}}"#),
        named(r#""status":[],"spec":"x""#),
        named(r#""metadata":{"name":{"a":1},"managedFields":"x"}"#),
        named(r#""metadata":{"generation":"x"}"#),
        r#"{"metadata":{"name":"one"},"stringData":{"a":1},"data":"x"}"#.into(),
        r#"{"preconditions":{"uid":1}}"#.into(),
        r#"{"preconditions":"x"}"#.into(),
    ];
    let types =
        ["application/json", "application/merge-patch+json", "application/apply-patch+yaml", "text/html"];
    for path in paths {
        for query in queries {
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                for body in &bodies {
                    for content_type in if method == "PATCH" { types.as_slice() } else { &types[..1] } {
                        server.put(a_thing(&json!({ "spec": { "a": 1 } }))).unwrap();
                        let request = http::Request::builder().method(method).uri(format!("{path}{query}"));
                        let request = request.header("content-type", *content_type);
                        let request =
                            request.body(kube::client::Body::from(body.clone().into_bytes())).unwrap();
                        let response = server.client().send(request).await.unwrap();
                        assert!(
                            response.status().as_u16() < 500 || response.status() == 504,
                            "{method} {path}{query} {body}"
                        );
                    }
                }
            }
        }
    }
}
