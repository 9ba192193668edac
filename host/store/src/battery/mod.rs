//! Tests that hold for every store: they run on the one in memory, and, so that it cannot lie, on a real
//! etcd.

mod fencing;
mod following;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use futures::future::LocalBoxFuture;
use openmcp_dns_core::leadership::LeaderKey;
use openmcp_dns_core::plan::{Change, NamePlan};
use openmcp_dns_core::skydns::Prefix;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::{Commit, Fence, KeyValue, Store, StoreEvent};
use fencing::{
    a_leader_that_is_forgotten_writes_nothing_any_more, leaders_of_other_landscapes_are_not_in_the_way,
    of_two_that_lead_at_once_one_does, what_an_earlier_leader_writes_changes_nothing,
    what_is_kept_outside_of_the_records_is_read_by_who_asks, who_leads_is_no_record_and_can_be_read,
};
use following::{
    a_deletion_that_a_restored_store_has_not_seen_is_noticed,
    a_store_that_was_restored_and_has_come_past_its_old_revision_says_so,
    a_store_that_was_restored_from_a_backup_says_so, a_transaction_of_too_many_operations_is_refused,
    two_plans_are_carried_out_together_or_not_at_all, who_waits_at_a_store_at_rest_is_told_that_it_lives,
    who_waits_is_told_how_far_the_store_has_come, who_was_away_for_too_long_reads_everything,
    who_was_away_is_told_what_has_changed_and_reads_nothing,
};

/// How long anything may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// More changes than any store keeps for one that follows slowly.
const MANY_CHANGES: usize = 1500;

/// More keys than any store reads at once.
const MANY_KEYS: usize = 4100;

/// Changes in one transaction, fewer than etcd takes by default.
const CHANGES_AT_ONCE: usize = 100;

/// Where stores are, and what may befall them.
pub trait Site: Send + Sync {
    /// Opens the store of what lies below a prefix.
    fn open(&self, prefix: Prefix) -> LocalBoxFuture<'_, anyhow::Result<Opened>>;

    /// Whether the way to [`Opened::store`] is cut from now on.
    fn cut(&self, is_cut: bool) -> LocalBoxFuture<'_, anyhow::Result<()>>;

    /// Makes the store forget what changed before now.
    fn compact(&self) -> LocalBoxFuture<'_, anyhow::Result<()>>;

    /// Keeps what the store holds now, in place of what was kept before.
    fn back_up(&self) -> LocalBoxFuture<'_, anyhow::Result<()>>;

    /// Makes the store hold what was kept.
    fn restore(&self) -> LocalBoxFuture<'_, anyhow::Result<()>>;
}

/// The same store, reached in two ways.
pub struct Opened {
    /// The way that [`Site::cut`] cuts.
    pub store: Arc<dyn Store>,
    /// The way that always works.
    pub direct: Arc<dyn Store>,
}

/// Where one test runs: a store that holds nothing yet.
struct Ground<'o> {
    site: &'o dyn Site,
    prefix: String,
    /// Followed.
    store: Arc<dyn Store>,
    /// Written to.
    direct: Arc<dyn Store>,
    /// Of the test's own landscape.
    key: LeaderKey,
    /// From before anybody led there.
    fence: Fence,
}

type Case = for<'g> fn(&'g Ground<'_>) -> LocalBoxFuture<'g, anyhow::Result<()>>;

macro_rules! cases {
    ($($case:ident)+) => {
        [$((stringify!($case), (|ground| Box::pin($case(ground))) as Case)),+]
    };
}

/// Runs all tests, one after the other. Every one has a prefix of its own, below which nothing may lie.
///
/// # Errors
/// With all tests that fail.
pub async fn run(site: &dyn Site) -> anyhow::Result<()> {
    let mut failures = Vec::new();
    let cases = cases! {
        what_is_empty_says_so
        a_plan_is_carried_out_as_a_whole
        a_plan_that_expects_something_else_changes_nothing
        what_was_read_can_be_changed_and_deleted
        of_two_that_expect_the_same_one_is_carried_out
        revisions_grow_and_changes_come_in_their_order
        who_follows_later_reads_what_is_there
        values_need_not_be_text
        a_neighbour_whose_prefix_begins_alike_is_not_seen
        all_keys_are_read_however_many_there_are
        who_follows_slowly_loses_nothing
        following_ends_when_nobody_listens
        two_plans_are_carried_out_together_or_not_at_all
        a_transaction_of_too_many_operations_is_refused
        who_waits_is_told_how_far_the_store_has_come
        who_waits_at_a_store_at_rest_is_told_that_it_lives
        who_was_away_is_told_what_has_changed_and_reads_nothing
        who_was_away_for_too_long_reads_everything
        a_store_that_was_restored_from_a_backup_says_so
        a_store_that_was_restored_and_has_come_past_its_old_revision_says_so
        a_deletion_that_a_restored_store_has_not_seen_is_noticed
        who_leads_is_no_record_and_can_be_read
        what_an_earlier_leader_writes_changes_nothing
        of_two_that_lead_at_once_one_does
        leaders_of_other_landscapes_are_not_in_the_way
        a_leader_that_is_forgotten_writes_nothing_any_more
        what_is_kept_outside_of_the_records_is_read_by_who_asks
    };
    for (number, (name, case)) in cases.into_iter().enumerate() {
        let prefix = format!("/battery/case-{number}");
        let outcome = async {
            let Opened { store, direct } = site.open(prefix.parse()?).await?;
            let key = LeaderKey::of_platform(&prefix);
            let (_, fence) = direct.leader(&key).await?;
            case(&Ground { site, prefix, store, direct, key, fence }).await
        };
        let outcome = tokio::time::timeout(PATIENCE, outcome).await;
        if let Err(error) = outcome.unwrap_or_else(|_| Err(anyhow::anyhow!("it hangs"))) {
            failures.push(format!("{}: {error:#}", name.replace('_', " ")));
        }
    }
    ensure!(failures.is_empty(), "{} cases failed\n{}", failures.len(), failures.join("\n"));
    Ok(())
}

async fn what_is_empty_says_so(ground: &Ground<'_>) -> anyhow::Result<()> {
    let mut follower = ground.follow(16);
    same("entries", follower.everything().await?.entries, Vec::new())
}

async fn a_plan_is_carried_out_as_a_whole(ground: &Ground<'_>) -> anyhow::Result<()> {
    let mut follower = ground.follow(16);
    follower.everything().await?;
    let revision = ground.done(vec![ground.put("a", "1", 0), ground.put("b", "2", 0)]).await?;
    // Whoever saw one without the other would answer with half of a name.
    let changes = follower.changes().await?;
    same("changes", changes, vec![ground.entry("a", "1", revision), ground.entry("b", "2", revision)])
}

async fn a_plan_that_expects_something_else_changes_nothing(ground: &Ground<'_>) -> anyhow::Result<()> {
    let first = ground.done(vec![ground.put("a", "1", 0)]).await?;
    let second = ground.done(vec![ground.put("a", "2", first)]).await?;
    for (why, change) in [
        ("it is there", ground.put("a", "3", 0)),
        ("it has changed", ground.put("a", "3", first)),
        ("it is not there", ground.put("b", "3", second)),
        ("what is to be deleted has changed", ground.delete("a", first)),
        ("what is to be deleted is not there", ground.delete("b", second)),
    ] {
        let fine = ground.put("fine", "3", 0);
        same(why, ground.commit(vec![change, fine]).await?, Commit::Conflict)?;
    }
    same("what is there", ground.read().await?, vec![ground.entry("a", "2", second)])
}

async fn what_was_read_can_be_changed_and_deleted(ground: &Ground<'_>) -> anyhow::Result<()> {
    let mut follower = ground.follow(16);
    follower.everything().await?;
    let first = ground.done(vec![ground.put("a", "1", 0)]).await?;
    same("creation", follower.changes().await?, vec![ground.entry("a", "1", first)])?;
    let second = ground.done(vec![ground.put("a", "2", first)]).await?;
    same("change", follower.changes().await?, vec![ground.entry("a", "2", second)])?;
    let third = ground.done(vec![ground.delete("a", second)]).await?;
    let gone = KeyValue { key: ground.path("a"), value: None, mod_revision: third };
    same("deletion", follower.changes().await?, vec![gone])?;
    same("what is there", ground.read().await?, Vec::new())?;
    // What was deleted is as if it had never been.
    same("a late change", ground.commit(vec![ground.put("a", "3", second)]).await?, Commit::Conflict)?;
    ground.done(vec![ground.put("a", "3", 0)]).await.map(drop)
}

async fn of_two_that_expect_the_same_one_is_carried_out(ground: &Ground<'_>) -> anyhow::Result<()> {
    let (one, other) = (vec![ground.put("a", "one", 0)], vec![ground.put("a", "other", 0)]);
    let (one, other) = tokio::join!(ground.commit(one), ground.commit(other));
    let (one, other) = (one?, other?);
    let (winner, loser) = if one == Commit::Conflict { (other, one) } else { (one, other) };
    same("the loser", loser, Commit::Conflict)?;
    ensure!(matches!(winner, Commit::Done(_)), "nobody wins");
    same("how much is there", ground.read().await?.len(), 1)
}

async fn revisions_grow_and_changes_come_in_their_order(ground: &Ground<'_>) -> anyhow::Result<()> {
    let mut follower = ground.follow(16);
    follower.everything().await?;
    let mut written = Vec::new();
    let mut last = 0;
    for number in 0..30 {
        let revision = ground.done(vec![ground.put("a", &number.to_string(), last)]).await?;
        ensure!(revision > last, "revision {revision} comes after {last}");
        last = revision;
        written.push(ground.entry("a", &number.to_string(), revision));
    }
    let mut seen = Vec::new();
    let mut told = 0;
    while seen.len() < written.len() {
        match follower.next().await? {
            StoreEvent::Changed { changes, .. } if changes.is_empty() => {}
            StoreEvent::Changed { revision, changes } => {
                ensure!(revision > told, "revision {revision} is told after {told}");
                told = revision;
                seen.extend(changes);
            }
            other => bail!("{other:?} instead of a change"),
        }
    }
    same("the changes that were seen", seen, written)
}

async fn who_follows_later_reads_what_is_there(ground: &Ground<'_>) -> anyhow::Result<()> {
    let first = ground.done(vec![ground.put("a", "1", 0), ground.put("b", "1", 0)]).await?;
    let second = ground.done(vec![ground.put("a", "2", first)]).await?;
    let mut follower = ground.follow(16);
    let Everything { revision, restored, entries } = follower.everything().await?;
    ensure!(revision >= second, "revision {revision} is older than the last change, {second}");
    ensure!(!restored, "nothing was restored");
    same("entries", entries, vec![ground.entry("a", "2", second), ground.entry("b", "1", first)])?;
    // And nothing of it is told again.
    let third = ground.done(vec![ground.put("c", "3", 0)]).await?;
    same("the next change", follower.changes().await?, vec![ground.entry("c", "3", third)])
}

async fn values_need_not_be_text(ground: &Ground<'_>) -> anyhow::Result<()> {
    let mut follower = ground.follow(16);
    follower.everything().await?;
    let bytes: Vec<u8> = (0..=255).collect();
    let mut change = ground.put("bytes", "", 0);
    change.value = Some(bytes.clone());
    ground.done(vec![change, ground.put("empty", "", 0)]).await?;
    let values = |entries: Vec<KeyValue>| entries.into_iter().map(|entry| entry.value).collect::<Vec<_>>();
    let expected = vec![Some(bytes), Some(Vec::new())];
    same("values that are told", values(follower.changes().await?), expected.clone())?;
    same("values that are read", values(ground.read().await?), expected)
}

async fn a_neighbour_whose_prefix_begins_alike_is_not_seen(ground: &Ground<'_>) -> anyhow::Result<()> {
    let mut follower = ground.follow(16);
    follower.everything().await?;
    let prefix = format!("{}-and-more", ground.prefix);
    let Opened { store, direct } = ground.site.open(prefix.parse()?).await?;
    let (key, fence) = (ground.key.clone(), ground.fence.clone());
    let neighbour = Ground { site: ground.site, prefix, store, direct, key, fence };
    neighbour.done(vec![neighbour.put("theirs", "1", 0)]).await?;
    let revision = ground.done(vec![ground.put("ours", "1", 0)]).await?;
    let ours = vec![ground.entry("ours", "1", revision)];
    same("what is told", follower.changes().await?, ours.clone())?;
    same("what is read", ground.read().await?, ours)
}

async fn all_keys_are_read_however_many_there_are(ground: &Ground<'_>) -> anyhow::Result<()> {
    let keys: Vec<String> = (0..MANY_KEYS).map(|number| format!("{number:06}")).collect();
    for some in keys.chunks(CHANGES_AT_ONCE) {
        ground.done(some.iter().map(|key| ground.put(key, "1", 0)).collect()).await?;
    }
    let read = ground.read().await?;
    let expected: BTreeSet<String> = keys.iter().map(|key| ground.path(key)).collect();
    same("how many entries there are", read.len(), keys.len())?;
    ensure!(read.into_iter().map(|entry| entry.key).collect::<BTreeSet<_>>() == expected, "keys are missing");
    Ok(())
}

async fn who_follows_slowly_loses_nothing(ground: &Ground<'_>) -> anyhow::Result<()> {
    let mut follower = ground.follow(1);
    follower.everything().await?;
    let early = ground.done(vec![ground.put("early", "1", 0)]).await?;
    let mut last = 0;
    for number in 0..MANY_CHANGES {
        last = ground.done(vec![ground.put("a", &number.to_string(), last)]).await?;
    }
    let once = ground.done(vec![ground.put("once", "1", 0)]).await?;
    ground.done(vec![ground.delete("once", once)]).await?;
    let end = ground.done(vec![ground.put("end", "1", 0)]).await?;
    let mut seen = BTreeMap::new();
    let mut told = 0;
    while !seen.contains_key(&ground.path("end")) {
        let (revision, entries) = match follower.next().await? {
            StoreEvent::Reading => {
                seen.clear();
                continue;
            }
            StoreEvent::Page(entries) => (told, entries),
            StoreEvent::Read { revision, .. } => (revision, Vec::new()),
            StoreEvent::Changed { revision, changes } => (revision, changes),
            StoreEvent::Trouble(message) => bail!("{message}"),
        };
        ensure!(revision >= told, "revision {revision} is told after {told}");
        told = revision;
        for entry in entries {
            seen.insert(entry.key.clone(), entry);
        }
    }
    seen.retain(|_, entry| entry.value.is_some());
    let value = (MANY_CHANGES - 1).to_string();
    let expected = vec![
        ground.entry("a", &value, last),
        ground.entry("early", "1", early),
        ground.entry("end", "1", end),
    ];
    same("what is there at the end", seen.into_values().collect(), expected)
}

async fn following_ends_when_nobody_listens(ground: &Ground<'_>) -> anyhow::Result<()> {
    let mut follower = ground.follow(16);
    follower.everything().await?;
    let Follower { events, following } = follower;
    drop(events);
    ground.done(vec![ground.put("a", "1", 0)]).await?;
    following.await.context("following failed")
}

impl Ground<'_> {
    fn path(&self, key: &str) -> String {
        format!("{}/{key}", self.prefix)
    }

    fn put(&self, key: &str, value: &str, expected: i64) -> Change {
        let value = Some(value.as_bytes().to_vec());
        Change { key: self.path(key), expected_mod_revision: expected, value }
    }

    fn delete(&self, key: &str, expected: i64) -> Change {
        Change { key: self.path(key), expected_mod_revision: expected, value: None }
    }

    fn entry(&self, key: &str, value: &str, revision: i64) -> KeyValue {
        let value = Some(value.as_bytes().to_vec());
        KeyValue { key: self.path(key), value, mod_revision: revision }
    }

    async fn commit(&self, changes: Vec<Change>) -> anyhow::Result<Commit> {
        Ok(self.direct.commit(&self.fence, &[plan(changes)?]).await?)
    }

    /// Carries out what has to succeed; gives its revision.
    async fn done(&self, changes: Vec<Change>) -> anyhow::Result<i64> {
        match self.commit(changes).await? {
            Commit::Done(revision) => Ok(revision),
            Commit::Conflict => bail!("a conflict instead of a success"),
        }
    }

    /// What is there now.
    async fn read(&self) -> anyhow::Result<Vec<KeyValue>> {
        Ok(self.follow(1).everything().await?.entries)
    }

    /// Follows the store; so many events may wait.
    fn follow(&self, backlog: usize) -> Follower {
        let (sender, events) = mpsc::channel(backlog);
        let store = Arc::clone(&self.store);
        Follower { events, following: tokio::spawn(async move { store.follow(sender).await }) }
    }
}

struct Follower {
    events: mpsc::Receiver<StoreEvent>,
    following: JoinHandle<()>,
}

impl Follower {
    async fn next(&mut self) -> anyhow::Result<StoreEvent> {
        self.events.recv().await.context("following has ended")
    }

    /// The next changes, which have to come next.
    async fn changes(&mut self) -> anyhow::Result<Vec<KeyValue>> {
        loop {
            match self.next().await? {
                StoreEvent::Changed { changes, .. } if changes.is_empty() => {}
                StoreEvent::Changed { changes, .. } => return Ok(changes),
                other => bail!("{other:?} instead of changes"),
            }
        }
    }

    /// A whole read, which has to come next.
    async fn everything(&mut self) -> anyhow::Result<Everything> {
        match self.next().await? {
            StoreEvent::Reading => self.pages().await,
            other => bail!("{other:?} instead of a read"),
        }
    }

    /// Waits until the store is away.
    async fn trouble(&mut self) -> anyhow::Result<()> {
        while !matches!(self.next().await?, StoreEvent::Trouble(_)) {}
        Ok(())
    }

    /// What was away: waits until it is there again, be it with a read of everything.
    async fn back(&mut self) -> anyhow::Result<StoreEvent> {
        loop {
            match self.next().await? {
                StoreEvent::Trouble(_) => {}
                StoreEvent::Changed { changes, .. } if changes.is_empty() => {}
                event => return Ok(event),
            }
        }
    }

    async fn pages(&mut self) -> anyhow::Result<Everything> {
        let mut entries: Vec<KeyValue> = Vec::new();
        loop {
            match self.next().await? {
                StoreEvent::Page(page) => {
                    ensure!(page.len() <= 1000, "a page of {} keys", page.len());
                    entries.extend(page);
                }
                StoreEvent::Read { revision, restored } => {
                    ensure!(
                        entries.is_sorted_by(|one, other| one.key < other.key),
                        "the keys are not sorted"
                    );
                    return Ok(Everything { revision, restored, entries });
                }
                other => bail!("{other:?} within a read"),
            }
        }
    }
}

/// What a whole read has shown.
#[derive(Debug)]
struct Everything {
    revision: i64,
    restored: bool,
    entries: Vec<KeyValue>,
}

fn plan(changes: Vec<Change>) -> anyhow::Result<NamePlan> {
    let name = "battery.example".parse().context("failed to name the plan")?;
    Ok(NamePlan { name, changes, withdrawn_from: BTreeSet::new() })
}

/// Both are the same.
fn same<T: PartialEq + Debug>(what: &str, found: T, expected: T) -> anyhow::Result<()> {
    ensure!(found == expected, "{what}: {found:?} instead of {expected:?}");
    Ok(())
}
