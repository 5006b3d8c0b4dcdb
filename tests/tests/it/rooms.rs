//! The house keeps its shape: what may import what, and one name everywhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use palisade_policy::guardrail::Guardrail;
use palisade_tests::binaries::root;

use crate::house::logical_id;

/// The names of every crate that a package needs to run.
fn crates_of(package: &str) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = ["tree", "--package", package, "--edges", "normal", "--prefix", "none", "--format", "{p}", "--locked"];
    let output = Command::new(cargo).args(tree).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).unwrap();
    listed.lines().filter_map(|line| line.split(' ').next()).filter(|name| *name != package).map(str::to_owned).collect()
}

fn assert_room(package: &str, forbidden: &[&str]) {
    let crates = crates_of(package);
    assert!(crates.len() > 3, "cargo tree names the crates of {package}: {crates:?}");
    for name in crates {
        let banned =
            forbidden.iter().find(|banned| name == **banned || banned.strip_suffix('*').is_some_and(|start| name.starts_with(start)));
        assert!(banned.is_none(), "{package} must not need {name}");
    }
}

#[test]
fn policy_is_pure() {
    assert_room("palisade-policy", &["tokio*", "tracing*", "aws-*", "lambda_*", "hyper*", "chrono", "palisade-*"]);
}

#[test]
fn trigger_reads_and_does_nothing_else() {
    assert_room("palisade-trigger", &["tokio*", "tracing*", "aws-*", "lambda_*", "hyper*", "palisade-runtime"]);
}

#[test]
fn a_function_needs_no_other_function_and_no_tests() {
    for guardrail in Guardrail::ALL {
        let others: Vec<&str> = Guardrail::ALL.iter().filter(|other| **other != guardrail).map(|other| other.id()).collect();
        assert_room(guardrail.id(), &[others.as_slice(), &["palisade-tests", "proptest", "insta"]].concat());
    }
}

#[test]
fn nobody_needs_a_function_as_a_library() {
    let functions: Vec<&str> = Guardrail::ALL.iter().map(|guardrail| guardrail.id()).collect();
    assert_room("palisade-tests", &functions);
}

/// Every file of a folder, those of its folders too.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn the_clock_and_the_environment_stay_out_of_policy_and_trigger() {
    for room in ["shared/policy/src", "shared/trigger/src"] {
        for path in files(&root().join(room)) {
            let source = fs::read_to_string(&path).unwrap();
            for banned in ["Timestamp::now", "SystemTime", "Instant::now", "std::env", "std::fs", "std::net::Tcp", "println!", "async fn"] {
                assert!(!source.contains(banned), "{} has `{banned}`", path.display());
            }
        }
    }
}

#[test]
fn every_guardrail_has_its_rooms_under_one_name() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let template = fs::read_to_string(root().join("template.yaml")).unwrap();
    let mut missing = Vec::new();
    for guardrail in Guardrail::ALL {
        let id = guardrail.id();
        let module = format!("shared/policy/src/{}.rs", id.replace('-', "_"));
        for room in [format!("functions/{id}/src/main.rs"), format!("functions/{id}/Cargo.toml"), module.clone(), format!("events/{id}")] {
            if !root().join(&room).exists() {
                missing.push(format!("{id} has no {room}"));
            }
        }
        let heading = format!("//! # {id}\n");
        if !fs::read_to_string(root().join(&module)).is_ok_and(|source| source.starts_with(&heading)) {
            missing.push(format!("{module} does not begin with the heading `{id}`"));
        }
        let block = format!("\n  {}:\n    Type: AWS::Serverless::Function\n", logical_id(guardrail));
        if !template.contains(&block) || !template.contains(&format!("BuildProperties: {{Binary: {id}}}")) {
            missing.push(format!("template.yaml has no function {}, or it is not built from {id}", logical_id(guardrail)));
        }
        if !readme.contains(&format!("| `{id}`")) {
            missing.push(format!("the guardrail table of README.md has no {id}"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_room_belongs_to_a_guardrail() {
    let known: BTreeSet<&str> = Guardrail::ALL.iter().map(|guardrail| guardrail.id()).collect();
    for rooms in ["functions", "events"] {
        for entry in fs::read_dir(root().join(rooms)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(known.contains(name.as_str()), "{rooms}/{name} is no guardrail's");
        }
    }
}

/// The names of settings in a text, between these quotes.
fn settings(text: &str, quote: char) -> BTreeSet<String> {
    let is_name = |text: &&str| {
        text.starts_with("PALISADE_")
            && text.len() > "PALISADE_".len()
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    text.split(quote).filter(is_name).map(str::to_owned).collect()
}

#[test]
fn the_code_the_readme_and_the_template_know_the_same_settings() {
    let mut sources = vec![root().join("shared/runtime/src/settings.rs")];
    sources.extend(Guardrail::ALL.iter().map(|guardrail| root().join("functions").join(guardrail.id()).join("src/main.rs")));
    let known: BTreeSet<String> = sources.iter().flat_map(|path| settings(&fs::read_to_string(path).unwrap(), '"')).collect();
    assert!(known.len() > 20, "{known:?}");
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let table = readme.split("\n## ").find(|part| part.starts_with("Settings\n")).unwrap();
    let rows: String = table.lines().filter(|line| line.starts_with("| `PALISADE_")).filter_map(|line| line.split('|').nth(1)).collect();
    assert_eq!(settings(&rows, '`'), known, "the settings in the table of README.md, and those of the code");
    let template = fs::read_to_string(root().join("template.yaml")).unwrap();
    let given: String = template.lines().filter_map(|line| line.trim().split_once(':')).map(|(name, _)| format!("\"{name}\"")).collect();
    assert_eq!(settings(&given, '"'), known, "the settings in template.yaml, and those of the code");
}

#[test]
fn every_promise_names_tests_that_exist() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let section = readme.split("\n## ").find(|section| section.starts_with("What Palisade will never do\n")).unwrap();
    let rooms = ["shared/policy", "shared/trigger", "shared/runtime", "tests"];
    let sources: String = rooms
        .iter()
        .flat_map(|room| files(&root().join(room)))
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    // Whatever stands between the attribute and the name, such as a note to the linter, is no line of code.
    let is_a_test = |name: &str| {
        sources.match_indices(&format!("fn {name}(")).any(|(at, _)| {
            let before = sources[..at].trim_end();
            before.lines().rev().take_while(|line| line.trim_start().starts_with("#[")).any(|line| line.trim() == "#[test]")
        })
    };
    let promises: Vec<&str> = section.split("\n- ").skip(1).collect();
    assert!(promises.len() > 10, "{promises:?}");
    let mut broken = Vec::new();
    for promise in promises {
        let names: Vec<&str> = promise.split('`').skip(1).step_by(2).filter(|name| name.contains('_')).collect();
        if names.is_empty() {
            broken.push(format!("nothing holds: {promise}"));
        }
        broken.extend(names.into_iter().filter(|name| !is_a_test(name)).map(|name| format!("there is no test `{name}`")));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
