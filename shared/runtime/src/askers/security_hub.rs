//! The note on the finding of Security Hub that woke us, and its resolution.

use aws_sdk_securityhub::Client;
use aws_sdk_securityhub::types::{AwsSecurityFindingIdentifier, NoteUpdate, WorkflowStatus, WorkflowUpdate};
use palisade_policy::control::{Finding, FollowUp};

use crate::aws::{AwsError, Clients};

/// The way to Security Hub.
pub(crate) struct Resolver {
    client: Client,
}

impl Resolver {
    pub(crate) fn new(clients: &Clients) -> Self {
        Self { client: clients.security_hub() }
    }

    /// Writes the note, and that the finding is resolved where it is.
    ///
    /// # Errors
    /// When Security Hub did not take it: the event must come again.
    pub(crate) async fn follow_up(&self, finding: &Finding, author: &str, follow_up: &FollowUp) -> Result<(), AwsError> {
        const OPERATION: &str = "BatchUpdateFindings";
        let identifier = AwsSecurityFindingIdentifier::builder().id(&finding.id).product_arn(&finding.product_arn).build();
        let note = NoteUpdate::builder().text(&follow_up.note).updated_by(author).build();
        let mut call = self.client.batch_update_findings().finding_identifiers(identifier).note(note);
        if follow_up.resolved {
            call = call.workflow(WorkflowUpdate::builder().status(WorkflowStatus::Resolved).build());
        }
        let answer = call.send().await.map_err(|error| AwsError::new(OPERATION, &error))?;
        match answer.unprocessed_findings().first() {
            None => Ok(()),
            Some(unprocessed) => Err(AwsError::in_part(OPERATION, unprocessed.error_code(), unprocessed.error_message())),
        }
    }
}
