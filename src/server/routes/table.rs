//! Everything Larum serves.

use axum::routing::{any, get, post};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use super::{Access, Answer, Parameter, Route};
use crate::{
    access::{
        Role::{Administrator, Contributor, Reader, Responder},
        TokenResource,
    },
    engine::RunHistory,
    incident::{
        Activity, CommentProperties, DocumentResource, EntityResource, IncidentProperties, RelationProperties,
        Resource, TaskProperties, TeamInformation,
    },
    limits::HOOK_REQUEST,
    server::{
        approvals, first_admin, forms, hooks, index, metrics, openapi,
        own::{activity, alerts, attachments, incidents as numbered, runs, tokens, workspace},
        ready,
        sentinel::{
            ActionWrite, BookmarkWrite, CommentWrite, EntityList, Envelope, Expansion, ExpansionWrite,
            IncidentEntities, IncidentWrite, ListOf, OnboardingWrite, RelationWrite, RunPlaybook, TaskWrite, TeamWrite,
            actions, automation_rules, bookmark_relations, bookmarks, comments, entities, expansion, incidents,
            onboarding, playbooks, relations, tasks,
        },
        stylesheet,
    },
    store::query::RunSummary,
};

/// What a webhook may be called by.
const ANY: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE"];
const FILTER: Parameter = Parameter::optional("$filter", "An OData condition on the items.");
const ORDER: Parameter = Parameter::optional("$orderby", "Properties to sort by, each with asc or desc.");
const TOP: Parameter = Parameter::optional("$top", "Items of a page, 50 when it is not given and at most 1,000.");
const SKIP: Parameter = Parameter::optional("$skipToken", "Where the page before ended; nextLink carries it.");
/// What lists of the Sentinel API take.
const LIST: &[Parameter] = &[FILTER, ORDER, TOP, SKIP];
const LIMIT: Parameter = Parameter::optional("limit", "How many at most.");

/// What makes a POST safe to repeat.
const KEY: &[Parameter] = &[Parameter::optional(
    "Idempotency-Key",
    "The same token's second request with it makes nothing and is answered with what the first one made.",
)];

type Incident = Resource<IncidentProperties<'static>>;
type Comment = Resource<CommentProperties<'static>>;
type Task = Resource<TaskProperties<'static>>;
type Relation = Resource<RelationProperties>;

/// An address of the Sentinel API.
macro_rules! sentinel {
    ($rest:literal) => {
        concat!(
            "/subscriptions/{subscription}/resourceGroups/{resourceGroup}/providers/Microsoft.OperationalInsights",
            "/workspaces/{workspace}/providers/Microsoft.SecurityInsights",
            $rest
        )
    };
}

/// A handler of an API as the table keeps it.
macro_rules! by {
    ($handler:path) => {
        |ask| Box::pin($handler(ask))
    };
}

/// The schema of a type.
fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// What a PUT answers.
macro_rules! written {
    ($type:ty) => {
        &[Answer::json(200, of::<$type>), Answer::json(201, of::<$type>)]
    };
}

/// What a DELETE answers.
const GONE: &[Answer] = &[Answer::nothing(200), Answer::nothing(204)];

/// The one table: who may do what at which address. The router, the rights and `/openapi.json` follow from it.
pub static TABLE: &[Route] = &[
    // --- pages, forms, hooks, approvals ---
    Route::page(&["GET"], "/", "The forms that can be filled in", || get(index)),
    Route::page(&["GET"], "/forms/{path}", "A form", || get(forms::show)).outside(),
    Route::page(&["POST"], "/forms/{path}", "Sends a form, as its page does or as JSON", || post(forms::submit))
        .outside()
        .counts_itself(),
    Route::page(&["GET"], "/forms/{path}/thanks", "What became of a form that was sent", || get(forms::thanks))
        .outside(),
    Route::page(&["GET"], "/approvals/{token}", "What an approval mail asks", || get(approvals::show)).outside(),
    Route::page(&["POST"], "/approvals/{token}", "Answers an approval mail", || post(approvals::decide)).outside(),
    Route::page(ANY, "/hooks/{*path}", "Calls a webhook trigger", || any(hooks::call))
        .outside()
        .counts_itself()
        .patience(HOOK_REQUEST)
        .answers(&[Answer::other(202, "application/json"), Answer::other(200, "application/json")]),
    Route::page(&["GET"], "/assets/larum.css", "The pages' stylesheet", || get(stylesheet))
        .outside()
        .answers(&[Answer::other(200, "text/css")]),
    Route::page(&["GET"], "/first-admin/{secret}", "What the link for the first administrator does", || {
        get(first_admin::show)
    }),
    Route::page(&["POST"], "/first-admin/{secret}", "Makes the first administrator's token, once", || {
        post(first_admin::make)
    })
    .answers(&[Answer::other(201, "text/html")]),
    // --- the machine room ---
    Route::page(&["GET"], "/healthz", "Whether Larum is alive", || get(|| async { "alive\n" }))
        .group("Health")
        .answers(&[Answer::other(200, "text/plain")]),
    Route::page(&["GET"], "/readyz", "Whether reports can be taken", || get(ready))
        .group("Health")
        .answers(&[Answer::other(200, "text/plain"), Answer::other(503, "text/plain")]),
    Route::page(&["GET"], "/metrics", "Metrics for Prometheus", || get(metrics))
        .access(Access::Metrics)
        .group("Health")
        .answers(&[Answer::other(200, "application/openmetrics-text")]),
    Route::page(&["GET"], "/openapi.json", "This document", || get(openapi::show))
        .group("Health")
        .answers(&[Answer::other(200, "application/json")]),
    // --- Sentinel: incidents and what hangs on them ---
    Route::api(&["GET"], sentinel!("/incidents"), Reader, "Lists incidents", by!(incidents::list))
        .query(LIST)
        .answers(&[Answer::json(200, of::<ListOf<Incident>>)]),
    Route::api(&["GET"], sentinel!("/incidents/{incident}"), Reader, "One incident", by!(incidents::get))
        .answers(&[Answer::json(200, of::<Incident>)]),
    Route::api(
        &["PUT"],
        sentinel!("/incidents/{incident}"),
        Responder,
        "Creates an incident or replaces it",
        by!(incidents::put_one),
    )
    .takes(of::<Envelope<IncidentWrite>>)
    .answers(written!(Incident)),
    Route::api(
        &["DELETE"],
        sentinel!("/incidents/{incident}"),
        Contributor,
        "Deletes an incident",
        by!(incidents::delete),
    )
    .answers(GONE),
    Route::api(
        &["POST"],
        sentinel!("/incidents/{incident}/alerts"),
        Reader,
        "Lists an incident's alerts",
        by!(entities::alerts_of),
    )
    .answers(&[Answer::json(200, of::<EntityList>)]),
    Route::api(
        &["POST"],
        sentinel!("/incidents/{incident}/bookmarks"),
        Reader,
        "Lists an incident's bookmarks",
        by!(entities::bookmarks_of),
    )
    .answers(&[Answer::json(200, of::<EntityList>)]),
    Route::api(
        &["POST"],
        sentinel!("/incidents/{incident}/entities"),
        Reader,
        "Lists the entities of an incident's alerts",
        by!(entities::entities_of),
    )
    .answers(&[Answer::json(200, of::<IncidentEntities>)]),
    Route::api(
        &["POST"],
        sentinel!("/incidents/{incident}/runPlaybook"),
        Responder,
        "Starts a playbook on an incident",
        by!(playbooks::on_incident),
    )
    .takes(of::<RunPlaybook>)
    .answers(&[Answer::nothing(204)]),
    Route::api(
        &["POST"],
        sentinel!("/incidents/{incident}/createTeam"),
        Responder,
        "Keeps that a team works on an incident; none is made in Microsoft Teams",
        by!(incidents::create_team),
    )
    .takes(of::<TeamWrite>)
    .answers(&[Answer::json(200, of::<TeamInformation<'static>>)]),
    Route::api(&["GET"], sentinel!("/incidents/{incident}/comments"), Reader, "Lists comments", by!(comments::list))
        .query(LIST)
        .answers(&[Answer::json(200, of::<ListOf<Comment>>)]),
    Route::api(
        &["GET"],
        sentinel!("/incidents/{incident}/comments/{comment}"),
        Reader,
        "One comment",
        by!(comments::get),
    )
    .answers(&[Answer::json(200, of::<Comment>)]),
    Route::api(
        &["PUT"],
        sentinel!("/incidents/{incident}/comments/{comment}"),
        Responder,
        "Creates a comment or replaces it",
        by!(comments::put_one),
    )
    .takes(of::<Envelope<CommentWrite>>)
    .answers(written!(Comment)),
    Route::api(
        &["DELETE"],
        sentinel!("/incidents/{incident}/comments/{comment}"),
        Contributor,
        "Deletes a comment",
        by!(comments::delete),
    )
    .answers(GONE),
    Route::api(&["GET"], sentinel!("/incidents/{incident}/relations"), Reader, "Lists relations", by!(relations::list))
        .query(LIST)
        .answers(&[Answer::json(200, of::<ListOf<Relation>>)]),
    Route::api(
        &["GET"],
        sentinel!("/incidents/{incident}/relations/{relation}"),
        Reader,
        "One relation",
        by!(relations::get),
    )
    .answers(&[Answer::json(200, of::<Relation>)]),
    Route::api(
        &["PUT"],
        sentinel!("/incidents/{incident}/relations/{relation}"),
        Responder,
        "Creates a relation or replaces it",
        by!(relations::put_one),
    )
    .takes(of::<Envelope<RelationWrite>>)
    .answers(written!(Relation)),
    Route::api(
        &["DELETE"],
        sentinel!("/incidents/{incident}/relations/{relation}"),
        Contributor,
        "Deletes a relation",
        by!(relations::delete),
    )
    .answers(GONE),
    Route::api(&["GET"], sentinel!("/incidents/{incident}/tasks"), Reader, "Lists tasks", by!(tasks::list))
        .answers(&[Answer::json(200, of::<ListOf<Task>>)]),
    Route::api(&["GET"], sentinel!("/incidents/{incident}/tasks/{task}"), Reader, "One task", by!(tasks::get))
        .answers(&[Answer::json(200, of::<Task>)]),
    Route::api(
        &["PUT"],
        sentinel!("/incidents/{incident}/tasks/{task}"),
        Responder,
        "Creates a task or replaces it",
        by!(tasks::put_one),
    )
    .takes(of::<Envelope<TaskWrite>>)
    .answers(written!(Task)),
    Route::api(
        &["DELETE"],
        sentinel!("/incidents/{incident}/tasks/{task}"),
        Contributor,
        "Deletes a task",
        by!(tasks::delete),
    )
    .answers(GONE),
    // --- Sentinel: entities, bookmarks, rules ---
    Route::api(&["GET"], sentinel!("/entities/{entity}"), Reader, "One entity or alert", by!(entities::get))
        .answers(&[Answer::json(200, of::<EntityResource>)]),
    Route::api(
        &["POST"],
        sentinel!("/entities/{entity}/runPlaybook"),
        Responder,
        "Starts a playbook on the incident of an entity",
        by!(playbooks::on_entity),
    )
    .takes(of::<RunPlaybook>)
    .answers(&[Answer::nothing(204)]),
    Route::api(&["GET"], sentinel!("/bookmarks"), Reader, "Lists bookmarks, oldest first", by!(bookmarks::list))
        .query(&[TOP, SKIP])
        .answers(&[Answer::json(200, of::<ListOf<DocumentResource>>)]),
    Route::api(&["GET"], sentinel!("/bookmarks/{bookmark}"), Reader, "One bookmark", by!(bookmarks::get))
        .answers(&[Answer::json(200, of::<DocumentResource>)]),
    Route::api(
        &["PUT"],
        sentinel!("/bookmarks/{bookmark}"),
        Responder,
        "Creates a bookmark or replaces it",
        by!(bookmarks::put_one),
    )
    .takes(of::<Envelope<BookmarkWrite>>)
    .answers(written!(DocumentResource)),
    Route::api(
        &["DELETE"],
        sentinel!("/bookmarks/{bookmark}"),
        Contributor,
        "Deletes a bookmark",
        by!(bookmarks::delete),
    )
    .answers(GONE),
    Route::api(
        &["GET"],
        sentinel!("/bookmarks/{bookmark}/relations"),
        Reader,
        "Lists the incidents that a bookmark is related to",
        by!(bookmark_relations::list),
    )
    .answers(&[Answer::json(200, of::<ListOf<Relation>>)]),
    Route::api(
        &["GET"],
        sentinel!("/bookmarks/{bookmark}/relations/{relation}"),
        Reader,
        "One relation of a bookmark to an incident",
        by!(bookmark_relations::get),
    )
    .answers(&[Answer::json(200, of::<Relation>)]),
    Route::api(
        &["PUT"],
        sentinel!("/bookmarks/{bookmark}/relations/{relation}"),
        Responder,
        "Relates a bookmark to an incident",
        by!(bookmark_relations::put_one),
    )
    .takes(of::<Envelope<RelationWrite>>)
    .answers(written!(Relation)),
    Route::api(
        &["DELETE"],
        sentinel!("/bookmarks/{bookmark}/relations/{relation}"),
        Contributor,
        "Deletes a relation of a bookmark to an incident",
        by!(bookmark_relations::delete),
    )
    .answers(GONE),
    Route::api(
        &["POST"],
        sentinel!("/bookmarks/{bookmark}/expand"),
        Reader,
        "Lists the entities that a bookmark names, and those of its incidents",
        by!(expansion::expand),
    )
    .takes(of::<ExpansionWrite>)
    .answers(&[Answer::json(200, of::<Expansion>)]),
    Route::api(&["GET"], sentinel!("/automationRules"), Reader, "Lists automation rules", by!(automation_rules::list))
        .answers(&[Answer::json(200, of::<ListOf<DocumentResource>>)]),
    Route::api(
        &["GET"],
        sentinel!("/automationRules/{rule}"),
        Reader,
        "One automation rule",
        by!(automation_rules::get),
    )
    .answers(&[Answer::json(200, of::<DocumentResource>)]),
    Route::api(
        &["PUT"],
        sentinel!("/automationRules/{rule}"),
        Contributor,
        "Creates an automation rule or replaces it",
        by!(automation_rules::put_one),
    )
    .takes(of::<Envelope<Value>>)
    .answers(written!(DocumentResource)),
    Route::api(
        &["DELETE"],
        sentinel!("/automationRules/{rule}"),
        Contributor,
        "Deletes an automation rule",
        by!(automation_rules::delete),
    )
    .answers(&[Answer::json(200, of::<Value>)]),
    Route::api(
        &["GET"],
        sentinel!("/alertRules/{rule}/actions"),
        Reader,
        "Lists actions of an alert rule",
        by!(actions::list),
    )
    .answers(&[Answer::json(200, of::<ListOf<DocumentResource>>)]),
    Route::api(
        &["GET"],
        sentinel!("/alertRules/{rule}/actions/{action}"),
        Reader,
        "One action of an alert rule",
        by!(actions::get),
    )
    .answers(&[Answer::json(200, of::<DocumentResource>)]),
    Route::api(
        &["PUT"],
        sentinel!("/alertRules/{rule}/actions/{action}"),
        Contributor,
        "Creates an action of an alert rule or replaces it",
        by!(actions::put_one),
    )
    .takes(of::<Envelope<ActionWrite>>)
    .answers(written!(DocumentResource)),
    Route::api(
        &["DELETE"],
        sentinel!("/alertRules/{rule}/actions/{action}"),
        Contributor,
        "Deletes an action of an alert rule",
        by!(actions::delete),
    )
    .answers(GONE),
    Route::api(&["GET"], sentinel!("/onboardingStates"), Reader, "Lists onboarding states", by!(onboarding::list))
        .answers(&[Answer::json(200, of::<ListOf<DocumentResource>>)]),
    Route::api(&["GET"], sentinel!("/onboardingStates/{state}"), Reader, "One onboarding state", by!(onboarding::get))
        .answers(&[Answer::json(200, of::<DocumentResource>)]),
    Route::api(
        &["PUT"],
        sentinel!("/onboardingStates/{state}"),
        Contributor,
        "Creates an onboarding state or replaces it",
        by!(onboarding::put_one),
    )
    .takes(of::<Envelope<OnboardingWrite>>)
    .answers(written!(DocumentResource)),
    Route::api(
        &["DELETE"],
        sentinel!("/onboardingStates/{state}"),
        Contributor,
        "Forgets what was written of the onboarding state",
        by!(onboarding::delete),
    )
    .answers(GONE),
    // --- Larum's own API ---
    Route::api(
        &["GET"],
        "/api/incidents/search",
        Reader,
        "Incidents in which all of some words occur",
        by!(numbered::search),
    )
    .query(&[Parameter::required("q", "The words."), LIMIT])
    .answers(&[Answer::json(200, of::<ListOf<numbered::Hit<'static>>>)]),
    Route::api(&["POST"], "/api/incidents", Responder, "Creates an incident", by!(numbered::create))
        .headers(KEY)
        .takes(of::<numbered::NewIncident>)
        .answers(&[Answer::json(201, of::<numbered::Shown<'static>>)]),
    Route::api(&["GET"], "/api/incidents/{incident}", Reader, "One incident, by number or name", by!(numbered::get))
        .answers(&[Answer::json(200, of::<numbered::Shown<'static>>)]),
    Route::api(
        &["PATCH"],
        "/api/incidents/{incident}",
        Responder,
        "Changes what is given of an incident",
        by!(numbered::patch),
    )
    .takes(of::<numbered::IncidentPatch>)
    .answers(&[Answer::json(200, of::<numbered::Shown<'static>>)]),
    Route::api(&["DELETE"], "/api/incidents/{incident}", Contributor, "Deletes an incident", by!(numbered::delete))
        .answers(GONE),
    Route::api(&["POST"], "/api/incidents/{incident}/comments", Responder, "Adds a comment", by!(numbered::comment))
        .headers(KEY)
        .takes(of::<numbered::NewComment>)
        .answers(&[Answer::json(201, of::<Comment>)]),
    Route::api(
        &["POST"],
        "/api/incidents/{incident}/merge",
        Responder,
        "Merges other incidents into this one",
        by!(numbered::merge),
    )
    .takes(of::<numbered::Merge>)
    .answers(&[Answer::json(200, of::<numbered::Shown<'static>>)]),
    Route::api(
        &["GET"],
        "/api/incidents/{incident}/activity",
        Reader,
        "Who or what changed which field, oldest first",
        by!(activity::list),
    )
    .query(&[Parameter::optional("after", "The id of the last entry seen."), LIMIT])
    .answers(&[Answer::json(200, of::<ListOf<Activity>>)]),
    Route::api(
        &["GET"],
        "/api/incidents/{incident}/related",
        Reader,
        "Incidents that have something in common with this one, and what",
        by!(numbered::related),
    )
    .query(&[LIMIT])
    .answers(&[Answer::json(200, of::<ListOf<numbered::Related<'static>>>)]),
    Route::api(
        &["GET"],
        "/api/incidents/{incident}/attachments",
        Reader,
        "What was attached to the mail an incident came from",
        by!(attachments::list),
    )
    .answers(&[Answer::json(200, of::<ListOf<attachments::Attached>>)]),
    Route::api(
        &["GET"],
        "/api/incidents/{incident}/attachments/{attachment}",
        Reader,
        "An attachment, by its place in the list (from 0) or its SHA-256",
        by!(attachments::get),
    )
    .answers(&[Answer::other(200, "application/octet-stream")]),
    Route::api(&["GET"], "/api/alerts", Reader, "Lists alerts, newest first", by!(alerts::list))
        .query(LIST)
        .answers(&[Answer::json(200, of::<ListOf<alerts::Shown>>)]),
    Route::api(&["POST"], "/api/alerts", Responder, "Takes an alert in", by!(alerts::post))
        .takes(of::<alerts::AlertWrite>)
        .answers(written!(alerts::Shown)),
    Route::api(&["GET"], "/api/alerts/{alert}", Reader, "One alert", by!(alerts::get))
        .answers(&[Answer::json(200, of::<alerts::Shown>)]),
    Route::api(
        &["PUT"],
        "/api/alerts/{alert}",
        Responder,
        "Takes an alert in under a name, or replaces it",
        by!(alerts::put_one),
    )
    .takes(of::<alerts::AlertWrite>)
    .answers(written!(alerts::Shown)),
    Route::api(&["GET"], "/api/runs", Reader, "Lists runs, newest first", by!(runs::list))
        .query(&[
            Parameter::optional("status", "Only runs that stand so."),
            Parameter::optional("playbook", "Only runs of this playbook."),
            Parameter::optional("before", "Only runs older than this one."),
            LIMIT,
        ])
        .answers(&[Answer::json(200, of::<ListOf<RunSummary>>)]),
    Route::api(&["GET"], "/api/runs/{run}", Reader, "One run, with what became of its actions", by!(runs::get))
        .query(&[Parameter::optional("at", "After how many events of its journal: the run as it stood then.")])
        .answers(&[Answer::json(200, of::<RunHistory>)]),
    Route::api(&["POST"], "/api/runs/{run}/cancel", Contributor, "Asks that a run end", by!(runs::cancel))
        .answers(&[Answer::json(202, of::<RunHistory>)]),
    Route::api(&["POST"], "/api/runs/{run}/resume", Contributor, "Lets a suspended run go on", by!(runs::resume))
        .answers(&[Answer::json(202, of::<RunHistory>)]),
    Route::api(&["POST"], "/api/runs/{run}/resubmit", Contributor, "Repeats a run that has ended", by!(runs::resubmit))
        .headers(&[Parameter::optional("Idempotency-Key", "Asked for twice with the same key, it is one run.")])
        .takes(of::<runs::Resubmit>)
        .answers(&[Answer::json(200, of::<runs::Resubmitted>), Answer::json(201, of::<runs::Resubmitted>)]),
    // --- access ---
    Route::api(&["GET"], "/api/workspace", Reader, "Which workspace this is, and who asks", by!(workspace::get))
        .answers(&[Answer::json(200, of::<workspace::WorkspaceShown<'static>>)]),
    Route::api(&["GET"], "/api/tokens", Administrator, "The tokens that clients are let in by", by!(tokens::list))
        .answers(&[Answer::json(200, of::<ListOf<TokenResource<'static>>>)]),
    Route::api(&["POST"], "/api/tokens", Administrator, "Makes a token, which is shown once", by!(tokens::create))
        .takes(of::<tokens::NewToken>)
        .answers(&[Answer::json(201, of::<tokens::MadeToken<'static>>)]),
    Route::api(
        &["POST"],
        "/api/tokens/{token}/revoke",
        Administrator,
        "Revokes the token of this name",
        by!(tokens::revoke),
    )
    .answers(&[Answer::other(200, "application/json")]),
];
