//! Which version may take over, on an API in memory.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use openmcp_dns_kube_memory::Server;
use openmcp_dns_service::leadership::Leadership;
use openmcp_dns_service::upgrade::{CONFIG_MAP, Upgrade};

#[tokio::test]
async fn a_version_that_leads_is_written_down_and_none_follows_it_that_is_too_old() {
    let server = Server::new("platform");
    let client = server.client();
    let version = |version: &str| Upgrade::new(client.clone(), "default", version);
    // Nobody has led before.
    version("0.3.1").check().await.unwrap();
    version("0.3.1").note(Leadership::alone("a".to_owned())).await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    assert_eq!(maps.get(CONFIG_MAP).await.unwrap().data.unwrap()["version"], "0.3.1");

    version("0.7.0").check().await.unwrap();
    version("0.2.0").check().await.unwrap();
    let refused = version("0.1.0").check().await.unwrap_err().to_string();
    assert!(
        refused.contains("version 0.3 has led here, and 0.1 is more than one version before it"),
        "{refused}"
    );
    // Having gone back one step, it may go back another one.
    version("0.2.0").note(Leadership::alone("b".to_owned())).await;
    version("0.1.0").check().await.unwrap();
}
