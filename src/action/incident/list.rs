//! `list_incidents`: the incidents a condition holds for.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    CONNECTION, Connection, Operation,
    answer::{self, bad, done},
    sentinel::Client,
    values::Text,
};
use crate::{
    action::{ActionType, Call, Outcome, Performed, Rehearsal},
    incident::{Workspace, properties},
    limits,
    odata::{Filter, Order},
    store::incidents::Listing,
};

/// Reads incidents. Returns `{value: [INCIDENT, …], more}`: `@actions.ID.value` is the list, and `more` says whether
/// there are others than these.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// Which ones, in OData as Sentinel's API takes it:
    /// `properties/status ne 'Closed' and contains(properties/title, 'phish')`. Default: all. A value put into it is
    /// quoted by doubling its single quotes: `@{replace(trigger.subject, '''', '''''')}`.
    #[serde(default)]
    filter: Text,
    /// In which order: `properties/createdTimeUtc desc`. Default: newest first.
    #[serde(default)]
    order_by: Text,
    /// How many at most, from 1 to 1,000. Default 50.
    #[serde(default)]
    top: Option<u64>,
    #[serde(default)]
    #[expect(dead_code, reason = "read before the rest")]
    connection: Option<Connection>,
}

pub(in crate::action) const ACTION: ActionType =
    super::action(&ListIncidents, &["getincidents", "searchincidents", "queryincidents"]);

/// What is asked for when nothing is said; the API has the same.
const TOP: usize = 50;
const NEWEST_FIRST: &str = "properties/createdTimeUtc desc";

struct ListIncidents;

#[async_trait::async_trait]
impl Operation for ListIncidents {
    type Input = Input;

    const NAME: &'static str = "list_incidents";
    const WRITES: bool = false;

    async fn built_in(&self, call: &Call<'_>, input: Input) -> Result<Performed, Box<Outcome>> {
        let mut listing = listing(&input)?;
        let top = listing.top;
        let workspace = Workspace::of(&call.services.config);
        let mut value: Vec<Value> = Vec::new();
        loop {
            let page = call.services.store.list_incidents(listing.clone()).await;
            let page = page.map_err(|error| answer::store(&error))?;
            value.extend(page.items.iter().map(|incident| incident.to_resource(&workspace)));
            if value.len() >= top || page.next.is_none() {
                let more = page.next.is_some();
                return Ok(Performed::Outcome(done(json!({"value": value, "more": more}))));
            }
            listing.after = page.next;
            listing.top = top - value.len();
        }
    }

    fn rehearsed(&self, call: &Rehearsal<'_>, input: Input) -> Result<Performed, Box<Outcome>> {
        // What another service makes of a filter is its own.
        match call.input.get(CONNECTION) {
            Some(_) => drop(top(&input)?),
            None => drop(listing(&input)?),
        }
        Ok(Performed::Outcome(call.well()))
    }

    async fn remote(&self, client: &Client<'_>, input: Input) -> Result<Outcome, Box<Outcome>> {
        let order = input.order_by.given().unwrap_or(NEWEST_FIRST);
        client.list_incidents(input.filter.given(), order, top(&input)?).await
    }
}

/// What is asked for; the built-in workspace and a connection's take the same.
fn listing(input: &Input) -> Result<Listing, Box<Outcome>> {
    let top = top(input)?;
    let unreadable = |what: &str, why: crate::odata::SyntaxError| {
        bad(format!("the input `{what}` of `list_incidents` cannot be read: {why}"))
    };
    let filter = input.filter.given().map(|text| Filter::parse(text, properties::INCIDENT)).transpose();
    let order = Order::parse(input.order_by.given().unwrap_or(NEWEST_FIRST), properties::INCIDENT);
    Ok(Listing {
        filter: filter.map_err(|why| unreadable("filter", why))?,
        order: order.map_err(|why| unreadable("order_by", why))?,
        top,
        after: None,
    })
}

fn top(input: &Input) -> Result<usize, Box<Outcome>> {
    let top = input.top.map_or(Some(TOP), |top| usize::try_from(top).ok());
    top.filter(|top| (1..=limits::LISTED_INCIDENTS).contains(top)).ok_or_else(|| {
        bad(format!("the input `top` of `list_incidents` must be from 1 to {}", limits::LISTED_INCIDENTS))
    })
}
