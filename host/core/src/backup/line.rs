//! One record as one line of JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::decide::{MAX_VALUES, has_query_wildcard};
use crate::name::HostName;
use crate::record::{RecordType, RecordValue};
use crate::service_names::is_service_name;
use crate::skydns::{Owner, Prefix, value_id};
use crate::ttl::{MAX_TTL_SECONDS, MIN_TTL_SECONDS};

/// A value at a name, with its owner and the object from which it comes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeptRecord {
    /// The name.
    pub name: HostName,
    /// The value.
    pub value: RecordValue,
    /// Time to live in seconds.
    pub ttl_seconds: u32,
    /// For which cluster it was published.
    pub owner: Owner,
    /// The object, as text: `HTTPRoute/default/example`.
    pub source: String,
}

/// Why a line is no record that can be restored.
#[derive(Debug, PartialEq, Eq, Error)]
#[error("line {line}: {field}: {why}")]
pub struct LineError {
    /// From 1.
    pub line: usize,
    /// Which field is wrong; `record` where it is all of it.
    pub field: &'static str,
    /// What is wrong with it.
    pub why: String,
}

/// A line as it is written.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    #[serde(rename = "type")]
    record_type: RecordType,
    value: String,
    ttl: u32,
    owner: String,
    source: String,
}

impl KeptRecord {
    /// The line, without its end.
    #[must_use]
    pub fn to_line(&self) -> String {
        let Self { name, value, ttl_seconds, owner, source } = self;
        let line = Line {
            name: name.to_string(),
            record_type: value.record_type(),
            value: match value {
                // Display quotes it.
                RecordValue::Txt(text) => text.clone(),
                other => other.to_string(),
            },
            ttl: *ttl_seconds,
            owner: owner.to_string(),
            source: source.clone(),
        };
        // Strings and numbers only.
        serde_json::to_string(&line).unwrap_or_default()
    }

    /// Where it lies in the store.
    #[must_use]
    pub fn key(&self, prefix: &Prefix) -> String {
        crate::skydns::key_for(prefix, &self.name, &value_id(&self.owner, &self.value))
    }

    fn read(line: &str) -> Result<Self, (&'static str, String)> {
        fn wrong<T>(field: &'static str, why: impl ToString) -> Result<T, (&'static str, String)> {
            Err((field, why.to_string()))
        }
        let Line { name, record_type, value, ttl, owner, source } = match serde_json::from_str(line) {
            Ok(line) => line,
            Err(error) => return wrong("record", error),
        };
        let owner: Owner = match owner.parse() {
            Ok(owner) => owner,
            Err(error) => return wrong("owner", error),
        };
        let name = match HostName::of_record(&name) {
            Ok(name) => name,
            Err(error) => return wrong("name", format!("{name:?} is no host name: {error}")),
        };
        if !name.is_below(&owner.zone) {
            return wrong("name", format!("{name} is not below {}, the zone of its owner", owner.zone));
        }
        if is_service_name(&name, &owner.zone) || has_query_wildcard(&name) || name.is_wildcard() {
            return wrong("name", format!("{name} cannot be published: it is reserved, or a wildcard"));
        }
        let value = match RecordValue::parse(record_type, &value) {
            Ok(value) => value,
            Err(error) => return wrong("value", error),
        };
        if record_type == RecordType::Ptr {
            return wrong("type", "PTR records follow from the address records");
        }
        if name.is_srv() != (record_type == RecordType::Srv) {
            return wrong(
                "type",
                format!("{record_type} at {name}: SRV records, and no others, stand at SRV names"),
            );
        }
        if !(MIN_TTL_SECONDS..=MAX_TTL_SECONDS).contains(&ttl) {
            return wrong("ttl", format!("{ttl} is not in {MIN_TTL_SECONDS} to {MAX_TTL_SECONDS} seconds"));
        }
        let parts: Vec<&str> = source.split('/').collect();
        if parts.len() != 3 || parts.contains(&"") {
            return wrong("source", format!("{source:?} is not KIND/NAMESPACE/NAME"));
        }
        Ok(Self { name, value, ttl_seconds: ttl, owner, source })
    }
}

/// Reads all lines of a file.
///
/// # Errors
/// With everything that is wrong: half of a file is not what was kept.
pub fn parse(text: &str) -> Result<Vec<KeptRecord>, Vec<LineError>> {
    let (mut records, mut errors) = (Vec::new(), Vec::new());
    let mut values: BTreeMap<HostName, BTreeSet<(RecordType, Owner, RecordValue)>> = BTreeMap::new();
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let record = match KeptRecord::read(text) {
            Ok(record) => record,
            Err((field, why)) => {
                errors.push(LineError { line, field, why });
                continue;
            }
        };
        let at_name = values.entry(record.name.clone()).or_default();
        let record_type = record.value.record_type();
        let alone = |record_type| record_type == RecordType::Cname;
        if at_name.iter().any(|(other, ..)| alone(*other) || alone(record_type)) {
            let why =
                format!("{record_type} beside another record of {}, where a CNAME stands alone", record.name);
            errors.push(LineError { line, field: "type", why });
        } else if at_name.len() == MAX_VALUES {
            let why = format!("{} has more than {MAX_VALUES} values", record.name);
            errors.push(LineError { line, field: "name", why });
        } else if at_name.insert((record_type, record.owner.clone(), record.value.clone())) {
            records.push(record);
        } else {
            let why = "the same value of the same owner stands on a line before".to_owned();
            errors.push(LineError { line, field: "record", why });
        }
    }
    if errors.is_empty() { Ok(records) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"name":"a.w1.openmcp.cluster","type":"A","value":"10.0.0.1","ttl":60,"owner":"openmcp.cluster/ns/w1","source":"HTTPRoute/default/r"}"#;

    #[test]
    fn what_is_written_is_read_again() {
        let text = GOOD.replace(r#""A""#, r#""TXT""#).replace("10.0.0.1", r#"say \"hello\""#);
        let service =
            GOOD.replace(r#""A""#, r#""SRV""#).replace("10.0.0.1", "10 100 9443 a.w1.openmcp.cluster");
        let service = service.replacen("a.w1", "_tls._tcp.a.w1", 1);
        for line in [GOOD, &text, &service] {
            let records = parse(line).unwrap();
            assert_eq!(records[0].to_line(), line);
        }
        assert_eq!(parse(&format!("{GOOD}\n\n")).unwrap().len(), 1);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_field() {
        for (from, to, field, why) in [
            ("10.0.0.1", "10.0.0", "value", "is not an IPv4 address"),
            ("10.0.0.1", "127.0.0.1", "value", "loopback"),
            ("a.w1.openmcp.cluster", "a_b.openmcp.cluster", "name", "is no host name"),
            ("a.w1.openmcp.cluster", "a.example", "name", "is not below openmcp.cluster"),
            ("a.w1.openmcp.cluster", "openmcp.cluster", "name", "is not below openmcp.cluster"),
            ("a.w1.openmcp.cluster", "ns.dns.openmcp.cluster", "name", "reserved"),
            ("a.w1.openmcp.cluster", "_tls._tcp.a.w1.openmcp.cluster", "type", "A at _tls._tcp.a.w1"),
            ("a.w1.openmcp.cluster", "any.w1.openmcp.cluster", "name", "reserved"),
            ("a.w1.openmcp.cluster", "*.w1.openmcp.cluster", "name", "a wildcard"),
            ("openmcp.cluster/ns/w1", "openmcp.cluster/w1", "owner", "is not of the form"),
            ("60", "0", "ttl", "0 is not in 1 to 86400 seconds"),
            ("HTTPRoute/default/r", "HTTPRoute/r", "source", "is not KIND/NAMESPACE/NAME"),
            (r#""A""#, r#""MX""#, "record", "unknown variant `MX`"),
            (r#""ttl":60,"#, "", "record", "missing field `ttl`"),
            (r#""ttl""#, r#""tll""#, "record", "unknown field `tll`"),
        ] {
            let errors = parse(&format!("{GOOD}\n{}\n", GOOD.replace(from, to))).unwrap_err();
            assert_eq!((errors.len(), errors[0].line, errors[0].field), (1, 2, field), "{to}: {errors:?}");
            assert!(errors[0].why.contains(why), "{to}: {errors:?}");
        }
    }

    #[test]
    fn what_cannot_stand_together_is_refused() {
        let cname = GOOD.replace(r#""A""#, r#""CNAME""#).replace("10.0.0.1", "lb.example.com");
        for second in [cname.as_str(), GOOD] {
            let errors = parse(&format!("{GOOD}\n{second}\n")).unwrap_err();
            assert_eq!((errors.len(), errors[0].line), (1, 2), "{errors:?}");
        }
        assert!(parse(&format!("{cname}\n{GOOD}\n")).is_err());
        let many: String = (1..=MAX_VALUES + 1)
            .map(|n| format!("{}\n", GOOD.replace("10.0.0.1", &format!("10.0.0.{n}"))))
            .collect();
        assert_eq!(parse(&many).unwrap_err()[0].field, "name");
    }
}
