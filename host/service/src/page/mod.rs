//! The live page of the service: what it knows of the landscape, for [`openmcp_dns_page`] to draw.
//!
//! ```text
//! ClusterDNS, DNSPolicy ──watch──► Known ──┐
//!               journal ──follow──►  ▲     ├──► Picture ──► PageServer ──► browsers
//!                          Leadership┘     │       │
//!                                          │       └──Look, Way, Held──► recorder, prober
//! ```
//! Claims are asked for when somebody looks, some at a time: the recorder looks at no more than some thousands before it
//! goes on with its work, whatever a browser asks for. What the statuses say is followed as long as the page is served.

mod claims;
mod known;
mod landscape;
mod picture;
mod way;

use std::sync::Arc;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_page::{Fact, PageServer, Problem};
use tokio::sync::{broadcast, mpsc, watch};

use crate::journal::Occurrence;
use crate::leadership::Leadership;
use crate::probe::ProberHandle;
use crate::record::Command;
use known::Known;
use picture::Picture;

/// The command that confirms a held deletion, of its cluster and its token.
pub type Confirm = Box<dyn Fn(&ClusterId, &str) -> String + Send + Sync>;

/// A page to serve.
pub struct Page {
    /// Where.
    pub server: PageServer,
    /// What is said on it of the process itself.
    pub about: About,
}

/// What a page says of the process that serves it.
pub struct About {
    /// What the landscape is called; `None` for its zones.
    pub title: Option<String>,
    /// The version of the program.
    pub version: &'static str,
    /// What else is good to know.
    pub facts: Vec<Fact>,
    /// What is wrong with what the landscape is made of.
    pub problems: watch::Receiver<Vec<Problem>>,
    /// How a held deletion is confirmed.
    pub confirm: Confirm,
}

/// Whom the page asks, and what it follows.
pub(crate) struct Means {
    /// The platform cluster.
    pub platform: kube::Client,
    /// Reaches the recorder.
    pub commands: mpsc::WeakSender<Command>,
    /// `None` where nothing is probed.
    pub prober: Option<ProberHandle>,
    /// Whether we lead.
    pub leadership: Leadership,
    /// What happens.
    pub journal: broadcast::Receiver<Arc<Occurrence>>,
}

impl Page {
    /// Serves the page until it is dropped.
    pub(crate) async fn serve(self, means: Means) {
        let Self { server, about } = self;
        let Means { platform, commands, prober, leadership, journal } = means;
        let known = Arc::new(Known::default());
        let following = known.follow(platform, journal, leadership.clone(), about.problems.clone());
        let picture = Picture { known: Arc::clone(&known), commands, prober, leadership, about };
        tokio::join!(following, server.run(Arc::new(picture)));
    }
}
