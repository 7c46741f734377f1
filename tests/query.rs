//! Conditions and sort orders over the workspace, full-text search, and what incidents have in common.
#![allow(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

#[path = "query/filters.rs"]
mod filters;
#[path = "query/kit.rs"]
mod kit;
#[path = "query/naive.rs"]
mod naive;
#[path = "query/paging.rs"]
mod paging;
#[path = "query/search.rs"]
mod search;
#[path = "query/syntax.rs"]
mod syntax;
