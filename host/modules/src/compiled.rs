//! Modules that were compiled.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use openmcp_dns_policy::Module;

/// Modules by the digest of their bytes, as long as somebody uses them, and the last one in any case: a watch
/// may want it again before anybody has it. Compiling takes seconds of all processors, and a ConfigMap is read
/// again at each event of its watch.
#[derive(Default)]
pub(crate) struct Compiled(Mutex<Modules>);

#[derive(Default)]
struct Modules {
    used: HashMap<String, Weak<Module>>,
    last: Option<Arc<Module>>,
}

impl Compiled {
    /// The module with these bytes; compiles it where nobody has it.
    pub(crate) fn get_or<E>(
        &self,
        digest: &str,
        compile: impl FnOnce() -> Result<Module, E>,
    ) -> Result<Arc<Module>, E> {
        let known = self.modules().used.get(digest).and_then(Weak::upgrade);
        let module = known.map_or_else(|| compile().map(Arc::new), Ok)?;
        let mut modules = self.modules();
        modules.used.retain(|_, module| module.strong_count() > 0);
        modules.used.insert(digest.to_owned(), Arc::downgrade(&module));
        modules.last = Some(Arc::clone(&module));
        drop(modules);
        Ok(module)
    }

    fn modules(&self) -> std::sync::MutexGuard<'_, Modules> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
