//! Codes of claims that are not published: those that the host itself gives; a policy module has its own.
//! One list holds them all; docs/operations.md says of each what to do, and a test compares the two.

/// Makes the constants and their list of one table, so that neither lacks one.
macro_rules! codes {
    ($($(#[$doc:meta])+ $name:ident = $code:literal,)+) => {
        $($(#[$doc])+ pub const $name: &str = $code;)+

        /// All of them.
        pub const ALL: &[&str] = &[$($name),+];
    };
}

codes! {
    /// The name is no RFC 1123 host name.
    INVALID_HOST_NAME = "invalid-host-name",
    /// The name lies neither in the cluster's domain nor among the names shared with it.
    OUTSIDE_DOMAIN = "outside-domain",
    /// The service needs the name itself.
    RESERVED_NAME = "reserved-name",
    /// A wildcard, and the DNS server in use cannot serve it.
    WILDCARD_UNSUPPORTED = "wildcard-unsupported",
    /// None of the targets can be reached from another cluster.
    UNREACHABLE_TARGET = "unreachable-target",
    /// The policy module denies the name, and the code that it gives is none.
    UNSPECIFIED = "unspecified",
    /// The policy module did not decide.
    POLICY_FAILED = "policy-failed",
    /// The object points nowhere yet.
    UNRESOLVED = "unresolved",
    /// The object asks for more host names than are looked at.
    TOO_MANY_HOST_NAMES = "too-many-host-names",
    /// The labels of the object are too large for a module.
    LABELS_TOO_LARGE = "labels-too-large",
    /// The cluster publishes as many names as it may.
    TOO_MANY_NAMES = "too-many-names",
    /// The store does not take what is to be written at the name.
    STORE_REFUSES = "store-refuses",
    /// The claim gives way to another.
    CONFLICT = "conflict",
}
