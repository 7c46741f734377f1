//! `/approvals/{token}`: the page behind a link of an approval mail. Opening it changes nothing, because mail scanners
//! open links; only the button on it decides.

use std::sync::Arc;

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{
    Site,
    problem::{Problem, Speaks},
    request::STORE_RETRY,
};
use crate::{
    action::approve::{Approve, Token, given},
    engine::{Question, Step},
    mail::{shown, write},
    playbook::ActionStatus,
    store::{
        StoreError,
        run::{Signal, SignalVerdict},
    },
};

/// Characters of a heading; what an action asks may hold a whole mail.
const HEADING_CHARS: usize = 200;

/// A token in an address, if it can be read.
type SealedToken = Result<Path<String>, PathRejection>;

#[derive(Serialize)]
struct AskPage<'a> {
    title: &'a str,
    playbook: &'a str,
    question: &'a str,
    option: &'a str,
    options: &'a [String],
    action: String,
}

#[derive(Serialize)]
struct DonePage<'a> {
    title: &'a str,
    playbook: &'a str,
    subject: &'a str,
    option: &'a str,
    /// This very answer was taken just now.
    taken: bool,
    /// Who gave the answer that counts, where that is another person.
    by: Option<&'a str>,
    at: String,
}

/// What a link asks, and of whom.
struct Asked {
    token: Token,
    step: Step,
    question: Question,
    input: Approve,
}

/// GET: what would be decided, with a button.
pub async fn show(State(site): State<Arc<Site>>, token: SealedToken) -> Response {
    let page = async {
        let asked = asked(&site, token.as_ref().map(|Path(text)| text.as_str()).unwrap_or_default()).await?;
        if let Some(answer) = counted(&asked)? {
            return Ok(done(&site, &asked, answer, StatusCode::OK, false));
        }
        let Asked { question, input, token, .. } = &asked;
        let page = AskPage {
            title: &shown::line(&input.subject.0, HEADING_CHARS),
            playbook: &question.playbook,
            question: &shown::body(input.question_as_text()),
            option: option(&asked),
            options: &input.options.0,
            action: format!("/approvals/{}", token.seal(&site.vault)),
        };
        Ok(site.pages.answer(StatusCode::OK, "portal/approval", &page))
    };
    page.await.unwrap_or_else(|problem: Box<Problem>| problem.answer(&site.pages, Speaks::Page))
}

/// POST: decides, if nobody has.
pub async fn decide(State(site): State<Arc<Site>>, token: SealedToken, headers: HeaderMap) -> Response {
    let page = async {
        site.guard.own_site(&headers)?;
        let asked = asked(&site, token.as_ref().map(|Path(text)| text.as_str()).unwrap_or_default()).await?;
        if let Some(answer) = counted(&asked)? {
            return Ok(done(&site, &asked, answer, StatusCode::CONFLICT, false));
        }
        let person = asked.input.to.0.get(usize::from(asked.token.recipient));
        let by = person.and_then(|person| write::mailbox("to", person).ok()).map(|person| person.email.to_string());
        let answer = given(option(&asked), by.as_deref());
        let signalled = site.door.engine.signal(asked.token.run, &asked.step, answer.clone()).await;
        match signalled.map_err(|error| not_kept(&asked, &error))? {
            SignalVerdict::Taken => {
                // The timeout may have passed in the same moment; then the answer came second.
                let again = site.door.engine.question(asked.token.run, &asked.step).await;
                if let Ok(Some(Question { ended: Some(ActionStatus::TimedOut), .. })) = again {
                    return Err(too_late());
                }
                let (playbook, run, step) = (&asked.question.playbook, asked.token.run, &asked.step);
                tracing::info!(%playbook, %run, %step, option = option(&asked), "an approval was decided");
                let (run, step) = (asked.token.run, asked.step.to_string());
                let signal = Signal { run, step, at: site.door.clock.now(), payload: answer };
                Ok(done(&site, &asked, &signal, StatusCode::OK, true))
            }
            SignalVerdict::Already(first) => Ok(done(&site, &asked, &first, StatusCode::CONFLICT, false)),
            SignalVerdict::NoRun => Err(over()),
        }
    };
    page.await.unwrap_or_else(|problem: Box<Problem>| problem.answer(&site.pages, Speaks::Page))
}

/// What the link asks, whether or not it may still be answered.
async fn asked(site: &Site, sealed: &str) -> Result<Asked, Box<Problem>> {
    let token = Token::open(&site.vault, sealed).ok_or_else(unknown)?;
    if site.door.clock.now() > token.expires {
        return Err(over());
    }
    let step: Step = serde_json::from_value(token.step.clone().into()).map_err(|_| unknown())?;
    let question = site.door.engine.question(token.run, &step).await.map_err(|error| {
        tracing::error!(run = %token.run, %step, %error, "what an approval asks could not be looked up");
        unavailable()
    })?;
    let question = question.ok_or_else(over)?;
    let input = Approve::of(&question.input).ok_or_else(over)?;
    if usize::from(token.option) >= input.options.0.len() {
        return Err(unknown());
    }
    Ok(Asked { token, step, question, input })
}

fn option(asked: &Asked) -> &str {
    asked.input.options.0.get(usize::from(asked.token.option)).map_or("", String::as_str)
}

/// The answer that counts; `None` while the question is open. An answer that lost to its timeout counts for nothing,
/// though it is kept.
///
/// # Errors
/// 410 when nobody waits for an answer any more.
fn counted(asked: &Asked) -> Result<Option<&Signal>, Box<Problem>> {
    match (asked.question.ended, &asked.question.answer) {
        (Some(ActionStatus::TimedOut), _) => Err(too_late()),
        (_, Some(answer)) => Ok(Some(answer)),
        (None, None) => Ok(None),
        (Some(_), None) => Err(over()),
    }
}

/// The page that says what was decided, by whom and when.
fn done(site: &Site, asked: &Asked, answer: &Signal, status: StatusCode, taken: bool) -> Response {
    let page = DonePage {
        title: if taken { "Thank you" } else { "This was already decided" },
        playbook: &asked.question.playbook,
        subject: &shown::line(&asked.input.subject.0, HEADING_CHARS),
        option: answer.payload["SelectedOption"].as_str().unwrap_or_default(),
        taken,
        by: answer.payload["UserEmailAddress"].as_str(),
        at: instant(answer.at),
    };
    site.pages.answer(status, "portal/approval-done", &page)
}

fn instant(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y, %H:%M UTC").to_string()
}

fn unknown() -> Box<Problem> {
    let message = "This link is not complete, or was not made here. Open it again from the mail, whole.";
    Problem::new(StatusCode::NOT_FOUND, "NotFound", "There is nothing to answer here", message)
}

fn too_late() -> Box<Problem> {
    let message =
        "The time to answer this has passed. Nothing was decided here; the playbook went on without an answer.";
    Problem::new(StatusCode::GONE, "TooLate", "It is too late to answer", message)
}

fn over() -> Box<Problem> {
    let message = "Nobody waits for this answer any more: the playbook has ended, or was ended by somebody.";
    Problem::new(StatusCode::GONE, "Gone", "This is no longer asked", message)
}

fn unavailable() -> Box<Problem> {
    let message = "The question could not be looked up. Try again in a while.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "This does not work just now", message)
        .retry_after(STORE_RETRY)
}

fn not_kept(asked: &Asked, error: &StoreError) -> Box<Problem> {
    let (playbook, run, step) = (&asked.question.playbook, asked.token.run, &asked.step);
    tracing::error!(%playbook, %run, %step, %error, "an answer to an approval could not be stored; its sender is told to try again");
    let message = "The answer could not be stored, so nothing was decided. Try again in a while.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "This does not work just now", message)
        .retry_after(STORE_RETRY)
}
