//! What is served at one name.

use std::collections::{BTreeMap, BTreeSet};

use hickory_proto::ProtoError;
use hickory_proto::rr::rdata::{A, AAAA, CNAME, PTR, SRV, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::record::{Location, MAX_TEXT_BYTES, RecordType as StoredType, RecordValue};
use openmcp_dns_core::skydns::{Entry, EntryError};
use thiserror::Error;

/// Longest text that still fits into a message of 65535 bytes, with its name, the question and one
/// length byte for each 255 bytes.
const MAX_SERVED_TEXT_BYTES: usize = 60_000;

/// One value as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    value: RecordValue,
    ttl_seconds: u32,
}

/// Why a stored value cannot be served.
#[derive(Debug, Error)]
pub(crate) enum UnservableError {
    /// It is no entry, or no record of a known type.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// Its text fits into no DNS message.
    #[error("a text of {0} bytes is too long, at most {MAX_SERVED_TEXT_BYTES} fit into a message")]
    TextTooLong(usize),
}

impl Stored {
    /// Reads the value of one key, which stands at the reverse name of an address, or elsewhere.
    pub(crate) fn decode(reverse: Option<&HostName>, json: &[u8]) -> Result<Self, UnservableError> {
        let entry = Entry::decode(json)?;
        match reverse.map_or_else(|| entry.value(), |name| entry.value_at(name))? {
            RecordValue::Txt(text) if text.len() > MAX_SERVED_TEXT_BYTES => {
                Err(UnservableError::TextTooLong(text.len()))
            }
            value => Ok(Self { value, ttl_seconds: entry.ttl_seconds() }),
        }
    }
}

/// The values at one name, by their ids.
pub(crate) type Values = BTreeMap<Option<Box<str>>, Stored>;

/// The records of one type at one name. Has at least one.
#[derive(Debug)]
pub(crate) struct RecordSet {
    pub(crate) record_type: RecordType,
    ttl_seconds: u32,
    data: Vec<RData>,
}

impl RecordSet {
    /// The records, as those of `owner`.
    pub(crate) fn records(&self, owner: &Name) -> impl Iterator<Item = Record> {
        self.data.iter().map(|data| Record::from_rdata(owner.clone(), self.ttl_seconds, data.clone()))
    }
}

/// What is served at one name: the values of all owners, united to one record set of each type.
///
/// A CNAME stands alone (RFC 1034 section 3.6.2): next to addresses it is left out, and of several
/// the one with the lowest value id counts, so that all servers and caches agree. A text next to a
/// CNAME is served, because registries of external-dns sit there.
#[derive(Debug, Default)]
pub(crate) struct Node {
    values: Values,
    sets: Vec<RecordSet>,
}

impl Node {
    pub(crate) fn new(values: Values) -> Self {
        let sets = unite(&values);
        Self { values, sets }
    }

    /// Puts a value in, or takes it out; gives the one that was there.
    pub(crate) fn put(&mut self, id: Option<&str>, value: Option<Stored>) -> Option<Stored> {
        let id = id.map(Box::from);
        let old = match value {
            Some(value) => self.values.insert(id, value),
            None => self.values.remove(&id),
        };
        self.sets = unite(&self.values);
        old
    }

    /// One value.
    pub(crate) fn get(&self, id: Option<&str>) -> Option<&Stored> {
        self.values.get(&id.map(Box::from))
    }

    /// The ids of all values.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &Option<Box<str>>> {
        self.values.keys()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(crate) fn sets(&self) -> &[RecordSet] {
        &self.sets
    }

    pub(crate) fn set(&self, record_type: RecordType) -> Option<&RecordSet> {
        self.sets.iter().find(|set| set.record_type == record_type)
    }

    /// The name of which this one is an alias, with the record that says so.
    pub(crate) fn alias(&self, owner: &Name) -> Option<(Name, Record)> {
        let record = self.set(RecordType::CNAME)?.records(owner).next()?;
        match &record.data {
            RData::CNAME(CNAME(target)) => Some((target.clone(), record)),
            _ => None,
        }
    }
}

fn unite(values: &Values) -> Vec<RecordSet> {
    let mut by_type: BTreeMap<StoredType, (u32, BTreeSet<&RecordValue>)> = BTreeMap::new();
    for Stored { value, ttl_seconds } in values.values() {
        let record_type = value.record_type();
        let alias_is_taken = record_type == StoredType::Cname && by_type.contains_key(&record_type);
        if alias_is_taken {
            continue;
        }
        let (lowest_ttl, set) = by_type.entry(record_type).or_insert((*ttl_seconds, BTreeSet::new()));
        // One TTL for all records of a set (RFC 2181 section 5.2).
        *lowest_ttl = (*lowest_ttl).min(*ttl_seconds);
        set.insert(value);
    }
    if by_type.contains_key(&StoredType::A) || by_type.contains_key(&StoredType::Aaaa) {
        by_type.remove(&StoredType::Cname);
    }
    by_type
        .into_iter()
        .filter_map(|(stored_type, (ttl_seconds, values))| {
            // A checked host name is a DNS name, so nothing is lost here.
            let data: Vec<RData> = values.into_iter().filter_map(|value| data_of(value).ok()).collect();
            let record_type = match stored_type {
                StoredType::A => RecordType::A,
                StoredType::Aaaa => RecordType::AAAA,
                StoredType::Cname => RecordType::CNAME,
                StoredType::Txt => RecordType::TXT,
                StoredType::Srv => RecordType::SRV,
                StoredType::Ptr => RecordType::PTR,
            };
            (!data.is_empty()).then_some(RecordSet { record_type, ttl_seconds, data })
        })
        .collect()
}

fn data_of(value: &RecordValue) -> Result<RData, ProtoError> {
    Ok(match value {
        RecordValue::A(address) => RData::A(A(*address)),
        RecordValue::Aaaa(address) => RData::AAAA(AAAA(*address)),
        RecordValue::Cname(target) => RData::CNAME(CNAME(Name::from_ascii(format!("{target}."))?)),
        RecordValue::Ptr(host) => RData::PTR(PTR(Name::from_ascii(format!("{host}."))?)),
        RecordValue::Srv(location) => {
            let Location { priority, weight, port, target } = &**location;
            RData::SRV(SRV::new(*priority, *weight, *port, Name::from_ascii(format!("{target}."))?))
        }
        RecordValue::Txt(text) => {
            RData::TXT(TXT::from_bytes(text.as_bytes().chunks(MAX_TEXT_BYTES).collect()))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(values: &[&str]) -> Node {
        let values = values.iter().enumerate().map(|(index, json)| {
            (Some(index.to_string().into()), Stored::decode(None, json.as_bytes()).unwrap())
        });
        Node::new(values.collect())
    }

    fn served(node: &Node) -> Vec<String> {
        let root = Name::root();
        node.sets.iter().flat_map(|set| set.records(&root)).map(|record| record.to_string()).collect()
    }

    #[test]
    fn values_of_several_owners_are_united_without_doubles_under_the_lowest_ttl() {
        let node = node(&[
            r#"{"host":"10.0.0.2","ttl":60,"owner":"openmcp.cluster/a/w1"}"#,
            r#"{"host":"10.0.0.1","ttl":30}"#,
            r#"{"host":"10.0.0.2","ttl":90,"owner":"default"}"#,
        ]);
        assert_eq!(served(&node), [". 30 IN A 10.0.0.1", ". 30 IN A 10.0.0.2"]);
        assert_eq!(node.ids().count(), 3);
    }

    #[test]
    fn a_cname_yields_to_addresses_and_is_never_doubled() {
        let node = node(&[r#"{"host":"b.x"}"#, r#"{"host":"a.x"}"#, r#"{"text":"t"}"#]);
        assert_eq!(served(&node), [". 300 IN CNAME b.x.", ". 300 IN TXT t"]);
        let mut node = node;
        node.put(None, Some(Stored::decode(None, br#"{"host":"::1"}"#).unwrap()));
        assert_eq!(served(&node), [". 300 IN AAAA ::1", ". 300 IN TXT t"]);
        node.put(None, None);
        assert_eq!(node.set(RecordType::CNAME).unwrap().data.len(), 1);
    }

    #[test]
    fn a_long_text_is_split_and_one_that_fits_nowhere_is_refused() {
        let json = |bytes| format!(r#"{{"text":"{}"}}"#, "x".repeat(bytes));
        let node = node(&[&json(600)]);
        let RData::TXT(text) = &node.sets[0].data[0] else { panic!("no text") };
        assert_eq!(text.txt_data.iter().map(|part| part.len()).collect::<Vec<_>>(), [255, 255, 90]);
        assert!(Stored::decode(None, json(MAX_SERVED_TEXT_BYTES).as_bytes()).is_ok());
        assert!(matches!(
            Stored::decode(None, json(MAX_SERVED_TEXT_BYTES + 1).as_bytes()),
            Err(UnservableError::TextTooLong(_))
        ));
    }
}
