//! What is said to a client whose request is refused: the same words as a page and as JSON.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::pages::Pages;
use crate::trigger::form::FieldFault;

/// A refused request.
#[derive(Debug)]
pub struct Problem {
    pub status: StatusCode,
    /// A stable word for programs, as Azure's APIs have one.
    pub code: &'static str,
    /// A heading for people.
    pub title: &'static str,
    /// What is wrong and what to do, in sentences.
    pub message: String,
    /// What is wrong field by field.
    pub fields: Vec<FieldFault>,
    /// Where to go on: address and text.
    pub link: Option<(String, String)>,
    /// Seconds after which the same request may be taken.
    pub retry_after: Option<u64>,
    /// The methods that are taken, where another one was used.
    pub allow: Option<String>,
    /// How the client can prove who it is, as `WWW-Authenticate` says it (RFC 9110 §11.6.1).
    pub challenge: Option<&'static str>,
}

/// The form a client understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    Page,
    Json,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Error<'a>,
}

#[derive(Serialize)]
struct Error<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    fields: &'a [FieldFault],
}

#[derive(Serialize)]
struct Page<'a> {
    title: &'a str,
    message: &'a str,
    link: Option<&'a str>,
    link_text: Option<&'a str>,
}

impl Problem {
    /// A problem without field faults, link or retry time.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, title: &'static str, message: impl Into<String>) -> Box<Self> {
        let message = message.into();
        Box::new(Self {
            status,
            code,
            title,
            message,
            fields: Vec::new(),
            link: None,
            retry_after: None,
            allow: None,
            challenge: None,
        })
    }

    /// The same with the time after which it may be tried again.
    #[must_use]
    pub fn retry_after(mut self: Box<Self>, seconds: u64) -> Box<Self> {
        self.retry_after = Some(seconds);
        self
    }

    /// The same with the methods that are taken.
    #[must_use]
    pub fn allow(mut self: Box<Self>, methods: String) -> Box<Self> {
        self.allow = Some(methods);
        self
    }

    /// The same with how the client can prove who it is.
    #[must_use]
    pub fn challenge(mut self: Box<Self>, challenge: &'static str) -> Box<Self> {
        self.challenge = Some(challenge);
        self
    }

    /// The same with a way on.
    #[must_use]
    pub fn link(mut self: Box<Self>, address: impl Into<String>, text: impl Into<String>) -> Box<Self> {
        self.link = Some((address.into(), text.into()));
        self
    }

    /// Nothing is served at this address.
    #[must_use]
    pub fn not_found() -> Box<Self> {
        Self::new(
            StatusCode::NOT_FOUND,
            "NotFound",
            "There is nothing here",
            "Nothing is served at this address. Check it for a typing mistake.",
        )
    }

    /// The answer in the client's form.
    #[must_use]
    pub fn answer(&self, pages: &Pages, speaks: Speaks) -> Response {
        let mut response = match speaks {
            Speaks::Page => {
                let link = self.link.as_ref().map(|(address, text)| (address.as_str(), text.as_str()));
                let (link, link_text) = link.unzip();
                let page = Page { title: self.title, message: &self.message, link, link_text };
                pages.answer(self.status, "portal/problem", &page)
            }
            Speaks::Json => {
                let error = Error { code: self.code, message: &self.message, fields: &self.fields };
                json(self.status, &Envelope { error })
            }
        };
        self.say_when(&mut response);
        if let Some(allow) = self.allow.as_deref().and_then(|methods| HeaderValue::try_from(methods).ok()) {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        if let Some(challenge) = self.challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }

    /// Tells in the answer when to try again, if that is known.
    pub fn say_when(&self, response: &mut Response) {
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
}

/// A JSON answer that no cache keeps.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_string(body) {
        Ok(text) => {
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ];
            (status, headers, text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
