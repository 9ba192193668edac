//! Events as objects: one that says again what another one said continues that one's series.
//!
//! The name of an Event follows from what it says of which object, so a series goes on over restarts. (The
//! recorder of kube tells Events apart without what they say: of two host names of an object, it would tell
//! the first.)

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use openmcp_dns_api::FIELD_MANAGER;

use openmcp_dns_api::conditions::Reason;

/// The longest note that the API server takes, in bytes (`events.k8s.io/v1` Event).
const MAX_NOTE_BYTES: usize = 1024;

/// Most of the object's name in that of its Event: with the digest, it stays below the 253 bytes of a name.
const MAX_OBJECT_NAME_BYTES: usize = 200;

/// Says something of an object, or counts it where the same has been said before. An Event that the API server has
/// dropped for its age (an hour, usually) begins anew.
pub(super) async fn publish(
    client: kube::Client,
    regarding: &ObjectReference,
    reason: Reason,
    message: &str,
) -> kube::Result<()> {
    let event = event(regarding, reason, message);
    let name = event.metadata.name.clone().unwrap_or_default();
    let namespace = regarding.namespace.as_deref().unwrap_or_default();
    let events: Api<Event> = Api::namespaced(client, namespace);
    match events.create(&PostParams::default(), &event).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => {}
        created => return created.map(drop),
    }
    let known = events.get(&name).await?;
    let count = known.series.map_or(2, |series| series.count.saturating_add(1));
    let series = EventSeries { count, last_observed_time: MicroTime(Timestamp::now()) };
    let patch = Patch::Merge(serde_json::json!({ "series": series }));
    events.patch(&name, &PatchParams::default(), &patch).await.map(drop)
}

fn event(regarding: &ObjectReference, reason: Reason, message: &str) -> Event {
    let note = &message[..message.floor_char_boundary(MAX_NOTE_BYTES)];
    Event {
        metadata: ObjectMeta {
            namespace: regarding.namespace.clone(),
            name: Some(name(regarding, reason, note)),
            ..ObjectMeta::default()
        },
        type_: Some(if reason == Reason::Reconciled { "Normal" } else { "Warning" }.to_owned()),
        reason: Some(reason.to_string()),
        note: Some(note.to_owned()),
        action: Some(action(reason).to_owned()),
        event_time: Some(MicroTime(Timestamp::now())),
        regarding: Some(regarding.clone()),
        reporting_controller: Some(FIELD_MANAGER.to_owned()),
        reporting_instance: Some(FIELD_MANAGER.to_owned()),
        ..Event::default()
    }
}

/// What was done, or is not.
const fn action(reason: Reason) -> &'static str {
    match reason {
        Reason::LeftBehind => "Release",
        Reason::Reconciled
        | Reason::ConfigurationProblem
        | Reason::PlatformClusterInteractionProblem
        | Reason::TargetClusterInteractionProblem => "Reconcile",
        _ => "Publish",
    }
}

/// The name of the object, and a digest of what is said.
fn name(regarding: &ObjectReference, reason: Reason, note: &str) -> String {
    let ObjectReference { kind, uid, name, .. } = regarding;
    let [kind, uid, name] = [kind, uid, name].map(|part| part.as_deref().unwrap_or_default());
    // The note comes last, and no other part has a zero in it.
    let said = [kind, uid, &reason.to_string(), note].join("\0");
    let digest = openmcp_dns_policy::digest(said.as_bytes());
    let object = &name[..name.floor_char_boundary(MAX_OBJECT_NAME_BYTES)];
    // A label of a name ends with a letter or a digit.
    format!("{}.{}", object.trim_end_matches(['-', '.']), &digest[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str, uid: &str, message: &str) -> Event {
        let text = |text: &str| Some(text.to_owned());
        let regarding = ObjectReference {
            kind: text("Ingress"),
            namespace: text("default"),
            name: text(name),
            uid: text(uid),
            ..ObjectReference::default()
        };
        event(&regarding, Reason::HostNameDenied, message)
    }

    #[test]
    fn an_event_is_named_by_what_it_says_of_which_object() {
        let named = |name: &str, message: &str| said(name, "1", message).metadata.name.unwrap();
        assert_eq!(named("shop", "a"), named("shop", "a"));
        assert_ne!(named("shop", "a"), named("shop", "b"));
        assert_ne!(said("shop", "2", "a").metadata.name.unwrap(), named("shop", "a"), "it was made anew");
        let long = format!("{}-{}", "a".repeat(199), "b".repeat(53));
        let name = named(&long, "a");
        assert!(name.len() <= 253 && name.starts_with(&format!("{}.", "a".repeat(199))), "{name}");
    }

    #[test]
    fn a_long_note_is_cut_between_characters() {
        assert_eq!(said("shop", "1", &"ä".repeat(600)).note.unwrap(), "ä".repeat(512));
    }
}
