//! Text functions that SQLite has for ASCII only, or not at all, as conditions over Unicode need them. Of a null they are null.

use rusqlite::{
    Connection, Result,
    functions::{Context, FunctionFlags},
    types::ValueRef,
};

/// Makes them known to a connection.
pub(super) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    let one = |name, function: fn(&str) -> String| {
        connection.create_scalar_function(name, 1, flags, move |context| Ok(text(context, 0)?.map(function)))
    };
    one("lower_unicode", str::to_lowercase)?;
    one("upper_unicode", str::to_uppercase)?;
    let two = |name, function: fn(&str, &str) -> bool| {
        connection.create_scalar_function(name, 2, flags, move |context| {
            Ok(text(context, 0)?.zip(text(context, 1)?).map(|(text, part)| function(text, part)))
        })
    };
    two("contains", |text, part| text.contains(part))?;
    two("starts_with", |text, part| text.starts_with(part))?;
    two("ends_with", |text, part| text.ends_with(part))?;
    // A resource's name as it is shown.
    connection.create_scalar_function("shown_name", 1, flags, |context| match context.get_raw(0) {
        ValueRef::Blob(_) => Ok(context.get::<Option<super::codec::Named>>(0)?.map(|name| name.0.to_string())),
        _ => context.get(0),
    })
}

fn text<'c>(context: &'c Context<'_>, argument: usize) -> Result<Option<&'c str>> {
    match context.get_raw(argument) {
        ValueRef::Text(text) => Ok(std::str::from_utf8(text).ok()),
        _ => Ok(None),
    }
}
