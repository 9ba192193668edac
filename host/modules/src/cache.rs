//! Modules that were fetched lately.

use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;

/// Bytes of modules by digest, so that going back to one needs nobody else. In memory only: what is
/// kept is as good as what was checked.
pub(crate) struct ModuleCache {
    modules: Mutex<LruCache<String, Arc<[u8]>>>,
    /// Sum of the bytes over all keys; a module under two keys counts twice.
    limit: usize,
}

impl ModuleCache {
    /// Keeps at most so many bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { modules: Mutex::new(LruCache::unbounded()), limit }
    }

    /// The module with this digest, of its bytes (hexadecimal) or of its manifest (`sha256:...`).
    pub(crate) fn get(&self, digest: &str) -> Option<Arc<[u8]>> {
        self.modules.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    /// Keeps a module, and forgets those that were not asked for for the longest time.
    pub(crate) fn put(&self, digest: &str, module: &Arc<[u8]>) {
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        modules.put(digest.to_owned(), Arc::clone(module));
        while modules.iter().map(|(_, module)| module.len()).sum::<usize>() > self.limit {
            modules.pop_lru();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_that_nobody_asked_for_gives_way() {
        let cache = ModuleCache::new(10);
        let module = |length: usize| Arc::from(vec![0; length]);
        cache.put("a", &module(4));
        cache.put("b", &module(4));
        assert!(cache.get("a").is_some());
        cache.put("c", &module(4));
        assert!(cache.get("b").is_none());
        assert!(cache.get("a").is_some() && cache.get("c").is_some());
        cache.put("larger than all", &module(11));
        assert!(cache.get("larger than all").is_none());
    }
}
