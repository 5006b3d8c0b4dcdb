//! `template.yaml`, deployed to the local cloud: once for all tests, under `AUTH=true`.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use palisade_policy::guardrail::Guardrail;
use palisade_tests::binaries::{self, root};
use palisade_tests::case::{ACCOUNT, World};
use palisade_tests::local_cloud::LocalCloud;
use palisade_tests::permission::Permissions;
use palisade_tests::world::Made;
use serde_json::{Value, json};

use crate::scene::{aws, block_on};

/// The prefix of every name, as `template.yaml` has it.
pub(crate) const PREFIX: &str = "palisade";

/// Types that the local cloud can't make. `cfn-lint` has looked at them; nothing else has.
const NOT_MADE: [&str; 4] = ["AWS::Config::ConfigRule", "AWS::Logs::QueryDefinition", "AWS::WAFv2::IPSet", "AWS::WAFv2::RuleGroup"];

/// What was deployed.
pub(crate) struct House {
    pub(crate) cloud: LocalCloud,
    /// What each function's role may do, read back from IAM.
    pub(crate) roles: BTreeMap<Guardrail, Permissions>,
    /// The physical ids of the stack's resources by their logical ones.
    pub(crate) made: BTreeMap<String, String>,
}

/// The house. The first to ask has it deployed.
pub(crate) fn house() -> &'static House {
    static HOUSE: OnceLock<House> = OnceLock::new();
    HOUSE.get_or_init(|| {
        aws(); // which builds the functions
        deploy(LocalCloud::start(&|what| eprintln!("{what}")).unwrap()).unwrap()
    })
}

/// `template.yaml` as JSON.
pub(crate) fn template(cloud: &LocalCloud) -> Value {
    cloud.template(&root().join("template.yaml")).unwrap()
}

/// The logical id of a guardrail's function: its id in Pascal case.
pub(crate) fn logical_id(guardrail: Guardrail) -> String {
    let word = |word: &str| word.chars().enumerate().map(|(at, c)| if at == 0 { c.to_ascii_uppercase() } else { c }).collect::<String>();
    guardrail.id().split('-').map(word).collect()
}

fn deploy(cloud: LocalCloud) -> anyhow::Result<House> {
    const BUCKET: &str = "packages";
    let configuration = json!({"LocationConstraint": "eu-west-1"});
    cloud.call("s3", "create_bucket", json!({"Bucket": BUCKET, "CreateBucketConfiguration": configuration}))?;
    let mut template = template(&cloud);
    let globals = template["Globals"]["Function"].as_object_mut().unwrap();
    globals.remove("CodeUri");
    let outputs = template["Outputs"].as_object_mut().unwrap();
    outputs.remove("DeniedSources"); // which is not made
    let resources = template["Resources"].as_object_mut().unwrap();
    // It makes no alarm on a query either.
    let queries = |resource: &Value| resource["Properties"].get("Metrics").is_some();
    resources.retain(|_, resource| !NOT_MADE.contains(&resource["Type"].as_str().unwrap()) && !queries(resource));
    // The local cloud is reached without TLS, which the topics refuse.
    for policy in resources.values_mut().filter(|resource| resource["Type"] == "AWS::SNS::TopicPolicy") {
        let statements = &mut policy["Properties"]["PolicyDocument"]["Statement"];
        statements.as_array_mut().unwrap().retain(|statement| statement["Effect"] != "Deny");
    }
    // To it `aws:PrincipalArn` is the ARN of a role's session; to AWS it is the role's ("AWS global condition context keys").
    let key = resources["SealKey"].to_string();
    let key = key.replace(":iam::${AWS::AccountId}:role/", ":sts::${AWS::AccountId}:assumed-role/");
    resources["SealKey"] = serde_json::from_str(&key.replace("-${AWS::Region}\"", "-${AWS::Region}/*\""))?;
    for guardrail in Guardrail::ALL {
        // As `sam build` and `sam package` would leave it, with the binaries that cargo has just built.
        let package = json!({"$bootstrap": binaries::of(guardrail)?});
        cloud.call("s3", "put_object", json!({"Bucket": BUCKET, "Key": guardrail.id(), "Body": package}))?;
        resources[&logical_id(guardrail)]["Properties"]["CodeUri"] = json!({"Bucket": BUCKET, "Key": guardrail.id()});
    }
    let parameter = |(name, value): (&str, &str)| json!({"ParameterKey": name, "ParameterValue": value});
    let parameters: Vec<Value> = [
        ("Architecture", if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }),
        ("NewVpcDelaySeconds", "0"),
        ("NoticeEmail", "security@example.com"),
        ("ConfigRules", "yes"),
        ("SecurityHub", "resolve"),
        ("AlarmEvents", "yes"),
        ("Detection", "yes"),
        ("IpSetArnsV4", &ip_sets()),
    ]
    .map(parameter)
    .to_vec();
    cloud.call("s3", "put_object", json!({"Bucket": BUCKET, "Key": "template", "Body": template.to_string()}))?;
    let stack = json!({
        "StackName": PREFIX, "TemplateURL": format!("{}/{BUCKET}/template", cloud.url()), "Parameters": parameters,
        "Capabilities": ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    });
    cloud.call("cloudformation", "create_stack", stack)?;
    let asked = Instant::now();
    loop {
        let stacks = cloud.call("cloudformation", "describe_stacks", json!({"StackName": PREFIX}))?;
        match stacks["Stacks"][0]["StackStatus"].as_str().unwrap_or_default() {
            "CREATE_COMPLETE" => break,
            "CREATE_IN_PROGRESS" if asked.elapsed() < Duration::from_secs(120) => std::thread::sleep(Duration::from_millis(200)),
            other => {
                let events = cloud.call("cloudformation", "describe_stack_events", json!({"StackName": PREFIX}))?;
                anyhow::bail!("the stack is {other}: {}", reasons(&events));
            }
        }
    }
    let listed = cloud.call("cloudformation", "describe_stack_resources", json!({"StackName": PREFIX}))?;
    let text = |resource: &Value, name: &str| resource[name].as_str().unwrap_or_default().to_owned();
    let made = listed["StackResources"].as_array().unwrap().iter();
    let made = made.map(|resource| (text(resource, "LogicalResourceId"), text(resource, "PhysicalResourceId"))).collect();
    let roles = Guardrail::ALL.iter().map(|guardrail| Ok((*guardrail, role(&cloud, *guardrail)?))).collect::<anyhow::Result<_>>()?;
    Ok(House { cloud, roles, made })
}

/// Two IP sets in the local AWS, as a reader's own would be: the local cloud makes none.
fn ip_sets() -> String {
    let literal = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"]
        .map(|id| format!("arn:aws:wafv2:eu-west-1:{ACCOUNT}:regional/ipset/set-{}/{id}", id.split('-').next().unwrap_or_default()));
    let sets: serde_json::Map<String, Value> =
        literal.iter().map(|arn| (arn.clone(), json!({"addressFamily": "IPv4", "addresses": []}))).collect();
    let world: World = serde_json::from_value(json!({"ipSets": sets})).unwrap();
    // In a thread of its own: whoever asks for the house may be in a runtime already.
    let made = std::thread::spawn(move || block_on(Made::make(aws(), ACCOUNT, &world)).unwrap()).join().unwrap();
    literal.map(|arn| made.real(&arn).to_owned()).join(",")
}

fn reasons(events: &Value) -> String {
    let events = events["StackEvents"].as_array().cloned().unwrap_or_default();
    let failed = events.iter().filter(|event| event["ResourceStatus"].as_str().is_some_and(|status| status.ends_with("FAILED")));
    failed.map(|event| format!("{}: {}", event["LogicalResourceId"], event["ResourceStatusReason"])).collect::<Vec<_>>().join("; ")
}

fn role(cloud: &LocalCloud, guardrail: Guardrail) -> anyhow::Result<Permissions> {
    let role = format!("{PREFIX}-{guardrail}-eu-west-1");
    let mut documents = Vec::new();
    for name in cloud.call("iam", "list_role_policies", json!({"RoleName": role}))?["PolicyNames"].as_array().into_iter().flatten() {
        let policy = cloud.call("iam", "get_role_policy", json!({"RoleName": role, "PolicyName": name}))?;
        documents.push(policy["PolicyDocument"].clone());
    }
    let attached = cloud.call("iam", "list_attached_role_policies", json!({"RoleName": role}))?;
    for policy in attached["AttachedPolicies"].as_array().into_iter().flatten() {
        let arn = &policy["PolicyArn"];
        let version = cloud.call("iam", "get_policy", json!({"PolicyArn": arn}))?["Policy"]["DefaultVersionId"].clone();
        let version = cloud.call("iam", "get_policy_version", json!({"PolicyArn": arn, "VersionId": version}))?;
        documents.push(version["PolicyVersion"]["Document"].clone());
    }
    Permissions::read(&documents)
}
