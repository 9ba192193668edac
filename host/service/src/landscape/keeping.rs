//! Has the modules kept that decide, so that a restart finds them.

use std::collections::BTreeMap;
use std::time::Duration;

use openmcp_dns_core::chain;
use openmcp_dns_modules::ModuleLoader;
use tokio::sync::watch;

/// How long to wait before trying again what the platform's API server refused.
const RETRY: Duration = Duration::from_secs(30);

/// Digests of the modules to keep, and whether each has been loaded; `None` while the policies are not known,
/// and nothing is removed.
pub(super) type ToKeep = Option<BTreeMap<String, bool>>;

/// Keeps what is wanted, and nothing else, until nobody wants anything any more.
pub(super) async fn keep(loader: ModuleLoader, mut wanted: watch::Receiver<ToKeep>) {
    let mut told = None;
    loop {
        let now = wanted.borrow_and_update().clone();
        let kept = match now {
            Some(now) => loader.keep(now.keys()).await,
            None => Ok(()),
        };
        let trouble = kept.err().map(|error| chain(&error));
        // The same trouble is told once, not at every attempt.
        if let Some(error) = trouble.as_ref().filter(|error| told.as_ref() != Some(*error)) {
            tracing::warn!(
                error,
                hint = "may this service account create and delete ConfigMaps in its namespace?",
                "unable to keep policy modules: a restart needs their sources"
            );
        }
        let failed = trouble.is_some();
        told = trouble;
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(RETRY), if failed => {}
        }
    }
}
