//! `template.yaml` is what CloudFormation and SAM take, as far as their own tools can tell.

use std::process::Command;

use palisade_tests::binaries::root;
use palisade_tests::python::Tools;

/// `.ci/run` finds `sam` and `cargo-lambda` in their folder too.
const TOOLS: Tools =
    Tools { folder: "deploy-tools", what: "the deploy tools", requirements: include_str!("../../deploy_tools/requirements.txt") };

fn run(program: &str, arguments: &[&str]) {
    let executables = TOOLS.executables(&|what| eprintln!("{what}")).unwrap();
    let said = Command::new(executables.join(program))
        .args(arguments)
        .current_dir(root())
        .env("AWS_DEFAULT_REGION", "eu-west-1")
        .env("SAM_CLI_TELEMETRY", "0")
        .output()
        .unwrap();
    let text = [said.stdout.as_slice(), said.stderr.as_slice()].concat();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&text));
}

#[test]
fn cfn_lint_finds_nothing() {
    run("cfn-lint", &["template.yaml"]);
}

#[test]
fn nothing_keeps_the_linter_quiet() {
    let template = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    assert!(!template.contains("ignore_checks"));
    assert!(!root().join(".cfnlintrc").exists() && !root().join(".cfnlintrc.yaml").exists() && !root().join(".cfnlintrc.yml").exists());
}

#[test]
fn sam_finds_the_template_valid() {
    run("sam", &["validate", "--lint"]);
}
