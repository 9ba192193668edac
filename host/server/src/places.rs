//! Who may have a connection, and for how long it may be idle.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most connections at a time; further ones wait until one ends. It keeps strangers from using up the
/// file descriptors, which the process needs for other work.
pub(crate) const MAX_CONNECTIONS: usize = 256;

/// Most connections of one address: many, since all nodes of a cluster may come from one, but no more than
/// leaves the others enough.
const MAX_OF_ADDRESS: usize = 64;

/// How long a connection may be idle while there is room. Resolvers that keep connections open expect a
/// few seconds.
pub(crate) const LONGEST_IDLE: Duration = Duration::from_secs(5);

/// The same when no place is left: enough for a question that is on its way.
const SHORTEST_IDLE: Duration = Duration::from_millis(200);

/// Places for connections. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    address: IpAddr,
}

impl Places {
    fn lock(&self) -> MutexGuard<'_, Taken> {
        // Nothing here panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for somebody at an address; `None` when that has all that it may have.
    pub(crate) fn take(&self, address: IpAddr) -> Option<Place> {
        let address = network(address);
        let mut taken = self.lock();
        let of_address = taken.by_address.entry(address).or_default();
        if *of_address >= MAX_OF_ADDRESS {
            return None;
        }
        *of_address += 1;
        taken.all += 1;
        drop(taken);
        Some(Place { places: self.clone(), address })
    }

    /// How long a connection may be idle now: less, the fewer places are left (RFC 7766 section 6.2.3).
    pub(crate) fn idle(&self) -> Duration {
        idle(self.lock().all)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.all -= 1;
        if let Some(of_address) = taken.by_address.get_mut(&self.address) {
            *of_address -= 1;
            if *of_address == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

fn idle(taken: usize) -> Duration {
    let half = MAX_CONNECTIONS / 2;
    let left = MAX_CONNECTIONS.saturating_sub(taken).min(half);
    let share = LONGEST_IDLE.mul_f64(left as f64 / half as f64);
    share.max(SHORTEST_IDLE)
}

/// Whoever has one IPv6 address has all that differ in their last 64 bits only.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_takes_its_share_and_leaves_the_others_theirs() {
        let places = Places::default();
        let of = |address: &str| places.take(address.parse().unwrap());
        let mut taken: Vec<Place> = std::iter::from_fn(|| of("10.0.0.1")).collect();
        assert_eq!(taken.len(), MAX_OF_ADDRESS);
        assert!(of("::ffff:10.0.0.1").is_none(), "it is the same one");
        assert!(of("10.0.0.2").is_some());
        taken.pop();
        assert!(of("10.0.0.1").is_some());
        let of_network: Vec<Place> = (0..).map_while(|host| of(&format!("2001:db8::{host:x}"))).collect();
        assert_eq!(of_network.len(), MAX_OF_ADDRESS);
        assert!(of("2001:db8:0:1::1").is_some());
        drop((taken, of_network));
        let taken = places.lock();
        assert_eq!((taken.all, taken.by_address.len()), (0, 0));
    }

    #[test]
    fn who_is_idle_has_less_time_the_fewer_places_are_left() {
        let times = [0, 128, 192, 255, 256].map(|taken| idle(taken).as_millis());
        assert_eq!(times, [5000, 5000, 2500, 200, 200]);
    }
}
