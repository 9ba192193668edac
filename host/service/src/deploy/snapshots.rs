//! How the snapshots of etcd go.

use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::SignedDuration;
use kube::ResourceExt;

/// How long after it was begun a snapshot has failed, if none has been finished since: its Job ends it before.
const LONGEST: SignedDuration = SignedDuration::from_mins(20);

/// What to say of those that were begun and not finished.
pub(super) fn failing(jobs: &[CronJob], now: Time) -> Option<String> {
    let names: Vec<String> =
        jobs.iter().filter(|job| is_failing(job, &now)).map(ResourceExt::name_any).collect();
    (!names.is_empty()).then(|| {
        format!(
            "the last snapshot of etcd has failed of {}: look at the pods of its Job",
            names.iter().map(|name| format!("CronJob {name}")).collect::<Vec<_>>().join(" and ")
        )
    })
}

fn is_failing(job: &CronJob, now: &Time) -> bool {
    let Some(status) = &job.status else { return false };
    let Some(begun) = &status.last_schedule_time else { return false };
    let is_done = status.last_successful_time.as_ref().is_some_and(|done| done.0 >= begun.0);
    !is_done && now.0.duration_since(begun.0) > LONGEST
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use serde_json::json;

    use super::*;

    fn job(begun: &str, done: Option<&str>) -> CronJob {
        let status = json!({"lastScheduleTime": begun, "lastSuccessfulTime": done});
        serde_json::from_value(json!({"metadata": {"name": "hour"}, "status": status})).unwrap()
    }

    #[test]
    fn a_snapshot_that_was_begun_and_is_not_done_after_a_while_has_failed() {
        let now = || Time("2026-11-29T12:00:00Z".parse().unwrap());
        let failing = |begun, done| failing(&[job(begun, done)], now());
        assert_eq!(failing("2026-11-29T11:17:00Z", Some("2026-11-29T11:17:09Z")), None);
        assert_eq!(
            failing("2026-11-29T11:50:00Z", Some("2026-11-29T10:50:09Z")),
            None,
            "it may be under way"
        );
        assert!(
            failing("2026-11-29T11:17:00Z", Some("2026-11-29T10:17:09Z")).unwrap().contains("CronJob hour")
        );
        assert!(failing("2026-11-29T11:17:00Z", None).is_some());
        assert_eq!(super::failing(&[CronJob::default()], now()), None, "none was due yet");
    }
}
