//! The way to an API server.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::Context as _;
use http::header::{AUTHORIZATION, HOST};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::client::Body;
use tokio::net::TcpStream;

use super::{Asked, Way};

/// Passes the requests of one connection on.
pub(super) async fn pass(
    client: TcpStream,
    server: kube::Client,
    name: Arc<str>,
    way: Way,
) -> anyhow::Result<()> {
    let service = service_fn(move |request| {
        let (server, way, name) = (server.clone(), way.clone(), Arc::clone(&name));
        async move { Ok::<_, Infallible>(answer(request, server, &name, &way).await) }
    });
    http1::Builder::new()
        .serve_connection(TokioIo::new(client), service)
        .await
        .context("the connection of the service has ended")
}

fn is_done(answered: &anyhow::Result<Response<Body>>) -> bool {
    answered.as_ref().is_ok_and(|answer| answer.status().is_success())
}

async fn answer(request: Request<Incoming>, server: kube::Client, name: &str, way: &Way) -> Response<Body> {
    let (mut head, body) = request.into_parts();
    let is_read = [Method::GET, Method::HEAD].contains(&head.method);
    let asked =
        Asked { server: name.to_owned(), verb: head.method.to_string(), what: head.uri.path().to_owned() };
    // Those of the client behind the proxy take their place.
    head.headers.remove(HOST);
    head.headers.remove(AUTHORIZATION);
    let sent = async {
        let body = body.collect().await?.to_bytes();
        Ok(server.send(Request::from_parts(head, Body::from(body.to_vec()))).await?)
    };
    let answered = if is_read {
        way.read(asked);
        sent.await
    } else {
        way.write(asked, sent, is_done).await
    };
    answered.unwrap_or_else(|error: anyhow::Error| {
        let mut answer = Response::new(Body::from(error.to_string().into_bytes()));
        *answer.status_mut() = StatusCode::BAD_GATEWAY;
        answer
    })
}
