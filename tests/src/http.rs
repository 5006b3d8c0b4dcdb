//! A small HTTP server on a free port of the loopback interface: what the proxy, the Runtime API and the sink are made of.

use std::future::Future;
use std::net::SocketAddr;

use anyhow::Context;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// More than any AWS request or Lambda payload.
const LONGEST_BODY: usize = 16 * 1024 * 1024;

/// The connection is closed without an answer, as when a network fails.
#[derive(Debug, thiserror::Error)]
#[error("hung up")]
pub(crate) struct HangUp;

/// A server that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves with `answer`, on a port that the system chooses.
    ///
    /// # Errors
    /// When no port can be had.
    pub(crate) async fn start<A, F>(answer: A) -> anyhow::Result<Self>
    where
        A: Fn(Request<Bytes>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<Response<Full<Bytes>>, HangUp>> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no port of the loopback interface can be had")?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            // Dropped with the task, and every connection with it.
            let mut connections = JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                while connections.try_join_next().is_some() {}
                let answer = answer.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request: Request<Incoming>| {
                        let answer = answer.clone();
                        async move {
                            let (parts, body) = request.into_parts();
                            let body = Limited::new(body, LONGEST_BODY).collect().await.map_err(|_| HangUp)?.to_bytes();
                            answer(Request::from_parts(parts, body)).await
                        }
                    });
                    // A client that goes away, or is hung up on, is no news.
                    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(Self { address, task })
    }

    /// Where it listens.
    #[must_use]
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, without a slash at the end.
    #[must_use]
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An answer of this status and content.
#[must_use]
pub(crate) fn answer(status: u16, content_type: &str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    if let Ok(status) = status.try_into() {
        *response.status_mut() = status;
    }
    if let Ok(content_type) = content_type.parse() {
        response.headers_mut().insert(hyper::header::CONTENT_TYPE, content_type);
    }
    response
}
