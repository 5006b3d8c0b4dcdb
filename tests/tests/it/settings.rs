//! Settings are read once at start, and strictly: what can't be used stops the function, with the variable's name.

use palisade_policy::guardrail::Guardrail;
use palisade_tests::binaries;
use palisade_tests::lambda::{InitError, Lambda};

use crate::scene::{aws, block_on};

const ARN: &str = "arn:aws:lambda:eu-west-1:111122223333:function:palisade";
const TOPIC: (&str, &str) = ("PALISADE_TOPIC_ARN", "arn:aws:sns:eu-west-1:111122223333:palisade");

/// Starts the function with these variables, and gives the error that it reports to Lambda, if it does not start.
fn init_error(variables: &[(&str, &str)]) -> Option<InitError> {
    init_error_of(Guardrail::RevokeAdminIngress, variables)
}

pub(crate) fn init_error_of(guardrail: Guardrail, variables: &[(&str, &str)]) -> Option<InitError> {
    aws();
    block_on(async {
        let mut environment = vec![("AWS_REGION".to_owned(), "eu-west-1".to_owned()), (TOPIC.0.to_owned(), TOPIC.1.to_owned())];
        for (name, value) in variables {
            environment.retain(|(its, _)| its != name);
            if *value != "<unset>" {
                environment.push(((*name).to_owned(), (*value).to_owned()));
            }
        }
        let binary = binaries::of(guardrail).unwrap();
        let mut lambda = Lambda::start(&binary, ARN, &environment).await.unwrap();
        // An event that needs no AWS.
        lambda.invoke(r#"{"key1": "value1"}"#).await.err().map(|error| error.downcast::<InitError>().unwrap())
    })
}

#[test]
fn a_setting_that_cannot_be_used_stops_the_function_with_its_name() {
    let table = [
        ("PALISADE_TOPIC_ARN", "<unset>", "is not set"),
        ("PALISADE_TOPIC_ARN", "", "`` is not an ARN"),
        ("PALISADE_TOPIC_ARN", "palisade", "is not an ARN"),
        ("PALISADE_TOPIC_ARN", "arn:aws:sqs:eu-west-1:111122223333:palisade", "not an ARN of sns"),
        ("PALISADE_MODE", "Enforce", "`Enforce` is not `dry-run` or `enforce`"),
        ("PALISADE_MODE", "", "`` is not `dry-run` or `enforce`"),
        ("PALISADE_MODE", "enforce ", "`enforce ` is not"),
        ("PALISADE_EXEMPTIONS", "on", "`on` is not `tags` or `off`"),
        ("PALISADE_MAX_CHANGES", "0", "`0` is not a whole number from 1 up"),
        ("PALISADE_MAX_CHANGES", "fifty", "`fifty` is not a whole number"),
        ("PALISADE_MAX_CHANGES", "+5", "`+5` is not a whole number"),
        ("PALISADE_ROLE_ARN", "palisade-role", "is not an ARN"),
        ("PALISADE_FAILURE_QUEUE_URL", "arn:aws:sqs:eu-west-1:111122223333:palisade", "is not the URL of a queue"),
        ("PALISADE_ADMIN_PORTS", "", "`` is not a port"),
        ("PALISADE_ADMIN_PORTS", "22,ssh", "`ssh` is not a port"),
        ("PALISADE_ADMIN_PORTS", "22;3389", "`22;3389` is not a port"),
        ("PALISADE_ADMIN_PORTS", "70000", "`70000` is not a port"),
        ("PALISADE_ADMIN_PORTS", "5910-5900", "`5910-5900` is not a port"),
        ("PALISADE_TRUSTED_SOURCES", "198.51.100.0", "`198.51.100.0` is not a CIDR block"),
        ("PALISADE_TRUSTED_SOURCES", "198.51.100.7/24", "did you mean `198.51.100.0/24`"),
        ("PALISADE_TRUSTED_SOURCES", "198.51.100.0/24,", "`` is not a CIDR block"),
        ("PALISADE_TRUSTED_SOURCES", "44.0.0.0/8", "as wide as what counts as the world"),
        ("PALISADE_TRUSTED_SOURCES", "::/0", "as wide as what counts as the world"),
        ("PALISADE_REPLACEMENT_SOURCES", "0.0.0.0/0", "as wide as what counts as the world"),
        ("PALISADE_WORLD_PREFIX_V4", "33", "`/33` is not a prefix length"),
        ("PALISADE_WORLD_PREFIX_V4", "0", "`0` is not a whole number from 1 up"),
        ("PALISADE_WORLD_PREFIX_V6", "/16", "`/16` is not a whole number"),
        ("PALISADE_RANGES", "keep", "`keep` is not `carve` or `revoke`"),
        ("AWS_REGION", "<unset>", "is not set"),
        ("PALISADE_ADMIN_PORT", "22", "is not a setting of this function"),
        ("PALISADE_IN_USE", "strip", "is not a setting of this function"),
        ("PALISADE_", "", "is not a setting of this function"),
    ];
    for (variable, value, problem) in table {
        let error = init_error(&[(variable, value)]).unwrap_or_else(|| panic!("it started with {variable}=`{value}`"));
        assert_eq!(error.kind, "Palisade.Settings");
        assert!(error.message.contains(&format!("`{variable}`")), "{variable}=`{value}`: {}", error.message);
        assert!(error.message.contains(problem), "{variable}=`{value}`: {}", error.message);
    }
}

#[test]
fn settings_that_make_sense_start_the_function() {
    let table: [&[(&str, &str)]; 6] = [
        &[],
        &[("PALISADE_MODE", "enforce"), ("PALISADE_MAX_CHANGES", "1"), ("PALISADE_EXEMPTIONS", "off")],
        &[("PALISADE_ADMIN_PORTS", "22, 5900-5910, udp/3389, high-risk")],
        &[("PALISADE_TRUSTED_SOURCES", "198.51.100.0/24, 2001:db8::/32"), ("PALISADE_REPLACEMENT_SOURCES", "203.0.113.0/24,10.0.0.0/8")],
        &[("PALISADE_WORLD_PREFIX_V4", "4"), ("PALISADE_WORLD_PREFIX_V6", "128"), ("PALISADE_RANGES", "revoke")],
        &[
            ("PALISADE_FAILURE_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/111122223333/q"),
            ("PALISADE_ROLE_ARN", "arn:aws:iam::111122223333:role/r"),
        ],
    ];
    for settings in table {
        assert_eq!(init_error(settings), None, "{settings:?}");
    }
}

#[test]
fn strip_default_group_knows_what_to_do_with_a_group_in_use() {
    let init_error = |settings: &[(&str, &str)]| init_error_of(Guardrail::StripDefaultGroup, settings);
    for (variable, value, problem) in [
        ("PALISADE_IN_USE", "", "`` is not `refuse` or `strip`"),
        ("PALISADE_IN_USE", "Strip", "`Strip` is not `refuse` or `strip`"),
        ("PALISADE_IN_USE", "strip ", "`strip ` is not"),
        ("PALISADE_IN_USE", "true", "`true` is not"),
        ("PALISADE_EXEMPTIONS", "on", "`on` is not `tags` or `off`"),
        ("PALISADE_INUSE", "strip", "is not a setting of this function"),
        ("PALISADE_ADMIN_PORTS", "22", "is not a setting of this function"),
    ] {
        let error = init_error(&[(variable, value)]).unwrap_or_else(|| panic!("it started with {variable}=`{value}`"));
        assert!(error.message.contains(&format!("`{variable}`")) && error.message.contains(problem), "{}", error.message);
    }
    for settings in [&[][..], &[("PALISADE_IN_USE", "refuse")], &[("PALISADE_IN_USE", "strip"), ("PALISADE_EXEMPTIONS", "off")]] {
        assert_eq!(init_error(settings), None, "{settings:?}");
    }
}

/// The rows of the README's table: the variables, and the functions that know them.
fn table_of_the_readme() -> Vec<(String, Vec<Guardrail>)> {
    let readme = std::fs::read_to_string(binaries::root().join("README.md")).unwrap();
    let section = readme.split("\n## ").find(|part| part.starts_with("Settings\n")).unwrap().to_owned();
    let names = |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let mut rows = Vec::new();
    for line in section.lines().filter(|line| line.starts_with("| `PALISADE_")) {
        let cells: Vec<&str> = line.split('|').collect();
        let functions: Vec<Guardrail> = match cells[2].trim() {
            "all" => Guardrail::ALL.to_vec(),
            some => names(some).iter().map(|id| Guardrail::ALL.into_iter().find(|guardrail| guardrail.id() == id).unwrap()).collect(),
        };
        rows.extend(names(cells[1]).into_iter().map(|variable| (variable, functions.clone())));
    }
    rows
}

#[test]
fn each_function_knows_just_the_settings_that_the_table_of_the_readme_gives_it() {
    let rows = table_of_the_readme();
    let mut wrong = Vec::new();
    for (at, (variable, functions)) in rows.iter().enumerate() {
        if rows[..at].iter().any(|(before, _)| before == variable) {
            wrong.push(format!("{variable} has two rows"));
        }
        for guardrail in Guardrail::ALL {
            // What a function can't go without, so that it comes to the others.
            let needed: &[(&str, &str)] = match guardrail {
                Guardrail::EnableFlowLogs => &[("PALISADE_FLOW_LOG_DESTINATION", "arn:aws:s3:::logs")],
                Guardrail::UndoChange => &[("PALISADE_SEAL_KEY_ARN", "arn:aws:kms:eu-west-1:111122223333:key/1")],
                _ => &[],
            };
            // A space is no value of any: whoever knows the variable refuses it, and whoever does not says so.
            let settings: Vec<(&str, &str)> =
                needed.iter().copied().filter(|(name, _)| name != variable).chain([(variable.as_str(), " ")]).collect();
            let error = init_error_of(guardrail, &settings).unwrap_or_else(|| panic!("{guardrail} started with {variable}=` `"));
            let known = !error.message.contains("is not a setting of this function");
            if !error.message.contains(&format!("`{variable}`")) || known != functions.contains(&guardrail) {
                wrong.push(format!("{guardrail}, {variable}: {}", error.message));
            }
        }
    }
    assert!(rows.len() > 25, "{rows:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
