//! Managed prefix lists, with their entries.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, ManagedPrefixList, PrefixListState};
use palisade_policy::cidr::Cidr;
use palisade_policy::id::PrefixListId;
use palisade_policy::security_group::PrefixList;

use crate::aws::AwsError;
use crate::observe::{MOST_FILTER_VALUES, MOST_PAGES};
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
        let mut pages = ec2.describe_managed_prefix_lists().filters(filter).max_results(PAGE).into_paginator().send();
        let mut read = 0;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::new(OPERATION, &error))?;
            for list in page.prefix_lists.unwrap_or_default() {
                if let Some(Ok(id)) = list.prefix_list_id.as_deref().map(str::parse) {
                    described.insert(id, list);
                }
            }
            read += 1;
            if read > MOST_PAGES {
                return Err(AwsError::unreadable(OPERATION, "more pages than Palisade reads"));
            }
        }
    }
    Ok(described)
}

async fn entries(ec2: &Client, id: &PrefixListId) -> Result<Vec<Cidr>, AwsError> {
    const OPERATION: &str = "GetManagedPrefixListEntries";
    let mut entries = Vec::new();
    let mut pages = ec2.get_managed_prefix_list_entries().prefix_list_id(id.as_str()).max_results(PAGE).into_paginator().send();
    let mut read = 0;
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| AwsError::new(OPERATION, &error))?;
        for entry in page.entries.unwrap_or_default() {
            let cidr = entry.cidr.unwrap_or_default();
            entries.push(Cidr::canonical(&cidr).map_err(|error| AwsError::unreadable(OPERATION, error.to_string()))?);
        }
        read += 1;
        if read > MOST_PAGES {
            return Err(AwsError::unreadable(OPERATION, "more pages than Palisade reads"));
        }
    }
    Ok(entries)
}
