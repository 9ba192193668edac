//! What the store holds, as who follows it knows it.

use std::collections::{BTreeMap, BTreeSet};

use openmcp_dns_core::skydns::{Prefix, parse_key};
use openmcp_dns_store::StoreEvent;
use serde_json::Value;

use crate::world::text;

/// Keys with their values.
#[derive(Default)]
pub(crate) struct Held {
    /// How many transactions have changed records.
    pub(crate) transactions: usize,
    entries: BTreeMap<String, Vec<u8>>,
    reading: BTreeMap<String, Vec<u8>>,
}

impl Held {
    /// All names, with their values.
    pub(crate) fn names(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut names = BTreeMap::<String, BTreeSet<String>>::new();
        for (key, value) in &self.entries {
            let name = parse_key(&Prefix::default(), key).unwrap().name();
            let value: Value = serde_json::from_slice(value).unwrap();
            let port = value["port"].as_i64().map(|port| format!(":{port}"));
            let shown = text(&value["host"]) + &port.unwrap_or_default();
            names.entry(name).or_default().insert(shown);
        }
        names
    }

    /// Something was told.
    pub(crate) fn take_over(&mut self, event: &StoreEvent) {
        match event {
            StoreEvent::Reading => self.reading.clear(),
            StoreEvent::Page(page) => {
                let page = page.iter().filter_map(|entry| Some((entry.key.clone(), entry.value.clone()?)));
                self.reading.extend(page);
            }
            StoreEvent::Read { .. } => self.entries = std::mem::take(&mut self.reading),
            StoreEvent::Changed { changes, .. } => {
                self.transactions += usize::from(!changes.is_empty());
                for change in changes {
                    match &change.value {
                        Some(value) => self.entries.insert(change.key.clone(), value.clone()),
                        None => self.entries.remove(&change.key),
                    };
                }
            }
            // The store is away for a while.
            StoreEvent::Trouble(_) => {}
        }
    }
}
