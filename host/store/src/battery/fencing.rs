//! Who leads, and what others write.

use anyhow::{Context as _, ensure};
use openmcp_dns_core::leadership::{Leader, LeaderKey};

use super::{Ground, plan, same};
use crate::{Commit, Fence, Keep, MAX_OPERATIONS, StoreError};

fn leader(term: u64) -> Leader {
    Leader { term, holder: format!("pod-{term}") }
}

fn is_fenced<T>(what: &str, answer: Result<T, StoreError>) -> anyhow::Result<()> {
    match answer {
        Err(StoreError::Fenced) => Ok(()),
        Err(other) => Err(other).context(format!("{what}: it is not said that another one leads")),
        Ok(_) => anyhow::bail!("{what}: it is not refused"),
    }
}

pub(super) async fn who_leads_is_no_record_and_can_be_read(ground: &Ground<'_>) -> anyhow::Result<()> {
    let mut follower = ground.follow(16);
    follower.everything().await?;
    let fence = ground.direct.lead(&ground.fence, &leader(1)).await?;
    same("who leads", ground.direct.leader(&ground.key).await?, (Some(leader(1)), fence.clone()))?;
    let fence = ground.direct.lead(&fence, &leader(2)).await?;
    same("who leads now", ground.direct.leader(&ground.key).await?, (Some(leader(2)), fence.clone()))?;
    let revision = written(ground, &fence, 0).await?;
    // The first that is told is the record.
    same("changes", follower.changes().await?, vec![ground.entry("a", "1", revision)])?;
    same("entries", ground.read().await?, vec![ground.entry("a", "1", revision)])
}

pub(super) async fn what_an_earlier_leader_writes_changes_nothing(ground: &Ground<'_>) -> anyhow::Result<()> {
    let before = written(ground, &ground.fence, 0).await?;
    let first = ground.direct.lead(&ground.fence, &leader(1)).await?;
    let again = [plan(vec![ground.put("a", "2", before)])?];
    is_fenced("from before anybody led", ground.direct.commit(&ground.fence, &again).await)?;
    let second = ground.direct.lead(&first, &leader(2)).await?;
    is_fenced("of the first leader", ground.direct.commit(&first, &again).await)?;
    let stale = [plan(vec![ground.put("a", "2", before + 1)])?];
    is_fenced("of the first leader, and stale", ground.direct.commit(&first, &stale).await)?;
    same("entries", ground.read().await?, vec![ground.entry("a", "1", before)])?;
    same("stale, of the second", ground.direct.commit(&second, &stale).await?, Commit::Conflict)?;
    let done = ground.direct.commit(&second, &again).await?;
    ensure!(matches!(done, Commit::Done(_)), "the second leader may write: {done:?}");
    Ok(())
}

pub(super) async fn of_two_that_lead_at_once_one_does(ground: &Ground<'_>) -> anyhow::Result<()> {
    let (one, other) = (leader(1), leader(2));
    let (one, other) =
        tokio::join!(ground.direct.lead(&ground.fence, &one), ground.direct.lead(&ground.fence, &other));
    let (leads, refused) = if one.is_ok() { (one, other) } else { (other, one) };
    is_fenced("the other one", refused)?;
    written(ground, &leads?, 0).await.map(drop)
}

pub(super) async fn a_leader_that_is_forgotten_writes_nothing_any_more(
    ground: &Ground<'_>,
) -> anyhow::Result<()> {
    let first = ground.direct.lead(&ground.fence, &leader(1)).await?;
    let second = ground.direct.lead(&first, &leader(2)).await?;
    is_fenced("by the first leader", ground.direct.forget_leader(&first).await)?;
    ground.direct.forget_leader(&second).await?;
    let (nobody, fence) = ground.direct.leader(&ground.key).await?;
    same("who leads", nobody, None)?;
    let change = [plan(vec![ground.put("a", "1", 0)])?];
    is_fenced("of who was forgotten", ground.direct.commit(&second, &change).await)?;
    ground.direct.lead(&fence, &leader(3)).await?;
    // Nobody is there to be forgotten in a landscape of its own.
    let others = LeaderKey::of_platform(&format!("{}-other", ground.key.as_str()));
    let (_, fence) = ground.direct.leader(&others).await?;
    ground.direct.forget_leader(&fence).await.map_err(Into::into)
}

pub(super) async fn leaders_of_other_landscapes_are_not_in_the_way(
    ground: &Ground<'_>,
) -> anyhow::Result<()> {
    let ours = ground.direct.lead(&ground.fence, &leader(1)).await?;
    let others = LeaderKey::of_platform(&format!("{}-other", ground.key.as_str()));
    let (nobody, fence) = ground.direct.leader(&others).await?;
    same("who leads there", nobody, None)?;
    ground.direct.lead(&fence, &leader(9)).await?;
    written(ground, &ours, 0).await.map(drop)
}

pub(super) async fn what_is_kept_outside_of_the_records_is_read_by_who_asks(
    ground: &Ground<'_>,
) -> anyhow::Result<()> {
    let mut follower = ground.follow(16);
    follower.everything().await?;
    let fence = ground.direct.lead(&ground.fence, &leader(1)).await?;
    let root = format!("openmcp-dns/battery{}/", ground.prefix);
    let keep = |key: &str, value: Option<&str>| Keep {
        key: format!("{root}{key}"),
        value: value.map(|value| value.as_bytes().to_vec()),
    };
    let kept = |all: &[(&str, &str)]| {
        let entry = |(key, value): &(&str, &str)| (format!("{root}{key}"), value.as_bytes().to_vec());
        all.iter().map(entry).collect::<Vec<_>>()
    };
    ground.direct.keep(&fence, &[keep("b", Some("2")), keep("a", Some("1"))]).await?;
    same("kept", ground.direct.kept(&root).await?, kept(&[("a", "1"), ("b", "2")]))?;
    ground.direct.keep(&fence, &[keep("a", None), keep("b", Some("3")), keep("none", None)]).await?;
    same("kept now", ground.direct.kept(&root).await?, kept(&[("b", "3")]))?;
    same("kept elsewhere", ground.direct.kept(&format!("{root}c")).await?, Vec::new())?;
    is_fenced("of nobody", ground.direct.keep(&ground.fence, &[keep("a", Some("4"))]).await)?;
    // etcd itself takes one more, the place of the leader key in what is compared.
    let many: Vec<Keep> = (0..MAX_OPERATIONS + 2).map(|n| keep(&n.to_string(), Some("5"))).collect();
    ensure!(ground.direct.keep(&fence, &many).await.is_err(), "too many operations are taken");
    same("kept at last", ground.direct.kept(&root).await?, kept(&[("b", "3")]))?;
    let all: Vec<Keep> = many.into_iter().take(MAX_OPERATIONS).collect();
    ground.direct.keep(&fence, &all).await?;
    same("entries", ground.read().await?, Vec::new())?;
    let revision = written(ground, &fence, 0).await?;
    // The first that is told is the record.
    same("changes", follower.changes().await?, vec![ground.entry("a", "1", revision)])
}

/// Writes a key; gives the revision.
async fn written(ground: &Ground<'_>, fence: &Fence, expected: i64) -> anyhow::Result<i64> {
    match ground.direct.commit(fence, &[plan(vec![ground.put("a", "1", expected)])?]).await? {
        Commit::Done(revision) => Ok(revision),
        Commit::Conflict => anyhow::bail!("a conflict instead of a success"),
    }
}
