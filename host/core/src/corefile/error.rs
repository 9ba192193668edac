//! Why a Corefile is not edited.

use std::net::SocketAddr;

use thiserror::Error;

use crate::name::NameError;

/// Why a Corefile was not read or not edited. The text is left as it is in every case.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CorefileError {
    /// `import` has no argument, or more than one.
    #[error("line {line}: import takes exactly one argument")]
    ImportArguments {
        /// Line, from 1.
        line: u32,
    },
    /// The argument of `import` is empty.
    #[error("line {line}: import requires a non-empty path")]
    ImportEmpty {
        /// Line, from 1.
        line: u32,
    },
    /// More than one wildcard, or a character class.
    #[error("line {line}: the path {pattern:?} may have one wildcard only")]
    ImportPattern {
        /// Line, from 1.
        line: u32,
        /// The argument of `import`.
        pattern: String,
    },
    /// A snippet is imported above its definition; CoreDNS takes the name for a file.
    #[error("line {line}: snippet {name:?} is imported above its definition")]
    SnippetBeforeDefinition {
        /// Line of the import, from 1.
        line: u32,
        /// Name of the snippet.
        name: String,
    },
    /// Two snippets of one name.
    #[error("line {line}: snippet {name:?} is defined twice")]
    SnippetRedefined {
        /// Line of the second definition, from 1.
        line: u32,
        /// Name of the snippet.
        name: String,
    },
    /// Snippets that import themselves or multiply without end.
    #[error("line {line}: imports of snippets expand without end")]
    TooManyExpansions {
        /// Line, from 1.
        line: u32,
    },
    /// A comma after the last key.
    #[error("line {line}: expected another address, found {{ - is there a comma too many?")]
    ExtraComma {
        /// Line, from 1.
        line: u32,
    },
    /// The text ends within a block or a list of keys.
    #[error("line {line}: the text ends where more was expected")]
    UnexpectedEnd {
        /// Line, from 1.
        line: u32,
    },
    /// `}` on the line of a plugin.
    #[error("line {line}: unexpected }} without an opening brace on this line")]
    UnexpectedClose {
        /// Line, from 1.
        line: u32,
    },
    /// A snippet without `{`.
    #[error("line {line}: a snippet needs an opening brace")]
    MissingOpen {
        /// Line, from 1.
        line: u32,
    },
    /// A block without `}`.
    #[error("line {line}: a block is not closed")]
    MissingClose {
        /// Line where the text ends, from 1.
        line: u32,
    },
    /// The braces do not match. CoreDNS's own check is weak: it accepts one missing `}` at the
    /// end, and takes a stray one for the name of a server.
    #[error("line {line}: this brace has no counterpart")]
    Unbalanced {
        /// Line of the brace, from 1.
        line: u32,
    },
    /// A server without braces takes the rest of the file as its plugins.
    #[error("line {line}: the server is written without braces")]
    NoBraces {
        /// Line of its first key, from 1.
        line: u32,
    },
    /// Nothing serves the root zone, so this is no cluster's default configuration.
    #[error("no server block serves the root zone \".\"")]
    NoDefaultServer,
    /// The root zone is served on several ports; which one the pods ask cannot be seen here.
    #[error("line {line}: the root zone is served on another port here than on line {first_line}")]
    AmbiguousPort {
        /// Line of the first server block for the root zone, from 1.
        first_line: u32,
        /// Line of the one with another port, from 1.
        line: u32,
    },
    /// The root zone is served several times, and not each of them binds to addresses of its own, or they differ
    /// in `multisocket`: one block of ours cannot listen as all of them do.
    #[error(
        "line {line}: the root zone is served here and on line {first_line}, and one block cannot listen as both do"
    )]
    AmbiguousListeners {
        /// Line of the first server block for the root zone, from 1.
        first_line: u32,
        /// Line of the other one, from 1.
        line: u32,
    },
    /// The block that serves the root zone comes from a snippet.
    #[error("line {line}: the server block for the root zone is not written out, it comes from a snippet")]
    NotWrittenOut {
        /// Line, from 1.
        line: u32,
    },
    /// A key that CoreDNS would not accept.
    #[error("line {line}: {key:?} has no usable port")]
    InvalidPort {
        /// Line of the server block, from 1.
        line: u32,
        /// The key.
        key: String,
    },
    /// A block that is not ours serves our zone. CoreDNS refuses to start with two.
    #[error("line {line}: {key:?} already serves the zone, and the block is not managed by openmcp-dns")]
    ZoneTaken {
        /// Line of the server block, from 1.
        line: u32,
        /// Its key.
        key: String,
    },
    /// A key holds an environment variable of the pod and may turn out to be our zone.
    #[error("line {line}: {key:?} may serve the zone, depending on an environment variable of the pod")]
    ZonePerhapsTaken {
        /// Line of the server block, from 1.
        line: u32,
        /// Its key.
        key: String,
    },
    /// Our zone would take names away from the cluster: its whole domain, or its services or pods.
    #[error("line {line}: the zone overlaps {cluster_zone:?}, which the kubernetes plugin serves")]
    ClusterZone {
        /// Line of the plugin, from 1.
        line: u32,
        /// The zone of the plugin; empty for the root zone.
        cluster_zone: String,
    },
    /// Two blocks look like ours.
    #[error("line {line}: a second block for the zone, the first one is on line {first_line}")]
    ManagedTwice {
        /// Line of the first block, from 1.
        first_line: u32,
        /// Line of the second block, from 1.
        line: u32,
    },
    /// A start marker of ours has neither an end marker nor a block of ours below it.
    #[error("line {line}: the marker has no end, and no block of ours follows it")]
    UnterminatedMarker {
        /// Line of the marker, from 1.
        line: u32,
    },
    /// The zone to forward is no domain.
    #[error("{zone:?} is not a zone to forward: {source}")]
    InvalidZone {
        /// What was given.
        zone: String,
        /// Why it is none.
        source: NameError,
    },
    /// An empty list of servers to forward to.
    #[error("no server to forward to was given")]
    NoUpstreams,
    /// CoreDNS's `forward` takes 15 servers at most.
    #[error("{0} servers to forward to are too many, CoreDNS takes at most 15")]
    TooManyUpstreams(usize),
    /// An address that no packet can be sent to, or that means another host on every node.
    #[error("{0} is not an address to forward to")]
    InvalidUpstream(SocketAddr),
    /// The edit would change the meaning of something that is not ours: for example of a comment that
    /// is stuck to the closing brace of our block, which CoreDNS ends at the next blank.
    #[error("the edit would change the meaning of what stands around the managed block")]
    ForeignChange,
}

impl CorefileError {
    /// What a person can do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::ImportArguments { .. }
            | Self::ImportEmpty { .. }
            | Self::ImportPattern { .. }
            | Self::SnippetBeforeDefinition { .. }
            | Self::SnippetRedefined { .. }
            | Self::TooManyExpansions { .. }
            | Self::ExtraComma { .. }
            | Self::UnexpectedEnd { .. }
            | Self::UnexpectedClose { .. }
            | Self::MissingOpen { .. }
            | Self::MissingClose { .. } => {
                "CoreDNS would not start with this text: correct the line, the change is tried again then"
            }
            Self::Unbalanced { .. } => "add or remove the brace, the change is tried again then",
            Self::NoBraces { .. } => {
                "put braces around the server's plugins: a second server cannot be added otherwise"
            }
            Self::NoDefaultServer => {
                "check that this is the Corefile of the cluster's own DNS, and that its port is written out"
            }
            Self::AmbiguousPort { .. } => "serve the root zone on one port",
            Self::AmbiguousListeners { .. } => {
                "give each server for the root zone a bind line, and the same multisocket line or none"
            }
            Self::NotWrittenOut { .. } => {
                "write the server block for the root zone out instead of importing it"
            }
            Self::InvalidPort { .. } => "write a port from 1 to 65535 after the last colon",
            Self::ZoneTaken { .. } => {
                "remove the block, or leave the zone to it and exclude the cluster from forwarding"
            }
            Self::ZonePerhapsTaken { .. } => "write the zone out instead of using an environment variable",
            Self::ClusterZone { .. } => {
                "use a base domain apart from the cluster's own domain, for example openmcp.cluster"
            }
            Self::ManagedTwice { .. } => "remove one of the two blocks: CoreDNS does not start with both",
            Self::UnterminatedMarker { .. } => "remove the marker line",
            Self::InvalidZone { .. } => "use the base domain of the landscape, for example openmcp.cluster",
            Self::NoUpstreams | Self::TooManyUpstreams(_) => "give 1 to 15 addresses of the central DNS",
            Self::InvalidUpstream(_) => {
                "give the address of a load balancer or node that serves the central DNS"
            }
            Self::ForeignChange => {
                "put the managed block on lines of its own, or report this text to the maintainers of openmcp-dns"
            }
        }
    }

    /// The line that the error is about, from 1.
    #[must_use]
    pub const fn line(&self) -> Option<u32> {
        match *self {
            Self::ImportArguments { line }
            | Self::ImportEmpty { line }
            | Self::ImportPattern { line, .. }
            | Self::SnippetBeforeDefinition { line, .. }
            | Self::SnippetRedefined { line, .. }
            | Self::TooManyExpansions { line }
            | Self::ExtraComma { line }
            | Self::UnexpectedEnd { line }
            | Self::UnexpectedClose { line }
            | Self::MissingOpen { line }
            | Self::MissingClose { line }
            | Self::Unbalanced { line }
            | Self::NoBraces { line }
            | Self::AmbiguousPort { line, .. }
            | Self::AmbiguousListeners { line, .. }
            | Self::NotWrittenOut { line }
            | Self::InvalidPort { line, .. }
            | Self::ZoneTaken { line, .. }
            | Self::ZonePerhapsTaken { line, .. }
            | Self::ClusterZone { line, .. }
            | Self::ManagedTwice { line, .. }
            | Self::UnterminatedMarker { line } => Some(line),
            Self::NoDefaultServer
            | Self::ForeignChange
            | Self::InvalidZone { .. }
            | Self::NoUpstreams
            | Self::TooManyUpstreams(_)
            | Self::InvalidUpstream(_) => None,
        }
    }
}
