//! A proxy between a service and the servers that it writes to. Reads pass, and so do writes that a server refuses. The
//! others are counted, and where one life of the service is to have a single one, the proxy closes behind it: the server has done it, the service is never told,
//! and nothing else that it writes arrives.
//!
//! ```text
//! service ──http, gRPC──► Proxy ──► API servers, etcd
//!                          └── taken: the moment to kill it
//! ```

mod api_server;
mod etcd;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A request to a server behind the proxy, without what differs from one sending to the next.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// Name of the server.
    pub server: String,
    /// What is done, such as `PATCH`.
    pub verb: String,
    /// To what: a path, or keys.
    pub what: String,
}

impl fmt::Display for Asked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} {}", self.server, self.verb, self.what)
    }
}

/// How many lives may end with a write. What every life writes before it does anything for the landscape may end one: else
/// no life would come further.
pub type Lives = fn(&Asked) -> usize;

/// The proxy. It ends with this value, and with it all connections.
pub struct Proxy {
    shared: Arc<Shared>,
    connections: JoinSet<()>,
}

struct Shared {
    state: Mutex<State>,
    lives: Lives,
    /// Whose write is on its way.
    turn: tokio::sync::Mutex<()>,
    /// The write behind which the proxy has closed.
    closed: watch::Sender<Option<Asked>>,
}

#[derive(Default)]
struct State {
    /// Which life of the service it is: what is left of an earlier one does not pass.
    life: u64,
    /// Whether the proxy closes behind the first write.
    is_single: bool,
    /// Whether a write has been let through that nobody passes after.
    is_taken: bool,
    writes: Vec<Asked>,
    reads: BTreeMap<Asked, usize>,
    /// Writes behind which the proxy has closed, and how often.
    taken: BTreeMap<Asked, usize>,
}

impl Proxy {
    /// An open proxy.
    #[must_use]
    pub fn new(lives: Lives) -> Self {
        let shared = Shared {
            state: Mutex::default(),
            lives,
            turn: tokio::sync::Mutex::default(),
            closed: watch::channel(None).0,
        };
        Self { shared: Arc::new(shared), connections: JoinSet::new() }
    }

    /// Another life of the service begins, of which a single write passes if `is_single`. Gives its number.
    pub fn begin_life(&self, is_single: bool) -> u64 {
        let mut state = self.shared.state();
        state.life += 1;
        (state.is_single, state.is_taken) = (is_single, false);
        self.shared.closed.send_replace(None);
        state.life
    }

    /// Waits until the proxy has closed behind a write, and gives that one.
    pub async fn closed(&self) -> Asked {
        let mut closed = self.shared.closed.subscribe();
        let asked = closed.wait_for(Option::is_some).await.ok().and_then(|asked| asked.clone());
        match asked {
            Some(asked) => asked,
            // We hold the sender, so this is never reached.
            None => std::future::pending().await,
        }
    }

    /// Waits until no write is on its way; gives the one behind which the proxy has closed, if it has.
    pub async fn at_rest(&self) -> Option<Asked> {
        let _turn = self.shared.turn.lock().await;
        self.shared.closed.borrow().clone()
    }

    /// All writes so far, in their order.
    #[must_use]
    pub fn writes(&self) -> Vec<Asked> {
        self.shared.state().writes.clone()
    }

    /// How often each thing was read so far; a watch is read once, when it begins.
    #[must_use]
    pub fn reads(&self) -> BTreeMap<Asked, usize> {
        self.shared.state().reads.clone()
    }

    /// Opens a way to an API server, as plain HTTP without a token; `server` is who may do everything there.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn to_api_server(&mut self, name: &str, server: kube::Client) -> anyhow::Result<SocketAddr> {
        let name: Arc<str> = name.into();
        self.listen(move |client, way| api_server::pass(client, server.clone(), Arc::clone(&name), way)).await
    }

    /// Opens a way to the etcd at this address, without TLS.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn to_etcd(&mut self, server: SocketAddr) -> anyhow::Result<SocketAddr> {
        self.listen(move |client, way| etcd::pass(client, server, way)).await
    }

    async fn listen<F: Future<Output = anyhow::Result<()>> + Send + 'static>(
        &mut self,
        pass: impl Fn(TcpStream, Way) -> F + Send + 'static,
    ) -> anyhow::Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("failed to listen")?;
        let address = listener.local_addr()?;
        let shared = Arc::clone(&self.shared);
        self.connections.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let way = Way { life: shared.state().life, shared: Arc::clone(&shared) };
                // Either side may go away: that is what the service is killed for.
                connections.spawn(pass(client, way));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(address)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one connection sees of the proxy.
#[derive(Clone)]
struct Way {
    life: u64,
    shared: Arc<Shared>,
}

impl Way {
    fn read(&self, asked: Asked) {
        *self.shared.state().reads.entry(asked).or_default() += 1;
    }

    /// Sends a write on, and gives the answer; or never does either. `is_done` says whether the server has written.
    async fn write<A>(
        &self,
        asked: Asked,
        send: impl Future<Output = A>,
        is_done: impl FnOnce(&A) -> bool,
    ) -> A {
        // One at a time: whether the next one passes, is known when this one is answered.
        let turn = self.shared.turn.lock().await;
        if !self.is_closed() {
            let answer = send.await;
            if !is_done(&answer) || self.passes(&asked) {
                return answer;
            }
            self.shared.closed.send_replace(Some(asked));
        }
        drop(turn);
        std::future::pending().await
    }

    fn is_closed(&self) -> bool {
        let state = self.shared.state();
        state.is_taken || state.life != self.life
    }

    /// Whether the proxy stays open behind this write.
    fn passes(&self, asked: &Asked) -> bool {
        let mut state = self.shared.state();
        state.writes.push(asked.clone());
        let taken = state.taken.get(asked).copied().unwrap_or_default();
        if !state.is_single || taken >= (self.shared.lives)(asked) {
            return true;
        }
        state.is_taken = true;
        state.taken.insert(asked.clone(), taken + 1);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(what: &str) -> Asked {
        Asked { server: "etcd".to_owned(), verb: "put".to_owned(), what: what.to_owned() }
    }

    #[tokio::test]
    async fn behind_the_single_write_of_a_life_nothing_passes() {
        let proxy = Proxy::new(|asked| if asked.what == "leader" { 1 } else { usize::MAX });
        let way = || Way { life: proxy.shared.state().life, shared: Arc::clone(&proxy.shared) };
        let write = async |way: &Way, what: &str, is_done: bool| {
            tokio::select! {
                biased;
                () = way.write(asked(what), std::future::ready(()), |()| is_done) => "passes",
                closed = proxy.closed() => if closed == asked(what) { "closes" } else { "is held" },
            }
        };
        assert_eq!(write(&way(), "a", true).await, "passes");

        proxy.begin_life(true);
        let first = way();
        assert_eq!(write(&first, "refused", false).await, "passes");
        assert_eq!(write(&first, "leader", true).await, "closes");
        assert_eq!(write(&first, "a", true).await, "is held");

        proxy.begin_life(true);
        // Who leads is written down in every life; and what the first has left behind does not arrive.
        assert_eq!(write(&way(), "leader", true).await, "passes");
        assert!(first.is_closed());
        assert_eq!(write(&way(), "b", true).await, "closes");
        let writes: Vec<String> = proxy.writes().into_iter().map(|asked| asked.what).collect();
        assert_eq!(writes, ["a", "leader", "leader", "b"]);
    }
}
