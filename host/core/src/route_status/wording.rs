//! What is said of a route, from what is known of it.

use std::collections::BTreeSet;

use super::facts::{ClaimFacts, NameAnswer, NameStanding, ParentFacts, RouteFacts};
use crate::index::State;
use crate::kinds::{Entry, EntryCondition, PROPAGATED};
use crate::name::HostName;
use crate::probing::Standing;
use crate::recording::explain;

/// Makes the reasons and their list of one table, so that neither lacks one.
macro_rules! reasons {
    ($($(#[$doc:meta])+ $reason:ident,)+) => {
        /// The reason of a condition of a route.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum RouteReason {
            $($(#[$doc])+ $reason,)+
        }

        impl RouteReason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$reason),+];

            /// As it is written.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$reason => stringify!($reason),)+
                }
            }
        }
    };
}

reasons! {
    /// All is as it should be.
    Succeeded,
    /// It is not yet to be said.
    InProgress,
    /// A claim is denied.
    HostNameDenied,
    /// A claim gives way to another.
    HostNameConflict,
    /// A claim points nowhere.
    HostNameUnresolved,
    /// The policy module failed.
    PolicyFailed,
    /// The store refuses what is to be written.
    StoreUnavailable,
    /// The central DNS answers something else.
    Mismatch,
    /// The central DNS does not answer.
    NoAnswer,
    /// Nobody knows where the central DNS is.
    NoCentralServer,
}

/// Most names or reasons that a message lists.
const MOST_LISTED: usize = 5;

/// Longest text of another's that a message repeats, in characters.
const LONGEST_TEXT: usize = 500;

/// What is known of the answers to names.
pub(super) trait Answers {
    /// Whether anybody asks the DNS servers.
    fn are_asked_for(&self) -> bool;

    /// How a name is answered by the central DNS; `None` while nobody knows.
    fn answer(&self, name: &HostName) -> Option<&NameAnswer>;

    /// How far what is answered has come.
    fn spread(&self, name: &HostName) -> SpreadFinding<'_>;
}

/// How far an answer has come.
pub(super) enum SpreadFinding<'a> {
    /// Every DNS server has it, and every cache has forgotten the one before.
    Everywhere,
    /// Caches have forgotten the one before so many seconds after every DNS server has it.
    Spreading(u32),
    /// A DNS server answers something else.
    Lacking(&'a str),
}

/// What is said of one route.
pub(super) struct Said {
    /// The entries.
    pub(super) entries: Vec<Entry>,
    /// Whether it is said of what has come to a rest, but for caches.
    pub(super) is_settled: bool,
    /// Names of which it is to be found out how far what is answered has come.
    pub(super) names: BTreeSet<HostName>,
}

#[derive(Clone)]
struct Finding {
    status: &'static str,
    reason: RouteReason,
    message: String,
}

impl Finding {
    fn of(status: Option<bool>, reason: RouteReason, message: impl Into<String>) -> Self {
        let status = match status {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        Self { status, reason, message: message.into() }
    }

    fn is_true(&self) -> bool {
        self.status == "True"
    }

    fn condition(self, condition_type: &'static str, generation: i64) -> EntryCondition {
        let Self { status, reason, message } = self;
        let reason = reason.as_str();
        EntryCondition { condition_type, status, reason, message, observed_generation: generation }
    }
}

/// What is to be said of a route. `are_propagated` says of the entries, with all else that they say, whether it is known
/// from before that their names are propagated.
pub(super) fn said(
    facts: &RouteFacts,
    answers: &impl Answers,
    are_propagated: impl Fn(&[Entry], &BTreeSet<HostName>) -> bool,
) -> Said {
    let mut said = Said { entries: Vec::new(), is_settled: true, names: BTreeSet::new() };
    let mut open = Vec::new();
    for ParentFacts { parent, claims } in facts.parents.iter().filter(|parent| !parent.claims.is_empty()) {
        let recorded = recorded(claims);
        let resolvable = resolvable(&recorded, claims, answers);
        said.is_settled &= resolvable.reason != RouteReason::InProgress;
        if resolvable.is_true() {
            said.names.extend(names(claims).cloned());
        }
        let spread = spread(&resolvable, claims, answers);
        let propagated = if resolvable.is_true() { Finding::good_spread() } else { spread.clone() };
        open.push(spread);
        let conditions = [("Recorded", recorded), ("Resolvable", resolvable), (PROPAGATED, propagated)];
        let conditions = conditions.map(|(name, finding)| finding.condition(name, facts.generation));
        said.entries.push(Entry { parent: parent.clone(), conditions: conditions.into() });
    }
    if are_propagated(&said.entries, &said.names) {
        said.names.clear();
    } else {
        for (entry, spread) in said.entries.iter_mut().zip(open) {
            entry.conditions.pop();
            entry.conditions.push(spread.condition(PROPAGATED, facts.generation));
        }
    }
    said
}

/// The worst of what is known of claims, and all claims of which that is to be said.
fn recorded(claims: &[ClaimFacts]) -> Finding {
    let mut worst: Option<(usize, RouteReason)> = None;
    let mut texts: Vec<String> = Vec::new();
    for claim in claims {
        let Some((reason, text)) = trouble(claim) else { continue };
        let rank = RouteReason::ALL.iter().position(|other| *other == reason).unwrap_or_default();
        let rank = if reason == RouteReason::InProgress { usize::MAX } else { rank };
        if worst.is_none_or(|(known, _)| rank < known) {
            worst = Some((rank, reason));
        }
        texts.push(text);
    }
    let Some((_, reason)) = worst else {
        let mut lines: Vec<String> = claims.iter().flat_map(values).collect();
        lines.dedup();
        return Finding::of(Some(true), RouteReason::Succeeded, listed(&lines));
    };
    let status = match reason {
        RouteReason::InProgress | RouteReason::PolicyFailed => None,
        _ => Some(false),
    };
    Finding::of(status, reason, listed(&texts))
}

/// Why a claim is not recorded; `None` where it is.
fn trouble(claim: &ClaimFacts) -> Option<(RouteReason, String)> {
    let ClaimFacts { host_name, state, published } = claim;
    let reason = match state {
        State::Published => None,
        State::Asked => {
            return Some((RouteReason::InProgress, format!("{host_name}: the policy module is being asked")));
        }
        State::Denied(_) => Some(RouteReason::HostNameDenied),
        State::Undecided(_) => Some(RouteReason::PolicyFailed),
        State::Unresolved(_) => Some(RouteReason::HostNameUnresolved),
    };
    if let Some((reason, (code, why))) = reason.zip(explain(state)) {
        return Some((reason, format!("{host_name} is not published ({code}): {}", cut(&why))));
    }
    let worst = published.iter().filter_map(|(name, standing)| match standing {
        NameStanding::GaveWay(why) => Some((0, RouteReason::HostNameConflict, cut(why))),
        NameStanding::Refused(why) => {
            let why = format!("{name}: the store does not take it: {}", cut(why));
            Some((1, RouteReason::StoreUnavailable, why))
        }
        NameStanding::Open => Some((2, RouteReason::InProgress, format!("{name} is being written"))),
        NameStanding::Stored(_) => None,
    });
    worst.min_by_key(|(rank, ..)| *rank).map(|(_, reason, text)| (reason, text))
}

/// What is published for a claim, in words.
fn values(claim: &ClaimFacts) -> impl Iterator<Item = String> {
    claim.published.iter().filter_map(|(name, standing)| match standing {
        NameStanding::Stored(values) => {
            let shown: Vec<String> = values.iter().take(MOST_LISTED).map(ToString::to_string).collect();
            let more = if values.len() > MOST_LISTED { " ..." } else { "" };
            Some(format!("{name} {}{more}", shown.join(" ")))
        }
        _ => None,
    })
}

fn resolvable(recorded: &Finding, claims: &[ClaimFacts], answers: &impl Answers) -> Finding {
    if !recorded.is_true() {
        return Finding { message: "not all names are recorded".to_owned(), ..recorded.clone() };
    }
    if !answers.are_asked_for() {
        let why = "nobody knows where the central DNS is";
        return Finding::of(None, RouteReason::NoCentralServer, why);
    }
    let mut wrong: Option<(RouteReason, Vec<String>)> = None;
    let mut outstanding = Vec::new();
    for (name, standing) in claims.iter().flat_map(|claim| &claim.published) {
        let NameStanding::Stored(values) = standing else { continue };
        let answer = answers.answer(name).filter(|answer| answer.expectation.values == *values);
        let (reason, text) = match answer.map(|answer| &answer.standing) {
            Some(Standing::Matching) => continue,
            Some(Standing::Mismatching(answer)) => {
                (RouteReason::Mismatch, format!("{name}: the central DNS answers {}", cut(answer)))
            }
            Some(Standing::Unanswered(why)) => (RouteReason::NoAnswer, format!("{name}: {}", cut(why))),
            Some(Standing::Outstanding) | None => {
                outstanding.push(format!("{name} is not answered yet"));
                continue;
            }
        };
        let (_, texts) = wrong.get_or_insert((reason, Vec::new()));
        texts.push(text);
    }
    match wrong {
        Some((reason, texts)) => Finding::of(Some(false), reason, listed(&texts)),
        None if !outstanding.is_empty() => Finding::of(None, RouteReason::InProgress, listed(&outstanding)),
        None => Finding::of(Some(true), RouteReason::Succeeded, "the central DNS answers all names so"),
    }
}

fn spread(resolvable: &Finding, claims: &[ClaimFacts], answers: &impl Answers) -> Finding {
    if !resolvable.is_true() {
        return Finding { message: "not all names are resolvable".to_owned(), ..resolvable.clone() };
    }
    let mut longest = None;
    for name in names(claims) {
        match answers.spread(name) {
            SpreadFinding::Everywhere => {}
            SpreadFinding::Spreading(seconds) => longest = longest.max(Some(seconds)),
            SpreadFinding::Lacking(why) => {
                return Finding::of(Some(false), RouteReason::Mismatch, format!("{name}: {}", cut(why)));
            }
        }
    }
    let Some(seconds) = longest else { return Finding::good_spread() };
    // The same while they are asked and afterwards: that is one write less.
    let why = format!(
        "who asked before may keep an old answer for {seconds} s after every DNS server has the new one"
    );
    Finding::of(None, RouteReason::InProgress, why)
}

impl Finding {
    fn good_spread() -> Self {
        let why = "every DNS server has them, and what was answered before has run out";
        Self::of(Some(true), RouteReason::Succeeded, why)
    }
}

fn names(claims: &[ClaimFacts]) -> impl Iterator<Item = &HostName> {
    claims.iter().flat_map(|claim| claim.published.iter().map(|(name, _)| name))
}

fn listed(texts: &[String]) -> String {
    let shown = texts.iter().take(MOST_LISTED).map(String::as_str).collect::<Vec<_>>().join("; ");
    match texts.len().saturating_sub(MOST_LISTED) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}
