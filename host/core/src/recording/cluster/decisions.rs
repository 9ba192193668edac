//! What is told of decisions, where somebody keeps a log of them.
//!
//! Told is what is new: another answer, or the same to another question. That another module says the same is not.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};

use super::{ClusterEffect, ClusterRecords, Surroundings};
use crate::cluster::SourceRef;
use crate::decision_log::{Answer, Decided, Question};
use crate::details::AskedClaim;
use crate::index::State;
use crate::recording::messages::Report;

/// What was told of each claim, as a hash. A claim with another one is told of.
#[derive(Default)]
pub(super) struct ToldDecisions {
    by_source: BTreeMap<SourceRef, Vec<(Box<str>, u64)>>,
    keys: RandomState,
}

/// The questions about one object.
#[derive(Default)]
pub(super) struct Questions {
    /// Those that are answered.
    pub(super) answered: Vec<AskedClaim>,
    /// Host names of those that are open: what was answered before holds.
    pub(super) open: Vec<String>,
}

impl ClusterRecords {
    /// Tells what is new of the decisions on an object; without questions, only of what leads nowhere.
    pub(super) fn tell_decisions(
        &mut self,
        source: &SourceRef,
        questions: Option<Questions>,
        around: &mut Surroundings<'_>,
    ) {
        let Some(told) = &mut self.told_decisions else { return };
        let is_known = source.kind.needs().all(|kind| self.listed.contains(&kind));
        let before = told.by_source.remove(source).unwrap_or_default();
        let (mut now, mut decided) = (Vec::new(), Vec::new());
        let asks = self.policy.as_ref().zip(self.domain.as_ref().and_then(|domain| domain.as_ref().ok()));
        let outcomes = self.index.outcomes(source).into_iter().flat_map(|outcomes| outcomes.iter());
        for (host_name, outcome) in outcomes {
            let old = before.iter().find(|(other, _)| **other == *host_name);
            let stays = match (&outcome.state, &questions) {
                (State::Unresolved(_), _) => !is_known,
                (_, None) => true,
                (_, Some(questions)) => questions.open.iter().any(|open| open == host_name),
            };
            let Some(answer) = Answer::of(&outcome.state).filter(|_| !stays) else {
                now.extend(old.cloned());
                continue;
            };
            let answered = questions.iter().flat_map(|questions| &questions.answered);
            let asked = answered.into_iter().find(|asked| asked.claim.host_name == host_name).cloned();
            let question = asks.zip(asked).map(|((policy, allowed), asked)| Question {
                policy_name: policy.policy_name.clone(),
                module: policy.module.clone(),
                allowed: allowed.clone(),
                asked,
            });
            let context = question.as_ref().map(|Question { module, allowed, asked, .. }| {
                (&*module.context, module.wildcards, allowed, &asked.claim, &asked.labels, &asked.details)
            });
            let content = told.keys.hash_one((context, &answer, &outcome.record_sets));
            now.push((host_name.into(), content));
            if old.is_none_or(|(_, old)| *old != content) {
                let record_sets = outcome.record_sets.clone();
                decided.push((host_name.to_owned(), question, answer, record_sets));
            }
        }
        let gone = before.into_iter().filter(|(old, _)| !now.iter().any(|(host_name, _)| host_name == old));
        decided.extend(
            gone.map(|(host_name, _)| (host_name.into(), None, Answer::Withdrawn, std::sync::Arc::default())),
        );
        if !now.is_empty() {
            told.by_source.insert(source.clone(), now);
        }
        for (host_name, question, answer, record_sets) in decided {
            let (cluster, source) = (self.id.clone(), source.clone());
            let decided = Decided { cluster, source, host_name, question, answer, record_sets };
            around.effects.push(ClusterEffect::Tell(Report::Decided(Box::new(decided))));
        }
    }
}
