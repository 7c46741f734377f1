//! Conditions and sort orders over the workspace, full-text search, and what incidents have in common.

#[path = "query/syntax.rs"]
mod syntax;
