//! The one table of functions. The checker, the evaluator, handlebars and the documentation all read it.

#![expect(clippy::needless_pass_by_value, reason = "the table's one signature lets a function keep what it is given")]

mod args;
mod collection;
mod conversion;
mod culture;
mod date;
mod logical;
mod math;
mod number;
mod number_format;
mod reference;
mod string;
mod utf16;

use std::sync::LazyLock;

use serde::Serialize;

use super::evaluate::Outcome;

pub(crate) use args::{Args, LazyArgs};
pub use date::{DateError, TimeUnit, add_to_time, convert_time_zone, nearest_time_zone, time_zone};

/// What a function is about; documentation groups by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    String,
    Collection,
    Logical,
    Conversion,
    Math,
    Date,
    Reference,
}

/// A function of both languages.
#[derive(Debug, Serialize)]
pub struct Function {
    /// The name as Logic Apps spells it; it is matched ignoring case.
    pub name: &'static str,
    /// What it is about.
    pub family: Family,
    /// Its parameters: `?` marks one that may be left out, `...` any number more.
    pub signature: &'static str,
    /// The fewest parameters it takes.
    pub min: usize,
    /// The most parameters it takes; `None` for any number.
    pub max: Option<usize>,
    /// What it does, in a sentence.
    pub doc: &'static str,
    #[serde(skip)]
    pub(crate) body: Body,
}

/// How a function is computed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Body {
    /// From evaluated parameters.
    Eager(for<'a> fn(Args<'a>) -> Outcome<'a>),
    /// Evaluating its parameters as it needs them.
    Lazy(for<'a> fn(&mut LazyArgs<'a>) -> Outcome<'a>),
}

impl Function {
    /// Whether its parameters are evaluated only as needed.
    #[must_use]
    pub fn is_lazy(&self) -> bool {
        matches!(self.body, Body::Lazy(_))
    }

    /// Whether its first parameter is the name of an action, variable, parameter or loop.
    pub(crate) fn names_something(&self) -> bool {
        self.family == Family::Reference
            && matches!(
                self.name,
                "body"
                    | "actionBody"
                    | "outputs"
                    | "actionOutputs"
                    | "actions"
                    | "result"
                    | "variables"
                    | "parameters"
                    | "items"
                    | "iterationIndexes"
                    | "formDataValue"
                    | "formDataMultiValues"
                    | "multipartBody"
            )
    }

    /// Reads the name and the number of parameters off the signature.
    fn new(family: Family, signature: &'static str, doc: &'static str, body: Body) -> Self {
        let (name, parameters) = signature.split_once('(').unwrap_or((signature, ")"));
        let parameters = parameters.trim_end_matches(')');
        let each = || parameters.split(',').map(str::trim).filter(|parameter| !parameter.is_empty());
        let endless = each().any(|parameter| parameter == "...");
        let min = each().filter(|parameter| *parameter != "..." && !parameter.ends_with('?')).count();
        let max = (!endless).then(|| each().count());
        Self { name, family, signature, min, max, doc, body }
    }
}

fn eager(
    family: Family,
    signature: &'static str,
    doc: &'static str,
    run: for<'a> fn(Args<'a>) -> Outcome<'a>,
) -> Function {
    Function::new(family, signature, doc, Body::Eager(run))
}

fn lazy(
    family: Family,
    signature: &'static str,
    doc: &'static str,
    run: for<'a> fn(&mut LazyArgs<'a>) -> Outcome<'a>,
) -> Function {
    Function::new(family, signature, doc, Body::Lazy(run))
}

static TABLE: LazyLock<Vec<Function>> = LazyLock::new(|| {
    use Family::{Collection, Conversion, Date, Logical, Math, Reference, String};
    #[rustfmt::skip]
    let table = vec![
        eager(String, "concat(text, ...)", "Its parameters as one text.", string::concat),
        eager(String, "substring(text, start, length?)", "The part of a text from a position on; an error where there is none.", string::substring),
        eager(String, "slice(text, start, end?)", "The part of a text between two positions; negative ones count from the end.", string::slice),
        eager(String, "replace(text, old, new)", "A text with every old part replaced, by case.", string::replace),
        eager(String, "guid(format?)", "A new random identifier; the format is N, D, B, P or X.", string::guid),
        eager(String, "toLower(text)", "A text in lower case.", string::to_lower),
        eager(String, "toUpper(text)", "A text in upper case.", string::to_upper),
        eager(String, "indexOf(text, search)", "Where a text first holds another, ignoring case; -1 where it does not.", string::index_of),
        eager(String, "lastIndexOf(text, search)", "Where a text last holds another, ignoring case; -1 where it does not.", string::last_index_of),
        eager(String, "nthIndexOf(text, search, occurrence)", "Where a text holds another for the nth time, ignoring case; a negative n counts from the end.", string::nth_index_of),
        eager(String, "startsWith(text, search)", "Whether a text begins with another, ignoring case.", string::starts_with),
        eager(String, "endsWith(text, search)", "Whether a text ends with another, ignoring case.", string::ends_with),
        eager(String, "split(text, separator)", "The parts of a text between separators.", string::split),
        eager(String, "trim(text)", "A text without white space at its ends.", string::trim),
        eager(String, "trimByteOrderMark(content)", "A text or binary value without its byte order mark.", string::trim_byte_order_mark),
        eager(String, "formatNumber(number, format, locale?)", "A number by a .NET format such as N2 or #,##0.00.", string::format_number),
        eager(String, "isInt(text)", "Whether a text is a whole number.", string::is_int),
        eager(String, "isFloat(text, locale?)", "Whether a text is a number.", string::is_float),
        eager(String, "encodeXmlValue(text)", "A text with XML's own signs escaped.", string::encode_xml_value),
        eager(String, "decodeXmlValue(text)", "A text with XML's escapes resolved.", string::decode_xml_value),
        eager(String, "encodeXmlName(name)", "A name with what XML forbids in names written as _xHHHH_.", string::encode_xml_name),
        eager(String, "decodeXmlName(name)", "A name with every _xHHHH_ resolved.", string::decode_xml_name),
        eager(String, "escape_html(value)", "A value's text with HTML's own signs escaped.", string::escape_html),

        eager(Collection, "contains(collection, value)", "Whether a text holds a text by case, an array an element, or an object a key ignoring case.", collection::contains),
        eager(Collection, "length(collection)", "The number of elements or characters.", collection::length),
        eager(Collection, "empty(collection)", "Whether an object, array or text has nothing in it; null has not.", collection::empty),
        eager(Collection, "first(collection)", "The first element or character.", collection::first),
        eager(Collection, "last(collection)", "The last element or character.", collection::last),
        eager(Collection, "take(collection, count)", "The first elements or characters.", collection::take),
        eager(Collection, "skip(collection, count)", "All but the first elements.", collection::skip),
        eager(Collection, "join(collection, delimiter)", "The texts of an array's elements as one text.", collection::join),
        eager(Collection, "reverse(collection)", "An array from its end.", collection::reverse),
        eager(Collection, "chunk(collection, length)", "An array or text in pieces of a length.", collection::chunk),
        eager(Collection, "sort(collection, property?)", "An array in order, by itself or by a property of its elements.", collection::sort),
        eager(Collection, "union(collection, other, ...)", "Every element of arrays once, or objects merged, the later one winning.", collection::union),
        eager(Collection, "intersection(collection, other, ...)", "The elements or members that all have.", collection::intersection),
        eager(Collection, "addProperty(object, property, value)", "An object with one more property, which it must not have yet.", collection::add_property),
        eager(Collection, "setProperty(object, property, value)", "An object with a property set.", collection::set_property),
        eager(Collection, "removeProperty(object, property)", "An object without a property.", collection::remove_property),
        eager(Collection, "mergeObjects(object, other)", "Two objects as one, the second winning; objects inside them are merged too.", collection::merge_objects),

        eager(Conversion, "int(value)", "A whole number.", conversion::int),
        eager(Conversion, "float(value, locale?)", "A number.", conversion::float),
        eager(Conversion, "decimal(value)", "A number, written without an exponent.", conversion::decimal),
        eager(Conversion, "bool(value)", "True or false, from those words or from a number.", conversion::bool),
        eager(Conversion, "string(value)", "A value's text.", conversion::string),
        eager(Conversion, "json(value)", "The value of a JSON text.", conversion::json),
        eager(Conversion, "array(value)", "An array of one element.", conversion::array),
        eager(Conversion, "createArray(value, ...)", "An array of its parameters.", collection::create_array),
        eager(Conversion, "base64(value)", "A value's text in base64.", conversion::base64),
        eager(Conversion, "base64ToString(value)", "The text behind base64.", conversion::base64_to_string),
        eager(Conversion, "base64ToBinary(value)", "The binary value behind base64.", conversion::base64_to_binary),
        eager(Conversion, "decodeBase64(value)", "The same as base64ToString.", conversion::base64_to_string),
        eager(Conversion, "binary(value)", "A value's text as a binary value.", conversion::binary),
        eager(Conversion, "dataUri(value)", "A value as a data: URI.", conversion::data_uri),
        eager(Conversion, "dataUriToBinary(value)", "The binary value in a data: URI.", conversion::data_uri_to_binary),
        eager(Conversion, "dataUriToString(value)", "The text in a data: URI.", conversion::data_uri_to_string),
        eager(Conversion, "decodeDataUri(value)", "The same as dataUriToString.", conversion::data_uri_to_string),
        eager(Conversion, "uriComponent(value)", "A text escaped for use in a URI.", conversion::uri_component),
        eager(Conversion, "uriComponentToString(value)", "A text with a URI's escapes resolved.", conversion::uri_component_to_string),
        eager(Conversion, "uriComponentToBinary(value)", "A binary value with a URI's escapes resolved.", conversion::uri_component_to_binary),
        eager(Conversion, "encodeUriComponent(value)", "The same as uriComponent.", conversion::uri_component),
        eager(Conversion, "decodeUriComponent(value)", "The same as uriComponentToString.", conversion::uri_component_to_string),
        eager(Conversion, "utf8Length(text)", "The bytes of a text in UTF-8.", conversion::utf8_length),
        eager(Conversion, "utf16Length(text)", "The units of a text in UTF-16.", conversion::utf16_length),

        eager(Math, "add(number, other)", "The sum.", math::add),
        eager(Math, "sub(number, other)", "The difference.", math::sub),
        eager(Math, "mul(number, other)", "The product.", math::mul),
        eager(Math, "div(number, other)", "The quotient; whole where both are.", math::div),
        eager(Math, "mod(number, other)", "The remainder, with the sign of the first.", math::modulo),
        eager(Math, "min(number, ...)", "The smallest of its parameters, or of one array.", math::min),
        eager(Math, "max(number, ...)", "The largest of its parameters, or of one array.", math::max),
        eager(Math, "range(start, count)", "An array of whole numbers.", math::range),
        eager(Math, "rand(low, high)", "A random whole number, at least the first and less than the second.", math::rand),

        eager(Date, "utcNow(format?)", "The present instant.", date::utc_now),
        eager(Date, "addDays(timestamp, days, format?)", "An instant some days later.", date::add_days),
        eager(Date, "addHours(timestamp, hours, format?)", "An instant some hours later.", date::add_hours),
        eager(Date, "addMinutes(timestamp, minutes, format?)", "An instant some minutes later.", date::add_minutes),
        eager(Date, "addSeconds(timestamp, seconds, format?)", "An instant some seconds later.", date::add_seconds),
        eager(Date, "addToTime(timestamp, interval, time_unit, format?)", "An instant some units later: Second, Minute, Hour, Day, Week, Month or Year.", date::add_to_time_function),
        eager(Date, "subtractFromTime(timestamp, interval, time_unit, format?)", "An instant some units earlier.", date::subtract_from_time),
        eager(Date, "getFutureTime(interval, time_unit, format?)", "The present instant and some units.", date::get_future_time),
        eager(Date, "getPastTime(interval, time_unit, format?)", "The present instant less some units.", date::get_past_time),
        eager(Date, "convertTimeZone(timestamp, source_zone, destination_zone, format?)", "What one zone's clocks show when another's show a time; zones by Windows' or IANA's names.", date::convert_time_zone_function),
        eager(Date, "convertToUtc(timestamp, source_zone, format?)", "The instant at which a zone's clocks show a time.", date::convert_to_utc),
        eager(Date, "convertFromUtc(timestamp, destination_zone, format?)", "What a zone's clocks show at an instant.", date::convert_from_utc),
        eager(Date, "formatDateTime(timestamp, format?, locale?)", "An instant by a .NET format such as D or yyyy-MM-dd.", date::format_date_time),

        lazy(Logical, "and(condition, ...)", "True when every condition is; stops at the first that is not.", logical::and),
        lazy(Logical, "or(condition, ...)", "True when any condition is; stops at the first that is.", logical::or),
        eager(Logical, "not(condition)", "The opposite of a condition.", logical::not),
        lazy(Logical, "if(condition, value_if_true, value_if_false)", "One of two values; the other is not evaluated.", logical::if_),
        lazy(Logical, "coalesce(value, ...)", "The first value that is not null.", logical::coalesce),
        eager(Logical, "equals(value, other, ...)", "True when the values are the same, by type and depth; numbers compare by value, strings by case.", logical::equals),
        eager(Logical, "less(value, other)", "True when a number is smaller, or a string comes first ignoring case.", logical::less),
        eager(Logical, "lessOrEquals(value, other)", "As less, or equal.", logical::less_or_equals),
        eager(Logical, "greater(value, other)", "True when a number is larger, or a string comes later ignoring case.", logical::greater),
        eager(Logical, "greaterOrEquals(value, other)", "As greater, or equal.", logical::greater_or_equals),

        eager(Reference, "trigger()", "The trigger's whole record.", reference::trigger),
        eager(Reference, "triggerBody()", "What the trigger delivered; the same as the bare word trigger.", reference::trigger_body),
        eager(Reference, "triggerOutputs()", "The trigger's outputs: headers, queries, body where it has them.", reference::trigger_outputs),
        eager(Reference, "request()", "Method, headers, queries and relative path parameters of a form or webhook; the same as the bare word request.", reference::request),
        eager(Reference, "body(action_name)", "What an action returned; the same as actions.NAME.", reference::body),
        eager(Reference, "actionBody(action_name)", "The same as body.", reference::body),
        eager(Reference, "outputs(action_name)", "An action's outputs.", reference::outputs),
        eager(Reference, "actionOutputs(action_name)", "The same as outputs.", reference::outputs),
        eager(Reference, "actions(action_name)", "An action's whole record: inputs, outputs, status, times, error.", reference::actions),
        eager(Reference, "result(container_name)", "The records of the actions directly inside a scope, loop or condition.", reference::result),
        eager(Reference, "variables(name)", "A variable's value; the same as variables.NAME.", reference::variables),
        eager(Reference, "parameters(name)", "A parameter's value; the same as parameters.NAME.", reference::parameters),
        eager(Reference, "item()", "The innermost loop's element; the same as the bare word item.", reference::item),
        eager(Reference, "items(loop_name)", "The element of the loop of that name.", reference::items),
        eager(Reference, "iterationIndexes(loop_name)", "The iteration of the loop of that name, from 0.", reference::iteration_indexes),
        eager(Reference, "workflow()", "The playbook and the run: id, name, type, run.", reference::workflow),
        eager(Reference, "triggerFormDataValue(key)", "One field of a urlencoded body that the trigger delivered.", reference::trigger_form_data_value),
        eager(Reference, "triggerFormDataMultiValues(key)", "Every value of a field of a urlencoded body that the trigger delivered.", reference::trigger_form_data_multi_values),
        eager(Reference, "triggerMultipartBody(index)", "A part, from 0, of a multipart body that the trigger delivered.", reference::trigger_multipart_body),
        eager(Reference, "formDataValue(action_name, key)", "One field of a urlencoded body that an action returned.", reference::form_data_value),
        eager(Reference, "formDataMultiValues(action_name, key)", "Every value of a field of a urlencoded body that an action returned.", reference::form_data_multi_values),
        eager(Reference, "multipartBody(action_name, index)", "A part, from 0, of a multipart body that an action returned.", reference::multipart_body),
    ];
    table
});

/// Functions of Logic Apps that Larum does not have yet.
const LATER: &[&str] = &[
    "xml",
    "xpath",
    "dateDifference",
    "parseDateTime",
    "startOfHour",
    "startOfDay",
    "startOfMonth",
    "dayOfWeek",
    "dayOfMonth",
    "dayOfYear",
    "ticks",
    "formatTimeSpan",
    "listCallbackUrl",
    "uriHost",
    "uriPath",
    "uriPathAndQuery",
    "uriPort",
    "uriScheme",
    "uriQuery",
    "appsetting",
    "action",
];

/// Every function.
#[must_use]
pub fn functions() -> &'static [Function] {
    &TABLE
}

/// The function called `name`, ignoring case.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    functions().iter().find(|function| function.name.eq_ignore_ascii_case(name))
}

/// The spelling of a function that Logic Apps has and Larum does not.
pub(crate) fn later(name: &str) -> Option<&'static str> {
    LATER.iter().copied().find(|later| later.eq_ignore_ascii_case(name))
}

/// A bare word that stands for data.
pub(crate) struct Root {
    /// The word.
    pub(crate) name: &'static str,
    /// The function that gives the same data.
    pub(crate) function: &'static Function,
    /// Whether a name follows: `variables.x`.
    pub(crate) named: bool,
}

/// The bare words.
pub(crate) const ROOTS: [&str; 6] = ["trigger", "actions", "variables", "parameters", "item", "request"];

/// The bare word `name`, ignoring case.
pub(crate) fn root(name: &str) -> Option<Root> {
    let name = ROOTS.into_iter().find(|root| root.eq_ignore_ascii_case(name))?;
    let (function, named) = match name {
        "trigger" => ("triggerBody", false),
        "actions" => ("body", true),
        "variables" | "parameters" => (name, true),
        _ => (name, false),
    };
    Some(Root { name, function: find(function)?, named })
}
