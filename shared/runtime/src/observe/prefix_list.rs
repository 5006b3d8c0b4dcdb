//! Managed prefix lists, with their entries.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, ManagedPrefixList, PrefixListState};
use palisade_policy::cidr::Cidr;
use palisade_policy::id::PrefixListId;
use palisade_policy::security_group::PrefixList;

use crate::aws::AwsError;
use crate::observe::{MOST_FILTER_VALUES, every_page};
use crate::verify::WAITS;

/// Pages of lists and of entries have at most so many ("DescribeManagedPrefixLists", `MaxResults`).
const PAGE: i32 = 100;

/// Reads these lists. One that can't be read says why; that is for the policy to judge.
pub(crate) async fn read(ec2: &Client, ids: &BTreeSet<PrefixListId>) -> BTreeMap<PrefixListId, PrefixList> {
    let mut lists = BTreeMap::new();
    let described = describe_settled(ec2, ids).await;
    for id in ids {
        let list = match &described {
            Err(error) => PrefixList { weight: 1, entries: Err(error.to_string()) },
            Ok(described) => match described.get(id) {
                None => PrefixList { weight: 1, entries: Err("DescribeManagedPrefixLists does not know it".to_owned()) },
                Some(list) if is_settling(list) => {
                    PrefixList { weight: weight(list, 1), entries: Err("it is being modified, and did not settle".to_owned()) }
                }
                Some(list) => match entries(ec2, id).await {
                    Ok(entries) => PrefixList { weight: weight(list, entries.len()), entries: Ok(entries) },
                    Err(error) => PrefixList { weight: weight(list, 1), entries: Err(error.to_string()) },
                },
            },
        };
        lists.insert(id.clone(), list);
    }
    lists
}

fn weight(list: &ManagedPrefixList, entries: usize) -> usize {
    list.max_entries.and_then(|most| usize::try_from(most).ok()).filter(|most| *most > 0).unwrap_or(entries.max(1))
}

/// Edits take some seconds, and until then the entries are the old ones: the event of an edit is often quicker.
fn is_settling(list: &ManagedPrefixList) -> bool {
    let state = list.state.as_ref().map(PrefixListState::as_str).unwrap_or_default();
    state.ends_with("-in-progress")
}

async fn describe_settled(ec2: &Client, ids: &BTreeSet<PrefixListId>) -> Result<BTreeMap<PrefixListId, ManagedPrefixList>, AwsError> {
    let mut described = BTreeMap::new();
    for wait in WAITS {
        tokio::time::sleep(wait).await;
        described = describe(ec2, ids).await?;
        if !described.values().any(is_settling) {
            break;
        }
    }
    Ok(described)
}

async fn describe(ec2: &Client, ids: &BTreeSet<PrefixListId>) -> Result<BTreeMap<PrefixListId, ManagedPrefixList>, AwsError> {
    const OPERATION: &str = "DescribeManagedPrefixLists";
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let mut described = BTreeMap::new();
    for ids in ids.chunks(MOST_FILTER_VALUES) {
        let filter = Filter::builder().name("prefix-list-id").set_values(Some(ids.to_vec())).build();
        let pages = ec2.describe_managed_prefix_lists().filters(filter).max_results(PAGE).into_paginator().send();
        every_page(OPERATION, pages, |page| {
            for list in page.prefix_lists.unwrap_or_default() {
                if let Some(Ok(id)) = list.prefix_list_id.as_deref().map(str::parse) {
                    described.insert(id, list);
                }
            }
        })
        .await?;
    }
    Ok(described)
}

/// The lists that AWS itself keeps, by name, with their entries.
pub(crate) async fn of_aws(ec2: &Client) -> Result<BTreeMap<String, Vec<Cidr>>, AwsError> {
    let filter = Filter::builder().name("owner-id").values("AWS").build();
    let pages = ec2.describe_managed_prefix_lists().filters(filter).max_results(PAGE).into_paginator().send();
    let mut ids: Vec<(String, PrefixListId)> = Vec::new();
    every_page("DescribeManagedPrefixLists", pages, |page| {
        for list in page.prefix_lists.unwrap_or_default() {
            if let Some(Ok(id)) = list.prefix_list_id.as_deref().map(str::parse) {
                ids.push((list.prefix_list_name.unwrap_or_default(), id));
            }
        }
    })
    .await?;
    let mut lists = BTreeMap::new();
    for (name, id) in ids {
        lists.insert(name, entries(ec2, &id).await?);
    }
    Ok(lists)
}

/// The entries of a list.
pub(crate) async fn entries(ec2: &Client, id: &PrefixListId) -> Result<Vec<Cidr>, AwsError> {
    const OPERATION: &str = "GetManagedPrefixListEntries";
    let pages = ec2.get_managed_prefix_list_entries().prefix_list_id(id.as_str()).max_results(PAGE).into_paginator().send();
    let mut entries = Vec::new();
    every_page(OPERATION, pages, |page| {
        entries
            .extend(page.entries.unwrap_or_default().into_iter().map(|entry| Cidr::canonical(entry.cidr.as_deref().unwrap_or_default())));
    })
    .await?;
    entries.into_iter().collect::<Result<_, _>>().map_err(|error| AwsError::unreadable(OPERATION, error.to_string()))
}
