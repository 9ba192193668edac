//! What a DNS server should answer for a name, and whether it does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::cluster::ClusterId;
use crate::few::Few;
use crate::mirror::{Stored, StoredName};
use crate::name::HostName;
use crate::plan::NamePlan;
use crate::record::{RecordType, RecordValue, Values};
use crate::skydns::{Entry, Owner, Prefix};

/// What a DNS server should answer for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The name.
    pub name: HostName,
    /// The clusters whose values stand there, or stood there before.
    pub clusters: Few<ClusterId>,
    /// Values of all types. Also values that are not ours: a DNS server serves all of them.
    pub values: Values,
    /// Values that must not be answered any more.
    pub gone: Values,
    /// For how long whoever has asked before may keep what was answered then, in seconds.
    pub kept_seconds: u32,
}

/// For how long that there is no answer may be kept, in seconds: CoreDNS's etcd plugin and the built-in server say so
/// in their SOA records.
const NEGATIVE_SECONDS: u32 = 30;

/// For how long what is answered for a name may be kept, in seconds: that there is something, and that there is nothing
/// of another type.
pub(crate) fn kept_seconds(stored: Option<&StoredName>) -> u32 {
    let ttls = stored.into_iter().flat_map(StoredName::iter).filter_map(Stored::ttl_seconds);
    ttls.fold(NEGATIVE_SECONDS, u32::max)
}

/// Whether an answer is the expected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Match,
    /// It is another.
    Mismatch,
    /// There is none.
    NoAnswer,
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Records of the asked type, as text, with CNAMEs on the way.
    Records {
        /// Values of the asked type.
        values: BTreeSet<String>,
        /// Targets of CNAMEs.
        cnames: BTreeSet<String>,
    },
    /// CNAMEs on the way to a name of which the server itself says that it has no address.
    LeadsNowhere {
        /// Targets of the CNAMEs.
        cnames: BTreeSet<String>,
    },
    /// The name does not exist (NXDOMAIN).
    NoSuchName,
    /// The name exists, but not with this type (NODATA).
    NoData,
    /// The server refuses or fails, for example SERVFAIL or REFUSED.
    Failure(String),
    /// No answer at all.
    Silence(String),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Records { values, cnames } => {
                let cnames = cnames.iter().map(|cname| format!("CNAME {cname}"));
                let all: Vec<String> = cnames.chain(values.iter().cloned()).collect();
                f.write_str(&all.join(" "))
            }
            Self::LeadsNowhere { cnames } => {
                let cnames: Vec<String> = cnames.iter().map(|cname| format!("CNAME {cname}")).collect();
                write!(f, "{}, which has no address", cnames.join(" "))
            }
            Self::NoSuchName => f.write_str("NXDOMAIN"),
            Self::NoData => f.write_str("NODATA"),
            Self::Failure(code) => f.write_str(code),
            Self::Silence(why) => write!(f, "no answer: {why}"),
        }
    }
}

impl Verdict {
    /// The verdict in one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Match => "ok",
            Self::Mismatch => "mismatch",
            Self::NoAnswer => "no answer",
        }
    }
}

impl Expectation {
    /// Nothing stands at the name, or has.
    #[must_use]
    pub fn nothing(name: &HostName) -> Self {
        let (clusters, values, gone) = Default::default();
        Self { name: name.clone(), clusters, values, gone, kept_seconds: NEGATIVE_SECONDS }
    }

    /// Goes by what the store holds. What was answered before is not known: it is taken to have been kept for as long
    /// as what is answered now.
    #[must_use]
    pub fn from_stored(name: &HostName, stored: Option<&StoredName>) -> Self {
        let mut expectation = Self { kept_seconds: kept_seconds(stored), ..Self::nothing(name) };
        for stored in stored.into_iter().flat_map(StoredName::iter) {
            expectation.add(stored.value(), stored.owner());
        }
        expectation
    }

    /// Goes by what the store holds after a plan has been carried out; what was answered before it may be kept for so
    /// long.
    #[must_use]
    pub fn after(plan: &NamePlan, prefix: &Prefix, stored: Option<&StoredName>, kept_seconds: u32) -> Self {
        let mut after = Self { kept_seconds, ..Self::nothing(&plan.name) };
        let changed: BTreeSet<&str> = plan.changes.iter().map(|change| change.key.as_str()).collect();
        for stored in stored.into_iter().flat_map(StoredName::iter) {
            if !changed.contains(stored.id.key(prefix, &plan.name).as_str()) {
                after.add(stored.value(), stored.owner());
            } else if let Some(value) = stored.value() {
                after.gone.insert(value);
                after.add_owner(stored.owner());
            }
        }
        for entry in plan.changes.iter().filter_map(|change| Entry::decode(change.value.as_deref()?).ok()) {
            let owner = entry.owner.as_deref().and_then(|owner| owner.parse().ok());
            after.add(entry.value_at(&plan.name).ok(), owner.as_ref());
        }
        for cluster in &plan.withdrawn_from {
            after.clusters.insert(cluster.clone());
        }
        for value in &after.values {
            after.gone.remove(value);
        }
        after
    }

    /// Types with values, as the decision log has them.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.values.iter().map(|value| format!("{} {value}", value.record_type())).collect()
    }

    fn add(&mut self, value: Option<RecordValue>, owner: Option<&Owner>) {
        if let Some(value) = value {
            self.values.insert(value);
        }
        self.add_owner(owner);
    }

    fn add_owner(&mut self, owner: Option<&Owner>) {
        if let Some(owner) = owner {
            self.clusters.insert(owner.cluster.clone());
        }
    }

    /// The values by type, as answers have them.
    #[must_use]
    pub fn records(&self) -> BTreeMap<RecordType, BTreeSet<String>> {
        let mut records: BTreeMap<RecordType, BTreeSet<String>> = BTreeMap::new();
        for value in &self.values {
            records.entry(value.record_type()).or_default().insert(value.to_string());
        }
        records
    }

    /// The types to ask for: those that are published, or addresses where nothing is.
    #[must_use]
    pub fn questions(&self) -> Vec<RecordType> {
        if self.name.address().is_some() {
            return vec![RecordType::Ptr];
        }
        if self.values.is_empty() {
            return vec![RecordType::A, RecordType::Aaaa];
        }
        self.records()
            .keys()
            // CoreDNS's etcd plugin does not find a CNAME when asked for one in our key layout; it
            // does on the way to an address, which is what everybody asks for.
            .map(|record_type| if *record_type == RecordType::Cname { RecordType::A } else { *record_type })
            .collect()
    }

    /// Compares an answer to the question for a type with what is expected.
    #[must_use]
    pub fn judge(&self, asked: RecordType, answer: &Answer) -> Verdict {
        let (values, cnames) = match answer {
            Answer::Silence(_) => return Verdict::NoAnswer,
            Answer::Failure(_) => return Verdict::Mismatch,
            Answer::NoSuchName | Answer::NoData => (BTreeSet::new(), BTreeSet::new()),
            Answer::Records { values, cnames } => (compared(asked, values), cnames.clone()),
            Answer::LeadsNowhere { cnames } => (BTreeSet::new(), cnames.clone()),
        };
        let records = self.records();
        let expected = compared(asked, records.get(&asked).into_iter().flatten());
        let gone: BTreeSet<String> = self.gone.iter().map(ToString::to_string).collect();
        let is_gone =
            |text: &String| !expected.contains(text) && (values.contains(text) || cnames.contains(text));
        if compared(asked, &gone).iter().any(is_gone) {
            return Verdict::Mismatch;
        }
        let fits = if records.is_empty() {
            // A name below may be published, and CoreDNS's etcd plugin answers a parent with the
            // records of its children. What was withdrawn is not among them: see above.
            true
        } else if let Some(expected) = records.get(&RecordType::Cname) {
            // An alias is there for the address at its end.
            expected.is_subset(&cnames) && !matches!(answer, Answer::LeadsNowhere { .. })
        } else {
            records.contains_key(&asked) && expected == values
        };
        if fits { Verdict::Match } else { Verdict::Mismatch }
    }
}

/// Texts of values as they are compared: the weights of SRV records are the server's own, CoreDNS makes shares of them.
fn compared<'t>(record_type: RecordType, texts: impl IntoIterator<Item = &'t String>) -> BTreeSet<String> {
    let without_weight = |text: &String| match text.splitn(3, ' ').collect::<Vec<_>>()[..] {
        [priority, _, rest] if record_type == RecordType::Srv => format!("{priority} {rest}"),
        _ => text.clone(),
    };
    texts.into_iter().map(without_weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(values: &[&str], cnames: &[&str]) -> Answer {
        let set = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        Answer::Records { values: set(values), cnames: set(cnames) }
    }

    fn expectation(record_type: RecordType, values: &[&str], gone: &[&str]) -> Expectation {
        let set = |record_type: RecordType, texts: &[&str]| -> Values {
            texts.iter().map(|text| RecordValue::parse(record_type, text).unwrap()).collect()
        };
        let (values, gone) = (set(record_type, values), set(record_type, gone));
        Expectation { values, gone, ..Expectation::nothing(&"a.openmcp.cluster".parse().unwrap()) }
    }

    #[test]
    fn only_exactly_the_published_addresses_match() {
        let two = expectation(RecordType::A, &["10.0.0.1", "10.0.0.2"], &[]);
        for (answer, verdict) in [
            (records(&["10.0.0.2", "10.0.0.1"], &[]), Verdict::Match),
            (records(&["10.0.0.1"], &[]), Verdict::Mismatch),
            (records(&["10.0.0.1", "10.0.0.2", "10.0.0.3"], &[]), Verdict::Mismatch),
            (Answer::NoSuchName, Verdict::Mismatch),
            (Answer::NoData, Verdict::Mismatch),
            (Answer::Failure("SERVFAIL".into()), Verdict::Mismatch),
            (Answer::Silence("timeout".into()), Verdict::NoAnswer),
        ] {
            assert_eq!(two.judge(RecordType::A, &answer), verdict, "{answer}");
        }
    }

    #[test]
    fn a_withdrawn_name_matches_when_its_values_are_no_longer_answered() {
        let gone = expectation(RecordType::A, &[], &["10.0.0.1"]);
        assert_eq!(gone.judge(RecordType::A, &Answer::NoSuchName), Verdict::Match);
        assert_eq!(gone.judge(RecordType::A, &records(&["10.0.0.9"], &[])), Verdict::Match);
        assert_eq!(gone.judge(RecordType::A, &records(&["10.0.0.1"], &[])), Verdict::Mismatch);
    }

    #[test]
    fn a_server_has_weights_of_its_own() {
        let srv = expectation(
            RecordType::Srv,
            &["10 100 9443 a.x", "10 60 9443 b.x"],
            &["10 50 9443 a.x", "10 100 80 a.x"],
        );
        for (answered, verdict) in [
            (vec!["10 63 9443 a.x", "10 37 9443 b.x"], Verdict::Match),
            (vec!["10 100 9443 a.x"], Verdict::Mismatch),
            (vec!["10 63 9443 a.x", "10 37 9443 b.x", "10 10 80 a.x"], Verdict::Mismatch),
            (vec!["20 63 9443 a.x", "10 37 9443 b.x"], Verdict::Mismatch),
        ] {
            assert_eq!(srv.judge(RecordType::Srv, &records(&answered, &[])), verdict, "{answered:?}");
        }
    }

    #[test]
    fn a_reverse_name_is_asked_for_the_name_of_its_address_also_when_that_is_gone() {
        let name = HostName::of_address([10, 0, 0, 1].into());
        let of = |values: &[&str], gone: &[&str]| {
            let Expectation { values, gone, .. } = expectation(RecordType::Ptr, values, gone);
            Expectation { values, gone, ..Expectation::nothing(&name) }
        };
        for (expected, answered, verdict) in [
            (of(&["a.x"], &[]), vec!["a.x"], Verdict::Match),
            (of(&["a.x"], &["b.x"]), vec!["b.x"], Verdict::Mismatch),
            (of(&[], &["b.x"]), vec!["b.x"], Verdict::Mismatch),
            (of(&[], &["b.x"]), vec![], Verdict::Match),
        ] {
            assert_eq!(expected.questions(), [RecordType::Ptr]);
            assert_eq!(
                expected.judge(RecordType::Ptr, &records(&answered, &[])),
                verdict,
                "{expected:?} {answered:?}"
            );
        }
    }

    #[test]
    fn a_cname_is_looked_for_on_the_way_to_an_address() {
        let cname = expectation(RecordType::Cname, &["lb.example.com"], &[]);
        assert_eq!(cname.questions(), [RecordType::A]);
        assert_eq!(cname.judge(RecordType::A, &records(&["10.0.0.1"], &["lb.example.com"])), Verdict::Match);
        assert_eq!(cname.judge(RecordType::A, &records(&["10.0.0.1"], &[])), Verdict::Mismatch);
        assert_eq!(cname.judge(RecordType::A, &records(&[], &["lb.example.com"])), Verdict::Match);
        let nowhere = Answer::LeadsNowhere { cnames: ["lb.example.com".to_owned()].into() };
        assert_eq!(cname.judge(RecordType::A, &nowhere), Verdict::Mismatch, "nobody gets an address");
        assert_eq!(nowhere.to_string(), "CNAME lb.example.com, which has no address");
    }
}
