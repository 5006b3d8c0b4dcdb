//! What the proxy does in place of the local AWS, where that is not like AWS, or where AWS itself would stumble.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::permission::Permissions;
use crate::proxy::Call;

/// What to do otherwise.
#[derive(Debug, Clone, Default)]
pub struct Stub {
    /// Cuts the listings of EC2 into pages of so many, the second of them empty: the local AWS never pages, and AWS may answer an empty
    /// page with a token ("Pagination", Amazon EC2 API).
    pub page_size: Option<usize>,
    /// Gives security groups and VPCs another owner, as in a shared VPC, which the local AWS does not have.
    pub owners: BTreeMap<String, String>,
    /// The rows that a Logs Insights query finds: the local AWS does not run queries. The first time it is asked, the query still runs.
    pub query_results: Option<Vec<BTreeMap<String, String>>>,
    /// The role that calls: what its policies do not allow is refused, for the local AWS has no IAM.
    pub role: Option<Permissions>,
    /// Calls that go wrong.
    pub faults: Vec<Fault>,
    /// A gate at which every call waits that has changed something, before it is answered: a test may look at what is there then.
    pub after_changes: Option<Arc<Gate>>,
}

/// Some calls of an action go wrong.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The action, such as `RevokeSecurityGroupIngress`.
    pub action: &'static str,
    /// Which calls of it, counted from 1; every attempt of the SDK is one.
    pub calls: RangeInclusive<usize>,
    /// How.
    pub how: How,
}

/// How a call goes wrong.
#[derive(Debug, Clone)]
pub enum How {
    /// AWS refuses it.
    Refuse {
        /// HTTP status.
        status: u16,
        /// AWS error code.
        code: &'static str,
    },
    /// AWS answers this, with HTTP 200, and does nothing.
    Answer(String),
    /// AWS does it, and the answer is lost on the way.
    LoseAnswer,
    /// The connection is reset before AWS has seen the call.
    Reset,
    /// No answer comes, nor does AWS do it.
    Hang,
    /// AWS does it after so long.
    Late(Duration),
    /// The answer is what the first call of the action was answered: EC2's reads may be old.
    AnswerOfFirst,
    /// It waits at a gate.
    Wait(Arc<Gate>),
    /// It waits at a gate, and the answer has one element more: the local AWS does not say what it revoked.
    WaitAndTell(Arc<Gate>, String),
}

/// Where a call waits until a test has done what it wants to do meanwhile.
#[derive(Debug, Default)]
pub struct Gate {
    reached: Notify,
    opened: Notify,
}

impl Gate {
    /// Waits until a call has come.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Lets it through.
    pub fn open(&self) {
        self.opened.notify_one();
    }

    pub(crate) async fn pass(&self) {
        self.reached.notify_one();
        self.opened.notified().await;
    }
}

/// An answer in place of the local AWS's.
pub(crate) enum StandIn {
    /// An error: the HTTP status, and the AWS error code.
    Refusal(u16, &'static str),
    /// JSON.
    Json(Value),
}

/// What AWS Config says to evaluations that break the documented limits ("PutEvaluations" and "Evaluation", AWS Config API).
fn wrong_evaluations(body: Option<&Value>) -> Option<&'static str> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let body = body?;
    if text(body, "ResultToken").is_none_or(|token| token.is_empty()) {
        return Some("InvalidResultTokenException");
    }
    let evaluations = body.get("Evaluations").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let fits = |one: &Value| {
        let verdict = text(one, "ComplianceType");
        ["COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE"].iter().any(|known| verdict.as_deref() == Some(known))
            && text(one, "ComplianceResourceType").is_some_and(|kind| !kind.is_empty())
            && text(one, "ComplianceResourceId").is_some_and(|id| !id.is_empty())
            && text(one, "Annotation").is_none_or(|note| (1..=256).contains(&note.chars().count()))
            && one.get("OrderingTimestamp").is_some_and(Value::is_number)
    };
    (evaluations.len() > 100 || !evaluations.iter().all(fits)).then_some("InvalidParameterValueException")
}

/// Whether Security Hub would refuse the update ("BatchUpdateFindings" and "NoteUpdate", Security Hub API).
fn wrong_update(body: Option<&Value>) -> bool {
    let text = |pointer: &str| body.and_then(|body| body.pointer(pointer)).and_then(Value::as_str);
    let some = |pointer: &str, longest: usize| text(pointer).is_some_and(|text| (1..=longest).contains(&text.chars().count()));
    let identified = some("/FindingIdentifiers/0/Id", 512) && some("/FindingIdentifiers/0/ProductArn", 2048);
    let known = |status: &str| ["NEW", "ASSIGNED", "IN_PROGRESS", "SUPPRESSED", "RESOLVED"].contains(&status);
    !identified || !some("/Note/Text", 512) || !some("/Note/UpdatedBy", 512) || !text("/Workflow/Status").is_none_or(known)
}

/// How this call of the action goes wrong, if it does.
pub(crate) fn fault<'a>(faults: &'a [Fault], action: &str, call: usize) -> Option<&'a How> {
    faults.iter().find(|fault| fault.action == action && fault.calls.contains(&call)).map(|fault| &fault.how)
}

impl Stub {
    /// The answer to a call that the local AWS answers wrongly or not at all, as documented by AWS. `calls` counts those of the action.
    pub(crate) fn stand_in(&self, call: &Call, calls: usize) -> Option<StandIn> {
        let is_dry_run = call.parameter("DryRun") == Some("true");
        match (call.action.as_str(), &self.query_results) {
            // It ignores DryRun on these, and really does it.
            ("CreateNetworkAclEntry" | "DeleteNetworkAclEntry", _) if is_dry_run => Some(StandIn::Refusal(412, "DryRunOperation")),
            // It takes none but those of a test mode.
            ("PutEvaluations", _) => Some(match wrong_evaluations(call.json.as_ref()) {
                None => StandIn::Json(json!({"FailedEvaluations": []})),
                Some(code) => StandIn::Refusal(400, code),
            }),
            // It does not know this one.
            ("BatchUpdateFindings", _) => Some(match wrong_update(call.json.as_ref()) {
                false => {
                    let findings = call.json.as_ref().and_then(|body| body.get("FindingIdentifiers"));
                    StandIn::Json(json!({"ProcessedFindings": findings, "UnprocessedFindings": []}))
                }
                true => StandIn::Refusal(400, "InvalidInputException"),
            }),
            ("StartQuery", Some(_)) => Some(StandIn::Json(json!({"queryId": "00000000-0000-4000-8000-000000000001"}))),
            ("GetQueryResults", Some(_)) if calls == 1 => Some(StandIn::Json(json!({"status": "Running", "results": []}))),
            ("GetQueryResults", Some(rows)) => {
                let row = |row: &BTreeMap<String, String>| {
                    row.iter().map(|(field, value)| json!({"field": field, "value": value})).collect::<Vec<_>>()
                };
                Some(StandIn::Json(json!({"status": "Complete", "results": rows.iter().map(row).collect::<Vec<_>>()})))
            }
            _ => None,
        }
    }

    /// The answer of the local AWS, with other owners, and cut to the page that the token names.
    pub(crate) fn rewrite(&self, action: &str, xml: &str, token: Option<&str>) -> anyhow::Result<String> {
        let owned = self.other_owners(action, xml)?;
        match (self.page_size, set_of(action)) {
            (Some(size), Some(set)) => page(&owned, set, size, token),
            _ => Ok(owned),
        }
    }

    fn other_owners(&self, action: &str, xml: &str) -> anyhow::Result<String> {
        let (id, owner) = match action {
            "DescribeSecurityGroups" => ("groupId", "ownerId"),
            "DescribeSecurityGroupRules" => ("groupId", "groupOwnerId"),
            "DescribeVpcs" => ("vpcId", "ownerId"),
            _ => return Ok(xml.to_owned()),
        };
        let document = roxmltree::Document::parse(xml).context("the local AWS answered something that is not XML")?;
        let mut replaced = xml.to_owned();
        // From the back, so that the ranges before stay what they were.
        for item in document.descendants().filter(|node| node.has_tag_name("item")).collect::<Vec<_>>().into_iter().rev() {
            let text = |name: &str| item.children().find(|child| child.tag_name().name() == name)?.first_child();
            let other = text(id).and_then(|id| self.owners.get(id.text()?));
            if let (Some(other), Some(owner)) = (other, text(owner)) {
                replaced.replace_range(owner.range(), other);
            }
        }
        Ok(replaced)
    }
}

/// The element with the items, for the listings that are cut.
fn set_of(action: &str) -> Option<&'static str> {
    match action {
        "DescribeSecurityGroups" => Some("securityGroupInfo"),
        "DescribeSecurityGroupRules" => Some("securityGroupRuleSet"),
        "DescribeNetworkInterfaces" => Some("networkInterfaceSet"),
        "DescribeManagedPrefixLists" => Some("prefixListSet"),
        "GetManagedPrefixListEntries" => Some("entrySet"),
        "DescribeNetworkAcls" => Some("networkAclSet"),
        "DescribeVpcs" => Some("vpcSet"),
        "DescribeFlowLogs" => Some("flowLogSet"),
        _ => None,
    }
}

/// Whether an answer is cut, so that the whole of it must be asked for.
pub(crate) fn is_listing(action: &str) -> bool {
    set_of(action).is_some()
}

/// The ids that a listing of network ACLs is asked for by a filter that the local AWS does not know ("DescribeNetworkAcls",
/// `network-acl-id`).
pub(crate) fn acls_asked_for(action: &str, parameters: &[(String, String)]) -> Option<Vec<String>> {
    let by_id = parameters.iter().any(|(name, value)| name == "Filter.1.Name" && value == "network-acl-id");
    let values = parameters.iter().filter(|(name, _)| name.starts_with("Filter.1.Value."));
    (action == "DescribeNetworkAcls" && by_id).then(|| values.map(|(_, value)| value.clone()).collect())
}

/// The listing without the ACLs that were not asked for.
pub(crate) fn only_acls(xml: &str, ids: &[String]) -> anyhow::Result<String> {
    let document = roxmltree::Document::parse(xml).context("the local AWS answered something that is not XML")?;
    let set = document.descendants().find(|node| node.has_tag_name("networkAclSet")).context("no ACLs in the answer")?;
    let mut kept = xml.to_owned();
    for item in set.children().filter(|node| node.has_tag_name("item")).collect::<Vec<_>>().into_iter().rev() {
        let id = item.children().find(|child| child.has_tag_name("networkAclId")).and_then(|child| child.text()).unwrap_or_default();
        if !ids.iter().any(|wanted| wanted == id) {
            kept.replace_range(item.range(), "");
        }
    }
    Ok(kept)
}

/// Page 0 has the first items, page 1 none, page 2 the next, and so on. The token is the number of the page.
fn page(xml: &str, set: &str, size: usize, token: Option<&str>) -> anyhow::Result<String> {
    let number: usize = token.map_or(Ok(0), str::parse).context("the function sent a token that it was not given")?;
    let document = roxmltree::Document::parse(xml).context("the local AWS answered something that is not XML")?;
    let set = document.descendants().find(|node| node.has_tag_name(set)).with_context(|| format!("no `{set}` in the answer"))?;
    let items: Vec<_> = set.children().filter(|node| node.has_tag_name("item")).map(|item| item.range()).collect();
    let name = set.tag_name().name();
    let (first, shown) = match number {
        0 => (0, size),
        1 => (size, 0),
        later => ((later - 1) * size, size),
    };
    let shown: String = items.iter().skip(first).take(shown).filter_map(|item| xml.get(item.clone())).collect();
    let more = first + if number == 1 { 0 } else { size } < items.len();
    let token = if more { format!("<nextToken>{}</nextToken>", number + 1) } else { String::new() };
    let mut cut = xml.to_owned();
    // Old tokens, if any, are the local AWS's own and mean nothing.
    cut.replace_range(set.range(), &format!("<{name}>{shown}</{name}>{token}"));
    Ok(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_every_item_once_and_the_second_is_empty() {
        let items: String = (0..5).map(|n| format!("<item><groupId>sg-{n}</groupId></item>")).collect();
        let xml = format!("<R xmlns=\"http://x/\"><securityGroupInfo>{items}</securityGroupInfo></R>");
        let stub = Stub { page_size: Some(2), ..Stub::default() };
        let (mut token, mut pages) = (None, Vec::new());
        loop {
            let page = stub.rewrite("DescribeSecurityGroups", &xml, token.as_deref()).unwrap();
            let document = roxmltree::Document::parse(&page).unwrap();
            let texts = |name: &str| {
                document
                    .descendants()
                    .filter(|n| n.tag_name().name() == name)
                    .filter_map(|n| n.text())
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            pages.push(texts("groupId").join(" "));
            token = texts("nextToken").pop();
            if token.is_none() {
                break;
            }
        }
        assert_eq!(pages, ["sg-0 sg-1", "", "sg-2 sg-3", "sg-4"]);
    }

    #[test]
    fn another_owner_is_given_to_the_named_group_only() {
        let xml = "<R><securityGroupInfo><item><ownerId>1</ownerId><groupId>sg-a</groupId></item><item><ownerId>1</ownerId><groupId>sg-b</groupId></item></securityGroupInfo></R>";
        let stub = Stub { owners: BTreeMap::from([("sg-b".to_owned(), "2".to_owned())]), ..Stub::default() };
        let rewritten = stub.rewrite("DescribeSecurityGroups", xml, None).unwrap();
        assert_eq!(rewritten, xml.replace("<ownerId>1</ownerId><groupId>sg-b", "<ownerId>2</ownerId><groupId>sg-b"));
    }
}
