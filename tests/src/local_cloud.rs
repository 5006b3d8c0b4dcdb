//! A local cloud: ministack, which runs CloudFormation with the SAM transform, Lambda, EventBridge, SNS, SQS, KMS, alarms, and enforces IAM.
//!
//! Its EC2 is not like AWS (rules share ids, DryRun mutates), and it has no Logs Insights: functions that are deployed to it talk to the
//! [`local_aws`](crate::local_aws) instead, through a [`Proxy`](crate::proxy::Proxy).

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::python::Tools;

const TOOLS: Tools =
    Tools { folder: "local-cloud", what: "the local cloud", requirements: include_str!("../local_cloud/requirements.txt") };
const SERVE: &str = include_str!("../local_cloud/serve.py");

/// A running local cloud. It ends when this is dropped, or when this process ends, however that comes.
#[derive(Debug)]
pub struct LocalCloud {
    process: Child,
    port: u16,
    talk: Mutex<Option<(ChildStdin, BufReader<ChildStdout>)>>,
}

/// An error that the local cloud answers a call with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {code}: {message}")]
pub struct CloudError {
    /// The call: `lambda.invoke`.
    pub call: String,
    /// The AWS error code.
    pub code: String,
    /// What it says.
    pub message: String,
}

impl LocalCloud {
    /// Starts one. `tell` hears what takes long.
    ///
    /// # Errors
    /// When its virtual environment can't be made, or it does not start.
    pub fn start(tell: &dyn Fn(&str)) -> anyhow::Result<Self> {
        let python = TOOLS.executables(tell)?.join("python3");
        let mut process = Command::new(&python)
            .args(["-I", "-c", SERVE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .with_context(|| format!("`{}` does not start", python.display()))?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else { bail!("it has no pipes") };
        let mut output = BufReader::new(output);
        let mut port = String::new();
        output.read_line(&mut port)?;
        match port.trim().parse() {
            Ok(port) => Ok(Self { process, port, talk: Mutex::new(Some((input, output))) }),
            Err(_) => {
                let _ = process.kill();
                let _ = process.wait();
                bail!("the local cloud did not start; delete `{}` and try again", TOOLS.folder()?.display())
            }
        }
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Calls AWS as the root of the account, by the names of boto3.
    ///
    /// # Errors
    /// A [`CloudError`], or that the local cloud is gone.
    pub fn call(&self, service: &str, operation: &str, parameters: Value) -> anyhow::Result<Value> {
        let answer = self.ask(&json!({"service": service, "operation": operation, "parameters": parameters}))?;
        match answer.get("$error") {
            None => Ok(answer),
            Some(error) => {
                let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                Err(CloudError { call: format!("{service}.{operation}"), code: text("Code"), message: text("Message") }.into())
            }
        }
    }

    /// A template as JSON, its short intrinsic functions written out.
    ///
    /// # Errors
    /// When it is not YAML, or the local cloud is gone.
    pub fn template(&self, path: &Path) -> anyhow::Result<Value> {
        self.ask(&json!({"template": path}))
    }

    /// Whether a regular expression fits a text: all of it, and somewhere in it. By Python, where CloudFormation goes by Java and CloudWatch
    /// Logs by its own: alike for what the template uses.
    ///
    /// # Errors
    /// When it is no expression, or the local cloud is gone.
    pub fn fits(&self, expression: &str, text: &str) -> anyhow::Result<(bool, bool)> {
        let answer = self.ask(&json!({"expression": expression, "text": text}))?;
        let member = |name: &str| answer.get(name).and_then(Value::as_bool).with_context(|| format!("`{expression}`: {answer}"));
        Ok((member("whole")?, member("part")?))
    }

    fn ask(&self, question: &Value) -> anyhow::Result<Value> {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let (input, output) = talk.as_mut().context("the local cloud is gone")?;
        writeln!(input, "{question}").context("the local cloud is gone")?;
        let mut line = String::new();
        output.read_line(&mut line)?;
        serde_json::from_str(&line).context("the local cloud is gone")
    }
}

impl Drop for LocalCloud {
    fn drop(&mut self) {
        // Closing its input asks it to leave, and to end ministack.
        drop(self.talk.lock().unwrap_or_else(PoisonError::into_inner).take());
        let _ = self.process.wait();
    }
}
