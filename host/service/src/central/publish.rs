//! Publishes the names that the service needs in each zone.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openmcp_dns_core::service_names::{ServiceNames, record_sets};
use tokio::sync::{mpsc, watch};

use super::Zones;
use crate::record::Command;

/// How often the canary changes. Each change is a write to the store, also while nothing else happens.
const CANARY_INTERVAL: Duration = Duration::from_secs(30);

/// Says what is to be published.
pub struct Publisher {
    /// Where.
    pub zones: watch::Receiver<Zones>,
    /// The addresses of the central DNS server; none while they are not known.
    pub addresses: watch::Receiver<Vec<SocketAddr>>,
    /// To the recorder.
    pub commands: mpsc::Sender<Command>,
    /// Whether somebody asks for the canary.
    pub canary: bool,
}

impl Publisher {
    /// Publishes what changes, as long as it is polled.
    pub async fn run(mut self) {
        let mut tick = tokio::time::interval(CANARY_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut canary = None;
        loop {
            tokio::select! {
                _ = tick.tick(), if self.canary => canary = Some(value()),
                Ok(()) = self.zones.changed() => {}
                Ok(()) = self.addresses.changed() => {}
                else => std::future::pending().await,
            }
            if let Some(names) = self.names(canary.as_deref())
                && self.commands.send(Command::Serve(names)).await.is_err()
            {
                return;
            }
        }
    }

    /// What is to be published; `None` while that is not known. An address that is not known at the moment is no
    /// reason to take back the one that is published.
    fn names(&mut self, canary: Option<&str>) -> Option<ServiceNames> {
        let addresses: Vec<IpAddr> = self.addresses.borrow_and_update().iter().map(SocketAddr::ip).collect();
        let zones = self.zones.borrow_and_update();
        let zones = zones.as_ref().filter(|_| !addresses.is_empty())?;
        Some(zones.iter().map(|zone| (zone.clone(), record_sets(zone, &addresses, canary))).collect())
    }
}

/// Another one each time, also after a restart.
fn value() -> String {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(names: Option<ServiceNames>) -> Option<Vec<String>> {
        let sets: Vec<_> = names?.into_values().flatten().collect();
        Some(openmcp_dns_core::record::lines(&sets))
    }

    #[tokio::test]
    async fn nothing_is_published_before_zones_and_addresses_are_known_and_then_what_changes() {
        let (zones, zones_told) = watch::channel(None);
        let (addresses, addresses_told) = watch::channel(Vec::new());
        let (sender, mut commands) = mpsc::channel(8);
        let mut publisher =
            Publisher { zones: zones_told, addresses: addresses_told, commands: sender, canary: false };
        let names = |publisher: &mut Publisher| lines(publisher.names(Some("7")));
        zones.send_replace(Some(["a.example".parse().unwrap()].into()));
        assert_eq!(names(&mut publisher), None, "the addresses are not known");
        addresses.send_replace(vec!["172.18.100.1:53".parse().unwrap()]);
        assert_eq!(names(&mut publisher).unwrap()[2], "ns.dns.a.example 60 A 172.18.100.1");
        // An address that is not known for a while takes nothing back.
        addresses.send_replace(Vec::new());
        assert_eq!(names(&mut publisher), None);
        addresses.send_replace(vec!["172.18.100.2:53".parse().unwrap()]);
        assert_eq!(names(&mut publisher).unwrap()[2], "ns.dns.a.example 60 A 172.18.100.2");
        tokio::spawn(publisher.run());
        zones.send_replace(Some([].into()));
        let Some(Command::Serve(names)) = commands.recv().await else { panic!("something else") };
        assert!(names.is_empty(), "the zone is gone");
    }
}
