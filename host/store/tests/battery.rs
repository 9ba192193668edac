//! The battery on the store in memory.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::sync::{Arc, Mutex};

use futures::future::{LocalBoxFuture, ready};
use openmcp_dns_core::skydns::Prefix;
use openmcp_dns_store::battery::{self, Opened, Site};
use openmcp_dns_store::{Backup, MemoryStore};

/// A store for each prefix; what befalls one, befalls the one that was opened last.
#[derive(Default)]
struct Memory {
    last: Mutex<Arc<MemoryStore>>,
    backup: Mutex<Backup>,
}

impl Memory {
    fn last(&self) -> Arc<MemoryStore> {
        Arc::clone(&self.last.lock().unwrap())
    }
}

impl Site for Memory {
    fn open(&self, _: Prefix) -> LocalBoxFuture<'_, anyhow::Result<Opened>> {
        let store = Arc::new(MemoryStore::default());
        *self.last.lock().unwrap() = Arc::clone(&store);
        Box::pin(ready(Ok(Opened { store: store.clone(), direct: store })))
    }

    fn cut(&self, is_cut: bool) -> LocalBoxFuture<'_, anyhow::Result<()>> {
        self.last().cut(is_cut);
        Box::pin(ready(Ok(())))
    }

    fn compact(&self) -> LocalBoxFuture<'_, anyhow::Result<()>> {
        self.last().compact();
        Box::pin(ready(Ok(())))
    }

    fn back_up(&self) -> LocalBoxFuture<'_, anyhow::Result<()>> {
        *self.backup.lock().unwrap() = self.last().back_up();
        Box::pin(ready(Ok(())))
    }

    fn restore(&self) -> LocalBoxFuture<'_, anyhow::Result<()>> {
        self.last().restore_backup(self.backup.lock().unwrap().clone());
        Box::pin(ready(Ok(())))
    }
}

#[tokio::test]
async fn the_store_in_memory_passes_the_battery_of_all_stores() {
    battery::run(&Memory::default()).await.unwrap();
}
