//! The world moves while a function acts: another function, a person, a crash.

use aws_sdk_ec2::types::{SecurityGroupRuleRequest, SecurityGroupRuleUpdate};
use palisade_policy::response::Mode;
use palisade_tests::stub::{Fault, How};

use crate::scene::{Scene, block_on, the_result};

#[test]
fn two_functions_on_one_group_end_in_the_same_state_and_no_error() {
    block_on(async {
        for action in ["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"] {
            for case in ["range-20-25", "descriptions-and-tags-survive", "console-opens-ssh"] {
                if case == "console-opens-ssh" && action.starts_with("Authorize") {
                    continue; // nothing to authorise there
                }
                let scene = Scene::of(case).await;
                let (of_slow, of_quick) = scene.enforce_while(action, scene.enforce()).await;
                assert_eq!(the_result(&of_quick)["outcome"], "changed", "{case}");
                let outcome = the_result(&of_slow)["outcome"].clone();
                assert!(outcome == "compliant" || outcome == "changed", "{case} at {action}: {outcome}");
                assert_eq!(scene.rules().await, scene.expected_rules(), "{case} at {action}");
            }
        }
    });
}

#[test]
fn a_crash_before_the_revoke_cuts_nobody_off_and_the_next_run_finishes() {
    block_on(async {
        let scene = Scene::of("range-20-25").await;
        let before = scene.rules().await;
        scene.crash_before("RevokeSecurityGroupIngress").await;
        let between = scene.rules().await;
        assert!(before.iter().all(|rule| between.contains(rule)), "everything is still let in: {between:?}");
        assert_eq!(between.len(), before.len() + 2, "and both pieces are there: {between:?}");

        let act = scene.function(Mode::Enforce, vec![]).await.deliver().await;
        assert_eq!(the_result(&act)["outcome"], "changed");
        assert_eq!(scene.rules().await, scene.expected_rules());
    });
}

#[test]
fn a_group_that_is_deleted_meanwhile_is_gone() {
    block_on(async {
        let scene = Scene::of("console-opens-ssh").await;
        let meanwhile = async {
            let group = scene.case.world.security_groups.keys().next().unwrap();
            scene.made.ec2().delete_security_group().group_id(scene.made.real(group)).send().await.unwrap();
        };
        let (act, ()) = scene.enforce_while("RevokeSecurityGroupIngress", meanwhile).await;
        assert_eq!(the_result(&act)["outcome"], "gone", "{:?}", act.answer);
        assert!(act.notices.is_empty());
    });
}

#[test]
fn what_somebody_else_adds_meanwhile_stays() {
    block_on(async {
        let scene = Scene::of("range-20-25").await;
        let meanwhile = async {
            let group = scene.made.real(scene.case.world.security_groups.keys().next().unwrap());
            let call = scene.made.ec2().authorize_security_group_ingress().group_id(group);
            call.ip_protocol("tcp").from_port(8443).to_port(8443).cidr_ip("198.51.100.0/24").send().await.unwrap();
        };
        let (act, ()) = scene.enforce_while("RevokeSecurityGroupIngress", meanwhile).await;
        assert_eq!(the_result(&act)["outcome"], "changed");
        let rules = scene.rules().await;
        assert!(rules.contains(&"tcp/8443 from 198.51.100.0/24".to_owned()), "{rules:?}");
        assert!(scene.expected_rules().iter().all(|rule| rules.contains(rule)), "{rules:?}");
    });
}

#[test]
fn a_rule_that_somebody_else_revokes_meanwhile_is_no_error() {
    block_on(async {
        let scene = Scene::of("console-opens-ssh").await;
        let meanwhile = async {
            let group = scene.made.real(scene.case.world.security_groups.keys().next().unwrap());
            let call = scene.made.ec2().revoke_security_group_ingress().group_id(group);
            call.ip_protocol("tcp").from_port(22).to_port(22).cidr_ip("0.0.0.0/0").send().await.unwrap();
        };
        let (act, ()) = scene.enforce_while("RevokeSecurityGroupIngress", meanwhile).await;
        let outcome = the_result(&act)["outcome"].clone();
        assert!(outcome == "changed" || outcome == "compliant", "{outcome}");
        assert_eq!(scene.rules().await, scene.expected_rules());
    });
}

#[test]
fn a_rule_that_its_owner_edits_just_before_it_is_revoked_comes_back_as_edited() {
    // The open rule, as the local AWS names it: its ports, and what is written beside it.
    for (case, ports, description) in [("console-opens-ssh", (22, 22), "the vendor"), ("range-20-25", (20, 25), "ftp, ssh and smtp")] {
        block_on(async {
            let scene = Scene::of(case).await;
            let (literal, group) = scene.case.world.security_groups.iter().next().unwrap();
            let is_open = |from: Option<i32>, cidr: Option<&str>| from == Some(ports.0) && cidr == Some("0.0.0.0/0");
            let open = group.rules.iter().find(|rule| is_open(rule.from_port, rule.cidr.as_deref())).unwrap();
            let (group, rule) = (scene.made.real(literal), scene.made.real(&open.id));
            // What EC2 says that it revoked ("RevokeSecurityGroupIngress", `RevokedSecurityGroupRules`) and the local AWS does not.
            let revoked = format!(
                "<revokedSecurityGroupRuleSet><item><securityGroupRuleId>{rule}</securityGroupRuleId><groupId>{group}</groupId>\
                 <isEgress>false</isEgress><ipProtocol>tcp</ipProtocol><fromPort>{}</fromPort><toPort>{}</toPort>\
                 <cidrIpv4>192.0.2.44/32</cidrIpv4><description>{description}</description></item></revokedSecurityGroupRuleSet>",
                ports.0, ports.1
            );
            let edited = |gate| vec![Fault { action: "RevokeSecurityGroupIngress", calls: 1..=1, how: How::WaitAndTell(gate, revoked) }];
            let meanwhile = async {
                // An edit keeps the rule's id.
                let narrow = SecurityGroupRuleRequest::builder().ip_protocol("tcp").from_port(ports.0).to_port(ports.1);
                let narrow = narrow.cidr_ipv4("192.0.2.44/32").build();
                let update = SecurityGroupRuleUpdate::builder().security_group_rule_id(rule).security_group_rule(narrow).build();
                scene.made.ec2().modify_security_group_rules().group_id(group).security_group_rules(update).send().await.unwrap();
            };
            let before = scene.rules().await;
            let (act, ()) = scene.enforce_held(edited, meanwhile).await;
            // As its owner has it by now, and nothing of what was to take its place.
            let as_edited = |line: &String| match line.strip_prefix(&open_line(ports)) {
                Some(_) => format!("{}192.0.2.44/32 \"{description}\"", open_line(ports).trim_end_matches("0.0.0.0/0")),
                None => line.clone(),
            };
            let mut wanted: Vec<String> = before.iter().map(as_edited).collect();
            let mut rules = scene.rules().await;
            wanted.sort();
            rules.sort();
            assert_eq!(rules, wanted, "{case}: {:?}", act.answer);
            let result = the_result(&act);
            assert_eq!(result["outcome"], "changed", "{case}: {:?}", act.answer);
            assert!(result["remarks"].to_string().contains("it is back as edited"), "{case}: {result}");
        });
    }
}

fn open_line((from, to): (i32, i32)) -> String {
    let ports = if from == to { from.to_string() } else { format!("{from}-{to}") };
    format!("tcp/{ports} from 0.0.0.0/0")
}

#[test]
fn a_group_whose_turn_comes_late_is_read_again_first() {
    block_on(async {
        let scene = Scene::of("revoke-admin-ingress/sweep-by-direct-call").await;
        // The owner of the group that is less exposed, and so comes second, narrows its rule while the first is being closed.
        let (literal, group) =
            scene.case.world.security_groups.iter().find(|(_, group)| group.rules.iter().any(|rule| rule.from_port == Some(22))).unwrap();
        let rule = group.rules.iter().find(|rule| rule.from_port == Some(22)).unwrap();
        let meanwhile = async {
            let narrow =
                SecurityGroupRuleRequest::builder().ip_protocol("tcp").from_port(22).to_port(22).cidr_ipv4("192.0.2.44/32").build();
            let update =
                SecurityGroupRuleUpdate::builder().security_group_rule_id(scene.made.real(&rule.id)).security_group_rule(narrow).build();
            let call = scene.made.ec2().modify_security_group_rules().group_id(scene.made.real(literal));
            call.security_group_rules(update).send().await.unwrap();
        };
        let (act, ()) = scene.enforce_while("RevokeSecurityGroupIngress", meanwhile).await;
        let summary = act.response().unwrap()["summary"].clone();
        assert_eq!(summary["changed"], 1, "{summary}");
        let now = scene.made.read().await.unwrap();
        let rules = now[scene.made.real(literal)].lines();
        assert!(rules.iter().any(|rule| rule.starts_with("tcp/22 from 192.0.2.44/32")), "{rules:?}");
    });
}

#[test]
fn what_was_authorised_for_a_rule_that_somebody_else_took_away_is_told() {
    block_on(async {
        let scene = Scene::of("range-20-25").await;
        let meanwhile = async {
            let group = scene.made.real(scene.case.world.security_groups.keys().next().unwrap());
            let call = scene.made.ec2().revoke_security_group_ingress().group_id(group);
            call.ip_protocol("tcp").from_port(20).to_port(25).cidr_ip("0.0.0.0/0").send().await.unwrap();
        };
        let (act, ()) = scene.enforce_while("RevokeSecurityGroupIngress", meanwhile).await;
        let result = the_result(&act);
        assert_eq!(result["outcome"], "changed");
        let remark = result["remarks"][0].as_str().unwrap();
        assert!(remark.contains("was gone already") && remark.contains("tcp/20-21 from 0.0.0.0/0"), "{remark}");
    });
}

#[test]
fn an_event_younger_than_ec2s_reads_is_looked_into_again() {
    block_on(async {
        let mut scene = Scene::of("clean-group").await;
        let event: serde_json::Value = serde_json::from_str(&scene.case.event).unwrap();
        let now = jiff::Timestamp::now();
        scene.case.event = scene.case.event.replace(event["detail"]["eventTime"].as_str().unwrap(), &now.to_string());
        let mut function = scene.function(Mode::Enforce, vec![]).await;
        let meanwhile = async {
            // What the event reports shows late.
            tokio::time::sleep(std::time::Duration::from_secs(3)).await;
            let group = scene.made.real(scene.case.world.security_groups.keys().next().unwrap());
            let call = scene.made.ec2().authorize_security_group_ingress().group_id(group);
            call.ip_protocol("tcp").from_port(22).to_port(22).cidr_ip("0.0.0.0/0").send().await.unwrap();
        };
        let (act, ()) = tokio::join!(function.deliver(), meanwhile);
        assert_eq!(the_result(&act)["outcome"], "changed");
    });
}
