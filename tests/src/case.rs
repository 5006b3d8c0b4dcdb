//! A case: an event, the world that it comes into, and what must come out of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use palisade_policy::guardrail::Guardrail;
use serde::Deserialize;
use serde_json::Value;

use crate::binaries::root;

/// The account that events and worlds are written for. The harness puts the real one in its place.
pub const ACCOUNT: &str = "111122223333";
/// The Region that events and worlds are written for.
pub const REGION: &str = "eu-west-1";

/// A case, read from its folder.
#[derive(Debug, Clone)]
pub struct Case {
    /// The name of its folder, or of the file where it is an event alone.
    pub name: String,
    /// The function that it is for.
    pub guardrail: Guardrail,
    /// Its folder, if it has one.
    pub folder: Option<PathBuf>,
    /// The payload, exactly as Lambda gets it.
    pub event: String,
    /// What is there before.
    pub world: World,
    /// What must come out, if that has been settled.
    pub expected: Option<Value>,
}

/// The AWS resources of a case, by literal ids, and the settings of its function.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct World {
    /// Environment variables of the function, besides its mode and its topic.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// VPCs, besides the default one unless that is named here.
    #[serde(default)]
    pub vpcs: BTreeMap<String, Vpc>,
    /// Subnets, each with the ACL of its VPC unless another names it.
    #[serde(default)]
    pub subnets: BTreeMap<String, Subnet>,
    /// Network ACLs.
    #[serde(default)]
    pub network_acls: BTreeMap<String, NetworkAcl>,
    /// Elastic addresses of the account.
    #[serde(default)]
    pub elastic_addresses: Vec<String>,
    /// WAF IP sets, by literal ARN.
    #[serde(default)]
    pub ip_sets: BTreeMap<String, IpSet>,
    /// So many more VPCs, each with a flow log of all its traffic, to the first of the log groups.
    #[serde(default)]
    pub watched_vpcs: usize,
    /// Log groups of CloudWatch Logs. A flow log to one that is not there fails to deliver.
    #[serde(default)]
    pub log_groups: Vec<String>,
    /// Buckets. Their names are everybody's, so each must have the account in it.
    #[serde(default)]
    pub buckets: Vec<String>,
    /// Managed prefix lists.
    #[serde(default)]
    pub prefix_lists: BTreeMap<String, PrefixList>,
    /// Security groups.
    #[serde(default)]
    pub security_groups: BTreeMap<String, SecurityGroup>,
    /// Network interfaces.
    #[serde(default)]
    pub interfaces: BTreeMap<String, NetworkInterface>,
    /// So many more groups, open to the world on port 443 only.
    #[serde(default)]
    pub bystanders: usize,
    /// Where the local AWS is not like AWS.
    #[serde(default)]
    pub stub: Stub,
}

/// A VPC.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Vpc {
    /// Its block; the default VPC has its own.
    pub cidr: Option<String>,
    /// Whether it is the default one, which is there anyway.
    #[serde(default)]
    pub default: bool,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Its flow logs.
    #[serde(default)]
    pub flow_logs: Vec<FlowLog>,
    /// Whether its main route table leads to an internet gateway.
    #[serde(default)]
    pub internet: bool,
}

/// A flow log.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FlowLog {
    /// Its literal id.
    pub id: String,
    /// `ALL`, `ACCEPT` or `REJECT`.
    pub traffic_type: String,
    /// The log group's name, or the bucket's ARN.
    pub destination: String,
    /// The block of a subnet that is made for it: then it is that one's, and not the VPC's.
    pub subnet: Option<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// A subnet.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subnet {
    /// Its VPC.
    pub vpc: String,
    /// Its block.
    pub cidr: String,
    /// Whether it has a route table of its own, which leads nowhere.
    #[serde(default)]
    pub private: bool,
}

/// A network ACL.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkAcl {
    /// Its VPC.
    pub vpc: String,
    /// The subnets that it guards.
    #[serde(default)]
    pub subnets: Vec<String>,
    /// Its entries. The local AWS gives a new ACL none of its own.
    pub entries: Vec<AclEntry>,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// An entry of a network ACL, in EC2's words.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AclEntry {
    /// Its number.
    pub number: i32,
    /// `allow` or `deny`.
    pub action: String,
    /// The protocol's number.
    pub protocol: String,
    /// First port.
    pub from_port: Option<i32>,
    /// Last port.
    pub to_port: Option<i32>,
    /// From whom, or to whom.
    pub cidr: String,
    /// Which way.
    #[serde(default)]
    pub direction: Direction,
}

/// A WAF IP set.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IpSet {
    /// `IPv4` or `IPv6`.
    pub address_family: String,
    /// Its blocks.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Its description.
    #[serde(default)]
    pub description: String,
}

/// A network interface.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkInterface {
    /// Its VPC.
    pub vpc: String,
    /// The block of its subnet, which is made with the first interface in it.
    pub subnet: String,
    /// The security groups that it uses.
    pub groups: Vec<String>,
}

/// A managed prefix list.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrefixList {
    /// Its name.
    pub name: String,
    /// `IPv4` or `IPv6`.
    pub address_family: String,
    /// What it counts as in a group that names it.
    pub max_entries: i32,
    /// Its blocks.
    pub entries: Vec<String>,
}

/// A security group.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecurityGroup {
    /// Its name.
    pub name: String,
    /// Its VPC; the default one where there is none.
    pub vpc: Option<String>,
    /// Whether it is the VPC's own default group: it is there already, and gets these rules in place of those that it comes with.
    #[serde(default)]
    pub default: bool,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Its rules, besides the egress rule that every group is made with.
    pub rules: Vec<Rule>,
}

/// A rule of a security group, in EC2's words.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Its literal id.
    pub id: String,
    /// The protocol.
    pub protocol: String,
    /// First port, or ICMP type.
    pub from_port: Option<i32>,
    /// Last port, or ICMP code.
    pub to_port: Option<i32>,
    /// The block that it lets in, if it is one.
    pub cidr: Option<String>,
    /// The prefix list that it lets in.
    pub prefix_list_id: Option<String>,
    /// The security group that it lets in.
    pub referenced_group: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Which way.
    #[serde(default)]
    pub direction: Direction,
}

/// Which way a rule goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// In.
    #[default]
    Ingress,
    /// Out.
    Egress,
}

/// What the proxy stands in for in a case; see [`crate::stub::Stub`].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stub {
    /// The size of EC2's pages.
    pub page_size: Option<usize>,
    /// Security groups and VPCs of other accounts.
    #[serde(default)]
    pub owners: BTreeMap<String, String>,
    /// What a Logs Insights query finds, row by row: the local AWS does not run queries.
    #[serde(default)]
    pub query_results: Option<Vec<BTreeMap<String, String>>>,
}

impl Case {
    /// Every case, by guardrail and name.
    ///
    /// # Errors
    /// The first that can't be read.
    pub fn all() -> anyhow::Result<Vec<Self>> {
        let mut cases = Vec::new();
        for guardrail in Guardrail::ALL {
            let folder = root().join("events").join(guardrail.id());
            let entries = fs::read_dir(&folder).with_context(|| format!("can't read `{}`", folder.display()))?;
            let mut folders = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
            folders.retain(|path| path.is_dir());
            folders.sort();
            for folder in folders {
                cases.push(Self::of_folder(&folder, guardrail)?);
            }
        }
        Ok(cases)
    }

    /// The case of this name, or of `<guardrail>/<name>` where several guardrails have one of that name; of this folder, or of this event
    /// file. An event file with no world beside it comes into an empty one.
    ///
    /// # Errors
    /// When there is none, or several, or it can't be read.
    pub fn find(wanted: &str) -> anyhow::Result<Self> {
        let is_name = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let (of, name) = match wanted.split_once('/') {
            Some((guardrail, name)) => (Some(guardrail), name),
            None => (None, wanted),
        };
        if is_name(name) {
            let folders = Guardrail::ALL.into_iter().filter(|guardrail| of.is_none_or(|of| of == guardrail.id()));
            let folders = folders.map(|guardrail| (guardrail, root().join("events").join(guardrail.id()).join(name)));
            let there: Vec<(Guardrail, PathBuf)> = folders.filter(|(_, folder)| folder.join("event.json").is_file()).collect();
            match there.as_slice() {
                [] => {}
                [(guardrail, folder)] => return Self::of_folder(folder, *guardrail),
                several => {
                    let names: Vec<String> = several.iter().map(|(guardrail, _)| format!("`{guardrail}/{name}`")).collect();
                    bail!("`{wanted}` is the name of several cases; say which: {}", names.join(", "));
                }
            }
        }
        let path = Path::new(wanted);
        if path.is_dir() && path.join("event.json").is_file() {
            return Self::of_folder(path, guardrail_of(path));
        }
        if path.file_name().is_some_and(|name| name == "event.json") && path.with_file_name("world.json").is_file() {
            return Self::of_folder(path.parent().unwrap_or(path), guardrail_of(path));
        }
        if !path.is_file() {
            bail!("`{wanted}` is neither a case in `events/` nor an event file; `cargo run -- --list` names the cases");
        }
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let event = fs::read_to_string(path).with_context(|| format!("can't read `{wanted}`"))?;
        Ok(Self { name, guardrail: guardrail_of(path), folder: None, event, world: World::default(), expected: None })
    }

    /// `<guardrail>/<name>` of a case in `events/`, which no other case has; of another event, its name.
    #[must_use]
    pub fn full_name(&self) -> String {
        match self.folder {
            Some(_) => format!("{}/{}", self.guardrail, self.name),
            None => self.name.clone(),
        }
    }

    fn of_folder(folder: &Path, guardrail: Guardrail) -> anyhow::Result<Self> {
        let read = |name: &str| {
            let path = folder.join(name);
            fs::read_to_string(&path).with_context(|| format!("can't read `{}`", path.display()))
        };
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let world = with_dates(&read("world.json")?);
        let world = serde_json::from_str(&world).with_context(|| format!("`{}/world.json` is not a world", folder.display()))?;
        let expected = match folder.join("expected.json").is_file() {
            false => None,
            true => {
                let text = with_dates(&read("expected.json")?);
                Some(serde_json::from_str(&text).with_context(|| format!("`{}/expected.json` is not JSON", folder.display()))?)
            }
        };
        Ok(Self { name, guardrail, folder: Some(folder.to_owned()), event: with_dates(&read("event.json")?), world, expected })
    }
}

/// The guardrail whose name is in the path.
fn guardrail_of(path: &Path) -> Guardrail {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let named = |guardrail: &Guardrail| path.components().any(|part| part.as_os_str() == guardrail.id());
    Guardrail::ALL.into_iter().find(named).unwrap_or(Guardrail::RevokeAdminIngress)
}

/// How far from today a `<DATE…>` may be, in days, either way.
const FARTHEST: i64 = 120;

/// Puts the date, UTC, in place of `<DATE+30>` or `<DATE-1>`: an exemption that were written with a date would end one day. And the time in
/// place of `<NOW-1h>` or `<NOW+5h>`.
fn with_dates(text: &str) -> String {
    let mut text = text.to_owned();
    let now = Timestamp::now().as_second();
    for hours in (-FARTHEST..=FARTHEST).filter(|hours| *hours != 0 && text.contains(&format!("<NOW{hours:+}h>"))).collect::<Vec<_>>() {
        let time = Timestamp::from_second(now + hours * 3600).unwrap_or_default();
        text = text.replace(&format!("<NOW{hours:+}h>"), &time.to_string());
    }
    for days in (-FARTHEST..=FARTHEST).filter(|days| text.contains(&token(*days))).collect::<Vec<_>>() {
        text = text.replace(&token(days), &date(days));
    }
    text
}

/// Puts tokens in place of the dates that the world of a case makes, and of the days after them, which is when they have ended.
pub(crate) fn without_dates(case: &Path, text: &str) -> anyhow::Result<String> {
    let read = |name: &str| fs::read_to_string(case.join(name)).with_context(|| format!("can't read `{name}` of `{}`", case.display()));
    let (world, event) = (read("world.json")?, read("event.json")?);
    let mut text = text.to_owned();
    // A notice's own commands exempt what they restore for a week.
    for (before, after) in [("exempt until ", ":"), ("until=", " reason=undone by hand")] {
        text = text.replace(&format!("{before}{}{after}", date(7)), &format!("{before}{}{after}", token(7)));
    }
    for days in (-FARTHEST..=FARTHEST).filter(|days| world.contains(&token(*days))) {
        for days in [days, days + 1] {
            if event.contains(&date(days)) {
                bail!("the event itself speaks of {}, which can't be told from `{}`: bless it another day", date(days), token(days));
            }
            text = text.replace(&date(days), &token(days));
        }
    }
    Ok(text)
}

fn token(days: i64) -> String {
    format!("<DATE{days:+}>")
}

fn date(days: i64) -> String {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    today.saturating_add(days.days()).to_string()
}
