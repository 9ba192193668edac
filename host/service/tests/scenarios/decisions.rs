//! The decision log: what was decided on a name outlives the service, and is read again.

use std::path::Path;

use openmcp_dns_core::decision_log::{Event, History};
use openmcp_dns_service::decision_log::{DecisionLogOptions, read};
use serde_json::json;

use crate::objects::{POLICY, ingress, policy};
use crate::world::{World, eventually};

const NAME: &str = "shop.w1.openmcp.cluster";

fn history(directory: &Path) -> Result<History, String> {
    let log = read(directory).map_err(|error| error.to_string())?;
    Ok(History::of(&log, &NAME.parse().unwrap()))
}

/// What was said of the name, one after another.
fn said(history: &History) -> Vec<String> {
    let said = history.events.iter().map(|entry| match &entry.event {
        Event::Decided(answered) => answered.answer.as_str().to_owned(),
        Event::Recorded(recorded) => recorded.records.join(" "),
        _ => "missing".to_owned(),
    });
    said.collect()
}

async fn becomes(directory: &Path, expected: &[&str]) -> History {
    eventually(&format!("the log says {expected:?}"), || {
        let history = history(directory)?;
        if said(&history) == expected { Ok(history) } else { Err(format!("{:?}", said(&history))) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_to_a_name_comes_into_the_log_once_also_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let w1 = world.add_cluster("w1");
    let start = |world: &mut World| {
        world.access.say_something();
        let mut service = world.own_service();
        service.decision_log = Some(DecisionLogOptions { directory: log.clone(), max_bytes: 1 << 20 });
        world.start_service(service);
    };
    start(&mut world);
    w1.put(ingress("web", &[NAME], "10.0.0.1")).unwrap();
    world.published(NAME, &["10.0.0.1"]).await;
    let first = becomes(&log, &["published", "A 10.0.0.1"]).await;
    let Event::Decided(answered) = &first.events[0].event else { panic!("{first:?}") };
    assert_eq!(answered.question.as_ref().unwrap().targets, ["10.0.0.1"]);
    assert_eq!(answered.modules[0].digest.len(), 64);
    assert!(first.recorded.as_ref().unwrap().revision.is_some());
    // It comes again, and all is as it was; then something changes.
    world.stop().await;
    start(&mut world);
    world.all_is_well("w1").await;
    w1.put(ingress("web", &[NAME], "10.0.0.2")).unwrap();
    world.published(NAME, &["10.0.0.2"]).await;
    let said = ["published", "A 10.0.0.1", "published", "A 10.0.0.2"];
    let second = becomes(&log, &said).await;
    assert_eq!(second.events[..2], first.events);
    assert!(second.claims[0].since > first.claims[0].since);
    let metrics = world.metrics().await;
    assert!(metrics.contains("openmcp_dns_decision_log_lost_total 0\n"), "{metrics}");
}
