//! Zones that the cluster leaves, because it comes under a policy of another one, or its policy lists other networks.
//!
//! The annotation on the `Cluster` has the last zone only, and is written anew; so before that, the old one is noted
//! in the `ClusterDNS`, where a restart finds it, until everything is taken back there. The reverse zones stand there
//! before they are forwarded; and the last zone, for who finds neither policy nor annotation any more.

use std::collections::BTreeSet;

use kube::ResourceExt as _;
use openmcp_dns_core::name::HostName;

use super::controller::ClusterController;
use crate::record::Command;
use crate::report::cluster_dns;
use openmcp_dns_api::{Cluster, ZONE_ANNOTATION};

impl ClusterController {
    /// Notes the zone that the `Cluster` carries, if it is another one than its policy's, and the reverse zones.
    pub(super) async fn note_zones(
        &mut self,
        cluster: &Cluster,
        zone: &HostName,
        reverse: BTreeSet<HostName>,
    ) -> kube::Result<()> {
        let carried = cluster.annotations().get(ZONE_ANNOTATION).and_then(|zone| zone.parse().ok());
        self.left_zones.extend(carried);
        self.left_zones.extend(self.reverse_zones.difference(&reverse).cloned());
        self.left_zones.retain(|left| left != zone && !reverse.contains(left));
        let is_noted = self.reverse_zones == reverse;
        if is_noted && self.noted_zones.as_ref().is_some_and(|noted| self.left_zones.is_subset(noted)) {
            return Ok(());
        }
        // A status that was said before knows nothing of it, and must not come after it.
        self.settings.statuses.forget(&self.object());
        self.settings.statuses.settled(&self.object()).await;
        let platform = &self.settings.platform;
        let mut status = cluster_dns::read(platform, cluster).await?.unwrap_or_default();
        status.left_zones = self.left_zones.iter().map(ToString::to_string).collect();
        status.reverse_zones = reverse.iter().map(ToString::to_string).collect();
        cluster_dns::write(platform, cluster, &status).await?;
        self.noted_zones = Some(self.left_zones.clone());
        self.reverse_zones = reverse;
        Ok(())
    }

    /// What was noted before this life of the service.
    pub(super) async fn read_left_zones(&mut self, cluster: &Cluster) -> kube::Result<()> {
        if self.noted_zones.is_none() {
            let found = cluster_dns::read(&self.settings.platform, cluster).await?.unwrap_or_default();
            let noted: BTreeSet<HostName> =
                found.left_zones.iter().filter_map(|zone| zone.parse().ok()).collect();
            self.left_zones.extend(noted.iter().cloned());
            self.reverse_zones.extend(found.reverse_zones.iter().filter_map(|zone| zone.parse().ok()));
            self.noted_zones = Some(noted);
            self.zone = self.zone.take().or_else(|| found.zone.parse().ok());
        }
        Ok(())
    }

    /// Has the records in these zones withdrawn; `None` when the recorder has ended.
    pub(super) async fn leave_zones(&self) -> Option<()> {
        if self.left_zones.is_empty() {
            return Some(());
        }
        let leave = Command::LeaveZones(self.id.clone(), self.left_zones.clone());
        self.settings.commands.send(leave).await.ok()
    }
}
