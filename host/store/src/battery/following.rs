//! Transactions at their bounds, and following through what may befall a store.

use anyhow::{bail, ensure};

use super::{Everything, Follower, Ground, plan, same};
use crate::{Commit, KeyValue, MAX_OPERATIONS, Refusal, StoreError, StoreEvent};

pub(super) async fn two_plans_are_carried_out_together_or_not_at_all(
    ground: &Ground<'_>,
) -> anyhow::Result<()> {
    let one = plan(vec![ground.put("a", "1", 0)])?;
    let other = plan(vec![ground.put("b", "1", 0), ground.put("c", "1", 0)])?;
    let Commit::Done(revision) = ground.direct.commit(&ground.fence, &[one.clone(), other]).await? else {
        bail!("a conflict instead of a success")
    };
    let all = ["a", "b", "c"].map(|key| ground.entry(key, "1", revision)).to_vec();
    same("what is there", ground.read().await?, all.clone())?;
    let fine = plan(vec![ground.put("d", "1", 0)])?;
    same(
        "together with a conflict",
        ground.direct.commit(&ground.fence, &[fine, one]).await?,
        Commit::Conflict,
    )?;
    same("what is there", ground.read().await?, all)
}

pub(super) async fn a_transaction_of_too_many_operations_is_refused(
    ground: &Ground<'_>,
) -> anyhow::Result<()> {
    let puts = |count: usize| (0..count).map(|number| ground.put(&format!("{number:03}"), "1", 0)).collect();
    let too_many = [plan(puts(MAX_OPERATIONS))?, plan(vec![ground.put("a", "1", 0)])?];
    match ground.direct.commit(&ground.fence, &too_many).await {
        Err(error @ StoreError::Refused { refusal: Refusal::TooManyOperations, .. }) => {
            ensure!(error.is_refusal(), "a refusal says that it is none");
        }
        other => bail!("{other:?} instead of a refusal"),
    }
    same("what is there", ground.read().await?, Vec::new())?;
    ground.done(puts(MAX_OPERATIONS)).await.map(drop)
}

pub(super) async fn who_waits_is_told_how_far_the_store_has_come(ground: &Ground<'_>) -> anyhow::Result<()> {
    let mut follower = ground.follow(16);
    follower.everything().await?;
    let revision = ground.done(vec![ground.put("a", "1", 0)]).await?;
    follower.changes().await?;
    match follower.next().await? {
        StoreEvent::Changed { revision: told, changes } => {
            ensure!(told >= revision, "revision {told} is told after {revision}");
            same("changes", changes, Vec::new())
        }
        other => bail!("{other:?} instead of a sign of life"),
    }
}

pub(super) async fn who_waits_at_a_store_at_rest_is_told_that_it_lives(
    ground: &Ground<'_>,
) -> anyhow::Result<()> {
    let mut follower = ground.follow(16);
    follower.everything().await?;
    match follower.next().await? {
        StoreEvent::Changed { changes, .. } => same("changes", changes, Vec::new()),
        other => bail!("{other:?} instead of a sign of life"),
    }
}

pub(super) async fn who_was_away_is_told_what_has_changed_and_reads_nothing(
    ground: &Ground<'_>,
) -> anyhow::Result<()> {
    let first = ground.done(vec![ground.put("a", "1", 0), ground.put("b", "1", 0)]).await?;
    let mut follower = ground.follow(16);
    follower.everything().await?;
    ground.site.cut(true).await?;
    follower.trouble().await?;
    let second = ground.done(vec![ground.put("a", "2", first), ground.delete("b", first)]).await?;
    ground.site.cut(false).await?;
    let gone = KeyValue { key: ground.path("b"), value: None, mod_revision: second };
    let mut seen = Vec::new();
    while seen.len() < 2 {
        match follower.back().await? {
            StoreEvent::Changed { changes, .. } => seen.extend(changes),
            other => bail!("{other:?} instead of changes"),
        }
    }
    same("what is told", seen, vec![ground.entry("a", "2", second), gone])
}

pub(super) async fn who_was_away_for_too_long_reads_everything(ground: &Ground<'_>) -> anyhow::Result<()> {
    let mut follower = ground.follow(16);
    follower.everything().await?;
    ground.site.cut(true).await?;
    follower.trouble().await?;
    let first = ground.done(vec![ground.put("a", "1", 0)]).await?;
    let second = ground.done(vec![ground.put("a", "2", first)]).await?;
    ground.site.compact().await?;
    ground.site.cut(false).await?;
    ensure!(matches!(follower.back().await?, StoreEvent::Reading), "what was compacted is not read");
    let Everything { restored, entries, .. } = follower.pages().await?;
    same("restored", restored, false)?;
    same("entries", entries, vec![ground.entry("a", "2", second)])
}

/// Follows a store of which there is a backup, with one value of this revision; all of it has been read.
async fn follow_from_a_backup(ground: &Ground<'_>) -> anyhow::Result<(Follower, i64)> {
    let first = ground.done(vec![ground.put("a", "1", 0)]).await?;
    ground.site.back_up().await?;
    let mut follower = ground.follow(16);
    while !matches!(follower.back().await?, StoreEvent::Reading) {}
    follower.pages().await?;
    Ok((follower, first))
}

pub(super) async fn a_store_that_was_restored_from_a_backup_says_so(
    ground: &Ground<'_>,
) -> anyhow::Result<()> {
    let (mut follower, first) = follow_from_a_backup(ground).await?;
    let second = ground.done(vec![ground.put("b", "1", 0), ground.put("a", "2", first)]).await?;
    ensure!(matches!(follower.back().await?, StoreEvent::Changed { .. }), "the change is not told");
    ground.site.restore().await?;
    ensure!(matches!(follower.back().await?, StoreEvent::Reading), "what was restored is not read");
    let Everything { revision, restored, entries } = follower.pages().await?;
    ensure!(restored && revision < second, "restored: {restored}, revision {revision} after {second}");
    same("entries", entries, vec![ground.entry("a", "1", first)])?;
    let again = ground.done(vec![ground.put("a", "3", first)]).await?;
    same("the next change", follower.changes().await?, vec![ground.entry("a", "3", again)])
}

pub(super) async fn a_store_that_was_restored_and_has_come_past_its_old_revision_says_so(
    ground: &Ground<'_>,
) -> anyhow::Result<()> {
    let (mut follower, first) = follow_from_a_backup(ground).await?;
    ground.done(vec![ground.put("lost", "1", 0)]).await?;
    ensure!(matches!(follower.back().await?, StoreEvent::Changed { .. }), "the change is not told");
    let entries = past_its_old_revision(ground, &mut follower, first).await?;
    ensure!(!entries.iter().any(|entry| entry.key == ground.path("lost")), "{entries:?}");
    Ok(())
}

pub(super) async fn a_deletion_that_a_restored_store_has_not_seen_is_noticed(
    ground: &Ground<'_>,
) -> anyhow::Result<()> {
    let first = ground.done(vec![ground.put("a", "1", 0), ground.put("gone", "1", 0)]).await?;
    ground.site.back_up().await?;
    let mut follower = ground.follow(16);
    while !matches!(follower.back().await?, StoreEvent::Reading) {}
    follower.pages().await?;
    ground.done(vec![ground.delete("gone", first)]).await?;
    ensure!(matches!(follower.back().await?, StoreEvent::Changed { .. }), "the deletion is not told");
    let entries = past_its_old_revision(ground, &mut follower, first).await?;
    ensure!(entries.contains(&ground.entry("gone", "1", first)), "{entries:?}");
    Ok(())
}

/// Restores the store while nobody sees it, and brings it past the revision that was told. Gives what is read.
async fn past_its_old_revision(
    ground: &Ground<'_>,
    follower: &mut Follower,
    first: i64,
) -> anyhow::Result<Vec<KeyValue>> {
    ground.site.cut(true).await?;
    follower.trouble().await?;
    ground.site.restore().await?;
    let mut revision = first;
    for number in 0..5 {
        revision = ground.done(vec![ground.put("a", &format!("new {number}"), revision)]).await?;
    }
    ground.site.cut(false).await?;
    ensure!(matches!(follower.back().await?, StoreEvent::Reading), "what was restored is not read");
    let Everything { restored, entries, .. } = follower.pages().await?;
    ensure!(restored, "it is not said that the store was restored");
    Ok(entries)
}
