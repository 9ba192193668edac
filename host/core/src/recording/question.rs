//! What a module is asked, and what it answers.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, Hasher as _, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use crate::cluster::{ClusterId, SourceRef};
use crate::cluster_policy::ClusterModule;
use crate::decide::{AllowedNames, Decision, cluster_domain, decide};
use crate::details::{AskedClaim, NameCounts, PublishedNames, names_of};
use crate::name::HostName;
use crate::policy::{FailureKind, PolicyFailure};

/// Whether what a module answers is acted upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The module decides.
    Active,
    /// The module will decide, once it has done so on everything that there is.
    Incoming,
    /// The module is only compared with the one that decides.
    Candidate,
}

/// Stands for everything that a decision depends on: module, context, domain and claim.
///
/// Two hashes with keys that nobody outside of the process knows: no tenant can make two questions that
/// are taken for one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QuestionId(u64, u64);

static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(Default::default);

impl QuestionId {
    fn of(value: &impl Hash) -> Self {
        let [first, second] = KEYS.each_ref().map(|keys| keys.hash_one(value));
        Self(first, second)
    }
}

/// Whom questions go to, and what holds for all of them.
#[derive(Clone, Copy)]
pub(super) struct Scope(QuestionId);

impl Scope {
    /// Questions to a module about a cluster with these names.
    pub(super) fn new(module: &ClusterModule, allowed: &AllowedNames) -> Self {
        Self(QuestionId::of(&(&module.module_digest, &module.guards, &*module.context, allowed)))
    }

    /// A question about a claim.
    pub(super) fn question(self, asked: &AskedClaim) -> QuestionId {
        let mut hashers = KEYS.each_ref().map(RandomState::build_hasher);
        let [first, second] = &mut hashers;
        for hasher in [first, second] {
            self.0.hash(hasher);
            asked.hash(hasher);
        }
        QuestionId(hashers[0].finish(), hashers[1].finish())
    }
}

/// What a module has decided.
#[derive(Default)]
pub struct Decisions {
    by_question: HashMap<QuestionId, Decision>,
    claims: Vec<(SourceRef, String, QuestionId)>,
    /// What was told of published names, where that was counted while the module was asked.
    counted: HashMap<SourceRef, Vec<(String, PublishedNames)>>,
}

impl Decisions {
    pub(super) fn get(&self, question: QuestionId) -> Option<&Decision> {
        self.by_question.get(&question)
    }

    /// What the module was told of published names when it was asked about this claim, where that was counted then.
    pub(super) fn counted(&self, source: &SourceRef, host_name: &str) -> Option<PublishedNames> {
        let counted = self.counted.get(source)?;
        counted.iter().find(|(other, _)| other == host_name).map(|(_, published)| *published)
    }

    /// The objects that were asked about, one after another; each may be there several times.
    pub fn sources(&self) -> impl Iterator<Item = &SourceRef> {
        self.claims.iter().map(|(source, ..)| source)
    }

    pub(super) fn into_questions(self) -> impl Iterator<Item = (QuestionId, Decision)> {
        self.by_question.into_iter()
    }

    /// Object, host name and decision.
    pub(super) fn into_claims(self) -> impl Iterator<Item = (SourceRef, String, Decision)> {
        let Self { by_question, claims, counted: _ } = self;
        claims.into_iter().filter_map(move |(source, host_name, question)| {
            Some((source, host_name, by_question.get(&question)?.clone()))
        })
    }

    fn count(&mut self, AskedClaim { source, claim, published_names, .. }: &AskedClaim) {
        let counted = published_names.map(|published| (claim.host_name.clone(), published));
        self.counted.entry(source.clone()).or_default().extend(counted);
    }

    fn add(&mut self, question: QuestionId, asked: AskedClaim, decision: Decision) {
        self.claims.push((asked.source, asked.claim.host_name, question));
        self.by_question.insert(question, decision);
    }
}

#[cfg(test)]
impl Decisions {
    pub(super) fn add_for_test(&mut self, number: u64, decision: Decision) {
        self.by_question.insert(QuestionId(number, number), decision);
    }
}

/// Tells the answer to a job from that to another one.
pub type Ticket = u64;

/// Questions to one module about one cluster; answered together.
pub struct Job {
    /// Name of the policy.
    pub policy_name: String,
    /// Whether the answer is acted upon.
    pub role: Role,
    /// The cluster.
    pub cluster: ClusterId,
    /// Comes back with the answer.
    pub ticket: Ticket,
    /// Whom to ask.
    pub module: ClusterModule,
    /// `None`: the domain is asked first, and its answer holds for the claims.
    pub allowed: Option<Arc<AllowedNames>>,
    /// The claims.
    pub claims: Vec<AskedClaim>,
    /// How many names are published, where the module asks for it. Claims that bring no count of their own find
    /// these, and those that were published before them in the job.
    pub counts: Option<NameCounts>,
    /// How many questions per second the cluster may have asked, on average.
    pub questions_per_second: u32,
}

/// The answer to a job.
pub struct Answer {
    /// As in the job.
    pub role: Role,
    /// As in the job.
    pub cluster: ClusterId,
    /// As in the job.
    pub ticket: Ticket,
    /// The domain, if the job asked for it.
    pub domain: Option<Result<HostName, PolicyFailure>>,
    /// Empty where there is no domain.
    pub decisions: Decisions,
}

/// A job that is being answered, one question at a time: whoever asks may turn to another cluster's in
/// between.
pub struct Answering {
    job: Job,
    claims: std::vec::IntoIter<AskedClaim>,
    domain: Option<Result<HostName, PolicyFailure>>,
    scope: Option<Scope>,
    decisions: Decisions,
}

impl Answering {
    /// Nothing has been asked yet.
    #[must_use]
    pub fn new(mut job: Job) -> Self {
        let claims = std::mem::take(&mut job.claims).into_iter();
        Self { job, claims, domain: None, scope: None, decisions: Decisions::default() }
    }

    /// The job.
    #[must_use]
    pub const fn job(&self) -> &Job {
        &self.job
    }

    /// Asks one question. Gives whether there may be more; claims that `is_wanted` does not want any more
    /// are passed over.
    pub fn step(&mut self, is_wanted: impl Fn(&AskedClaim) -> bool) -> bool {
        let module = &self.job.module;
        let Some(allowed) = &self.job.allowed else {
            let domain = guarded(|| cluster_domain(&*module.policy, &module.context)).unwrap_or_else(Err);
            self.job.allowed = domain.clone().ok().map(|domain| Arc::new(module.allowed(domain)));
            let goes_on = domain.is_ok() && self.claims.len() > 0;
            self.domain = Some(domain);
            return goes_on;
        };
        let Some(mut asked) = self.claims.find(|asked| is_wanted(asked)) else { return false };
        let scope = *self.scope.get_or_insert_with(|| Scope::new(module, allowed));
        let counts = self.job.counts.as_mut().filter(|_| asked.published_names.is_none());
        asked.published_names =
            asked.published_names.or_else(|| Some(counts.as_deref()?.found_in(&asked.source.namespace)));
        let decision = guarded(|| decide(&*module.policy, &module.context, allowed, &asked));
        let decision = decision.unwrap_or_else(Decision::Undecided);
        if let Some(counts) = counts {
            if let Decision::Publish(record_sets) = &decision {
                counts.add(&asked.source.namespace, names_of(record_sets));
            }
            self.decisions.count(&asked);
        }
        self.decisions.add(scope.question(&asked), asked, decision);
        self.claims.len() > 0
    }

    /// What has been answered.
    #[must_use]
    pub fn finish(self) -> Answer {
        let Self { job: Job { role, cluster, ticket, .. }, domain, decisions, .. } = self;
        Answer { role, cluster, ticket, domain, decisions }
    }
}

impl Job {
    /// Asks the module everything at once.
    #[must_use]
    pub fn answer(self) -> Answer {
        let mut answering = Answering::new(self);
        while answering.step(|_| true) {}
        answering.finish()
    }
}

/// A panic while a module is asked is a bug of ours. It costs this one answer, which is asked for again.
fn guarded<T>(ask: impl FnOnce() -> T) -> Result<T, PolicyFailure> {
    catch_unwind(AssertUnwindSafe(ask)).map_err(|_| {
        PolicyFailure::new(
            FailureKind::Internal,
            "the service failed while it asked the module; its log says why",
        )
    })
}
