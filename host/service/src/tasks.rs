//! Work beside the parts of the service and the controllers of clusters.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures::FutureExt as _;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// What a task that panicked has said.
pub type Panic = Box<dyn Any + Send>;

/// Where work begins that somebody answers for: who that is gets the panic of any of it, and all of it is
/// waited for at the end. Clones are the same.
#[derive(Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    panics: mpsc::UnboundedSender<Panic>,
}

/// Gets the panics of the work that it answers for.
pub struct Panics(mpsc::UnboundedReceiver<Panic>);

impl Tasks {
    /// For the whole service.
    pub fn new() -> (Self, Panics) {
        Self::within(TaskTracker::new())
    }

    /// For a piece of it that answers for its own work.
    pub fn group(&self) -> (Self, Panics) {
        Self::within(self.tracker.clone())
    }

    fn within(tracker: TaskTracker) -> (Self, Panics) {
        let (panics, receiver) = mpsc::unbounded_channel();
        (Self { tracker, panics }, Panics(receiver))
    }

    /// Begins some work.
    pub fn spawn<T>(&self, work: impl Future<Output = T> + Send + 'static) {
        let panics = self.panics.clone();
        let work = async move {
            if let Err(panic) = AssertUnwindSafe(work).catch_unwind().await {
                // Whoever answers for it may have ended already, and then says why itself.
                let _ = panics.send(panic);
            }
        };
        self.tracker.spawn(work);
    }

    /// Waits until all work has ended, also that of all groups.
    pub async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

impl Panics {
    /// Panics as soon as one of the tasks does; waits for ever otherwise.
    pub async fn passed_on(&mut self) {
        match self.0.recv().await {
            Some(panic) => std::panic::resume_unwind(panic),
            None => std::future::pending().await,
        }
    }
}

/// Waits until then; for ever where there is nothing to wait for.
pub async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// A panic in words.
pub fn said(panic: &Panic) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
    text.unwrap_or("without a message")
}
