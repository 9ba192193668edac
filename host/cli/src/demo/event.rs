//! Events: what happens while the demo watches.

use schemars::JsonSchema;
use serde::Serialize;

use openmcp_dns_api::dns_policy::CandidateStatus;

use super::overview::{
    ClaimOverview, ConditionOverview, EventOverview, HeldOverview, ModuleOverview, Overview, ProblemOverview,
};

/// One thing that happened; one line of output.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// The demo has started.
    Started(Box<Overview>),
    /// More has happened than could be told one by one: everything as it is now.
    Redrawn(Box<Overview>),
    /// A name is answered otherwise than before.
    Answered(Answered),
    /// What an object asks for is not published, or not as it asks.
    Claim {
        /// Name of the cluster.
        cluster: String,
        /// The claim.
        #[serde(flatten)]
        claim: ClaimOverview,
    },
    /// A cluster has another domain, or none.
    Domain {
        /// Name of the cluster.
        cluster: String,
        /// The domain.
        #[serde(skip_serializing_if = "Option::is_none")]
        domain: Option<String>,
        /// Why there is none.
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// Something is wrong with a file or folder.
    Problem(ProblemOverview),
    /// A file or folder is as it should be again.
    Solved {
        /// The file or folder.
        file: String,
    },
    /// Objects have changed, and no answer with them.
    Unaffected {
        /// What changed.
        causes: Vec<Cause>,
    },
    /// A deletion waits, because it would withdraw many names at once.
    Held(HeldOverview),
    /// A condition of a cluster has turned.
    Condition {
        /// Name of the cluster.
        cluster: String,
        /// The condition.
        #[serde(flatten)]
        condition: ConditionOverview,
    },
    /// Another module decides under a policy.
    Module {
        /// Name of the DNSPolicy.
        policy: String,
        /// The module.
        #[serde(flatten)]
        module: ModuleOverview,
    },
    /// A module that only watches has been asked about everything.
    Candidate {
        /// Name of the DNSPolicy.
        policy: String,
        /// How it would decide.
        #[serde(flatten)]
        candidate: CandidateStatus,
    },
    /// A step of the tour begins.
    Step(StepOverview),
    /// The tour has looked where the author of an object looks.
    Told {
        /// Name of the cluster.
        cluster: String,
        /// What stands there.
        #[serde(flatten)]
        found: EventOverview,
    },
    /// The tour has asked the DNS server.
    Asked {
        /// The name.
        name: String,
        /// What was answered.
        answer: String,
    },
    /// The tour is over.
    ToldAll,
    /// The demo has ended.
    Stopped {
        /// How long it ran.
        seconds: u64,
        /// How many names were answered at the end.
        names: usize,
        /// How many times the answer to a name has changed.
        changes: usize,
    },
}

/// A step of the tour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StepOverview {
    /// Which step, from 1.
    pub number: usize,
    /// Of how many.
    pub of: usize,
    /// What it shows.
    pub title: String,
    /// What happens, and why.
    pub why: String,
    /// The commands that do it.
    pub done: Vec<String>,
}

/// A name is answered otherwise than before.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Answered {
    /// The name.
    pub name: String,
    /// `added`, `changed` or `removed`.
    pub how: &'static str,
    /// Type and values before; empty when it was not published.
    pub before: String,
    /// Type and values now; empty when it is not published any more.
    pub now: String,
    /// `ok`, `mismatch` or `no answer`.
    pub verdict: &'static str,
    /// What the DNS server answered.
    pub answer: String,
    /// The object whose change led to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// From the first notice of a changed file until the probe had the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_milliseconds: Option<f64>,
}

/// A change of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Cause {
    /// The object, for example `Gateway/default/example-gateway`.
    pub object: String,
    /// The file it stands in.
    pub file: String,
    /// `added`, `changed` or `removed`.
    pub how: &'static str,
}
