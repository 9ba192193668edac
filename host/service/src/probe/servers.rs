//! All DNS servers that answer for the landscape, each by its own address.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::join_all;
use openmcp_dns_core::expectation::{Expectation, Verdict};
use tokio::sync::watch;

use super::ask::Asker;
use super::check::check;

/// Asks all DNS servers. Clones ask the same ones.
#[derive(Clone)]
pub struct Servers {
    addresses: watch::Receiver<Vec<SocketAddr>>,
    /// Prepared for these addresses.
    askers: Arc<Mutex<BTreeMap<SocketAddr, Asker>>>,
}

impl Servers {
    /// Those at these addresses; none while they are not known.
    pub fn new(addresses: watch::Receiver<Vec<SocketAddr>>) -> Self {
        Self { addresses, askers: Arc::default() }
    }

    /// Asks each of them what is expected of a name.
    ///
    /// # Errors
    /// Which of them answers otherwise, and how; or that none is known.
    pub async fn all_answer(&self, expectation: &Expectation) -> Result<(), String> {
        let asked = self.askers()?.into_iter().map(async |(address, asker)| {
            let (verdict, answer) = check(&asker, expectation).await;
            match verdict {
                Verdict::Match => Ok(()),
                Verdict::Mismatch | Verdict::NoAnswer => {
                    Err(format!("the DNS server at {address} answers {answer}"))
                }
            }
        });
        join_all(asked).await.into_iter().collect()
    }

    fn askers(&self) -> Result<BTreeMap<SocketAddr, Asker>, String> {
        let addresses = self.addresses.borrow().clone();
        if addresses.is_empty() {
            return Err("the addresses of the DNS servers are not known yet".to_owned());
        }
        let mut askers = self.askers.lock().unwrap_or_else(PoisonError::into_inner);
        askers.retain(|address, _| addresses.contains(address));
        for address in addresses {
            if let Entry::Vacant(place) = askers.entry(address) {
                place.insert(Asker::new(address).map_err(|error| openmcp_dns_core::chain(&error))?);
            }
        }
        Ok(askers.clone())
    }
}
