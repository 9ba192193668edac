//! Tests that hold for every Kubernetes API server: they run on the one in memory, and, so that it
//! cannot lie, on real ones.
//!
//! They need two things there: a namespace of their own, and the kind [`thing`], whose
//! CustomResourceDefinition is [`THING_CRD`].

mod apply;
mod deletion;
mod lists;
mod objects;
mod status;
mod surroundings;
mod watches;

use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use futures::future::BoxFuture;
use k8s_openapi::NamespaceResourceScope;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Resource;

/// Defines the kind that the tests use for what only custom resources do, as YAML.
pub const THING_CRD: &str = include_str!("thing.yaml");

/// How long anything may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The kind of [`THING_CRD`].
#[must_use]
pub fn thing() -> Resource {
    Resource::custom("battery.openmcp.cloud", "v1", "Thing", "things")
}

/// Where the tests run.
pub struct Ground {
    client: Client,
    namespace: String,
}

/// One test.
pub struct Case {
    /// What holds, as a sentence.
    pub name: &'static str,
    run: for<'g> fn(&'g Ground) -> BoxFuture<'g, anyhow::Result<()>>,
}

macro_rules! cases {
    ($($module:ident: $($case:ident)+;)+) => {
        vec![$($(Case {
            name: concat!(stringify!($module), ": ", stringify!($case)),
            run: |ground| Box::pin($module::$case(ground)),
        }),+),+]
    };
}

/// All tests.
#[must_use]
pub fn cases() -> Vec<Case> {
    cases! {
        objects:
            a_new_object_gets_what_only_the_server_sets
            an_object_is_created_once
            a_name_can_be_generated
            names_and_places_that_do_not_fit_are_refused
            what_is_not_there_is_not_found
            a_replacement_of_an_old_version_is_refused
            a_custom_resource_is_replaced_only_by_who_names_its_version
            a_merge_patch_changes_what_it_names
            a_write_that_changes_nothing_writes_nothing
            the_server_fills_in_what_kinds_need;
        apply:
            it_creates_and_takes_back_what_is_no_longer_applied
            a_field_of_somebody_else_is_a_conflict_unless_forced
            what_two_apply_stays_until_neither_does
            finalizers_are_a_set
            who_updates_a_field_owns_it
            an_identifier_keeps_it_from_making_a_new_object
            it_has_to_say_who_applies;
        status:
            each_side_leaves_the_other_alone
            the_generation_counts_what_is_asked_for
            applying_it_owns_it_apart_from_the_object
            an_object_that_is_not_there_gets_none
            an_ingress_has_one;
        deletion:
            without_finalizers_it_is_gone_at_once
            finalizers_hold_it
            it_takes_preconditions;
        lists:
            labels_and_fields_select
            pages_show_the_objects_as_they_were_at_the_first
            metadata_can_be_had_alone;
        watches:
            changes_come_in_order
            a_selector_makes_changes_come_and_go
            without_a_version_it_begins_with_what_is_there
            a_version_that_is_too_old_is_expired
            the_watcher_of_kube_sees_all_by_lists
            the_watcher_of_kube_sees_all_by_streaming;
        surroundings:
            kinds_are_discovered
            a_kind_that_is_not_served_is_not_found
            events_are_recorded_and_counted;
    }
}

/// Runs all tests, one after the other.
///
/// # Errors
/// With all tests that fail.
pub async fn run(client: Client, namespace: &str) -> anyhow::Result<()> {
    let ground = Ground { client, namespace: namespace.to_owned() };
    let mut failures = Vec::new();
    for case in cases() {
        let outcome = tokio::time::timeout(PATIENCE, (case.run)(&ground)).await;
        if let Err(error) = outcome.unwrap_or_else(|_| Err(anyhow::anyhow!("it hangs"))) {
            failures.push(format!("{}: {error:#}", case.name.replace('_', " ")));
        }
    }
    ensure!(failures.is_empty(), "{} cases failed\n{}", failures.len(), failures.join("\n"));
    Ok(())
}

impl Ground {
    /// Objects of a kind of `k8s_openapi` in the namespace of the tests.
    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()> + DeserializeOwned,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn things(&self) -> Api<DynamicObject> {
        let thing = thing();
        let kind = GroupVersionKind::gvk(&thing.group, &thing.version, &thing.kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, &thing.plural);
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }
}

/// A Thing with a name and other fields.
fn a_thing(name: &str, fields: Value) -> anyhow::Result<DynamicObject> {
    let mut object = with_fields(json!({ "apiVersion": thing().api_version(), "kind": "Thing" }), fields);
    object["metadata"]["name"] = json!(name);
    serde_json::from_value(object).context("failed to make a Thing")
}

/// A ConfigMap with a name and other fields, to be created or applied.
fn a_config_map<K: DeserializeOwned>(name: &str, fields: Value) -> anyhow::Result<K> {
    let mut object = with_fields(json!({ "apiVersion": "v1", "kind": "ConfigMap" }), fields);
    object["metadata"]["name"] = json!(name);
    serde_json::from_value(object).context("failed to make a ConfigMap")
}

fn with_fields(mut object: Value, fields: Value) -> Value {
    if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), fields) {
        object.extend(fields);
    }
    object
}

/// Both are the same.
fn same<T: PartialEq + Debug>(what: &str, found: T, expected: T) -> anyhow::Result<()> {
    ensure!(found == expected, "{what}: {found:?} instead of {expected:?}");
    Ok(())
}

/// It was refused with this code and reason. Gives the message.
fn refused<T: Debug>(result: kube::Result<T>, code: u16, reason: &str) -> anyhow::Result<String> {
    match result {
        Err(kube::Error::Api(status)) if (status.code, status.reason.as_str()) == (code, reason) => {
            Ok(status.message)
        }
        other => bail!("{other:?} instead of a refusal with {code} {reason}"),
    }
}

/// An object as JSON.
fn value<T: serde::Serialize>(object: &T) -> anyhow::Result<Value> {
    serde_json::to_value(object).context("failed to write an object")
}
