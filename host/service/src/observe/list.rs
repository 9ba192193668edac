//! Reads the objects of one cluster once, for who does not follow them.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use kube::Api;
use kube::api::ListParams;
use kube::core::ApiResource;
use openmcp_dns_core::kinds::{Fields, Kind, Part, Reader, Watched};
use thiserror::Error;

use super::discovery::Discovery;
use super::partial::PartialObject;
use crate::watch::{MOST_OBJECTS, too_many};

/// Objects in an answer, as watches have them.
const PAGE: u32 = 500;

/// Why the objects of a cluster are not known.
#[derive(Debug, Error)]
#[error("unable to list objects of kind {kind}")]
pub struct ListError {
    kind: Kind,
    source: Arc<kube::Error>,
}

/// All objects of a cluster that claim host names, or that claims depend on, in the order of
/// [`Kind::watched`]. There are none of a kind that the cluster does not serve.
///
/// # Errors
/// When one kind cannot be listed: what is known of the others says too little.
pub async fn list(client: &kube::Client) -> Result<Vec<Watched>, ListError> {
    list_of(client, Kind::watched()).await
}

/// The same of these kinds.
///
/// # Errors
/// As above.
pub async fn list_of(
    client: &kube::Client,
    kinds: impl Iterator<Item = Kind> + Send,
) -> Result<Vec<Watched>, ListError> {
    let mut all = Vec::new();
    let discovery = Discovery::new(client.clone());
    for kind in kinds {
        let failed = |source| ListError { kind, source };
        let Some(resource) = discovery.served(kind).await.map_err(failed)? else { continue };
        let found = kind.read(List { kind, client: client.clone(), resource });
        all.extend(found.await.map_err(|error| failed(Arc::new(error)))?);
    }
    Ok(all)
}

struct List {
    kind: Kind,
    client: kube::Client,
    resource: ApiResource,
}

impl Reader for List {
    type Output = BoxFuture<'static, Result<Vec<Watched>, kube::Error>>;

    fn read<Spec: Part, Status: Part>(self, fields: fn(Spec, Status) -> Fields) -> Self::Output {
        async move {
            let Self { kind, client, resource } = self;
            let api: Api<PartialObject<Spec, Status>> = Api::all_with(client, &resource);
            let mut all = Vec::new();
            let mut page = ListParams::default().limit(PAGE);
            page.label_selector = kind.watched_label().map(str::to_owned);
            loop {
                let listed = api.list(&page).await?;
                all.extend(listed.items.into_iter().map(|item| item.object.watched(kind, fields)));
                match listed.metadata.continue_.filter(|token| !token.is_empty()) {
                    None => return Ok(all),
                    Some(_) if all.len() > MOST_OBJECTS => {
                        return Err(kube::Error::Service(too_many().into()));
                    }
                    Some(token) => page = page.continue_token(&token),
                }
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::tests::endless;

    #[tokio::test]
    async fn a_list_without_end_is_an_error() {
        let error = list(&endless()).await.err().unwrap();
        let text = openmcp_dns_core::chain(&error);
        assert!(text.contains("of kind Service") && text.contains(&too_many()), "{text}");
    }
}
