//! The pages people see: handlebars templates, compiled in, each replaceable by a file in the configured folder.
//!
//! Unlike a playbook's templates these escape everything they print for HTML.

use std::{fs, io, path::Path, path::PathBuf};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use handlebars::Handlebars;
use serde::Serialize;

/// The built-in templates by name.
const BUILT_IN: [(&str, &str); 9] = [
    ("portal/layout", include_str!("../../templates/portal/layout.hbs")),
    ("portal/form", include_str!("../../templates/portal/form.hbs")),
    ("portal/form-thanks", include_str!("../../templates/portal/form-thanks.hbs")),
    ("portal/approval", include_str!("../../templates/portal/approval.hbs")),
    ("portal/approval-done", include_str!("../../templates/portal/approval-done.hbs")),
    ("portal/first-admin", include_str!("../../templates/portal/first-admin.hbs")),
    ("portal/first-admin-done", include_str!("../../templates/portal/first-admin-done.hbs")),
    ("portal/problem", include_str!("../../templates/portal/problem.hbs")),
    ("portal/index", include_str!("../../templates/portal/index.hbs")),
];
const STYLESHEET: &str = include_str!("../../templates/portal/larum.css");
const STYLESHEET_NAME: &str = "portal/larum.css";

/// The templates and the stylesheet, ready to be used.
#[derive(Debug)]
pub struct Pages {
    templates: Handlebars<'static>,
    stylesheet: String,
}

/// A template of the configured folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PagesError {
    #[error("the template {path} could not be read: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the template {path} is not valid: {source}")]
    Invalid { path: PathBuf, source: Box<handlebars::TemplateError> },
}

impl Pages {
    /// Reads the templates; a file `portal/NAME.hbs` (or `portal/larum.css`) in `folder` takes the place of the built-in one.
    ///
    /// # Errors
    /// When a file of the folder cannot be read or is no template.
    pub fn new(folder: Option<&Path>) -> Result<Self, PagesError> {
        let mut templates = Handlebars::new();
        templates.set_strict_mode(true);
        for (name, built_in) in BUILT_IN {
            let (path, text) = replacement(folder, &format!("{name}.hbs"), built_in)?;
            templates
                .register_template_string(name, text)
                .map_err(|source| PagesError::Invalid { path, source: Box::new(source) })?;
        }
        let (_, stylesheet) = replacement(folder, STYLESHEET_NAME, STYLESHEET)?;
        Ok(Self { templates, stylesheet })
    }

    /// The page `name` with `data`, as an answer that no cache keeps.
    #[must_use]
    pub fn answer(&self, status: StatusCode, name: &str, data: &impl Serialize) -> Response {
        match self.templates.render(name, data) {
            Ok(page) => {
                let headers = [
                    (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
                    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
                ];
                (status, headers, page).into_response()
            }
            Err(error) => {
                // Only a replaced template can ask for what is not there.
                tracing::error!(template = name, %error, "a page could not be rendered");
                let text = "This page could not be put together: its template is at fault.\n";
                (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
            }
        }
    }

    /// The stylesheet of all pages.
    #[must_use]
    pub fn stylesheet(&self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8")),
            (header::CACHE_CONTROL, HeaderValue::from_static("max-age=300")),
        ];
        (headers, self.stylesheet.clone()).into_response()
    }
}

fn replacement(folder: Option<&Path>, file: &str, built_in: &str) -> Result<(PathBuf, String), PagesError> {
    let Some(folder) = folder else { return Ok((file.into(), built_in.to_owned())) };
    let path = folder.join(file);
    match fs::read_to_string(&path) {
        Ok(text) => Ok((path, text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((path, built_in.to_owned())),
        Err(source) => Err(PagesError::Unreadable { path, source }),
    }
}
