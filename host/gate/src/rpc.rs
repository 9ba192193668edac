//! Calls: which there are, and what is answered.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use openmcp_dns_core::agents::Refusal;
use openmcp_dns_core::cluster::ClusterId;
use prost::Message as _;
use tokio::sync::OwnedSemaphorePermit;
use tonic::Status;
use tonic::body::Body;
use tonic::server::{Grpc, UnaryService};
use tonic_prost::ProstCodec;

use crate::budget::Budget;
use crate::convert::{Asks, status};
use crate::messages as pb;
use crate::response::Sending;
use crate::{Backend, ConnectionNumber};

/// Largest message in bytes. The largest that makes sense is a transaction of 128 values.
const MAX_MESSAGE_BYTES: usize = 640 * 1024;

/// How long a client may take to send a request, and we to answer it.
const TIME: Duration = Duration::from_secs(10);

/// The calls of an agent on one connection.
pub(crate) struct Calls {
    pub(crate) cluster: ClusterId,
    pub(crate) connection: ConnectionNumber,
    pub(crate) budget: Arc<Budget>,
    pub(crate) backend: Arc<dyn Backend>,
}

impl Calls {
    /// Answers a call.
    pub(crate) async fn call(self: Arc<Self>, request: Request<Incoming>) -> Response<Sending> {
        let permit = match self.budget.turn().await {
            Ok(permit) => Arc::new(permit),
            Err(refusal) => return refused(&status(&refusal)),
        };
        let calls = Answering { calls: Arc::clone(&self), permit: Arc::clone(&permit) };
        let answered = async move {
            match request.uri().path() {
                "/etcdserverpb.KV/Range" => calls.unary::<pb::RangeRequest>(request).await,
                "/etcdserverpb.KV/Put" => calls.unary::<pb::PutRequest>(request).await,
                "/etcdserverpb.KV/DeleteRange" => calls.unary::<pb::DeleteRangeRequest>(request).await,
                "/etcdserverpb.KV/Txn" => calls.unary::<pb::TxnRequest>(request).await,
                path if is_known(path) => {
                    // As etcd says it to a user without a role.
                    Status::permission_denied("etcdserver: permission denied").into_http()
                }
                path => Status::unimplemented(format!("unknown method {}", shown(path))).into_http(),
            }
        };
        match tokio::time::timeout(TIME, answered).await {
            Ok(response) => response.map(|body| Sending::new(body, Some(permit))),
            Err(_) => refused(&Status::unavailable("etcdserver: request timed out")),
        }
    }
}

/// Answers one call.
#[derive(Clone)]
struct Answering {
    calls: Arc<Calls>,
    /// The request is under way until what it has begun is over, also when nobody waits for that any more.
    permit: Arc<OwnedSemaphorePermit>,
}

impl Answering {
    async fn unary<Q: Asks>(self, request: Request<Incoming>) -> Response<Body> {
        let codec = ProstCodec::<Q::Answer, Q>::default();
        let mut grpc = Grpc::new(codec).max_decoding_message_size(MAX_MESSAGE_BYTES);
        grpc.unary(self, request).await
    }

    async fn answer<Q: Asks>(self, message: Q) -> Result<Q::Answer, Refusal> {
        let Self { calls, permit } = self;
        calls.budget.spend(message.encoded_len());
        let (request, budget) = (message.request()?, Arc::clone(&calls.budget));
        // A task of its own: who does not wait for the end must not leave half of it.
        let asked = tokio::spawn(async move {
            let reply = calls.backend.ask(&calls.cluster, calls.connection, request).await;
            drop(permit);
            reply
        });
        let failed = |_| Refusal::NotNow("the service failed; its log says why".to_owned());
        let answer = Q::answer(asked.await.map_err(failed)??);
        let answer = answer.ok_or_else(|| Refusal::NotNow("there is no answer".to_owned()))?;
        budget.spend(answer.encoded_len());
        Ok(answer)
    }
}

impl<Q: Asks> UnaryService<Q> for Answering {
    type Response = Q::Answer;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Q::Answer>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Q>) -> Self::Future {
        let answering = self.clone();
        Box::pin(async move {
            let answer = answering.answer(request.into_inner()).await;
            answer.map(tonic::Response::new).map_err(|refusal| status(&refusal))
        })
    }
}

fn refused(status: &Status) -> Response<Sending> {
    status.clone().into_http().map(|body| Sending::new(body, None))
}

/// Whether it is a service of etcd, of which no agent may have anything.
fn is_known(path: &str) -> bool {
    ["KV", "Watch", "Lease", "Cluster", "Maintenance", "Auth"].iter().any(|service| {
        let rest = path.strip_prefix("/etcdserverpb.").and_then(|rest| rest.strip_prefix(service));
        rest.is_some_and(|rest| rest.starts_with('/'))
    })
}

/// A path as far as it can be said.
fn shown(path: &str) -> String {
    path.chars().take(100).filter(|character| !character.is_control()).collect()
}
