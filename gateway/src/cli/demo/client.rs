//! A small HTTP client: one connection per request, as a stranger would send it.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::cli::CliError;
use crate::gate::NewCredential;
use trail::clock::Clock;

pub(super) struct Client {
    address: SocketAddr,
    authorization: String,
    clock: Clock,
}

pub(super) struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> Client {
        Client { address, authorization: String::new(), clock: Clock::system() }
    }

    pub(super) fn of(&self, credential: &NewCredential) -> Client {
        let plain = format!("{}:{}", credential.username, credential.password.expose());
        Client {
            address: self.address,
            authorization: format!("Basic {}", BASE64_STANDARD.encode(plain)),
            clock: self.clock.clone(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, CliError> {
        self.send(Method::GET, path, None, None, Bytes::new()).await
    }

    pub(super) async fn put(&self, path: &str, body: &Value) -> Result<Answer, CliError> {
        self.send(Method::PUT, path, Some("application/json"), None, body.to_string().into()).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Answer, CliError> {
        self.send(Method::POST, path, Some("application/json"), None, body.to_string().into()).await
    }

    pub(super) async fn upload(
        &self,
        path: &str,
        from: Option<Timestamp>,
        audio: &'static [u8],
    ) -> Result<Answer, CliError> {
        self.send(Method::PUT, path, Some("audio/wav"), from, Bytes::from_static(audio)).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        from: Option<Timestamp>,
        body: Bytes,
    ) -> Result<Answer, CliError> {
        let failed =
            |error: &dyn std::error::Error| CliError::Demo(format!("the gateway did not answer: {error}"));
        let stream = TcpStream::connect(self.address).await.map_err(|error| failed(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(&error))?;
        let driving = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string())
            .header("authorization", &self.authorization);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        if let Some(from) = from {
            request = request.header("recording-start", from.to_string());
        }
        let request = request.body(Full::new(body)).map_err(|error| failed(&error))?;
        let response = sender.send_request(request).await.map_err(|error| failed(&error))?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(|error| failed(&error))?.to_bytes().to_vec();
        driving.abort();
        Ok(Answer { status, body })
    }
}

impl Answer {
    pub(super) fn expect<T: DeserializeOwned>(&self, status: u16) -> Result<T, CliError> {
        serde_json::from_slice(&self.bytes(status)?)
            .map_err(|error| CliError::Demo(format!("the answer cannot be read: {error}")))
    }

    pub(super) fn bytes(&self, status: u16) -> Result<Vec<u8>, CliError> {
        if self.status != status {
            return Err(CliError::Demo(format!(
                "{status} was expected, but the answer was {} {}",
                self.status,
                self.text()
            )));
        }
        Ok(self.body.clone())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
