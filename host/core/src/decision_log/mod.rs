//! The decision log: who asked for what, what was answered, by which module, and at which revision the store has it.
//!
//! ```text
//! recording ──Decided, Expectation──► Book ──lines──► files ──► DecisionLog ──┬──► History of a name
//!                                                                             └──► questions, asked once more
//! ```
//! A line is one JSON document, and lines are only ever added. What all questions of a cluster have in common stands in
//! a line of its own, to which they refer. Only changes are noted: the [`Book`] knows the last answer to each claim,
//! also from what was written before a restart.

mod book;
mod decided;
mod entry;
mod history;
mod reading;

pub use book::Book;
pub use decided::{Decided, Question};
pub use entry::{Answer, AskedIn, ClaimAnswered, Entry, Event, ModuleAsked, NameRecorded, QuestionAsked};
pub use history::{History, PresentClaim, PresentRecords};
pub use reading::DecisionLog;
