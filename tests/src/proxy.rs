//! What stands between a function and the local AWS: it chooses the account, records every call, and stands in where a [`Stub`] says so.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::case::REGION;
use crate::http::{HangUp, Server, answer};
use crate::permission::requests;
use crate::stub::{Fault, How, StandIn, Stub, acls_asked_for, fault, is_listing, only_acls};

/// A proxy for one account.
#[derive(Debug)]
pub struct Proxy {
    server: Server,
    account: Arc<Account>,
}

#[derive(Debug)]
struct Account {
    upstream: SocketAddr,
    id: String,
    client: Client<HttpConnector, Full<Bytes>>,
    stub: Stub,
    faults: Mutex<Vec<Fault>>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    calls: Vec<Call>,
    counts: HashMap<String, usize>,
    first_answers: HashMap<String, Bytes>,
}

/// One call that a function made.
#[derive(Debug, Clone)]
pub struct Call {
    /// The service as the request is signed for it, such as `ec2`.
    pub service: String,
    /// The action, such as `DescribeSecurityGroups`.
    pub action: String,
    /// Its parameters as they were sent; none where they are JSON.
    pub parameters: Vec<(String, String)>,
    /// The body where it is JSON.
    pub json: Option<serde_json::Value>,
    /// The HTTP status of the answer; `None` where it was lost.
    pub status: Option<u16>,
}

impl Call {
    /// The value of a parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(its, _)| its == name).map(|(_, value)| value.as_str())
    }

    /// Whether it was meant to change something in the network.
    #[must_use]
    pub fn is_mutation(&self) -> bool {
        let reads = ["Describe", "Get", "List"].iter().any(|verb| self.action.starts_with(verb));
        let harmless =
            ["Publish", "SendMessage", "StartQuery", "StopQuery", "PutEvaluations", "BatchUpdateFindings", "GenerateMac", "VerifyMac"]
                .contains(&self.action.as_str());
        !reads && !harmless && self.parameter("DryRun") != Some("true")
    }
}

impl Proxy {
    /// Starts one in front of the local AWS at `upstream`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(upstream: SocketAddr, account: &str, stub: Stub) -> anyhow::Result<Self> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let faults = Mutex::new(stub.faults.clone());
        let account = Arc::new(Account { upstream, id: account.to_owned(), client, stub, faults, seen: Mutex::default() });
        let of_server = Arc::clone(&account);
        let server = Server::start(move |request| {
            let account = Arc::clone(&of_server);
            async move { account.answer(request).await }
        })
        .await?;
        Ok(Self { server, account })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Other calls go wrong from now on, each action counted from 1 again.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        *self.account.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
        self.account.seen().counts.clear();
    }

    /// The calls since it was last asked.
    #[must_use]
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.account.seen().calls)
    }
}

impl Account {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Bytes>) -> Result<Response<Full<Bytes>>, HangUp> {
        let mut call = read(&request);
        let count = {
            let mut seen = self.seen();
            let count = seen.counts.entry(call.action.clone()).or_default();
            *count += 1;
            *count
        };
        let how = fault(&self.faults.lock().unwrap_or_else(PoisonError::into_inner), &call.action, count).cloned();
        let stand_in = self.stub.stand_in(&call, count);
        if let Some(How::Wait(gate) | How::WaitAndTell(gate, _)) = &how {
            gate.pass().await;
        }
        let answered = match &how {
            _ if self.is_forbidden(&call) => Ok(refusal(403, "UnauthorizedOperation", &call)),
            Some(How::Refuse { status, code }) => Ok(refusal(*status, code, &call)),
            Some(How::Answer(xml)) => Ok(answer(200, "text/xml", xml.clone())),
            Some(How::AnswerOfFirst) => {
                let first = self.seen().first_answers.get(&call.action).cloned();
                first.map(|body| answer(200, "text/xml", body)).ok_or(HangUp)
            }
            Some(How::LoseAnswer) => {
                let _ = self.forward(request, &call, "").await;
                Err(HangUp)
            }
            Some(How::Reset) => Err(HangUp),
            Some(How::Hang) => std::future::pending().await,
            Some(How::Late(late)) => {
                tokio::time::sleep(*late).await;
                self.forward(request, &call, "").await
            }
            Some(How::WaitAndTell(_, element)) => self.forward(request, &call, element).await,
            Some(How::Wait(_)) | None => match stand_in {
                Some(StandIn::Refusal(status, code)) => Ok(refusal(status, code, &call)),
                Some(StandIn::Json(body)) => Ok(answer(200, "application/x-amz-json-1.1", body.to_string())),
                None => self.forward(request, &call, "").await,
            },
        };
        call.status = answered.as_ref().ok().map(|response| response.status().as_u16());
        if let (true, Some(gate)) = (call.is_mutation(), &self.stub.after_changes) {
            gate.pass().await;
        }
        self.seen().calls.push(call);
        answered
    }

    /// Whether the caller's role does not allow it. What nobody knows how to judge is not allowed either.
    fn is_forbidden(&self, call: &Call) -> bool {
        let Some(role) = &self.stub.role else { return false };
        match requests(call, &self.id, REGION) {
            Ok(requests) => !requests.iter().all(|request| role.allows(request)),
            Err(_) => true,
        }
    }

    /// The answer of the local AWS, with `element` as one element more.
    async fn forward(&self, request: Request<Bytes>, call: &Call, element: &str) -> Result<Response<Full<Bytes>>, HangUp> {
        let (mut parts, mut body) = request.into_parts();
        let cut = self.stub.page_size.is_some() && is_listing(&call.action);
        let acls = acls_asked_for(&call.action, &call.parameters);
        if cut || acls.is_some() {
            let whole = call.parameters.iter().filter(|(name, _)| name != "NextToken" && name != "MaxResults");
            let whole = whole.filter(|(name, _)| acls.is_none() || !name.starts_with("Filter."));
            body = form_urlencoded::Serializer::new(String::new()).extend_pairs(whole).finish().into();
            parts.headers.remove(hyper::header::CONTENT_LENGTH);
        }
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        parts.uri = format!("http://{}{path}", self.upstream).parse::<Uri>().map_err(|_| HangUp)?;
        // The local AWS keeps accounts apart by this header: every case has one to itself.
        parts.headers.insert("x-moto-account-id", self.id.parse().map_err(|_| HangUp)?);
        let response = self.client.request(Request::from_parts(parts, Full::new(body))).await.map_err(|_| HangUp)?;
        let (parts, body) = response.into_parts();
        let mut body = body.collect().await.map_err(|_| HangUp)?.to_bytes();
        if let (true, Some(ids)) = (parts.status.is_success(), &acls) {
            match only_acls(&String::from_utf8_lossy(&body), ids) {
                Ok(only) => body = only.into(),
                Err(error) => return Ok(answer(500, "text/plain", format!("the stub failed: {error:#}"))),
            }
        }
        if parts.status.is_success() && (cut || !self.stub.owners.is_empty()) {
            let xml = String::from_utf8_lossy(&body).into_owned();
            match self.stub.rewrite(&call.action, &xml, call.parameter("NextToken")) {
                Ok(rewritten) => body = rewritten.into(),
                Err(error) => return Ok(answer(500, "text/plain", format!("the stub failed: {error:#}"))),
            }
        }
        if let (false, Some(end)) = (element.is_empty(), String::from_utf8_lossy(&body).rfind("</")) {
            let mut xml = String::from_utf8_lossy(&body).into_owned();
            xml.insert_str(end, element);
            body = xml.into();
        }
        self.seen().first_answers.entry(call.action.clone()).or_insert_with(|| body.clone());
        let content_type = parts.headers.get(hyper::header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("text/xml");
        Ok(answer(parts.status.as_u16(), content_type, body))
    }
}

/// EC2 and SNS send forms with an `Action`, SQS and AWS Config JSON with its target in a header, Security Hub JSON to a path.
pub(crate) fn read(request: &Request<Bytes>) -> Call {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    // `AWS4-HMAC-SHA256 Credential=<key>/<date>/<region>/<service>/aws4_request, …`
    let scope = header("authorization").and_then(|signed| signed.split(',').next()).unwrap_or_default();
    let service = scope.split('/').nth(3).unwrap_or_default().to_owned();
    match header("x-amz-target") {
        Some(target) => Call {
            service,
            action: target.rsplit('.').next().unwrap_or(target).to_owned(),
            parameters: Vec::new(),
            json: serde_json::from_slice(request.body()).ok(),
            status: None,
        },
        None if request.uri().path() == "/findings/batchupdate" => Call {
            service,
            action: "BatchUpdateFindings".to_owned(),
            parameters: Vec::new(),
            json: serde_json::from_slice(request.body()).ok(),
            status: None,
        },
        None => {
            let parameters: Vec<(String, String)> = form_urlencoded::parse(request.body()).into_owned().collect();
            let action = parameters.iter().find(|(name, _)| name == "Action").map(|(_, value)| value.clone()).unwrap_or_default();
            Call { service, action, parameters, json: None, status: None }
        }
    }
}

fn refusal(status: u16, code: &str, call: &Call) -> Response<Full<Bytes>> {
    let message = "refused by the test's stub";
    if call.json.is_some() {
        let body = serde_json::json!({"__type": code, "message": message}).to_string();
        return answer(status, "application/x-amz-json-1.0", body);
    }
    let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let body = match call.action.as_str() {
        "Publish" => format!("<ErrorResponse>{error}<RequestId>stub</RequestId></ErrorResponse>"),
        _ => format!("<Response><Errors>{error}</Errors><RequestID>stub</RequestID></Response>"),
    };
    answer(status, "text/xml", body)
}
