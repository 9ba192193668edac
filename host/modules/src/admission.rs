//! Has modules compiled and asked their first questions: one at a time, and not for ever.

use std::sync::Arc;
use std::time::Duration;

use openmcp_dns_policy::{Engine, LoadError, Module};
use tokio::sync::Semaphore;

use crate::ModuleError;
use crate::compiled::Compiled;

/// How long it may take until a module is compiled and has answered. The worst module within the default
/// limits takes 20 seconds, one of 18 MB in Python takes 8; a pod with a fifth of a processor takes
/// several times that, and must not have a good module refused.
const ADMISSION: Duration = Duration::from_secs(120);

/// Has modules compiled. Clones wait for each other: compiling uses all processors, and much memory.
#[derive(Clone)]
pub(crate) struct Admission {
    engine: Engine,
    compiled: Arc<Compiled>,
    one_at_a_time: Arc<Semaphore>,
    limit: Duration,
}

impl Admission {
    /// Loads modules into an engine.
    pub(crate) fn new(engine: Engine) -> Self {
        let (compiled, one_at_a_time) = (Arc::default(), Arc::new(Semaphore::new(1)));
        Self { engine, compiled, one_at_a_time, limit: ADMISSION }
    }

    /// Makes a module of bytes with this digest as [`Engine::load`] does, and compiles them once only.
    ///
    /// # Errors
    /// When the module is refused, or it takes too long.
    pub(crate) async fn load(
        &self,
        digest: String,
        bytes: Arc<[u8]>,
        configuration: String,
    ) -> Result<Arc<Module>, ModuleError> {
        let (engine, compiled) = (self.engine.clone(), Arc::clone(&self.compiled));
        let load = move || {
            let module = compiled.get_or(&digest, || engine.compile(&bytes))?;
            engine.admit(&module, &configuration)?;
            Ok::<_, LoadError>(module)
        };
        Ok(self.within_limit(load).await??)
    }

    /// Does work on a blocking thread, when it is its turn. Waiting for that does not count: it is no
    /// fault of the module.
    async fn within_limit<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ModuleError> {
        // The semaphore is never closed.
        let permit = Arc::clone(&self.one_at_a_time).acquire_owned().await;
        let work = tokio::task::spawn_blocking(move || {
            // Kept to the end of the work, which nothing can stop: when nobody waits for it any more,
            // it still uses the processors.
            let _permit = permit;
            work()
        });
        match tokio::time::timeout(self.limit, work).await {
            Ok(done) => Ok(done?),
            Err(_) => Err(ModuleError::NotCompiledInTime { limit: self.limit }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use openmcp_dns_policy::Limits;

    use super::*;

    fn admission(limit: Duration) -> Admission {
        Admission { limit, ..Admission::new(Engine::new(Limits::default()).unwrap()) }
    }

    /// Work that lasts until its end is wanted: a closure for the thread, and what ends it.
    fn endless() -> (impl FnOnce() + Send + 'static, mpsc::Sender<()>) {
        let (end, ended) = mpsc::channel();
        // An error says that the other end is gone, which is an end as well.
        (move || ended.recv().unwrap_or_default(), end)
    }

    #[tokio::test]
    async fn work_that_takes_too_long_is_given_up_and_the_next_waits_until_it_has_ended() {
        let admission = admission(Duration::from_millis(20));
        let (work, end) = endless();
        let error = admission.within_limit(work).await.unwrap_err();
        assert!(matches!(error, ModuleError::NotCompiledInTime { .. }), "{error}");
        assert_eq!(admission.one_at_a_time.available_permits(), 0);

        let other = admission.clone();
        let next = tokio::spawn(async move { other.within_limit(|| 7).await });
        // Many times the limit: what counts is the work, not the wait for its turn.
        tokio::time::sleep(10 * admission.limit).await;
        assert!(!next.is_finished());
        end.send(()).unwrap();
        assert_eq!(next.await.unwrap().unwrap(), 7);
    }

    #[tokio::test]
    async fn a_module_is_compiled_once_whichever_configuration_it_gets() {
        let admission = admission(ADMISSION);
        let load = async |digest: &str, configuration: &str| {
            let bytes = openmcp_dns_policy::STANDARD.into();
            admission.load(digest.to_owned(), bytes, configuration.to_owned()).await
        };
        let first = load("a1", "{}").await.unwrap();
        let second = load("a1", "{\"ttlSeconds\":5}").await.unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        let error = load("a1", "{\"unknown\":1}").await.unwrap_err();
        assert!(matches!(error, ModuleError::Refused(LoadError::Configuration(_))), "{error:?}");
        let other = load("b2", "{}").await.unwrap();
        assert!(Arc::ptr_eq(&first, &load("a1", "{}").await.unwrap()), "somebody uses it");
        let (gone, used) = (Arc::downgrade(&other), [first, second]);
        drop(other);
        assert!(gone.upgrade().is_none(), "nobody does");
        drop(used);
    }
}
