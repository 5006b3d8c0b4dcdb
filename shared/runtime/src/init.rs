//! The start of a function: settings, clients, then the Lambda loop.

use std::process::ExitCode;

use hyper::Request;
use jiff::Timestamp;
use lambda_runtime::{LambdaEvent, service_fn};
use lambda_runtime_api_client::{PooledClient, body::Body};
use palisade_policy::guardrail::Guardrail;
use palisade_policy::plan::Plan;
use serde_json::{Value, json};

use crate::askers::Askers;
use crate::aws::Clients;
use crate::gateway::Gateway;
use crate::invocation::Function;
use crate::log;
use crate::publish::Publisher;
use crate::settings::{Common, SettingsError, Variables};

/// Runs a guardrail's function until Lambda ends it. `read` reads the guardrail's own settings and gives two things: the decision, from a
/// state, the time, and how often AWS has said that there is no room; and the way to make the gateway to its resources.
pub fn serve<G, P, W>(guardrail: Guardrail, read: impl FnOnce(&mut Variables) -> Result<(P, W), SettingsError>) -> ExitCode
where
    G: Gateway + 'static,
    P: Fn(&G::State, Timestamp, usize) -> Plan + 'static,
    W: FnOnce(&Clients) -> G,
{
    log::start(guardrail.id());
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "can't start");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        let (common, (policy, gateway)) = match settings(guardrail, read) {
            Ok(settings) => settings,
            Err(error) => {
                tracing::error!(%error, "can't start");
                tell_lambda(&error).await;
                return ExitCode::FAILURE;
            }
        };
        let clients = Clients::from_environment().await;
        let publisher = Publisher::new(guardrail, &clients, &common);
        let askers = G::Askers::new(&clients);
        let function = Function { guardrail, common, policy, gateway: gateway(&clients), publisher, askers };
        let answer = service_fn(|event: LambdaEvent<Value>| function.answer(event));
        match lambda_runtime::Runtime::new(answer).run().await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!(%error, "the Lambda runtime stopped");
                ExitCode::FAILURE
            }
        }
    })
}

fn settings<S>(guardrail: Guardrail, read: impl FnOnce(&mut Variables) -> Result<S, SettingsError>) -> Result<(Common, S), SettingsError> {
    let mut variables = Variables::of_process();
    let common = Common::read(guardrail, &mut variables)?;
    let own = read(&mut variables)?;
    variables.finish()?;
    Ok((common, own))
}

/// Lambda shows the error of a failed init to whoever invoked the function, if it is told one.
async fn tell_lambda(error: &SettingsError) {
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        return;
    }
    let body = json!({"errorType": "Palisade.Settings", "errorMessage": error.to_string()}).to_string();
    let request = Request::post("/2018-06-01/runtime/init/error")
        .header("content-type", "application/json")
        .header("lambda-runtime-function-error-type", "Palisade.Settings")
        .body(Body::from(body));
    if let Ok(request) = request {
        // Nobody is left to tell; the log line is written.
        let _ = PooledClient::builder().build().call(request).await;
    }
}
