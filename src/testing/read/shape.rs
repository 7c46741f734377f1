//! The keys of a test file.

use super::{answers, mail};
use crate::{
    limits,
    playbook::{ActionStatus, Method},
    testing::{
        case::SectionKind,
        compare::CONTAINS,
        found::RUN_STATUSES,
        world::{CALL, CHILD, INCIDENT, MAIL, REPLY},
    },
    yaml::{Definitions, Takes, shape},
};

crate::shape! {
    /// Tests of a playbook: what is given, what the outside answers, and what must come of it.
    pub(super) SUITE = "a test file";
    /// The playbook: its name where NAME.yaml stands beside NAME.test.yaml, a file, or the playbook itself.
    optional "playbook": Takes::Any(&[Takes::Words, Takes::Named("playbook")]);
    /// What is tested, for people.
    optional "description": Takes::Text;
    /// The instant runs start at, where a case names none. Default 2026-01-01T00:00:00Z.
    optional "now": Takes::Words;
    /// Values of the playbook's parameters, by name.
    optional "parameters": Takes::Names(&Takes::Anything);
    /// Whether each case is run again with a crash after every event.
    optional "crash": Takes::Choice(|| shape::names(super::CRASHES));
    /// The cases.
    required "cases": Takes::List(&Takes::Map(&CASE));
}

crate::shape! {
    /// One case: a run, and what must come of it.
    pub(super) CASE = "a case";
    /// What it shows, in a sentence; unique in the file.
    required "name": Takes::Words;
    /// The instant the run starts at.
    optional "now": Takes::Words;
    /// Values of the playbook's parameters, over those of the file.
    optional "parameters": Takes::Names(&Takes::Anything);
    /// What starts the run.
    optional "given": Takes::Map(&GIVEN);
    /// What the outside answers, by action id; of an action in a loop also by iteration, `id/0`. A list has an answer for
    /// each attempt.
    optional "answers": Takes::Names(&Takes::OneOrMore(&Takes::Any(&[
        Takes::Choice(|| shape::names(answers::WORDS)), Takes::Map(&ANSWER),
    ])));
    /// How long after its start a person ends the run.
    optional "cancel_after": Takes::Duration;
    /// Whether it is run again with a crash after every event.
    optional "crash": Takes::Choice(|| shape::names(super::CRASHES));
    /// What must come of it; only what is written is compared.
    required "expect": Takes::Map(&EXPECT);
}

crate::shape! {
    /// What starts the run.
    pub(super) GIVEN = "what a case gives", shape::Rule::One(super::given::KINDS);
    /// Of a mailbox trigger: an `.eml` file beside the test, a raw mail, or a mail by its parts.
    optional "mail": Takes::Any(&[Takes::Words, Takes::Map(&MAIL_PARTS)]);
    /// Of a form: the answers by field id.
    optional "form": Takes::Anything;
    /// Of a webhook: the call.
    optional "webhook": Takes::Map(&HOOK_CALL);
    /// Of a schedule: the instant, or more of the tick.
    optional "tick": Takes::Any(&[Takes::Words, Takes::Map(&TICK)]);
    /// What the trigger delivers, `trigger` in the playbook.
    optional "body": Takes::Anything;
    /// All of the trigger's outputs, `triggerOutputs()` in the playbook.
    optional "event": Takes::Names(&Takes::Anything);
    /// Where the trigger has `split_on`: which element the run is for. Default 0.
    optional "element": Takes::Count(0, limits::SPLIT_ELEMENTS as i64);
}

crate::shape! {
    /// A mail by its parts.
    pub(super) MAIL_PARTS = "a mail";
    /// The subject.
    optional "subject": Takes::Text;
    /// The plain text.
    optional "text": Takes::Text;
    /// The HTML.
    optional "html": Takes::Text;
    /// The Message-ID.
    optional "message_id": Takes::Text;
    /// The sender. Default reporter@example.com.
    optional "from": Takes::OneOrMore(&Takes::Words);
    /// The recipients. Default soc@example.org.
    optional "to": Takes::OneOrMore(&Takes::Words);
    /// Who received a copy.
    optional "cc": Takes::OneOrMore(&Takes::Words);
    /// How important the sender says it is.
    optional "importance": Takes::Choice(|| shape::names(mail::LEVELS));
    /// More headers, by name.
    optional "headers": Takes::Names(&Takes::Text);
    /// What is attached.
    optional "attachments": Takes::List(&Takes::Map(&ATTACHMENT));
}

crate::shape! {
    /// A file attached to a mail.
    pub(super) ATTACHMENT = "an attachment";
    /// Its name.
    required "name": Takes::Words;
    /// Its content type. Default `text/plain`.
    optional "content_type": Takes::Text;
    /// Its content.
    optional "content": Takes::Text;
}

crate::shape! {
    /// A call of a webhook.
    pub(super) HOOK_CALL = "a call";
    /// What is posted.
    optional "body": Takes::Anything;
    /// The method. Default POST.
    optional "method": Takes::Choice(|| Method::ALL.iter().map(|method| method.as_str()).collect());
    /// The headers, by name.
    optional "headers": Takes::Names(&Takes::Anything);
    /// The query, by name.
    optional "queries": Takes::Names(&Takes::Anything);
    /// What the relative path holds, by name.
    optional "parameters": Takes::Names(&Takes::Anything);
}

crate::shape! {
    /// A tick of a schedule.
    pub(super) TICK = "a tick";
    /// When it was due. Default: the instant the run starts at.
    optional "scheduled": Takes::Words;
    /// When the one before was due.
    optional "previous": Takes::Words;
    /// How many were missed.
    optional "missed": Takes::Count(0, u32::MAX as i64);
}

crate::shape! {
    /// What the outside answers. `succeeds`, `fails` and `nothing` are short forms.
    pub(super) ANSWER = "an answer";
    /// The body of a call that succeeds.
    optional "returns": Takes::Anything;
    /// All of the outputs of an action that succeeds.
    optional "outputs": Takes::Anything;
    /// The status of an HTTP answer.
    optional "status": Takes::Count(100, 599);
    /// With `status`: the headers of the answer.
    optional "headers": Takes::Names(&Takes::Anything);
    /// With `status`: the body of the answer.
    optional "body": Takes::Anything;
    /// The code of a failure, or more of it.
    optional "fails": Takes::Any(&[Takes::Text, Takes::Map(&FAILURE)]);
    /// The option that somebody chooses, of a question.
    optional "chosen": Takes::Words;
    /// With `chosen`: who.
    optional "by": Takes::Words;
    /// How long it takes.
    optional "after": Takes::Duration;
}

crate::shape! {
    /// A failure.
    pub(super) FAILURE = "a failure";
    /// Its code. Default `ActionFailed`.
    optional "code": Takes::Words;
    /// Its message.
    optional "message": Takes::Words;
    /// The status the action's outputs show.
    optional "status": Takes::Count(400, 599);
    /// Whether it may pass, so that the retry policy applies. Default: whether `retry_after` is given.
    optional "retryable": Takes::Flag;
    /// How long the outside asks to wait.
    optional "retry_after": Takes::Duration;
}

crate::shape! {
    /// What must come of a run; only what is written is compared.
    pub(super) EXPECT = "what a case expects";
    /// Whether `actions` names every action and maps have no further members. Default false.
    optional "exactly": Takes::Flag;
    /// How the run ended.
    optional "status": Takes::Choice(|| RUN_STATUSES.to_vec());
    /// The code of the run's error.
    optional "code": Takes::Named("expected_text");
    /// The message of the run's error.
    optional "message": Takes::Named("expected_text");
    /// Why no run started.
    optional "because": Takes::Named("expected_text");
    /// How long the run lasted.
    optional "lasts": Takes::Duration;
    /// The status of each action, such as `succeeded` or `failed BadGateway`; of an action in a loop a list.
    optional "actions": Takes::Names(&Takes::Named("expected_status"));
    /// The error of each action: `code` and `message`.
    optional "errors": Takes::Names(&Takes::Names(&Takes::Anything));
    /// How often each action was tried.
    optional "attempts": Takes::Names(&Takes::Count(0, u32::MAX as i64));
    /// What each action was given.
    optional "inputs": Takes::Names(&Takes::Anything);
    /// What each action returned.
    optional "outputs": Takes::Names(&Takes::Anything);
    /// The variables at the end.
    optional "variables": Takes::Names(&Takes::Anything);
    /// The incidents that were made or changed, in order.
    optional "incidents": Takes::Named("expected_incidents");
    /// The mails that were sent, in order.
    optional "mails": Takes::Named("expected_mails");
    /// The HTTP calls that were made, in order.
    optional "calls": Takes::Named("expected_calls");
    /// The runs of other playbooks that were asked for.
    optional "children": Takes::Named("expected_children");
    /// The answer to whoever called the webhook.
    optional "reply": Takes::Named("expected_reply");
}

/// Defines what [`EXPECT`] names.
pub(super) fn define(definitions: &mut Definitions) {
    use serde_json::{Map, Value, json};
    let part =
        json!({"type": "object", "required": [CONTAINS], "properties": {CONTAINS: {}}, "additionalProperties": false});
    let members = |known: &[&str]| {
        let properties: Map<String, Value> = known.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
        json!({"anyOf": [
            part, {"type": "object", "properties": properties, "additionalProperties": false},
        ]})
    };
    for (name, known) in [
        ("expected_incidents", INCIDENT),
        ("expected_mails", MAIL),
        ("expected_calls", CALL),
        ("expected_children", CHILD),
    ] {
        definitions.define(name, json!({"anyOf": [part, {"type": "array", "items": members(known)}]}));
    }
    let mut reply = members(REPLY);
    reply["anyOf"].as_array_mut().into_iter().for_each(|all| all.push(json!({"type": "null"})));
    definitions.define("expected_reply", reply);
    definitions.define("expected_text", json!({"type": ["string", "null", "object"]}));
    let statuses: Vec<&str> = ActionStatus::ALL.iter().map(|status| status.yaml_name()).collect();
    let status = json!({"type": "string", "pattern": format!("^({})( .*)?$", statuses.join("|"))});
    definitions.define(
        "expected_status",
        json!({"anyOf": [
            status, {"type": "array", "items": shape::reference("expected_status")},
        ]}),
    );
    debug_assert!(SectionKind::ALL.iter().all(|(name, _)| EXPECT.key(name).is_some()));
}
