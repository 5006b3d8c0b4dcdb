//! What AWS Config is told by a custom rule.

use jiff::Timestamp;

use crate::response::{Outcome, TargetResult};

/// "Evaluation", AWS Config API: `Annotation` has at most 256 characters.
const LONGEST_ANNOTATION: usize = 256;

/// What AWS Config asks a custom rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inquiry {
    /// What the answer goes by.
    pub result_token: String,
    /// When what it asks about was so: of two answers, Config keeps that with the later time.
    pub as_of: Timestamp,
    /// What it asks about.
    pub about: About,
}

/// What AWS Config asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// One resource.
    One(ConfigResource),
    /// Every resource of a type.
    Every(ResourceType),
}

/// A resource as AWS Config knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigResource {
    /// Its type, such as `AWS::EC2::SecurityGroup`; a rule may be asked about types that no guardrail knows.
    pub resource_type: String,
    /// Its id.
    pub resource_id: String,
}

/// The types of resources that guardrails judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceType {
    /// `AWS::EC2::SecurityGroup`.
    SecurityGroup,
    /// `AWS::EC2::VPC`.
    Vpc,
}

impl ResourceType {
    /// Its name in AWS Config.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            ResourceType::SecurityGroup => "AWS::EC2::SecurityGroup",
            ResourceType::Vpc => "AWS::EC2::VPC",
        }
    }
}

/// A verdict for AWS Config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compliance {
    /// Nothing is wrong with it now.
    Compliant,
    /// Something is.
    NonCompliant,
    /// It is not there, or not ours to judge.
    NotApplicable,
}

/// One verdict, to be told to AWS Config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// What was judged.
    pub resource: ConfigResource,
    /// The verdict.
    pub compliance: Compliance,
    /// Why, in at most 256 characters; `None` where there is nothing to say.
    pub annotation: Option<String>,
}

/// That the resource asked about is not judged: it has left the rule's scope, or is of a type that no rule of ours is about.
#[must_use]
pub fn not_applicable(inquiry: &Inquiry, why: &str) -> Vec<Evaluation> {
    match &inquiry.about {
        About::One(resource) => {
            vec![Evaluation { resource: resource.clone(), compliance: Compliance::NotApplicable, annotation: annotation(why) }]
        }
        About::Every(_) => Vec::new(),
    }
}

/// The verdicts of an invocation: on the state that it leaves, so that what was changed is compliant, and what would be is not. What could
/// not be read has none; then Config keeps what it was told last.
#[must_use]
pub fn evaluations(inquiry: &Inquiry, results: &[TargetResult]) -> Vec<Evaluation> {
    let judged = results.iter().filter_map(|result| {
        let resource = match &inquiry.about {
            About::One(resource) => resource.clone(),
            About::Every(of) => ConfigResource { resource_type: of.id().to_owned(), resource_id: result.resource.clone() },
        };
        let why = match result.outcome {
            Outcome::Changed => annotation(&format!("changed by Palisade; before: {}", result.reason)),
            _ => annotation(&result.reason),
        };
        Some(Evaluation { resource, compliance: compliance(result)?, annotation: why })
    });
    judged.collect()
}

fn compliance(result: &TargetResult) -> Option<Compliance> {
    match result.outcome {
        Outcome::Gone => Some(Compliance::NotApplicable),
        Outcome::Compliant | Outcome::Exempt => Some(Compliance::Compliant),
        Outcome::WouldChange => Some(Compliance::NonCompliant),
        Outcome::Changed | Outcome::Refused | Outcome::Failed => match result.wrong {
            Some(true) => Some(Compliance::NonCompliant),
            Some(false) => Some(Compliance::Compliant),
            None if result.outcome == Outcome::Refused => Some(Compliance::NotApplicable),
            None => None,
        },
    }
}

/// "Evaluation", AWS Config API: `Annotation` has at least one character.
fn annotation(text: &str) -> Option<String> {
    let cut = text.chars().count() > LONGEST_ANNOTATION;
    let short: String = match cut {
        true => text.chars().take(LONGEST_ANNOTATION - 1).chain(['…']).collect(),
        false => text.to_owned(),
    };
    (!short.is_empty()).then_some(short)
}
