//! Door `config-rule`: AWS Config asks a custom rule to judge a resource that changed, or every resource.
//!
//! It waits for an answer (`PutEvaluations`), whatever else is done. What it asks is a JSON text in a JSON text; what it says of the resource
//! is minutes old and is not looked at, but for whether there is a resource to judge at all.

use jiff::Timestamp;
use palisade_policy::evaluation::{About, ConfigResource, Inquiry, ResourceType};
use palisade_policy::guardrail::Guardrail;
use palisade_policy::id::Excerpt;
use palisade_policy::trigger::{Asker, Cause, Door, Targets, Trigger};
use serde_json::Value;

use crate::member::Member;
use crate::{Own, Reading, TriggerError, not_ours, parsed, unclaimed};

const GROUP: &str = "AWS::EC2::SecurityGroup";
const VPC: &str = "AWS::EC2::VPC";

/// Whether a payload is what AWS Config sends to a custom rule.
pub(crate) fn is_inquiry(payload: &Value) -> bool {
    payload.get("invokingEvent").is_some()
}

pub(crate) fn read(root: &Member<'_>, own: &Own) -> Result<Reading, TriggerError> {
    let text = root.get("invokingEvent");
    let invoking = parsed(&text)?;
    let invoking = text.holding(&invoking).object()?;
    let asked = Asked { root, invoking: &invoking, item: item(&invoking) };
    let cause = Cause {
        time: asked.as_of().and_then(|time| time.time()),
        detail: root.get("configRuleName").told(),
        ..Cause::new(Door::ConfigRule)
    };
    let ignored = |why: String| Ok(Reading::ignored(cause.clone(), why));

    if let Some(why) = asked.foreign(own)? {
        return ignored(why);
    }
    let Some(sweepable) = judged(own.guardrail) else {
        return ignored(format!("a rule of AWS Config is not for {}", own.guardrail));
    };
    match (needed(&invoking.get("messageType"))?, &asked.item) {
        ("ScheduledNotification", _) => {
            let asker = Asker::Config(asked.inquiry(About::Every(sweepable))?);
            Ok(Reading::Trigger(Trigger { asker, ..Trigger::new(cause, Targets::Sweep) }))
        }
        ("ConfigurationItemChangeNotification" | "OversizedConfigurationItemChangeNotification", Some(item)) => {
            about_one(&asked, item, cause, own)
        }
        ("ConfigurationItemChangeNotification", None) => Err(invoking.get("configurationItem").wrong("is missing")),
        ("OversizedConfigurationItemChangeNotification", None) => Err(invoking.get("configurationItemSummary").wrong("is missing")),
        (other, _) => ignored(format!("`{}` asks for no judgement", Excerpt(other))),
    }
}

/// What AWS Config sent, taken apart.
struct Asked<'a> {
    root: &'a Member<'a>,
    invoking: &'a Member<'a>,
    item: Option<Member<'a>>,
}

/// The item, or the summary that stands for one too large to be sent.
fn item<'a>(invoking: &Member<'a>) -> Option<Member<'a>> {
    ["configurationItem", "configurationItemSummary"].into_iter().map(|name| invoking.get(name)).find(Member::exists)
}

impl<'a> Asked<'a> {
    fn of_item(&self, name: &str) -> Option<Member<'a>> {
        self.item.as_ref().map(|item| item.get(name))
    }

    /// The time that the answer is dated by.
    fn as_of(&self) -> Option<Member<'a>> {
        let of_item = self.of_item("configurationItemCaptureTime").filter(Member::exists);
        of_item.or_else(|| Some(self.invoking.get("notificationCreationTime")).filter(Member::exists))
    }

    fn inquiry(&self, about: About) -> Result<Inquiry, TriggerError> {
        let as_of = self.as_of().ok_or_else(|| self.invoking.get("notificationCreationTime").wrong("is missing"))?;
        let time: Option<Timestamp> = as_of.time();
        Ok(Inquiry {
            result_token: needed(&self.root.get("resultToken"))?.to_owned(),
            as_of: time.ok_or_else(|| as_of.wrong("is not a time"))?,
            about,
        })
    }

    /// Why it is not ours. An organisation's rule may ask the function of one account about another.
    fn foreign(&self, own: &Own) -> Result<Option<String>, TriggerError> {
        let arn = self.root.get("configRuleArn");
        let (region_of_arn, account_of_arn) = match arn.text()?.map(|text| text.split(':').collect::<Vec<_>>()).as_deref() {
            None => (None, None),
            Some([_, _, "config", region, account, ..]) => (Some((*region).to_owned()), Some((*account).to_owned())),
            Some(_) => return Err(arn.wrong("is not an ARN of config")),
        };
        let owner = |member: Option<Member<'_>>| member.map_or(Ok(None), |member| member.owner());
        let account = self.root.get("accountId");
        let accounts = [account.owner()?, self.invoking.get("awsAccountId").owner()?, owner(self.of_item("awsAccountId"))?, account_of_arn];
        let regions = [owner(self.of_item("awsRegion"))?, region_of_arn];
        for (said, ours, asked) in [(&accounts[..], own.account.as_str(), &account), (&regions[..], own.region.as_str(), &arn)] {
            if said.iter().all(Option::is_none) {
                return Err(unclaimed(asked));
            }
            if let Some(its) = said.iter().flatten().find(|its| *its != ours) {
                return Ok(Some(not_ours(its, ours)));
            }
        }
        Ok(None)
    }
}

/// The resources of which a guardrail judges every one when its rule is asked about all.
fn judged(guardrail: Guardrail) -> Option<ResourceType> {
    match guardrail {
        Guardrail::RevokeAdminIngress | Guardrail::StripDefaultGroup => Some(ResourceType::SecurityGroup),
        Guardrail::EnableFlowLogs => Some(ResourceType::Vpc),
        Guardrail::DenySource | Guardrail::LiftDenials | Guardrail::UndoChange => None,
    }
}

fn about_one(asked: &Asked<'_>, item: &Member<'_>, cause: Cause, own: &Own) -> Result<Reading, TriggerError> {
    let resource_type = needed(&item.get("resourceType"))?;
    let id = item.get("resourceId");
    let asker = |resource_id: &str| {
        let resource = ConfigResource { resource_type: resource_type.to_owned(), resource_id: resource_id.to_owned() };
        asked.inquiry(About::One(resource)).map(Asker::Config)
    };
    let status = item.get("configurationItemStatus").text()?;
    let is_gone = matches!(status, Some("ResourceDeleted" | "ResourceDeletedNotRecorded"));
    if let Some(why) = not_judged(asked, own.guardrail, resource_type, status, is_gone)? {
        // What is ignored is so whatever its id is; but without one there is nothing to answer about.
        let asker = needed(&id).map_or(Ok(Asker::Nobody), asker)?;
        return Ok(Reading::Ignored { cause, why, asker });
    }
    let resource_id = needed(&id)?;
    let missing = || id.wrong("is missing");
    let targets = match resource_type {
        VPC => Targets::Vpcs(vec![id.id()?.ok_or_else(missing)?]),
        _ => Targets::SecurityGroups(vec![id.id()?.ok_or_else(missing)?]),
    };
    let targets = if is_gone { Targets::Gone(resource_id.to_owned()) } else { targets };
    Ok(Reading::Trigger(Trigger { asker: asker(resource_id)?, ..Trigger::new(cause, targets) }))
}

/// Why the resource is not to be judged.
fn not_judged(
    asked: &Asked<'_>,
    guardrail: Guardrail,
    resource_type: &str,
    status: Option<&str>,
    is_gone: bool,
) -> Result<Option<String>, TriggerError> {
    let is_ours = match guardrail {
        Guardrail::RevokeAdminIngress => resource_type == GROUP,
        Guardrail::StripDefaultGroup => [GROUP, VPC].contains(&resource_type),
        Guardrail::EnableFlowLogs => resource_type == VPC,
        Guardrail::DenySource | Guardrail::LiftDenials | Guardrail::UndoChange => false,
    };
    if !is_ours {
        return Ok(Some(format!("a resource of type `{}` is not for {guardrail}", Excerpt(resource_type))));
    }
    if is_gone {
        return Ok(None);
    }
    if let Some(other) = status.filter(|status| !["OK", "ResourceDiscovered"].contains(status)) {
        return Ok(Some(format!("AWS Config has the resource as `{}`", Excerpt(other))));
    }
    Ok(is_true(&asked.root.get("eventLeftScope"))?.then(|| "the resource has left the rule's scope".to_owned()))
}

fn needed<'a>(member: &Member<'a>) -> Result<&'a str, TriggerError> {
    member.text()?.filter(|text| !text.is_empty()).ok_or_else(|| member.wrong("is missing"))
}

/// A member that decides whether anything is touched: what can't be read is not taken for a no.
fn is_true(member: &Member<'_>) -> Result<bool, TriggerError> {
    match member.value() {
        None => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(Value::String(text)) if text == "true" || text == "false" => Ok(text == "true"),
        Some(_) => Err(member.wrong("is neither true nor false")),
    }
}
