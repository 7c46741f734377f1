//! What a route is. [`TABLE`] lists them all; the router and the OpenAPI document are made from it.

mod matching;
mod table;

use std::{sync::Arc, time::Duration};

use axum::{response::Response, routing::MethodRouter};
use futures::future::BoxFuture;
use schemars::{Schema, SchemaGenerator};

pub use matching::{Found, Routes};
pub use table::TABLE;

use super::{Site, ask::Ask, problem::Problem};
use crate::{access::Role, limits::REQUEST};

/// One address and what is done there.
pub struct Route {
    /// The methods it takes, in capitals.
    pub methods: &'static [&'static str],
    /// Segments in braces are parameters; one with a `*` takes the rest.
    pub path: &'static str,
    pub access: Access,
    pub listener: Listener,
    pub counted: Counted,
    /// How long an answer may take.
    pub patience: Duration,
    /// Under which heading the OpenAPI document lists it; of an API's, the collection its path begins with.
    pub group: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    pub query: &'static [Parameter],
    /// Header fields that count for it alone.
    pub headers: &'static [Parameter],
    /// The JSON body it takes.
    pub request: Option<Shape>,
    /// What it answers when all is well.
    pub answers: &'static [Answer],
    pub handler: Handler,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody; the handler itself checks what there is to check (a signature, a link).
    Public,
    /// Whoever has a token with this role or one above it.
    Role(Role),
    /// A reader, or anybody where `server.open_metrics` says so.
    Metrics,
}

/// Where a client's requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Before the handler, towards `server.api_calls_per_minute`.
    Here,
    /// By the handler, towards a limit of its own.
    ByHandler,
}

/// By which address a route is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// `server.listen` alone.
    Main,
    /// `server.public_listen` too.
    Public,
}

/// A query parameter or a header field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    pub name: &'static str,
    pub required: bool,
    pub about: &'static str,
}

impl Parameter {
    /// One that must be given.
    #[must_use]
    pub const fn required(name: &'static str, about: &'static str) -> Self {
        Self { name, required: true, about }
    }

    /// One that may be left out.
    #[must_use]
    pub const fn optional(name: &'static str, about: &'static str) -> Self {
        Self { name, required: false, about }
    }
}

/// An answer.
#[derive(Clone, Copy)]
pub struct Answer {
    pub status: u16,
    pub body: Content,
}

/// What an answer's body is.
#[derive(Clone, Copy)]
pub enum Content {
    Nothing,
    Json(Shape),
    /// Of this media type.
    Other(&'static str),
}

/// A JSON body's schema.
pub type Shape = fn(&mut SchemaGenerator) -> Schema;

/// Who answers.
#[derive(Clone, Copy)]
pub enum Handler {
    /// A page, a form, a hook: matched by axum, in exactly the case it is written in.
    Page(fn() -> MethodRouter<Arc<Site>>),
    /// An operation of an API: its path is matched ignoring case, and whoever asks has been admitted.
    Api(fn(Ask) -> BoxFuture<'static, Result<Response, Box<Problem>>>),
}

impl Route {
    /// A public page, a form or a hook.
    #[must_use]
    pub const fn page(
        methods: &'static [&'static str],
        path: &'static str,
        summary: &'static str,
        handler: fn() -> MethodRouter<Arc<Site>>,
    ) -> Self {
        Self {
            methods,
            path,
            access: Access::Public,
            listener: Listener::Main,
            counted: Counted::Here,
            patience: REQUEST,
            group: "Pages",
            summary,
            query: &[],
            headers: &[],
            request: None,
            answers: &[Answer { status: 200, body: Content::Other("text/html") }],
            handler: Handler::Page(handler),
        }
    }

    /// An operation of an API.
    #[must_use]
    pub const fn api(
        methods: &'static [&'static str],
        path: &'static str,
        role: Role,
        summary: &'static str,
        handler: fn(Ask) -> BoxFuture<'static, Result<Response, Box<Problem>>>,
    ) -> Self {
        Self {
            methods,
            path,
            access: Access::Role(role),
            listener: Listener::Main,
            counted: Counted::Here,
            patience: REQUEST,
            group: "",
            summary,
            query: &[],
            headers: &[],
            request: None,
            answers: &[],
            handler: Handler::Api(handler),
        }
    }

    /// The same, served on `server.public_listen` too.
    #[must_use]
    pub const fn outside(mut self) -> Self {
        self.listener = Listener::Public;
        self
    }

    /// The same, its handler counting what a client sends.
    #[must_use]
    pub const fn counts_itself(mut self) -> Self {
        self.counted = Counted::ByHandler;
        self
    }

    /// The same with another time for an answer.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The same for these people.
    #[must_use]
    pub const fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// The same under another heading.
    #[must_use]
    pub const fn group(mut self, group: &'static str) -> Self {
        self.group = group;
        self
    }

    /// The same with query parameters.
    #[must_use]
    pub const fn query(mut self, query: &'static [Parameter]) -> Self {
        self.query = query;
        self
    }

    /// The same with header fields.
    #[must_use]
    pub const fn headers(mut self, headers: &'static [Parameter]) -> Self {
        self.headers = headers;
        self
    }

    /// The same with a JSON body of this shape.
    #[must_use]
    pub const fn takes(mut self, shape: Shape) -> Self {
        self.request = Some(shape);
        self
    }

    /// The same with what it answers.
    #[must_use]
    pub const fn answers(mut self, answers: &'static [Answer]) -> Self {
        self.answers = answers;
        self
    }
}

impl Answer {
    #[must_use]
    pub const fn json(status: u16, shape: Shape) -> Self {
        Self { status, body: Content::Json(shape) }
    }

    #[must_use]
    pub const fn nothing(status: u16) -> Self {
        Self { status, body: Content::Nothing }
    }

    #[must_use]
    pub const fn other(status: u16, media_type: &'static str) -> Self {
        Self { status, body: Content::Other(media_type) }
    }
}
