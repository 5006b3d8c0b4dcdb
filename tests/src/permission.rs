//! What a role may do, held against the calls that its function makes.
//!
//! It judges as IAM does ("Policy evaluation logic", IAM User Guide) for the policies of `template.yaml`: statements that allow, and the few
//! condition operators used there. Any other is an error, never a guess. Which resources an action is judged by is from the Service
//! Authorization Reference of each service.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::proxy::Call;

/// The policies of a role.
#[derive(Debug, Clone, Default)]
pub struct Permissions {
    statements: Vec<Statement>,
}

#[derive(Debug, Clone)]
struct Statement {
    actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone)]
struct Condition {
    kind: Kind,
    key: String,
    wanted: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The key is there, and one of the patterns fits it. (`StringEquals` is a pattern without a `*`.)
    Fits,
    /// Each of the key's values fits one of the patterns, also when there is none.
    EachFits,
    /// The key is not there where the condition says `true`, and there where it says `false`.
    IsNull,
}

/// What IAM is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `ec2:CreateTags`.
    pub action: String,
    /// An ARN, or `*` where the action knows no resource.
    pub resource: String,
    /// The condition keys of the request.
    pub keys: BTreeMap<String, Vec<String>>,
}

impl Permissions {
    /// Reads policy documents.
    ///
    /// # Errors
    /// What this does not judge: a denial, `NotAction`, `NotResource`, another operator.
    pub fn read<'a>(documents: impl IntoIterator<Item = &'a Value>) -> anyhow::Result<Self> {
        let mut statements = Vec::new();
        for document in documents {
            for statement in one_or_several(document.get("Statement").context("a policy without statements")?) {
                let members = statement.as_object().context("a statement that is not an object")?;
                if let Some(unknown) = members.keys().find(|name| !["Effect", "Action", "Resource", "Condition"].contains(&name.as_str())) {
                    bail!("a statement with `{unknown}`");
                }
                if statement.get("Effect").and_then(Value::as_str) != Some("Allow") {
                    bail!("a statement that does not allow");
                }
                let conditions = statement.get("Condition").and_then(Value::as_object);
                statements.push(Statement {
                    actions: texts(statement.get("Action").context("a statement without an action")?),
                    resources: texts(statement.get("Resource").context("a statement without a resource")?),
                    conditions: conditions.into_iter().flatten().map(conditions_of).collect::<anyhow::Result<Vec<_>>>()?.concat(),
                });
            }
        }
        Ok(Self { statements })
    }

    /// Every action that it names.
    #[must_use]
    pub fn actions(&self) -> BTreeSet<String> {
        self.statements.iter().flat_map(|statement| statement.actions.iter().cloned()).collect()
    }

    /// Whether it allows that.
    #[must_use]
    pub fn allows(&self, request: &Request) -> bool {
        self.statements.iter().any(|statement| {
            statement.actions.iter().any(|action| action.eq_ignore_ascii_case(&request.action))
                && statement.resources.iter().any(|pattern| fits(pattern, &request.resource))
                && statement.conditions.iter().all(|condition| condition.holds(request))
        })
    }
}

impl Condition {
    fn holds(&self, request: &Request) -> bool {
        let any = |value: &String| self.wanted.iter().any(|pattern| fits(pattern, value));
        let values = request.keys.get(&self.key).map(Vec::as_slice).unwrap_or_default();
        match self.kind {
            Kind::Fits => !values.is_empty() && values.iter().any(any),
            Kind::EachFits => values.iter().all(any),
            Kind::IsNull => self.wanted.iter().any(|wanted| (wanted == "true") == values.is_empty()),
        }
    }
}

fn conditions_of((operator, keys): (&String, &Value)) -> anyhow::Result<Vec<Condition>> {
    let kind = match operator.as_str() {
        "Null" => Kind::IsNull,
        "StringEquals" | "StringLike" => Kind::Fits,
        "ForAllValues:StringLike" => Kind::EachFits,
        other => bail!("the condition operator `{other}`"),
    };
    let keys = keys.as_object().context("a condition that is not an object")?;
    Ok(keys.iter().map(|(key, wanted)| Condition { kind, key: key.clone(), wanted: texts(wanted) }).collect())
}

fn one_or_several(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |values| values.iter().collect())
}

fn texts(value: &Value) -> Vec<String> {
    one_or_several(value).into_iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// `*` stands for any text, as in IAM.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|tail| {
            let tails = tail.char_indices().map(|(at, _)| at).chain([tail.len()]);
            tails.filter_map(|at| tail.get(at..)).any(|tail| fits(rest, tail))
        }),
    }
}

/// What IAM is asked when a call is made in this account: one request a resource, and those that the call implies.
///
/// # Errors
/// A call of which it is not known here what it asks.
pub fn requests(call: &Call, account: &str, region: &str) -> anyhow::Result<Vec<Request>> {
    let action = format!("{}:{}", service_prefix(call)?, call.action);
    let ec2 = |kind: &str, id: &str| format!("arn:aws:ec2:{region}:{account}:{kind}/{id}");
    let parameter = |name: &str| call.parameter(name).with_context(|| format!("{action} without {name}"));
    let member = |name: &str| {
        let value = call.json.as_ref().and_then(|json| json.get(name)).and_then(Value::as_str);
        value.with_context(|| format!("{action} without {name}"))
    };
    let numbered = |name: &str| -> Vec<String> {
        let starts = format!("{name}.");
        let ours = call.parameters.iter().filter(|(its, _)| its.starts_with(&starts));
        ours.map(|(_, value)| value.clone()).collect()
    };
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::from([("aws:RequestedRegion".to_owned(), vec![region.to_owned()])]);
    let mut implied: Vec<Request> = Vec::new();
    let asked = |action: &str, resource: String, key: &str, value: &str| Request {
        action: action.to_owned(),
        resource,
        keys: BTreeMap::from([("aws:RequestedRegion".to_owned(), vec![region.to_owned()]), (key.to_owned(), vec![value.to_owned()])]),
    };
    let is_tagged = call.parameters.iter().any(|(name, _)| name.starts_with("TagSpecification."));
    let resources = match call.action.as_str() {
        "AuthorizeSecurityGroupIngress" | "AuthorizeSecurityGroupEgress" => {
            if is_tagged {
                implied.push(asked("ec2:CreateTags", ec2("security-group-rule", "sgr-new"), "ec2:CreateAction", &call.action));
            }
            vec![ec2("security-group", parameter("GroupId")?)]
        }
        "RevokeSecurityGroupIngress" | "RevokeSecurityGroupEgress" => {
            let rules = numbered("SecurityGroupRuleId");
            let group = ec2("security-group", parameter("GroupId")?);
            rules.iter().map(|rule| ec2("security-group-rule", rule)).chain([group]).collect()
        }
        "CreateTags" | "DeleteTags" => {
            let tagged = call.parameters.iter().filter(|(name, _)| name.starts_with("Tag.") && name.ends_with(".Key"));
            keys.insert("aws:TagKeys".to_owned(), tagged.map(|(_, key)| key.clone()).collect());
            numbered("ResourceId").iter().map(|id| Ok(ec2(kind_of(id)?, id))).collect::<anyhow::Result<_>>()?
        }
        "CreateNetworkAclEntry" | "DeleteNetworkAclEntry" => vec![ec2("network-acl", parameter("NetworkAclId")?)],
        "CreateFlowLogs" => {
            if let Some(role) = call.parameter("DeliverLogsPermissionArn") {
                implied.push(asked("iam:PassRole", role.to_owned(), "iam:PassedToService", "vpc-flow-logs.amazonaws.com"));
            } else {
                implied.push(asked("logs:CreateLogDelivery", "*".to_owned(), "", ""));
                implied.push(asked("logs:DeleteLogDelivery", "*".to_owned(), "", ""));
            }
            if is_tagged {
                implied.push(asked("ec2:CreateTags", ec2("vpc-flow-log", "fl-new"), "ec2:CreateAction", "CreateFlowLogs"));
            }
            let vpcs = numbered("ResourceId");
            vpcs.iter().map(|vpc| ec2("vpc", vpc)).chain([ec2("vpc-flow-log", "fl-new")]).collect()
        }
        "DeleteFlowLogs" => {
            keys.insert("aws:ResourceTag/palisade:guardrail".to_owned(), vec!["enable-flow-logs".to_owned()]);
            numbered("FlowLogId").iter().map(|id| ec2("vpc-flow-log", id)).collect()
        }
        "GetManagedPrefixListEntries" => vec![ec2("prefix-list", parameter("PrefixListId")?)],
        "Publish" => {
            // The topic is encrypted, and SNS asks for its key in our name.
            for needed in ["kms:Decrypt", "kms:GenerateDataKey"] {
                implied.push(asked(needed, "<key of the topic>".to_owned(), "kms:ViaService", &format!("sns.{region}.amazonaws.com")));
            }
            vec![parameter("TopicArn")?.to_owned()]
        }
        "SendMessage" => {
            let name = member("QueueUrl")?.rsplit('/').next().unwrap_or_default().to_owned();
            vec![format!("arn:aws:sqs:{region}:{account}:{name}")]
        }
        "GetIPSet" | "UpdateIPSet" => {
            let (scope, region) = if member("Scope")? == "CLOUDFRONT" { ("global", "us-east-1") } else { ("regional", region) };
            vec![format!("arn:aws:wafv2:{region}:{account}:{scope}/ipset/{}/{}", member("Name")?, member("Id")?)]
        }
        "StartQuery" => vec![format!("arn:aws:logs:{region}:{account}:log-group:{}:*", member("logGroupName")?)],
        "GenerateMac" | "VerifyMac" => vec![member("KeyId")?.to_owned()],
        "BatchUpdateFindings" => vec![format!("arn:aws:securityhub:{region}:{account}:hub/default")],
        // The services know no resources for these.
        "GetQueryResults" | "StopQuery" | "PutEvaluations" => vec!["*".to_owned()],
        read if read.starts_with("Describe") => vec!["*".to_owned()],
        other => bail!("it is not known here what {other} asks of IAM"),
    };
    let own = resources.into_iter().map(|resource| Request { action: action.clone(), resource, keys: keys.clone() });
    Ok(own.chain(implied).collect())
}

/// The name of a service in IAM is mostly that of its signature.
fn service_prefix(call: &Call) -> anyhow::Result<&str> {
    match call.service.as_str() {
        "" => bail!("a call of {} that is not signed", call.action),
        service => Ok(service),
    }
}

fn kind_of(id: &str) -> anyhow::Result<&'static str> {
    Ok(match id.split('-').next().unwrap_or_default() {
        "acl" => "network-acl",
        "fl" => "vpc-flow-log",
        "sg" => "security-group",
        "sgr" => "security-group-rule",
        "vpc" => "vpc",
        _ => bail!("`{id}` is of no known kind"),
    })
}
