//! Builds policy modules.
fn main() {}
