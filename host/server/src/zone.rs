//! The names of the zone, and where a question lands among them.

use std::collections::BTreeMap;
use std::ops::Bound;

use hickory_proto::rr::rdata::{NS, SOA};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use openmcp_dns_core::name::HostName;

use crate::node::{Node, Stored, Values};
use crate::path;

/// How long resolvers remember that a name or a type does not exist (RFC 2308), in seconds. Someone
/// who has just created a route asks for its name at once, often too early: that answer must not
/// stand in the way for long. 5 s is also the floor below which CoreDNS's `cache` does not go.
const NEGATIVE_TTL_SECONDS: u32 = 5;

/// TTL of the made-up NS records in seconds. They change only with the set-up of the service.
const NS_TTL_SECONDS: u32 = 300;

/// Most name servers that are answered: as many as the root has, which is known to fit everywhere.
const MAX_NAME_SERVERS: usize = 13;

/// Refresh, retry and expire of the SOA, in seconds, as CoreDNS's `etcd` plugin has them. They matter
/// to secondary servers only, and there are no zone transfers.
const SECONDARY_TIMES: (i32, i32, i32) = (7200, 1800, 86_400);

/// All names with their values.
///
/// Invariants: every path in `names` lies at or below `path`, and no node there is empty. The map is
/// ordered, so the first entry at or after a path tells whether the name has values, exists only
/// because of names below it, or does not exist: nothing has to be counted when a value comes or goes,
/// and a change costs one descent of the tree.
#[derive(Debug)]
pub(crate) struct Zone {
    path: String,
    origin: Name,
    names: BTreeMap<String, Node>,
    values: usize,
    serial: u32,
    filled: bool,
}

/// Where a question lands.
#[derive(Debug)]
pub(crate) enum Place<'z> {
    /// Not in the zone.
    Outside,
    /// At the name of the zone.
    Apex,
    /// At a name with values, or at a wildcard that stands for it.
    Values(&'z Node),
    /// At a name that exists only because of names below it.
    EmptyNonTerminal,
    /// Nowhere: no such name, and no wildcard.
    Missing,
}

impl Zone {
    /// A zone whose content is not known yet.
    pub(crate) fn new(zone: &HostName) -> Self {
        Self {
            path: path::of_labels(zone.labels()),
            // A checked host name is a DNS name.
            origin: Name::from_ascii(format!("{zone}.")).unwrap_or_default(),
            names: BTreeMap::new(),
            values: 0,
            serial: 0,
            filled: false,
        }
    }

    /// The path of the zone's name.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Whether a path lies at or below the zone's name.
    pub(crate) fn holds(&self, path: &str) -> bool {
        path.starts_with(&self.path)
    }

    /// What is known is all there is.
    pub(crate) const fn fill(&mut self) {
        self.filled = true;
    }

    /// One value.
    pub(crate) fn get(&self, path: &str, id: Option<&str>) -> Option<&Stored> {
        self.names.get(path)?.get(id)
    }

    /// Where values are: path and id of each.
    pub(crate) fn places(&self) -> impl Iterator<Item = (String, Option<Box<str>>)> {
        self.names.iter().flat_map(|(path, node)| node.ids().map(move |id| (path.clone(), id.clone())))
    }

    /// Puts one value in, or takes it out. The path must lie at or below that of the zone.
    pub(crate) fn put(&mut self, path: String, id: Option<&str>, value: Option<Stored>) {
        let comes = usize::from(value.is_some());
        let goes = match self.names.get_mut(&path) {
            Some(node) => {
                let old = node.put(id, value);
                if node.is_empty() {
                    self.names.remove(&path);
                }
                usize::from(old.is_some())
            }
            None => {
                if let Some(value) = value {
                    let values = Values::from([(id.map(Box::from), value)]);
                    self.names.insert(path, Node::new(values));
                }
                0
            }
        };
        self.values = self.values + comes - goes;
    }

    /// Which state of the zone this is, among those of all servers that have it.
    pub(crate) const fn set_serial(&mut self, serial: u32) {
        self.serial = serial;
    }

    /// Whether anything has been said about the store's content, be it that it is empty.
    pub(crate) const fn is_filled(&self) -> bool {
        self.filled
    }

    /// How many values are served.
    pub(crate) const fn len(&self) -> usize {
        self.values
    }

    /// Finds a name; the closest encloser's wildcard if there is none (RFC 4592 section 3.3.1).
    pub(crate) fn place(&self, path: &str) -> Place<'_> {
        if !path.starts_with(&self.path) {
            return Place::Outside;
        }
        if path == self.path {
            return Place::Apex;
        }
        match self.at(path) {
            Place::Missing => {}
            found => return found,
        }
        // From the top down: the first name that does not exist ends the walk, however many labels
        // somebody puts in front of it.
        let closest_encloser = path::below(&self.path, path)
            .take_while(|ancestor| !matches!(self.at(ancestor), Place::Missing))
            .last()
            .unwrap_or(&self.path);
        match self.names.get(&format!("{closest_encloser}*/")) {
            Some(node) => Place::Values(node),
            None => Place::Missing,
        }
    }

    /// What is at a path below the zone, without wildcards.
    fn at(&self, path: &str) -> Place<'_> {
        match self.from(path).next() {
            Some((found, node)) if found == path => Place::Values(node),
            Some((found, _)) if found.starts_with(path) => Place::EmptyNonTerminal,
            _ => Place::Missing,
        }
    }

    /// The names from a path on; those at or below it come first.
    fn from(&self, path: &str) -> impl Iterator<Item = (&String, &Node)> {
        self.names.range::<str, _>((Bound::Included(path), Bound::Unbounded))
    }

    /// The records of one type at the zone's own name, and the addresses that belong to them.
    pub(crate) fn apex(&self, owner: &Name, record_type: RecordType) -> (Vec<Record>, Vec<Record>) {
        let records = match record_type {
            RecordType::SOA | RecordType::ANY => vec![self.soa(owner)],
            RecordType::NS => return self.name_servers(owner),
            // An alias at the apex would hide SOA and NS (RFC 1912 section 2.4).
            RecordType::CNAME => Vec::new(),
            // CoreDNS keeps the apex addresses at `apex.dns.<zone>`.
            RecordType::A | RecordType::AAAA => {
                let paths = [self.path.clone(), format!("{}dns/apex/", self.path)];
                let nodes = paths.iter().filter_map(|path| self.names.get(path));
                let sets = nodes.filter_map(|node| node.set(record_type));
                let mut records: Vec<Record> = sets.flat_map(|set| set.records(owner)).collect();
                let lowest_ttl = records.iter().map(|record| record.ttl).min().unwrap_or_default();
                records.iter_mut().for_each(|record| record.ttl = lowest_ttl);
                records.sort_by(|left, right| left.data.cmp(&right.data));
                records.dedup_by(|left, right| left.data == right.data);
                records
            }
            other => {
                let set = self.names.get(&self.path).and_then(|node| node.set(other));
                set.map(|set| set.records(owner).collect()).unwrap_or_default()
            }
        };
        (records, Vec::new())
    }

    /// The NS records and their addresses: of `ns.dns.<zone>` and the names below, as in CoreDNS.
    fn name_servers(&self, owner: &Name) -> (Vec<Record>, Vec<Record>) {
        let top = format!("{}dns/ns/", self.path);
        let servers = self
            .from(&top)
            .take_while(|(path, _)| path.starts_with(&top))
            .filter(|(path, _)| !path.ends_with("/*/"))
            .filter_map(|(path, node)| {
                let name = Name::from_ascii(path::to_text(path)).ok()?;
                let addresses = node.sets().iter().filter(|set| set.record_type.is_ip_addr());
                let addresses: Vec<Record> = addresses.flat_map(|set| set.records(&name)).collect();
                (!addresses.is_empty()).then_some((name, addresses))
            })
            .take(MAX_NAME_SERVERS);
        let (mut names, addresses): (Vec<Name>, Vec<Vec<Record>>) = servers.unzip();
        if names.is_empty() {
            // A zone must have one. Whoever forwards to this server never looks at it.
            names.push(self.main_server());
        }
        let records = names
            .into_iter()
            .map(|name| Record::from_rdata(owner.clone(), NS_TTL_SECONDS, RData::NS(NS(name))));
        (records.collect(), addresses.into_iter().flatten().collect())
    }

    /// The SOA record, also for negative answers; they live as long as it does.
    pub(crate) fn soa(&self, owner: &Name) -> Record {
        let (refresh, retry, expire) = SECONDARY_TIMES;
        let mail = self.prefixed("hostmaster");
        let soa =
            SOA::new(self.main_server(), mail, self.serial, refresh, retry, expire, NEGATIVE_TTL_SECONDS);
        Record::from_rdata(owner.clone(), NEGATIVE_TTL_SECONDS, RData::SOA(soa))
    }

    /// The zone's name.
    pub(crate) const fn origin(&self) -> &Name {
        &self.origin
    }

    fn main_server(&self) -> Name {
        self.prefixed("ns.dns")
    }

    /// A name below the zone; the zone's own where its name leaves no room for one.
    fn prefixed(&self, labels: &str) -> Name {
        Name::from_ascii(labels)
            .and_then(|labels| labels.append_domain(&self.origin))
            .unwrap_or_else(|_| self.origin.clone())
    }
}
