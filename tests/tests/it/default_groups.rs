//! `strip-default-group` where the world moves or AWS stumbles while it acts. What it has in common with others is tested with
//! `revoke-admin-ingress`.

use palisade_policy::response::Mode;
use serde_json::json;

use crate::scene::{Scene, block_on, error, refuse, the_result};

/// Somebody makes an interface that uses the group, and gives its id.
async fn begin_to_use(scene: &Scene, group: &str) -> String {
    let (ec2, vpc) = (scene.made.ec2(), scene.case.world.security_groups[group].vpc.as_deref().unwrap());
    let block = scene.case.world.vpcs[vpc].cidr.as_deref().unwrap().replace(".0.0/16", ".200.0/24");
    let subnet = ec2.create_subnet().vpc_id(scene.made.real(vpc)).cidr_block(block).send().await.unwrap().subnet.unwrap();
    let call = ec2.create_network_interface().subnet_id(subnet.subnet_id.unwrap()).groups(scene.made.real(group));
    call.send().await.unwrap().network_interface.unwrap().network_interface_id.unwrap()
}

fn the_group(scene: &Scene) -> &str {
    scene.case.world.security_groups.keys().next().unwrap()
}

#[test]
fn what_goes_out_that_cannot_be_revoked_after_what_goes_in_is_told_as_half_done_and_the_next_run_finishes() {
    block_on(async {
        let scene = Scene::of("strip-default-group/create-vpc").await;
        let group = scene.made.real(the_group(&scene)).to_owned();
        let denied = refuse("RevokeSecurityGroupEgress", 1..=1, 403, "UnauthorizedOperation");
        let mut function = scene.function(Mode::Enforce, vec![denied]).await;
        let act = function.deliver().await;
        assert_eq!(error(&act).0, "Palisade.TargetFailed");
        let result = the_result(&act);
        assert_eq!(result["outcome"], "failed");
        let reason = result["reason"].as_str().unwrap();
        assert!(reason.contains("RevokeSecurityGroupEgress: UnauthorizedOperation"), "{reason}");
        assert!(reason.ends_with(&format!("left half done: all traffic from {group} revoked")), "{reason}");
        assert_eq!(scene.rules().await, ["egress all traffic to 0.0.0.0/0"]);
        assert_eq!(result["undo"].as_array().unwrap().len(), 1, "what was made, and no more, is to be taken back: {result}");
        assert_eq!((&result["undo"][0]["action"], &result["undo"][0]["direction"]), (&json!("authorize-rule"), &json!("ingress")));
        assert!(act.notices[0].email.contains("aws ec2 authorize-security-group-ingress"), "{}", act.notices[0].email);
        assert!(!act.notices[0].email.contains("aws ec2 authorize-security-group-egress"), "{}", act.notices[0].email);

        assert_eq!(the_result(&function.deliver().await)["outcome"], "changed");
        assert_eq!(scene.rules().await, scene.expected_rules());
    });
}

#[test]
fn two_functions_on_one_default_group_end_in_the_same_state_and_no_error() {
    block_on(async {
        for action in ["RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress"] {
            for case in ["create-vpc", "exempt-rule"] {
                let case = format!("strip-default-group/{case}");
                let scene = Scene::of(&case).await;
                let (of_slow, of_quick) = scene.enforce_while(action, scene.enforce()).await;
                assert_eq!(the_result(&of_quick)["outcome"], "changed", "{case}");
                let outcome = the_result(&of_slow)["outcome"].clone();
                assert!(outcome == "changed" || outcome == "compliant" || outcome == "exempt", "{case} at {action}: {outcome}");
                assert_eq!(scene.rules().await.len(), scene.expected_rules().len(), "{case} at {action}");
            }
        }
    });
}

#[test]
fn a_group_that_begins_to_be_used_before_its_turn_is_left_alone() {
    block_on(async {
        let scene = Scene::of("strip-default-group/sweep").await;
        // Two groups are to be stripped. The one that lets the world in comes first.
        let second = scene
            .case
            .world
            .security_groups
            .iter()
            .find(|(literal, group)| {
                let is_used = || scene.case.world.interfaces.values().any(|interface| interface.groups.contains(literal));
                let is_foreign = || scene.case.world.stub.owners.contains_key(*literal);
                group.default && group.rules.len() == 2 && group.tags.is_empty() && !is_used() && !is_foreign()
            })
            .map(|(literal, _)| literal.clone())
            .unwrap();
        let before = scene.made.read().await.unwrap()[scene.made.real(&second)].lines();
        let meanwhile = async { begin_to_use(&scene, &second).await };
        let (act, interface) = scene.enforce_while("RevokeSecurityGroupIngress", meanwhile).await;
        let response = act.response().unwrap();
        assert_eq!((&response["summary"]["changed"], &response["summary"]["refused"]), (&json!(1), &json!(2)), "{response}");
        let results = response["results"].as_array().unwrap();
        let result = results.iter().find(|result| result["resource"] == scene.made.real(&second)).unwrap();
        assert!(result["reason"].as_str().unwrap().contains(&interface), "{result}");
        assert_eq!(scene.made.read().await.unwrap()[scene.made.real(&second)].lines(), before);
    });
}

#[test]
fn an_interface_that_appears_while_it_is_stripped_is_told_of() {
    block_on(async {
        let scene = Scene::of("strip-default-group/create-vpc").await;
        let meanwhile = async { begin_to_use(&scene, the_group(&scene)).await };
        let (act, interface) = scene.enforce_while("RevokeSecurityGroupEgress", meanwhile).await;
        let result = the_result(&act);
        assert_eq!(result["outcome"], "changed");
        assert_eq!(result["remarks"], json!([format!("the network interface {interface} uses it, and it lets nothing through")]));
        assert!(act.notices[0].email.contains(&interface), "{}", act.notices[0].email);
    });
}

#[test]
fn a_group_that_is_filled_and_used_while_it_is_stripped_is_told_as_half_done() {
    block_on(async {
        let scene = Scene::of("strip-default-group/create-vpc").await;
        let literal = the_group(&scene);
        let meanwhile = async {
            let (ec2, group) = (scene.made.ec2(), scene.made.real(literal));
            let out = scene.case.world.security_groups[literal].rules.iter().find(|rule| rule.cidr.is_some()).unwrap();
            ec2.revoke_security_group_egress().group_id(group).security_group_rule_ids(scene.made.real(&out.id)).send().await.unwrap();
            let call = ec2.authorize_security_group_ingress().group_id(group);
            call.ip_protocol("tcp").from_port(443).to_port(443).cidr_ip("10.20.0.0/16").send().await.unwrap();
            begin_to_use(&scene, literal).await
        };
        let (act, interface) = scene.enforce_while("RevokeSecurityGroupEgress", meanwhile).await;
        let result = the_result(&act);
        assert_eq!(result["outcome"], "failed", "{result}");
        let reason = result["reason"].as_str().unwrap();
        assert!(reason.contains(&format!("but it is in use: the network interface {interface} uses it")), "{reason}");
        assert!(reason.contains("left half done: all traffic from"), "{reason}");
        assert_eq!(scene.rules().await, ["tcp/443 from 10.20.0.0/16"], "what is used now stays");
        assert_eq!(the_result(&scene.enforce().await)["outcome"], "refused", "Lambda's retry has nothing more to do");
    });
}

#[test]
fn where_it_cannot_be_read_who_uses_the_group_nothing_is_done() {
    block_on(async {
        let scene = Scene::with("strip-default-group/create-vpc", &[("PALISADE_IN_USE", "strip")]).await;
        let before = scene.rules().await;
        let denied = refuse("DescribeNetworkInterfaces", 1..=99, 403, "UnauthorizedOperation");
        let act = scene.function(Mode::Enforce, vec![denied]).await.deliver().await;
        let result = the_result(&act);
        assert_eq!(result["outcome"], "failed");
        let reason = result["reason"].as_str().unwrap();
        assert!(reason.starts_with("it could not be read: DescribeNetworkInterfaces: UnauthorizedOperation"), "{reason}");
        assert_eq!(scene.rules().await, before);
    });
}

#[test]
fn a_dry_run_asks_for_both_directions() {
    block_on(async {
        for (action, permitted) in [("RevokeSecurityGroupIngress", false), ("RevokeSecurityGroupEgress", false), ("DeleteVpc", true)] {
            let scene = Scene::of("strip-default-group/create-vpc").await;
            let mut function = scene.function(Mode::DryRun, vec![refuse(action, 1..=99, 403, "UnauthorizedOperation")]).await;
            let result = the_result(&function.deliver().await);
            assert_eq!((&result["outcome"], &result["permitted"]), (&json!("would-change"), &json!(permitted)), "{action}");
        }
    });
}

#[test]
fn only_what_is_needed_is_read() {
    block_on(async {
        for (case, calls) in [
            ("strip-default-group/not-ours", vec![]),
            ("authorize-on-another-group", vec!["DescribeSecurityGroups", "DescribeSecurityGroupRules"]),
            ("already-empty", vec!["DescribeSecurityGroups", "DescribeSecurityGroupRules"]),
            ("group-in-use", vec!["DescribeSecurityGroups", "DescribeSecurityGroupRules", "DescribeNetworkInterfaces", "Publish"]),
        ] {
            let scene = Scene::of(case).await;
            let act = scene.function(Mode::Enforce, vec![]).await.deliver().await;
            let made: Vec<&str> = act.calls.iter().map(|call| call.action.as_str()).collect();
            assert_eq!(made, calls, "{case}");
        }
    });
}
