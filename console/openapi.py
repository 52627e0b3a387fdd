"""The OpenAPI document: routes from FastAPI, bodies from the msgspec types that make them.

`python -m console.openapi > schema/openapi.json` writes it; a test holds the file current.
"""

import sys
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI

from alerts.event import AlertData, AlertEvent, Feedback, LedgerEvent, Receipt
from alerts.evidence import Manifest
from console import backtests, problems, wire, wire_devices, wire_history, wire_ledger, wire_scenes

Schema = dict[str, Any]
WRITES = (400, 401, 404, 409, 413, 422, 503)
"""Statuses with which a write to something that is there may be refused."""
_TYPES: tuple[type[msgspec.Struct], ...] = (
    AlertData,
    AlertEvent,
    Feedback,
    LedgerEvent,
    Manifest,
    Receipt,
    problems.ProblemDetails,
    wire.Acknowledgement,
    wire.AlertList,
    wire.CaseDetail,
    wire.CaseList,
    wire.CountsView,
    wire.Health,
    wire.PlaceList,
    wire.PlaceView,
    wire.Judged,
    wire.PrecisionList,
    wire.StreamedAlert,
    wire.StreamedCase,
    wire_devices.DeviceDetail,
    wire_devices.DeviceList,
    wire_history.HistoryView,
    *wire_ledger.TYPES,
    *wire_scenes.TYPES,
    *backtests.TYPES,
)
_REF = "#/components/schemas/{name}"


def ref(kind: type[msgspec.Struct]) -> Schema:
    """A reference to the schema of a type."""
    return {"$ref": _REF.format(name=kind.__name__)}


def answers(good: Mapping[int, tuple[str, Schema | None]], *bad: int) -> dict[int | str, Schema]:
    """The `responses` of a route: what it answers, as (words, schema), and its problems."""
    documented: dict[int | str, Schema] = {}
    for status, (words, schema) in good.items():
        documented[status] = {"description": words}
        if schema is not None:
            documented[status]["content"] = {"application/json": {"schema": schema}}
    for status in bad:
        documented[status] = {
            "description": HTTPStatus(status).phrase,
            "content": {problems.CONTENT_TYPE: {"schema": ref(problems.ProblemDetails)}},
        }
    return documented


def body(content: Mapping[str, Schema], responses: Mapping[int, Mapping[str, Schema]] | None = None) -> Schema:
    """The part of an operation that says which bodies it takes, and answers, by media type."""
    extra: Schema = {
        "requestBody": {
            "required": True,
            "content": {media_type: {"schema": schema} for media_type, schema in content.items()},
        }
    }
    if responses:
        extra["responses"] = {
            status: {"content": {media_type: {"schema": schema} for media_type, schema in by_type.items()}}
            for status, by_type in responses.items()
        }
    return extra


def install(app: FastAPI) -> None:
    """Make `app` describe itself with our types; the document is made when it is first asked for."""
    generate = app.openapi

    def openapi() -> Schema:
        if app.openapi_schema is None:
            document = generate()
            _, schemas = msgspec.json.schema_components(_TYPES, ref_template=_REF)
            components = document.setdefault("components", {}).setdefault("schemas", {})
            components.clear()  # FastAPI's own are those of its errors, which we do not use
            components.update(sorted(schemas.items()))
            _drop_unused_answers(document)
            _open_reads(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def text(app: FastAPI) -> str:
    """The document as it is kept in `schema/openapi.json`."""
    return msgspec.json.format(msgspec.json.encode(app.openapi()), indent=2).decode() + "\n"


def _drop_unused_answers(document: Schema) -> None:
    for path in document["paths"].values():
        for operation in path.values():
            for status, answer in operation["responses"].items():
                content = answer.get("content", {})
                if int(status) >= 400:
                    answer["content"] = {problems.CONTENT_TYPE: content[problems.CONTENT_TYPE]}


def _open_reads(document: Schema) -> None:
    """Say that a token is needed for reads only where one is set: there it may be left out."""
    for path in document["paths"].values():
        security = path.get("get", {}).get("security")
        if security:
            security.append({})


if __name__ == "__main__":
    from console.app import describe

    sys.stdout.write(text(describe()))
