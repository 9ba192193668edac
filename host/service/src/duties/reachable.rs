//! Reachable: the cluster's API server answers, and all its watches are in sync.
//!
//! The watches and the pulse begin and end with the way into the cluster; there is nothing to do here but
//! to look.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use openmcp_dns_core::kinds::Kind;

use super::{Context, Duty, Way};
use crate::api_client::Pulse;
use crate::inventory::Inventory;
use crate::record::WatchState;
use openmcp_dns_api::conditions::{DutyName, Finding, Reason};

/// Knows whether a cluster can be reached.
pub struct Reachable {
    inventory: Arc<dyn Inventory>,
}

impl Reachable {
    /// Has the inventory say what to do where there is no access.
    pub fn new(inventory: Arc<dyn Inventory>) -> Self {
        Self { inventory }
    }
}

#[async_trait]
impl Duty for Reachable {
    fn name(&self) -> DutyName {
        DutyName::Reachable
    }

    async fn fulfil(&mut self, context: &Context<'_>) -> Finding {
        match context.way {
            Way::None if context.has_agent => left_to_agent(&context.summary.watches),
            Way::None => Finding::bad(Reason::KubeconfigMissing, self.inventory.advice(context.id)),
            Way::Unusable(why) => why.clone(),
            Way::Open { pulse, .. } => {
                let pulse = pulse.borrow().clone();
                if pulse == Pulse::Unauthorized {
                    self.inventory.refused(context.id);
                }
                finding(&pulse, &context.summary.watches)
            }
        }
    }
}

/// There is no way into a cluster that has an agent: what it asks for is known once that one has said it.
fn left_to_agent(watches: &BTreeMap<Kind, WatchState>) -> Finding {
    if is_left(watches) {
        Finding::good(
            "the service has no access to the cluster, and needs none: its agent says what is recorded",
        )
    } else {
        Finding::unknown(
            Reason::AgentByHand,
            "the service has no access to the cluster, and its agent has not said yet what is to be recorded: look at \
             condition Agent",
        )
    }
}

fn is_left(watches: &BTreeMap<Kind, WatchState>) -> bool {
    !watches.is_empty() && watches.values().all(|state| *state == WatchState::LeftToAgent)
}

/// Whether the API server answers, and the watches are in sync.
fn finding(pulse: &Pulse, watches: &BTreeMap<Kind, WatchState>) -> Finding {
    if let Pulse::Silent(why) = pulse {
        let message = format!("the API server does not answer; what is published stays: {why}");
        return Finding::bad(Reason::Unreachable, message);
    }
    if *pulse == Pulse::Unauthorized {
        let message = "the API server does not know the service any more (401): the token of its kubeconfig has \
                       expired or was revoked; what is published stays. The kubeconfig is read again";
        return Finding::bad(Reason::Unreachable, message);
    }
    if *pulse == Pulse::Unasked {
        return Finding::unknown(Reason::InProgress, "the API server is being asked for the first time");
    }
    let with = |wanted: fn(&WatchState) -> bool| -> Vec<&str> {
        let found = watches.iter().filter(|(_, state)| wanted(state));
        found.map(|(kind, _)| kind.as_str()).collect()
    };
    let trouble = watches.iter().find_map(|(kind, state)| match state {
        WatchState::Trouble(message) => Some((kind, message)),
        WatchState::InSync | WatchState::NotServed | WatchState::Absent | WatchState::LeftToAgent => None,
    });
    if let Some((kind, message)) = trouble {
        return Finding::bad(
            Reason::Unreachable,
            format!("unable to watch {}; what is published stays: {message}", kind.as_str()),
        );
    }
    if watches.len() < Kind::watched().count() {
        return Finding::unknown(Reason::InProgress, "the first lists are being read");
    }
    if is_left(watches) {
        return Finding::good("an agent in the cluster says what is recorded");
    }
    let not_served = with(|state| *state == WatchState::NotServed);
    if not_served.is_empty() {
        return Finding::good("all kinds are watched");
    }
    Finding {
        status: Some(true),
        reason: Reason::KindNotServed,
        message: format!(
            "the cluster does not serve {}, so nothing is recorded from there; this is looked at again at \
             least every 30 seconds, install the CRDs where they are wanted",
            not_served.join(" and ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All kinds are in sync, but for these.
    fn watches(others: &[(Kind, WatchState)]) -> BTreeMap<Kind, WatchState> {
        let in_sync = Kind::watched().map(|kind| (kind, WatchState::InSync));
        in_sync.chain(others.iter().cloned()).collect()
    }

    #[test]
    fn a_cluster_without_gateway_crds_is_reachable_and_says_what_is_missing() {
        let missing = [Kind::Gateway, Kind::HttpRoute].map(|kind| (kind, WatchState::NotServed));
        let finding = finding(&Pulse::Answers, &watches(&missing));
        assert_eq!((finding.status, finding.reason), (Some(true), Reason::KindNotServed));
        assert!(finding.message.contains("Gateway and HTTPRoute"), "{}", finding.message);
    }

    #[test]
    fn trouble_with_one_watch_makes_a_cluster_unreachable() {
        let trouble = (Kind::HttpRoute, WatchState::Trouble("refused".into()));
        let finding = finding(&Pulse::Answers, &watches(&[trouble]));
        assert_eq!((finding.status, finding.reason), (Some(false), Reason::Unreachable));
    }

    #[test]
    fn a_cluster_whose_first_lists_are_being_read_is_not_called_unreachable() {
        let finding = finding(&Pulse::Answers, &BTreeMap::from([(Kind::Gateway, WatchState::InSync)]));
        assert_eq!((finding.status, finding.reason), (None, Reason::InProgress));
    }

    #[test]
    fn a_cluster_that_is_left_to_its_agent_is_reachable_although_nothing_is_watched() {
        let left = Kind::watched().map(|kind| (kind, WatchState::LeftToAgent));
        let finding = finding(&Pulse::Answers, &left.collect());
        assert_eq!(finding.status, Some(true));
        assert!(finding.message.contains("agent"), "{}", finding.message);
    }

    #[test]
    fn a_cluster_without_access_needs_none_once_its_agent_has_said_all() {
        let left = Kind::watched().map(|kind| (kind, WatchState::LeftToAgent)).collect();
        let finding = left_to_agent(&left);
        assert_eq!((finding.status, finding.reason), (Some(true), Reason::Succeeded));
        let finding = left_to_agent(&BTreeMap::new());
        assert_eq!((finding.status, finding.reason), (None, Reason::AgentByHand));
    }

    #[test]
    fn a_token_that_is_not_taken_any_more_is_told() {
        let finding = finding(&Pulse::Unauthorized, &watches(&[]));
        assert_eq!((finding.status, finding.reason), (Some(false), Reason::Unreachable));
        assert!(finding.message.contains("401"), "{}", finding.message);
    }

    #[test]
    fn a_cluster_all_of_whose_kinds_are_watched_is_reachable() {
        let finding = finding(&Pulse::Answers, &watches(&[]));
        assert_eq!((finding.status, finding.reason), (Some(true), Reason::Succeeded));
    }

    #[test]
    fn a_silent_api_server_is_unreachable_although_its_watches_say_nothing() {
        let finding = finding(&Pulse::Silent("no answer".to_owned()), &watches(&[]));
        assert_eq!((finding.status, finding.reason), (Some(false), Reason::Unreachable));
        assert!(finding.message.contains("no answer"), "{}", finding.message);
    }
}
