//! What a DNS server should answer.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use hickory_resolver::proto::rr::RecordType as WireType;
use openmcp_dns_core::mirror::{Mirror, StoredName};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::record::RecordType;

use super::question::Question;
use openmcp_dns_service::probe::{Answer, Expectation, Verdict, wire_type};

/// Where the expectation comes from.
pub(super) enum Source {
    /// The command line.
    Values(Vec<String>),
    /// The records in etcd.
    Etcd(Box<Recorded>),
    /// What the first server answers.
    FirstServer,
    /// Nothing is known.
    Anything,
}

/// The records in etcd.
pub(super) struct Recorded(pub(super) Mirror);

/// What should be answered to one question.
#[derive(Clone, Debug)]
pub(super) enum Expected {
    /// These values and no others.
    Values(BTreeSet<String>),
    /// What is recorded.
    Recorded(Expectation),
    /// The name is not recorded.
    NotRecorded,
    /// There is no such name.
    NoSuchName,
    /// There is no such record.
    NoData,
    /// The same as this answer.
    SameAs(Answer),
    /// Any record.
    Anything,
}

impl Source {
    /// What should be answered; `first` is the answer of the first server, unless that is the one
    /// to judge.
    pub(super) fn expected(&self, question: &Question, first: Option<&Answer>) -> Expected {
        match (self, first) {
            (Self::Values(values), _) => match values.as_slice() {
                [one] if one.eq_ignore_ascii_case("NXDOMAIN") => Expected::NoSuchName,
                [one] if one.eq_ignore_ascii_case("NODATA") => Expected::NoData,
                values => {
                    Expected::Values(values.iter().map(|value| normal(question.record_type, value)).collect())
                }
            },
            (Self::Etcd(recorded), _) => recorded.expected(&question.name),
            (Self::FirstServer, Some(first)) => Expected::SameAs(first.clone()),
            (Self::FirstServer, None) | (Self::Anything, _) => Expected::Anything,
        }
    }
}

impl Recorded {
    /// The types to ask for.
    pub(super) fn questions(&self, name: &str) -> Vec<WireType> {
        let Expected::Recorded(expectation) = self.expected(name) else { return vec![WireType::A] };
        expectation.questions().into_iter().map(wire_type).collect()
    }

    fn expected(&self, name: &str) -> Expected {
        let Ok(name) = HostName::of_record(name) else { return Expected::NotRecorded };
        match self.at(&name) {
            Some(stored) => Expected::Recorded(Expectation::from_stored(&name, Some(stored))),
            None => Expected::NotRecorded,
        }
    }

    /// What is recorded for a name: at the name itself, or at the closest wildcard above it.
    fn at(&self, name: &HostName) -> Option<&StoredName> {
        let above = |name: &HostName| name.as_str().split_once('.').map(|(_, above)| above.to_owned());
        let wildcards = std::iter::successors(above(name), |name| {
            name.split_once('.').map(|(_, above)| above.to_owned())
        });
        let wildcards = wildcards.filter_map(|above| format!("*.{above}").parse().ok());
        std::iter::once(name.clone()).chain(wildcards).find_map(|name| self.0.at(&name))
    }
}

impl Expected {
    /// Compares an answer with what is expected.
    pub(super) fn judge(&self, question: &Question, answer: &Answer) -> Verdict {
        let fits = match (self, answer) {
            (_, Answer::Silence(_)) => return Verdict::NoAnswer,
            (Self::Recorded(expectation), answer) => match stored_type(question.record_type) {
                Some(record_type) => return judge_recorded(expectation, record_type, answer),
                None => matches!(answer, Answer::NoData),
            },
            (Self::SameAs(first), answer) => first == answer,
            (Self::NotRecorded, answer) => matches!(answer, Answer::NoSuchName | Answer::NoData),
            (Self::NoSuchName, answer) => *answer == Answer::NoSuchName,
            (Self::NoData, answer) => *answer == Answer::NoData,
            (Self::Anything, answer) => matches!(answer, Answer::Records { .. }),
            (Self::Values(expected), Answer::Records { values, cnames }) => {
                // A host name is expected: it is met on the way to an address.
                expected == values || question.record_type != WireType::CNAME && expected == cnames
            }
            (Self::Values(_), _) => false,
        };
        if fits { Verdict::Match } else { Verdict::Mismatch }
    }
}

/// Where a type that is not recorded was asked for, no record must be answered.
fn judge_recorded(expectation: &Expectation, asked: RecordType, answer: &Answer) -> Verdict {
    let records = expectation.records();
    let is_cname = records.contains_key(&RecordType::Cname);
    if is_cname && asked == RecordType::Cname {
        let fits = matches!(answer, Answer::Records { values, .. } if Some(values) == records.get(&asked));
        return if fits { Verdict::Match } else { Verdict::Mismatch };
    }
    if !is_cname && !records.contains_key(&asked) {
        return if *answer == Answer::NoData { Verdict::Match } else { Verdict::Mismatch };
    }
    expectation.judge(asked, answer)
}

fn stored_type(asked: WireType) -> Option<RecordType> {
    match asked {
        WireType::A => Some(RecordType::A),
        WireType::AAAA => Some(RecordType::Aaaa),
        WireType::CNAME => Some(RecordType::Cname),
        WireType::TXT => Some(RecordType::Txt),
        WireType::SRV => Some(RecordType::Srv),
        WireType::PTR => Some(RecordType::Ptr),
        _ => None,
    }
}

/// A value in the form in which answers have it.
fn normal(record_type: WireType, value: &str) -> String {
    match record_type {
        WireType::A | WireType::AAAA => match value.parse::<IpAddr>() {
            Ok(address) => address.to_string(),
            Err(_) => host_name(value),
        },
        WireType::CNAME | WireType::SRV | WireType::PTR => host_name(value),
        WireType::TXT if !value.starts_with('"') => format!("{value:?}"),
        _ => value.to_owned(),
    }
}

fn host_name(value: &str) -> String {
    value.trim_end_matches('.').to_ascii_lowercase()
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |values: &mut dyn Iterator<Item = String>| values.collect::<Vec<_>>().join(" ");
        match self {
            Self::Values(values) => f.write_str(&join(&mut values.iter().cloned())),
            Self::Recorded(expectation) => {
                let values = expectation.values.iter().map(|value| match value.record_type() {
                    RecordType::Cname => format!("CNAME {value}"),
                    _ => value.to_string(),
                });
                f.write_str(&join(&mut values.into_iter()))
            }
            Self::NotRecorded => f.write_str("nothing (not recorded)"),
            Self::NoSuchName => f.write_str("NXDOMAIN"),
            Self::NoData => f.write_str("NODATA"),
            Self::SameAs(answer) => answer.fmt(f),
            Self::Anything => f.write_str("any record"),
        }
    }
}

#[cfg(test)]
mod tests {
    use openmcp_dns_core::skydns::Prefix;

    use super::*;

    fn question(record_type: WireType) -> Question {
        Question { name: "a.openmcp.cluster".into(), record_type }
    }

    fn records(values: &[&str], cnames: &[&str]) -> Answer {
        let set = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        Answer::Records { values: set(values), cnames: set(cnames) }
    }

    fn values(values: &[&str]) -> Source {
        Source::Values(values.iter().map(ToString::to_string).collect())
    }

    fn judge(source: &Source, record_type: WireType, answer: &Answer) -> Verdict {
        let question = question(record_type);
        source.expected(&question, None).judge(&question, answer)
    }

    #[test]
    fn given_values_must_be_answered_and_no_others() {
        for (source, record_type, answer, verdict) in [
            (values(&["10.0.0.1"]), WireType::A, records(&["10.0.0.1"], &[]), Verdict::Match),
            (values(&["10.0.0.1"]), WireType::A, records(&["10.0.0.1", "10.0.0.2"], &[]), Verdict::Mismatch),
            (values(&["10.0.0.1"]), WireType::A, Answer::NoSuchName, Verdict::Mismatch),
            (values(&["FD00:0::1"]), WireType::AAAA, records(&["fd00::1"], &[]), Verdict::Match),
            (values(&["LB.example."]), WireType::A, records(&["10.0.0.1"], &["lb.example"]), Verdict::Match),
            (values(&["lb.example"]), WireType::CNAME, records(&["lb.example"], &[]), Verdict::Match),
            (values(&["a b"]), WireType::TXT, records(&["\"a b\""], &[]), Verdict::Match),
            (values(&["nxdomain"]), WireType::A, Answer::NoSuchName, Verdict::Match),
            (values(&["NODATA"]), WireType::A, Answer::NoSuchName, Verdict::Mismatch),
            (values(&["10.0.0.1"]), WireType::A, Answer::Silence("timeout".into()), Verdict::NoAnswer),
            (Source::Anything, WireType::A, records(&["10.0.0.1"], &[]), Verdict::Match),
            (Source::Anything, WireType::A, Answer::NoData, Verdict::Mismatch),
        ] {
            assert_eq!(judge(&source, record_type, &answer), verdict, "{answer}");
        }
    }

    #[test]
    fn the_first_server_is_the_measure_for_the_others() {
        let first = records(&["10.0.0.1"], &[]);
        let question = question(WireType::A);
        let expected = Source::FirstServer.expected(&question, Some(&first));
        assert_eq!(expected.judge(&question, &first), Verdict::Match);
        assert_eq!(expected.judge(&question, &Answer::Failure("SERVFAIL".into())), Verdict::Mismatch);
        assert_eq!(expected.to_string(), "10.0.0.1");
    }

    fn recorded() -> Source {
        let mut mirror = Mirror::new(Prefix::default());
        for (key, value) in [
            ("/skydns/cluster/openmcp/a/00000001", r#"{"host":"10.0.0.1"}"#),
            ("/skydns/cluster/openmcp/a/00000002", r#"{"host":"fd00::1"}"#),
            ("/skydns/cluster/openmcp/c/00000001", r#"{"host":"lb.example"}"#),
            ("/skydns/cluster/openmcp/w/*/00000001", r#"{"host":"10.0.0.9"}"#),
        ] {
            mirror.apply(key, Some((value.as_bytes(), 1)));
        }
        Source::Etcd(Box::new(Recorded(mirror)))
    }

    #[test]
    fn what_is_recorded_must_be_answered() {
        let recorded = recorded();
        for (name, record_type, answer, verdict) in [
            ("a", WireType::A, records(&["10.0.0.1"], &[]), Verdict::Match),
            ("a", WireType::A, records(&["10.0.0.2"], &[]), Verdict::Mismatch),
            ("a", WireType::AAAA, records(&["fd00::1"], &[]), Verdict::Match),
            ("a", WireType::TXT, Answer::NoData, Verdict::Match),
            ("a", WireType::TXT, records(&["\"text\""], &[]), Verdict::Mismatch),
            ("a", WireType::MX, Answer::NoData, Verdict::Match),
            ("c", WireType::A, records(&[], &["lb.example"]), Verdict::Match),
            ("c", WireType::CNAME, records(&["lb.example"], &[]), Verdict::Match),
            ("any.name.w", WireType::A, records(&["10.0.0.9"], &[]), Verdict::Match),
            ("unknown", WireType::A, Answer::NoSuchName, Verdict::Match),
            ("unknown", WireType::A, records(&["10.0.0.1"], &[]), Verdict::Mismatch),
        ] {
            let question = Question { name: format!("{name}.openmcp.cluster"), record_type };
            let expected = recorded.expected(&question, None);
            assert_eq!(expected.judge(&question, &answer), verdict, "{name} {record_type} {answer}");
        }
    }

    #[test]
    fn the_recorded_types_are_asked_for() {
        let Source::Etcd(recorded) = recorded() else { panic!() };
        assert_eq!(recorded.questions("a.openmcp.cluster"), [WireType::A, WireType::AAAA]);
        assert_eq!(recorded.questions("unknown.openmcp.cluster"), [WireType::A]);
    }
}
