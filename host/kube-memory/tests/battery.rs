//! The battery on the server in memory.

use openmcp_dns_kube_memory::{Server, battery};

#[tokio::test]
async fn the_server_in_memory_passes_the_battery_of_all_servers() {
    let server = Server::new("battery");
    server.register(battery::thing(), None);
    server
        .put(
            serde_json::json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "battery" } }),
        )
        .unwrap();
    battery::run(server.client(), "battery").await.unwrap();
}
