//! What a person asks for by an annotation on the `Cluster`: that it is left alone, or looked at anew.

use kube::ResourceExt as _;
use openmcp_dns_api::{Cluster, DNS_OPERATION_ANNOTATION, Operation, operation};
use openmcp_dns_core::chain;

use super::controller::{ClusterController, Next, RESYNC, RETRY};
use crate::api_client::use_up;
use crate::counts::ClusterCounts;

/// Whether the annotation for all controllers has been heard. It stays until the cluster's provider removes it, whose
/// object it is, and is heard once until then. Outlives the controller that hears it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard(bool);

impl Heard {
    /// Takes in how the object is now; gives the annotation by which it is to be looked at anew.
    fn see(&mut self, cluster: &Cluster) -> Option<&'static str> {
        match operation(cluster) {
            Some((Operation::Reconcile, DNS_OPERATION_ANNOTATION)) => Some(DNS_OPERATION_ANNOTATION),
            Some((Operation::Reconcile, of_all)) => (!std::mem::replace(&mut self.0, true)).then_some(of_all),
            Some((Operation::Ignore, _)) | None => {
                self.0 = false;
                None
            }
        }
    }
}

impl ClusterController {
    /// See [`super::step::Step::Ignore`].
    pub(super) fn ignore(&mut self) -> Next {
        // What was said and is not written yet is not written any more.
        self.settings.statuses.forget(&self.object());
        self.tells.counts.send_replace(ClusterCounts::default());
        // What was decided stays decided: whoever takes that back would change what is to be left alone.
        self.connection.close();
        Next::Again(RESYNC)
    }

    /// Has everything begin anew for the cluster where somebody asks for it: what was kept of it is forgotten with this
    /// controller. `None` where nobody does.
    pub(super) async fn begin_anew(&mut self, cluster: &Cluster) -> Option<Next> {
        let annotation = self.heard.see(cluster)?;
        if annotation == DNS_OPERATION_ANNOTATION {
            let asked = Operation::Reconcile.as_str();
            match use_up(&self.api(), &cluster.name_any(), annotation, asked).await {
                Ok(true) => {}
                // The watch shows it a moment longer.
                Ok(false) => return None,
                Err(error) => {
                    tracing::warn!(cluster = %self.id, error = chain(&error), annotation, "unable to remove an annotation");
                    return Some(Next::Again(RETRY));
                }
            }
        }
        tracing::info!(cluster = %self.id, annotation, "the cluster is looked at anew, as the annotation asks");
        Some(Next::Anew)
    }
}

#[cfg(test)]
mod tests {
    use openmcp_dns_api::OPERATION_ANNOTATION;

    use super::*;

    #[test]
    fn the_annotation_for_all_controllers_is_heard_once_until_it_was_away() {
        let cluster = |annotation: Option<&str>| {
            let mut cluster = Cluster::new("w1", Default::default());
            cluster.metadata.annotations =
                annotation.map(|key| [(key.to_owned(), "reconcile".to_owned())].into());
            cluster
        };
        let (of_all, ours) = (Some(OPERATION_ANNOTATION), Some(DNS_OPERATION_ANNOTATION));
        let mut heard = Heard::default();
        for (shown, expected) in [
            (None, None),
            (of_all, of_all),
            (of_all, None),
            (ours, ours),
            (ours, ours),
            (of_all, None),
            (None, None),
            (of_all, of_all),
        ] {
            assert_eq!(heard.see(&cluster(shown)), expected, "{shown:?}");
        }
    }
}
