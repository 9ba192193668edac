//! Who has records in the store though no `Cluster` stands for it: such records are answered for ever, because
//! nobody takes them back.

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::skydns::Owner;
use tokio::sync::{mpsc, oneshot};

use crate::record::Command;
use openmcp_dns_api::conditions::{Finding, Reason};

/// How often the recorder is asked, in ticks of the landscape's controller.
const TICKS: u32 = 10;

/// How many owners a condition names.
const NAMED: usize = 10;

/// An owner, and how many names it has.
pub(super) type Owned = (Owner, usize);

/// Asks the recorder now and then who has records.
pub(super) struct Owners {
    commands: mpsc::Sender<Command>,
    asked: Option<oneshot::Receiver<Vec<Owned>>>,
    ticks: u32,
    /// As they were last; `None` while the store has not been read.
    all: Option<Vec<Owned>>,
}

impl Owners {
    /// Nobody has been asked.
    pub(super) const fn new(commands: mpsc::Sender<Command>) -> Self {
        Self { commands, asked: None, ticks: 0, all: None }
    }

    /// Asks when it is time, and takes the answer when it is there: nothing here waits.
    pub(super) fn tick(&mut self) {
        if let Some(asked) = &mut self.asked {
            match asked.try_recv() {
                Ok(all) => self.all = Some(all),
                Err(oneshot::error::TryRecvError::Empty) => return,
                // The store has not been read.
                Err(oneshot::error::TryRecvError::Closed) => self.ticks = 0,
            }
            self.asked = None;
        }
        if self.ticks == 0 {
            let (answer, asked) = oneshot::channel();
            // Where the queue is full, it is asked at the next tick.
            if self.commands.try_send(Command::Owners(answer)).is_err() {
                return;
            }
            self.asked = Some(asked);
        }
        self.ticks = (self.ticks + 1) % TICKS;
    }

    /// Those for which no `Cluster` stands; `None` while that is not known.
    pub(super) fn unknown(&self, exists: impl Fn(&ClusterId) -> bool) -> Option<Vec<&Owned>> {
        let unknown = self.all.as_ref()?.iter().filter(|(owner, _)| !exists(&owner.cluster));
        Some(unknown.collect())
    }
}

/// What a policy of this zone says of them.
pub(super) fn finding(zone: &str, unknown: Option<&[&Owned]>) -> Finding {
    let Some(unknown) = unknown else {
        return Finding::unknown(Reason::InProgress, "the store has not been read yet");
    };
    let zone = zone.parse::<HostName>().ok();
    let of_zone: Vec<&Owned> =
        unknown.iter().copied().filter(|(owner, _)| Some(&owner.zone) == zone.as_ref()).collect();
    if of_zone.is_empty() {
        return Finding::good("all records of the zone belong to a Cluster");
    }
    let names: usize = of_zone.iter().map(|(_, names)| names).sum();
    let shown: Vec<String> =
        of_zone.iter().take(NAMED).map(|(owner, names)| format!("{owner} ({names} names)")).collect();
    let more = of_zone.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    Finding::bad(
        Reason::UnknownOwners,
        format!(
            "{names} names are published for {} clusters that do not exist: {}{more}; \
             look at them and withdraw them with `openmcp-dns withdraw <owner>`",
            of_zone.len(),
            shown.join(", ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(text: &str, names: usize) -> Owned {
        (text.parse().unwrap(), names)
    }

    #[test]
    fn owners_without_a_cluster_are_named_by_the_policies_of_their_zone_and_only_some_of_many() {
        let all = [owned("a.cluster/ns/gone", 3), owned("b.cluster/ns/gone", 4)];
        let all: Vec<&Owned> = all.iter().collect();
        let finding_of_a = finding("a.cluster", Some(&all));
        assert_eq!((finding_of_a.status, finding_of_a.reason), (Some(false), Reason::UnknownOwners));
        assert!(
            finding_of_a.message.starts_with(
                "3 names are published for 1 clusters that do not exist: a.cluster/ns/gone (3 names);"
            ),
            "{finding_of_a:?}"
        );
        assert_eq!(finding("c.cluster", Some(&all)).status, Some(true));
        assert_eq!(finding("a.cluster", None).status, None);
        let many: Vec<Owned> = (0..25).map(|number| owned(&format!("a.cluster/ns/w{number}"), 1)).collect();
        let many: Vec<&Owned> = many.iter().collect();
        let message = finding("a.cluster", Some(&many)).message;
        assert!(message.contains("w9 (1 names) and 15 more;") && !message.contains("w10"), "{message}");
    }
}
