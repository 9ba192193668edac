//! A claim as the page shows it.

use std::collections::{BTreeMap, BTreeSet};

use openmcp_dns_core::codes;
use openmcp_dns_core::index::State;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::next;
use openmcp_dns_core::probing::Standing as Answered;
use openmcp_dns_core::record::{RecordSet, RecordType};
use openmcp_dns_core::recording::SeenClaim;
use openmcp_dns_core::route_status::{NameAnswer, NameStanding};
use openmcp_dns_page::{Claim, Standing};

use crate::record::explain;

/// So many values are shown of one name and type.
const VALUES: usize = 8;

/// Longer texts are cut: objects may hold long ones, and a page has a hundred of them.
const LONGEST: usize = 600;

/// How names are answered.
pub(super) type Answers = BTreeMap<HostName, NameAnswer>;

/// The names of which it is to be known how they are answered.
pub(super) fn names<'c>(claims: impl IntoIterator<Item = &'c SeenClaim>) -> BTreeSet<HostName> {
    let published = claims.into_iter().flat_map(|claim| &claim.published);
    published.map(|(name, _)| name.clone()).collect()
}

/// A claim, and how it stands.
pub(super) fn claim(seen: &SeenClaim, answers: &Answers) -> Claim {
    let (source, host_name) = (&seen.place.source, &seen.place.host_name);
    let mut claim = Claim {
        host_name: short(host_name),
        cluster: seen.place.cluster.to_string(),
        object: source.to_string(),
        records: of_sets(host_name, &seen.record_sets),
        ..Claim::default()
    };
    if let Some((code, message)) = explain(&seen.state) {
        (claim.code, claim.message) = (Some(code), Some(short(&message)));
    }
    let next;
    (claim.standing, next) = match &seen.state {
        State::Denied(denial) => (Standing::Denied, Some(next::denied(source, host_name, denial))),
        State::Undecided(failure) => (Standing::Undecided, Some(next::undecided(failure))),
        State::Unresolved(reason) => (Standing::Unresolved, Some(next::unresolved(source, reason))),
        State::Asked => (Standing::Open, None),
        State::Published => published(seen, answers, &mut claim),
    };
    claim.next = next.map(|next| short(&next));
    claim
}

/// How what is published stands: what keeps it from being there comes first.
fn published(seen: &SeenClaim, answers: &Answers, claim: &mut Claim) -> (Standing, Option<String>) {
    let mut standing = Standing::Answered;
    for (name, at_name) in &seen.published {
        match at_name {
            NameStanding::GaveWay(message) => {
                (claim.code, claim.message) = (Some(codes::CONFLICT.to_owned()), Some(short(message)));
                return (Standing::GivesWay, Some(next::gave_way(name, &claim.object)));
            }
            NameStanding::Refused(message) => {
                (claim.code, claim.message) = (Some(codes::STORE_REFUSES.to_owned()), Some(short(message)));
                return (Standing::Refused, None);
            }
            NameStanding::Open => standing = Standing::Open,
            NameStanding::Stored(values) => {
                let sets = seen.record_sets.iter().filter(|set| set.name == *name);
                if !sets.flat_map(|set| set.values.iter()).all(|value| values.contains(value)) {
                    standing = Standing::Open;
                }
            }
        }
        let answer = answers.get(name).map(|answer| &answer.standing);
        match answer.unwrap_or(&Answered::Outstanding) {
            Answered::Matching => {}
            Answered::Outstanding if standing == Standing::Answered => standing = Standing::Recorded,
            Answered::Mismatching(why) | Answered::Unanswered(why) if standing != Standing::Open => {
                claim.answer = Some(short(why));
                standing = Standing::WrongAnswer;
            }
            Answered::Outstanding | Answered::Mismatching(_) | Answered::Unanswered(_) => {}
        }
    }
    let next = (standing == Standing::WrongAnswer).then(|| next::wrong_answer(None, false));
    // Of what publishes nothing, nothing is answered.
    (if seen.published.is_empty() { Standing::Recorded } else { standing }, next)
}

/// What record sets publish; the name only where it is another one than that of the claim.
pub(super) fn of_sets(host_name: &str, sets: &[RecordSet]) -> Vec<String> {
    let lines = sets.iter().take(VALUES).flat_map(|set| {
        let values = set.values.iter().map(|value| (value.record_type(), value.to_string()));
        let name = if set.name.as_str() == host_name { String::new() } else { format!("{} ", set.name) };
        records(values).into_iter().map(move |record| format!("{name}{record}, {} s", set.ttl_seconds))
    });
    let mut lines: Vec<String> = lines.collect();
    if sets.len() > VALUES {
        lines.push(format!("and {} more", sets.len() - VALUES));
    }
    lines
}

/// Values by their types, some of each.
pub(super) fn records(values: impl Iterator<Item = (RecordType, String)>) -> Vec<String> {
    let mut by_type: BTreeMap<RecordType, Vec<String>> = BTreeMap::new();
    for (record_type, value) in values {
        by_type.entry(record_type).or_default().push(value);
    }
    let lines = by_type.into_iter().map(|(record_type, values)| {
        let shown: Vec<String> = values.iter().take(VALUES).map(|value| short(value)).collect();
        let more = values.len() - shown.len();
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("{record_type} {}{more}", shown.join(" "))
    });
    lines.collect()
}

/// A text that is not too long.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_and_many_values_are_cut() {
        let many = (0..20).map(|number| (RecordType::A, format!("10.0.0.{number}")));
        let lines = records(many);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].ends_with("10.0.0.7 and 12 more"), "{lines:?}");
        assert_eq!(short(&"ä".repeat(9_999)).chars().count(), LONGEST + 1);
        assert_eq!(short("ä"), "ä");
    }
}
