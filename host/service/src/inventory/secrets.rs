//! Kubeconfigs in Secrets of the platform cluster.

use std::collections::BTreeMap;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use kube::config::Kubeconfig;
use kube::runtime::watcher;
use kube::{Api, ResourceExt as _};
use openmcp_dns_core::cluster::ClusterId;
use tokio::sync::mpsc;

use super::access_requests;
use super::{Access, Insecure, Inventory};
use crate::watch::{Update, watch};
use openmcp_dns_api::KUBECONFIG_LABEL;

/// Key of a Secret's data that holds the kubeconfig.
const KUBECONFIG_KEY: &str = "kubeconfig";

/// Kubeconfigs in Secrets beside the `Cluster` objects, with the label [`KUBECONFIG_LABEL`].
pub struct SecretInventory {
    platform: kube::Client,
    insecure: Insecure,
    own: Option<ClusterId>,
}

impl SecretInventory {
    /// Looks for Secrets on the platform cluster; says what becomes of insecure kubeconfigs in them.
    #[must_use]
    pub const fn new(platform: kube::Client, insecure: Insecure) -> Self {
        Self { platform, insecure, own: None }
    }

    /// This is the `Cluster` that stands for the platform cluster itself: without a Secret of its own, it is
    /// reached as the service reaches it anyway.
    #[must_use]
    pub fn with_own(mut self, cluster: ClusterId) -> Self {
        self.own = Some(cluster);
        self
    }

    fn known(&self) -> Known {
        let access = || Access::by_client("the service account of openmcp-dns", self.platform.clone(), 0);
        Known { own: self.own.clone().map(|cluster| (cluster, access())), ..Known::default() }
    }

    /// The access to all clusters as it is now: by these Secrets, and by AccessRequests of ours.
    ///
    /// # Errors
    /// When the platform cluster does not list them.
    pub async fn list(&self) -> Result<Vec<(ClusterId, Access)>, kube::Error> {
        let secrets: Api<Secret> = Api::all(self.platform.clone());
        let listed = secrets.list(&ListParams::default().labels(KUBECONFIG_LABEL)).await?;
        let mut known = self.known();
        known.secrets = Known::by_uid(listed.items);
        let mut all: BTreeMap<ClusterId, Access> =
            access_requests::granted(&self.platform).await?.into_iter().collect();
        all.extend(known.all());
        Ok(all.into_iter().map(|(id, access)| (id, access.with_insecure(self.insecure))).collect())
    }
}

#[async_trait]
impl Inventory for SecretInventory {
    async fn follow(&self, updates: mpsc::Sender<Update<(ClusterId, Access)>>) {
        let secrets: Api<Secret> = Api::all(self.platform.clone());
        let labelled = watcher::Config::default().labels(KUBECONFIG_LABEL);
        let (sender, mut seen) = mpsc::channel(16);
        let choose = async {
            let mut known = self.known();
            while let Some(update) = seen.recv().await {
                for update in known.see(update) {
                    let update = update.map(|(id, access)| (id, access.with_insecure(self.insecure)));
                    if updates.send(update).await.is_err() {
                        return;
                    }
                }
            }
        };
        tokio::select! {
            () = watch(secrets, labelled, sender, |update| update) => {}
            // Ends when nobody listens any more.
            () = choose => {}
        }
    }

    fn advice(&self, cluster: &ClusterId) -> String {
        format!(
            "no kubeconfig for the cluster: create a Secret in namespace {} with the label {KUBECONFIG_LABEL}={} \
             and the kubeconfig under the key {KUBECONFIG_KEY}",
            cluster.namespace, cluster.name
        )
    }
}

/// All Secrets, by uid: a cluster may have several while one replaces another, and one that goes must not
/// take away the access that another one grants.
#[derive(Default)]
struct Known {
    secrets: BTreeMap<String, Granted>,
    /// What there is without a Secret.
    own: Option<(ClusterId, Access)>,
}

/// What one Secret grants.
struct Granted {
    cluster: ClusterId,
    access: Access,
    /// Which of several is taken: one with a kubeconfig, then the newest, then the last by name.
    rank: (bool, Option<Timestamp>, String),
}

impl Known {
    fn by_uid(secrets: Vec<Secret>) -> BTreeMap<String, Granted> {
        secrets.iter().map(|secret| (uid(secret), granted(secret))).collect()
    }

    /// Takes in what happens to Secrets; gives what that means for clusters.
    fn see(&mut self, update: Update<Secret>) -> Vec<Update<(ClusterId, Access)>> {
        match update {
            Update::All(secrets) => {
                self.secrets = Self::by_uid(secrets);
                vec![Update::All(self.all())]
            }
            Update::Set(secret) => {
                let (uid, granted) = (uid(&secret), granted(&secret));
                let now = (granted.cluster.clone(), granted.access.clone());
                let before = self.secrets.insert(uid, granted).map(|before| (before.cluster, before.access));
                // Another label: the cluster of the old one has lost this access.
                let left = before.filter(|(cluster, _)| *cluster != now.0);
                left.into_iter().chain([now]).map(|changed| self.chosen(changed)).collect()
            }
            Update::Removed(secret) => {
                let gone = self.secrets.remove(&uid(&secret));
                gone.map(|gone| self.chosen((gone.cluster, gone.access))).into_iter().collect()
            }
            Update::Trouble(message) => vec![Update::Trouble(message)],
        }
    }

    /// What a cluster has after this access of it has changed.
    fn chosen(&self, (cluster, changed): (ClusterId, Access)) -> Update<(ClusterId, Access)> {
        let of_cluster = self.secrets.values().filter(|granted| granted.cluster == cluster);
        match of_cluster.max_by(|one, other| one.rank.cmp(&other.rank)) {
            Some(best) => Update::Set(Box::new((cluster, best.access.clone()))),
            None => match self.own.clone().filter(|(own, _)| *own == cluster) {
                Some(own) => Update::Set(Box::new(own)),
                None => Update::Removed(Box::new((cluster, changed))),
            },
        }
    }

    /// The access to each cluster.
    fn all(&self) -> Vec<(ClusterId, Access)> {
        let mut sorted: Vec<&Granted> = self.secrets.values().collect();
        sorted.sort_by(|one, other| one.rank.cmp(&other.rank));
        // The last one of a cluster stays.
        let granted = sorted.into_iter().map(|granted| (granted.cluster.clone(), granted.access.clone()));
        let best: BTreeMap<_, _> = self.own.clone().into_iter().chain(granted).collect();
        best.into_iter().collect()
    }
}

fn uid(secret: &Secret) -> String {
    secret.uid().unwrap_or_else(|| origin(secret))
}

fn granted(secret: &Secret) -> Granted {
    let kubeconfig = kubeconfig(secret);
    let is_usable = kubeconfig.as_ref().is_ok_and(|text| Kubeconfig::from_yaml(text).is_ok());
    let created = secret.creation_timestamp().map(|time| time.0);
    Granted {
        cluster: cluster_of(secret),
        rank: (is_usable, created, secret.name_any()),
        access: Access::by_kubeconfig(origin(secret), kubeconfig),
    }
}

fn cluster_of(secret: &Secret) -> ClusterId {
    let name = secret.labels().get(KUBECONFIG_LABEL).cloned().unwrap_or_default();
    ClusterId::new(secret.namespace().unwrap_or_default(), name)
}

fn origin(secret: &Secret) -> String {
    format!("Secret {}/{}", secret.namespace().unwrap_or_default(), secret.name_any())
}

/// The kubeconfig as text, or why there is none.
pub(super) fn kubeconfig(secret: &Secret) -> Result<String, String> {
    let data = secret.data.as_ref().and_then(|data| data.get(KUBECONFIG_KEY));
    match data.map(|data| String::from_utf8(data.0.clone())) {
        Some(Ok(text)) => Ok(text),
        Some(Err(_)) => {
            Err(format!("{}: the data under the key {KUBECONFIG_KEY} is no text", origin(secret)))
        }
        None => Err(format!("{} has no data under the key {KUBECONFIG_KEY}", origin(secret))),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn secret(data: &[(&str, &[u8])]) -> Secret {
        let mut secret = Secret::default();
        secret.metadata.name = Some("access".to_owned());
        secret.metadata.namespace = Some("openmcp-system".to_owned());
        secret.metadata.labels = Some([(KUBECONFIG_LABEL.to_owned(), "workload01".to_owned())].into());
        secret.data =
            Some(data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.to_vec()))).collect());
        secret
    }

    #[test]
    fn a_secret_belongs_to_the_cluster_that_its_label_names() {
        let secret = secret(&[("kubeconfig", b"text")]);
        assert_eq!(cluster_of(&secret), ClusterId::new("openmcp-system", "workload01"));
        assert_eq!(kubeconfig(&secret).as_deref(), Ok("text"));
    }

    #[test]
    fn a_secret_without_a_usable_kubeconfig_is_named() {
        for (secret, expected) in
            [(secret(&[]), "has no data"), (secret(&[("kubeconfig", b"\xff")]), "is no text")]
        {
            let error = kubeconfig(&secret).unwrap_err();
            assert!(error.contains(expected) && error.contains("openmcp-system/access"), "{error}");
        }
    }

    /// A Secret for `workload01` that was created at this second.
    fn created(name: &str, second: i64, kubeconfig: &str) -> Secret {
        let mut secret = secret(&[("kubeconfig", kubeconfig.as_bytes())]);
        secret.metadata.name = Some(name.to_owned());
        secret.metadata.uid = Some(format!("{name}-{second}"));
        secret.metadata.creation_timestamp = Some(Time(Timestamp::from_second(second).unwrap()));
        secret
    }

    /// For each cluster that is told something: its name, and the Secret that grants access.
    fn told(known: &mut Known, update: Update<Secret>) -> Vec<(String, Option<String>)> {
        let one = |update: Update<(ClusterId, Access)>| match update {
            Update::Set(set) => vec![(set.0.name.clone(), Some(set.1.origin))],
            Update::Removed(removed) => vec![(removed.0.name.clone(), None)],
            Update::All(all) => {
                all.into_iter().map(|(id, access)| (id.name.clone(), Some(access.origin))).collect()
            }
            Update::Trouble(message) => panic!("{message}"),
        };
        known.see(update).into_iter().flat_map(one).collect()
    }

    fn expect(cluster: &str, secret: &str) -> (String, Option<String>) {
        (cluster.to_owned(), (!secret.is_empty()).then(|| format!("Secret openmcp-system/{secret}")))
    }

    const VALID: &str = "apiVersion: v1\nkind: Config\n";

    #[test]
    fn a_secret_that_is_replaced_by_another_takes_no_access_away() {
        let mut known = Known::default();
        let set = |secret: &Secret| Update::Set(Box::new(secret.clone()));
        let removed = |secret: &Secret| Update::Removed(Box::new(secret.clone()));
        let (old, new) = (created("z-old", 1, VALID), created("a-new", 2, VALID));
        assert_eq!(told(&mut known, Update::All(vec![old.clone()])), [expect("workload01", "z-old")]);
        assert_eq!(told(&mut known, set(&new)), [expect("workload01", "a-new")]);
        assert_eq!(told(&mut known, removed(&old)), [expect("workload01", "a-new")]);
        assert_eq!(told(&mut known, removed(&new)), [expect("workload01", "")]);
    }

    #[test]
    fn the_newest_secret_with_a_usable_kubeconfig_is_taken() {
        let all = [created("one", 1, VALID), created("three", 3, "nonsense: ["), created("two", 2, VALID)];
        let mut known = Known::default();
        assert_eq!(told(&mut known, Update::All(all.to_vec())), [expect("workload01", "two")]);
        let gone = Update::Removed(Box::new(all[2].clone()));
        assert_eq!(told(&mut known, gone), [expect("workload01", "one")]);
    }

    #[tokio::test]
    async fn the_platform_cluster_needs_no_secret_and_a_secret_of_its_own_counts_more() {
        let config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let client = kube::Client::try_from(config).unwrap();
        let own = ClusterId::new("openmcp-system", "workload01");
        let mut known = SecretInventory::new(client, Insecure::Refused).with_own(own).known();
        let account = ("workload01".to_owned(), Some("the service account of openmcp-dns".to_owned()));
        assert_eq!(told(&mut known, Update::All(Vec::new())), std::slice::from_ref(&account));
        let secret = created("one", 1, VALID);
        assert_eq!(told(&mut known, Update::Set(Box::new(secret.clone()))), [expect("workload01", "one")]);
        assert_eq!(told(&mut known, Update::Removed(Box::new(secret))), [account]);
    }

    #[test]
    fn a_corrected_label_takes_the_access_from_the_wrong_cluster() {
        let mut known = Known { secrets: Known::by_uid(vec![created("one", 1, VALID)]), ..Known::default() };
        let mut corrected = created("one", 1, VALID);
        corrected.metadata.labels = Some([(KUBECONFIG_LABEL.to_owned(), "workload02".to_owned())].into());
        assert_eq!(
            told(&mut known, Update::Set(Box::new(corrected))),
            [expect("workload01", ""), expect("workload02", "one")]
        );
    }
}
