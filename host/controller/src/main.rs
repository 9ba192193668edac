//! openmcp-dns
fn main() {}
