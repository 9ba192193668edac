//! The gate as agents reach it: its Service, where that leads, and its certificate.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use openmcp_dns_api::DNSServiceConfigSpec;
use openmcp_dns_core::chain;
use openmcp_dns_core::deployment::{GATE, GATE_COMPONENT, GATE_PORT, GATE_SECRET, GateFacts, render_gate};

use super::{Enrolment, EnrolmentOptions, Gate};
use crate::apply::{Applier, Rendered};
use crate::certificates::{Authority, CertificateError, Pair, Purpose};

/// The kinds that are rendered.
const KINDS: [Rendered; 2] = [
    Rendered("v1", "Service", "services"),
    Rendered("discovery.k8s.io/v1", "EndpointSlice", "endpointslices"),
];

impl Enrolment {
    /// Makes the gate what it should be. What cannot be done now leaves the rest as it was.
    pub(super) async fn bring_gate(&self, spec: &DNSServiceConfigSpec, before: &Gate) -> Gate {
        if !spec.has_agents() {
            let addresses = self.take_gate_away().await.err().map(Err);
            return Gate { addresses, ..Gate::default() };
        }
        let addresses = self.addresses(spec).await;
        match self.identity(addresses.as_deref().unwrap_or_default()).await {
            Ok((identity, authority)) => {
                Gate { addresses: Some(addresses), identity: Some(identity), authority: Some(authority) }
            }
            Err(error) => Gate { addresses: Some(Err(chain(&error))), ..before.clone() },
        }
    }

    /// The gate's certificate, and who signs those of agents. etcd's client looks for the address in it, whatever server
    /// name external-dns is told (`ETCD_TLS_SERVER_NAME`).
    async fn identity(&self, addresses: &[String]) -> Result<(Pair, Authority), CertificateError> {
        let (keeper, now) = (self.keeper(), Timestamp::now());
        let authority = keeper.authority(now).await?;
        let authority = keeper.rotate(&authority, self.is_settled(), now).await?.unwrap_or(authority);
        let purpose = Purpose {
            secret: GATE_SECRET.to_owned(),
            common_name: GATE.to_owned(),
            names: std::iter::once(GATE)
                .chain(addresses.iter().map(|address| host(address)))
                .map(str::to_owned)
                .collect(),
            keeps_former: false,
        };
        Ok((keeper.issued(&purpose, &authority, now).await?, authority))
    }

    /// Where agents reach the gate, once that is so; or why not.
    async fn addresses(&self, spec: &DNSServiceConfigSpec) -> Result<Vec<String>, String> {
        let EnrolmentOptions { platform, namespace, pod, port, .. } = &self.0.options;
        let Some(port) = *port else {
            return Err("the service lets no agents in: start it with --gate-listen".to_owned());
        };
        let given: Vec<String> = spec.gate.addresses.iter().map(|address| with_port(address)).collect();
        let Some(pod) = *pod else {
            return if given.is_empty() {
                Err("the service does not know the address of its own pod (--pod-ip), so the gate has no Service: name its addresses in spec.gate.addresses of the DNSServiceConfig".to_owned())
            } else {
                Ok(given)
            };
        };
        let services: Api<Service> = Api::namespaced(platform.clone(), namespace);
        let service = async || services.get_opt(GATE).await.map_err(|error| chain(&error));
        let facts = GateFacts {
            namespace: namespace.clone(),
            pod,
            port,
            address: service().await?.as_ref().and_then(kept_address),
        };
        self.applier().apply(&render_gate(&spec.gate.gate(), &facts)).await.map_err(|error| chain(&error))?;
        if !given.is_empty() {
            return Ok(given);
        }
        let found = service().await?.as_ref().map(balanced).unwrap_or_default();
        if found.is_empty() {
            return Err(format!(
                "Service {namespace}/{GATE} has no address yet: agents wait for the platform's load balancer; where \
                 there is none, name addresses in spec.gate.addresses of the DNSServiceConfig"
            ));
        }
        Ok(found)
    }

    /// Takes the Service away, where there may be one.
    async fn take_gate_away(&self) -> Result<(), String> {
        if self.0.options.pod.is_none() {
            return Ok(());
        }
        self.applier().apply(&[]).await.map(drop).map_err(|error| chain(&error))
    }

    fn applier(&self) -> Applier {
        let EnrolmentOptions { platform, namespace, .. } = &self.0.options;
        Applier {
            client: platform.clone(),
            namespace: namespace.clone(),
            kinds: &KINDS,
            components: &[GATE_COMPONENT],
        }
    }
}

/// HOST:PORT of HOST, with the port of the gate's Service where there is none.
fn with_port(address: &str) -> String {
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]:{GATE_PORT}"),
        Ok(IpAddr::V4(address)) => format!("{address}:{GATE_PORT}"),
        Err(_) if address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) => {
            address.to_owned()
        }
        Err(_) => format!("{address}:{GATE_PORT}"),
    }
}

/// HOST of HOST:PORT.
fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

/// The addresses that the load balancer gives.
fn balanced(service: &Service) -> Vec<String> {
    let ingress = service.status.iter().flat_map(|status| &status.load_balancer);
    let ingress = ingress.flat_map(|balancer| balancer.ingress.iter().flatten());
    ingress
        .filter_map(|ingress| ingress.ip.as_ref().or(ingress.hostname.as_ref()))
        .map(|a| with_port(a))
        .collect()
}

/// The address to ask for again.
fn kept_address(service: &Service) -> Option<IpAddr> {
    let ingress = service.status.as_ref()?.load_balancer.as_ref()?.ingress.as_ref()?;
    ingress.first()?.ip.as_ref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_address_without_a_port_gets_that_of_the_gate() {
        for (given, expected) in [
            ("172.18.101.2", "172.18.101.2:2379"),
            ("172.18.101.2:31000", "172.18.101.2:31000"),
            ("fd00::2", "[fd00::2]:2379"),
            ("[fd00::2]:31000", "[fd00::2]:31000"),
            ("gate.example.com", "gate.example.com:2379"),
            ("gate.example.com:443", "gate.example.com:443"),
        ] {
            assert_eq!(with_port(given), expected);
            assert!(given.contains(host(&with_port(given))), "{given}");
        }
    }

    #[test]
    fn the_addresses_of_a_load_balancer_are_found_whether_they_are_numbers_or_names() {
        let service: Service = serde_json::from_value(json!({"status": {"loadBalancer": {"ingress": [
            {"ip": "172.18.101.2"}, {"hostname": "lb-1.example.com"},
        ]}}}))
        .unwrap();
        assert_eq!(balanced(&service), ["172.18.101.2:2379", "lb-1.example.com:2379"]);
        assert_eq!(kept_address(&service), "172.18.101.2".parse().ok());
        assert_eq!(balanced(&Service::default()), [""; 0]);
    }
}
