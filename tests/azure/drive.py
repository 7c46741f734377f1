"""Drives Larum with Azure's own SDK, azure-mgmt-securityinsight, as it comes from PyPI.

One script for every version of it: what a version cannot do is named at the end as out of its reach. A step that fails
ends the script with its name. Called by tests/azure_sdk.rs, which starts a Larum with TLS; the certificate is trusted
by REQUESTS_CA_BUNDLE, so nothing of the SDK is changed or switched off.
"""

import datetime
import json
import os
import ssl
import sys
import time
import urllib.request
import uuid

from azure.core.credentials import AccessToken
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.mgmt import securityinsight
from azure.mgmt.securityinsight import models as m

URL = os.environ["LARUM_URL"]
TOKEN = os.environ["LARUM_TOKEN"]
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
PLACE = ("larum", "default")
PLAYBOOK = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/larum/providers/Microsoft.Logic/workflows/comment-on-incident"
)

done, beyond = [], []


class Credential:
    """What azure-identity would give: here Larum's own token."""

    def __init__(self, token=TOKEN):
        self.token = token

    def get_token(self, *scopes, **kwargs):
        return AccessToken(self.token, int(time.time()) + 3600)


def client(token=TOKEN):
    kind = getattr(securityinsight, "SecurityInsightsMgmtClient", None) or securityinsight.SecurityInsights
    # Without retries a fault is seen at once instead of ten times.
    return kind(Credential(token), SUBSCRIPTION, base_url=URL, retry_total=0)


def step(function):
    """Runs a step at once and notes it by its docstring."""
    try:
        function()
    except Exception:
        print(f"FAILED: {function.__doc__}", file=sys.stderr)
        raise
    done.append(function.__doc__)
    return function


def needs(operation, what):
    """Whether this version of the SDK has an operation."""
    if operation is None:
        beyond.append(what)
    return operation is not None


def refused(kind, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except kind as error:
        return error
    raise AssertionError(f"{call} was not refused")


def incident(title, **members):
    return m.Incident(title=title, severity="High", status="New", **members)


def put(name, body):
    return azure.incidents.create_or_update(*PLACE, name, body)


def get(name):
    return azure.incidents.get(*PLACE, name)


def own_api(method, path, body):
    """A call of Larum's own API, for what Sentinel's has no operation for: alerts come from products."""
    request = urllib.request.Request(
        URL + path,
        method=method,
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    trust = ssl.create_default_context(cafile=os.environ["REQUESTS_CA_BUNDLE"])
    with urllib.request.urlopen(request, context=trust) as answer:
        return json.load(answer)


azure = client()
ONE = str(uuid.uuid4())


@step
def _():
    """a foreign token is refused"""
    error = refused(ClientAuthenticationError, client("larum_none").incidents.get, *PLACE, ONE)
    assert error.status_code == 401 and error.error.code, error


@step
def _():
    """an incident that is not there is not found"""
    error = refused(ResourceNotFoundError, get, ONE)
    assert error.error.code and error.error.message, error


@step
def _():
    """create and get, with owner, labels and times"""
    first = datetime.datetime(2026, 11, 24, 8, 0, 0, 123456, tzinfo=datetime.timezone.utc)
    made = put(
        ONE,
        incident(
            "Stranger at the north door",
            description="Seen by the guard",
            owner=m.IncidentOwnerInfo(email="ada@example.com"),
            labels=[m.IncidentLabel(label_name="physical"), m.IncidentLabel(label_name="north")],
            first_activity_time_utc=first,
            last_activity_time_utc=first + datetime.timedelta(minutes=5),
        ),
    )
    assert made.name == ONE and made.title == "Stranger at the north door"
    assert made.incident_number >= 1 and made.incident_url.startswith("http")
    assert made.created_time_utc.tzinfo is not None and made.created_time_utc == made.last_modified_time_utc
    assert made.first_activity_time_utc == first
    found = get(ONE)
    assert found.etag == made.etag and found.description == "Seen by the guard"
    assert found.owner.email == "ada@example.com" and found.owner.assigned_to
    assert [label.label_name for label in found.labels] == ["physical", "north"]
    assert found.related_analytic_rule_ids == [] and found.additional_data.alerts_count == 0


@step
def _():
    """update with the etag that was read"""
    found = get(ONE)
    before = found.etag
    found.severity, found.status = "Low", "Active"
    changed = put(ONE, found)
    assert changed.etag != before and (changed.severity, changed.status) == ("Low", "Active")
    assert [label.label_name for label in changed.labels] == ["physical", "north"]
    assert changed.incident_number == found.incident_number


@step
def _():
    """a stale etag is a conflict, and nothing is saved"""
    stale = get(ONE)
    fresh = get(ONE)
    fresh.title = "Two strangers at the north door"
    put(ONE, fresh)
    stale.title = "Lost"
    error = refused(ResourceExistsError, put, ONE, stale)
    assert error.status_code == 409 and error.error.code == "Conflict", error
    assert "Newer version of resource" in error.error.message, error
    assert get(ONE).title == "Two strangers at the north door"


@step
def _():
    """without an etag the last writer wins"""
    found = get(ONE)
    found.etag = None
    found.title = "Strangers"
    assert put(ONE, found).title == "Strangers"


@step
def _():
    """the rules of closing"""
    found = get(ONE)
    found.status = "Closed"
    error = refused(HttpResponseError, put, ONE, found)
    assert error.status_code == 400 and error.error.code == "BadRequest", error
    found.classification = "BenignPositive"
    error = refused(HttpResponseError, put, ONE, found)
    assert error.error.message == "classification 'BenignPositive' must have classificationReason.", error
    found.classification_reason = "SuspiciousButExpected"
    found.classification_comment = "The gardener"
    closed = put(ONE, found)
    assert (closed.status, closed.classification) == ("Closed", "BenignPositive")
    closed.status, closed.classification, closed.classification_reason = "Active", None, None
    assert put(ONE, closed).status == "Active"


@step
def _():
    """250 incidents: every page, in order, with a filter"""
    run = uuid.uuid4().hex[:8]
    for n in range(250):
        body = m.Incident(
            title=f"{run} case {n:03}",
            severity=["High", "Medium", "Low"][n % 3],
            status="New",
            labels=[m.IncidentLabel(label_name=run)] + ([m.IncidentLabel(label_name="tenth")] if n % 10 == 0 else []),
        )
        put(str(uuid.uuid4()), body)
    listing = azure.incidents.list
    ours = f"startswith(properties/title, '{run}')"
    everyone = list(listing(*PLACE, filter=ours, orderby="properties/title asc"))
    assert [one.title for one in everyone] == [f"{run} case {n:03}" for n in range(250)]
    pages = [len(list(page)) for page in listing(*PLACE, filter=ours, top=100).by_page()]
    assert pages == [100, 100, 50], pages
    # A page size, not a limit; the default order is the newest first.
    numbers = [one.incident_number for one in listing(*PLACE, filter=ours, top=7)]
    assert len(numbers) == 250 and numbers == sorted(numbers, reverse=True)
    high = listing(
        *PLACE,
        filter=f"(properties/severity eq 'High') and properties/labels/any(i:i/labelName eq '{run}')",
        orderby="properties/incidentNumber desc",
    )
    assert len(list(high)) == 84
    both = f"properties/labels/any(i: i/labelName eq '{run}') and properties/labels/any(i: i/labelName eq 'tenth')"
    assert len(list(listing(*PLACE, filter=both, orderby="properties/createdTimeUtc desc", top=4))) == 25
    odd = f"contains(toLower(properties/title), '{run} CASE 00'.toLower())"
    error = refused(HttpResponseError, lambda: list(listing(*PLACE, filter=odd)))
    assert error.status_code == 400 and "position" in error.error.message, error
    error = refused(HttpResponseError, lambda: list(listing(*PLACE, orderby="createdTimeUtc")))
    assert error.status_code == 400, error
    nothing = list(listing(*PLACE, filter="properties/title eq 'it''s not there'"))
    assert nothing == []


@step
def _():
    """comments: create, get, list, edit, delete; the incident's etag moves"""
    before = get(ONE).etag
    name = str(uuid.uuid4())
    comments = azure.incident_comments
    made = comments.create_or_update(*PLACE, ONE, name, m.IncidentComment(message="<p>Looked at <b>camera 3</b></p>"))
    assert made.name == name and made.message == "<p>Looked at <b>camera 3</b></p>" and made.author.name
    now = get(ONE)
    assert now.etag != before and now.additional_data.comments_count == 1
    comments.create_or_update(*PLACE, ONE, str(uuid.uuid4()), m.IncidentComment(message="Second"))
    assert len(list(comments.list(*PLACE, ONE))) == 2
    assert [one.message for one in comments.list(*PLACE, ONE, orderby="properties/createdTimeUtc asc", top=1)][1] == "Second"
    made.message = "Camera 4, in fact"
    assert comments.create_or_update(*PLACE, ONE, name, made).message == "Camera 4, in fact"
    assert comments.get(*PLACE, ONE, name).message == "Camera 4, in fact"
    error = refused(
        HttpResponseError,
        comments.create_or_update, *PLACE, ONE, str(uuid.uuid4()), m.IncidentComment(message="x" * 30_001),
    )
    assert error.status_code == 400, error
    comments.delete(*PLACE, ONE, name)
    refused(ResourceNotFoundError, comments.get, *PLACE, ONE, name)
    comments.delete(*PLACE, ONE, name)


BOOKMARK = str(uuid.uuid4())


@step
def _():
    """bookmarks: create, get, list, update, delete"""
    made = azure.bookmarks.create_or_update(
        *PLACE, BOOKMARK,
        m.Bookmark(display_name="North door logs", query="DoorLog | where Door == 'north'", notes="three hits",
                   labels=["doors"]),
    )
    assert made.name == BOOKMARK and made.labels == ["doors"] and made.query.startswith("DoorLog")
    assert azure.bookmarks.get(*PLACE, BOOKMARK).display_name == "North door logs"
    assert BOOKMARK in [one.name for one in azure.bookmarks.list(*PLACE)]
    made.notes = "four hits"
    assert azure.bookmarks.create_or_update(*PLACE, BOOKMARK, made).notes == "four hits"
    other = str(uuid.uuid4())
    azure.bookmarks.create_or_update(*PLACE, other, m.Bookmark(display_name="x", query="y"))
    azure.bookmarks.delete(*PLACE, other)
    refused(ResourceNotFoundError, azure.bookmarks.get, *PLACE, other)


ALERT = str(uuid.uuid4())


@step
def _():
    """relations to an alert and to a bookmark; alerts, bookmarks and entities of the incident"""
    own_api("PUT", f"/api/alerts/{ALERT}", {
        "alertDisplayName": "Badge used twice",
        "severity": "High",
        "productName": "Door control",
        "vendorName": "Example",
        "tactics": ["InitialAccess"],
        "entities": [
            {"kind": "Account", "properties": {"accountName": "ada", "upnSuffix": "example.com"}},
            {"kind": "Ip", "properties": {"address": "192.0.2.7"}},
        ],
    })
    base = get(ONE).id.rsplit("/", 2)[0]
    relations = azure.incident_relations
    name = f"{ONE}_{ALERT}"
    made = relations.create_or_update(*PLACE, ONE, name, m.Relation(related_resource_id=f"{base}/entities/{ALERT}"))
    assert made.related_resource_name == ALERT and made.related_resource_kind == "SecurityAlert", made
    marked = str(uuid.uuid4())
    made = relations.create_or_update(
        *PLACE, ONE, marked, m.Relation(related_resource_id=f"{base}/bookmarks/{BOOKMARK}")
    )
    assert made.related_resource_type.lower() == "microsoft.securityinsights/bookmarks", made
    assert {one.name for one in relations.list(*PLACE, ONE)} == {name, marked}
    now = get(ONE).additional_data
    assert (now.alerts_count, now.bookmarks_count) == (1, 1) and now.alert_product_names == ["Door control"], now
    [alert] = azure.incidents.list_alerts(*PLACE, ONE).value
    assert alert.kind == "SecurityAlert" and alert.alert_display_name == "Badge used twice", alert
    [bookmark] = azure.incidents.list_bookmarks(*PLACE, ONE).value
    assert bookmark.kind == "Bookmark" and bookmark.display_name == "North door logs", bookmark
    entities = azure.incidents.list_entities(*PLACE, ONE)
    assert {one.kind for one in entities.entities} == {"Account", "Ip"}, entities
    assert {(one.entity_kind, one.count) for one in entities.meta_data} == {("Account", 1), ("Ip", 1)}
    missing = m.Relation(related_resource_id=f"{base}/entities/{uuid.uuid4()}")
    error = refused(ResourceNotFoundError, relations.create_or_update, *PLACE, ONE, str(uuid.uuid4()), missing)
    assert "does not exist" in error.error.message, error
    relations.delete(*PLACE, ONE, marked)
    refused(ResourceNotFoundError, relations.get, *PLACE, ONE, marked)
    assert relations.get(*PLACE, ONE, name).name == name
    found = list(azure.incidents.list(
        *PLACE, filter="properties/additionalData/alertProductNames/any(p:p eq 'Door control')"))
    assert ONE in [one.name for one in found]
    operations = getattr(azure, "entities", None)
    if needs(operations, "entities"):
        entity = entities.entities[0]
        assert operations.get(*PLACE, entity.name).kind == entity.kind


if needs(getattr(azure, "bookmark_relations", None), "bookmark relations"):

    @step
    def _():
        """relations of a bookmark: create, seen from the incident, get, list, expand, delete"""
        relations, name = azure.bookmark_relations, str(uuid.uuid4())
        incident = get(ONE)
        before = incident.additional_data.bookmarks_count
        made = relations.create_or_update(*PLACE, BOOKMARK, name, m.Relation(related_resource_id=incident.id))
        assert (made.name, made.related_resource_name, made.related_resource_id) == (name, ONE, incident.id), made
        assert made.related_resource_type.lower() == "microsoft.securityinsights/incidents", made
        assert azure.incident_relations.get(*PLACE, ONE, name).related_resource_name == BOOKMARK
        now = get(ONE)
        assert now.additional_data.bookmarks_count == before + 1 and now.etag != incident.etag
        assert relations.get(*PLACE, BOOKMARK, name).etag == made.etag
        assert [one.name for one in relations.list(*PLACE, BOOKMARK, top=1)] == [name]
        found = azure.bookmark.expand(*PLACE, BOOKMARK, m.BookmarkExpandParameters(expansion_id=str(uuid.uuid4())))
        assert {one.kind for one in found.value.entities} == {"Account", "Ip"}, found
        counts = {(one.entity_kind, one.count) for one in found.meta_data.aggregations}
        assert counts == {("Account", 1), ("Ip", 1)}, counts
        other = m.Relation(related_resource_id=f"{incident.id}-not")
        refused(ResourceNotFoundError, relations.create_or_update, *PLACE, BOOKMARK, str(uuid.uuid4()), other)
        relations.delete(*PLACE, BOOKMARK, name)
        refused(ResourceNotFoundError, relations.get, *PLACE, BOOKMARK, name)


if needs(getattr(azure.incidents, "create_team", None), "createTeam"):

    @step
    def _():
        """a team of the incident, once"""
        made = azure.incidents.create_team(*PLACE, ONE, m.TeamProperties(team_name="Doors", team_description="Day"))
        assert made.name == "Doors" and made.team_id and made.team_creation_time_utc, made
        team = get(ONE).team_information
        assert team.team_id == made.team_id and team.primary_channel_url == get(ONE).incident_url, team
        again = m.TeamProperties(team_name="Windows")
        refused(ResourceExistsError, azure.incidents.create_team, *PLACE, ONE, again)


if needs(getattr(azure, "incident_tasks", None), "incident tasks"):

    @step
    def _():
        """tasks: create, complete, list, delete"""
        tasks, name = azure.incident_tasks, str(uuid.uuid4())
        made = tasks.create_or_update(
            *PLACE, ONE, name, m.IncidentTask(title="Ask the guard", description="by radio", status="New"))
        assert (made.title, made.status) == ("Ask the guard", "New") and made.created_by.name
        tasks.create_or_update(*PLACE, ONE, str(uuid.uuid4()), m.IncidentTask(title="Change the lock", status="New"))
        made.status = "Completed"
        assert tasks.create_or_update(*PLACE, ONE, name, made).status == "Completed"
        assert [one.title for one in tasks.list(*PLACE, ONE)] == ["Ask the guard", "Change the lock"]
        tasks.delete(*PLACE, ONE, name)
        refused(ResourceNotFoundError, tasks.get, *PLACE, ONE, name)


@step
def _():
    """an automation rule: create, get, list, it works on the next incident, delete"""
    name, word = str(uuid.uuid4()), uuid.uuid4().hex
    rule = m.AutomationRule(
        display_name="Burglaries are high",
        order=1,
        triggering_logic=m.AutomationRuleTriggeringLogic(
            is_enabled=True, triggers_on="Incidents", triggers_when="Created",
            conditions=[m.PropertyConditionProperties(
                condition_properties=m.AutomationRulePropertyValuesCondition(
                    property_name="IncidentTitle", operator="Contains", property_values=[word]))],
        ),
        actions=[m.AutomationRuleModifyPropertiesAction(
            order=1,
            action_configuration=m.IncidentPropertiesAction(
                severity="High", status="Active", labels=[m.IncidentLabel(label_name="burglary")]))],
    )
    made = azure.automation_rules.create_or_update(*PLACE, name, rule)
    assert made.name == name and made.order == 1 and made.created_by.name, made
    assert azure.automation_rules.get(*PLACE, name).display_name == "Burglaries are high"
    assert name in [one.name for one in azure.automation_rules.list(*PLACE)]
    other = str(uuid.uuid4())
    put(other, m.Incident(title=f"A {word}", severity="Low", status="New"))
    for _ in range(100):
        now = get(other)
        if now.status == "Active":
            break
        time.sleep(0.1)
    assert (now.severity, now.status) == ("High", "Active"), now
    assert [label.label_name for label in now.labels] == ["burglary"], now.labels
    azure.automation_rules.delete(*PLACE, name)
    refused(ResourceNotFoundError, azure.automation_rules.get, *PLACE, name)


@step
def _():
    """an alert rule's action"""
    trigger = "https://prod-31.northcentralus.logic.azure.com:443/workflows/cd3765391efd48549fd7681ded1d48d7/triggers"
    made = azure.actions.create_or_update(
        *PLACE, "rule-1", "action-1", m.ActionRequest(logic_app_resource_id=PLAYBOOK, trigger_uri=trigger))
    assert made.logic_app_resource_id == PLAYBOOK, made
    assert made.workflow_id == "cd3765391efd48549fd7681ded1d48d7", made
    assert [one.name for one in azure.actions.list_by_alert_rule(*PLACE, "rule-1")] == ["action-1"]
    azure.actions.delete(*PLACE, "rule-1", "action-1")


@step
def _():
    """the onboarding state"""
    states = azure.sentinel_onboarding_states
    assert states.get(*PLACE, "default").name == "default"
    assert [one.name for one in states.list(*PLACE).value] == ["default"]


if needs(getattr(azure.incidents, "run_playbook", None), "run_playbook"):

    @step
    def _():
        """run a playbook on the incident by hand"""
        def comments():
            return [one.message for one in azure.incident_comments.list(*PLACE, ONE)]

        try:
            azure.incidents.run_playbook(*PLACE, ONE, m.ManualTriggerRequestBody(logic_apps_resource_id=PLAYBOOK))
        except json.JSONDecodeError:
            # This version accepts 204 alone and then reads the answer as JSON, though a 204 has none. The call was made.
            beyond.append("run_playbook's answer")
        for _ in range(100):
            if any("was here" in message for message in comments()):
                break
            time.sleep(0.1)
        assert any("was here" in message for message in comments()), comments()
        gone = m.ManualTriggerRequestBody(logic_apps_resource_id=PLAYBOOK + "-not")
        refused(ResourceNotFoundError, azure.incidents.run_playbook, *PLACE, ONE, gone)


@step
def _():
    """another workspace is not found"""
    error = refused(ResourceNotFoundError, azure.incidents.get, "larum", "elsewhere", ONE)
    assert error.error.code == "ResourceNotFound", error


@step
def _():
    """delete, and delete again"""
    azure.incidents.delete(*PLACE, ONE)
    refused(ResourceNotFoundError, get, ONE)
    azure.incidents.delete(*PLACE, ONE)


print(json.dumps({"version": securityinsight.__version__, "done": done, "beyond": beyond}, indent=1))
