//! Terminal: how results and errors are printed, and when a person wants an end.

pub mod ending;
pub mod enter;
pub mod hint;
pub mod output;
pub mod shutdown;
pub mod style;
