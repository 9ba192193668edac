//! A plain HTTP server in front of another one, which does to its answers what a test asks for.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request of the tests has some hundred bytes.
const HEAD_BYTES: usize = 64 << 10;

/// What happens to answers. All but the first two concern blobs only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Every request is answered with this status.
    Status(u16),
    /// The last byte is another one.
    WrongByte,
    /// The connection ends after half of the bytes.
    Truncated,
    /// The bytes come in pieces, with pauses.
    Slow,
    /// Nothing ever comes.
    Silent,
    /// The bytes never end, and nobody says how many they are.
    Endless,
    /// The client is sent to this URL.
    Elsewhere(String),
}

/// What it serves.
#[derive(Clone, Debug)]
pub enum Content {
    /// What the server at this address answers.
    Of(SocketAddr),
    /// The same bytes for every request, which are treated as a blob.
    Bytes(Vec<u8>),
}

struct State {
    content: Content,
    fault: Fault,
    heads: Vec<String>,
}

/// The server. It ends with this value.
pub struct Faults {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Faults {
    /// Starts it without a fault.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(content: Content) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("failed to listen")?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State { content, fault: Fault::None, heads: Vec::new() }));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                // A client that goes away early is what some tests want.
                tokio::spawn(async move { serve(client, &state).await });
            }
        });
        Ok(Self { address, state, task })
    }

    /// From now on, this happens to answers.
    pub fn set(&self, fault: Fault) {
        self.lock().fault = fault;
    }

    /// From now on, this is served.
    pub fn serve(&self, content: Content) {
        self.lock().content = content;
    }

    /// Request lines and headers of all requests so far.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        self.lock().heads.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut client: TcpStream, state: &Mutex<State>) -> anyhow::Result<()> {
    let head = read_head(&mut client).await?;
    let (content, fault) = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.heads.push(head.clone());
        (state.content.clone(), state.fault.clone())
    };
    if let Fault::Status(status) = fault {
        return answer(&mut client, &format!("{status} A Fault"), "", b"").await;
    }
    let (head, mut body) = match content {
        Content::Of(upstream) => forward(upstream, &head).await?,
        Content::Bytes(bytes) => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close", bytes.len());
            (head, bytes)
        }
    };
    let is_blob = !body.is_empty() && !head.contains("json");
    let fault = if is_blob { fault } else { Fault::None };
    let mut first = format!("{head}\r\n\r\n").into_bytes();
    match fault {
        Fault::WrongByte => {
            if let Some(last) = body.last_mut() {
                *last ^= 1;
            }
        }
        Fault::Truncated => body.truncate(body.len() / 2),
        Fault::Slow => {
            client.write_all(&first).await?;
            for piece in body.chunks(body.len().div_ceil(5)) {
                tokio::time::sleep(Duration::from_millis(200)).await;
                client.write_all(piece).await?;
            }
            return Ok(client.shutdown().await?);
        }
        Fault::Silent => {
            // Until the client has had enough.
            client.read_to_end(&mut Vec::new()).await?;
            return Ok(());
        }
        Fault::Endless => {
            client.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").await?;
            loop {
                client.write_all(&[0; 4096]).await?;
            }
        }
        Fault::Elsewhere(url) => {
            return answer(&mut client, "307 Temporary Redirect", &format!("Location: {url}\r\n"), b"").await;
        }
        Fault::None | Fault::Status(_) => {}
    }
    first.extend(body);
    client.write_all(&first).await?;
    Ok(client.shutdown().await?)
}

async fn answer(client: &mut TcpStream, status: &str, header: &str, body: &[u8]) -> anyhow::Result<()> {
    let head =
        format!("HTTP/1.1 {status}\r\n{header}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    client.write_all(head.as_bytes()).await?;
    client.write_all(body).await?;
    Ok(client.shutdown().await?)
}

/// Request line and headers, without the empty line. The requests of a pull have no body.
async fn read_head(stream: &mut TcpStream) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        anyhow::ensure!(bytes.len() < HEAD_BYTES, "a request without an end");
        bytes.push(stream.read_u8().await?);
    }
    bytes.truncate(bytes.len() - 4);
    Ok(String::from_utf8(bytes)?)
}

/// Head and body of what the other server answers.
async fn forward(upstream: SocketAddr, head: &str) -> anyhow::Result<(String, Vec<u8>)> {
    let mut server = TcpStream::connect(upstream).await?;
    let kept = head.split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let request = kept.collect::<Vec<_>>().join("\r\n");
    server.write_all(format!("{request}\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    let end =
        answer.windows(4).position(|window| window == b"\r\n\r\n").context("an answer without a head")?;
    let body = answer.split_off(end + 4);
    answer.truncate(end);
    Ok((String::from_utf8(answer)?, body))
}
