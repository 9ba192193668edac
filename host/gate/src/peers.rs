//! Where connections come from, before it is known who they are.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use openmcp_dns_core::Bucket;

/// Handshakes under way from one address. Behind it may be all nodes of a cluster.
const SHAKING: usize = 32;

/// Handshakes under way of all.
const ALL_SHAKING: usize = 1024;

/// Connections per second from one address: each costs a signature.
const PER_SECOND: u32 = 20;

/// How many at once, as a multiple of those per second.
const BURST_SECONDS: u32 = 5;

/// Addresses that are remembered at once. An attacker with more could open as many connections anyway.
const ADDRESSES: usize = 4096;

/// Counts who is at the door.
#[derive(Default)]
pub(crate) struct Peers(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    by_address: HashMap<IpAddr, Peer>,
    shaking: usize,
}

struct Peer {
    shaking: usize,
    budget: Bucket,
}

/// A handshake that is under way.
pub(crate) struct Shaking {
    state: Arc<Mutex<State>>,
    address: IpAddr,
}

/// What counts as one address: who has one of IPv6 has the network around it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

impl Peers {
    /// Lets a connection begin its handshake; `None` when there are too many of its kind.
    pub(crate) fn arrive(&self, address: IpAddr, now: Instant) -> Option<Shaking> {
        let address = network(address);
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.shaking >= ALL_SHAKING {
            return None;
        }
        if state.by_address.len() >= ADDRESSES && !state.by_address.contains_key(&address) {
            // Those whose budget is full again need not be remembered.
            state.by_address.retain(|_, peer| peer.shaking > 0 || !peer.budget.is_full(now));
            if state.by_address.len() >= ADDRESSES {
                return None;
            }
        }
        let new = || Peer { shaking: 0, budget: Bucket::full(PER_SECOND, BURST_SECONDS) };
        let peer = state.by_address.entry(address).or_insert_with(new);
        if peer.shaking >= SHAKING || !peer.budget.take(now) {
            return None;
        }
        peer.shaking += 1;
        state.shaking += 1;
        Some(Shaking { state: Arc::clone(&self.0), address })
    }
}

impl Drop for Shaking {
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.shaking -= 1;
        if let Some(peer) = state.by_address.get_mut(&self.address) {
            peer.shaking -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use std::time::Duration;

    use super::*;

    fn v4(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn one_address_has_few_handshakes_under_way_and_others_are_let_in() {
        let (peers, now) = (Peers::default(), Instant::now());
        let shaking: Vec<Shaking> = std::iter::from_fn(|| peers.arrive(v4(1), now)).collect();
        assert_eq!(shaking.len(), SHAKING);
        assert!(peers.arrive(v4(2), now).is_some());
        drop(shaking);
        assert!(peers.arrive(v4(1), now).is_some());
    }

    #[test]
    fn one_address_opens_few_connections_a_second() {
        let (peers, now) = (Peers::default(), Instant::now());
        let opened = std::iter::from_fn(|| peers.arrive(v4(1), now)).count();
        // Each is closed at once.
        let more = std::iter::from_fn(|| peers.arrive(v4(1), now).map(drop)).count();
        assert!(opened + more <= (PER_SECOND * BURST_SECONDS) as usize, "{opened} {more}");
        assert!(peers.arrive(v4(1), now + Duration::from_secs(1)).is_some());
    }

    #[test]
    fn addresses_of_one_network_are_one_and_there_are_not_too_many() {
        let one: IpAddr = "2001:db8:1:2::1".parse().unwrap();
        let other: IpAddr = "2001:db8:1:2:ffff::2".parse().unwrap();
        assert_eq!(network(one), network(other));
        assert_eq!(network("::ffff:10.0.0.1".parse().unwrap()), v4(1));
        let (peers, now) = (Peers::default(), Instant::now());
        for number in 0..ADDRESSES as u32 * 2 {
            drop(peers.arrive(IpAddr::from(number.to_be_bytes()), now));
        }
        let count = || peers.0.lock().unwrap().by_address.len();
        assert_eq!(count(), ADDRESSES);
        assert!(peers.arrive(v4(1), now + Duration::from_secs(1)).is_some());
        assert_eq!(count(), 1);
    }
}
