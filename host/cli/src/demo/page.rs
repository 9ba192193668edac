//! Page: the live page of the demo, which the service itself serves.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use openmcp_dns_page::{Fact, PageServer, Problem};
use openmcp_dns_service::page::{About, Page};
use tokio::sync::watch;

use super::changes::confirm_command;
use super::overview::ProblemOverview;
use super::session::Session;
use crate::terminal::hint::Hint as _;

/// What the page is told of the files.
pub(super) struct PageNews {
    /// Where it is read.
    pub(super) url: String,
    problems: watch::Sender<Vec<Problem>>,
}

impl PageNews {
    /// Takes the address; gives the page for the service to serve.
    ///
    /// # Errors
    /// When the address is not free.
    pub(super) async fn bind(
        address: SocketAddr,
        folder: &Path,
        dns: SocketAddr,
    ) -> anyhow::Result<(Self, Page)> {
        let server = PageServer::bind(address)
            .await
            .with_context(|| format!("failed to serve the page on {address}"))
            .hint("choose another address with --page=ADDRESS:PORT; with port 0 a free one is taken")?;
        let url = format!("http://{}/", server.address());
        let (sender, problems) = watch::channel(Vec::new());
        let fact = |name: &str, value: String| Fact { name: name.to_owned(), value };
        let facts = vec![
            fact("Landscape", folder.display().to_string()),
            fact("DNS server", format!("{dns} (UDP and TCP)")),
            fact("Try", format!("dig @{} -p {} +short NAME", dns.ip(), dns.port())),
        ];
        let folder = folder.to_owned();
        let about = About {
            title: None,
            version: env!("CARGO_PKG_VERSION"),
            facts,
            problems,
            confirm: Box::new(move |cluster, token| confirm_command(&folder, cluster, token)),
        };
        Ok((Self { url, problems: sender }, Page { server, about }))
    }

    /// Tells what is wrong with the files now.
    pub(super) fn tell(&self, session: &Session) {
        let problem = |found: ProblemOverview| Problem {
            place: found.place(),
            message: found.problem.message,
            hint: found.problem.hint,
        };
        let problems: Vec<Problem> = session.problem_overviews().into_iter().map(problem).collect();
        self.problems.send_if_modified(|told| {
            let is_other = *told != problems;
            *told = problems;
            is_other
        });
    }
}
