//! The records, shared between whoever follows the store and the sockets that answer.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use hickory_proto::rr::{Name, Record, RecordType};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::skydns::{Prefix, parse_key};
use tracing::warn;

use crate::lookup::{Answer, lookup};
use crate::node::Stored;
use crate::zone::Zone;

/// Where a value is: the path of its name, and its id.
type Place = (String, Option<Box<str>>);

/// The records of a zone, or of several. Clones share them.
///
/// One lock guards them all. Both sides hold it for microseconds: a reader for one question, a writer
/// for one value, which changes the map in place, so that the cost of a change does not grow with the
/// number of records. Of a whole new content, only what differs is changed, one value at a time. Copying the map for each change would need no lock, but would cost more with every record;
/// several maps with a lock each would tear names apart from the neighbours that tell whether they
/// exist.
#[derive(Clone)]
pub struct Records {
    shared: Arc<Shared>,
}

struct Shared {
    prefix: Prefix,
    /// The deepest come first: a name lies in the first zone that holds it.
    zones: RwLock<Vec<Zone>>,
    /// What a read that has not ended has shown.
    reading: Mutex<Option<HashSet<Place>>>,
    /// How many keys the read that has not ended has shown, and the one before.
    shown: [AtomicUsize; 2],
    /// When the store last said anything.
    alive: Mutex<Option<Instant>>,
}

impl Records {
    /// A zone whose content is not known yet: until the first read has
    /// [ended](Self::end_read), every question in it is answered with SERVFAIL. A server that has just
    /// started must not say of names that they do not exist, only because it has not read the store.
    ///
    /// `prefix` is where the store has its keys. Keys of names outside of the zone are passed over, so
    /// several zones can be fed from one store.
    #[must_use]
    pub fn new(zone: HostName, prefix: Prefix) -> Self {
        let records = Self::without_zones(prefix);
        records.add_zone(&zone);
        records
    }

    /// No zone yet: every question is refused until there is one.
    #[must_use]
    pub fn without_zones(prefix: Prefix) -> Self {
        Self {
            shared: Arc::new(Shared {
                prefix,
                zones: RwLock::default(),
                reading: Mutex::default(),
                shown: Default::default(),
                alive: Mutex::default(),
            }),
        }
    }

    /// Serves another zone too, with an SOA of its own. Its content is not known until the next
    /// read has [ended](Self::end_read). Gives whether it is new.
    pub fn add_zone(&self, zone: &HostName) -> bool {
        let zone = Zone::new(zone);
        let mut zones = self.write();
        let is_new = zones.iter().all(|other| other.path() != zone.path());
        if is_new {
            zones.push(zone);
            zones.sort_by_key(|zone| std::cmp::Reverse(zone.path().len()));
        }
        is_new
    }

    /// Everything the store holds: replaces all. See [`begin_read`](Self::begin_read).
    pub fn replace(&self, entries: impl IntoIterator<Item = (String, Vec<u8>)>) {
        self.begin_read();
        self.take_page(entries);
        self.end_read();
    }

    /// A read of everything begins. What is known is served until [`end_read`](Self::end_read) says what
    /// is gone, and what did not change costs nothing.
    pub fn begin_read(&self) {
        self.sign_of_life();
        *self.reading() = Some(HashSet::new());
        self.shared.shown[0].store(0, Relaxed);
    }

    /// A part of what the store holds.
    ///
    /// What is no key of a name in a zone is passed over; what is no value that can be served is
    /// logged and passed over. Neither harms another value.
    pub fn take_page(&self, entries: impl IntoIterator<Item = (String, Vec<u8>)>) {
        self.sign_of_life();
        let mut reading = self.reading();
        let Some(seen) = reading.as_mut() else { return };
        for (key, json) in entries {
            self.shared.shown[0].fetch_add(1, Relaxed);
            let Some((path, id)) = self.locate(&key) else { continue };
            let (is_ours, old) = {
                let zones = self.read();
                let zone = zones.iter().find(|zone| zone.holds(&path));
                (zone.is_some(), zone.and_then(|zone| zone.get(&path, id)).cloned())
            };
            if !is_ours {
                continue;
            }
            let Some(value) = decode(&key, &path, &json) else { continue };
            seen.insert((path.clone(), id.map(Box::from)));
            if old.as_ref() != Some(&value) {
                self.put(path, id, Some(value));
            }
        }
    }

    /// The read ends: what it has not shown is gone, and what is known is all there is.
    pub fn end_read(&self) {
        self.sign_of_life();
        let Some(seen) = self.reading().take() else { return };
        self.shared.shown[1].store(self.shared.shown[0].load(Relaxed), Relaxed);
        let gone: Vec<Place> = {
            let zones = self.read();
            let places = zones.iter().flat_map(Zone::places);
            places.filter(|place| !seen.contains(place)).collect()
        };
        for (path, id) in gone {
            self.put(path, id.as_deref(), None);
        }
        for zone in self.write().iter_mut().filter(|zone| !zone.is_filled()) {
            zone.fill();
        }
    }

    /// What the store held at this revision is told, be it that nothing has changed.
    ///
    /// The revision is the serial of every zone, so that all servers that follow one store say the same,
    /// whenever they were started. As serials do (RFC 1982), it wraps around at 32 bits.
    pub fn reached(&self, revision: i64) {
        self.sign_of_life();
        let serial = (revision & i64::from(u32::MAX)).try_into().unwrap_or_default();
        for zone in self.write().iter_mut() {
            zone.set_serial(serial);
        }
    }

    /// The store has said something.
    fn sign_of_life(&self) {
        *self.shared.alive.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// How long ago the store said anything; `None` before it did. While the store is well, it speaks every
    /// few seconds; an old age says that what is served may be outdated.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        let alive = self.shared.alive.lock().unwrap_or_else(PoisonError::into_inner);
        alive.map(|alive| alive.elapsed())
    }

    /// One key has changed; `None` when it is gone.
    ///
    /// A value that cannot be served counts as gone, after a line in the log.
    pub fn apply(&self, key: &str, value: Option<&[u8]>) {
        let Some((path, id)) = self.locate(key) else { return };
        if !self.read().iter().any(|zone| zone.holds(&path)) {
            return;
        }
        let value = value.and_then(|json| decode(key, &path, json));
        self.put(path, id, value);
    }

    fn put(&self, path: String, id: Option<&str>, value: Option<Stored>) {
        let mut zones = self.write();
        if let Some(zone) = zones.iter_mut().find(|zone| zone.holds(&path)) {
            zone.put(path, id, value);
        }
    }

    /// Whether the content of the store is known, be it that it is empty. Before that, a server is not
    /// ready.
    #[must_use]
    pub fn is_filled(&self) -> bool {
        self.read().iter().all(Zone::is_filled)
    }

    /// How many values are served.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().iter().map(Zone::len).sum()
    }

    /// Whether no value is served.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the store holds keys, by the last read, and none of them is served: they are those of other zones, or
    /// nothing that can be read.
    #[must_use]
    pub fn has_none_of_the_store(&self) -> bool {
        self.is_empty() && self.shared.shown[1].load(Relaxed) > 0
    }

    /// Answers one question, with the SOA of the same moment for the case that it is negative; without
    /// one where the name lies in no zone.
    pub(crate) fn answer(&self, name: &Name, record_type: RecordType) -> (Answer, Option<Record>) {
        let path = crate::path::of_name(name);
        let zones = self.read();
        let Some(zone) = zones.iter().find(|zone| zone.holds(&path)) else { return (Answer::Outside, None) };
        (lookup(zone, name, record_type), Some(zone.soa(zone.origin())))
    }

    /// The path and the value id of a key; `None` for what is no key.
    fn locate<'k>(&self, key: &'k str) -> Option<(String, Option<&'k str>)> {
        let parts = parse_key(&self.shared.prefix, key)?;
        Some((crate::path::of_labels(parts.labels.iter().copied()), parts.value_id))
    }

    // A poisoned lock is used on: each change is one insertion or removal, so a panic leaves no name half
    // changed, and the alternative would be to stop answering.

    fn reading(&self) -> MutexGuard<'_, Option<HashSet<Place>>> {
        self.shared.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<Zone>> {
        self.shared.zones.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<Zone>> {
        self.shared.zones.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Records {
    /// Does not list the records: there may be very many.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zones: Vec<String> = self.read().iter().map(|zone| zone.origin().to_ascii()).collect();
        f.debug_struct("Records").field("zones", &zones).field("len", &self.len()).finish_non_exhaustive()
    }
}

fn decode(key: &str, path: &str, json: &[u8]) -> Option<Stored> {
    Stored::decode(crate::path::reverse_name(path).as_ref(), json)
        .inspect_err(
            |error| warn!(key, %error, "unable to serve a stored value; only this value is left out"),
        )
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::rr::RData;

    fn records() -> Records {
        let records = Records::new("openmcp.cluster".parse().unwrap(), Prefix::default());
        records.replace([]);
        records
    }

    fn addresses(records: &Records, name: &str) -> Vec<String> {
        match records.answer(&Name::from_ascii(name).unwrap(), RecordType::A).0 {
            Answer::Records { records, .. } => records.iter().map(|record| record.data.to_string()).collect(),
            _ => Vec::new(),
        }
    }

    fn serial(records: &Records) -> u32 {
        let zone = Name::from_ascii("openmcp.cluster.").unwrap();
        match records.answer(&zone, RecordType::A).1.unwrap().data {
            RData::SOA(soa) => soa.serial,
            other => panic!("{other} is no SOA"),
        }
    }

    #[test]
    fn changes_show_at_once_and_are_counted() {
        let records = records();
        let clone = records.clone();
        records.apply("/skydns/cluster/openmcp/svc/0123456789abcdef", Some(br#"{"host":"10.0.0.1"}"#));
        records.apply("/skydns/cluster/openmcp/svc/1a2b3c4d", Some(br#"{"host":"10.0.0.2"}"#));
        records.apply("/skydns/cluster/openmcp/svc", Some(br#"{"host":"10.0.0.3"}"#));
        assert_eq!(addresses(&clone, "svc.openmcp.cluster."), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
        records.apply("/skydns/cluster/openmcp/svc/1a2b3c4d", Some(br#"{"host":"10.0.0.4"}"#));
        records.apply("/skydns/cluster/openmcp/svc", None);
        records.apply("/skydns/cluster/openmcp/svc", None);
        records.apply("/skydns/cluster/openmcp/nowhere", None);
        assert_eq!(addresses(&clone, "svc.openmcp.cluster."), ["10.0.0.1", "10.0.0.4"]);
        assert_eq!(clone.len(), 2);
        records.replace([("/skydns/cluster/openmcp/new".to_owned(), br#"{"host":"10.0.0.5"}"#.to_vec())]);
        assert_eq!(addresses(&clone, "svc.openmcp.cluster."), Vec::<String>::new());
        assert_eq!(addresses(&clone, "new.openmcp.cluster."), ["10.0.0.5"]);
        assert_eq!(clone.len(), 1);
        records.replace([]);
        assert!(clone.is_empty());
        assert_eq!(format!("{clone:?}"), r#"Records { zones: ["openmcp.cluster."], len: 0, .. }"#);
    }

    #[test]
    fn a_broken_value_loses_itself_alone() {
        let records = records();
        let good = br#"{"host":"10.0.0.1"}"#;
        records.replace([
            ("/skydns/cluster/openmcp/svc/00000001".to_owned(), b"{".to_vec()),
            ("/skydns/cluster/openmcp/svc/00000002".to_owned(), good.to_vec()),
            ("/skydns/cluster/openmcp/svc/00000003".to_owned(), br#"{"host":"a b"}"#.to_vec()),
            ("/skydns/cluster/openmcp/svc/below".to_owned(), b"\xff".to_vec()),
            ("/skydns/cluster/other/svc".to_owned(), good.to_vec()),
            ("/skydns/cluster/openmcp//svc".to_owned(), good.to_vec()),
            ("/elsewhere/cluster/openmcp/svc".to_owned(), good.to_vec()),
        ]);
        assert_eq!(addresses(&records, "svc.openmcp.cluster."), ["10.0.0.1"]);
        assert_eq!(records.len(), 1);
        // A good value that is overwritten with a broken one is not what the store says any more.
        records.apply("/skydns/cluster/openmcp/svc/00000002", Some(b"null"));
        assert!(records.is_empty());
    }

    #[test]
    fn servers_that_follow_one_store_have_one_serial_whenever_they_were_started() {
        let (early, late) = (records(), records());
        early.reached(7);
        let key = "/skydns/cluster/openmcp/svc";
        early.apply(key, Some(br#"{"host":"10.0.0.1"}"#));
        early.reached(8);
        early.apply(key, None);
        early.reached(9);
        late.reached(9);
        assert_eq!((serial(&early), serial(&late)), (9, 9));
    }

    #[test]
    fn the_serial_wraps_around_and_goes_on_as_serials_are_compared() {
        let records = records();
        let mut last = None;
        for (revision, expected) in [((1 << 32) - 1, u32::MAX), (1 << 32, 0), ((1 << 32) + 5, 5)] {
            records.reached(revision);
            assert_eq!(serial(&records), expected);
            // RFC 1982 section 3.2: later is what lies less than half of the circle ahead.
            let ahead = last.map_or(1, |last| expected.wrapping_sub(last));
            assert!((1..1 << 31).contains(&ahead), "{last:?} to {expected}");
            last = Some(expected);
        }
    }

    #[test]
    fn a_name_is_answered_from_the_deepest_zone_that_holds_it() {
        let records = records();
        records.replace([]);
        assert!(records.is_filled());
        assert!(records.add_zone(&"inner.openmcp.cluster".parse().unwrap()));
        assert!(records.add_zone(&"other.example".parse().unwrap()));
        assert!(!records.add_zone(&"openmcp.cluster".parse().unwrap()));
        let asked = |name: &str| records.answer(&Name::from_ascii(name).unwrap(), RecordType::A);
        assert!(!records.is_filled());
        assert!(matches!(asked("a.other.example.").0, Answer::NotYetKnown));
        assert!(matches!(asked("a.openmcp.cluster.").0, Answer::NoSuchName { .. }));
        assert!(matches!(asked("a.example."), (Answer::Outside, None)));

        let value = |host: &str| format!(r#"{{"host":"{host}"}}"#).into_bytes();
        records.replace([
            ("/skydns/cluster/openmcp/svc".to_owned(), value("10.0.0.1")),
            ("/skydns/cluster/openmcp/inner/svc".to_owned(), value("10.0.0.2")),
        ]);
        records.apply("/skydns/example/other/svc", Some(&value("10.0.0.3")));
        records.apply("/skydns/example/another/svc", Some(&value("10.0.0.4")));
        assert_eq!((records.len(), records.is_filled()), (3, true));
        for (name, zone, address) in [
            ("svc.openmcp.cluster.", "openmcp.cluster.", "10.0.0.1"),
            ("svc.inner.openmcp.cluster.", "inner.openmcp.cluster.", "10.0.0.2"),
            ("svc.other.example.", "other.example.", "10.0.0.3"),
        ] {
            assert_eq!(addresses(&records, name), [address]);
            assert_eq!(asked(name).1.unwrap().name.to_ascii(), zone);
        }
    }

    #[test]
    fn what_is_known_is_served_while_everything_is_read_again() {
        let value = |host: &str| format!(r#"{{"host":"{host}"}}"#).into_bytes();
        let entry = |name: &str, host: &str| (format!("/skydns/cluster/openmcp/{name}"), value(host));
        let records = Records::new("openmcp.cluster".parse().unwrap(), Prefix::default());
        assert_eq!(records.age(), None);
        records.begin_read();
        records.take_page([entry("a", "10.0.0.1"), entry("b", "10.0.0.2"), entry("c", "10.0.0.3")]);
        assert!(!records.is_filled(), "half of a read says of no name that it does not exist");
        records.end_read();
        assert!(records.is_filled() && records.age().is_some());
        records.begin_read();
        records.take_page([entry("a", "10.0.0.1"), entry("b", "10.0.0.4")]);
        assert_eq!(addresses(&records, "c.openmcp.cluster."), ["10.0.0.3"]);
        // A read that was broken off counts for nothing.
        records.begin_read();
        records.take_page([entry("b", "10.0.0.4"), entry("c", "10.0.0.3")]);
        records.end_read();
        assert_eq!(addresses(&records, "a.openmcp.cluster."), Vec::<String>::new());
        assert_eq!(addresses(&records, "b.openmcp.cluster."), ["10.0.0.4"]);
        assert_eq!(records.len(), 2);
    }

    #[test]
    fn one_change_among_very_many_records_costs_next_to_nothing() {
        let records = records();
        records.replace((0..100_000).map(|index| {
            (
                format!("/skydns/cluster/openmcp/w{}/svc{index}", index % 100),
                br#"{"host":"10.0.0.1"}"#.to_vec(),
            )
        }));
        assert_eq!(records.len(), 100_000);
        let start = std::time::Instant::now();
        for index in 0..1000 {
            let key = format!("/skydns/cluster/openmcp/w1/new{index}");
            records.apply(&key, Some(br#"{"host":"10.0.0.1"}"#));
            records.apply(&key, None);
        }
        // A copy of the map for each change would take minutes; 2000 changes take some milliseconds.
        assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
        assert_eq!(records.len(), 100_000);
    }
}
