//! The central DNS server, wherever it is reached at the moment.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use openmcp_dns_core::expectation::{Answer, Expectation, Verdict};
use tokio::sync::watch;

use super::ask::Asker;
use super::check::check;

/// Asks the central DNS server at the first of its addresses. Clones ask the same one.
#[derive(Clone)]
pub struct Central {
    addresses: watch::Receiver<Vec<SocketAddr>>,
    /// Prepared for this address.
    asker: Arc<Mutex<Option<(SocketAddr, Asker)>>>,
}

impl Central {
    /// Prepares nothing yet: the address may not be known.
    pub fn new(addresses: watch::Receiver<Vec<SocketAddr>>) -> Self {
        Self { addresses, asker: Arc::default() }
    }

    /// Asks every question of an expectation; gives the first answer that is not as expected.
    pub(super) async fn check(&self, expectation: &Expectation) -> (Verdict, Answer) {
        match self.asker() {
            Ok(asker) => check(&asker, expectation).await,
            Err(why) => (Verdict::NoAnswer, Answer::Silence(why)),
        }
    }

    fn asker(&self) -> Result<Asker, String> {
        let address = self.addresses.borrow().first().copied();
        let address = address.ok_or("the address of the central DNS server is not known yet")?;
        let mut prepared = self.asker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, asker)) = prepared.as_ref().filter(|(known, _)| *known == address) {
            return Ok(asker.clone());
        }
        let asker = Asker::new(address).map_err(|error| openmcp_dns_core::chain(&error))?;
        *prepared = Some((address, asker.clone()));
        Ok(asker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_is_not_known_is_said_and_one_that_changes_is_followed() {
        let (sender, addresses) = watch::channel(Vec::new());
        let central = Central::new(addresses);
        let expectation = Expectation::nothing(&"a.example".parse().unwrap());
        let (_, answer) = central.check(&expectation).await;
        assert!(matches!(&answer, Answer::Silence(why) if why.contains("not known yet")), "{answer:?}");
        for port in [5301, 5302] {
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            sender.send(vec![address]).unwrap();
            central.asker().unwrap();
            assert_eq!(central.asker.lock().unwrap().as_ref().unwrap().0, address);
        }
    }
}
