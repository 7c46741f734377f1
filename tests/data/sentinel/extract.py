#!/usr/bin/env python3
"""Makes examples.json and schemas.json from Microsoft's specification of Sentinel's API.

    extract.py SPEC    SPEC holds preview/2022-07-01-preview, stable/2024-03-01 and common/ as in
                       Azure/azure-rest-api-specs, specification/securityinsights/resource-manager/Microsoft.SecurityInsights

Only facts are kept: requests, documented statuses, and the shapes of answers as JSON schemas.
"""
import json, os, posixpath, re, sys

SPEC = sys.argv[1]
HERE = os.path.dirname(os.path.abspath(__file__))
PREVIEW, STABLE = "preview/2022-07-01-preview", "stable/2024-03-01"
# Which operations of which file.
FILES = [
    (f"{PREVIEW}/Incidents.json", r"Incident(s|Comments|Relations)_"),
    (f"{PREVIEW}/Bookmarks.json", r"Bookmark(s|Relations)?_"),
    (f"{PREVIEW}/AutomationRules.json", r"(AutomationRules|Incidents)_"),
    (f"{PREVIEW}/AlertRules.json", r"Actions_"),
    (f"{PREVIEW}/OnboardingStates.json", r"SentinelOnboardingStates_"),
    (f"{STABLE}/Incidents.json", r"IncidentTasks_"),
]
KEPT = {"type", "required", "enum", "format", "additionalProperties", "items", "properties", "allOf", "$ref"}
# common-types/resource-management/v3/types.json#/definitions/Resource
RESOURCE = {"type": "object", "required": ["id", "name", "type"],
            "properties": {name: {"type": "string"} for name in ("id", "name", "type")}}

files, definitions = {}, {}


def load(path):
    if path not in files:
        full = os.path.join(SPEC, path)
        files[path] = json.load(open(full)) if os.path.exists(full) else None
    return files[path]


def resolve(ref, base):
    path, pointer = ref.split("#")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(base), path)) if path else base
    return path, pointer


def at(path, pointer):
    value = load(path)
    for part in pointer.strip("/").split("/"):
        value = value[part]
    return value


def define(ref, base, own=False):
    """The name of the schema a reference means; a base class by itself when `own`."""
    path, pointer = resolve(ref, base)
    if load(path) is None:
        name = "Resource" if pointer.endswith("/Resource") else "Unknown"
        definitions.setdefault(name, RESOURCE if name == "Resource" else True)
        return name
    version = path.split("/")[1] if not path.startswith("common") else "common"
    definition, name = at(path, pointer), f"{version}.{pointer.split('/')[-1]}"
    if "discriminator" in definition and not own:
        if name in definitions:
            return name
        definitions[name] = {}
        derived = {value["x-ms-discriminator-value"]: key for key, value in load(path)["definitions"].items()
                   if "x-ms-discriminator-value" in value
                   and any(resolve(parent["$ref"], path) == (path, pointer) for parent in value.get("allOf", []))}
        member = definition["discriminator"]
        kinds = [{"if": {"properties": {member: {"const": value}}},
                  "then": {"$ref": f"#/$defs/{define('#/definitions/' + key, path)}"}} for value, key in derived.items()]
        definitions[name] = {"required": [member], "allOf": [{"$ref": f"#/$defs/{define(ref, base, True)}"}] + kinds}
        return name
    if own:
        name += ".own"
    if name not in definitions:
        definitions[name] = {}
        definitions[name] = shape(definition, path, parent=True)
    return name


def shape(value, base, parent=False):
    if "$ref" in value:
        return {"$ref": f"#/$defs/{define(value['$ref'], base)}"}
    kept = {key: value[key] for key in value if key in KEPT}
    if "properties" in kept:
        kept["properties"] = {name: shape(member, base) for name, member in kept["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(kept.get(key), dict):
            kept[key] = shape(kept[key], base)
    if "allOf" in kept:
        kept["allOf"] = [{"$ref": f"#/$defs/{define(part['$ref'], base, parent)}"} for part in kept["allOf"]]
    return kept


examples = []
for path, wanted in FILES:
    for address, methods in load(path)["paths"].items():
        for method, operation in methods.items():
            if not isinstance(operation, dict) or not re.match(wanted, operation.get("operationId", "")):
                continue
            for example in operation.get("x-ms-examples", {}).values():
                file, _ = resolve(example["$ref"] + "#", path)
                given = load(file)
                parameters = given["parameters"]
                declared = [at(*resolve(p["$ref"], path)) if "$ref" in p and load(resolve(p["$ref"], path)[0]) else p
                            for p in operation["parameters"]]
                filled = re.sub(r"\{(\w+)\}", lambda m: str(parameters[m.group(1)]), address)
                query = {"api-version": parameters["api-version"]}
                body = None
                for parameter in declared:
                    if parameter.get("in") == "query" and parameter["name"] in parameters:
                        query[parameter["name"]] = str(parameters[parameter["name"]])
                    if parameter.get("in") == "body":
                        # Some examples call the body by another name than the operation does.
                        named = [value for value in parameters.values() if isinstance(value, dict)]
                        body = parameters.get(parameter["name"], next(iter(named), None))
                answers = {}
                for status in given["responses"]:
                    schema = operation["responses"].get(status, {}).get("schema")
                    answers[status] = shape(schema, path) if schema else None
                examples.append({"file": file, "operation": operation["operationId"], "method": method.upper(),
                                 "path": filled, "query": query, "body": body, "answers": answers})

for name, value in (("examples.json", examples), ("schemas.json", {"$defs": definitions})):
    with open(os.path.join(HERE, name), "w") as out:
        json.dump(value, out, indent=1, ensure_ascii=False)
        out.write("\n")
