//! Asks a cluster's own DNS whether it forwards the zone.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::proto::rr::RecordType;
use openmcp_dns_core::name::HostName;
use tokio::sync::{Notify, watch};

use crate::probe::{Answer, Asker};

/// How often to ask while the answer is not the right one: CoreDNS looks at its configuration every
/// 30 seconds, after kubelet has written it, which takes up to a minute.
const IMPATIENT: Duration = Duration::from_millis(500);
/// How often to ask otherwise.
const CALM: Duration = Duration::from_secs(15);

/// What a cluster's DNS says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Verified {
    /// It has not been asked yet, or there is no address to ask at.
    #[default]
    NotAsked,
    /// It forwards the zone.
    Forwards,
    /// It does not, or not yet: what it answers instead.
    Otherwise(String),
}

/// Asks again and again until nobody wants to know any more; tells when the result changes.
pub async fn verify(
    mut question: watch::Receiver<Option<(SocketAddr, HostName)>>,
    result: watch::Sender<Verified>,
    changed: &Notify,
) {
    loop {
        let asked = question.borrow_and_update().clone();
        let now = match &asked {
            Some((server, zone)) => ask(*server, zone).await,
            None => Verified::NotAsked,
        };
        let pause = if matches!(now, Verified::Otherwise(_)) { IMPATIENT } else { CALM };
        if result.send_if_modified(|old| std::mem::replace(old, now.clone()) != now) {
            changed.notify_one();
        }
        let ended = tokio::select! {
            changed = question.changed() => changed.is_err(),
            () = tokio::time::sleep(pause) => false,
            () = result.closed() => true,
        };
        if ended {
            return;
        }
    }
}

/// The central DNS server names itself `ns.dns.<zone>` in the zone's SOA record; nobody else does.
async fn ask(server: SocketAddr, zone: &HostName) -> Verified {
    let asker = match Asker::new(server) {
        Ok(asker) => asker,
        Err(error) => return Verified::Otherwise(openmcp_dns_core::chain(&error)),
    };
    let answer = asker.ask(zone.as_str(), RecordType::SOA).await;
    let central = format!("ns.dns.{zone}. ");
    match &answer {
        Answer::Records { values, .. } if values.iter().any(|value| value.starts_with(&central)) => {
            Verified::Forwards
        }
        other => Verified::Otherwise(format!("DNS server {server}, asked for the SOA of {zone}: {other}")),
    }
}
