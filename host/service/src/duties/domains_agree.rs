//! Whether all who say in which domain a cluster's names lie say the same: the policy, the configuration of openMCP's
//! gateway service, and the Gateway on the cluster, below whose domain services build their host names.

use openmcp_dns_api::GatewayDomain;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::openmcp_names::{DOMAIN_ANNOTATION, GATEWAY_NAME, GATEWAY_NAMESPACE};

/// What is wrong where they do not agree: names that services build are not recorded then, and nobody else says so.
pub(super) fn disagreement(
    policy: &str,
    domain: &HostName,
    config: Option<&GatewayDomain>,
    gateway: Option<&str>,
) -> Option<String> {
    let agrees =
        |said: &str| said.parse::<HostName>().is_ok_and(|said| said == *domain || said.is_below(domain));
    let is_well = config.is_none_or(|config| agrees(&config.domain)) && gateway.is_none_or(agrees);
    if is_well {
        return None;
    }
    let config = match config {
        Some(GatewayDomain { config, domain }) => {
            format!("the GatewayServiceConfig {config} gives it {domain}")
        }
        None => "no GatewayServiceConfig selects it".to_owned(),
    };
    let gateway = match gateway {
        Some(gateway) => format!("carries {gateway:?}"),
        None => "carries none".to_owned(),
    };
    Some(format!(
        "its domains do not agree: the DNSPolicy {policy} gives the cluster {domain}, {config}, and the Gateway \
         {GATEWAY_NAMESPACE}/{GATEWAY_NAME} on the cluster {gateway} ({DOMAIN_ANNOTATION}). Services build host names below \
         the Gateway's, and only names in {domain} are recorded: let baseDomain and domainTemplate of the policy, and \
         dns.baseDomain of the GatewayServiceConfig, say the same"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_the_clusters_domain_nor_below_it_is_told_with_all_three() {
        let domain: HostName = "w1.openmcp.cluster".parse().unwrap();
        let config = |domain: &str| GatewayDomain { config: "gateway".to_owned(), domain: domain.to_owned() };
        for (from_config, on_gateway, is_well) in [
            (None, None, true),
            (Some("w1.openmcp.cluster"), Some("w1.openmcp.cluster"), true),
            (Some("W1.openmcp.cluster"), None, true),
            (None, Some("eu.w1.openmcp.cluster"), true),
            (Some("w1.s.openmcp.cluster"), None, false),
            (Some("w1.openmcp.cluster"), Some("openmcp.cluster"), false),
            (None, Some("not a name"), false),
        ] {
            let config = from_config.map(config);
            let said = disagreement("landscape", &domain, config.as_ref(), on_gateway);
            assert_eq!(said.is_none(), is_well, "{from_config:?} {on_gateway:?}");
            if let Some(said) = said {
                let expected = [
                    Some("DNSPolicy landscape gives the cluster w1.openmcp.cluster"),
                    from_config,
                    on_gateway,
                ];
                assert!(expected.into_iter().flatten().all(|part| said.contains(part)), "{said}");
            }
        }
    }
}
