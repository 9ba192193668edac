//! Zones that the cluster leaves, because it comes under a policy of another one.
//!
//! The annotation on the `Cluster` has the last zone only, and is written anew; so before that, the old one is noted
//! in the `ClusterDNS`, where a restart finds it, until everything is taken back there.

use kube::ResourceExt as _;
use openmcp_dns_core::name::HostName;

use super::controller::ClusterController;
use crate::record::Command;
use crate::report::cluster_dns;
use openmcp_dns_api::{Cluster, ZONE_ANNOTATION};

impl ClusterController {
    /// Notes the zone that the `Cluster` carries, if it is another one than its policy's.
    pub(super) async fn note_left_zones(&mut self, cluster: &Cluster, zone: &HostName) -> kube::Result<()> {
        self.read_written(cluster).await?;
        let carried = cluster.annotations().get(ZONE_ANNOTATION).and_then(|zone| zone.parse().ok());
        self.left_zones.extend(carried);
        self.left_zones.remove(zone);
        let noted = self.noted_zones();
        let Some(written) = self.written.as_ref().filter(|written| written.left_zones != noted) else {
            return Ok(());
        };
        let mut status = written.clone();
        status.left_zones = noted;
        cluster_dns::write(&self.settings.platform, cluster, &status).await?;
        self.written = Some(status);
        Ok(())
    }

    /// What stood in the status before this life of the service.
    pub(super) async fn read_written(&mut self, cluster: &Cluster) -> kube::Result<()> {
        if self.written.is_none() {
            let found = cluster_dns::read(&self.settings.platform, cluster).await?.unwrap_or_default();
            self.left_zones.extend(found.left_zones.iter().filter_map(|zone| zone.parse().ok()));
            self.written = Some(found);
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

    /// The zones as the status has them.
    pub(super) fn noted_zones(&self) -> Vec<String> {
        self.left_zones.iter().map(ToString::to_string).collect()
    }
}
