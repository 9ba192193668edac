//! What the service publishes of itself in each zone, below `dns.<zone>`: no cluster may have a name there.
//!
//! CoreDNS's etcd plugin reads the addresses of the zone's apex at `apex.dns`, and those of its name server, which
//! every SOA and NS record names, at `ns.dns`. Without them, a question for the apex reads the whole zone, and the
//! name server has no address.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::name::HostName;
use crate::record::{RecordSet, RecordType, RecordValue, Values};

/// Time to live of the apex and of the name server, in seconds. They change when the central DNS server gets
/// another address, which resolvers should follow soon.
const TTL_SECONDS: u32 = 60;

/// Time to live of the canary, in seconds: whoever keeps it longer cannot be told from one that is outdated.
const CANARY_TTL_SECONDS: u32 = 1;

/// What the service wants to be published of itself, by zone. A zone that is not among them goes.
pub type ServiceNames = BTreeMap<HostName, Vec<RecordSet>>;

/// Whether a name lies where the service has its own.
#[must_use]
pub fn is_service_name(name: &HostName, zone: &HostName) -> bool {
    zone.prefixed("dns").is_ok_and(|service| name.is_within(&service))
}

/// The name of the canary of a zone; `None` where the zone's name leaves no room for it.
#[must_use]
pub fn canary_name(zone: &HostName) -> Option<HostName> {
    zone.prefixed("canary.dns").ok()
}

/// What is published in a zone: the addresses of the central DNS server, as far as other clusters can reach them,
/// and the canary, where somebody asks for it.
#[must_use]
pub fn record_sets(zone: &HostName, addresses: &[IpAddr], canary: Option<&str>) -> Vec<RecordSet> {
    let value = |address: &IpAddr| {
        let record_type = if address.is_ipv4() { RecordType::A } else { RecordType::Aaaa };
        RecordValue::parse(record_type, &address.to_string()).ok()
    };
    let (v4, v6): (Vec<RecordValue>, Vec<RecordValue>) =
        addresses.iter().filter_map(value).partition(|value| matches!(value, RecordValue::A(_)));
    let mut sets = Vec::new();
    for name in ["apex.dns", "ns.dns"].iter().filter_map(|name| zone.prefixed(name).ok()) {
        for values in [&v4, &v6].into_iter().filter(|values| !values.is_empty()) {
            let values: Values = values.iter().cloned().collect();
            sets.push(RecordSet { name: name.clone(), ttl_seconds: TTL_SECONDS, values });
        }
    }
    let canary = canary.and_then(|text| RecordValue::parse(RecordType::Txt, text).ok());
    if let Some((name, value)) = canary_name(zone).zip(canary) {
        sets.push(RecordSet { name, ttl_seconds: CANARY_TTL_SECONDS, values: [value].into_iter().collect() });
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::lines;

    #[test]
    fn a_zone_has_an_apex_and_a_name_server_at_the_addresses_that_others_can_reach() {
        let addresses = ["172.18.100.1", "fd00::1", "127.0.0.1"].map(|text| text.parse().unwrap());
        let sets = record_sets(&"openmcp.cluster".parse().unwrap(), &addresses, Some("7"));
        let expected = [
            "apex.dns.openmcp.cluster 60 A 172.18.100.1",
            "apex.dns.openmcp.cluster 60 AAAA fd00::1",
            r#"canary.dns.openmcp.cluster 1 TXT "7""#,
            "ns.dns.openmcp.cluster 60 A 172.18.100.1",
            "ns.dns.openmcp.cluster 60 AAAA fd00::1",
        ];
        assert_eq!(lines(&sets), expected);
    }
}
