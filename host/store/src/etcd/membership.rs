//! The members of etcd.

use std::time::Duration;

use async_trait::async_trait;
use etcd_client::{Client, MemberAddOptions};

use super::SENDINGS;
use super::connection::Connection;
use super::error::{Failure, in_time};
use crate::StoreError;
use crate::connect::{ConnectError, EtcdAddress};
use crate::members::{Member, MemberStatus, Membership};

/// How long a member may take to say how it is.
const STATUS_TIMEOUT: Duration = Duration::from_secs(2);

/// How long etcd may take to change its members, which takes a vote.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a member may take to rewrite its file.
const DEFRAGMENT_TIMEOUT: Duration = Duration::from_secs(60);

/// The members of one etcd.
pub struct EtcdMembership {
    connection: Connection,
}

/// What etcd says of a member of its.
struct Listed {
    id: u64,
    client_urls: Vec<String>,
    peer_urls: Vec<String>,
    is_learner: bool,
}

impl EtcdMembership {
    /// Prepares the connection; it is made with the first request.
    ///
    /// # Errors
    /// When an endpoint is no URL, or a file cannot be read.
    pub async fn connect(address: &EtcdAddress) -> Result<Self, ConnectError> {
        Ok(Self { connection: Connection::prepare(address.clone()).await? })
    }

    async fn listed(&self) -> Result<Vec<Listed>, Failure> {
        let mut sent = 1;
        let response = loop {
            let mut client = self.connection.client().await?.cluster_client();
            match in_time(STATUS_TIMEOUT, client.member_list()).await {
                Err(failure) if sent < SENDINGS && failure.is_without_connection() => sent += 1,
                other => break other?,
            }
        };
        let one = |member: &etcd_client::Member| Listed {
            id: member.id(),
            client_urls: member.client_urls().to_vec(),
            peer_urls: member.peer_urls().to_vec(),
            is_learner: member.is_learner(),
        };
        Ok(response.members().iter().map(one).collect())
    }

    /// A client of one member only; `None` where it has not started.
    async fn client_of(&self, urls: &[String]) -> Option<Client> {
        if urls.is_empty() {
            return None;
        }
        self.connection.client_of(urls).await.ok()
    }

    async fn status(&self, listed: &Listed) -> Option<MemberStatus> {
        let mut client = self.client_of(&listed.client_urls).await?.maintenance_client();
        let status = in_time(STATUS_TIMEOUT, client.status()).await.ok()?;
        // Without a leader it answers, and knows nothing.
        (status.leader() != 0).then(|| MemberStatus {
            is_leader: status.leader() == listed.id,
            bytes: status.db_size().unsigned_abs(),
            used_bytes: status.raft_used_db_size().unsigned_abs(),
        })
    }

    /// Has another voter lead, where this one does.
    async fn hand_over(&self, id: u64) -> Result<(), Failure> {
        let all = self.listed().await?;
        let Some(leaving) = all.iter().find(|member| member.id == id) else { return Ok(()) };
        let leads = self.status(leaving).await.is_some_and(|status| status.is_leader);
        let successor = all.iter().find(|member| member.id != id && !member.is_learner);
        let (true, Some(successor)) = (leads, successor) else { return Ok(()) };
        let Some(client) = self.client_of(&leaving.client_urls).await else { return Ok(()) };
        in_time(CHANGE_TIMEOUT, client.maintenance_client().move_leader(successor.id)).await.map(drop)
    }
}

#[async_trait]
impl Membership for EtcdMembership {
    async fn list(&self) -> Result<Vec<Member>, StoreError> {
        let mut members = Vec::new();
        for listed in self.listed().await? {
            let status = self.status(&listed).await;
            let Listed { id, client_urls, peer_urls, is_learner } = listed;
            // A member tells them when it begins.
            let has_begun = !client_urls.is_empty();
            members.push(Member { id, peer_urls, is_learner, has_begun, status });
        }
        Ok(members)
    }

    async fn add_learner(&self, peer_url: &str) -> Result<(), StoreError> {
        let mut client = self.connection.client().await?.cluster_client();
        let options = MemberAddOptions::new().with_is_learner();
        Ok(in_time(CHANGE_TIMEOUT, client.member_add([peer_url.to_owned()], Some(options)))
            .await
            .map(drop)?)
    }

    async fn promote(&self, id: u64) -> Result<(), StoreError> {
        let mut client = self.connection.client().await?.cluster_client();
        Ok(in_time(CHANGE_TIMEOUT, client.member_promote(id)).await.map(drop)?)
    }

    async fn remove(&self, id: u64) -> Result<(), StoreError> {
        self.hand_over(id).await?;
        let mut client = self.connection.client().await?.cluster_client();
        Ok(in_time(CHANGE_TIMEOUT, client.member_remove(id)).await.map(drop)?)
    }

    async fn defragment(&self, id: u64) -> Result<(), StoreError> {
        let listed = self.listed().await?;
        let member = listed.iter().find(|member| member.id == id);
        let Some(client) =
            self.client_of(member.map_or(&[] as &[String], |member| &member.client_urls)).await
        else {
            return Ok(());
        };
        Ok(in_time(DEFRAGMENT_TIMEOUT, client.maintenance_client().defragment()).await.map(drop)?)
    }
}
