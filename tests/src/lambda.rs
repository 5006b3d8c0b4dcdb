//! Lambda, as a function sees it: the Runtime API, the environment, one invocation after another.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, Response};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::http::{HangUp, Server, answer};

/// The timeout of a function, unless a test gives it another.
const TIMEOUT: Duration = Duration::from_secs(180);

/// What a function answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A response.
    Response(Value),
    /// An error.
    Error {
        /// Its `errorType`.
        kind: String,
        /// Its `errorMessage`.
        message: String,
    },
}

/// The function did not start, and told Lambda why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the function did not start: {message}")]
pub struct InitError {
    /// The `errorType`.
    pub kind: String,
    /// The `errorMessage`.
    pub message: String,
}

/// One running function: the real binary, as Lambda would run it.
#[derive(Debug)]
pub struct Lambda {
    process: Child,
    events: mpsc::Sender<Event>,
    state: Arc<State>,
    log: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
    invocations: usize,
    _server: Server,
}

#[derive(Debug)]
struct Event {
    request_id: String,
    payload: Bytes,
}

#[derive(Debug)]
struct State {
    function_arn: String,
    timeout: Mutex<Duration>,
    events: tokio::sync::Mutex<mpsc::Receiver<Event>>,
    waiting: Mutex<HashMap<String, oneshot::Sender<Answer>>>,
    /// When the invocation that is running must have been answered.
    deadline: Mutex<Option<SystemTime>>,
    init_error: Mutex<Option<InitError>>,
}

impl Lambda {
    /// Starts the binary with nothing but this environment and Lambda's own.
    ///
    /// # Errors
    /// When it can't be started. A function that starts and stops again says so at its first invocation.
    pub async fn start(binary: &Path, function_arn: &str, environment: &[(String, String)]) -> anyhow::Result<Self> {
        let (events, receiver) = mpsc::channel(8);
        let state = Arc::new(State {
            function_arn: function_arn.to_owned(),
            timeout: Mutex::new(TIMEOUT),
            events: tokio::sync::Mutex::new(receiver),
            waiting: Mutex::default(),
            deadline: Mutex::default(),
            init_error: Mutex::default(),
        });
        let of_server = Arc::clone(&state);
        let server = Server::start(move |request| {
            let state = Arc::clone(&of_server);
            async move { state.answer(&request).await }
        })
        .await?;
        let name = binary.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut process = Command::new(binary)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", server.address().to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", &name)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}"))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "local")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("`{}` does not start", binary.display()))?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut readers = Vec::new();
        if let Some(output) = process.stdout.take() {
            readers.push(tokio::spawn(keep_lines(BufReader::new(output), Arc::clone(&log))));
        }
        if let Some(output) = process.stderr.take() {
            readers.push(tokio::spawn(keep_lines(BufReader::new(output), Arc::clone(&log))));
        }
        Ok(Self { process, events, state, log, readers, invocations: 0, _server: server })
    }

    /// Delivers an event and waits for the answer.
    ///
    /// # Errors
    /// [`InitError`] when the function did not start; others when it dies or takes longer than Lambda would let it.
    pub async fn invoke(&mut self, payload: impl Into<Bytes>) -> anyhow::Result<Answer> {
        self.invocations += 1;
        let request_id = format!("00000000-0000-4000-8000-{:012}", self.invocations);
        let (sender, answer) = oneshot::channel();
        self.state.waiting().insert(request_id.clone(), sender);
        self.events.send(Event { request_id, payload: payload.into() }).await.context("the Runtime API is gone")?;
        tokio::select! {
            answer = answer => Ok(answer?),
            exit = self.process.wait() => {
                self.drain().await;
                if let Some(error) = self.state.init_error.lock().unwrap_or_else(PoisonError::into_inner).clone() {
                    return Err(error.into());
                }
                bail!("the function ended without an answer ({}); it logged:\n{}", exit?, self.log().join("\n"))
            }
            () = tokio::time::sleep(TIMEOUT) => bail!("the function did not answer within {} s; it logged:\n{}", TIMEOUT.as_secs(), self.log().join("\n")),
        }
    }

    /// Gives the function another timeout from its next invocation on.
    pub fn set_timeout(&self, timeout: Duration) {
        *self.state.timeout.lock().unwrap_or_else(PoisonError::into_inner) = timeout;
    }

    /// The lines that it has logged so far.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends it, as Lambda does when it has no more use for it, and gives all that it logged.
    ///
    /// # Errors
    /// When it can't be ended.
    pub async fn stop(mut self) -> anyhow::Result<Vec<String>> {
        self.process.kill().await.context("the function can't be ended")?;
        self.drain().await;
        Ok(self.log())
    }

    /// Reads the log to its end.
    async fn drain(&mut self) {
        for reader in self.readers.drain(..) {
            let _ = reader.await;
        }
    }
}

async fn keep_lines(output: impl tokio::io::AsyncBufRead + Unpin, log: Arc<Mutex<Vec<String>>>) {
    let mut lines = output.lines();
    while let Ok(Some(line)) = lines.next_line().await {
        log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

impl State {
    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<String, oneshot::Sender<Answer>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The Runtime API ("Using the Lambda runtime API for custom runtimes").
    async fn answer(&self, request: &Request<Bytes>) -> Result<Response<Full<Bytes>>, HangUp> {
        let accepted = || answer(202, "application/json", r#"{"status":"OK"}"#);
        let path: Vec<&str> = request.uri().path().trim_start_matches("/2018-06-01/runtime/").split('/').collect();
        match path.as_slice() {
            ["invocation", "next"] => {
                let event = self.events.lock().await.recv().await.ok_or(HangUp)?;
                let deadline = SystemTime::now() + *self.timeout.lock().unwrap_or_else(PoisonError::into_inner);
                *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
                let headers = [
                    ("lambda-runtime-aws-request-id", event.request_id),
                    ("lambda-runtime-deadline-ms", deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis().to_string()),
                    ("lambda-runtime-invoked-function-arn", self.function_arn.clone()),
                    ("lambda-runtime-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0".to_owned()),
                ];
                let mut response = answer(200, "application/json", event.payload);
                for (name, value) in headers {
                    response.headers_mut().insert(name, value.parse().map_err(|_| HangUp)?);
                }
                Ok(response)
            }
            ["invocation", request_id, "response"] => {
                self.settle(request_id, Answer::Response(serde_json::from_slice(request.body()).unwrap_or(Value::Null)));
                Ok(accepted())
            }
            ["invocation", request_id, "error"] => {
                let (kind, message) = error(request.body());
                self.settle(request_id, Answer::Error { kind, message });
                Ok(accepted())
            }
            ["init", "error"] => {
                let (kind, message) = error(request.body());
                *self.init_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(InitError { kind, message });
                Ok(accepted())
            }
            _ => Ok(answer(404, "application/json", "{}")),
        }
    }

    /// Lambda would have ended a function that answers too late, and says so to whoever invoked it.
    fn settle(&self, request_id: &str, answer: Answer) {
        let deadline = self.deadline.lock().unwrap_or_else(PoisonError::into_inner).take();
        let answer = match deadline {
            Some(deadline) if SystemTime::now() > deadline => Answer::Error {
                kind: "Sandbox.Timedout".to_owned(),
                message: format!("Task timed out, and would have answered {answer:?}"),
            },
            _ => answer,
        };
        if let Some(waiting) = self.waiting().remove(request_id) {
            let _ = waiting.send(answer);
        }
    }
}

fn error(body: &[u8]) -> (String, String) {
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    (text("errorType"), text("errorMessage"))
}
