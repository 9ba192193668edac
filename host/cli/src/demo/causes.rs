//! Causes: which change of a file led to which change of an answer.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use openmcp_dns_core::objects::{Change, Objects};

use super::event::Cause;

/// What happens later than this after a change has another reason.
const LATEST: Duration = Duration::from_secs(30);

/// After this time without a changed answer, the change is said to have led to none. The controllers wait
/// a tenth of a second for further changes before they look, and a module may have to be compiled.
const UNAFFECTED: Duration = Duration::from_secs(2);

/// Changes of files, and what they may lead to. Folders stand for their clusters.
#[derive(Default)]
pub struct Causes {
    /// The objects of each folder, which know the routes of a Gateway.
    objects: HashMap<String, Objects>,
    of_source: HashMap<(String, String), Known>,
    of_folder: HashMap<String, Known>,
    rounds: VecDeque<Round>,
    last_round: u64,
}

#[derive(Clone, Debug)]
struct Known {
    cause: Cause,
    since: Instant,
    round: u64,
}

/// Changes that were noticed together.
struct Round {
    number: u64,
    since: Instant,
    causes: Vec<Cause>,
}

impl Causes {
    /// Begins with changes that were first noticed at `since`.
    pub fn begin(&mut self, since: Instant) {
        self.last_round += 1;
        self.rounds.push_back(Round { number: self.last_round, since, causes: Vec::new() });
    }

    /// An object of a folder has changed, and with it perhaps what others ask for.
    pub fn object_changed(&mut self, folder: &str, change: Change, cause: &Cause) {
        let affected = self.objects.entry(folder.to_owned()).or_default().apply(change);
        let Some(known) = self.note(cause) else { return };
        for source in affected {
            self.of_source.insert((folder.to_owned(), source.to_string()), known.clone());
        }
    }

    /// Something that concerns all objects of a folder has changed.
    pub fn folder_changed(&mut self, folder: &str, cause: &Cause) {
        if let Some(known) = self.note(cause) {
            self.of_folder.insert(folder.to_owned(), known);
        }
    }

    fn note(&mut self, cause: &Cause) -> Option<Known> {
        let round = self.rounds.back_mut()?;
        // What concerns several folders comes for one after the other; a look at all would cost the square of them.
        if round.causes.last() != Some(cause) {
            round.causes.push(cause.clone());
        }
        Some(Known { cause: cause.clone(), since: round.since, round: round.number })
    }

    /// The latest change that one of these objects (folder and source) may have been affected by.
    pub fn of<'s>(&mut self, sources: impl Iterator<Item = (&'s str, &'s str)>) -> Option<(Cause, Instant)> {
        let known = sources.flat_map(|(folder, source)| {
            let of_source = self.of_source.get(&(folder.to_owned(), source.to_owned()));
            [of_source, self.of_folder.get(folder)]
        });
        let known = known.flatten().filter(|known| known.since.elapsed() < LATEST);
        let known = known.max_by_key(|known| known.round)?.clone();
        self.rounds.retain(|round| round.number != known.round);
        Some((known.cause, known.since))
    }

    /// What has changed so far has led to something that is told otherwise.
    pub fn settle(&mut self) {
        self.rounds.clear();
    }

    /// When to look for changes that led to nothing.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.rounds.front().map(|round| round.since + UNAFFECTED)
    }

    /// The changes that have led to nothing by now.
    pub fn unaffected(&mut self, now: Instant) -> Vec<Cause> {
        let mut causes = Vec::new();
        let mut seen = HashSet::new();
        while let Some(round) = self.rounds.pop_front_if(|round| now >= round.since + UNAFFECTED) {
            let new = round
                .causes
                .into_iter()
                .filter(|cause| seen.insert((cause.object.clone(), cause.file.clone())));
            causes.extend(new);
        }
        causes
    }

    /// What has changed so far is not to be explained.
    pub fn forget(&mut self) {
        self.of_source.clear();
        self.of_folder.clear();
        self.rounds.clear();
    }
}

#[cfg(test)]
mod tests {
    use openmcp_dns_core::kinds::{Kind, Watched};

    use super::*;

    fn set(kind: Kind, json: serde_json::Value) -> Change {
        Change::Set(Watched::from_json(kind, json).unwrap())
    }

    fn cause(object: &str) -> Cause {
        Cause { object: object.to_owned(), file: "w/a.yaml".to_owned(), how: "changed" }
    }

    fn gateway(address: &str) -> Change {
        set(
            Kind::Gateway,
            serde_json::json!({
                "metadata": { "name": "g", "namespace": "default" },
                "status": { "addresses": [{ "value": address }] }
            }),
        )
    }

    const ROUTE: &str = "HTTPRoute/default/r";

    #[test]
    fn a_changed_gateway_is_the_cause_for_its_routes() {
        let mut causes = Causes::default();
        causes.begin(Instant::now());
        let route = serde_json::json!({
            "metadata": { "name": "r", "namespace": "default" },
            "spec": { "parentRefs": [{ "name": "g" }] }
        });
        causes.object_changed("w", set(Kind::HttpRoute, route), &cause(ROUTE));
        assert_eq!(causes.of([("w", ROUTE)].into_iter()).unwrap().0.object, ROUTE);
        causes.begin(Instant::now());
        causes.object_changed("w", gateway("10.0.0.1"), &cause("Gateway/default/g"));
        assert_eq!(causes.of([("w", ROUTE)].into_iter()).unwrap().0.object, "Gateway/default/g");
        assert_eq!(causes.of([("v", ROUTE)].into_iter()), None);
        causes.begin(Instant::now());
        causes.folder_changed("w", &cause("Cluster/default/w"));
        assert_eq!(causes.of([("w", ROUTE)].into_iter()).unwrap().0.object, "Cluster/default/w");
    }

    #[test]
    fn a_change_that_leads_to_nothing_is_named_after_a_moment() {
        let mut causes = Causes::default();
        let now = Instant::now();
        causes.begin(now);
        causes.object_changed("w", gateway("10.0.0.1"), &cause("Gateway/default/g"));
        assert_eq!(causes.unaffected(now), []);
        assert_eq!(causes.next_deadline(), Some(now + UNAFFECTED));
        assert_eq!(causes.unaffected(now + UNAFFECTED), [cause("Gateway/default/g")]);
        assert_eq!(causes.next_deadline(), None);
    }
}
