//! A block in the Corefile that the pods read: kubeadm, kind, Cluster API, EKS, and whoever else has a CoreDNS of their own.

use super::change::Change;
use super::facts::{Facts, config_map};
use super::imported_file::{Import, imports};
use super::pods::MountedKey;
use super::refusal::Refusal;
use super::{Edit, Fit, Order, Place, eks};
use crate::corefile::{Corefile, Warning, check_imported, remove_forward, set_forward};
use crate::name::HostName;

/// What most clusters call it.
const CUSTOMARY: &str = "Corefile";

/// The Corefile that a cluster's DNS begins with.
pub(super) struct Main {
    /// Where it stands.
    pub(super) at: MountedKey,
    /// Its folder in the pods; `None` while nobody knows the pods.
    pub(super) folder: Option<String>,
    /// How it was found.
    pub(super) because: String,
}

/// Finds it: what the pods mount; without pods that could be seen, what most clusters have.
pub(super) fn main(facts: &Facts) -> Option<Main> {
    if let Some(pods) = facts.dns_pods() {
        let path = pods.flag("conf")?;
        let at = pods.mounted_file(path)?;
        at.text(facts)?;
        let because = format!("{} reads {path}, which is {}", pods.name(), at.name());
        let folder = path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
        return Some(Main { at, folder, because });
    }
    let at = MountedKey { config_map: config_map("coredns"), key: CUSTOMARY.to_owned() };
    at.text(facts)?;
    let seen = if facts.is_blind() {
        "which pods read it cannot be seen: apply deploy/cluster-access.yaml"
    } else {
        "no pods stand behind the cluster's DNS Service"
    };
    let because = format!("there is {}; {seen}", at.name());
    Some(Main { at, folder: None, because })
}

/// The domain of the cluster's own names, as its Corefile has it.
pub(super) fn cluster_domain(facts: &Facts) -> Option<String> {
    let text = main(facts)?.at.text(facts)?;
    let corefile = Corefile::parse(text).ok()?;
    let mut plugins = corefile.blocks.iter().flat_map(|block| &block.plugins);
    let kubernetes = plugins.find(|plugin| plugin.name == "kubernetes")?;
    let domain: HostName = kubernetes.tokens.get(1)?.trim_end_matches('.').parse().ok()?;
    Some(domain.to_string())
}

pub(super) fn fits(facts: &Facts) -> Option<Fit> {
    let Main { at, because, .. } = main(facts)?;
    let mut because = vec![because];
    let (more, notes) = eks::said(facts, &at);
    because.extend(more);
    Some(Fit { because, places: vec![Box::new(Block { at, is_main: true })], notes, by_hand: None })
}

pub(super) fn traces(facts: &Facts) -> Vec<Box<dyn Place>> {
    let customary = MountedKey { config_map: config_map("coredns"), key: CUSTOMARY.to_owned() };
    let mut all: Vec<Box<dyn Place>> = vec![Box::new(Block { at: customary, is_main: true })];
    if let Some(Main { at, .. }) = main(facts) {
        all.push(Box::new(Block { at, is_main: true }));
    }
    all
}

/// Our block in a Corefile.
pub(super) struct Block {
    pub(super) at: MountedKey,
    /// Whether files are imported into it that come from ConfigMaps.
    pub(super) is_main: bool,
}

impl Place for Block {
    fn name(&self) -> String {
        format!("a block in {}", self.at.name())
    }

    fn set(&self, facts: &Facts, order: Order<'_>) -> Result<Edit, Refusal> {
        let Some(text) = self.at.text(facts) else {
            let why = "it is not there".to_owned();
            return Err(Refusal::NotUnderstood { place: self.at.name(), why });
        };
        let imports = if self.is_main { imports(facts) } else { Vec::new() };
        let mut notes = imported_notes(facts, text, &imports, None, order.zone)?;
        let edited = set_forward(text, order.zone.as_str(), order.upstreams).map_err(self.at.refusal())?;
        notes.extend(own_notes(&edited.warnings, &imports));
        let change = edited.changed.then(|| self.at.set(facts, &edited.text));
        Ok(Edit { change, notes })
    }

    fn unset(&self, facts: &Facts, zone: &HostName) -> Result<Option<Change>, Refusal> {
        let Some(text) = self.at.text(facts) else { return Ok(None) };
        let edited = remove_forward(text, zone.as_str()).map_err(self.at.refusal())?;
        Ok(edited.changed.then(|| self.at.set(facts, &edited.text)))
    }
}

/// What is said of the text itself: of the imports, only those that nobody could look into.
pub(super) fn own_notes(warnings: &[Warning], imports: &[Import]) -> Vec<String> {
    let is_open = |warning: &&Warning| match warning {
        Warning::ImportedServers { pattern, .. } => imports.iter().all(|import| import.pattern != *pattern),
        Warning::PartServedElsewhere { .. } | Warning::NoLongerAsked { .. } => true,
    };
    warnings.iter().filter(is_open).map(ToString::to_string).collect()
}

/// What is to be known of `main`, and of the files that are imported beside its servers, but for one of ours.
pub(super) fn imported_notes(
    facts: &Facts,
    main: &str,
    imports: &[Import],
    ours: Option<&MountedKey>,
    zone: &HostName,
) -> Result<Vec<String>, Refusal> {
    let mut notes = Vec::new();
    if let Ok(parsed) = Corefile::parse(main)
        && !parsed.blocks.iter().flat_map(|block| &block.plugins).any(|plugin| plugin.name == "reload")
    {
        // One server with it is enough for all.
        notes.push("the Corefile has no plugin reload: restart the pods after each change".to_owned());
    }
    for file in imports.iter().flat_map(|import| import.files(facts)).filter(|file| Some(file) != ours) {
        let Some(text) = file.text(facts) else { continue };
        let warnings = check_imported(main, text, zone.as_str()).map_err(file.refusal())?;
        notes.extend(warnings.iter().map(|warning| format!("{}: {warning}", file.name())));
    }
    Ok(notes)
}
