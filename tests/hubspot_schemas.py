"""What HubSpot's OpenAPI descriptions say of the requests and answers that a pull needs.

Required fields, types and limits only. The description of `sorts` says text; HubSpot's guide to the
search has objects there, as public clients do, so objects are expected.
"""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator


def _object(properties: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required or properties),
    }


_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_FILTER = {
    **_object({"propertyName": _TEXT, "operator": {"enum": ["EQ", "GT", "GTE", "LT", "LTE"]},
               "value": _TEXT}),
    "additionalProperties": False,
}  # fmt: skip
_SEARCH = {
    **_object({
        "after": _TEXT,
        "filterGroups": {"type": "array", "maxItems": 5, "items": _object(
            {"filters": {"type": "array", "maxItems": 6, "items": _FILTER}})},
        "limit": {"type": "integer", "minimum": 1, "maximum": 200},
        "properties": _TEXTS,
        "sorts": {"type": "array", "maxItems": 1, "items": {
            **_object({"propertyName": _TEXT, "direction": {"enum": ["ASCENDING", "DESCENDING"]}}),
        }},
    }),
    "additionalProperties": False,
}  # fmt: skip
_IDS = {"type": "array", "items": _object({"id": _TEXT})}
_ASKED = {
    "search": _SEARCH,
    "read": _object({"inputs": {**_IDS, "maxItems": 100}, "properties": _TEXTS,
                     "propertiesWithHistory": _TEXTS}),
    "contacts": _object({"inputs": {**_IDS, "maxItems": 1000}}),
}  # fmt: skip
_PROPERTIES = {"type": "object", "additionalProperties": {"type": ["string", "null"]}}
_MAIL = _object({"archived": {"type": "boolean"}, "createdAt": _TEXT, "id": _TEXT,
                 "updatedAt": _TEXT, "properties": _PROPERTIES})  # fmt: skip
_PAGING = _object({"next": _object({"after": _TEXT})})
_BATCH = {"status": _TEXT, "startedAt": _TEXT, "completedAt": _TEXT}


def _list_of(item: dict[str, Any], **more: Any) -> dict[str, Any]:
    known = {"results": {"type": "array", "items": item}, **more}
    return _object({**known, "paging": _PAGING}, tuple(known))


_ANSWERED = {
    "search": _list_of(_MAIL, total={"type": "integer"}),
    "read": _list_of(_MAIL, **_BATCH),
    "contacts": _list_of(_object({"from": _object({"id": _TEXT}), "to": {
        "type": "array",
        "items": _object({"associationTypes": {"type": "array"}, "toObjectId": _TEXT}),
    }}), **_BATCH),
    "owners": _list_of(_object({"archived": {"type": "boolean"}, "createdAt": _TEXT, "id": _TEXT,
                                "type": _TEXT, "updatedAt": _TEXT})),
    "sequences": _list_of(_object({"createdAt": _TEXT, "id": _TEXT, "name": _TEXT,
                                   "updatedAt": _TEXT, "userId": _TEXT}),
                          total={"type": "integer"}),
    "error": _object({"category": _TEXT, "correlationId": _TEXT, "message": _TEXT}),
}  # fmt: skip
ASKED = {name: Draft202012Validator(schema) for name, schema in _ASKED.items()}
ANSWERED = {name: Draft202012Validator(schema) for name, schema in _ANSWERED.items()}
