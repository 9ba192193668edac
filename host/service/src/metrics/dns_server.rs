//! Metrics of the built-in DNS server, read from its records whenever somebody asks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use openmcp_dns_server::Records;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::{Exposed, encoded};

/// What is served, and how old it may be. Clones are the same metrics.
#[derive(Clone)]
pub struct DnsServerMetrics {
    served: Records,
    values: Gauge,
    silence: Gauge<f64, AtomicU64>,
    registry: Arc<Registry>,
}

impl DnsServerMetrics {
    /// Of what is served from these records.
    #[must_use]
    pub fn new(served: Records) -> Self {
        let mut registry = Registry::with_prefix("openmcp_dns_server");
        let (values, silence) = (Gauge::default(), Gauge::default());
        registry.register("values", "Values that are served", values.clone());
        registry.register_with_unit(
            "store_silence",
            "Since the store last said anything; infinite before it did",
            Unit::Seconds,
            silence.clone(),
        );
        Self { served, values, silence, registry: Arc::new(registry) }
    }
}

impl Exposed for DnsServerMetrics {
    fn text(&self) -> Result<String, fmt::Error> {
        self.values.set(i64::try_from(self.served.len()).unwrap_or(i64::MAX));
        self.silence.set(self.served.age().map_or(f64::INFINITY, |age| age.as_secs_f64()));
        encoded(&self.registry)
    }
}

#[cfg(test)]
mod tests {
    use openmcp_dns_core::skydns::Prefix;

    use super::*;

    #[test]
    fn they_say_what_is_served_and_for_how_long_the_store_has_been_silent() {
        let records = Records::new("openmcp.cluster".parse().unwrap(), Prefix::default());
        let metrics = DnsServerMetrics::new(records.clone());
        let text = metrics.text().unwrap();
        assert!(text.contains("openmcp_dns_server_values 0"), "{text}");
        assert!(text.contains("openmcp_dns_server_store_silence_seconds inf"), "{text}");
        records.replace([("/skydns/cluster/openmcp/svc".to_owned(), br#"{"host":"10.0.0.1"}"#.to_vec())]);
        let text = metrics.text().unwrap();
        assert!(text.contains("openmcp_dns_server_values 1"), "{text}");
        assert!(text.contains("openmcp_dns_server_store_silence_seconds 0."), "{text}");
    }
}
