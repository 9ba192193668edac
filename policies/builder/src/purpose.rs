//! What a module is built for.

/// What a module is built for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// To decide: small, and it imports nothing.
    #[default]
    Deciding,
    /// To be looked into by its author: it keeps the names and lines of its functions, may print
    /// ([`openmcp_dns_policy::debugging`]), and checks more of itself. No service takes one that prints.
    Debugging,
}
