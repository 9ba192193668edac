//! The reasons of conditions and Events. One list holds them all; docs/operations.md says of each what to
//! do, and a test compares the two.

use openmcp_dns_core::policy::LoadReason;

/// Makes the enumeration and the list of its values of one table, so that neither lacks one.
macro_rules! reasons {
    ($($(#[$doc:meta])+ $reason:ident,)+) => {
        /// Why a condition is what it is. Also the reason of Events.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[$doc])+ $reason,)+
            /// The module is refused.
            Refused(LoadReason),
        }

        impl Reason {
            /// All of them.
            pub fn all() -> impl Iterator<Item = Self> {
                [$(Self::$reason,)+].into_iter().chain(LoadReason::ALL.map(Self::Refused))
            }
        }
    };
}

reasons! {
    /// All is as it should be.
    Succeeded,
    /// Work has begun and is not done.
    InProgress,
    /// No Secret with a kubeconfig for the cluster.
    KubeconfigMissing,
    /// The kubeconfig cannot be used.
    KubeconfigInvalid,
    /// Access has been asked for, and not been granted yet.
    AccessPending,
    /// The cluster's provider does not grant access.
    AccessDenied,
    /// The API server does not answer, or refuses.
    Unreachable,
    /// A kind that is watched is not served, so nothing is recorded from it.
    KindNotServed,
    /// No DNSPolicy selects the cluster.
    NoPolicy,
    /// The policy gives the cluster no usable domain.
    NoDomain,
    /// Another cluster has the same domain, or one that contains this one.
    DomainConflict,
    /// The policy, the configuration of openMCP's gateway service and the cluster's Gateway name different domains.
    DomainDisagrees,
    /// Someone else has set the annotation.
    ForeignValue,
    /// After our change, names failed that had resolved before; it was taken back.
    TakenBack,
    /// Somebody changes the cluster's DNS back again and again.
    ChangedBack,
    /// A person has to do something that cannot be done from inside the cluster.
    ManualStep,
    /// The DNS configuration is not understood, so it is left alone.
    NotUnderstood,
    /// The configuration cannot be written.
    WriteFailed,
    /// No address of a central DNS server is configured.
    NoCentralServer,
    /// Written, but the platform has no address at which to probe this cluster's DNS.
    NotProbed,
    /// The store does not answer, or refuses.
    StoreUnavailable,
    /// A plan that would delete many names waits for a confirmation.
    DeletionHeld,
    /// The policy module failed for some claims; what was published stays.
    PolicyFailed,
    /// Values that are not ours stand at names of this cluster.
    ForeignRecords,
    /// The status of routes cannot be written.
    RouteStatusRefused,
    /// Not all reports on namespaces can be written.
    ReportsIncomplete,
    /// The DNS server answers something else than was decided.
    Mismatch,
    /// The DNS server could not be asked.
    NoAnswer,
    /// Nobody knows where agents reach the gate.
    NoGate,
    /// The agent of the cluster does not run.
    AgentNotReady,
    /// The service has no access to the cluster: somebody has to bring its agent, or the agent's new certificate.
    AgentByHand,
    /// Not every node has the names that it is to have.
    NodesNotReady,
    /// The module could not be fetched; another attempt follows by itself.
    ModuleUnavailable,
    /// The bytes that were fetched are not those that sha256 or the reference names.
    ModuleDigestMismatch,
    /// The source that the spec names is refused.
    ModuleRejected,
    /// The module in the spec is compared with the one that decides, and decides nothing.
    Monitored,
    /// No module decides.
    NoActiveModule,
    /// The zone lies inside or around the zone of an older DNSPolicy.
    ZoneConflict,
    /// Records of clusters that do not exist are published in the zone.
    UnknownOwners,
    /// Something in the spec is accepted and not used.
    NotUsed,
    /// The spec is contradictory or incomplete.
    InvalidSpec,
    /// The Cluster is being deleted, and what was done for it is taken back.
    Leaving,
    /// The Cluster is released although something of ours may still be there; also the reason of an Event on it.
    LeftBehind,
    /// All is well with a cluster again, or for the first time (reason of Events on the Cluster).
    Reconciled,
    /// Something is wrong with what somebody has configured (reason of Events on the Cluster).
    ConfigurationProblem,
    /// Something is wrong on the platform cluster (reason of Events on the Cluster).
    PlatformClusterInteractionProblem,
    /// Something is wrong on the cluster (reason of Events on the Cluster).
    TargetClusterInteractionProblem,
    /// A claim is denied (reason of Events).
    HostNameDenied,
    /// A claim gives way to another (reason of Events).
    HostNameConflict,
    /// A claim points nowhere (reason of Events).
    HostNameUnresolved,
    /// What the agent of a cluster wanted to write is refused (reason of Events).
    AgentRefused,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(reason) => f.write_str(reason.as_str()),
            reason => write!(f, "{reason:?}"),
        }
    }
}
