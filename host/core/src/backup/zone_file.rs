//! Records as a zone file (RFC 1035 section 5), for other DNS servers and for people.

use std::fmt::Write as _;

use super::KeptRecord;
use crate::name::HostName;
use crate::record::RecordValue;

/// The zone file of one zone. `serial` is the revision of the store.
#[must_use]
pub fn zone_file(zone: &HostName, serial: i64, records: &[KeptRecord]) -> String {
    // The serial has 32 bits (RFC 1982).
    let serial = serial as u32;
    let mut text = format!(
        "{zone}. 60 IN SOA ns.dns.{zone}. hostmaster.{zone}. {serial} 7200 1800 86400 5\n{zone}. 60 IN NS ns.dns.{zone}.\n"
    );
    for KeptRecord { name, value, ttl_seconds, owner, source } in records {
        let value = match value {
            RecordValue::A(_) | RecordValue::Aaaa(_) => format!("{} {value}", value.record_type()),
            RecordValue::Cname(to) => format!("CNAME {to}."),
            RecordValue::Ptr(host) => format!("PTR {host}."),
            RecordValue::Srv(location) => format!("SRV {location}."),
            RecordValue::Txt(text) => format!("TXT {}", quoted(text)),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name}. {ttl_seconds} IN {value} ; {} {source}", owner.cluster);
    }
    text
}

fn quoted(text: &str) -> String {
    let bytes = text.bytes().map(|byte| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\{byte:03}"),
    });
    format!("\"{}\"", bytes.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::parse;

    #[test]
    fn every_type_has_its_form_and_every_line_its_owner() {
        let line = |record_type: &str, value: &str| {
            format!(
                r#"{{"name":"{}.w1.openmcp.cluster","type":"{record_type}","value":{},"ttl":60,"owner":"openmcp.cluster/ns/w1","source":"HTTPRoute/default/r"}}"#,
                record_type.to_lowercase(),
                serde_json::to_string(value).unwrap()
            )
        };
        let lines = [
            line("A", "10.0.0.1"),
            line("AAAA", "fd00::1"),
            line("CNAME", "lb.example.com"),
            line("TXT", "a \"b\" \\ ü;"),
            line("SRV", "10 100 9443 lb.example.com").replace("srv.w1", "_tls._tcp.a.w1"),
        ];
        let zone = "openmcp.cluster".parse().unwrap();
        assert_eq!(
            zone_file(&zone, 42, &parse(&lines.join("\n")).unwrap()),
            r#"openmcp.cluster. 60 IN SOA ns.dns.openmcp.cluster. hostmaster.openmcp.cluster. 42 7200 1800 86400 5
openmcp.cluster. 60 IN NS ns.dns.openmcp.cluster.
a.w1.openmcp.cluster. 60 IN A 10.0.0.1 ; ns/w1 HTTPRoute/default/r
aaaa.w1.openmcp.cluster. 60 IN AAAA fd00::1 ; ns/w1 HTTPRoute/default/r
cname.w1.openmcp.cluster. 60 IN CNAME lb.example.com. ; ns/w1 HTTPRoute/default/r
txt.w1.openmcp.cluster. 60 IN TXT "a \"b\" \\ \195\188;" ; ns/w1 HTTPRoute/default/r
_tls._tcp.a.w1.openmcp.cluster. 60 IN SRV 10 100 9443 lb.example.com. ; ns/w1 HTTPRoute/default/r
"#
        );
    }
}
