#!/usr/bin/env python3
"""Writes schedule-ticks.json: when schedules fire over three years of clock changes, found without Larum.

Cron expressions are matched minute by minute on the wall clock; recurrences come from dateutil's rrule and relativedelta.
Either way the wall-clock times become instants by Python's zoneinfo: of a time that comes twice the first, of one that
clocks skip the first instant after the gap.

    python3 tests/data/schedule-ticks.py > tests/data/schedule-ticks.json
"""

import hashlib
import json
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from dateutil.rrule import DAILY, MONTHLY, WEEKLY, FR, MO, SA, SU, TH, TU, WE, rrule

UTC = timezone.utc
FROM, TO = datetime(2026, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]
DAYS = {"Monday": MO, "Tuesday": TU, "Wednesday": WE, "Thursday": TH, "Friday": FR, "Saturday": SA, "Sunday": SU}
MINUTE = timedelta(minutes=1)


def instant(local, zone):
    found = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == local:
        return found
    while found.astimezone(zone).replace(tzinfo=None) - (found - MINUTE).astimezone(zone).replace(tzinfo=None) == MINUTE:
        found -= MINUTE
    return found


def changes(zone):
    """The instants at which the clocks change."""
    found, at = [], FROM
    while at < TO:
        if (at + timedelta(minutes=30)).astimezone(zone).utcoffset() != at.astimezone(zone).utcoffset():
            while (at + MINUTE).astimezone(zone).utcoffset() == at.astimezone(zone).utcoffset():
                at += MINUTE
            found.append(at + MINUTE)
        at += timedelta(minutes=30)
    return found


def field(text, first, last):
    out = set()
    for part in text.split(","):
        base, _, step = part.partition("/")
        low, _, high = base.partition("-")
        if base == "*":
            low, high = first, last
        elif not high:
            high = last if step else low
        out |= set(range(int(low), int(high) + 1, int(step or 1)))
    return out


def cron(expression):
    minutes, hours, days, months, weekdays = expression.split()
    both = days.startswith("*") or weekdays.startswith("*")
    m, h, d, mo = field(minutes, 0, 59), field(hours, 0, 23), field(days, 1, 31), field(months, 1, 12)
    w = {day % 7 for day in field(weekdays, 0, 7)}
    day = datetime(2025, 12, 30)
    while day < datetime(2029, 1, 3):
        in_days, in_week = day.day in d, (day.isoweekday() % 7) in w
        if day.month in mo and ((in_days and in_week) if both else (in_days or in_week)):
            for hour in sorted(h):
                for minute in sorted(m):
                    yield day.replace(hour=hour, minute=minute)
        day += timedelta(days=1)


def recurrence(given, zone):
    """The ticks as instants, perhaps some twice."""
    start, interval, plan = given["start_time"], given.get("interval", 1), given.get("schedule", {})
    is_instant = start.endswith("Z")
    written = datetime.fromisoformat(start.rstrip("Z"))
    begin = written.replace(tzinfo=UTC) if is_instant else instant(written, zone)
    step = {"second": 1, "minute": 60, "hour": 3600}.get(given["frequency"])
    if step:
        n = 0
        while begin + timedelta(seconds=n * step * interval) < TO:
            yield begin + timedelta(seconds=n * step * interval)
            n += 1
        return
    calendar = UTC if is_instant and not plan else zone
    local = begin.astimezone(calendar).replace(tzinfo=None) if is_instant else written
    if given["frequency"] == "month" and not ({"month_days", "monthly_occurrences"} & plan.keys()):
        hours, minutes = plan.get("hours", [local.hour]), plan.get("minutes", [local.minute])
        dates = [local + relativedelta(months=n * interval) for n in range(40)]
        times = [d.replace(hour=h, minute=m) for d in dates for h in sorted(hours) for m in sorted(minutes)]
    else:
        frequency = {"day": DAILY, "week": WEEKLY, "month": MONTHLY}[given["frequency"]]
        common = dict(interval=interval, dtstart=local.replace(hour=0, minute=0), wkst=MO, until=datetime(2029, 1, 3),
                      byhour=plan.get("hours", [local.hour]), byminute=plan.get("minutes", [local.minute]), bysecond=0)
        # An rrule takes the intersection of its days, a recurrence the union.
        rules = []
        if "month_days" in plan:
            rules.append(rrule(frequency, bymonthday=plan["month_days"], **common))
        if "monthly_occurrences" in plan:
            days = [DAYS[one["day"]](one["occurrence"]) for one in plan["monthly_occurrences"]]
            rules.append(rrule(frequency, byweekday=days, **common))
        if "week_days" in plan:
            rules.append(rrule(frequency, byweekday=[DAYS[day] for day in plan["week_days"]], **common))
        times = sorted({time for rule in rules or [rrule(frequency, **common)] for time in rule})
    end = given.get("end_time")
    end = instant(datetime.fromisoformat(end), zone) if end else TO
    for time in times:
        tick = instant(time, calendar)
        if begin <= tick <= end:
            yield tick


SCHEDULES = [{"cron": line} for line in [
    "30 2 * * *", "0 2,3 * * *", "*/30 1-3 * * *", "*/45 * * * *", "5 2 * * 0", "0 2 1-7 * 0", "15 1 1,15 * *", "0 0 * 3,10,11 *",
]] + [
    {"frequency": "day", "start_time": "2026-01-01T02:30:00"},
    {"frequency": "day", "interval": 3, "start_time": "2026-01-02T02:15:00"},
    {"frequency": "day", "start_time": "2026-01-01T07:00:00Z"},
    {"frequency": "day", "start_time": "2026-01-01T00:00:00Z", "schedule": {"hours": [1, 2, 3], "minutes": [0, 30]}},
    {"frequency": "day", "start_time": "2026-01-01T02:20:00", "schedule": {"hours": [2, 14]}},
    {"frequency": "day", "start_time": "2026-01-01T02:20:00", "schedule": {"minutes": [0, 20, 40]},
     "end_time": "2027-10-31T02:20:00"},
    {"frequency": "week", "start_time": "2026-01-04T02:00:00"},
    {"frequency": "week", "interval": 2, "start_time": "2026-01-07T00:00:00",
     "schedule": {"week_days": ["Sunday", "Wednesday"], "hours": [1, 2, 3], "minutes": [0, 30]}},
    {"frequency": "week", "interval": 3, "start_time": "2026-01-09T02:10:00", "schedule": {"week_days": ["Monday", "Sunday"]}},
    {"frequency": "month", "start_time": "2026-01-31T02:30:00"},
    {"frequency": "month", "interval": 5, "start_time": "2026-01-29T02:30:00"},
    {"frequency": "month", "start_time": "2026-01-01T00:00:00",
     "schedule": {"month_days": [1, 31, -1, -31], "hours": [2], "minutes": [30]}},
    {"frequency": "month", "start_time": "2026-01-01T00:00:00",
     "schedule": {"monthly_occurrences": [{"day": "Sunday", "occurrence": n} for n in (1, 2, 5, -1)], "hours": [1, 2, 3], "minutes": [0, 15]}},
    {"frequency": "month", "interval": 2, "start_time": "2026-01-15T02:45:00",
     "schedule": {"month_days": [28], "monthly_occurrences": [{"day": "Sunday", "occurrence": -1}]}},
    {"frequency": "hour", "start_time": "2026-01-01T00:15:00"},
    {"frequency": "hour", "interval": 5, "start_time": "2026-01-01T00:00:00Z"},
    {"frequency": "minute", "interval": 40, "start_time": "2026-01-01T00:10:00"},
    {"frequency": "second", "interval": 4000, "start_time": "2026-01-01T00:00:00"},
]


def text(tick):
    return tick.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def row(zone_name, schedule):
    zone = ZoneInfo(zone_name)
    found = recurrence(schedule, zone) if "frequency" in schedule else (instant(t, zone) for t in cron(schedule["cron"]))
    ticks = sorted({tick for tick in found if FROM <= tick < TO})
    around = [tick for tick in ticks if any(abs(tick - change) <= timedelta(hours=14) for change in CHANGES[zone_name])]
    return {
        "zone": zone_name,
        "schedule": schedule,
        "count": len(ticks),
        "sha256": hashlib.sha256("\n".join(map(text, ticks)).encode()).hexdigest(),
        "around_changes": [text(tick) for tick in around],
    }


CHANGES = {zone: changes(ZoneInfo(zone)) for zone in ZONES}
rows = [row(zone, schedule) for zone in ZONES for schedule in SCHEDULES]
print("[\n" + ",\n".join("  " + json.dumps(row) for row in rows) + "\n]")
