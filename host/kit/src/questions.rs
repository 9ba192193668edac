//! The questions that have been asked, to be shown.

use std::sync::{Arc, Mutex, PoisonError};

use openmcp_dns_policy::metered::{Meter, Question};

/// Keeps every question until it is taken; clones keep them together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Questions(Arc<Mutex<Vec<Question>>>);

impl Questions {
    /// The questions since the last call.
    pub(crate) fn take(&self) -> Vec<Question> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Meter for Questions {
    fn asked(&self, question: Question) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(question);
    }
}
