//! Door `security-hub`: findings of Security Hub on EventBridge.
//!
//! - *Security Hub Findings - Imported*, for each finding that is new or has changed;
//! - *Security Hub Findings - Custom Action*, for each that a person picked;
//! - *Findings Imported V2*, in OCSF.
//!
//! Only a finding of Security Hub's own that stands (failed, active, neither suppressed nor resolved) asks for anything. With findings of
//! many Regions in one, the event's Region says nothing: the resource's counts.

use palisade_policy::control::{Control, Finding, Noted, author};
use palisade_policy::guardrail::Guardrail;
use palisade_policy::id::Excerpt;
use palisade_policy::trigger::{Asker, Cause, Door, Targets, Trigger};
use serde_json::Value;

use crate::member::Member;
use crate::{Own, Reading, TriggerError, not_ours, unclaimed};

const NOTHING_FAILED: &str = "the finding does not say that anything failed";

/// The form that findings come in.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// AWS Security Finding Format.
    Asff,
    /// Open Cybersecurity Schema Framework, class 2003.
    Ocsf,
}

pub(crate) fn read(root: &Member<'_>, form: Form, own: &Own) -> Result<Reading, TriggerError> {
    let list = root.get("detail").object()?.get("findings");
    let findings: Vec<Claim<'_>> = list
        .items()
        .into_iter()
        .map(|finding| {
            let finding = finding.object()?;
            Ok(match form {
                Form::Asff => asff(&finding),
                Form::Ocsf => ocsf(&finding),
            })
        })
        .collect::<Result<_, _>>()?;
    let Some(first) = findings.first() else { return Err(list.wrong("is missing, or not a list of findings")) };
    let cause = Cause {
        event_id: root.get("id").told(),
        time: root.get("time").time(),
        detail: first.control.map(|control| control.id().to_owned()).or_else(|| first.id.told()),
        ..Cause::new(Door::SecurityHub)
    };
    let (mut groups, mut vpcs, mut answered, mut not_asked) = (Vec::new(), Vec::new(), Vec::new(), None);
    for claim in &findings {
        let control = match claim.asks(root, own)? {
            Ok(control) => control,
            Err(why) => {
                not_asked.get_or_insert(why);
                continue;
            }
        };
        for resource in claim.resources(control)? {
            match control {
                Control::Ec2_6 => push(&mut vpcs, resource.id()?),
                _ => push(&mut groups, resource.id()?),
            }
            answered.push(claim.finding(control, &resource)?);
        }
    }
    let targets = match (groups.is_empty(), vpcs.is_empty()) {
        (false, _) => Targets::SecurityGroups(groups),
        (true, false) => Targets::Vpcs(vpcs),
        (true, true) => return Ok(Reading::ignored(cause, not_asked.unwrap_or_else(|| "no finding asks for anything".to_owned()))),
    };
    Ok(Reading::Trigger(Trigger { asker: Asker::SecurityHub(answered), ..Trigger::new(cause, targets) }))
}

/// *Security Hub Insight Results*: somebody sent the results of a search. They hold no findings.
pub(crate) fn read_insight(root: &Member<'_>) -> Reading {
    let cause = Cause { event_id: root.get("id").told(), time: root.get("time").time(), ..Cause::new(Door::SecurityHub) };
    Reading::ignored(cause, "the results of an insight are no findings")
}

fn push<T: PartialEq>(list: &mut Vec<T>, item: Option<T>) {
    list.extend(item.filter(|item| !list.contains(item)).into_iter().collect::<Vec<_>>());
}

/// A finding, wherever a form puts its parts.
struct Claim<'a> {
    id: Member<'a>,
    product: Member<'a>,
    control: Option<Control>,
    account: Member<'a>,
    region: Option<Member<'a>>,
    /// Why it does not stand. An error only where the finding would ask for something: others may say what they like.
    settled: Result<Option<String>, TriggerError>,
    list: Member<'a>,
    resources: Vec<Resource<'a>>,
    note: Note<'a>,
}

/// Where a finding has its note.
enum Note<'a> {
    /// Here.
    Told(Member<'a>),
    /// Nowhere that is documented; but a finding that is new has none.
    Untold { is_new: bool },
}

/// A resource of a finding: each member may be its id or its ARN.
struct Resource<'a> {
    names: Vec<Member<'a>>,
    region: Member<'a>,
    account: Option<Member<'a>>,
}

/// The id of a resource, and the member that it stands in, as it or as the end of an ARN.
struct Named<'a> {
    id: String,
    member: Member<'a>,
}

impl Named<'_> {
    fn id<T: std::str::FromStr<Err: std::fmt::Display>>(&self) -> Result<Option<T>, TriggerError> {
        self.id.parse().map(Some).map_err(|error: T::Err| self.member.wrong(format!("can't be used: {error}")))
    }
}

/// "AwsSecurityFinding", Security Hub API: what is not required there may be missing here.
fn asff<'a>(finding: &Member<'a>) -> Claim<'a> {
    let compliance = finding.get("Compliance");
    let list = finding.get("Resources");
    let settled = [
        (finding.at(&["Compliance", "Status"]), Wanted::Only("FAILED")),
        (finding.get("RecordState"), Wanted::IfSaid("ACTIVE")),
        (finding.at(&["Workflow", "Status"]), Wanted::NoneOf(&["SUPPRESSED", "RESOLVED"])),
    ];
    Claim {
        id: finding.get("Id"),
        product: finding.get("ProductArn"),
        control: [compliance.get("SecurityControlId"), finding.at(&["ProductFields", "ControlId"]), finding.get("GeneratorId")]
            .iter()
            .find_map(|member| control(member.value()?.as_str()?)),
        account: finding.get("AwsAccountId"),
        region: None,
        settled: unmet(&settled),
        resources: list
            .items()
            .into_iter()
            .map(|resource| Resource { names: vec![resource.get("Id")], region: resource.get("Region"), account: None })
            .collect(),
        note: Note::Told(finding.get("Note")),
        list,
    }
}

/// "Compliance Finding", OCSF: `activity_id` 1 creates the finding.
fn ocsf<'a>(finding: &Member<'a>) -> Claim<'a> {
    let list = finding.get("resources");
    Claim {
        id: finding.at(&["finding_info", "uid"]),
        product: finding.at(&["metadata", "product", "uid"]),
        control: [finding.at(&["compliance", "control"]), finding.at(&["finding_info", "uid"])]
            .iter()
            .find_map(|member| control(member.value()?.as_str()?)),
        account: finding.at(&["cloud", "account", "uid"]),
        region: Some(finding.at(&["cloud", "region"])),
        settled: settled_in_ocsf(finding),
        resources: list
            .items()
            .into_iter()
            .map(|resource| Resource {
                names: vec![resource.get("uid_alt"), resource.get("uid")],
                region: resource.get("region"),
                account: Some(resource.at(&["owner", "account", "uid"])),
            })
            .collect(),
        note: Note::Untold { is_new: number(&finding.get("activity_id")) == Ok(Some(1)) },
        list,
    }
}

/// `status_id` 3 is suppressed, 4 resolved, 5 archived; `activity_id` 3 closes the finding.
fn settled_in_ocsf(finding: &Member<'_>) -> Result<Option<String>, TriggerError> {
    match finding.at(&["compliance", "status"]).text()? {
        Some(status) if ["fail", "failed"].contains(&status.to_ascii_lowercase().as_str()) => {}
        Some(status) => return Ok(Some(format!("the finding's compliance is `{}`", Excerpt(status)))),
        None => return Ok(Some(NOTHING_FAILED.to_owned())),
    }
    for (name, ids) in [("status_id", [3, 4, 5].as_slice()), ("activity_id", &[3])] {
        if let Some(is) = number(&finding.get(name))?.filter(|is| ids.contains(is)) {
            return Ok(Some(format!("the finding is closed (`{name}` {is})")));
        }
    }
    Ok(None)
}

/// A member that says whether the finding stands: what can't be read is not taken for a yes.
fn number(member: &Member<'_>) -> Result<Option<u64>, TriggerError> {
    member.value().map(|value| value.as_u64().ok_or_else(|| member.wrong("is not a number"))).transpose()
}

/// What a member must say for a finding to stand.
enum Wanted {
    Only(&'static str),
    IfSaid(&'static str),
    NoneOf(&'static [&'static str]),
}

fn unmet(conditions: &[(Member<'_>, Wanted)]) -> Result<Option<String>, TriggerError> {
    for (member, wanted) in conditions {
        let said = member.text()?;
        let met = match wanted {
            Wanted::Only(one) => said == Some(one),
            Wanted::IfSaid(one) => said.is_none_or(|said| said == *one),
            Wanted::NoneOf(several) => said.is_none_or(|said| !several.contains(&said)),
        };
        if !met {
            return Ok(Some(match said {
                Some(said) => format!("the finding is `{}`", Excerpt(said)),
                None => NOTHING_FAILED.to_owned(),
            }));
        }
    }
    Ok(None)
}

/// The control that an id means: consolidated (`EC2.13`, `security-control/EC2.13`), of a standard of AWS's own
/// (`aws-foundational-security-best-practices/v/1.0.0/EC2.13`), or by its number in a standard of others ("How consolidation impacts
/// control IDs and titles", Security Hub).
fn control(id: &str) -> Option<Control> {
    const ELSEWHERE: [(&str, &str, Control); 17] = [
        ("cis-aws-foundations-benchmark/v/1.2.0/", "2.9", Control::Ec2_6),
        ("cis-aws-foundations-benchmark/v/1.2.0/", "4.1", Control::Ec2_13),
        ("cis-aws-foundations-benchmark/v/1.2.0/", "4.2", Control::Ec2_14),
        ("cis-aws-foundations-benchmark/v/1.2.0/", "4.3", Control::Ec2_2),
        ("cis-aws-foundations-benchmark/v/1.4.0/", "3.9", Control::Ec2_6),
        ("cis-aws-foundations-benchmark/v/1.4.0/", "5.3", Control::Ec2_2),
        ("cis-aws-foundations-benchmark/v/3.0.0/", "3.7", Control::Ec2_6),
        ("cis-aws-foundations-benchmark/v/3.0.0/", "5.2", Control::Ec2_53),
        ("cis-aws-foundations-benchmark/v/3.0.0/", "5.3", Control::Ec2_54),
        ("cis-aws-foundations-benchmark/v/3.0.0/", "5.4", Control::Ec2_2),
        ("cis-aws-foundations-benchmark/v/5.0.0/", "3.7", Control::Ec2_6),
        ("cis-aws-foundations-benchmark/v/5.0.0/", "5.3", Control::Ec2_53),
        ("cis-aws-foundations-benchmark/v/5.0.0/", "5.4", Control::Ec2_54),
        ("cis-aws-foundations-benchmark/v/5.0.0/", "5.5", Control::Ec2_2),
        ("pci-dss/v/3.2.1/", "PCI.EC2.2", Control::Ec2_2),
        ("pci-dss/v/3.2.1/", "PCI.EC2.5", Control::Ec2_13),
        ("pci-dss/v/3.2.1/", "PCI.EC2.6", Control::Ec2_6),
    ];
    // A finding's own id has it in the middle: `…:security-control/EC2.13/finding/…`.
    let consolidated = id.split_once("security-control/").and_then(|(_, rest)| rest.split('/').next());
    let last = id.rsplit('/').next().unwrap_or(id);
    let elsewhere = || ELSEWHERE.into_iter().find(|(standard, number, _)| id.contains(standard) && last == *number);
    consolidated.unwrap_or(last).parse().ok().or_else(|| elsewhere().map(|(.., control)| control))
}

impl<'a> Claim<'a> {
    /// The control, where the finding asks this function for something; else why it does not.
    fn asks(&self, root: &Member<'_>, own: &Own) -> Result<Result<Control, String>, TriggerError> {
        if let Some(why) = self.foreign(root, own)? {
            return Ok(Err(why));
        }
        if !self.product.text()?.is_some_and(is_security_hub) {
            return Ok(Err("the finding is not of Security Hub's own".to_owned()));
        }
        let Some(control) = self.control.filter(|control| control.guardrail() == own.guardrail) else {
            let what = self.control.map_or_else(|| "its control".to_owned(), |control| control.to_string());
            return Ok(Err(format!("{what} is not for {}", own.guardrail)));
        };
        Ok(self.settled.clone()?.map_or(Ok(control), Err))
    }

    /// By all that says whose the resource is. The event's own account and Region may be those that findings are gathered in, so they
    /// only count where nothing else says it. What is no text says nothing here: a finding that asks for something is read strictly later.
    fn foreign(&self, root: &Member<'_>, own: &Own) -> Result<Option<String>, TriggerError> {
        let mut accounts = vec![self.account.owner()?];
        let mut regions = vec![self.region.as_ref().map_or(Ok(None), Member::owner)?];
        for resource in &self.resources {
            accounts.push(resource.account.as_ref().map_or(Ok(None), Member::owner)?);
            let mut of_resource = vec![resource.region.owner()?];
            for name in &resource.names {
                if let Some((region, account, _)) = name.value().and_then(Value::as_str).and_then(of_ec2) {
                    accounts.push(Some(account.to_owned()));
                    of_resource.push(Some(region.to_owned()));
                }
            }
            regions.extend(of_resource);
        }
        let sides = [
            (accounts, root.get("account"), own.account.as_str(), &self.account),
            (regions, root.get("region"), own.region.as_str(), &self.list),
        ];
        for (mut said, of_event, ours, asked) in sides {
            if said.iter().all(Option::is_none) {
                said.push(of_event.owner()?);
            }
            if said.iter().all(Option::is_none) {
                return Err(unclaimed(asked));
            }
            if let Some(its) = said.iter().flatten().find(|its| *its != ours) {
                return Ok(Some(not_ours(its, ours)));
            }
        }
        Ok(None)
    }

    /// The resources of the type that the control is about; a finding may name others beside them.
    fn resources(&self, control: Control) -> Result<Vec<Named<'a>>, TriggerError> {
        let (kind, prefix, called) = match control.guardrail() {
            Guardrail::EnableFlowLogs => ("vpc", "vpc-", "VPC"),
            _ => ("security-group", "sg-", "security group"),
        };
        let mut named = Vec::new();
        for resource in &self.resources {
            for member in &resource.names {
                let Some(text) = member.text()? else { continue };
                let id = match of_ec2(text) {
                    Some((.., path)) => path.strip_prefix(kind).and_then(|rest| rest.strip_prefix('/')),
                    None => text.starts_with(prefix).then_some(text),
                };
                if let Some(id) = id {
                    named.push(Named { id: id.to_owned(), member: member.clone() });
                    break;
                }
            }
        }
        if named.is_empty() {
            return Err(self.list.wrong(format!("names no {called}, and {control} is about one")));
        }
        Ok(named)
    }

    fn finding(&self, control: Control, resource: &Named<'_>) -> Result<Finding, TriggerError> {
        let needed = |member: &Member<'_>| member.text()?.map(str::to_owned).ok_or_else(|| member.wrong("is missing"));
        let noted = match &self.note {
            Note::Told(note) if note.get("UpdatedBy").told() == Some(author(control.guardrail())) => {
                Noted::Ours(note.get("Text").text()?.unwrap_or_default().to_owned())
            }
            Note::Told(_) | Note::Untold { is_new: true } => Noted::NothingOfOurs,
            Note::Untold { is_new: false } => Noted::Unknown,
        };
        // Notes are written by an API of ASFF, which knows the product of a finding in OCSF by its older name.
        let product_arn = needed(&self.product)?.replace(":productv2/", ":product/");
        Ok(Finding { id: needed(&self.id)?, product_arn, control, resource: resource.id.clone(), noted })
    }
}

/// `arn:aws:securityhub:<region>::product/aws/securityhub`. Other products send findings by the same way, and may say what they like.
fn is_security_hub(product_arn: &str) -> bool {
    let parts: Vec<&str> = product_arn.splitn(6, ':').collect();
    matches!(parts.as_slice(), ["arn", partition, "securityhub", _, _, "product/aws/securityhub" | "productv2/aws/securityhub"] if partition.starts_with("aws"))
}

/// Region, account and path of an ARN of EC2.
fn of_ec2(arn: &str) -> Option<(&str, &str, &str)> {
    match arn.splitn(6, ':').collect::<Vec<_>>().as_slice() {
        ["arn", _, "ec2", region, account, path] => Some((region, account, path)),
        _ => None,
    }
}
