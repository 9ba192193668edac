//! SRV records for the listeners that serve a name, beside what a module records: clients that look them up learn the
//! port.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::decide::MAX_RECORD_SETS;
use crate::details::{Detail, ServingListener};
use crate::name::{HostName, check_label};
use crate::policy::{CheckedClaim, Context, Policy, PolicyFailure, ProposedRecordSet, Verdict};
use crate::record::RecordType;
use crate::skydns::{DEFAULT_PRIORITY, DEFAULT_WEIGHT};

/// A policy, and SRV records for the names that it records.
pub struct WithSrvRecords {
    policy: Arc<dyn Policy>,
    /// What the policy has to be told, and the listeners.
    details: Vec<Detail>,
}

impl WithSrvRecords {
    /// A policy whose names get SRV records, or the policy as it is.
    #[must_use]
    pub fn if_wanted(is_wanted: bool, policy: Arc<dyn Policy>) -> Arc<dyn Policy> {
        if !is_wanted {
            return policy;
        }
        let mut details = policy.details().to_vec();
        details.push(Detail::Listeners);
        details.sort_unstable();
        details.dedup();
        Arc::new(Self { policy, details })
    }

    /// The claim as the policy is told of it.
    fn told(&self, claim: &CheckedClaim) -> Option<CheckedClaim> {
        claim.told_to(&*self.policy, &self.details)
    }
}

impl Policy for WithSrvRecords {
    fn details(&self) -> &[Detail] {
        &self.details
    }

    fn domain_filter(&self, context: &Context) -> Result<String, PolicyFailure> {
        self.policy.domain_filter(context)
    }

    fn validate_hostname(
        &self,
        context: &Context,
        domain: &HostName,
        claim: &CheckedClaim,
    ) -> Result<Verdict, PolicyFailure> {
        let told = self.told(claim);
        self.policy.validate_hostname(context, domain, told.as_ref().unwrap_or(claim))
    }

    fn name_records(
        &self,
        context: &Context,
        domain: &HostName,
        claim: &CheckedClaim,
    ) -> Result<Vec<ProposedRecordSet>, PolicyFailure> {
        let told = self.told(claim);
        let mut sets = self.policy.name_records(context, domain, told.as_ref().unwrap_or(claim))?;
        let listeners =
            claim.details.as_ref().map(|details| details.listeners.as_slice()).unwrap_or_default();
        let added = added(&sets, listeners);
        sets.extend(added);
        Ok(sets)
    }
}

/// What is recorded beside these record sets. As many as there is room for; where the policy says itself what an SRV
/// name holds, that counts.
fn added(sets: &[ProposedRecordSet], listeners: &[ServingListener]) -> Vec<ProposedRecordSet> {
    let mut added: Vec<ProposedRecordSet> = Vec::new();
    for (name, target, ttl_seconds) in hosts(sets) {
        for (service, port) in services(listeners) {
            let srv_name = format!("{service}.{name}");
            let value = format!("{DEFAULT_PRIORITY} {DEFAULT_WEIGHT} {port} {target}");
            if sets.iter().any(|set| set.name == srv_name) || HostName::of_record(&srv_name).is_err() {
                continue;
            }
            if let Some(set) = added.iter_mut().find(|set| set.name == srv_name) {
                set.values.push(value);
            } else if sets.len() + added.len() < MAX_RECORD_SETS {
                let (record_type, values) = (RecordType::Srv, vec![value]);
                added.push(ProposedRecordSet { name: srv_name, record_type, ttl_seconds, values });
            }
        }
    }
    added
}

/// The names that lead to addresses, each with the host that an SRV record names and its time to live. That host must
/// not be an alias (RFC 2782).
fn hosts(sets: &[ProposedRecordSet]) -> impl Iterator<Item = (&str, &str, u32)> {
    let mut seen = BTreeSet::new();
    sets.iter().filter_map(move |set| {
        let target = match set.record_type {
            RecordType::A | RecordType::Aaaa => &set.name,
            RecordType::Cname => set.values.first()?,
            RecordType::Txt | RecordType::Srv | RecordType::Ptr => return None,
        };
        seen.insert(&set.name).then_some((set.name.as_str(), target.as_str(), set.ttl_seconds))
    })
}

/// What listeners offer, each once: `_<name of the listener>._tcp` or `_udp`, as the named ports of Kubernetes Services
/// have it, with the port. A listener whose name is no single label has none.
fn services(listeners: &[ServingListener]) -> BTreeSet<(String, u16)> {
    let of_label = listeners.iter().filter(|listener| check_label(&listener.name).is_ok());
    let service = |listener: &ServingListener| {
        let protocol = if listener.protocol == "UDP" { "udp" } else { "tcp" };
        (format!("_{}._{protocol}", listener.name), listener.port)
    };
    of_label.map(service).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::details::ServingGateway;
    use crate::labels::Labels;

    fn listener(name: &str, port: u16, protocol: &str) -> ServingListener {
        let gateway = ServingGateway {
            namespace: "g".to_owned(),
            name: "g".to_owned(),
            class: "openmcp".to_owned(),
            labels: Labels::default(),
        };
        ServingListener { gateway, name: name.to_owned(), port, protocol: protocol.to_owned() }
    }

    fn set(name: &str, record_type: RecordType, values: &[&str]) -> ProposedRecordSet {
        let values = values.iter().map(ToString::to_string).collect();
        ProposedRecordSet { name: name.to_owned(), record_type, ttl_seconds: 60, values }
    }

    fn lines(sets: &[ProposedRecordSet], listeners: &[ServingListener]) -> Vec<String> {
        let line =
            |set: ProposedRecordSet| format!("{} {} {}", set.name, set.record_type, set.values.join(", "));
        added(sets, listeners).into_iter().map(line).collect()
    }

    #[test]
    fn each_listener_is_found_by_its_name_and_protocol() {
        let sets = [
            set("a.w1.x", RecordType::A, &["10.0.0.1"]),
            set("a.w1.x", RecordType::Aaaa, &["fd00::1"]),
            set("b.w1.x", RecordType::Cname, &["lb.example.com"]),
            set("c.w1.x", RecordType::Txt, &["text"]),
        ];
        let listeners =
            [listener("tls", 9443, "TLS"), listener("quic", 443, "UDP"), listener("tls", 9444, "TLS")];
        assert_eq!(
            lines(&sets, &listeners),
            [
                "_quic._udp.a.w1.x SRV 10 100 443 a.w1.x",
                "_tls._tcp.a.w1.x SRV 10 100 9443 a.w1.x, 10 100 9444 a.w1.x",
                "_quic._udp.b.w1.x SRV 10 100 443 lb.example.com",
                "_tls._tcp.b.w1.x SRV 10 100 9443 lb.example.com, 10 100 9444 lb.example.com",
            ]
        );
    }

    #[test]
    fn what_cannot_have_one_has_none_and_the_policy_goes_first() {
        let tls = [listener("tls", 9443, "TLS")];
        assert!(lines(&[set("*.w1.x", RecordType::A, &["10.0.0.1"])], &tls).is_empty());
        assert!(
            lines(&[set("a.w1.x", RecordType::A, &["10.0.0.1"])], &[listener("a.b", 1, "TCP")]).is_empty()
        );
        let own = [
            set("a.w1.x", RecordType::A, &["10.0.0.1"]),
            set("_tls._tcp.a.w1.x", RecordType::Srv, &["1 1 1 a.w1.x"]),
        ];
        assert!(lines(&own, &tls).is_empty());
        let many: Vec<ServingListener> =
            (1..=20).map(|port| listener(&format!("l{port}"), port, "TCP")).collect();
        let sets = [set("a.w1.x", RecordType::A, &["10.0.0.1"])];
        assert_eq!(lines(&sets, &many).len(), MAX_RECORD_SETS - 1);
    }
}
