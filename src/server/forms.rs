//! `/forms/{path}`: the page, its submission, the JSON submission and the thank-you page.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Path, RawQuery, Request, State, rejection::PathRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tokio::time::timeout;
use uuid::Uuid;

use super::{
    Site,
    form_page::{FormPage, SUBMISSION_NAME},
    problem::{Problem, Speaks, json},
    request::{self, BUSY_RETRY, IDEMPOTENCY_KEY, REPLAYED, STORE_RETRY, idempotency_key, segment},
    speaks,
};
use crate::{
    engine::News,
    limits::{FORM_BYTES, FORM_PREFERRED_WAIT, FORM_THANKS_WAIT},
    metrics::IntakeLabels,
    store::{
        RunId, StoreError,
        intake::{Uniqueness, Verdict},
        run::RunStatus,
    },
    trigger::form::{
        Answers, FieldFault, Form, Refusal, Request as FormRequest, SubmissionFault, decode_pairs, receipt,
        receipt_holds, submission_id, submission_key,
    },
};

/// RFC 7240.
const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// What a playbook may see of a request's headers: nothing that names or admits anybody.
const SHOWN_HEADERS: [HeaderName; 4] =
    [header::CONTENT_TYPE, header::USER_AGENT, header::ACCEPT_LANGUAGE, IDEMPOTENCY_KEY];

/// A form's path in an address, if it can be read.
type NamedPath = Result<Path<String>, PathRejection>;

fn named(site: &Site, path: NamedPath) -> Option<Arc<Form>> {
    site.forms.get(&path.ok()?.0)
}

/// What became of a submission.
struct Taken {
    /// The first run that came of it, or its event when none did.
    reference: Uuid,
    /// It had been sent before.
    replayed: bool,
}

#[derive(Serialize)]
struct Receipt {
    reference: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<u64>,
}

#[derive(Serialize)]
struct ThanksPage<'a> {
    title: &'static str,
    form: &'a str,
    incident: Option<u64>,
    running: bool,
    reference: Uuid,
    again: String,
}

/// GET: the page to be filled in.
pub async fn show(State(site): State<Arc<Site>>, path: NamedPath, headers: HeaderMap) -> Response {
    let page = match named(&site, path) {
        Some(form) => fresh_id(&site, &form).map(|id| {
            site.pages.answer(StatusCode::OK, "portal/form", &FormPage::new(&form.trigger, id, &[], None, &[]))
        }),
        None => Err(no_form()),
    };
    page.unwrap_or_else(|problem| problem.answer(&site.pages, speaks(&headers)))
}

/// POST: a page's submission or a JSON one.
pub async fn submit(State(site): State<Arc<Site>>, path: NamedPath, request: Request) -> Response {
    let speaks = speaks(request.headers());
    take_in(&site, path, request).await.unwrap_or_else(|problem| problem.answer(&site.pages, speaks))
}

/// GET after a page's submission: thanks, with the incident's number as soon as there is one.
pub async fn thanks(
    State(site): State<Arc<Site>>,
    path: NamedPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let pairs = decode_pairs(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let value = |name: &str| pairs.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value.as_str());
    let form = named(&site, path);
    let reference = Uuid::parse_str(value("reference")).ok();
    let (Some(form), Some(reference)) = (form, reference) else {
        return no_form().answer(&site.pages, speaks(&headers));
    };
    if !receipt_holds(&site.vault, &form.trigger.path, reference, value("receipt")) {
        return Problem::not_found().answer(&site.pages, speaks(&headers));
    }
    let progress = progress(&site, reference, FORM_THANKS_WAIT).await;
    let page = ThanksPage {
        title: "Thank you",
        form: &form.trigger.title,
        incident: progress.incident(),
        running: progress == Progress::Running,
        reference,
        again: address(&form),
    };
    site.pages.answer(StatusCode::OK, "portal/form-thanks", &page)
}

async fn take_in(site: &Site, path: NamedPath, request: Request) -> Result<Response, Box<Problem>> {
    let form = named(site, path).ok_or_else(no_form)?;
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    site.guard.own_site(headers)?;
    let client = site.client(&parts.extensions, headers);
    site.rate.count(client, site.door.clock.now()).map_err(|seconds| {
        let message = format!("Too many submissions came from your address. Try again in {seconds} seconds.");
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", "Please wait a little", message)
            .retry_after(seconds)
    })?;
    let speaks = content_type(headers)?;
    let body = site.bodies.read(body, headers, FORM_BYTES).await?;
    let request = FormRequest {
        headers: shown(headers),
        queries: request::queries(parts.uri.query()).map(request::joined).map_err(|refusal| refused(site, refusal))?,
    };
    match speaks {
        Speaks::Json => json_submission(site, &form, headers, &request, &body.bytes).await,
        Speaks::Page => page_submission(site, &form, &request, &body.bytes).await,
    }
}

async fn json_submission(
    site: &Site,
    form: &Form,
    headers: &HeaderMap,
    request: &FormRequest,
    body: &[u8],
) -> Result<Response, Box<Problem>> {
    let uniqueness = idempotency_key(headers)?
        .map_or(Uniqueness::Always, |key| Uniqueness::Key(format!("key {} {key}", form.trigger.path)));
    let answers = Answers::from_json(&form.trigger.fields, body).map_err(|refusal| refused(site, refusal))?;
    let taken = take(site, form, &answers, request, uniqueness).await?;
    let wait = preferred_wait(headers);
    let incident = match wait {
        Some(wait) => progress(site, taken.reference, wait).await.incident(),
        None if taken.replayed => progress(site, taken.reference, Duration::ZERO).await.incident(),
        None => None,
    };
    let status = if taken.replayed || incident.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let mut response = json(status, &Receipt { reference: taken.reference, incident });
    if taken.replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    if let Some(applied) = wait.and_then(|wait| HeaderValue::try_from(format!("wait={}", wait.as_secs())).ok()) {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

async fn page_submission(
    site: &Site,
    form: &Form,
    request: &FormRequest,
    body: &[u8],
) -> Result<Response, Box<Problem>> {
    let pairs = decode_pairs(body).map_err(|refusal| refused(site, refusal))?;
    let (ids, entered): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(name, _)| name == SUBMISSION_NAME);
    let id = match ids.as_slice() {
        [(_, id)] => id.as_str(),
        _ => "",
    };
    // What was entered is shown again with what is wrong; only the sender can send it on.
    let again = |status, id: String, summary: &str, faults: &[FieldFault]| {
        let page = FormPage::new(&form.trigger, id, &entered, Some(summary.to_owned()), faults);
        site.pages.answer(status, "portal/form", &page)
    };
    let key = match submission_key(&site.vault, &form.trigger.path, id, site.door.clock.now()) {
        Ok(key) => key,
        Err(fault) => {
            let summary = match fault {
                SubmissionFault::Expired => "This page was open for more than a day. Check it and send it again.",
                SubmissionFault::Foreign => "This page was not issued by this form. Check it and send it again.",
            };
            return Ok(again(StatusCode::FORBIDDEN, fresh_id(site, form)?, summary, &[]));
        }
    };
    let answers = match Answers::from_pairs(&form.trigger.fields, entered.clone()) {
        Ok(answers) => answers,
        Err(Refusal::Fields(faults)) => {
            count(site, "refused");
            let summary = "Some answers need another look";
            return Ok(again(StatusCode::UNPROCESSABLE_ENTITY, id.to_owned(), summary, &faults));
        }
        Err(malformed @ Refusal::Malformed(_)) => return Err(refused(site, malformed)),
    };
    let taken = match take(site, form, &answers, request, Uniqueness::Key(key)).await {
        Ok(taken) => taken,
        Err(problem) => {
            let mut response = again(problem.status, id.to_owned(), &problem.message, &[]);
            problem.say_when(&mut response);
            return Ok(response);
        }
    };
    if taken.replayed {
        let incident = progress(site, taken.reference, Duration::ZERO).await.incident();
        let number = incident.map_or_else(String::new, |number| format!(" and is incident number {number}"));
        let message = format!(
            "This page was sent before. The report it sent has the reference {}{number}. \
             To report something else, open the form again.",
            taken.reference
        );
        let problem = Problem::new(StatusCode::CONFLICT, "AlreadySubmitted", "This was already sent", message);
        return Err(problem.link(address(form), "Open the form again"));
    }
    let receipt = receipt(&site.vault, &form.trigger.path, taken.reference);
    let location = format!("{}/thanks?reference={}&receipt={receipt}", address(form), taken.reference);
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}

/// Brings a checked submission through the intake door. When this returns, it is on disk.
async fn take(
    site: &Site,
    form: &Form,
    answers: &Answers,
    request: &FormRequest,
    uniqueness: Uniqueness,
) -> Result<Taken, Box<Problem>> {
    let failed = |error| not_stored(site, form, &error);
    let intake = form.intake(&site.door, answers, request, uniqueness).map_err(failed)?;
    let event = intake.reports.first().map(|report| report.event);
    let verdict = site.door.take(intake).await.map_err(failed)?.into_iter().next();
    match verdict {
        Some(Verdict::Accepted { event, runs, .. }) => {
            let run = runs.first().map(|started| started.run);
            tracing::info!(form = %form.trigger.path, %event, run = run.map(tracing::field::display), "form submission accepted");
            count(site, "accepted");
            Ok(Taken { reference: run.unwrap_or(event), replayed: false })
        }
        Some(Verdict::Duplicate { event, run }) => {
            tracing::info!(form = %form.trigger.path, %event, run = run.map(tracing::field::display), "form submission found a duplicate");
            count(site, "duplicate");
            Ok(Taken { reference: run.unwrap_or(event), replayed: true })
        }
        // The playbook's conditions are no business of whoever fills in the form.
        Some(Verdict::Skipped { because }) => {
            let reference = event.unwrap_or_default();
            tracing::info!(form = %form.trigger.path, event = %reference, because, "form submission skipped");
            count(site, "skipped");
            Ok(Taken { reference, replayed: false })
        }
        Some(Verdict::Busy { because }) => {
            tracing::warn!(form = %form.trigger.path, because, "a form submission was refused; its sender is told to try again");
            count(site, "refused");
            let message = "So many reports are being worked on that this one was not taken. Send it again in a while.";
            Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", "Too many reports just now", message)
                .retry_after(BUSY_RETRY))
        }
        None => Err(not_stored(site, form, &StoreError::Failed("the store gave no verdict".into()))),
    }
}

fn not_stored(site: &Site, form: &Form, error: &StoreError) -> Box<Problem> {
    tracing::error!(form = %form.trigger.path, %error, "a form submission could not be stored; its sender is told to try again");
    count(site, "unavailable");
    let message = "The report could not be stored, so it was not taken. Send it again in a while.";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "Reports cannot be taken just now", message)
        .retry_after(STORE_RETRY)
}

fn count(site: &Site, verdict: &'static str) {
    site.metrics.intake.get_or_create(&IntakeLabels { trigger: "form", verdict }).inc();
}

/// How far a submission's run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Running,
    Incident(u64),
    /// It ended, or waits for a person, and made no incident.
    Ended,
}

impl Progress {
    fn incident(self) -> Option<u64> {
        match self {
            Self::Incident(number) => Some(number),
            Self::Running | Self::Ended => None,
        }
    }
}

/// What a run came to, waiting for its incident or its end at most `wait`.
async fn progress(site: &Site, run: RunId, wait: Duration) -> Progress {
    // The watch hears what happens from here on, the store knows what happened before.
    let watch = site.door.engine.watch(run);
    match so_far(site, run).await {
        Ok(Progress::Running) if !wait.is_zero() => match timeout(wait, watch.news()).await {
            Ok(Some(News::Incident(number))) => Progress::Incident(number),
            Ok(Some(News::Ended(_) | News::Replied(_))) => Progress::Ended,
            Ok(None) | Err(_) => Progress::Running,
        },
        Ok(known) => known,
        Err(error) => {
            // The report is safe; only its number cannot be told.
            tracing::warn!(%run, %error, "what a form submission came to could not be looked up");
            Progress::Running
        }
    }
}

async fn so_far(site: &Site, run: RunId) -> Result<Progress, StoreError> {
    // Its status first: once a run has ended, the incident it made is there to be found.
    let stored = site.door.store.load_run(run).await?;
    if let Some(number) = site.door.store.incident_of_run(run).await? {
        return Ok(Progress::Incident(number));
    }
    let running = stored.is_some_and(|stored| matches!(stored.status, RunStatus::Running | RunStatus::Waiting));
    Ok(if running { Progress::Running } else { Progress::Ended })
}

fn fresh_id(site: &Site, form: &Form) -> Result<String, Box<Problem>> {
    submission_id(&site.vault, &form.trigger.path, site.door.clock.now()).map_err(|error| {
        tracing::error!(form = %form.trigger.path, %error, "a form page could not be made: the system gives no randomness");
        let message = "The page could not be made. Try again in a while.";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "This does not work just now", message)
    })
}

fn address(form: &Form) -> String {
    format!("/forms/{}", segment(&form.trigger.path))
}

fn no_form() -> Box<Problem> {
    let message = "There is no form at this address. It may have been taken away, or the address has a typing mistake.";
    Problem::new(StatusCode::NOT_FOUND, "NotFound", "There is no such form", message)
}

fn refused(site: &Site, refusal: Refusal) -> Box<Problem> {
    count(site, "refused");
    let title = "This cannot be taken";
    match refusal {
        Refusal::Malformed(message) => Problem::new(StatusCode::BAD_REQUEST, "BadRequest", title, message),
        Refusal::Fields(fields) => {
            let message = "Some answers do not fit their fields; see the list.";
            let mut problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "InvalidSubmission", title, message);
            problem.fields = fields;
            problem
        }
    }
}

/// Which of the two ways a body is sent in.
fn content_type(headers: &HeaderMap) -> Result<Speaks, Box<Problem>> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut pieces = given.split(';').map(str::trim);
    let kind = pieces.next().unwrap_or_default().to_ascii_lowercase();
    let charset =
        pieces.filter_map(|piece| piece.split_once('=')).find(|(name, _)| name.eq_ignore_ascii_case("charset"));
    let utf8 = charset.is_none_or(|(_, value)| value.trim_matches('"').eq_ignore_ascii_case("utf-8"));
    match kind.as_str() {
        "application/json" if utf8 => Ok(Speaks::Json),
        "application/x-www-form-urlencoded" if utf8 => Ok(Speaks::Page),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            "This cannot be read",
            "A form is sent as application/json or, from its page, as application/x-www-form-urlencoded, in UTF-8.",
        )),
    }
}

/// How long a JSON submission asks to wait for its incident's number, as far as it may.
fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
    let preferences = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let wait = preferences.flat_map(|value| value.split([',', ';'])).find_map(|piece| {
        let (name, seconds) = piece.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| seconds.trim().parse().ok()).flatten()
    });
    wait.map(|seconds| Duration::from_secs(seconds).min(FORM_PREFERRED_WAIT))
}

fn shown(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |name: HeaderName| Some((name.to_string(), headers.get(&name)?.to_str().ok()?.to_owned()));
    SHOWN_HEADERS.into_iter().filter_map(text).collect()
}
