//! What is to be reported of namespaces: which of them to look at again, and what is found there.

use std::collections::BTreeSet;

use super::ClusterRecords;
use crate::codes;
use crate::conflict::Conflict;
use crate::index::State;
use crate::kinds::Kind;
use crate::open_reports::{Finding, Findings, FindingsNews, Outcome, Wanted};
use crate::recording::names::Names;
use crate::recording::summary::{explain, not_published};

/// Namespaces of which something else may be to be reported.
#[derive(Default)]
pub(super) struct ChangedNamespaces {
    namespaces: BTreeSet<String>,
    /// Whether something has changed since somebody asked.
    is_news: bool,
    /// The DNSPolicy in whose name is reported; `None` while nothing is.
    told_as: Option<String>,
    epoch: u64,
    /// Whether all that the cluster asks for has been decided on once, under a policy.
    is_complete: bool,
}

impl ClusterRecords {
    /// What is found in a namespace may have changed.
    pub(in crate::recording) fn findings_changed(&mut self, namespace: &str) {
        let changed = &mut self.changed_namespaces;
        if changed.told_as.is_some() && !changed.namespaces.contains(namespace) {
            changed.is_news |= changed.namespaces.insert(namespace.to_owned());
        }
    }

    /// An input has been taken in: reports may be wanted from now on, or no more, or in another name.
    pub(super) fn follow_reports(&mut self) {
        let policy = self.policy.as_ref().filter(|policy| policy.open_reports && self.released.is_none());
        let told_as = policy.map(|policy| policy.policy_name.as_str());
        let is_other = self.changed_namespaces.told_as.as_deref() != told_as;
        if is_other {
            self.changed_namespaces.told_as = told_as.map(str::to_owned);
            self.changed_namespaces.epoch += 1;
            // Whoever asks with an older number is told all.
            self.changed_namespaces.namespaces.clear();
        }
        let was_complete = self.changed_namespaces.is_complete;
        let is_complete = self.policy.is_some() && (was_complete || self.has_decided_all());
        self.changed_namespaces.is_complete = is_complete;
        self.changed_namespaces.is_news |= is_other || is_complete != was_complete;
    }

    fn has_decided_all(&self) -> bool {
        self.domain.is_some()
            && self.waiting.is_empty()
            && Kind::watched().all(|kind| self.listed.contains(&kind))
    }

    /// Whether there is something to report that nobody has been told of.
    pub(in crate::recording) fn take_findings_are_news(&mut self) -> bool {
        std::mem::take(&mut self.changed_namespaces.is_news)
    }

    /// What is found in namespaces that have changed, in all where something is for who knows of another epoch, and in those
    /// that are asked for `again`; in so many at most.
    pub(in crate::recording) fn take_findings(
        &mut self,
        names: &Names,
        known_epoch: u64,
        again: BTreeSet<String>,
        most: usize,
    ) -> FindingsNews {
        let mut changed = std::mem::take(&mut self.changed_namespaces.namespaces);
        let policy = self.changed_namespaces.told_as.as_deref();
        let mut namespaces = Vec::new();
        if let Some(policy) = policy {
            changed.extend(again);
            if known_epoch != self.changed_namespaces.epoch {
                changed.extend(self.index.problems().map(|(source, _)| source.namespace.clone()));
                changed.extend(self.lost_by_objects(names).map(|lost| lost.loser.1.namespace.clone()));
            }
            let mut taken: BTreeSet<String> = BTreeSet::new();
            while taken.len() < most
                && let Some(namespace) = changed.pop_first()
            {
                taken.insert(namespace);
            }
            let lost: Vec<&Conflict> =
                self.lost_by_objects(names).filter(|lost| taken.contains(&lost.loser.1.namespace)).collect();
            for namespace in taken {
                let lost = lost.iter().filter(|lost| lost.loser.1.namespace == namespace);
                let lost = lost.map(|lost| self.lost(lost));
                let findings = Findings::of(policy, self.not_published(&namespace).chain(lost));
                namespaces.push((namespace, findings));
            }
        }
        let wanted = match policy {
            Some(_) => Wanted::Yes,
            // The module of its first policy has not decided on everything.
            None if self.policy.is_none() && self.incoming.is_some() && self.released.is_none() => {
                Wanted::Unknown
            }
            None => Wanted::No,
        };
        let has_more = !changed.is_empty();
        let ChangedNamespaces { epoch, is_complete, .. } = self.changed_namespaces;
        self.changed_namespaces.namespaces = changed;
        FindingsNews { wanted, epoch, is_complete, namespaces, has_more }
    }

    /// What is denied in a namespace, and what the module failed on. That something points nowhere is no matter of policy.
    fn not_published(&self, namespace: &str) -> impl Iterator<Item = Finding> {
        let problems = self.index.problems_in(namespace).filter(|(source, _)| source.kind.is_watched());
        let all = problems.flat_map(|(source, outcomes)| outcomes.iter().map(move |of| (source, of)));
        all.filter_map(|(source, (host_name, outcome))| {
            let (kind, guard) = match &outcome.state {
                State::Denied(denial) => (Outcome::Denied, &denial.guard),
                State::Undecided(failure) => (Outcome::Failed, &failure.guard),
                State::Published | State::Unresolved(_) | State::Asked => return None,
            };
            let (code, why) = explain(&outcome.state)?;
            Some(Finding {
                source: source.clone(),
                uid: self.objects.uid(source).unwrap_or_default().to_owned(),
                host_name: host_name.to_owned(),
                outcome: kind,
                message: not_published(host_name, &code, &why),
                code,
                guard: guard.clone(),
                winner: None,
            })
        })
    }

    /// What an agent asks for is no object that a report could name.
    fn lost_by_objects<'n>(&self, names: &'n Names) -> impl Iterator<Item = &'n Conflict> {
        names.conflicts(&self.id).filter(|lost| lost.loser.1.kind.is_watched())
    }

    fn lost(&self, conflict: &Conflict) -> Finding {
        let source = &conflict.loser.1;
        Finding {
            source: source.clone(),
            uid: self.objects.uid(source).unwrap_or_default().to_owned(),
            host_name: conflict.name.to_string(),
            outcome: Outcome::GaveWay,
            code: codes::CONFLICT.to_owned(),
            message: conflict.told(),
            guard: None,
            winner: conflict.winner.clone(),
        }
    }
}
