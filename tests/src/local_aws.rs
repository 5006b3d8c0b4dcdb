//! The local AWS: moto in server mode, pinned, in a virtual environment under `target/` that is made here the first time.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context, anyhow, bail};

use crate::binaries;

const REQUIREMENTS: &str = include_str!("../local_aws/requirements.txt");
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
        let python = environment(tell)?;
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
                bail!("the local AWS did not start; delete `{}` and try again", folder()?.display())
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
    Ok(folder()?.join("bin").join("aws"))
}

fn folder() -> anyhow::Result<PathBuf> {
    Ok(binaries::target_folder()?.join("local-aws"))
}

/// The Python of the virtual environment. Two processes that want it at once make it once.
fn environment(tell: &dyn Fn(&str)) -> anyhow::Result<PathBuf> {
    let folder = folder()?;
    let python = folder.join("bin").join("python3");
    let installed = folder.join("installed.txt");
    let is_ready = || fs::read_to_string(&installed).is_ok_and(|text| text == REQUIREMENTS) && python.exists();

    let lock = File::create(folder.with_extension("lock")).context("can't write to the target folder")?;
    lock.lock().context("can't lock the local AWS's folder")?;
    if is_ready() {
        return Ok(python);
    }
    tell("making the local AWS under target/ (once; a minute or so)");
    check_python()?;
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("can't delete the unfinished `{}`", folder.display()))?;
    }
    let made = run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    if !made.status.success() {
        bail!(
            "python3 can't make a virtual environment; its venv module is missing (Debian and Ubuntu: `apt install python3-venv`)\n{}",
            last_lines(&made)
        );
    }
    tell("installing moto into it (once; a minute or so)");
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS)?;
    let pip =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--only-binary=:all:", "--require-hashes", "-r"];
    let got = run(Command::new(&python).args(pip).arg(&requirements))?;
    if !got.status.success() {
        bail!("pip can't install moto; is PyPI, or a mirror that pip is configured for, in reach?\n{}", last_lines(&got));
    }
    fs::write(&installed, REQUIREMENTS)?;
    Ok(python)
}

fn check_python() -> anyhow::Result<()> {
    const WANTED: &str = "the local AWS needs python3, 3.10 or later, with its venv module (Debian and Ubuntu: `apt install python3-venv`)";
    let version = Command::new("python3").args(["-c", "import sys; print(*sys.version_info[:2])"]).output();
    let version = version.map_err(|error| anyhow!("{WANTED}; `python3` does not start: {error}"))?;
    let text = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let number = |part: Option<&str>| part.and_then(|part| part.parse::<u32>().ok()).unwrap_or(0);
    let mut parts = text.split(' ');
    if (number(parts.next()), number(parts.next())) < (3, 10) {
        bail!("{WANTED}; this one is {}", text.replace(' ', "."));
    }
    Ok(())
}

fn run(command: &mut Command) -> anyhow::Result<Output> {
    let program = Path::new(command.get_program()).display().to_string();
    command.stdin(Stdio::null()).output().with_context(|| format!("`{program}` does not start"))
}

/// The end of what a command said, which is where the error is.
fn last_lines(output: &Output) -> String {
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    lines.get(lines.len().saturating_sub(15)..).unwrap_or_default().join("\n")
}
