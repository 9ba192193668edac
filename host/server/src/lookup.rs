//! From a question to its answer, without a message or a socket.

use std::collections::BTreeSet;

use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::node::Node;
use crate::path;
use crate::zone::{Place, Zone};

/// How many CNAMEs in a row are followed. Resolvers give up at about the same length.
const MAX_ALIASES: usize = 8;

/// What the zone says to a question.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The name lies outside of the zone.
    Outside,
    /// The store has not been read yet, so nothing is known; least of all that a name does not exist.
    NotYetKnown,
    /// Records of the asked type, after the CNAMEs that lead to them; or only CNAMEs, when they lead
    /// out of the zone, or nowhere in a circle.
    Records {
        /// The records, in this order.
        records: Vec<Record>,
        /// Addresses that the asker will want next.
        additionals: Vec<Record>,
    },
    /// The name, or the one that the CNAMEs lead to, exists without records of the asked type.
    NoData {
        /// The CNAMEs on the way.
        aliases: Vec<Record>,
    },
    /// The name, or the one that the CNAMEs lead to, does not exist (RFC 6604).
    NoSuchName {
        /// The CNAMEs on the way.
        aliases: Vec<Record>,
    },
}

/// Answers one question.
///
/// A question of type ANY gets one record set, the smallest answer that still shows a person
/// something (RFC 8482 section 4.1).
pub(crate) fn lookup(zone: &Zone, name: &Name, record_type: RecordType) -> Answer {
    let mut aliases: Vec<Record> = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    let mut owner = name.clone();
    loop {
        let path = path::of_name(&owner);
        match zone.place(&path) {
            Place::Outside if aliases.is_empty() => return Answer::Outside,
            _ if !zone.is_filled() => return Answer::NotYetKnown,
            Place::Outside => return Answer::Records { records: aliases, additionals: Vec::new() },
            Place::Missing => return Answer::NoSuchName { aliases },
            Place::EmptyNonTerminal => return Answer::NoData { aliases },
            Place::Apex => {
                let (found, additionals) = zone.apex(&owner, record_type);
                return found_or_no_data(aliases, found, additionals);
            }
            Place::Values(node) => {
                let found = records_at(node, &owner, record_type);
                match node.alias(&owner) {
                    Some((target, alias)) if found.is_empty() => {
                        aliases.push(alias);
                        seen.push(path);
                        let circle = seen.contains(&path::of_name(&target));
                        if circle || aliases.len() == MAX_ALIASES {
                            return Answer::Records { records: aliases, additionals: Vec::new() };
                        }
                        owner = target;
                    }
                    _ => {
                        let additionals = hosts_of_services(zone, &found);
                        return found_or_no_data(aliases, found, additionals);
                    }
                }
            }
        }
    }
}

fn records_at(node: &Node, owner: &Name, record_type: RecordType) -> Vec<Record> {
    let set = match record_type {
        RecordType::ANY => node.sets().first(),
        other => node.set(other),
    };
    set.map(|set| set.records(owner).collect()).unwrap_or_default()
}

/// The addresses of the hosts that SRV records name (RFC 2782), as far as they stand in the zone.
fn hosts_of_services(zone: &Zone, found: &[Record]) -> Vec<Record> {
    let targets = found.iter().filter_map(|record| match &record.data {
        RData::SRV(service) => Some(&service.target),
        _ => None,
    });
    let targets: BTreeSet<&Name> = targets.collect();
    let addresses = targets.into_iter().flat_map(|target| match zone.place(&path::of_name(target)) {
        Place::Values(node) => {
            [RecordType::A, RecordType::AAAA].map(|address| records_at(node, target, address)).concat()
        }
        _ => Vec::new(),
    });
    addresses.collect()
}

fn found_or_no_data(mut aliases: Vec<Record>, found: Vec<Record>, additionals: Vec<Record>) -> Answer {
    if found.is_empty() {
        return Answer::NoData { aliases };
    }
    aliases.extend(found);
    Answer::Records { records: aliases, additionals }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Records;

    /// Names and values as `name json` lines; the wildcard is a label like any other.
    fn records(lines: &[(&str, &str)]) -> Records {
        let records = Records::new("openmcp.cluster".parse().unwrap(), "/skydns".parse().unwrap());
        records.replace(lines.iter().enumerate().map(|(index, (name, value))| {
            let path = path::of_labels(name.split('.'));
            (format!("/skydns/{path}{index:016x}"), value.as_bytes().to_vec())
        }));
        records
    }

    fn ask(records: &Records, name: &str, record_type: RecordType) -> String {
        let name = Name::from_ascii(format!("{name}.")).unwrap();
        let text = |records: &[Record]| {
            let texts: Vec<String> =
                records.iter().map(|record| format!("{} {}", record.name, record.data)).collect();
            texts.join(", ")
        };
        match records.answer(&name, record_type).0 {
            Answer::Outside => "outside".to_owned(),
            Answer::NotYetKnown => "not yet known".to_owned(),
            Answer::Records { records, .. } => text(&records),
            Answer::NoData { aliases } => format!("no data {}", text(&aliases)).trim_end().to_owned(),
            Answer::NoSuchName { aliases } => format!("no name {}", text(&aliases)).trim_end().to_owned(),
        }
    }

    #[test]
    fn a_name_answers_with_its_own_values_only() {
        let records = records(&[
            ("wl01.openmcp.cluster", r#"{"host":"10.0.0.1"}"#),
            ("svc.wl01.openmcp.cluster", r#"{"host":"10.0.0.2"}"#),
            ("svc.wl01.openmcp.cluster", r#"{"host":"fd00::2"}"#),
            ("svc-1.wl01.openmcp.cluster", r#"{"host":"10.0.0.3"}"#),
        ]);
        let ask = |name, record_type| ask(&records, name, record_type);
        assert_eq!(ask("wl01.openmcp.cluster", RecordType::A), "wl01.openmcp.cluster. 10.0.0.1");
        assert_eq!(ask("wl01.openmcp.cluster", RecordType::AAAA), "no data");
        assert_eq!(ask("svc.wl01.openmcp.cluster", RecordType::AAAA), "svc.wl01.openmcp.cluster. fd00::2");
        assert_eq!(ask("openmcp.cluster", RecordType::A), "no data");
    }

    #[test]
    fn a_name_with_nothing_but_names_below_exists_without_data() {
        let records = records(&[("a.b.c.openmcp.cluster", r#"{"host":"10.0.0.1"}"#)]);
        for name in ["b.c.openmcp.cluster", "c.openmcp.cluster", "openmcp.cluster"] {
            assert_eq!(ask(&records, name, RecordType::A), "no data", "{name}");
        }
        for name in ["x.b.c.openmcp.cluster", "x.a.b.c.openmcp.cluster", "bb.c.openmcp.cluster"] {
            assert_eq!(ask(&records, name, RecordType::A), "no name", "{name}");
        }
    }

    #[test]
    fn before_the_store_was_read_no_name_is_said_not_to_exist() {
        let records = Records::new("openmcp.cluster".parse().unwrap(), "/skydns".parse().unwrap());
        assert!(!records.is_filled());
        for name in ["svc.openmcp.cluster", "openmcp.cluster"] {
            assert_eq!(ask(&records, name, RecordType::A), "not yet known");
        }
        assert_eq!(ask(&records, "example.com", RecordType::A), "outside");
        records.replace([]);
        assert!(records.is_filled());
        assert_eq!(ask(&records, "svc.openmcp.cluster", RecordType::A), "no name");
    }

    #[test]
    fn names_outside_of_the_zone_are_not_answered() {
        let records = records(&[("other.cluster", r#"{"host":"10.0.0.1"}"#)]);
        for name in ["other.cluster", "cluster", "", "badopenmcp.cluster", "openmcp.cluster.com"] {
            assert_eq!(ask(&records, name, RecordType::A), "outside", "{name:?}");
        }
        assert!(records.is_empty());
    }

    #[test]
    fn a_wildcard_stands_for_names_that_do_not_exist_and_for_no_other() {
        // The example of RFC 4592 section 2.2.1, with our types.
        let records = records(&[
            ("*.openmcp.cluster", r#"{"text":"wildcard"}"#),
            ("*.openmcp.cluster", r#"{"host":"10.0.0.9"}"#),
            ("sub.*.openmcp.cluster", r#"{"text":"is no name that the store can hold"}"#),
            ("host1.openmcp.cluster", r#"{"host":"10.0.0.1"}"#),
            ("_ssh._tcp.host1.openmcp.cluster", r#"{"text":"t"}"#),
        ]);
        let ask = |name, record_type| ask(&records, name, record_type);
        assert_eq!(ask("host3.openmcp.cluster", RecordType::A), "host3.openmcp.cluster. 10.0.0.9");
        assert_eq!(ask("host3.openmcp.cluster", RecordType::AAAA), "no data");
        assert_eq!(ask("foo.bar.openmcp.cluster", RecordType::TXT), "foo.bar.openmcp.cluster. wildcard");
        assert_eq!(ask("host1.openmcp.cluster", RecordType::TXT), "no data");
        assert_eq!(ask("_tcp.host1.openmcp.cluster", RecordType::A), "no data");
        assert_eq!(ask("_telnet._tcp.host1.openmcp.cluster", RecordType::A), "no name");
        assert_eq!(ask("x.host1.openmcp.cluster", RecordType::A), "no name");
        assert_eq!(ask("*.openmcp.cluster", RecordType::A), "*.openmcp.cluster. 10.0.0.9");
        assert_eq!(ask("ghost.*.openmcp.cluster", RecordType::TXT), "no name");
        assert_eq!(ask(r"a\.b.openmcp.cluster", RecordType::A), r"a\.b.openmcp.cluster. 10.0.0.9");
        assert_eq!(ask("openmcp.cluster", RecordType::A), "no data");
    }

    #[test]
    fn an_asterisk_or_any_in_a_question_lists_nothing() {
        let records = records(&[("svc.openmcp.cluster", r#"{"host":"10.0.0.1"}"#)]);
        for name in ["*.openmcp.cluster", "any.openmcp.cluster"] {
            assert_eq!(ask(&records, name, RecordType::A), "no name", "{name}");
        }
    }

    #[test]
    fn aliases_are_followed_within_the_zone() {
        let records = records(&[
            ("www.openmcp.cluster", r#"{"host":"web.openmcp.cluster"}"#),
            ("web.openmcp.cluster", r#"{"host":"svc.openmcp.cluster"}"#),
            ("svc.openmcp.cluster", r#"{"host":"10.0.0.1"}"#),
            ("*.star.openmcp.cluster", r#"{"host":"svc.openmcp.cluster"}"#),
            ("out.openmcp.cluster", r#"{"host":"lb.example.com"}"#),
            ("lost.openmcp.cluster", r#"{"host":"nowhere.openmcp.cluster"}"#),
            ("up.openmcp.cluster", r#"{"host":"openmcp.cluster"}"#),
        ]);
        let ask = |name, record_type| ask(&records, name, record_type);
        assert_eq!(
            ask("www.openmcp.cluster", RecordType::A),
            "www.openmcp.cluster. web.openmcp.cluster., web.openmcp.cluster. svc.openmcp.cluster., \
             svc.openmcp.cluster. 10.0.0.1"
        );
        assert_eq!(
            ask("web.openmcp.cluster", RecordType::CNAME),
            "web.openmcp.cluster. svc.openmcp.cluster."
        );
        assert_eq!(
            ask("web.openmcp.cluster", RecordType::AAAA),
            "no data web.openmcp.cluster. svc.openmcp.cluster."
        );
        assert_eq!(
            ask("x.star.openmcp.cluster", RecordType::A),
            "x.star.openmcp.cluster. svc.openmcp.cluster., svc.openmcp.cluster. 10.0.0.1"
        );
        assert_eq!(ask("out.openmcp.cluster", RecordType::A), "out.openmcp.cluster. lb.example.com.");
        assert_eq!(
            ask("lost.openmcp.cluster", RecordType::A),
            "no name lost.openmcp.cluster. nowhere.openmcp.cluster."
        );
        assert_eq!(ask("up.openmcp.cluster", RecordType::A), "no data up.openmcp.cluster. openmcp.cluster.");
        assert_eq!(ask("svc.openmcp.cluster", RecordType::CNAME), "no data");
    }

    #[test]
    fn aliases_in_a_circle_or_in_a_long_row_come_to_an_end() {
        let names: Vec<(String, String)> = (0..20)
            .map(|index| {
                (
                    format!("n{index}.openmcp.cluster"),
                    format!(r#"{{"host":"n{}.openmcp.cluster"}}"#, index + 1),
                )
            })
            .collect();
        let mut lines: Vec<(&str, &str)> =
            names.iter().map(|(name, json)| (name.as_str(), json.as_str())).collect();
        lines.push(("self.openmcp.cluster", r#"{"host":"self.openmcp.cluster"}"#));
        lines.push(("a.openmcp.cluster", r#"{"host":"b.openmcp.cluster"}"#));
        lines.push(("b.openmcp.cluster", r#"{"host":"a.openmcp.cluster"}"#));
        let records = records(&lines);
        let count = |name| ask(&records, name, RecordType::A).split(", ").count();
        assert_eq!(count("n0.openmcp.cluster"), MAX_ALIASES);
        assert_eq!(count("self.openmcp.cluster"), 1);
        assert_eq!(count("a.openmcp.cluster"), 2);
    }

    #[test]
    fn the_place_of_a_service_comes_with_the_addresses_of_its_host() {
        let records = records(&[
            ("_tls._tcp.svc.openmcp.cluster", r#"{"host":"svc.openmcp.cluster","port":9443}"#),
            (
                "_tls._tcp.svc.openmcp.cluster",
                r#"{"host":"svc.example.com","port":443,"priority":20,"weight":1}"#,
            ),
            ("svc.openmcp.cluster", r#"{"host":"10.0.0.1"}"#),
            ("svc.openmcp.cluster", r#"{"host":"fd00::1"}"#),
        ]);
        let name = Name::from_ascii("_tls._tcp.svc.openmcp.cluster.").unwrap();
        let (Answer::Records { records: found, additionals }, _) = records.answer(&name, RecordType::SRV)
        else {
            panic!("no records")
        };
        let texts =
            |records: &[Record]| records.iter().map(|record| record.data.to_string()).collect::<Vec<_>>();
        assert_eq!(texts(&found), ["10 100 9443 svc.openmcp.cluster.", "20 1 443 svc.example.com."]);
        assert_eq!(texts(&additionals), ["10.0.0.1", "fd00::1"]);
        let ask = |name, record_type| ask(&records, name, record_type);
        assert_eq!(ask("_tls._tcp.svc.openmcp.cluster", RecordType::A), "no data");
        assert_eq!(ask("svc.openmcp.cluster", RecordType::SRV), "no data");
    }

    #[test]
    fn a_reverse_zone_answers_with_the_host_names_of_addresses() {
        let records = records(&[]);
        records.add_zone(&"200.18.172.in-addr.arpa".parse().unwrap());
        records.replace([
            ("/skydns/arpa/in-addr/172/18/200/10".to_owned(), br#"{"host":"svc.openmcp.cluster"}"#.to_vec()),
            ("/skydns/arpa/in-addr/172/18/201/10".to_owned(), br#"{"host":"out.openmcp.cluster"}"#.to_vec()),
            ("/skydns/cluster/openmcp/svc".to_owned(), br#"{"host":"172.18.200.10"}"#.to_vec()),
        ]);
        let ask = |name, record_type| ask(&records, name, record_type);
        assert_eq!(
            ask("10.200.18.172.in-addr.arpa", RecordType::PTR),
            "10.200.18.172.in-addr.arpa. svc.openmcp.cluster."
        );
        assert_eq!(ask("10.200.18.172.in-addr.arpa", RecordType::A), "no data");
        assert_eq!(ask("11.200.18.172.in-addr.arpa", RecordType::PTR), "no name");
        assert_eq!(ask("10.201.18.172.in-addr.arpa", RecordType::PTR), "outside");
        assert_eq!(ask("svc.openmcp.cluster", RecordType::PTR), "no data");
    }

    #[test]
    fn a_question_for_any_type_gets_one_record_set() {
        let records = records(&[
            ("svc.openmcp.cluster", r#"{"host":"10.0.0.1"}"#),
            ("svc.openmcp.cluster", r#"{"host":"fd00::1"}"#),
            ("svc.openmcp.cluster", r#"{"text":"t"}"#),
            ("www.openmcp.cluster", r#"{"host":"svc.openmcp.cluster"}"#),
        ]);
        let ask = |name| ask(&records, name, RecordType::ANY);
        assert_eq!(ask("svc.openmcp.cluster"), "svc.openmcp.cluster. 10.0.0.1");
        assert_eq!(ask("www.openmcp.cluster"), "www.openmcp.cluster. svc.openmcp.cluster.");
        assert_eq!(ask("nowhere.openmcp.cluster"), "no name");
        assert!(ask("openmcp.cluster").starts_with("openmcp.cluster. ns.dns.openmcp.cluster. hostmaster."));
    }

    #[test]
    fn the_apex_has_an_soa_and_name_servers_whatever_is_stored() {
        let empty = records(&[]);
        assert_eq!(
            ask(&empty, "openmcp.cluster", RecordType::NS),
            "openmcp.cluster. ns.dns.openmcp.cluster."
        );
        assert!(ask(&empty, "openmcp.cluster", RecordType::SOA).ends_with(" 7200 1800 86400 5"));
        let seeded = records(&[
            ("ns1.ns.dns.openmcp.cluster", r#"{"host":"10.0.0.53"}"#),
            ("ns2.ns.dns.openmcp.cluster", r#"{"host":"10.0.0.54"}"#),
            ("bad.ns.dns.openmcp.cluster", r#"{"text":"no address"}"#),
            ("openmcp.cluster", r#"{"host":"alias.example.com"}"#),
        ]);
        assert_eq!(
            ask(&seeded, "openmcp.cluster", RecordType::NS),
            "openmcp.cluster. ns1.ns.dns.openmcp.cluster., openmcp.cluster. ns2.ns.dns.openmcp.cluster."
        );
        let name = Name::from_ascii("openmcp.cluster.").unwrap();
        let (Answer::Records { additionals, .. }, _) = seeded.answer(&name, RecordType::NS) else {
            panic!("no records")
        };
        assert_eq!(additionals.len(), 2);
        // An alias at the apex would hide all this.
        assert_eq!(ask(&seeded, "openmcp.cluster", RecordType::A), "no data");
    }

    #[test]
    fn the_apex_has_the_addresses_of_both_places() {
        let records = records(&[
            ("apex.dns.openmcp.cluster", r#"{"host":"10.0.0.2","ttl":20}"#),
            ("apex.dns.openmcp.cluster", r#"{"host":"10.0.0.1"}"#),
            ("openmcp.cluster", r#"{"host":"10.0.0.1","ttl":30}"#),
            ("openmcp.cluster", r#"{"text":"t"}"#),
        ]);
        assert_eq!(
            ask(&records, "openmcp.cluster", RecordType::A),
            "openmcp.cluster. 10.0.0.1, openmcp.cluster. 10.0.0.2"
        );
        assert_eq!(ask(&records, "openmcp.cluster", RecordType::TXT), "openmcp.cluster. t");
        assert_eq!(ask(&records, "openmcp.cluster", RecordType::AAAA), "no data");
    }
}
