//! The questions of a decision log, asked of another module.
//!
//! ```text
//! DecisionLog ──questions, with their last answers──► another module, the host's rules ──► what differs
//! ```
//! Every question is asked that stands in the log, each once, with all that the module was told then. A module that wants
//! to be told more than that cannot be asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::codes;
use openmcp_dns_core::compare::{Difference, difference};
use openmcp_dns_core::decide::{AllowedNames, Decision, cluster_domain, decide};
use openmcp_dns_core::decision_log::{
    Answer, AskedIn, ClaimAnswered, DecisionLog, Entry, Event, QuestionAsked,
};
use openmcp_dns_core::details::{AskedClaim, Detail};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::{Context, Denial, FailureKind, Policy, PolicyFailure};
use openmcp_dns_core::record::lines;
use openmcp_dns_core::resolve::Claim;
use openmcp_dns_core::srv_records::WithSrvRecords;
use openmcp_dns_policy::Module;
use schemars::JsonSchema;
use serde::Serialize;

/// What another module would decide otherwise.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replay {
    /// Questions that stand in the log.
    pub questions: usize,
    /// Questions that are decided as they were.
    pub same: usize,
    /// Clusters that would have another domain.
    pub domains: Vec<OtherDomain>,
    /// Questions that would be decided otherwise.
    pub differences: Vec<Differing>,
    /// Why some questions cannot be asked, and how many for each reason.
    pub not_asked: BTreeMap<String, usize>,
}

/// A cluster that would have another domain.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OtherDomain {
    /// The cluster.
    pub cluster: String,
    /// The one that it had.
    pub old: HostName,
    /// The one that it would have.
    pub new: Option<HostName>,
    /// Why it would have none.
    pub no_domain: Option<String>,
}

/// A question that would be decided otherwise.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Differing {
    /// When it was answered.
    pub time: String,
    /// The cluster.
    pub cluster: String,
    /// The object.
    pub object: String,
    /// The host name as the object has it.
    pub host_name: String,
    /// How it differs.
    pub difference: &'static str,
    /// What was decided, as lines.
    pub old: Vec<String>,
    /// What would be.
    pub new: Vec<String>,
    #[serde(skip)]
    kind: Difference,
}

/// What the questions of one cluster have in common, for the other module.
struct Asking {
    policy: Arc<dyn Policy>,
    context: Context,
    allowed: Result<AllowedNames, String>,
}

impl Replay {
    /// Asks a module; `configuration` (JSON text) takes the place of the one that was asked with.
    #[must_use]
    pub fn of(log: &DecisionLog, module: &Arc<Module>, configuration: Option<&str>) -> Self {
        let mut replay = Self::default();
        let mut domains = BTreeSet::new();
        let asking: BTreeMap<&str, Result<Asking, String>> = log
            .asked_in
            .iter()
            .map(|(id, asked_in)| (id.as_str(), Asking::of(asked_in, module, configuration, &mut domains)))
            .collect();
        for (answered, question, time) in questions(log) {
            replay.questions += 1;
            if answered.answer.is_by_guard() {
                let why = "a guard answered, before the module was asked".to_owned();
                *replay.not_asked.entry(why).or_default() += 1;
                continue;
            }
            let asking = match asking.get(question.asked_in.as_str()) {
                Some(Ok(asking)) => asking,
                Some(Err(why)) => {
                    *replay.not_asked.entry(why.clone()).or_default() += 1;
                    continue;
                }
                None => {
                    let why = "the line with what the module was told besides is missing".to_owned();
                    *replay.not_asked.entry(why).or_default() += 1;
                    continue;
                }
            };
            let new = asking.decide(answered, question);
            match differs(answered, &new) {
                None => replay.same += 1,
                Some(kind) => replay.differences.push(Differing {
                    time: time.to_owned(),
                    cluster: answered.cluster.to_string(),
                    object: answered.object.to_string(),
                    host_name: answered.host_name.clone(),
                    difference: kind.as_str(),
                    old: said(answered),
                    new: new.lines(),
                    kind,
                }),
            }
        }
        replay.domains.extend(domains);
        replay
    }

    /// Whether nothing would be decided otherwise, of what was asked.
    #[must_use]
    pub const fn is_same(&self) -> bool {
        self.domains.is_empty() && self.differences.is_empty()
    }

    /// How many questions differ in this way.
    #[must_use]
    pub fn count(&self, kind: Difference) -> usize {
        self.differences.iter().filter(|differing| differing.kind == kind).count()
    }
}

/// A question is the same when all that the module is told is.
type Key<'l> = (&'l ClusterId, &'l SourceRef, &'l str, String);

/// Every question that a module has answered, once, with the last answer and when that was.
fn questions(log: &DecisionLog) -> impl Iterator<Item = (&ClaimAnswered, &QuestionAsked, &str)> {
    let mut questions: BTreeMap<Key<'_>, (&ClaimAnswered, &QuestionAsked, &str)> = BTreeMap::new();
    for Entry { time, event } in &log.entries {
        let Event::Decided(answered) = event else { continue };
        // No module has a say in how many names a cluster may have in all.
        let is_of_budget =
            matches!(&answered.answer, Answer::Denied { code, .. } if code == codes::TOO_MANY_NAMES);
        if let Some(question) = answered.question.as_ref().filter(|_| !is_of_budget) {
            let text = serde_json::to_string(question).unwrap_or_default();
            let key = (&answered.cluster, &answered.object, answered.host_name.as_str(), text);
            questions.insert(key, (answered, question, time));
        }
    }
    questions.into_values()
}

impl Asking {
    fn of(
        asked_in: &AskedIn,
        module: &Arc<Module>,
        configuration: Option<&str>,
        domains: &mut BTreeSet<OtherDomain>,
    ) -> Result<Self, String> {
        let AskedIn { id: _, policy: _, domain: old, wildcards, ttl, srv_records, details, context } =
            asked_in;
        let mut context = context.clone();
        if let Some(configuration) = configuration {
            configuration.clone_into(&mut context.configuration);
        }
        let untold: Vec<String> = module
            .details()
            .iter()
            .filter(|detail| !details.contains(detail))
            .map(|detail| format!("{detail:?}"))
            .collect();
        if !untold.is_empty() {
            return Err(format!(
                "the module wants to be told what the one that decided was not: {}",
                untold.join(", ")
            ));
        }
        if let Err(error) = module.check_configuration(&context.configuration) {
            return Err(format!("the module refuses the configuration: {error}"));
        }
        let domain = cluster_domain(&**module, &context).map_err(|failure| failure.to_string());
        if domain.as_ref() != Ok(old) {
            let (cluster, old) = (context.cluster.id.to_string(), old.clone());
            let (new, no_domain) = (domain.clone().ok(), domain.clone().err());
            domains.insert(OtherDomain { cluster, old, new, no_domain });
        }
        let allowed = domain.map(|domain| AllowedNames::of(&context, domain, *wildcards, *ttl));
        let policy = WithSrvRecords::if_wanted(*srv_records, Arc::clone(module) as Arc<dyn Policy>);
        Ok(Self { policy, context, allowed })
    }

    fn decide(&self, answered: &ClaimAnswered, question: &QuestionAsked) -> Decision {
        let Self { policy, context, allowed } = self;
        let allowed = match allowed {
            Ok(allowed) => allowed,
            Err(why) => {
                let message = format!("the cluster has no domain: {why}");
                return Decision::Undecided(PolicyFailure::new(FailureKind::Refused, message));
            }
        };
        let QuestionAsked { asked_in: _, targets, ttl_seconds, labels, details, published_names } =
            question.clone();
        let claim = Claim { host_name: answered.host_name.clone(), targets, ttl_seconds };
        let asked = AskedClaim {
            details: details.map(|details| Arc::new(details.only(policy.details()))),
            published_names: published_names.filter(|_| policy.details().contains(&Detail::PublishedNames)),
            ..AskedClaim::new(answered.object.clone(), labels, claim)
        };
        decide(&**policy, context, allowed, &asked)
    }
}

/// What was decided, as lines.
fn said(answered: &ClaimAnswered) -> Vec<String> {
    match &answered.answer {
        Answer::Published if answered.records.is_empty() => vec!["no records".to_owned()],
        Answer::Published => answered.records.clone(),
        Answer::Denied { code, message, guard: _ } => vec![format!("denied, {code}: {message}")],
        Answer::Undecided { message, guard: _ } | Answer::Unresolved { message } => {
            vec![format!("undecided: {message}")]
        }
        Answer::Withdrawn => Vec::new(),
    }
}

/// How a decision differs from what was answered.
fn differs(answered: &ClaimAnswered, new: &Decision) -> Option<Difference> {
    match (&answered.answer, new) {
        (Answer::Published, Decision::Publish(sets)) => {
            (answered.records != lines(sets)).then_some(Difference::OtherRecords)
        }
        (Answer::Published, _) => difference(Some(&Decision::Publish(Arc::default())), Some(new)),
        (Answer::Denied { code, message, guard: _ }, _) => {
            let denial = Denial::new(code.clone(), message.clone());
            difference(Some(&Decision::Deny(denial)), Some(new))
        }
        (Answer::Undecided { .. } | Answer::Unresolved { .. } | Answer::Withdrawn, _) => {
            difference(None, Some(new))
        }
    }
}

#[cfg(test)]
mod tests {
    use openmcp_dns_api::{Cluster, DNSPolicy};
    use openmcp_dns_core::decision_log::{Book, Decided, Question};
    use openmcp_dns_core::kinds::Kind;
    use openmcp_dns_core::labels::Labels;
    use openmcp_dns_policy::{Engine, Limits, STANDARD};

    use super::*;
    use crate::loaded_policy::LoadedPolicy;

    /// Counts names, so that it has to be told how many there are.
    const LANDSCAPE_RULES: &[u8] = include_bytes!("../../../policies/landscape-rules/landscape-rules.wasm");

    /// The log of a cluster whose module has decided on these host names, and the module of the engine.
    fn log(engine: &Engine, host_names: &[&str]) -> (DecisionLog, Arc<Module>) {
        let spec = serde_json::json!({ "baseDomain": "openmcp.cluster", "configuration": { "reservedNames": ["admin"] } });
        let policy = DNSPolicy::new("p", serde_json::from_value(spec).unwrap());
        let loaded = LoadedPolicy::load(engine, STANDARD, Some(&policy)).unwrap();
        let id = ClusterId::new("s", "w1");
        let module = loaded.cluster_policy(&id, &Cluster::default()).module;
        let allowed = Arc::new(module.allowed("w1.openmcp.cluster".parse().unwrap()));
        let (mut book, mut text) = (Book::default(), String::new());
        for host_name in host_names {
            let source = SourceRef::new(Kind::Ingress, "n", *host_name);
            let claim = Claim {
                host_name: (*host_name).to_owned(),
                targets: vec!["10.0.0.1".to_owned()],
                ttl_seconds: None,
            };
            let asked = AskedClaim::new(source.clone(), Labels::default(), claim);
            let (answer, record_sets) = match decide(&*module.policy, &module.context, &allowed, &asked) {
                Decision::Publish(record_sets) => (Answer::Published, record_sets),
                Decision::Deny(Denial { code, message, guard }) => {
                    (Answer::Denied { code, message, guard }, Arc::default())
                }
                Decision::Undecided(failure) => panic!("{failure}"),
            };
            let question = Question {
                policy_name: "p".to_owned(),
                module: module.clone(),
                allowed: Arc::clone(&allowed),
                asked,
            };
            text += &book.decided(
                "2026-01-01T00:00:00.000Z",
                &Decided {
                    cluster: id.clone(),
                    source,
                    host_name: (*host_name).to_owned(),
                    question: Some(question),
                    answer,
                    record_sets,
                },
            );
        }
        (DecisionLog::read([text.as_str()]), loaded.module)
    }

    #[test]
    fn the_same_module_decides_the_same_and_another_configuration_shows_what_differs() {
        let engine = Engine::new(Limits::default()).unwrap();
        let names = ["shop.w1.openmcp.cluster", "admin.w1.openmcp.cluster", "shop.example"];
        let (log, module) = log(&engine, &names);
        let replay = Replay::of(&log, &module, None);
        assert!(replay.is_same() && replay.not_asked.is_empty(), "{replay:#?}");
        assert_eq!((replay.questions, replay.same), (3, 3));

        let replay = Replay::of(&log, &module, Some(r#"{"reservedNames":["shop"]}"#));
        let found: Vec<(&str, &str)> = replay
            .differences
            .iter()
            .map(|differing| (differing.host_name.as_str(), differing.difference))
            .collect();
        assert_eq!(
            found,
            [("admin.w1.openmcp.cluster", "newly allowed"), ("shop.w1.openmcp.cluster", "newly denied")]
        );
        assert_eq!(replay.same, 1, "what lies outside the host denies whatever a module says");

        let replay = Replay::of(&log, &module, Some(r#"{"domainTemplate":"{cluster}.{namespace}.{base}"}"#));
        assert_eq!(replay.domains[0].new.as_ref().unwrap().as_str(), "w1.s.openmcp.cluster");
        assert_eq!(replay.count(Difference::NewlyDenied), 1, "{replay:#?}");
    }

    #[test]
    fn what_a_guard_answered_the_module_is_not_asked_again() {
        let engine = Engine::new(Limits::default()).unwrap();
        let (mut log, module) = log(&engine, &["shop.w1.openmcp.cluster", "api.w1.openmcp.cluster"]);
        let guard = Some("quota".to_owned());
        let Event::Decided(answered) = &mut log.entries[0].event else { panic!("{log:?}") };
        answered.answer =
            Answer::Denied { code: "no".to_owned(), message: "enough of them".to_owned(), guard };
        // As it is written and read again.
        let text: String = log.entries.iter().map(Entry::to_line).collect();
        let DecisionLog { asked_in, .. } = log;
        let log = DecisionLog { asked_in, ..DecisionLog::read([text.as_str()]) };
        let replay = Replay::of(&log, &module, None);
        assert_eq!((replay.questions, replay.same), (2, 1), "{replay:#?}");
        assert!(replay.not_asked.keys().all(|why| why.starts_with("a guard answered")), "{replay:#?}");
        assert_eq!(replay.not_asked.len(), 1);
    }

    #[test]
    fn what_a_module_was_not_told_and_a_configuration_that_it_refuses_are_no_answers() {
        let engine = Engine::new(Limits::default()).unwrap();
        let (log, module) = log(&engine, &["shop.w1.openmcp.cluster"]);
        let other = Arc::new(engine.compile(LANDSCAPE_RULES).unwrap());
        let replay = Replay::of(&log, &other, Some("{}"));
        let (why, count) = replay.not_asked.first_key_value().unwrap();
        assert!(why.contains("PublishedNames") && *count == 1, "{why}");
        let replay = Replay::of(&log, &module, Some(r#"{"unknown":1}"#));
        let (why, _) = replay.not_asked.first_key_value().unwrap();
        assert!(why.contains("refuses the configuration"), "{why}");
        // The last line without the one that it refers to.
        let DecisionLog { entries, .. } = log;
        let replay = Replay::of(&DecisionLog { entries, ..DecisionLog::default() }, &module, None);
        assert_eq!((replay.questions, replay.same, replay.not_asked.len()), (1, 0, 1));
    }
}
