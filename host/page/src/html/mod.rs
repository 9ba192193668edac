//! How the page is drawn.

mod landscape;
mod name;
mod parts;
#[cfg(test)]
mod tests;

pub(crate) use landscape::landscape;
pub(crate) use name::name;
pub(crate) use parts::trouble;
