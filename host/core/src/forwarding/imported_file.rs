//! A file that the Corefile imports from another ConfigMap, mostly `coredns-custom`: k3s, AKS, DigitalOcean, OVH, Akamai,
//! Scaleway, Outscale, Selectel, Gardener, Yandex and others. Which ConfigMap that is, and what its keys have to be called,
//! is what the pods mount and the Corefile imports.

use serde_json::{Value, json};

use super::change::Change;
use super::corefile::{Main, imported_notes, main, own_notes};
use super::facts::{Facts, config_map};
use super::pods::MountedKey;
use super::refusal::Refusal;
use super::{Edit, Fit, Order, Place};
use crate::corefile::{
    Corefile, check_imported, remove_forward, set_forward_in_own_file, set_forward_in_shared_file,
};
use crate::deployment::Reference;
use crate::name::HostName;

/// What most clusters call the ConfigMap.
const CUSTOMARY: &str = "coredns-custom";

/// Our keys begin so, then comes the zone.
const OWN_KEY: &str = "openmcp-dns.";

/// An import beside the servers whose files come from a ConfigMap.
#[derive(Clone)]
pub(super) struct Import {
    pub(super) pattern: String,
    config_map: Reference,
    keys: Keys,
}

/// Which keys of the ConfigMap are imported.
#[derive(Clone)]
enum Keys {
    /// One, which others may write into as well.
    One(String),
    /// All that begin and end so.
    Like(String, String),
}

impl Import {
    /// The files that are there.
    pub(super) fn files(&self, facts: &Facts) -> Vec<MountedKey> {
        let imported = |key: &&str| match &self.keys {
            Keys::One(one) => key == one,
            Keys::Like(before, after) => {
                let long_enough = key.len() >= before.len() + after.len();
                long_enough && key.starts_with(before.as_str()) && key.ends_with(after.as_str())
            }
        };
        let keys = facts.texts(&self.config_map).map(|(key, _)| key).filter(imported);
        keys.map(|key| self.key(key.to_owned())).collect()
    }

    /// Where our block stands.
    fn ours(&self, zone: &HostName) -> MountedKey {
        match &self.keys {
            Keys::One(key) => self.key(key.clone()),
            Keys::Like(before, after) => self.key(format!("{before}{OWN_KEY}{zone}{after}")),
        }
    }

    fn key(&self, key: String) -> MountedKey {
        MountedKey { config_map: self.config_map.clone(), key }
    }
}

/// The imports of the Corefile whose files come from ConfigMaps.
pub(super) fn imports(facts: &Facts) -> Vec<Import> {
    let (Some(Main { at, folder: Some(folder), .. }), Some(pods)) = (main(facts), facts.dns_pods()) else {
        return Vec::new();
    };
    let Some(Ok(corefile)) = at.text(facts).map(Corefile::parse) else { return Vec::new() };
    let beside_servers = corefile.file_imports.into_iter().filter(|import| import.beside_servers);
    let found = beside_servers.filter_map(|import| {
        let path = if import.pattern.starts_with('/') {
            import.pattern.clone()
        } else {
            format!("{folder}/{}", import.pattern)
        };
        let (config_map, keys) = match path.rsplit_once('/')? {
            (folder, file) if file.contains('*') => {
                let (before, after) = file.split_once('*')?;
                (pods.mounted_folder(folder)?, Keys::Like(before.to_owned(), after.to_owned()))
            }
            (folder, file) => match pods.mounted_file(&path) {
                Some(MountedKey { config_map, key }) => (config_map, Keys::One(key)),
                None => (pods.mounted_folder(folder)?, Keys::One(file.to_owned())),
            },
        };
        Some(Import { pattern: import.pattern, config_map, keys })
    });
    found.collect()
}

pub(super) fn fits(facts: &Facts) -> Option<Fit> {
    let Main { at, because, .. } = main(facts)?;
    let mut all = imports(facts);
    // A file of our own is better than one that others write into.
    all.sort_by_key(|import| matches!(import.keys, Keys::One(_)));
    let import = all.into_iter().next()?;
    let mounted =
        format!("it imports {} from {}, where what is added stays", import.pattern, import.config_map);
    let places: Vec<Box<dyn Place>> =
        vec![Box::new(File { main: Some((at, import.clone())), config_map: import.config_map })];
    Some(Fit { because: vec![because, mounted], places, ..Fit::default() })
}

pub(super) fn traces(facts: &Facts) -> Vec<Box<dyn Place>> {
    let imported = imports(facts).into_iter().map(|import| import.config_map);
    let all = [config_map(CUSTOMARY)].into_iter().chain(imported);
    all.map(|config_map| Box::new(File { config_map, main: None }) as Box<dyn Place>).collect()
}

/// Our block in a ConfigMap whose keys are imported.
struct File {
    config_map: Reference,
    /// The Corefile that imports it, where that is still so.
    main: Option<(MountedKey, Import)>,
}

impl Place for File {
    fn name(&self) -> String {
        format!("a block in {}", self.config_map)
    }

    fn set(&self, facts: &Facts, order: Order<'_>) -> Result<Edit, Refusal> {
        let Some((main, import)) = &self.main else { return Ok(Edit::default()) };
        let Some(main_text) = main.text(facts) else { return Ok(Edit::default()) };
        let zone = order.zone.as_str();
        let imports = imports(facts);
        let ours = import.ours(order.zone);
        let mut notes = imported_notes(facts, main_text, &imports, Some(&ours), order.zone)?;
        // The text is to have no server for the zone either.
        notes.extend(own_notes(
            &check_imported(main_text, main_text, zone).map_err(main.refusal())?,
            &imports,
        ));
        let before = ours.text(facts).unwrap_or_default();
        let edited = match import.keys {
            Keys::One(_) => {
                let edited = set_forward_in_shared_file(main_text, before, zone, order.upstreams);
                // What is wrong with the main text was said above.
                edited.map_err(ours.refusal())?
            }
            Keys::Like(..) => {
                let edited = set_forward_in_own_file(main_text, before, zone, order.upstreams);
                edited.map_err(main.refusal())?
            }
        };
        Ok(Edit { change: edited.changed.then(|| ours.set(facts, &edited.text)), notes })
    }

    fn unset(&self, facts: &Facts, zone: &HostName) -> Result<Option<Change>, Refusal> {
        let mut data = serde_json::Map::new();
        let mut is_empty = true;
        for (key, text) in facts.texts(&self.config_map) {
            let at = MountedKey { config_map: self.config_map.clone(), key: key.to_owned() };
            let edited = match remove_forward(text, zone.as_str()) {
                Ok(edited) => edited,
                // Files for the inside of a server, and others that are no Corefile, have nothing of ours.
                Err(_) if !text.contains("openmcp-dns managed") => {
                    is_empty = false;
                    continue;
                }
                Err(error) => return Err(at.refusal()(error)),
            };
            let is_own = key.contains(&format!("{OWN_KEY}{zone}"));
            match edited.changed {
                true if is_own && edited.text.trim().is_empty() => {
                    data.insert(key.to_owned(), Value::Null);
                }
                true => {
                    data.insert(key.to_owned(), json!(edited.text));
                    is_empty &= edited.text.trim().is_empty();
                }
                false => is_empty = false,
            }
        }
        if data.is_empty() {
            return Ok(None);
        }
        Ok(Some(Change::unset(facts, self.config_map.clone(), json!({"data": data}), is_empty)))
    }
}
