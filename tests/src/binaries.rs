//! The functions' binaries, built by cargo beside our own executable.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use palisade_policy::guardrail::Guardrail;

/// The root of the checkout.
#[must_use]
pub fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

/// Where cargo puts binaries of our own profile, such as `target/debug`.
fn folder() -> anyhow::Result<PathBuf> {
    let own = env::current_exe().context("can't tell where our own executable is")?;
    let folder = own.parent().context("our own executable is in no folder")?;
    // Test executables are one further down.
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    Ok(folder.to_owned())
}

/// Cargo's target folder.
pub(crate) fn target_folder() -> anyhow::Result<PathBuf> {
    let folder = folder()?;
    Ok(folder.parent().unwrap_or(&folder).to_owned())
}

/// Builds every function. `cargo run` and `cargo test` build our own package only.
///
/// # Errors
/// When cargo fails, with what it said.
pub fn build() -> anyhow::Result<()> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--workspace", "--bins", "--quiet"]).current_dir(root()).stdin(Stdio::null());
    command.arg("--target-dir").arg(target_folder()?);
    if folder()?.ends_with("release") {
        command.arg("--release");
    }
    let built = command.output().context("cargo does not start")?;
    if !built.status.success() {
        bail!("the functions can't be built\n{}", String::from_utf8_lossy(&built.stderr));
    }
    Ok(())
}

/// The binary of a function.
///
/// # Errors
/// When it has not been built.
pub fn of(guardrail: Guardrail) -> anyhow::Result<PathBuf> {
    let path = folder()?.join(format!("{guardrail}{}", env::consts::EXE_SUFFIX));
    if !path.exists() {
        bail!("the function {guardrail} is not built: `{}` does not exist", path.display());
    }
    Ok(path)
}
