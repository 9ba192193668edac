//! Our reports in one cluster, as its API server has them.

use futures::StreamExt as _;
use k8s_openapi::jiff::Timestamp;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, PostParams, Preconditions,
};
use kube::{Api, ResourceExt as _};
use openmcp_dns_api::FIELD_MANAGER;
use openmcp_dns_core::chain;
use openmcp_dns_core::open_reports::{
    API_GROUP, API_VERSION, Findings, LookEnd, REPORT_KIND, REPORT_NAME, REPORT_PLURAL, WriteEnd, Writing,
    changed_report, is_our_report, new_report, selector,
};

/// What an API server refuses with. The reason beside it is not to be relied on: for a path that it does not serve, it has a
/// line of text in the place of a `Status`.
const FORBIDDEN: u16 = 403;
const NOT_FOUND: u16 = 404;
const CONFLICT: u16 = 409;

/// How often a report is read again that somebody else has changed meanwhile.
const ATTEMPTS: usize = 4;

/// Reports that are taken away at once.
const AT_ONCE: usize = 16;

/// Reports in one page of a list.
const PAGE: u32 = 500;

/// Most reports that are looked at: more than there are of ours, unless somebody makes them look as if they were.
const MOST: usize = 10_000;

/// Writes our reports.
#[derive(Clone)]
pub(super) struct Reports {
    client: kube::Client,
}

impl Reports {
    pub(super) const fn new(client: kube::Client) -> Self {
        Self { client }
    }

    /// Lists ours; gives also why that failed.
    pub(super) async fn look_over(&self) -> (LookEnd, Option<String>) {
        match list(&self.client).await {
            Ok(found) => (LookEnd::Found(found), None),
            Err(kube::Error::Api(status)) if status.code == NOT_FOUND => (LookEnd::NotServed, None),
            Err(kube::Error::Api(status)) if status.code == FORBIDDEN => {
                (LookEnd::Forbidden, Some(status.message.clone()))
            }
            Err(error) => (LookEnd::Failed, Some(chain(&error))),
        }
    }

    /// Brings the report of a namespace there, or takes it away; gives what came of it, and why where it failed.
    pub(super) async fn write(&self, writing: &Writing) -> (WriteEnd, Option<String>) {
        for _ in 0..ATTEMPTS {
            let api = api(&self.client, &writing.namespace);
            let attempt = match &writing.findings {
                Some(findings) => bring(&api, &writing.namespace, findings).await,
                None => take_away(&api).await,
            };
            match attempt {
                Ok(Some(end)) => return (end, None),
                Ok(None) => {
                    let why =
                        "a report of that name is somebody else's (it lacks our label), and is left alone";
                    return (WriteEnd::Failed, Some(format!("{}/{REPORT_NAME}: {why}", writing.namespace)));
                }
                // Somebody else was faster: what is there now is read again.
                Err(kube::Error::Api(status)) if status.code == CONFLICT => {}
                Err(kube::Error::Api(status)) if status.code == NOT_FOUND => {
                    return (WriteEnd::NotFound, Some(status.message.clone()));
                }
                Err(kube::Error::Api(status)) if is_for_want_of_rights(&status) => {
                    return (WriteEnd::Forbidden, Some(status.message.clone()));
                }
                Err(error) => return (WriteEnd::Failed, Some(chain(&error))),
            }
        }
        (WriteEnd::Failed, Some("somebody else changes it again and again".to_owned()))
    }
}

/// Whether the account lacks a right. With the same code, a namespace refuses that is being deleted or whose quota is used
/// up, or a policy of its own: that is no trouble of the others. The words are those of the API server's
/// `endpoints/handlers/responsewriters/errors.go`.
fn is_for_want_of_rights(status: &kube::core::Status) -> bool {
    status.code == FORBIDDEN && status.message.contains("is forbidden: User \"")
}

/// Has the report of a namespace say this; `None` where one stands there that is not ours.
async fn bring(
    api: &Api<DynamicObject>,
    namespace: &str,
    findings: &Findings,
) -> kube::Result<Option<WriteEnd>> {
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    let now = Timestamp::now().as_second();
    let written = match api.get_opt(REPORT_NAME).await? {
        None => api.create(&params, &object(new_report(namespace, findings, now))?).await?,
        Some(standing) => {
            let value = serde_json::to_value(&standing).map_err(kube::Error::SerdeError)?;
            if !is_our_report(&value) {
                return Ok(None);
            }
            match changed_report(&value, findings, now) {
                // Onto the version that was read, which stands in it.
                Some(report) => api.replace(REPORT_NAME, &params, &object(report)?).await?,
                None => standing,
            }
        }
    };
    Ok(Some(WriteEnd::Stands(written.resource_version().unwrap_or_default())))
}

/// Takes ours away; one of somebody else stays.
async fn take_away(api: &Api<DynamicObject>) -> kube::Result<Option<WriteEnd>> {
    let Some(standing) = api.get_metadata_opt(REPORT_NAME).await? else { return Ok(Some(WriteEnd::Gone)) };
    let value = serde_json::to_value(&standing).map_err(kube::Error::SerdeError)?;
    if is_our_report(&value) {
        // Not another one that has come meanwhile.
        let preconditions = Preconditions { uid: standing.uid(), resource_version: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match api.delete(REPORT_NAME, &params).await {
            Err(kube::Error::Api(status)) if status.code == NOT_FOUND => {}
            deleted => drop(deleted?),
        }
    }
    Ok(Some(WriteEnd::Gone))
}

/// Our reports: the namespace and version of each.
async fn list(client: &kube::Client) -> kube::Result<Vec<(String, String)>> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource());
    let mut params =
        ListParams::default().labels(&selector()).fields(&format!("metadata.name={REPORT_NAME}")).limit(PAGE);
    let mut found = Vec::new();
    loop {
        let page = api.list_metadata(&params).await?;
        let versions = page.items.iter();
        found.extend(versions.filter_map(|report| Some((report.namespace()?, report.resource_version()?))));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) if found.len() < MOST => params = params.continue_token(&token),
            _ => return Ok(found),
        }
    }
}

/// The namespaces with a report of ours; none where the cluster does not serve reports, or does not let us see them, so
/// that we have written none.
///
/// # Errors
/// When they cannot be listed.
pub async fn all(client: &kube::Client) -> kube::Result<Vec<String>> {
    match list(client).await {
        Ok(found) => Ok(found.into_iter().map(|(namespace, _)| namespace).collect()),
        Err(kube::Error::Api(status)) if [NOT_FOUND, FORBIDDEN].contains(&status.code) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Takes our reports from namespaces.
///
/// # Errors
/// Why one of them cannot be taken; the others are tried all the same.
pub async fn remove(client: &kube::Client, namespaces: Vec<String>) -> Result<(), String> {
    let reports = Reports::new(client.clone());
    let removed = futures::stream::iter(namespaces).map(|namespace| {
        let reports = reports.clone();
        async move {
            let writing = Writing { namespace, findings: None };
            match reports.write(&writing).await {
                // With its namespace, or its kind.
                (WriteEnd::NotFound, _) | (_, None) => Ok(()),
                (_, Some(why)) => Err(format!("{REPORT_KIND} {}/{REPORT_NAME}: {why}", writing.namespace)),
            }
        }
    });
    let ends: Vec<Result<(), String>> = removed.buffer_unordered(AT_ONCE).collect().await;
    ends.into_iter().collect()
}

fn api(client: &kube::Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &resource())
}

fn resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk(API_GROUP, API_VERSION, REPORT_KIND),
        REPORT_PLURAL,
    )
}

fn object(report: serde_json::Value) -> kube::Result<DynamicObject> {
    serde_json::from_value(report).map_err(kube::Error::SerdeError)
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn a_right_that_is_missing_is_told_from_what_one_namespace_refuses() {
        let status = |message: &str| Status { code: 403, message: message.to_owned(), ..Status::default() };
        for (message, is_missing) in [
            (
                "reports.openreports.io is forbidden: User \"dns\" cannot create resource \"reports\" in API group \
                 \"openreports.io\" in the namespace \"default\"",
                true,
            ),
            (
                "reports.openreports.io \"openmcp-dns\" is forbidden: exceeded quota: none, requested: \
                 count/reports.openreports.io=1, used: count/reports.openreports.io=0, limited: count/reports.openreports.io=0",
                false,
            ),
            (
                "reports.openreports.io \"openmcp-dns\" is forbidden: unable to create new content in namespace default \
                 because it is being terminated",
                false,
            ),
            ("admission webhook \"validate.example.com\" denied the request: no reports here", false),
        ] {
            assert_eq!(is_for_want_of_rights(&status(message)), is_missing, "{message}");
        }
    }
}
