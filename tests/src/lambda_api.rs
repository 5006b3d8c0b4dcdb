//! As much of the Lambda API as `aws lambda invoke` needs, in front of one running function.

use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, Response};
use tokio::sync::Mutex;

use crate::http::{HangUp, Server, answer};
use crate::lambda::{Answer, Lambda};

/// The API, which knows one function by one name.
#[derive(Debug)]
pub struct LambdaApi {
    server: Server,
}

impl LambdaApi {
    /// Serves the function under this name.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(name: &str, function: Lambda) -> anyhow::Result<Self> {
        let path = format!("/2015-03-31/functions/{name}/invocations");
        let function = Arc::new(Mutex::new(function));
        let server = Server::start(move |request: Request<Bytes>| {
            let (path, function) = (path.clone(), Arc::clone(&function));
            async move { invoke(&path, &function, request).await }
        })
        .await?;
        Ok(Self { server })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }
}

/// "Invoke", AWS Lambda API: 200 for an error of the function too, which a header tells of.
async fn invoke(path: &str, function: &Mutex<Lambda>, request: Request<Bytes>) -> Result<Response<Full<Bytes>>, HangUp> {
    if request.uri().path() != path {
        return Ok(answer(404, "application/json", r#"{"Type":"User","Message":"Function not found"}"#));
    }
    match function.lock().await.invoke(request.into_body()).await {
        Ok(Answer::Response(response)) => Ok(answer(200, "application/json", response.to_string())),
        Ok(Answer::Error { kind, message }) => {
            let body = serde_json::json!({"errorType": kind, "errorMessage": message}).to_string();
            let mut response = answer(200, "application/json", body);
            if let Ok(value) = "Unhandled".parse() {
                response.headers_mut().insert("x-amz-function-error", value);
            }
            Ok(response)
        }
        Err(_) => Err(HangUp),
    }
}
