//! Which of Security Hub's controls a resource satisfies: examples by each control's own words, and what holds of every group.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::collections::BTreeMap;

use palisade_policy::cidr::Family;
use palisade_policy::control::Control;
use palisade_policy::flow_log::{FlowLog, TrafficType, Vpc};
use palisade_policy::guardrail::Guardrail;
use palisade_policy::plan::Verdict;
use palisade_policy::revoke_admin_ingress::{Policy, Settings};
use palisade_policy::security_group::{Direction, GroupReference, PrefixList, Rule, SecurityGroup, Source, Tags};
use palisade_policy::strip_default_group::DefaultGroup;
use palisade_policy::traffic::{HIGH_RISK, Traffic};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const OF_GROUPS: [Control; 6] = [Control::Ec2_13, Control::Ec2_14, Control::Ec2_18, Control::Ec2_19, Control::Ec2_53, Control::Ec2_54];

/// Prefix lists by what is in them.
const LISTS: [(&str, Result<&[&str], &str>); 4] = [
    ("pl-0world", Ok(&["198.51.100.0/24", "0.0.0.0/0"])),
    ("pl-0world6", Ok(&["::/0"])),
    ("pl-0office", Ok(&["203.0.113.24/32"])),
    ("pl-0unread", Err("access denied")),
];

type Spec = (&'static str, i32, i32, &'static str);

/// Protocol, first and last port, and a CIDR, a prefix list or a group.
fn rule((protocol, from, to, source): Spec) -> Rule {
    let source = match source.split_once('-') {
        Some(("pl", _)) => Source::PrefixListId(source.parse().unwrap()),
        Some(("sg", _)) => Source::ReferencedGroup(GroupReference { group_id: source.parse().unwrap(), user_id: None }),
        _ => Source::Cidr(source.parse().unwrap()),
    };
    let traffic = Traffic::from_ec2(protocol, Some(from), Some(to)).unwrap();
    Rule { id: None, direction: Direction::Ingress, traffic, source, description: None, tags: Tags::new() }
}

fn group(specs: &[Spec]) -> SecurityGroup {
    let list = |(id, entries): (&str, Result<&[&str], &str>)| {
        let entries = entries.map(|all| all.iter().map(|block| block.parse().unwrap()).collect()).map_err(str::to_owned);
        (id.parse().unwrap(), PrefixList { weight: 5, entries })
    };
    SecurityGroup {
        id: "sg-0a".parse().unwrap(),
        name: "web".to_owned(),
        owner: "111122223333".parse().unwrap(),
        vpc: None,
        tags: Tags::new(),
        rules: specs.iter().map(|spec| rule(*spec)).collect(),
        prefix_lists: LISTS.into_iter().map(list).collect::<BTreeMap<_, _>>(),
    }
}

/// The controls of security groups that this one does not satisfy; EC2.18, which none does, left out.
fn failed(group: &SecurityGroup) -> String {
    let failed = OF_GROUPS.into_iter().filter(|control| *control != Control::Ec2_18 && !control.is_satisfied_by_group(group));
    failed.map(Control::id).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_group_fails_the_controls_whose_ports_the_whole_world_reaches() {
    let rows: [(&[Spec], &str); 32] = [
        (&[], ""),
        (&[("tcp", 22, 22, "0.0.0.0/0")], "EC2.13 EC2.19 EC2.53"),
        (&[("tcp", 22, 22, "::/0")], "EC2.13 EC2.19 EC2.54"),
        (&[("tcp", 3389, 3389, "0.0.0.0/0")], "EC2.14 EC2.19 EC2.53"),
        (&[("tcp", 3389, 3389, "::/0")], "EC2.14 EC2.19 EC2.54"),
        (&[("tcp", 22, 22, "0.0.0.0/0"), ("tcp", 3389, 3389, "::/0")], "EC2.13 EC2.14 EC2.19 EC2.53 EC2.54"),
        // Another port: of the list of EC2.19, and of none.
        (&[("tcp", 3306, 3306, "0.0.0.0/0")], "EC2.19"),
        (&[("tcp", 443, 443, "0.0.0.0/0"), ("tcp", 80, 80, "::/0")], ""),
        // Ranges, and every port.
        (&[("tcp", 20, 25, "0.0.0.0/0")], "EC2.13 EC2.19 EC2.53"),
        (&[("tcp", 23, 3388, "0.0.0.0/0")], "EC2.19"),
        (&[("tcp", 26, 109, "::/0")], ""),
        (&[("tcp", 0, 65535, "0.0.0.0/0")], "EC2.13 EC2.14 EC2.19 EC2.53"),
        (&[("-1", -1, -1, "0.0.0.0/0")], "EC2.13 EC2.14 EC2.19 EC2.53"),
        (&[("-1", -1, -1, "::/0")], "EC2.13 EC2.14 EC2.19 EC2.54"),
        // By UDP there is neither SSH nor RDP to the controls that name them; those of CIS name TCP, UDP and all.
        (&[("udp", 22, 22, "0.0.0.0/0")], "EC2.19 EC2.53"),
        (&[("udp", 3389, 3389, "::/0")], "EC2.19 EC2.54"),
        (&[("udp", 53, 53, "0.0.0.0/0")], ""),
        (&[("icmp", -1, -1, "0.0.0.0/0"), ("icmpv6", -1, -1, "::/0"), ("50", 22, 22, "0.0.0.0/0")], ""),
        // The controls count no addresses: less than the world is none of it, even in two halves.
        (&[("tcp", 22, 22, "0.0.0.0/1"), ("tcp", 22, 22, "128.0.0.0/1")], ""),
        (&[("tcp", 22, 22, "::/1"), ("tcp", 22, 22, "8000::/1"), ("tcp", 22, 22, "2000::/3")], ""),
        (&[("tcp", 22, 22, "203.0.113.24/32"), ("-1", -1, -1, "10.0.0.0/8")], ""),
        // A list is what is in it, and one that can't be read may hold the world.
        (&[("tcp", 22, 22, "pl-0world")], "EC2.13 EC2.19 EC2.53"),
        (&[("tcp", 22, 22, "pl-0world6")], "EC2.13 EC2.19 EC2.54"),
        (&[("tcp", 22, 22, "pl-0office")], ""),
        (&[("tcp", 22, 22, "pl-0unread")], "EC2.13 EC2.19 EC2.53 EC2.54"),
        (&[("tcp", 22, 22, "pl-0unknown")], "EC2.13 EC2.19 EC2.53 EC2.54"),
        (&[("tcp", 443, 443, "pl-0unread")], ""),
        // A group is no address.
        (&[("-1", -1, -1, "sg-0b")], ""),
        (&[("tcp", 22, 22, "sg-0b"), ("tcp", 22, 22, "0.0.0.0/0")], "EC2.13 EC2.19 EC2.53"),
        // The neighbours of the ports.
        (&[("tcp", 21, 21, "0.0.0.0/0")], "EC2.19"),
        (&[("tcp", 24, 24, "0.0.0.0/0"), ("tcp", 3390, 4332, "0.0.0.0/0")], ""),
        (&[("tcp", 9300, 9300, "::/0")], "EC2.19"),
    ];
    for (specs, wanted) in rows {
        assert_eq!(failed(&group(specs)), wanted, "{specs:?}");
    }
}

#[test]
fn egress_opens_nothing() {
    let mut group = group(&[("-1", -1, -1, "0.0.0.0/0"), ("-1", -1, -1, "::/0")]);
    group.rules.iter_mut().for_each(|rule| rule.direction = Direction::Egress);
    assert_eq!(failed(&group), "");
}

#[test]
fn each_of_the_24_ports_fails_the_control_of_high_risk_ports_and_no_other_port_does() {
    for port in 0..=u16::MAX {
        let open = group(&[("tcp", i32::from(port), i32::from(port), "0.0.0.0/0")]);
        assert_eq!(Control::Ec2_19.is_satisfied_by_group(&open), !HIGH_RISK.contains(&port), "{port}");
    }
}

#[test]
fn a_control_is_satisfied_only_by_what_it_is_about() {
    let (closed, vpc) = (group(&[]), vpc(&[("ALL", true, None)]));
    let default = |name: &str, specs: &[Spec]| DefaultGroup {
        group: SecurityGroup { name: name.to_owned(), ..group(specs) },
        interfaces: Vec::new(),
    };
    for control in Control::ALL {
        let by_group = control.guardrail() == Guardrail::RevokeAdminIngress && control != Control::Ec2_18;
        assert_eq!(control.is_satisfied_by_group(&closed), by_group, "{control}");
        assert_eq!(control.is_satisfied_by_default_group(&default("default", &[])), control == Control::Ec2_2, "{control}");
        assert_eq!(control.is_satisfied_by_vpc(&vpc), control == Control::Ec2_6, "{control}");
    }
    let mut egress = default("default", &[("tcp", 443, 443, "203.0.113.24/32")]);
    egress.group.rules.iter_mut().for_each(|rule| rule.direction = Direction::Egress);
    for (group, satisfied) in [
        (default("default", &[("-1", -1, -1, "sg-0a")]), false),
        (default("default", &[("tcp", 443, 443, "203.0.113.24/32")]), false),
        (egress, false),
        (default("web", &[("tcp", 22, 22, "0.0.0.0/0")]), true),
    ] {
        assert_eq!(Control::Ec2_2.is_satisfied_by_default_group(&group), satisfied, "{group:?}");
    }
}

/// A VPC with flow logs: their traffic, whether they are active, and why they fail to deliver.
fn vpc(logs: &[(&str, bool, Option<&str>)]) -> Vpc {
    let log = |(traffic, active, failing): &(&str, bool, Option<&str>)| FlowLog {
        id: None,
        traffic_type: traffic.parse::<TrafficType>().unwrap(),
        destination: "/vpc/flow".to_owned(),
        active: *active,
        failing: failing.map(str::to_owned),
        tags: Tags::new(),
    };
    Vpc {
        id: "vpc-0a".parse().unwrap(),
        owner: "111122223333".parse().unwrap(),
        tags: Tags::new(),
        flow_logs: logs.iter().map(log).collect(),
    }
}

#[test]
fn a_vpc_is_watched_when_a_log_that_delivers_records_what_is_rejected() {
    for (logs, satisfied) in [
        (&[][..], false),
        (&[("ALL", true, None)], true),
        (&[("REJECT", true, None)], true),
        (&[("ACCEPT", true, None)], false),
        (&[("ALL", false, None)], false),
        (&[("ALL", true, Some("Access error"))], false),
        (&[("ACCEPT", true, None), ("REJECT", true, Some("Access error"))], false),
        (&[("ALL", true, Some("Access error")), ("REJECT", true, None)], true),
    ] {
        assert_eq!(Control::Ec2_6.is_satisfied_by_vpc(&vpc(logs)), satisfied, "{logs:?}");
    }
}

#[test]
fn a_control_is_known_by_its_id_and_by_nothing_else() {
    for control in Control::ALL {
        assert_eq!(control.id().parse(), Ok(control));
        assert_eq!(control.to_string(), control.id());
    }
    for text in ["", "EC2", "EC2.1", "EC2.130", "ec2.13", " EC2.13", "EC2.13 "] {
        assert_eq!(text.parse::<Control>(), Err(()), "{text}");
    }
}

fn spec() -> impl Strategy<Value = Spec> {
    let traffic = [
        ("tcp", 22, 22),
        ("tcp", 20, 25),
        ("tcp", 3389, 3389),
        ("tcp", 0, 65535),
        ("udp", 22, 22),
        ("tcp", 443, 443),
        ("-1", -1, -1),
        ("icmp", -1, -1),
    ];
    let sources = ["0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "2000::/3", "203.0.113.24/32", "pl-0world", "pl-0office", "sg-0b"];
    (select(traffic.to_vec()), select(sources.to_vec())).prop_map(|((protocol, from, to), source)| (protocol, from, to, source))
}

/// Whether a rule is open to a whole family, read off its texts alone.
fn is_open((protocol, from, to, source): Spec, transports: &[&str], ports: &[i32], families: &[Family]) -> bool {
    let family = match source {
        "0.0.0.0/0" | "pl-0world" => Some(Family::V4),
        "::/0" => Some(Family::V6),
        _ => None,
    };
    let reaches = protocol == "-1" || transports.contains(&protocol) && ports.iter().any(|port| (from..=to).contains(port));
    reaches && family.is_some_and(|family| families.contains(&family))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_group_satisfies_a_control_when_none_of_its_rules_is_open_to_a_family_that_the_control_names(specs in vec(spec(), 0..6)) {
        let state = group(&specs);
        let high_risk = HIGH_RISK.map(i32::from);
        let both = Family::BOTH;
        let closed = |transports: &[&str], ports: &[i32], families: &[Family]| !specs.iter().any(|spec| is_open(*spec, transports, ports, families));
        prop_assert_eq!(Control::Ec2_13.is_satisfied_by_group(&state), closed(&["tcp"], &[22], &both));
        prop_assert_eq!(Control::Ec2_14.is_satisfied_by_group(&state), closed(&["tcp"], &[3389], &both));
        prop_assert_eq!(Control::Ec2_19.is_satisfied_by_group(&state), closed(&["tcp", "udp"], &high_risk, &both));
        prop_assert_eq!(Control::Ec2_53.is_satisfied_by_group(&state), closed(&["tcp", "udp"], &[22, 3389], &[Family::V4]));
        prop_assert_eq!(Control::Ec2_54.is_satisfied_by_group(&state), closed(&["tcp", "udp"], &[22, 3389], &[Family::V6]));
        prop_assert!(!Control::Ec2_18.is_satisfied_by_group(&state));
    }

    #[test]
    fn what_the_plan_leaves_satisfies_the_controls_of_the_ports_it_closes(specs in vec(spec(), 0..6)) {
        let mut state = group(&specs);
        let plan = Policy::new(Settings::default()).unwrap().plan(&state, "2026-11-21T12:00:00Z".parse().unwrap(), 0);
        prop_assert!(matches!(plan.verdict, Verdict::Change | Verdict::Compliant));
        for change in &plan.changes {
            change.apply(&mut state).unwrap();
        }
        for control in [Control::Ec2_13, Control::Ec2_14] {
            prop_assert!(control.is_satisfied_by_group(&state), "{}", control);
        }
    }
}
