//! Reading AWS into the policy's own types: one file a resource.

pub(crate) mod default_group;
pub(crate) mod prefix_list;
pub(crate) mod security_group;

/// Pages that one listing may have. A Region holds 2,500 security groups by default, three pages.
pub(crate) const MOST_PAGES: usize = 1000;

/// Values that one EC2 filter takes ("List and filter your resources").
pub(crate) const MOST_FILTER_VALUES: usize = 200;
