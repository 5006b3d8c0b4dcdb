//! Reading AWS into the policy's own types: one file a resource.

pub(crate) mod default_group;
pub(crate) mod denial;
pub(crate) mod flow_log;
mod friend;
pub(crate) mod ip_set;
pub(crate) mod network_acl;
pub(crate) mod prefix_list;
pub(crate) mod search;
pub(crate) mod security_group;
pub(crate) mod undo;

use std::error::Error;

use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_async::future::pagination_stream::PaginationStream;

use crate::aws::AwsError;

/// Pages that one listing may have. A Region holds 2,500 security groups by default, three pages.
const MOST_PAGES: usize = 1000;

/// Values that one EC2 filter takes ("List and filter your resources").
pub(crate) const MOST_FILTER_VALUES: usize = 200;

/// Reads a listing to its end, page by page.
pub(crate) async fn every_page<T, E>(
    operation: &'static str,
    mut pages: PaginationStream<Result<T, SdkError<E, HttpResponse>>>,
    mut each: impl FnMut(T),
) -> Result<(), AwsError>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    for _ in 0..MOST_PAGES {
        match pages.next().await {
            None => return Ok(()),
            Some(page) => each(page.map_err(|error| AwsError::new(operation, &error))?),
        }
    }
    Err(AwsError::unreadable(operation, "more pages than Palisade reads"))
}
