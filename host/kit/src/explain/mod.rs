//! The whole way of one name: who asks for it, where that leads, what the module answers, who wins, and what is stored.
//!
//! ```text
//! Landscape ──resolve──► claims ──module──► decisions ──conflicts──► values ──┬──► Explanation ──► next steps
//!                                                  what the store holds ──────┘
//! ```
//! The same functions decide as in the service; here they are asked for what they would do, and the store is only
//! looked at. Each thing that stands in the way has a next step for the author.

mod claim;
mod explanation;
mod name;
mod since;
mod subject;
#[cfg(test)]
mod tests;

pub use claim::{ClaimStep, DecisionStep, ListenerStep, ParentStep, Where};
pub use explanation::{Explanation, Unknown};
pub use name::{AnswerStep, GaveWay, NameStep, RecordedStep, Standing, StandingBy, StoredStep, Won};
pub use subject::{Subject, SubjectError};
