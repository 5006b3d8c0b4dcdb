//! The local AWS: moto in server mode.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};

use crate::python::Tools;

const TOOLS: Tools = Tools { folder: "local-aws", what: "the local AWS", requirements: include_str!("../local_aws/requirements.txt") };
const SERVE: &str = include_str!("../local_aws/serve.py");

/// A running local AWS. It ends when this is dropped, or when this process ends, however that comes.
#[derive(Debug)]
pub struct LocalAws {
    address: SocketAddr,
    process: Child,
}

impl LocalAws {
    /// Starts one, and makes the virtual environment first if there is none. `tell` hears what takes long.
    ///
    /// # Errors
    /// When python3 or its venv module is missing, or the packages can't be had. The error says what to do.
    pub fn start(tell: &dyn Fn(&str)) -> anyhow::Result<Self> {
        let python = TOOLS.executables(tell)?.join("python3");
        let mut process = Command::new(&python)
            .args(["-I", "-c", SERVE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("`{}` does not start", python.display()))?;
        let mut port = String::new();
        if let Some(output) = process.stdout.take() {
            BufReader::new(output).read_line(&mut port)?;
        }
        match port.trim().parse::<u16>() {
            Ok(port) => Ok(Self { address: (Ipv4Addr::LOCALHOST, port).into(), process }),
            Err(_) => {
                let _ = process.kill();
                let _ = process.wait();
                bail!("the local AWS did not start; delete `{}` and try again", TOOLS.folder()?.display())
            }
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for LocalAws {
    fn drop(&mut self) {
        // Closing its input asks it to leave; killing is for when it does not listen.
        drop(self.process.stdin.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The AWS CLI of the virtual environment, once a local AWS was started.
///
/// # Errors
/// When cargo's target folder can't be told.
pub fn aws_cli() -> anyhow::Result<PathBuf> {
    Ok(TOOLS.folder()?.join("bin").join("aws"))
}
