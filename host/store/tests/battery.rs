//! The battery on the store in memory.

use std::sync::Arc;

use openmcp_dns_store::{MemoryStore, Store, battery};

#[tokio::test]
async fn the_store_in_memory_passes_the_battery_of_all_stores() {
    let open: Box<battery::Open> =
        Box::new(|_| Box::pin(async { Ok(Arc::new(MemoryStore::default()) as Arc<dyn Store>) }));
    battery::run(&*open).await.unwrap();
}
