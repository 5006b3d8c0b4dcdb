//! Examples of deny-source: who is denied, under which number, who makes room, and what is left alone.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod acl_model;

use acl_model::cases::{EXEMPT, cidr, crowd, empty_acl, last_entries, now, set};
use acl_model::minutes;
use jiff::{SignedDuration, Timestamp};
use palisade_policy::change::Change;
use palisade_policy::cidr::Family;
use palisade_policy::deny_source::{Denying, Friend, Policy, Settings};
use palisade_policy::network_acl::{AclEntry, Action, NetworkAcl};
use palisade_policy::plan::{Plan, Verdict};
use palisade_policy::security_group::Direction;
use palisade_policy::traffic::Traffic;

const SOURCE: &str = "198.51.100.7/32";

fn settings() -> Settings {
    Settings { never: Vec::new(), deny_for: minutes(1440), numbers: 1..=89, quota: 20, exemptions: true }
}

fn denying(source: &str, acl: NetworkAcl) -> Denying {
    Denying { source: cidr(source), both_ways: false, cause: "ssh".to_owned(), acls: vec![acl], ip_sets: Vec::new(), friends: Vec::new() }
}

fn plan(settings: Settings, denying: &Denying) -> Plan {
    Policy::new(settings).plan(denying, now(), 0)
}

fn entry(number: u16, action: Action, cidr_: &str) -> AclEntry {
    AclEntry { direction: Direction::Ingress, number, action, traffic: Traffic::All, cidr: cidr(cidr_) }
}

/// The default ACL: everything is allowed at 100, and EC2's own entries deny the rest.
fn acl() -> NetworkAcl {
    let mut acl = empty_acl(0);
    acl.entries = vec![entry(100, Action::Allow, "0.0.0.0/0"), entry(101, Action::Allow, "::/0")];
    acl.entries.extend(last_entries());
    acl
}

/// Puts a denial of ours with its tag.
fn deny(acl: &mut NetworkAcl, number: u16, source: &str, until: &str) {
    acl.entries.push(entry(number, Action::Deny, source));
    acl.tags.insert(format!("palisade:deny:in:{source}"), format!("{source} until {until} ssh"));
}

/// The changes as texts.
fn texts(plan: &Plan) -> Vec<String> {
    let text = |change: &Change| match change {
        Change::PutAclEntry(its) => format!("put {} {}", its.rule_number, its.cidr),
        Change::DeleteAclEntry(its) => format!("delete {} {}", its.rule_number, its.cidr),
        Change::PutTag(tag) => format!("tag {}={}", tag.key, tag.value),
        Change::DeleteTag(tag) => format!("untag {}", tag.key),
        Change::UpdateIpSet(its) => format!("{} +{} -{} {}", its.arn.parts().name, its.add.len(), its.remove.len(), its.description),
        other => format!("{other:?}"),
    };
    plan.changes.iter().map(text).collect()
}

const TAG: &str = "tag palisade:deny:in:198.51.100.7/32=198.51.100.7/32 until 2026-11-22T12:00:01Z ssh";

#[test]
fn a_source_is_denied_below_the_first_allow_tag_first() {
    assert_eq!(texts(&plan(settings(), &denying(SOURCE, acl()))), [TAG, "put 89 198.51.100.7/32"]);
    let mut low = acl();
    low.entries.push(entry(50, Action::Allow, "198.51.0.0/16"));
    low.entries.push(entry(49, Action::Deny, "192.0.2.0/24"));
    assert_eq!(texts(&plan(settings(), &denying(SOURCE, low))), [TAG, "put 48 198.51.100.7/32"]);
}

#[test]
fn who_must_not_be_denied_is_not() {
    let mut base = denying(SOURCE, acl());
    base.friends = vec![Friend { block: cidr("203.0.113.9/32"), what: "the NAT gateway nat-0a".to_owned() }];
    let never = Settings { never: vec![cidr("9.9.9.0/24")], ..settings() };
    for (source, why) in [
        ("10.0.0.0/8", "it is wider than a /24"),
        ("10.1.2.3/32", "it is not public"),
        ("0.0.0.0/0", "it is wider than a /24"),
        ("198.51.100.0/23", "it is wider than a /24"),
        ("::/0", "it is wider than a /48"),
        ("2600::/47", "it is wider than a /48"),
        ("::ffff:203.0.113.7/128", "it is an IPv4-mapped IPv6 address"),
        ("203.0.113.9/32", "203.0.113.9/32 belongs to the NAT gateway nat-0a"),
        ("203.0.113.0/24", "203.0.113.9/32 belongs to the NAT gateway nat-0a"),
        ("9.9.9.9/32", "PALISADE_NEVER_DENY names 9.9.9.0/24"),
    ] {
        let plan = plan(never.clone(), &Denying { source: cidr(source), ..base.clone() });
        assert_eq!(plan.verdict, Verdict::Refused, "{source}");
        assert!(plan.changes.is_empty() && plan.reason.contains(why), "{source}: {}", plan.reason);
    }
    assert_eq!(plan(never, &Denying { source: cidr("203.0.113.8/32"), ..base }).verdict, Verdict::Change);
}

#[test]
fn where_others_have_every_number_it_is_refused() {
    let mut full = acl();
    full.entries.extend((1..=5).map(|number| entry(number, Action::Deny, "192.0.2.0/24")));
    let plan = plan(Settings { numbers: 1..=5, ..settings() }, &denying(SOURCE, full));
    assert_eq!(plan.verdict, Verdict::Refused);
    assert!(plan.reason.contains("acl-0 has no free entry number from 1 to 5"), "{}", plan.reason);
}

#[test]
fn where_ours_have_every_number_the_one_that_ends_soonest_makes_room() {
    let mut full = acl();
    deny(&mut full, 1, "192.0.2.1/32", "2026-11-22T09:00:00Z");
    deny(&mut full, 2, "192.0.2.2/32", "2026-11-22T08:00:00Z");
    deny(&mut full, 3, "192.0.2.3/32", "2026-11-22T10:00:00Z");
    let plan = plan(Settings { numbers: 1..=3, ..settings() }, &denying(SOURCE, full));
    assert_eq!(texts(&plan), ["delete 2 192.0.2.2/32", "untag palisade:deny:in:192.0.2.2/32", TAG, "put 2 198.51.100.7/32"]);
    let told = "the denial of 192.0.2.2/32 in acl-0, which of those would have ended soonest, at 2026-11-22T08:00:00Z, made room";
    assert!(plan.remarks.iter().any(|remark| remark == told), "{:?}", plan.remarks);
}

// IPv6 has many spellings, and only one is the key of a tag that Palisade sets. Of any other nobody knows who made it; taken for ours, its
// entry went but its tag stayed, and where the fifty tags were full the plan never ended.
#[test]
fn a_key_in_another_spelling_is_not_ours_and_makes_no_room() {
    let mut full = acl();
    full.tags = (0..49).map(|n| (format!("spare{n}"), String::new())).collect();
    full.tags.insert("palisade:deny:in:2600:0::/48".to_owned(), "2600::/48 until 2026-11-20T00:00:00Z ssh".to_owned());
    let plan = plan(settings(), &denying(SOURCE, full));
    assert_eq!(plan.verdict, Verdict::Refused);
    assert!(plan.reason.contains("acl-0 has 50 tags already"), "{}", plan.reason);
}

// What undo-change sets for one source must hold, whatever old tag there is for the whole ACL.
#[test]
fn an_exemption_of_the_acl_that_has_ended_does_not_hide_that_of_the_source() {
    let mut exempt = acl();
    exempt.tags.insert(EXEMPT.to_owned(), "until=2026-11-01 reason=CHG-1".to_owned());
    exempt.tags.insert(format!("{EXEMPT}:{SOURCE}"), "until=2026-11-22 reason=ours".to_owned());
    let plan_ = plan(settings(), &denying(SOURCE, exempt.clone()));
    assert!(matches!(plan_.verdict, Verdict::Exempt { .. }), "{:?}", plan_.verdict);
    let other = plan(settings(), &denying("198.51.100.8/32", exempt));
    assert_eq!(other.verdict, Verdict::Change);
    let told = "the exemption tag of acl-0 does not count: it ended at";
    assert!(other.remarks.iter().any(|remark| remark.contains(told)), "{:?}", other.remarks);
}

#[test]
fn a_denial_without_end_in_sight_does_not_overflow() {
    let mut both = denying(SOURCE, acl());
    both.acls.clear();
    both.ip_sets = (0..3).map(|n| Ok(set(n, Family::V4, Vec::new(), String::new()))).collect();
    let plan = plan(Settings { deny_for: SignedDuration::MAX, ..settings() }, &both);
    assert_eq!(texts(&plan), [format!("set-0 +1 -0 palisade until={}", Timestamp::MAX)]);
}

#[test]
fn an_ip_set_of_others_or_a_full_one_is_told() {
    let mut full = denying(SOURCE, acl());
    full.acls.clear();
    let described = |until: &str| format!("palisade until={until}");
    full.ip_sets = vec![
        Ok(set(0, Family::V4, vec![cidr("192.0.2.1/32")], "blocked by the SOC".to_owned())),
        Ok(set(1, Family::V4, crowd(Family::V4, 10_000), described("2026-11-30T00:00:00Z"))),
    ];
    let refused = plan(settings(), &full);
    assert_eq!(refused.verdict, Verdict::Refused);
    assert!(refused.reason.contains("ipset/set-0/0 holds addresses that are not Palisade's"), "{}", refused.reason);
    full.ip_sets[1] = Ok(set(1, Family::V4, crowd(Family::V4, 9_999), described("2026-11-30T00:00:00Z")));
    assert_eq!(texts(&plan(settings(), &full)), ["set-1 +1 -0 palisade until=2026-11-30T00:00:00Z"]);
    full.ip_sets[1] = Ok(set(1, Family::V4, crowd(Family::V4, 10_000), described("2026-11-21T12:00:00Z")));
    assert_eq!(texts(&plan(settings(), &full)), ["set-1 +1 -10000 palisade until=2026-11-23T12:00:01Z"]);
}
