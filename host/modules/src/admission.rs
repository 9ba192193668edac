//! Has modules compiled and asked their first questions: one at a time, and not for ever.

use std::sync::Arc;
use std::time::Duration;

use openmcp_dns_policy::{Engine, Module};
use tokio::sync::Semaphore;

use crate::ModuleError;

/// How long it may take until a module is compiled and has answered. The worst module within the default
/// limits takes 20 seconds, one of 18 MB in Python takes 8; a pod with a fifth of a processor takes
/// several times that, and must not have a good module refused.
const ADMISSION: Duration = Duration::from_secs(120);

/// Has modules compiled. Clones wait for each other: compiling uses all processors, and much memory.
#[derive(Clone)]
pub(crate) struct Admission {
    engine: Engine,
    one_at_a_time: Arc<Semaphore>,
    limit: Duration,
}

impl Admission {
    /// Loads modules into an engine.
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine, one_at_a_time: Arc::new(Semaphore::new(1)), limit: ADMISSION }
    }

    /// Makes a module of bytes as [`Engine::load`] does.
    ///
    /// # Errors
    /// When the module is refused, or it takes too long.
    pub(crate) async fn load(&self, bytes: Arc<[u8]>, configuration: String) -> Result<Module, ModuleError> {
        let engine = self.engine.clone();
        Ok(self.within_limit(move || engine.load(&bytes, &configuration)).await??)
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
}
