//! The members of etcd come and go one at a time: who is listed and how they are go in, the next step comes out.
//!
//! ```text
//! grow:    Add (as a learner, which has no vote) ──► one pod more ──► Promote when it has all records
//! shrink:  Remove ──► one pod less
//! replace: Remove whoever has lost its data ──► Add it again ──► Remake its pod
//! ```
//! The step is taken from what is there and from nothing that is remembered, so that it does not matter who took the
//! last one, and whether it was seen.

use std::collections::BTreeSet;

use super::config::Members;

/// How the pods of etcd are started. One that has its data does not look at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EtcdCluster {
    /// How many pods there are.
    pub pods: u8,
    /// The members, by the number of their pod.
    pub members: BTreeSet<u8>,
    /// Whether they begin a cluster together; otherwise they join the one that there is.
    pub begins: bool,
}

impl EtcdCluster {
    /// One that begins.
    pub fn new(members: Members) -> Self {
        Self { pods: members.count(), members: (0..members.count()).collect(), begins: true }
    }
}

/// A member, as etcd lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedMember {
    /// Its number in etcd.
    pub id: u64,
    /// The number of its pod.
    pub pod: u8,
    /// Whether it has no vote yet.
    pub is_learner: bool,
    /// Whether it has ever begun. One that has not has no data to lose: it may be about to begin.
    pub has_begun: bool,
    /// Whether it answers.
    pub is_healthy: bool,
}

/// What is asked of etcd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberAction {
    /// A learner is to join, in the pod of this number.
    Add(u8),
    /// The learner of this id gets a vote, if it has all records.
    Promote(u64),
    /// The member of this id leaves.
    Remove(u64),
    /// The pod is made anew, with an empty volume: it still has what it kept as a member that is none any more.
    Remake(u8),
}

/// What is done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStep {
    /// How the pods are to be started.
    pub cluster: EtcdCluster,
    /// What is asked of etcd once they are.
    pub action: Option<MemberAction>,
    /// What there is to wait for, for people; `None` when all is as it is wanted.
    pub remark: Option<String>,
}

/// The next step. `current` is how the pods were started, `None` where there are none; `listed` what etcd says, `None`
/// while it does not answer; `lost` the pods whose data are gone.
pub fn next_step(
    wanted: Members,
    current: Option<&EtcdCluster>,
    listed: Option<&[ListedMember]>,
    lost: &BTreeSet<u8>,
) -> MemberStep {
    let Some(current) = current else {
        return MemberStep { cluster: EtcdCluster::new(wanted), action: None, remark: None };
    };
    let Some((listed, last)) = listed.and_then(|all| Some((all, all.iter().map(|member| member.pod).max()?)))
    else {
        let mut cluster = current.clone();
        if !lost.is_empty() && (0..current.pods).all(|pod| lost.contains(&pod)) {
            // Nobody is left to join.
            cluster = EtcdCluster { members: (0..current.pods).collect(), begins: true, ..cluster };
        }
        let is_wanted = current.pods == wanted.count();
        let remark = (!is_wanted).then(|| {
            format!("etcd does not answer, and keeps its {} of {} members", current.pods, wanted.count())
        });
        return MemberStep { cluster, action: None, remark };
    };
    let members: BTreeSet<u8> = listed.iter().map(|member| member.pod).collect();
    let is_wanted = members.len() == usize::from(wanted.count()) && last < wanted.count();
    let is_well = listed.iter().all(|member| member.is_healthy && !member.is_learner);
    let begins = if is_well { is_wanted } else { current.begins && members == current.members };
    let cluster = EtcdCluster { pods: last + 1, members, begins };
    if is_well && is_wanted {
        return MemberStep { cluster, action: None, remark: None };
    }
    let action = if is_well { change(wanted, &cluster, listed) } else { mend(listed, lost) };
    let remark = Some(format!("etcd has {} of {} members", voters(listed).count(), wanted.count()));
    MemberStep { cluster, action, remark }
}

fn voters(listed: &[ListedMember]) -> impl Iterator<Item = &ListedMember> {
    listed.iter().filter(|member| !member.is_learner)
}

/// All are well, and they are too many, too few, or not in the first pods. Whoever is missing joins before another one
/// leaves: the pods of a StatefulSet are taken from the end, and one that has lost its data may be the first.
fn change(wanted: Members, cluster: &EtcdCluster, listed: &[ListedMember]) -> Option<MemberAction> {
    if let Some(missing) = (0..wanted.count()).find(|pod| !cluster.members.contains(pod)) {
        return Some(MemberAction::Add(missing));
    }
    let surplus = listed.iter().filter(|member| member.pod >= wanted.count());
    surplus.max_by_key(|member| member.pod).map(|last| MemberAction::Remove(last.id))
}

/// Not all are well: a learner that answers may have all records; whoever has lost its data never comes back as it was.
fn mend(listed: &[ListedMember], lost: &BTreeSet<u8>) -> Option<MemberAction> {
    let gone = |member: &&ListedMember| member.has_begun && !member.is_healthy && lost.contains(&member.pod);
    let healthy = voters(listed).filter(|member| member.is_healthy).count();
    if healthy * 2 <= voters(listed).count() {
        return None;
    }
    if let Some(gone) = listed.iter().find(gone) {
        return Some(MemberAction::Remove(gone.id));
    }
    if let Some(stuck) = listed.iter().find(|member| !member.has_begun && lost.contains(&member.pod)) {
        return Some(MemberAction::Remake(stuck.pod));
    }
    let learner = listed.iter().find(|member| member.is_learner && member.is_healthy)?;
    Some(MemberAction::Promote(learner.id))
}

/// How much of its file a member uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberSize {
    /// Its number in etcd.
    pub id: u64,
    /// Whether it leads.
    pub is_leader: bool,
    /// The size of its file.
    pub bytes: u64,
    /// How many of them are used.
    pub used_bytes: u64,
}

/// A file that is smaller is not worth the moment in which its member does not answer.
const WORTH_BYTES: u64 = 100 << 20;

/// Which member is to be defragmented next: one at a time, the leader last, and none while less than half of its file
/// is free.
pub fn defragment_next(sizes: &[MemberSize]) -> Option<u64> {
    let is_worth = |size: &&MemberSize| size.bytes >= WORTH_BYTES && size.used_bytes < size.bytes / 2;
    let mut worth: Vec<&MemberSize> = sizes.iter().filter(is_worth).collect();
    worth.sort_by_key(|size| (size.is_leader, size.id));
    worth.first().map(|size| size.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A member whose id is ten times its pod.
    fn member(pod: u8, is_healthy: bool, is_learner: bool) -> ListedMember {
        ListedMember { id: u64::from(pod) * 10, pod, is_learner, has_begun: true, is_healthy }
    }

    fn all(pods: &[u8]) -> Vec<ListedMember> {
        pods.iter().map(|pod| member(*pod, true, false)).collect()
    }

    fn step(wanted: Members, current: &EtcdCluster, listed: &[ListedMember]) -> MemberStep {
        next_step(wanted, Some(current), Some(listed), &BTreeSet::new())
    }

    /// Carries steps out as etcd and kubelet would, until nothing is left to do; gives what was asked of etcd.
    fn until_done(
        wanted: Members,
        cluster: &mut EtcdCluster,
        listed: &mut Vec<ListedMember>,
    ) -> Vec<MemberAction> {
        let mut asked = Vec::new();
        for _ in 0..20 {
            let MemberStep { cluster: next, action, remark } = step(wanted, cluster, listed);
            assert!(next.pods.abs_diff(cluster.pods) <= 1, "more than one pod at a time: {next:?}");
            *cluster = next;
            match action {
                Some(MemberAction::Add(pod)) => listed.push(member(pod, false, true)),
                Some(MemberAction::Promote(id)) => listed.iter_mut().for_each(|member| {
                    member.is_learner &= member.id != id;
                }),
                Some(MemberAction::Remove(id)) => listed.retain(|member| member.id != id),
                Some(MemberAction::Remake(pod)) => panic!("nobody has lost anything: {pod}"),
                None if remark.is_none() => return asked,
                None => {
                    for member in listed.iter_mut().filter(|member| member.pod < cluster.pods) {
                        member.is_healthy = true;
                    }
                }
            }
            asked.extend(action);
            let voters = listed.iter().filter(|member| !member.is_learner);
            let (voting, healthy) =
                (voters.clone().count(), voters.filter(|member| member.is_healthy).count());
            assert!(healthy * 2 > voting, "no quorum: {listed:?}");
        }
        panic!("it does not come to an end: {cluster:?} {listed:?}");
    }

    #[test]
    fn it_grows_and_shrinks_one_member_at_a_time_and_always_has_a_quorum() {
        let (mut cluster, mut listed) = (EtcdCluster::new(Members::One), all(&[0]));
        assert!(until_done(Members::One, &mut cluster, &mut listed).is_empty());
        let asked = until_done(Members::Three, &mut cluster, &mut listed);
        use MemberAction::{Add, Promote, Remove};
        assert_eq!(asked, [Add(1), Promote(10), Add(2), Promote(20)]);
        assert_eq!(cluster, EtcdCluster::new(Members::Three));
        assert_eq!(until_done(Members::One, &mut cluster, &mut listed), [Remove(20), Remove(10)]);
        assert_eq!(cluster, EtcdCluster::new(Members::One));
    }

    #[test]
    fn the_first_member_comes_again_before_the_others_leave() {
        use MemberAction::{Add, Promote, Remove};
        for (pods, expected) in [
            ([1].as_slice(), [Add(0), Promote(0), Remove(10)].as_slice()),
            (&[1, 2], &[Add(0), Promote(0), Remove(20), Remove(10)]),
        ] {
            let members = pods.iter().copied().collect();
            let mut cluster = EtcdCluster { pods: 3, members, begins: false };
            let mut listed = all(pods);
            assert_eq!(until_done(Members::One, &mut cluster, &mut listed), expected, "{pods:?}");
            assert_eq!(cluster, EtcdCluster::new(Members::One));
        }
    }

    #[test]
    fn nothing_changes_while_one_does_not_answer_or_none_does() {
        let three = EtcdCluster::new(Members::Three);
        let listed = [member(0, true, false), member(1, false, false), member(2, true, false)];
        let waits = step(Members::One, &three, &listed);
        assert_eq!((waits.cluster, waits.action), (three.clone(), None));
        let silent = next_step(Members::One, Some(&three), None, &BTreeSet::new());
        assert_eq!((silent.cluster, silent.action), (three, None));
        assert!(silent.remark.unwrap().contains("keeps its 3 of 1 members"));
    }

    #[test]
    fn a_member_that_lost_its_data_is_replaced_while_the_others_are_enough() {
        let three = EtcdCluster::new(Members::Three);
        let mut listed = all(&[0, 1, 2]);
        listed[1].is_healthy = false;
        let lost = BTreeSet::from([1]);
        let first = next_step(Members::Three, Some(&three), Some(&listed), &lost);
        assert_eq!(first.action, Some(MemberAction::Remove(10)));
        listed.remove(1);
        let second = next_step(Members::Three, Some(&first.cluster), Some(&listed), &lost);
        assert_eq!((second.action, second.cluster.begins), (Some(MemberAction::Add(1)), false));
        // Its pod still has the data of the member that was removed.
        listed.push(ListedMember { has_begun: false, ..member(1, false, true) });
        let third = next_step(Members::Three, Some(&second.cluster), Some(&listed), &lost);
        assert_eq!(third.action, Some(MemberAction::Remake(1)));
        let waits = next_step(Members::Three, Some(&third.cluster), Some(&listed), &BTreeSet::new());
        assert_eq!(waits.action, None);
        listed[0].is_healthy = false;
        let too_few =
            next_step(Members::Three, Some(&second.cluster), Some(&listed), &BTreeSet::from([0, 1]));
        assert_eq!(too_few.action, None);
        let none = EtcdCluster { begins: false, ..three.clone() };
        assert_eq!(next_step(Members::Three, Some(&none), None, &BTreeSet::from([0, 1, 2])).cluster, three);
    }

    #[test]
    fn files_that_are_half_empty_and_large_are_made_small_the_leaders_last() {
        let size = |id, is_leader, bytes: u64, used_bytes: u64| MemberSize {
            id,
            is_leader,
            bytes: bytes << 20,
            used_bytes: used_bytes << 20,
        };
        let mut sizes = vec![size(1, true, 400, 10), size(2, false, 400, 10), size(3, false, 400, 300)];
        assert_eq!(defragment_next(&sizes), Some(2));
        sizes[1] = size(2, false, 10, 10);
        assert_eq!(defragment_next(&sizes), Some(1));
        sizes[0] = size(1, true, 50, 1);
        assert_eq!(defragment_next(&sizes), None);
    }
}
