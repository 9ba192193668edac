//! What is known of requests, of Secrets with kubeconfigs, and of what people give.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::PartialObjectMeta;
use openmcp_dns_api::{AccessRequest, NotGranted};
use openmcp_dns_core::cluster::ClusterId;

use crate::inventory::Access;
use crate::watch::Update;

/// Namespace and name.
pub(super) type Key = (String, String);

/// A Secret that was read.
struct Read {
    version: String,
    kubeconfig: Result<String, String>,
}

/// What grants access, and what does not yet.
#[derive(Default)]
pub(super) struct Known {
    given: Option<BTreeMap<ClusterId, Access>>,
    requests: Option<BTreeMap<Key, AccessRequest>>,
    /// For which was asked since, which the watch has not shown yet.
    asked: BTreeSet<ClusterId>,
    /// The version of each Secret that a request names, as it was seen last.
    seen: BTreeMap<Key, String>,
    read: BTreeMap<Key, Read>,
    told: Option<BTreeMap<ClusterId, Access>>,
    /// Requests cannot be watched; what people give counts all the same.
    pub(super) is_blind: bool,
}

impl Known {
    /// What people give by Secrets of their own.
    pub(super) fn take_given(&mut self, update: Update<(ClusterId, Access)>) {
        match update {
            Update::All(all) => self.given = Some(all.into_iter().collect()),
            Update::Set(set) => {
                let (cluster, access) = *set;
                self.given.get_or_insert_default().insert(cluster, access);
            }
            Update::Removed(removed) => {
                self.given.get_or_insert_default().remove(&removed.0);
            }
            Update::Trouble(_) => {}
        }
    }

    /// Requests of this service.
    pub(super) fn take_requests(&mut self, update: Update<AccessRequest>) {
        self.is_blind = false;
        match update {
            Update::All(all) => {
                // What is not among them is gone again.
                self.asked.clear();
                self.requests = Some(all.into_iter().map(|request| (key(&request), request)).collect());
            }
            Update::Set(request) => {
                self.forget_asked(&request);
                self.requests.get_or_insert_default().insert(key(&request), *request);
            }
            Update::Removed(request) => {
                self.forget_asked(&request);
                self.requests.get_or_insert_default().remove(&key(&request));
            }
            Update::Trouble(_) => self.is_blind = true,
        }
        let named: BTreeSet<Key> = self.secrets().collect();
        self.read.retain(|secret, _| named.contains(secret));
        self.seen.retain(|secret, _| named.contains(secret));
    }

    fn forget_asked(&mut self, request: &AccessRequest) {
        if let Some(cluster) = request.cluster() {
            self.asked.remove(&cluster);
        }
    }

    /// Somebody has asked for access; until the watch shows the request, nobody does again: each that it shows of a thousand
    /// would have all others looked for.
    pub(super) fn take_asked(&mut self, cluster: ClusterId) {
        self.asked.insert(cluster);
    }

    /// What Secrets are called, and their versions; gives whether a request names one that has changed.
    pub(super) fn see_secrets(&mut self, update: Update<PartialObjectMeta<Secret>>) -> bool {
        let key =
            |secret: &PartialObjectMeta<Secret>| (secret.namespace().unwrap_or_default(), secret.name_any());
        match update {
            Update::All(all) => {
                let versions: BTreeMap<Key, String> = all
                    .iter()
                    .map(|secret| (key(secret), secret.resource_version().unwrap_or_default()))
                    .collect();
                let named: Vec<Key> = self.secrets().collect();
                let see = |secret: Key| {
                    let version = versions.get(&secret).cloned();
                    self.see_secret(secret, version)
                };
                named.into_iter().map(see).fold(false, |before, is_named| before | is_named)
            }
            Update::Set(secret) => self.see_secret(key(&secret), secret.resource_version()),
            Update::Removed(secret) => self.see_secret(key(&secret), None),
            Update::Trouble(_) => false,
        }
    }

    /// A Secret was seen with this version, or is gone; gives whether a request names it.
    fn see_secret(&mut self, secret: Key, version: Option<String>) -> bool {
        if !self.secrets().any(|named| named == secret) {
            return false;
        }
        match version {
            Some(version) => self.seen.insert(secret, version),
            None => {
                self.read.remove(&secret);
                self.seen.remove(&secret)
            }
        };
        true
    }

    /// These clusters do not take what was read any more: it is to be read again, and used as long as nothing else is
    /// there. Gives whether there is anything to read.
    pub(super) fn doubt(&mut self, clusters: &BTreeSet<ClusterId>) -> bool {
        let requests = self.requests.iter().flat_map(BTreeMap::values);
        let of_clusters =
            requests.filter(|request| request.cluster().is_some_and(|cluster| clusters.contains(&cluster)));
        let secrets: Vec<Key> = of_clusters.filter_map(secret_of).collect();
        for secret in &secrets {
            if let Some(read) = self.read.get_mut(secret) {
                read.version = String::new();
            }
        }
        !secrets.is_empty()
    }

    /// The Secrets that are to be read: they have not been, or have changed since.
    pub(super) fn to_read(&self) -> Vec<Key> {
        let is_due = |secret: &Key| match (self.read.get(secret), self.seen.get(secret)) {
            (None, _) => true,
            (Some(read), Some(seen)) => read.version != *seen,
            (Some(_), None) => false,
        };
        self.secrets().filter(is_due).collect()
    }

    /// A Secret was read.
    pub(super) fn take_secret(&mut self, secret: Key, version: String, kubeconfig: Result<String, String>) {
        self.seen.insert(secret.clone(), version.clone());
        self.read.insert(secret, Read { version, kubeconfig });
    }

    /// Of the wanted clusters, those for which something has to be asked.
    pub(super) fn to_ask(
        &self,
        wanted: &BTreeSet<ClusterId>,
        is_as_wanted: impl Fn(&AccessRequest) -> bool,
    ) -> Vec<ClusterId> {
        let (Some(given), Some(requests)) = (&self.given, &self.requests) else { return Vec::new() };
        let asked: BTreeSet<ClusterId> = requests
            .values()
            .filter(|request| is_as_wanted(request))
            .filter_map(AccessRequest::cluster)
            .chain(self.asked.iter().cloned())
            .collect();
        wanted.iter().filter(|id| !given.contains_key(id) && !asked.contains(id)).cloned().collect()
    }

    /// What has changed since it was asked the last time; nothing before all is known that can be.
    pub(super) fn changes(&mut self) -> Vec<Update<(ClusterId, Access)>> {
        let Some(given) = &self.given else { return Vec::new() };
        if self.requests.is_none() && !self.is_blind {
            return Vec::new();
        }
        let requests = self.requests.iter().flatten();
        let granted = requests.filter_map(|(_, request)| Some((request.cluster()?, self.access(request))));
        let mut now: BTreeMap<ClusterId, Access> = granted.collect();
        now.extend(given.clone());
        let Some(told) = self.told.replace(now.clone()) else {
            return vec![Update::All(now.into_iter().collect())];
        };
        let gone = told.iter().filter(|(id, _)| !now.contains_key(id));
        let gone = gone.map(|(id, access)| Update::Removed(Box::new((id.clone(), access.clone()))));
        let set = now.iter().filter(|(id, access)| told.get(id) != Some(access));
        gone.chain(set.map(|(id, access)| Update::Set(Box::new((id.clone(), access.clone()))))).collect()
    }

    fn access(&self, request: &AccessRequest) -> Access {
        let (namespace, name) = key(request);
        let origin = format!("AccessRequest {namespace}/{name}");
        let secret = match request.granted() {
            Ok(secret) => secret,
            Err(why) => return Access::not_granted(origin, why),
        };
        match self.read.get(&(namespace.clone(), secret.to_owned())) {
            Some(read) => Access::by_kubeconfig(origin, read.kubeconfig.clone()),
            None => {
                let message = format!("Secret {namespace}/{secret} has not been read yet");
                Access::not_granted(origin, NotGranted { is_denied: false, message })
            }
        }
    }

    fn secrets(&self) -> impl Iterator<Item = Key> {
        let requests = self.requests.iter().flat_map(BTreeMap::values);
        requests.filter_map(secret_of)
    }
}

fn key(request: &AccessRequest) -> Key {
    (request.namespace().unwrap_or_default(), request.name_any())
}

/// The Secret that a request names, if it is granted.
fn secret_of(request: &AccessRequest) -> Option<Key> {
    Some((request.namespace()?, request.granted().ok()?.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use serde_json::json;

    use super::*;

    fn request(cluster: &str, phase: &str) -> AccessRequest {
        serde_json::from_value(json!({
            "apiVersion": "clusters.openmcp.cloud/v1alpha1",
            "kind": "AccessRequest",
            "metadata": {"name": format!("r-{cluster}"), "namespace": "n", "generation": 1},
            "spec": {"clusterRef": {"name": cluster, "namespace": "n"}},
            "status": {"phase": phase, "observedGeneration": 1, "secretRef": {"name": cluster}},
        }))
        .unwrap()
    }

    fn cluster(name: &str) -> ClusterId {
        ClusterId::new("n", name)
    }

    fn given(name: &str) -> (ClusterId, Access) {
        (cluster(name), Access::by_kubeconfig("Secret n/given", Ok("given".to_owned())))
    }

    fn secret(name: &str) -> Key {
        ("n".to_owned(), name.to_owned())
    }

    /// What is told of each cluster: its access, as far as it shows itself, or that it is gone.
    fn told(known: &mut Known) -> Vec<String> {
        let one = |update: Update<(ClusterId, Access)>| match update {
            Update::All(all) => {
                format!("all {}", all.iter().map(|(id, _)| id.name.as_str()).collect::<Vec<_>>().join(" "))
            }
            Update::Set(set) => format!("set {}", set.0.name),
            Update::Removed(gone) => format!("gone {}", gone.0.name),
            Update::Trouble(message) => message,
        };
        known.changes().into_iter().map(one).collect()
    }

    fn both(given: Vec<(ClusterId, Access)>, requests: Vec<AccessRequest>) -> Known {
        let mut known = Known::default();
        known.take_given(Update::All(given));
        known.take_requests(Update::All(requests));
        known
    }

    #[test]
    fn nothing_is_told_before_all_is_known_unless_requests_cannot_be_watched() {
        let mut known = Known::default();
        known.take_given(Update::All(vec![given("w1")]));
        assert!(told(&mut known).is_empty());
        known.take_requests(Update::Trouble("no such kind".to_owned()));
        assert_eq!(told(&mut known), ["all w1"]);
    }

    #[test]
    fn a_token_that_is_rotated_in_place_is_read_again_and_told() {
        let mut known = both(Vec::new(), vec![request("w1", "Granted")]);
        assert_eq!(known.to_read(), [secret("w1")]);
        known.take_secret(secret("w1"), "1".to_owned(), Ok("first".to_owned()));
        assert!(known.to_read().is_empty());
        assert_eq!(told(&mut known), ["all w1"]);
        assert!(told(&mut known).is_empty(), "once");
        assert!(known.see_secret(secret("w1"), Some("2".to_owned())));
        assert!(!known.see_secret(secret("another"), Some("2".to_owned())));
        assert_eq!(known.to_read(), [secret("w1")]);
        known.take_secret(secret("w1"), "2".to_owned(), Ok("second".to_owned()));
        assert_eq!(told(&mut known), ["set w1"]);
    }

    #[test]
    fn what_a_cluster_does_not_take_any_more_is_read_again_at_once() {
        let mut known = both(Vec::new(), vec![request("w1", "Granted"), request("w2", "Granted")]);
        for name in ["w1", "w2"] {
            known.take_secret(secret(name), "1".to_owned(), Ok("first".to_owned()));
        }
        assert_eq!(told(&mut known), ["all w1 w2"]);
        assert!(known.doubt(&[cluster("w1")].into()));
        assert_eq!(known.to_read(), [secret("w1")]);
        assert!(told(&mut known).is_empty(), "it is used until there is another");
        known.take_secret(secret("w1"), "2".to_owned(), Ok("second".to_owned()));
        assert_eq!(told(&mut known), ["set w1"]);
        assert!(!known.doubt(&[cluster("w3")].into()));
    }

    #[test]
    fn what_was_asked_for_is_not_asked_for_again_before_the_watch_shows_it() {
        let mut known = both(Vec::new(), Vec::new());
        let wanted = ["w1", "w2"].map(cluster).into();
        known.take_asked(cluster("w1"));
        assert_eq!(known.to_ask(&wanted, |_| true), [cluster("w2")]);
        known.take_requests(Update::Set(Box::new(request("w1", "Pending"))));
        assert_eq!(known.to_ask(&wanted, |_| true), [cluster("w2")]);
        assert_eq!(
            known.to_ask(&wanted, |_| false),
            [cluster("w1"), cluster("w2")],
            "it is another one since"
        );
        known.take_asked(cluster("w2"));
        known.take_requests(Update::All(vec![request("w1", "Pending")]));
        assert_eq!(
            known.to_ask(&wanted, |_| true),
            [cluster("w2")],
            "a list without it says that it is gone"
        );
    }

    #[test]
    fn what_people_give_counts_more_and_nothing_is_asked_for_then() {
        let mut known = both(vec![given("w1")], vec![request("w2", "Pending")]);
        let wanted = ["w1", "w2", "w3"].map(cluster).into();
        assert_eq!(known.to_ask(&wanted, |_| true), [cluster("w3")]);
        assert_eq!(known.to_ask(&wanted, |_| false), [cluster("w2"), cluster("w3")]);
        assert_eq!(told(&mut known), ["all w1 w2"]);
        known.take_requests(Update::Set(Box::new(request("w1", "Granted"))));
        assert!(told(&mut known).is_empty());
        known.take_given(Update::Removed(Box::new(given("w1"))));
        assert_eq!(told(&mut known), ["set w1"]);
        known.take_requests(Update::Removed(Box::new(request("w1", "Granted"))));
        assert_eq!(told(&mut known), ["gone w1"]);
    }
}
