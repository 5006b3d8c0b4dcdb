//! Tools in Python: pinned, each set in a virtual environment under `target/` that is made here the first time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, anyhow, bail};

use crate::binaries;

/// A set of tools.
#[derive(Debug, Clone, Copy)]
pub struct Tools {
    /// Its folder under `target/`.
    pub folder: &'static str,
    /// What it is, for people: `the local AWS`.
    pub what: &'static str,
    /// What pip is to install, with hashes.
    pub requirements: &'static str,
}

impl Tools {
    /// Its folder.
    ///
    /// # Errors
    /// When cargo's target folder can't be told.
    pub fn folder(&self) -> anyhow::Result<PathBuf> {
        Ok(binaries::target_folder()?.join(self.folder))
    }

    /// The folder of its executables. Two processes that want a set at once make it once. `tell` hears what takes long.
    ///
    /// # Errors
    /// When python3 or its venv module is missing, or the packages can't be had. The error says what to do.
    pub fn executables(&self, tell: &dyn Fn(&str)) -> anyhow::Result<PathBuf> {
        let Self { what, requirements, .. } = *self;
        let folder = self.folder()?;
        let executables = folder.join("bin");
        let python = executables.join("python3");
        let installed = folder.join("installed.txt");
        let is_ready = || fs::read_to_string(&installed).is_ok_and(|text| text == requirements) && python.exists();

        let lock = File::create(folder.with_extension("lock")).context("can't write to the target folder")?;
        lock.lock().with_context(|| format!("can't lock the folder of {what}"))?;
        if is_ready() {
            return Ok(executables);
        }
        tell(&format!("making {what} under target/ (once; a minute or so)"));
        check_python(what)?;
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
        tell(&format!("installing {what} (once; a minute or so)"));
        let list = folder.join("requirements.txt");
        fs::write(&list, requirements)?;
        // Without looking for dependencies: each list is complete, and pip will not have an extra's hash for the package's own.
        let pip = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
            "--only-binary=:all:",
            "--no-deps",
            "--require-hashes",
            "-r",
        ];
        let got = run(Command::new(&python).args(pip).arg(&list))?;
        if !got.status.success() {
            bail!("pip can't install {what}; is PyPI, or a mirror that pip is configured for, in reach?\n{}", last_lines(&got));
        }
        fs::write(&installed, requirements)?;
        Ok(executables)
    }
}

fn check_python(what: &str) -> anyhow::Result<()> {
    let wanted = || format!("{what} needs python3, 3.10 or later, with its venv module (Debian and Ubuntu: `apt install python3-venv`)");
    let version = Command::new("python3").args(["-c", "import sys; print(*sys.version_info[:2])"]).output();
    let version = version.map_err(|error| anyhow!("{}; `python3` does not start: {error}", wanted()))?;
    let text = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let number = |part: Option<&str>| part.and_then(|part| part.parse::<u32>().ok()).unwrap_or(0);
    let mut parts = text.split(' ');
    if (number(parts.next()), number(parts.next())) < (3, 10) {
        bail!("{}; this one is {}", wanted(), text.replace(' ', "."));
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
