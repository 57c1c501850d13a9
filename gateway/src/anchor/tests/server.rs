//! A server of one page on a loopback port, and a client with short patience.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::anchor::http::{Address, Http, Limits};

/// What was asked of the server.
#[derive(Debug, Clone)]
pub(in crate::anchor) struct Asked {
    pub(in crate::anchor) path: String,
    pub(in crate::anchor) content_type: String,
    pub(in crate::anchor) body: Bytes,
}

/// Answers until it is dropped.
pub(in crate::anchor) struct Server {
    pub(in crate::anchor) address: Address,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Answers every request with what `answer` makes of it.
    pub(in crate::anchor) async fn start<A: IntoResponse>(
        answer: impl Fn(Asked) -> A + Clone + Send + Sync + 'static,
    ) -> Server {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let app = Router::new().fallback(async move |request: Request| -> Response {
            let (parts, body) = request.into_parts();
            let asked = Asked {
                path: parts.uri.path().to_owned(),
                content_type: parts
                    .headers
                    .get(CONTENT_TYPE)
                    .map_or("", |value| value.to_str().unwrap())
                    .to_owned(),
                body: axum::body::to_bytes(body, 1 << 20).await.unwrap(),
            };
            seen.lock().unwrap().push(asked.clone());
            answer(asked).into_response()
        });
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Server { address, asked, task }
    }

    /// Takes requests, and never answers one.
    pub(in crate::anchor) async fn silent() -> Server {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let task = tokio::spawn(async move {
            let mut connections = Vec::new();
            loop {
                connections.push(listener.accept().await.unwrap());
            }
        });
        Server { address, asked: Arc::default(), task }
    }

    pub(in crate::anchor) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A client as the gateway has it.
pub(in crate::anchor) fn http() -> Http {
    Http::new(Limits::default()).unwrap()
}

/// A client that gives up soon. Its time is that of the system's sockets, so it cannot be paused.
pub(in crate::anchor) fn impatient() -> Http {
    Http::new(Limits { within: Duration::from_millis(300), ..Limits::default() }).unwrap()
}
