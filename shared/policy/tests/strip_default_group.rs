//! The laws of `strip-default-group`, each a sentence.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use palisade_policy::change::{Change, State, undo};
use palisade_policy::cidr::Cidr;
use palisade_policy::commands::command;
use palisade_policy::id::InterfaceId;
use palisade_policy::plan::{Fate, Plan, Verdict};
use palisade_policy::security_group::{Direction, GroupReference, Rule, SecurityGroup, Source, Tags};
use palisade_policy::strip_default_group::{DefaultGroup, InUse, NAME, Policy, Settings};
use palisade_policy::traffic::{Icmp, PortRange, Traffic, Transport};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

const EXEMPT: &str = "palisade:exempt:strip-default-group";
const VALID: [&str; 3] = ["until=2026-12-31 reason=CHG-1", "until=2026-11-21T12:00:01Z reason=soon over", "until=2027-02-18 reason=x"];
const INVALID: [&str; 4] = ["until=2026-11-20 reason=over", "until=2026-12-31", "true", "until=2030-01-01 reason=too long"];

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

#[derive(Debug, Clone)]
struct Case {
    settings: Settings,
    state: DefaultGroup,
}

impl Case {
    fn plan(&self) -> Plan {
        Policy::new(self.settings.clone()).plan(&self.state, now())
    }

    fn exempts(&self, tags: &Tags) -> bool {
        self.settings.exemptions && tags.get(EXEMPT).is_some_and(|value| VALID.contains(&value.as_str()))
    }

    /// The rules that are not exempt themselves.
    fn surplus(&self) -> Vec<&Rule> {
        self.state.group.rules.iter().filter(|rule| !self.exempts(&rule.tags)).collect()
    }

    /// The case after its plan was carried out.
    fn after(&self) -> Case {
        let mut after = self.clone();
        for change in self.plan().changes {
            change.apply(&mut after.state).unwrap_or_else(|error| panic!("{change:?}: {error}"));
        }
        after
    }
}

fn tags() -> impl Strategy<Value = Tags> {
    let pair = prop_oneof![
        3 => (Just(EXEMPT), select(VALID.to_vec())),
        2 => (Just(EXEMPT), select(INVALID.to_vec())),
        1 => (Just("palisade:exempt:revoke-admin-ingress"), Just(VALID[0])),
        2 => (select(vec!["team", "aws:cloudformation:stack-name", "ä"]), Just("x y")),
    ];
    let some = vec(pair, 1..3).prop_map(|pairs| pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect());
    prop_oneof![4 => Just(Tags::new()), 1 => some]
}

fn cidr() -> impl Strategy<Value = Cidr> {
    let known = ["0.0.0.0/0", "::/0", "0.0.0.0/1", "10.0.0.0/8", "203.0.113.24/32", "2001:db8::/32", "fc00::/7"];
    select(known.map(|cidr| cidr.parse::<Cidr>().unwrap()).to_vec())
}

/// The group itself, too.
fn source() -> impl Strategy<Value = Source> {
    let group = (select(vec!["sg-0a", "sg-0b"]), option::of(Just("111122223333"))).prop_map(|(id, owner)| {
        Source::ReferencedGroup(GroupReference { group_id: id.parse().unwrap(), user_id: owner.map(|owner| owner.parse().unwrap()) })
    });
    let list = (0_u8..3).prop_map(|n| Source::PrefixListId(format!("pl-{n}").parse().unwrap()));
    prop_oneof![5 => cidr().prop_map(Source::Cidr), 2 => group, 1 => list]
}

fn traffic() -> impl Strategy<Value = Traffic> {
    let ports = prop_oneof![Just((22, 22)), Just((0, u16::MAX)), (any::<u16>(), any::<u16>())];
    let ports = ports.prop_map(|(a, b): (u16, u16)| PortRange::new(a.min(b), a.max(b)).unwrap());
    let icmp = (option::of(any::<u8>()), option::of(any::<u8>())).prop_map(|(kind, code)| Icmp { kind, code });
    prop_oneof![
        3 => Just(Traffic::All),
        3 => (select(vec![Transport::Tcp, Transport::Udp]), ports).prop_map(|(transport, ports)| Traffic::Ports(transport, ports)),
        1 => icmp.clone().prop_map(Traffic::Icmp),
        1 => icmp.prop_map(Traffic::Icmpv6),
        1 => select(vec![2_u8, 47, 50, 132]).prop_map(Traffic::Other),
    ]
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let count = prop_oneof![6 => 0..8_usize, 1 => 8..120_usize];
    let rules = count.prop_flat_map(|count| {
        let description = option::of(select(vec!["ssh", "it's the \"office\"", "ä\u{1f511}"]));
        vec((select(vec![Direction::Ingress, Direction::Egress]), traffic(), source(), description, tags()), count)
    });
    rules.prop_map(|rules| {
        let mut seen = BTreeSet::new();
        let rules = rules.into_iter().enumerate().map(|(n, (direction, traffic, source, description, tags))| Rule {
            id: Some(format!("sgr-{n}").parse().unwrap()),
            direction,
            traffic,
            source,
            description: description.map(str::to_owned),
            tags,
        });
        // EC2 has no two rules that admit the same.
        rules.filter(|rule| seen.insert((rule.direction, rule.traffic, rule.source.clone()))).collect()
    })
}

fn interfaces() -> impl Strategy<Value = Vec<InterfaceId>> {
    let many = prop_oneof![3 => Just(0_usize), 2 => 1..4_usize, 1 => 4..200_usize];
    many.prop_map(|n| (0..n).map(|n| format!("eni-{n:017x}").parse().unwrap()).collect())
}

fn cases() -> impl Strategy<Value = Case> {
    let name = prop_oneof![6 => Just(NAME), 1 => select(vec!["web", "Default", "default ", "default-web", ""])];
    let settings = (select(vec![InUse::Refuse, InUse::Strip]), prop_oneof![4 => Just(true), 1 => Just(false)]);
    (name, tags(), rules(), interfaces(), settings, any::<bool>()).prop_map(|(name, tags, rules, interfaces, settings, has_vpc)| Case {
        settings: Settings { in_use: settings.0, exemptions: settings.1 },
        state: DefaultGroup {
            group: SecurityGroup {
                id: "sg-0a".parse().unwrap(),
                name: name.to_owned(),
                owner: "111122223333".parse().unwrap(),
                vpc: has_vpc.then(|| "vpc-0a".parse().unwrap()),
                tags,
                rules,
                prefix_lists: BTreeMap::new(),
            },
            interfaces,
        },
    })
}

fn content(rules: &[Rule]) -> BTreeSet<String> {
    rules.iter().map(|rule| format!("{rule} {:?} {:?}", rule.description, rule.tags)).collect()
}

/// At least 10,000 cases a law; `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig { cases: asked.cases.max(10_000), failure_persistence: None, max_shrink_time: 60_000, ..asked }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn after_it_was_changed_a_default_group_has_its_exempt_rules_and_no_other(case in cases()) {
        let after = case.after();
        if case.plan().verdict == Verdict::Change {
            let exempt: Vec<Rule> = case.state.group.rules.iter().filter(|rule| case.exempts(&rule.tags)).cloned().collect();
            prop_assert_eq!(&after.state.group.rules, &exempt);
            let verdict = after.plan().verdict;
            prop_assert_eq!(verdict == Verdict::Compliant, exempt.is_empty());
            prop_assert!(verdict != Verdict::Change && verdict != Verdict::Refused);
        } else {
            prop_assert_eq!(&after.state, &case.state);
        }
    }

    #[test]
    fn only_a_default_group_that_has_rules_which_nothing_protects_is_changed(case in cases()) {
        let protected = case.exempts(&case.state.group.tags)
            || (!case.state.interfaces.is_empty() && case.settings.in_use == InUse::Refuse);
        let wrong = case.state.group.name == NAME && !case.surplus().is_empty();
        prop_assert_eq!(case.plan().verdict == Verdict::Change, wrong && !protected);
        prop_assert_eq!(case.plan().changes.is_empty(), !wrong || protected);
    }

    #[test]
    fn a_group_of_another_name_is_compliant_whatever_it_holds_and_whoever_uses_it(mut case in cases(), name in "(default.{1,3}|.{0,6}|Default|.{1,3}default)") {
        case.state.group.name = name;
        case.settings.in_use = InUse::Strip;
        prop_assert_eq!(case.plan().verdict, Verdict::Compliant);
        prop_assert_eq!(&case.after().state, &case.state);
    }

    #[test]
    fn a_group_in_use_is_refused_only_for_being_in_use_and_names_who_uses_it(mut case in cases()) {
        case.settings.in_use = InUse::Refuse;
        let plan = case.plan();
        let mut unused = case.clone();
        unused.state.interfaces.clear();
        if plan.verdict == Verdict::Refused {
            prop_assert!(!case.state.interfaces.is_empty());
            prop_assert_eq!(unused.plan().verdict, Verdict::Change);
            prop_assert!(case.state.interfaces.iter().take(10).all(|id| plan.reason.contains(id.as_str())), "{}", plan.reason);
            prop_assert!(plan.reason.len() < 600, "{}", plan.reason);
            prop_assert!(plan.sketch.lines.iter().all(|line| line.fate == Fate::Kept));
        } else {
            prop_assert_eq!(unused.plan().verdict, plan.verdict);
        }
    }

    #[test]
    fn an_exemption_is_told_of_until_the_first_of_them_ends(case in cases()) {
        if let Verdict::Exempt { until } = case.plan().verdict {
            prop_assert!(case.settings.exemptions && until > now());
            prop_assert!(case.exempts(&case.state.group.tags) || case.surplus().is_empty());
            let mut later = case.clone();
            later.state.interfaces.clear();
            let plan = Policy::new(later.settings.clone()).plan(&later.state, until);
            prop_assert!(plan.verdict == Verdict::Change, "{:?} at {until}", plan.verdict);
        }
    }

    #[test]
    fn every_change_is_the_revocation_of_a_rule_as_it_is_with_what_goes_in_before_what_goes_out(case in cases()) {
        let mut last = Direction::Ingress;
        for change in case.plan().changes {
            let Change::RevokeRule(change) = change else { panic!("{change:?}") };
            prop_assert!(case.surplus().contains(&&change.rule) && change.group_id == case.state.group.id);
            prop_assert!(change.rule.direction >= last);
            last = change.rule.direction;
        }
    }

    #[test]
    fn done_twice_is_done_once(case in cases()) {
        let after = case.after();
        prop_assert_eq!(after.plan().changes, vec![]);
        prop_assert_eq!(&after.after().state, &after.state);
    }

    #[test]
    fn undone_it_has_the_rules_that_it_had_with_their_descriptions_and_tags(case in cases()) {
        let changes = case.plan().changes;
        let mut state = case.after().state;
        prop_assert!(changes.iter().all(|change| state.shows(change)));
        for change in undo(&changes) {
            change.apply(&mut state).unwrap();
        }
        prop_assert_eq!(content(&state.group.rules), content(&case.state.group.rules));
        prop_assert!(changes.iter().all(|change| change.inverse().inverse() == *change));
    }

    #[test]
    fn the_command_that_undoes_a_change_authorises_in_the_direction_of_the_rule(case in cases()) {
        let region = "eu-west-1".parse().unwrap();
        for change in case.plan().changes {
            let Change::RevokeRule(revoked) = &change else { panic!("{change:?}") };
            let way = if revoked.rule.direction == Direction::Ingress { "ingress" } else { "egress" };
            let command = command(&change.inverse(), &region);
            let start = format!("aws ec2 authorize-security-group-{way} --region eu-west-1 --group-id sg-0a --ip-permissions '[");
            prop_assert!(command.starts_with(&start), "{}", command);
            prop_assert!(!command.contains('\n') && !command.contains("aws:cloudformation"), "{}", command);
            prop_assert_eq!(command.replace(r"'\''", "").matches('\'').count() % 2, 0, "{}", command);
        }
    }

    #[test]
    fn neither_the_order_in_which_ec2_lists_rules_nor_their_ids_matter(case in cases()) {
        let mut other = case.clone();
        other.state.group.rules.reverse();
        let (one, two) = (case.plan(), other.plan());
        prop_assert_eq!(&one, &two);
        other.state.group.rules.iter_mut().for_each(|rule| rule.id = None);
        let two = other.plan();
        prop_assert_eq!((one.verdict, one.reason, one.remarks, one.sketch), (two.verdict, two.reason, two.remarks, two.sketch));
    }

    #[test]
    fn the_sketch_shows_every_rule_once_and_what_goes_as_gone(case in cases()) {
        let plan = case.plan();
        let gone = plan.sketch.lines.iter().filter(|line| line.fate == Fate::Removed).count();
        prop_assert_eq!(gone, plan.changes.len());
        if plan.verdict != Verdict::Compliant {
            prop_assert_eq!(plan.sketch.lines.len(), case.state.group.rules.len());
        }
    }
}

#[test]
fn a_way_in_from_the_world_is_worse_than_any_number_of_other_rules() {
    let rule = |direction, source: &str| Rule {
        id: None,
        direction,
        traffic: Traffic::All,
        source: Source::Cidr(source.parse().unwrap()),
        description: None,
        tags: Tags::new(),
    };
    let exposure = |rules: Vec<Rule>| {
        let group = SecurityGroup {
            id: "sg-0a".parse().unwrap(),
            name: NAME.to_owned(),
            owner: "111122223333".parse().unwrap(),
            vpc: None,
            tags: Tags::new(),
            rules,
            prefix_lists: BTreeMap::new(),
        };
        Policy::new(Settings::default()).plan(&DefaultGroup { group, interfaces: Vec::new() }, now()).exposure
    };
    let open = exposure(vec![rule(Direction::Ingress, "0.0.0.0/0")]);
    let open_v6 = exposure(vec![rule(Direction::Ingress, "2000::/3")]);
    let inside: Vec<Rule> = (0..60).map(|n| rule(Direction::Ingress, &format!("10.{n}.0.0/16"))).collect();
    let out = rule(Direction::Egress, "0.0.0.0/0");
    assert_eq!(open, open_v6);
    assert!(open > exposure([inside.clone(), vec![out]].concat()) && exposure(inside) > 0);
}
