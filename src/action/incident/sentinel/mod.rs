//! The client of Sentinel's API: what the actions do in the workspace that a `sentinel` connection leads to.
//!
//! Everything it does can be done again without harm. What is made has a name that derives from run and step and is
//! looked for before it is made; a change is made on what is there at that moment and sent with its etag. So a call that
//! fails for the time being (429, 503, a broken connection) is an outcome that the action's retry policy repeats whole.

mod body;
mod reply;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use self::reply::Reply;
use super::answer::{done, not_found};
use crate::{
    action::{Call, Outcome, RunInfo, http},
    config::{Connection, Sentinel, Workspace},
    incident::{Draft, IncidentRef, Patch, ResourceName},
    limits,
};

/// One action's calls.
pub(super) struct Client<'a> {
    call: &'a Call<'a>,
    /// The action's name.
    action: &'static str,
    /// The connection's name.
    name: &'a str,
    connection: &'a Sentinel,
}

impl<'a> Client<'a> {
    /// The client for the connection `name`; `larum.yaml` may have changed since the playbook was checked.
    ///
    /// # Errors
    /// When there is no such connection.
    pub(super) fn new(call: &'a Call<'a>, action: &'static str, name: &'a str) -> Result<Self, Box<Outcome>> {
        let missing = |message: String| Box::new(Outcome::failed("ConnectionNotFound", message));
        match call.services.config.connections.get(name) {
            Some(Connection::Sentinel(connection)) => Ok(Self { call, action, name, connection }),
            Some(other) => Err(missing(format!(
                "`{action}` needs a sentinel connection, and `{name}` in larum.yaml is of kind {}",
                other.kind()
            ))),
            None => Err(missing(format!("larum.yaml has no connection `{name}`"))),
        }
    }

    pub(super) fn run(&self) -> &RunInfo {
        self.call.run
    }

    pub(super) fn workspace(&self) -> &Workspace {
        &self.connection.workspace
    }

    /// The name of what this step makes, the same whatever the attempt.
    pub(super) fn uuid(&self, purpose: &str) -> Uuid {
        self.call.identity.uuid(purpose)
    }

    pub(super) async fn get_incident(&self, incident: &IncidentRef) -> Result<Outcome, Box<Outcome>> {
        let reply = match incident {
            IncidentRef::Number(number) => return Ok(done(self.by_number(*number).await?)),
            IncidentRef::Name(name) => self.get(&["incidents", &name.to_string()]).await?,
        };
        self.answered(reply)
    }

    pub(super) async fn create_incident(&self, draft: &Draft) -> Result<Outcome, Box<Outcome>> {
        let name = self.uuid("incident").to_string();
        self.make(&["incidents", &name], body::incident(draft)).await
    }

    pub(super) async fn patch_incident(&self, incident: &IncidentRef, patch: &Patch) -> Result<Outcome, Box<Outcome>> {
        let name = self.name_of(incident).await?.to_string();
        self.change(&["incidents", &name], |properties| body::patched(properties, patch)).await
    }

    pub(super) async fn add_comment(
        &self,
        incident: &IncidentRef,
        comment: Uuid,
        message: &str,
    ) -> Result<Outcome, Box<Outcome>> {
        let incident = self.name_of(incident).await?.to_string();
        let path = ["incidents", &incident, "comments", &comment.to_string()];
        self.make(&path, json!({"message": message})).await
    }

    pub(super) async fn add_task(
        &self,
        incident: &IncidentRef,
        task: Uuid,
        title: &str,
        description: Option<&str>,
    ) -> Result<Outcome, Box<Outcome>> {
        let incident = self.name_of(incident).await?.to_string();
        let mut properties = json!({"title": title, "status": "New"});
        if let Some(description) = description {
            properties["description"] = description.into();
        }
        self.make(&["incidents", &incident, "tasks", &task.to_string()], properties).await
    }

    pub(super) async fn complete_task(
        &self,
        incident: &IncidentRef,
        task: &ResourceName,
    ) -> Result<Outcome, Box<Outcome>> {
        let incident = self.name_of(incident).await?.to_string();
        self.change(&["incidents", &incident, "tasks", &task.to_string()], body::completed).await
    }

    pub(super) async fn relate_alert(
        &self,
        incident: &ResourceName,
        relation: &ResourceName,
        alert: &ResourceName,
    ) -> Result<Outcome, Box<Outcome>> {
        let path = ["incidents", &incident.to_string(), "relations", &relation.to_string()];
        let mut alert_id = String::from("/");
        alert_id += &self.path(&["entities", &alert.to_string()]).join("/");
        self.make(&path, json!({"relatedResourceId": alert_id})).await
    }

    /// The entities of an incident, as the API has them.
    pub(super) async fn entities(&self, incident: &ResourceName) -> Result<Vec<Value>, Box<Outcome>> {
        let url = self.url(&["incidents", &incident.to_string(), "entities"], &[])?;
        let reply = self.ask("POST", &url, None).await?;
        if !reply.is_success() {
            return Err(self.failed(reply));
        }
        match reply.body.get("entities").cloned() {
            Some(Value::Array(entities)) => Ok(entities),
            _ => Err(self.unexpected("an answer without a list of `entities`")),
        }
    }

    /// At most `top` incidents, as `{value, more}`.
    pub(super) async fn list_incidents(
        &self,
        filter: Option<&str>,
        order: &str,
        top: usize,
    ) -> Result<Outcome, Box<Outcome>> {
        let page = top.to_string();
        let mut queries = vec![("$orderby", order), ("$top", &page)];
        queries.extend(filter.map(|filter| ("$filter", filter)));
        let mut next = Some(self.url(&["incidents"], &queries)?);
        let mut value: Vec<Value> = Vec::new();
        for _ in 0..limits::SENTINEL_PAGES {
            let Some(url) = next.take().filter(|_| value.len() < top) else { break };
            let reply = self.ask("GET", &url, None).await?;
            if !reply.is_success() {
                return Err(self.failed(reply));
            }
            next = self.next_page(&reply.body)?;
            match reply.body.get("value") {
                Some(Value::Array(page)) => value.extend(page.iter().cloned()),
                _ => return Err(self.unexpected("an answer without a list as its `value`")),
            }
            if value.len() >= top {
                break;
            }
        }
        let more = next.is_some() || value.len() > top;
        value.truncate(top);
        Ok(done(json!({"value": value, "more": more})))
    }

    /// The name of an incident that is known by its number.
    pub(super) async fn name_of(&self, incident: &IncidentRef) -> Result<ResourceName, Box<Outcome>> {
        let number = match incident {
            IncidentRef::Name(name) => return Ok(name.clone()),
            IncidentRef::Number(number) => *number,
        };
        let found = self.by_number(number).await?;
        let name = found.get("name").and_then(Value::as_str).and_then(|name| ResourceName::parse(name).ok());
        name.ok_or_else(|| self.unexpected("an incident without a name"))
    }

    async fn by_number(&self, number: u64) -> Result<Value, Box<Outcome>> {
        let filter = format!("properties/incidentNumber eq {number}");
        let url = self.url(&["incidents"], &[("$filter", &filter), ("$top", "1")])?;
        let reply = self.ask("GET", &url, None).await?;
        if !reply.is_success() {
            return Err(self.failed(reply));
        }
        let found = reply.body.get("value").and_then(|value| value.get(0)).cloned();
        found.ok_or_else(|| not_found(number.to_string()))
    }

    /// Makes something under a name that no one else gives. What is there already was made by an earlier attempt, whose
    /// answer got lost, and stays as it is.
    async fn make(&self, path: &[&str], properties: Value) -> Result<Outcome, Box<Outcome>> {
        let there = self.get(path).await?;
        if there.status != 404 {
            return self.answered(there);
        }
        let reply = self.ask("PUT", &self.url(path, &[])?, Some(json!({"properties": properties}))).await?;
        if reply.status == 409 {
            // Another attempt, whose call was still on its way, may have made it in between.
            let there = self.get(path).await?;
            if there.is_success() {
                return self.answered(there);
            }
        }
        self.answered(reply)
    }

    /// Changes what is there, with its etag. When somebody else's change came in between, what is there by then is read
    /// and changed instead.
    async fn change(
        &self,
        path: &[&str],
        change: impl Fn(&Value) -> Value + Send + Sync,
    ) -> Result<Outcome, Box<Outcome>> {
        let mut left = limits::SENTINEL_CONFLICTS;
        loop {
            let there = self.get(path).await?;
            if !there.is_success() {
                return Err(self.failed(there));
            }
            // A PUT replaces everything: without knowing all that is there, it would empty the rest.
            if !there.body["properties"].is_object() {
                return Err(self.unexpected("an answer without an object of `properties`; nothing was changed"));
            }
            let before = body::writable(&there.body["properties"]);
            let after = change(&before);
            if after == before {
                return self.answered(there);
            }
            let put = json!({"etag": there.body["etag"], "properties": after});
            let reply = self.ask("PUT", &self.url(path, &[])?, Some(put)).await?;
            if reply.status != 409 {
                return self.answered(reply);
            }
            if left == 0 {
                // Nothing was overwritten, and it may well go better in a while.
                return Err(self.failed(reply.retryable()));
            }
            left -= 1;
        }
    }

    async fn get(&self, path: &[&str]) -> Result<Reply, Box<Outcome>> {
        self.ask("GET", &self.url(path, &[])?, None).await
    }

    /// One call. An answer that asks to try again later is an outcome at once, since the retry policy is the machine's.
    async fn ask(&self, method: &str, url: &Url, body: Option<Value>) -> Result<Reply, Box<Outcome>> {
        let outcome = http::ask(self.call, &self.connection.http, method, url, body).await;
        let again = outcome.retryable;
        match Reply::of(outcome) {
            Ok(reply) if again => Err(self.failed(reply)),
            Ok(reply) => Ok(reply),
            Err(outcome) => Err(Box::new(self.unanswered(*outcome))),
        }
    }

    /// Where the next page is. A service that sends its clients elsewhere is not followed.
    fn next_page(&self, body: &Value) -> Result<Option<Url>, Box<Outcome>> {
        let Some(text) = body.get("nextLink").and_then(Value::as_str).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        match self.connection.http.base_url.join(text) {
            Ok(url) if url.origin() == self.connection.http.base_url.origin() => Ok(Some(url)),
            _ => Err(self.unexpected("a `nextLink` to another origin, which is not followed")),
        }
    }

    /// The segments of a path in the workspace.
    fn path<'p>(&'p self, below: &[&'p str]) -> Vec<&'p str> {
        path(self.connection, below)
    }

    fn url(&self, below: &[&str], queries: &[(&str, &str)]) -> Result<Url, Box<Outcome>> {
        // The configuration only takes addresses with a host, which have a path.
        address(self.connection, below, queries).ok_or_else(|| self.unexpected("no address to call"))
    }
}

/// The address of something in the connection's workspace; `None` where the endpoint can have no path.
pub(in crate::action) fn address(connection: &Sentinel, below: &[&str], queries: &[(&str, &str)]) -> Option<Url> {
    let mut url = connection.http.base_url.clone();
    url.path_segments_mut().ok()?.pop_if_empty().extend(path(connection, below));
    url.query_pairs_mut().append_pair("api-version", &connection.api_version).extend_pairs(queries);
    // A space as `+` is for forms; not everything in front of an API reads it so.
    let query = url.query().map(|query| query.replace('+', "%20"));
    url.set_query(query.as_deref());
    Some(url)
}

fn path<'p>(connection: &'p Sentinel, below: &[&'p str]) -> Vec<&'p str> {
    let workspace = &connection.workspace;
    let mut path = vec![
        "subscriptions",
        &workspace.subscription,
        "resourceGroups",
        &workspace.resource_group,
        "providers",
        "Microsoft.OperationalInsights",
        "workspaces",
        &workspace.name,
        "providers",
        "Microsoft.SecurityInsights",
    ];
    path.extend(below);
    path
}
