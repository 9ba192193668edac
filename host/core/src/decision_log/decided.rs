//! What recording tells of a decision.

use std::sync::Arc;

use super::entry::Answer;
use crate::cluster::{ClusterId, SourceRef};
use crate::cluster_policy::ClusterModule;
use crate::decide::AllowedNames;
use crate::details::AskedClaim;
use crate::record::RecordSet;

/// What was decided on a claim, where that is new.
#[derive(Clone)]
pub struct Decided {
    /// The cluster.
    pub cluster: ClusterId,
    /// The object.
    pub source: SourceRef,
    /// The host name as the object has it.
    pub host_name: String,
    /// What was asked; `None` where no module is asked.
    pub question: Option<Question>,
    /// What was answered.
    pub answer: Answer,
    /// What is published for it: after an answer, or what stays without one.
    pub record_sets: Arc<[RecordSet]>,
}

/// What was asked, and whom.
#[derive(Clone)]
pub struct Question {
    /// Name of the DNSPolicy.
    pub policy_name: String,
    /// The module, and what it is told in every question.
    pub module: ClusterModule,
    /// Where the cluster may publish.
    pub allowed: Arc<AllowedNames>,
    /// The claim.
    pub asked: AskedClaim,
}

impl std::fmt::Debug for Decided {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { cluster, source, host_name, question, answer, record_sets } = self;
        let mut shown = f.debug_struct("Decided");
        shown.field("cluster", cluster).field("source", source).field("host_name", host_name);
        shown.field("asked", &question.as_ref().map(|question| &question.asked));
        shown.field("answer", answer).field("record_sets", record_sets).finish_non_exhaustive()
    }
}
