//! A way to a server that a test can cut.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Passes connections on, until it is cut. It ends with this value.
pub struct Way {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    is_cut: bool,
    connections: Vec<JoinHandle<()>>,
}

impl Way {
    /// Opens a way to a server.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn to(server: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("failed to listen")?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
                if state.is_cut {
                    continue;
                }
                state.connections.push(tokio::spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(server).await {
                        // Either side may go away.
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    }
                }));
            }
        });
        Ok(Self { address, state, task })
    }

    /// Whether it is cut from now on; open connections are broken.
    pub fn cut(&self, is_cut: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_cut = is_cut;
        for connection in state.connections.drain(..) {
            connection.abort();
        }
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.cut(true);
        self.task.abort();
    }
}
