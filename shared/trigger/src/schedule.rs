//! Door `schedule`: a rule of EventBridge (`detail` is `{}`) or a schedule of EventBridge Scheduler without an input of its own (`detail` is
//! the text `{}`). It asks for a sweep.

use palisade_policy::guardrail::Guardrail;
use palisade_policy::trigger::{Cause, Door, Targets, Trigger};
use serde_json::Value;

use crate::member::Member;
use crate::{Own, Reading, TriggerError, foreign};

pub(crate) fn read(root: &Member<'_>, own: &Own) -> Result<Reading, TriggerError> {
    let detail = root.get("detail");
    match detail.value() {
        None | Some(Value::Object(_)) => {}
        Some(Value::String(text)) => match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(_)) => {}
            Ok(_) => return Err(detail.wrong("holds JSON that is not an object")),
            Err(_) => return Err(detail.wrong("is a text that is not JSON")),
        },
        Some(_) => return Err(detail.wrong("is not an object")),
    }
    let cause = Cause {
        event_id: root.get("id").told(),
        time: root.get("time").time(),
        detail: root.get("resources").items_of_text().into_iter().next(),
        ..Cause::new(Door::Schedule)
    };
    Ok(match foreign(root, &detail, ["recipientAccountId", "awsRegion"], own)? {
        Some(why) => Reading::ignored(cause, why),
        None if own.guardrail == Guardrail::DenySource => Reading::ignored(cause, "a schedule names no source to deny"),
        None if own.guardrail == Guardrail::UndoChange => Reading::ignored(cause, "only a person undoes a change"),
        None => Reading::Trigger(Trigger::new(cause, Targets::Sweep)),
    })
}
