//! Examples of revoke-admin-ingress: which rules go, and what is authorised in their place.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use palisade_policy::change::Change;
use palisade_policy::cidr::Cidr;
use palisade_policy::id::PrefixListId;
use palisade_policy::plan::{Plan, Verdict};
use palisade_policy::revoke_admin_ingress::{Policy, Ranges, Settings};
use palisade_policy::security_group::{Direction, PrefixList, Rule, SecurityGroup, Source, Tags};
use palisade_policy::traffic::{PortRange, Traffic, Transport};

/// `tcp/20-25 from 0.0.0.0/0`; `-1` is all traffic, and a source of `pl-…` a prefix list.
fn rule(text: &str) -> Rule {
    let (traffic, source) = text.split_once(" from ").unwrap();
    let ports = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        PortRange::new(first.parse().unwrap(), last.parse().unwrap()).unwrap()
    };
    let traffic = match traffic.split_once('/') {
        Some(("tcp", numbers)) => Traffic::Ports(Transport::Tcp, ports(numbers)),
        Some(("udp", numbers)) => Traffic::Ports(Transport::Udp, ports(numbers)),
        _ => Traffic::All,
    };
    let source =
        if source.starts_with("pl-") { Source::PrefixListId(source.parse().unwrap()) } else { Source::Cidr(source.parse().unwrap()) };
    Rule { id: None, direction: Direction::Ingress, traffic, source, description: None, tags: Tags::new() }
}

fn group(rules: &[&str]) -> SecurityGroup {
    SecurityGroup {
        id: "sg-0a".parse().unwrap(),
        name: "web".to_owned(),
        owner: "111122223333".parse().unwrap(),
        vpc: None,
        tags: Tags::new(),
        rules: rules.iter().map(|text| rule(text)).collect(),
        prefix_lists: BTreeMap::new(),
    }
}

fn list(group: &mut SecurityGroup, id: &str, weight: usize, entries: Result<&[&str], &str>) {
    let entries = entries.map(|all| all.iter().map(|block| block.parse().unwrap()).collect()).map_err(str::to_owned);
    group.prefix_lists.insert(id.parse::<PrefixListId>().unwrap(), PrefixList { weight, entries });
}

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn plan(group: &SecurityGroup) -> Plan {
    plan_with(Settings::default(), group, 0)
}

fn plan_with(settings: Settings, group: &SecurityGroup, refusals: usize) -> Plan {
    Policy::new(settings).unwrap().plan(group, now(), refusals)
}

/// The changes as texts: what is revoked, what is authorised.
fn texts(plan: &Plan) -> (Vec<String>, Vec<String>) {
    let (mut revoked, mut authorised) = (Vec::new(), Vec::new());
    for change in &plan.changes {
        let (Change::RevokeRule(its) | Change::AuthorizeRule(its)) = change else { continue };
        let text = format!("{} from {}", its.rule.traffic, its.rule.source);
        if matches!(change, Change::RevokeRule(_)) { revoked.push(text) } else { authorised.push(text) }
    }
    revoked.sort();
    authorised.sort();
    (revoked, authorised)
}

#[track_caller]
fn becomes(plan: &Plan, revoked: &[&str], authorised: &[&str]) {
    let sorted = |texts: &[&str]| {
        let mut texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        texts.sort();
        texts
    };
    assert_eq!(texts(plan), (sorted(revoked), sorted(authorised)));
}

#[test]
fn a_rule_for_the_port_alone_goes() {
    becomes(&plan(&group(&["tcp/22 from 0.0.0.0/0", "tcp/443 from 0.0.0.0/0"])), &["tcp/22 from 0.0.0.0/0"], &[]);
}

#[test]
fn a_range_is_carved_around_the_port() {
    let zero = "0.0.0.0/0";
    for (range, rest) in [
        ("20-25", vec!["20-21", "23-25"]),
        ("22-25", vec!["23-25"]),
        ("20-22", vec!["20-21"]),
        ("21-23", vec!["21", "23"]),
        ("22-3389", vec!["23-3388"]),
        ("0-65535", vec!["0-21", "23-3388", "3390-65535"]),
    ] {
        let rest: Vec<String> = rest.into_iter().map(|ports| format!("tcp/{ports} from {zero}")).collect();
        let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
        let whole = if range == "0-65535" { format!("all tcp from {zero}") } else { format!("tcp/{range} from {zero}") };
        becomes(&plan(&group(&[&format!("tcp/{range} from {zero}")])), &[&whole], &rest);
    }
}

#[test]
fn all_traffic_is_carved_into_tcp_udp_and_the_icmp_of_the_family() {
    let v4 = plan(&group(&["-1 from 0.0.0.0/0"]));
    becomes(
        &v4,
        &["all traffic from 0.0.0.0/0"],
        &[
            "all udp from 0.0.0.0/0",
            "icmp from 0.0.0.0/0",
            "tcp/0-21 from 0.0.0.0/0",
            "tcp/23-3388 from 0.0.0.0/0",
            "tcp/3390-65535 from 0.0.0.0/0",
        ],
    );
    assert!(v4.remarks.iter().any(|remark| remark.contains("other protocols")), "{:?}", v4.remarks);
    becomes(
        &plan(&group(&["-1 from ::/0"])),
        &["all traffic from ::/0"],
        &["all udp from ::/0", "icmpv6 from ::/0", "tcp/0-21 from ::/0", "tcp/23-3388 from ::/0", "tcp/3390-65535 from ::/0"],
    );
}

#[test]
fn a_udp_port_is_carved_out_of_udp_only() {
    let settings = Settings { ports: "udp/3389".parse().unwrap(), ..Settings::default() };
    becomes(
        &plan_with(settings, &group(&["udp/3380-3400 from 0.0.0.0/0", "tcp/3380-3400 from 0.0.0.0/0"]), 0),
        &["udp/3380-3400 from 0.0.0.0/0"],
        &["udp/3380-3388 from 0.0.0.0/0", "udp/3390-3400 from 0.0.0.0/0"],
    );
}

#[test]
fn ranges_revoke_never_carves() {
    let settings = Settings { ranges: Ranges::Revoke, ..Settings::default() };
    let plan = plan_with(settings, &group(&["tcp/20-25 from 0.0.0.0/0", "tcp/20-21 from 0.0.0.0/0"]), 0);
    becomes(&plan, &["tcp/20-25 from 0.0.0.0/0"], &[]);
    assert!(plan.remarks.iter().any(|remark| remark.contains("PALISADE_RANGES")), "{:?}", plan.remarks);
}

#[test]
fn the_world_in_pieces_is_the_world() {
    for world in [
        vec!["0.0.0.0/1", "128.0.0.0/1"],
        vec!["::/1", "8000::/1"],
        vec!["2000::/3"],
        vec!["::/0"],
        // As many addresses as a /8 has, and no more.
        vec!["8.0.0.0/8"],
        vec!["2600::/16"],
    ] {
        let rules: Vec<String> = world.iter().map(|block| format!("tcp/22 from {block}")).collect();
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        becomes(&plan(&group(&rules)), &rules, &[]);
    }
}

#[test]
fn of_two_halves_of_the_limit_one_stays() {
    becomes(&plan(&group(&["tcp/22 from 8.0.0.0/9", "tcp/22 from 8.128.0.0/9"])), &["tcp/22 from 8.0.0.0/9"], &[]);
    becomes(&plan(&group(&["tcp/22 from 2600::/17", "tcp/22 from 2600:8000::/17"])), &["tcp/22 from 2600::/17"], &[]);
}

#[test]
fn what_is_not_the_world_stays() {
    for harmless in ["198.51.100.7/32", "10.0.0.0/8", "192.168.0.0/16", "224.0.0.0/3", "8.0.0.0/9", "fc00::/7", "2001:db8::/32", "::/8"] {
        let all = ["tcp/22 from 0.0.0.0/0".to_owned(), "tcp/22 from ::/0".to_owned(), format!("tcp/22 from {harmless}")];
        let rules: Vec<&str> = all.iter().map(String::as_str).collect();
        becomes(&plan(&group(&rules)), &["tcp/22 from 0.0.0.0/0", "tcp/22 from ::/0"], &[]);
    }
}

#[test]
fn of_200_scattered_nines_one_stays() {
    let public_nines = (0_u32..448).map(|n| Ipv4Addr::from(n << 23)).filter(|address| {
        let [first, ..] = address.octets();
        !matches!(first, 0 | 10 | 100 | 127 | 169 | 172 | 192 | 198)
    });
    let rules: Vec<String> = public_nines.step_by(2).take(200).map(|address| format!("tcp/22 from {address}/9")).collect();
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    assert_eq!(rules.len(), 200);
    let (revoked, authorised) = texts(&plan(&group(&rules)));
    // Two of them are as many addresses as a /8 has, which is too many already.
    assert_eq!((revoked.len(), authorised.len()), (rules.len() - 1, 0));
}

#[test]
fn a_prefix_list_that_holds_the_world_goes_and_its_weight_decides_whether_it_is_carved() {
    let mut sg = group(&["tcp/20-25 from pl-0a", "tcp/22 from 198.51.100.7/32"]);
    list(&mut sg, "pl-0a", 10, Ok(&["198.51.100.0/24", "0.0.0.0/0"]));
    let carved = plan(&sg);
    becomes(&carved, &["tcp/20-25 from pl-0a"], &["tcp/20-21 from pl-0a", "tcp/23-25 from pl-0a"]);
    assert!(carved.reason.contains("pl-0a (which holds 0.0.0.0/0)"), "{}", carved.reason);

    list(&mut sg, "pl-0a", 20, Ok(&["0.0.0.0/0"]));
    let whole = plan(&sg);
    becomes(&whole, &["tcp/20-25 from pl-0a"], &[]);
    assert!(whole.remarks.iter().any(|remark| remark.contains("no room")), "{:?}", whole.remarks);
}

#[test]
fn a_prefix_list_that_cannot_be_read_stays_and_the_rest_is_still_closed() {
    let mut sg = group(&["tcp/22 from pl-0a", "tcp/22 from 0.0.0.0/0", "tcp/443 from pl-0b"]);
    list(&mut sg, "pl-0a", 1, Err("AccessDenied"));
    let plan = plan(&sg);
    becomes(&plan, &["tcp/22 from 0.0.0.0/0"], &[]);
    let unread = plan.unread.unwrap();
    assert!(unread.contains("pl-0a") && unread.contains("AccessDenied") && !unread.contains("pl-0b"), "{unread}");
}

#[test]
fn a_group_whose_only_admin_rule_is_an_unreadable_prefix_list_is_not_just_compliant() {
    let plan = plan(&group(&["-1 from pl-0a"]));
    assert_eq!(plan.verdict, Verdict::Compliant);
    assert!(plan.unread.unwrap().contains("pl-0a"));
}

#[test]
fn equal_pieces_are_authorised_once_and_what_the_group_has_not_at_all() {
    let sg = group(&["tcp/20-25 from 0.0.0.0/0", "tcp/20-30 from 0.0.0.0/0", "tcp/23-25 from 0.0.0.0/0"]);
    becomes(
        &plan(&sg),
        &["tcp/20-25 from 0.0.0.0/0", "tcp/20-30 from 0.0.0.0/0"],
        &["tcp/20-21 from 0.0.0.0/0", "tcp/23-30 from 0.0.0.0/0"],
    );
}

#[test]
fn a_piece_that_a_wider_kept_rule_admits_is_not_authorised() {
    let sg = group(&["tcp/20-25 from 0.0.0.0/1", "tcp/20-25 from 128.0.0.0/1", "tcp/23-443 from 0.0.0.0/0"]);
    becomes(
        &plan(&sg),
        &["tcp/20-25 from 0.0.0.0/1", "tcp/20-25 from 128.0.0.0/1"],
        &["tcp/20-21 from 0.0.0.0/1", "tcp/20-21 from 128.0.0.0/1"],
    );
}

#[test]
fn descriptions_and_tags_are_carved_too_but_for_those_of_aws_which_are_told() {
    let mut sg = group(&["tcp/20-22 from 0.0.0.0/0"]);
    let tags = [("team", "core"), ("aws:cloudformation:stack-name", "web")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    for rule in &mut sg.rules {
        (rule.description, rule.tags) = (Some("ssh".to_owned()), Tags::from(tags.clone()));
    }
    let plan = plan(&sg);
    let Some(Change::AuthorizeRule(piece)) = plan.changes.first() else { panic!("{:?}", plan.changes) };
    assert_eq!(piece.rule.description.as_deref(), Some("ssh"));
    assert_eq!(piece.rule.tags.keys().collect::<Vec<_>>(), ["team"]);
    assert!(plan.remarks.iter().any(|remark| remark.contains("aws:cloudformation:stack-name")), "{:?}", plan.remarks);
}

#[test]
fn replacement_sources_come_in_as_far_as_the_source_held_them() {
    let blocks = |all: &[&str]| all.iter().map(|block| block.parse::<Cidr>().unwrap()).collect();
    let settings = Settings { replacements: blocks(&["198.51.100.0/24", "2001:db8::/48"]), ..Settings::default() };
    becomes(
        &plan_with(settings.clone(), &group(&["tcp/22-23 from 198.0.0.0/7", "tcp/22 from 0.0.0.0/1"]), 0),
        &["tcp/22 from 0.0.0.0/1", "tcp/22-23 from 198.0.0.0/7"],
        &["tcp/22 from 198.51.100.0/24", "tcp/23 from 198.0.0.0/7"],
    );
    becomes(&plan_with(settings, &group(&["tcp/22 from ::/0"]), 0), &["tcp/22 from ::/0"], &["tcp/22 from 2001:db8::/48"]);
}

#[test]
fn a_trusted_source_does_not_count_and_stays() {
    let settings = Settings { trusted: vec!["8.0.0.0/9".parse().unwrap()], ..Settings::default() };
    becomes(&plan_with(settings, &group(&["tcp/22 from 8.0.0.0/9", "tcp/22 from 9.0.0.0/9"]), 0), &[], &[]);
}

#[test]
fn settings_that_would_make_the_world_harmless_or_everything_the_world_are_refused() {
    let wide = || vec!["8.0.0.0/8".parse().unwrap()];
    assert!(Policy::new(Settings { trusted: wide(), ..Settings::default() }).is_err());
    assert!(Policy::new(Settings { replacements: wide(), ..Settings::default() }).is_err());
    assert!(Policy::new(Settings { world_prefix_v4: 0, ..Settings::default() }).is_err());
    assert!(Policy::new(Settings { world_prefix_v4: 33, ..Settings::default() }).is_err());
    assert!(Policy::new(Settings { world_prefix_v6: 129, ..Settings::default() }).is_err());
}

#[test]
fn a_rule_is_exempt_alone_and_the_others_are_judged_without_it() {
    let mut sg = group(&["tcp/22 from 0.0.0.0/1", "tcp/22 from 128.0.0.0/1"]);
    for rule in sg.rules.iter_mut().take(1) {
        rule.tags.insert("palisade:exempt:revoke-admin-ingress".to_owned(), "until=2026-12-31 reason=CHG-1".to_owned());
    }
    becomes(&plan(&sg), &["tcp/22 from 128.0.0.0/1"], &[]);
}

// Each of the two admits half of what makes a world, so nothing is done only because one is exempt.
#[test]
fn a_port_that_is_open_only_with_an_exempt_rule_is_told_as_exempt_whichever_rule_would_have_gone() {
    for exempt in [0, 1] {
        let mut sg = group(&["tcp/22 from 8.0.0.0/9", "tcp/22 from 8.128.0.0/9"]);
        for rule in sg.rules.iter_mut().skip(exempt).take(1) {
            rule.tags.insert("palisade:exempt:revoke-admin-ingress".to_owned(), "until=2026-12-31 reason=CHG-1".to_owned());
        }
        let plan = plan(&sg);
        assert!(plan.changes.is_empty());
        assert!(matches!(plan.verdict, Verdict::Exempt { .. }), "rule {exempt} is exempt, but the plan says: {}", plan.reason);
    }
}

#[test]
fn ten_thousand_rules_are_planned_in_seconds() {
    // Blocks side by side from 11.0.0.0 on.
    let block = |n: u32, prefix: u32| format!("{}/{prefix}", Ipv4Addr::from((n << (32 - prefix)).wrapping_add(0x0b00_0000)));
    type Ports = fn(u32) -> (u32, u32);
    let shapes: [(&str, u8, Ports, u32); 5] = [
        ("many /16s with one range", 8, |_| (20, 25), 16),
        ("hosts, each with its own range", 8, |n| (n % 22, 3389 + n % 7), 32),
        ("many /16s, each with its own range", 8, |n| (n % 22, 3389 + n % 7), 16),
        ("more hosts than the limit, with one range", 20, |_| (20, 25), 32),
        ("all from everywhere", 8, |n| (n % 20, 30 + n), 0),
    ];
    for (name, world_prefix_v4, ports, prefix) in shapes {
        let texts = (0..10_000).map(|n| {
            let (first, last) = ports(n);
            let source = if prefix == 0 { "0.0.0.0/0".to_owned() } else { block(n * if prefix == 32 { 2 } else { 1 }, prefix) };
            format!("tcp/{first}-{last} from {source}")
        });
        let mut sg = group(&[]);
        sg.rules = texts.map(|text| rule(&text)).collect();
        let settings = Settings { ports: "high-risk".parse().unwrap(), world_prefix_v4, ..Settings::default() };
        let start = Instant::now();
        let plan = plan_with(settings, &sg, 1);
        let took = start.elapsed();
        println!("{name}: {} changes in {took:?}", plan.changes.len());
        // A busy machine takes several times the seconds that it is about.
        assert!(took < Duration::from_secs(30), "{name}: {took:?}");
    }
}

// Otherwise EC2 is asked for the same again, and one of its few attempts is lost.
#[test]
fn a_refusal_is_not_spent_on_the_rule_that_had_no_room_anyway() {
    let mut sg = group(&["tcp/20-25 from 0.0.0.0/0", "-1 from pl-0a"]);
    list(&mut sg, "pl-0a", 32, Ok(&["0.0.0.0/0"]));
    let (asked, again) = (texts(&plan(&sg)).1, texts(&plan_with(Settings::default(), &sg, 1)).1);
    assert_eq!(asked, ["tcp/20-21 from 0.0.0.0/0", "tcp/23-25 from 0.0.0.0/0"]);
    assert!(again.len() < asked.len(), "after a refusal EC2 is asked for {again:?} again");
}

// The same for a rule all of whose pieces another rule wants as well.
#[test]
fn a_refusal_is_not_spent_on_a_rule_whose_pieces_another_wants_too() {
    let settings = Settings { ports: "22,23".parse().unwrap(), ..Settings::default() };
    let sg = group(&["tcp/20-22 from 0.0.0.0/0", "tcp/20-23 from 0.0.0.0/0"]);
    let asked = texts(&plan_with(settings.clone(), &sg, 0)).1;
    assert_eq!(asked, ["tcp/20-21 from 0.0.0.0/0"]);
    let again = texts(&plan_with(settings, &sg, 1)).1;
    assert!(again.len() < asked.len(), "after a refusal EC2 is asked for {again:?} again");
}
