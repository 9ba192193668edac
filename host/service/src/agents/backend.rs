//! Answers what agents ask through the gate.

use std::collections::BTreeSet;
use std::time::Instant;

use async_trait::async_trait;
use openmcp_dns_core::agents::{Draft, Refusal, Reply, Request};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::name::HostName;
use openmcp_dns_gate::{Backend, ConnectionNumber};

use super::agent::State;
use super::{Agent, Agents, deciding};
use crate::journal::Occurrence;

#[async_trait]
impl Backend for Agents {
    async fn ask(
        &self,
        cluster: &ClusterId,
        connection: ConnectionNumber,
        request: Request,
    ) -> Result<Reply, Refusal> {
        let agent = self.agent(cluster);
        let mut state = agent.state.lock().await;
        // Whoever had the lock may have taken the cluster back.
        if self.is_wanted(cluster) != Some(true) {
            return Err(Refusal::Permission(format!("cluster {cluster} is not recorded by an agent")));
        }
        if self.means().leadership.fence().is_none() {
            return Err(Refusal::NotNow("this replica stands by".to_owned()));
        }
        let (is_full_read, is_reading) = (request.is_full_read(), request.is_reading());
        let answered = self.in_order(cluster, &agent, &mut state, &request).await;
        match &answered {
            Ok(_) if is_full_read => {
                if state.syncing.is_under_way(connection) {
                    // Nothing was refused since the last one.
                    state.forget_refused();
                }
                if state.syncing.read(connection) {
                    agent.done.send_replace(());
                }
            }
            Err(refusal) if !is_reading => {
                state.syncing.failed();
                if !refusal.is_passing() && state.is_tellable(Instant::now()) {
                    let (cluster, refusal) = (cluster.clone(), refusal.clone());
                    self.means().journal.note(Occurrence::Refused { cluster, refusal });
                }
            }
            Ok(_) | Err(_) => {}
        }
        if state.space.is_none() {
            // It is not known what has become of a change: all is read, and told, anew.
            agent.changed.notify_one();
        }
        answered
    }
}

impl Agents {
    /// One request after another.
    async fn in_order(
        &self,
        cluster: &ClusterId,
        agent: &Agent,
        state: &mut State,
        request: &Request,
    ) -> Result<Reply, Refusal> {
        let means = self.means();
        if state.space.is_none() {
            let loaded = state.load(cluster, means).await;
            loaded.map_err(|error| Refusal::NotNow(openmcp_dns_core::chain(&error)))?;
            state.tell_all(cluster, &means.observations).await;
        }
        let Some(space) = &state.space else { return Err(Refusal::NotNow("try again".to_owned())) };
        let Draft { reply, edits } = space.draft(request)?;
        if edits.is_empty() {
            return Ok(reply);
        }
        deciding::check(cluster, state, &edits, means).await?;
        state.keep_edits(cluster, &edits, means).await?;
        let Some(space) = &mut state.space else { return Err(Refusal::NotNow("try again".to_owned())) };
        let touched = space.take(edits);
        let names: BTreeSet<HostName> = touched.iter().map(|(name, _)| name.clone()).collect();
        for (name, gone) in touched {
            if let Some(target) = gone {
                state.lingering.deleted(name, target, Instant::now());
                agent.changed.notify_one();
            }
        }
        state.accepted(&names);
        state.tell(cluster, names, &means.observations).await;
        Ok(reply)
    }
}
