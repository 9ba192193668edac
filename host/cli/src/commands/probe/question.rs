//! Which questions are asked.

use std::net::IpAddr;

use hickory_resolver::proto::rr::RecordType;

use super::expected::Source;

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// The name in lower case, without a trailing dot.
    pub(super) name: String,
    /// The type.
    pub(super) record_type: RecordType,
}

/// The questions for all names: of the given type, or of the types that the expectation calls for.
pub(super) fn questions(names: &[String], given: Option<RecordType>, source: &Source) -> Vec<Question> {
    let mut questions: Vec<Question> = Vec::new();
    for name in names {
        let types = match (given, source) {
            (Some(record_type), _) => vec![record_type],
            (None, Source::Values(values)) => vec![type_of(values)],
            (None, Source::Etcd(mirror)) => mirror.questions(name),
            (None, Source::FirstServer | Source::Anything) => vec![RecordType::A],
        };
        for record_type in types {
            let question = Question { name: name.clone(), record_type };
            if !questions.contains(&question) {
                questions.push(question);
            }
        }
    }
    questions
}

/// IPv6 addresses are answers to AAAA; a host name is met on the way to an address.
fn type_of(values: &[String]) -> RecordType {
    match values.first().map(|value| value.parse::<IpAddr>()) {
        Some(Ok(IpAddr::V6(_))) => RecordType::AAAA,
        _ => RecordType::A,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_follows_from_what_is_expected_unless_it_is_given() {
        let name = ["a.openmcp.cluster".to_owned()];
        let values = |value: &str| Source::Values(vec![value.to_owned()]);
        for (given, source, expected) in [
            (None, values("10.0.0.1"), RecordType::A),
            (None, values("fd00::1"), RecordType::AAAA),
            (None, values("lb.example.com"), RecordType::A),
            (None, Source::Anything, RecordType::A),
            (Some(RecordType::TXT), values("fd00::1"), RecordType::TXT),
        ] {
            let questions = questions(&name, given, &source);
            assert_eq!(questions.iter().map(|question| question.record_type).collect::<Vec<_>>(), [expected]);
        }
    }
}
