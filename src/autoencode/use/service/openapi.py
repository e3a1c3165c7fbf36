"""The description of the routes: for OpenAPI, and as a page that needs no other host."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from autoencode.use.service.answers import JSON, NPY, PNG
from autoencode.use.service.limits import ServiceLimits

_BINARY = {"type": "string", "format": "binary"}
_ERROR = {
    JSON: {
        "schema": {
            "type": "object",
            "properties": {"error": {"type": "string"}},
            "required": ["error"],
        }
    }
}
_EXAMPLES = {
    "type": "object",
    "properties": {
        "rows": {"type": "array", "description": "Vectors, or rows of a table.", "items": {}},
        "images": {"type": "array", "description": "Nested lists.", "items": {}},
        "labels": {"type": "array", "description": "Names of classes.", "items": {}},
        "vectors": {"type": "array", "description": "Vectors of a conditional model.", "items": {}},
    },
    "additionalProperties": False,
}
_FORM = {
    "type": "object",
    "properties": {
        "images": {"type": "array", "items": _BINARY},
        "label": {"type": "array", "items": {"type": "string"}},
    },
}
_DRAWING = {
    "type": "object",
    "properties": {
        "n": {"type": "integer", "minimum": 1, "default": 1},
        "label": {"description": "Name of a class."},
        "codes": {"type": "array", "description": "Codes to decode.", "items": {}},
        "vectors": {"type": "array", "description": "Vectors of a conditional model.", "items": {}},
        "temperature": {"type": "number", "minimum": 0, "maximum": 100, "default": 1},
        "seed": {"type": "integer", "minimum": 0, "description": "A random one, if left out."},
    },
    "additionalProperties": False,
}
_WORDS = {
    "embed": ("The codes of examples", "codes: the posterior means."),
    "reconstruct": (
        "Reconstructions of examples",
        "images or rows, in the units and the type of the data.",
    ),
    "score": (
        "How badly each example is reconstructed",
        "scores: the squared error, summed over the preprocessed values of an example.",
    ),
    "generate": ("New examples", "images or rows, decoded from random or given codes."),
}
_STATUSES = {
    "400": "The body is malformed.",
    "404": "There is no such model.",
    "406": "The answer has none of the accepted types.",
    "408": "The body arrived too slowly.",
    "413": "The body, or what it holds, is too large.",
    "415": "The type of the body is unknown.",
    "422": "The examples do not fit the model.",
    "503": "The service is busy.",
    "504": "The computation took too long.",
    "507": "The memory is too small.",
}


def operation_docs(operation: str) -> dict[str, Any]:
    """The description of a route as arguments of FastAPI."""
    if operation in ("model", "ready"):
        status = "404" if operation == "model" else "503"
        return {"responses": {status: _response(_STATUSES[status])}}
    summary, answer = _WORDS[operation]
    content: dict[str, Any] = {JSON: {"schema": _DRAWING}}
    if operation != "generate":
        content = {
            JSON: {"schema": _EXAMPLES},
            "multipart/form-data": {"schema": _FORM},
            "image/png": {"schema": _BINARY},
            NPY: {"schema": _BINARY},
        }
    kinds = {JSON: {"schema": {"type": "object"}}, NPY: {"schema": _BINARY}}
    if operation in ("reconstruct", "generate"):
        kinds[PNG] = {"schema": _BINARY}
    label = {
        "name": "label",
        "in": "query",
        "description": "The class of each example of an image or array body, or one for all.",
        "schema": {"type": "array", "items": {"type": "string"}},
    }
    return {
        "summary": summary,
        "description": f"Answers {answer}",
        "responses": {
            "200": {"description": answer, "content": kinds},
            **{status: _response(text) for status, text in _STATUSES.items()},
        },
        "openapi_extra": {
            "requestBody": {"content": content, "required": operation != "generate"},
            **({} if operation == "generate" else {"parameters": [label]}),
        },
    }


def description(limits: ServiceLimits) -> str:
    """The limits, in words."""
    return (
        f"Bodies have at most {limits.max_body:,} bytes, and requests at most "
        f"{limits.max_examples:,} examples and {limits.max_pixels:,} pixels. An error has the body "
        '{"error": "a sentence"}.'
    )


def docs_page(schema: Mapping[str, Any]) -> str:
    """A page of all routes, in plain HTML."""
    rows = []
    for path, methods in schema["paths"].items():
        for method, each in methods.items():
            bodies = ", ".join(each.get("requestBody", {}).get("content", {}))
            cells = (f"{method.upper()} {path}", each.get("summary", ""), bodies)
            rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>autoencode</title>'
        "<style>body{font:16px/1.5 sans-serif;margin:2rem;max-width:60rem}"
        "td,th{text-align:left;padding:.3rem 1rem .3rem 0;vertical-align:top}</style>"
        f"<h1>autoencode</h1><p>{escape(schema['info'].get('description', ''))}</p>"
        "<table><tr><th>Route<th>Answer<th>Bodies</tr>"
        f"{''.join(rows)}</table>"
        '<p>The complete description: <a href="openapi.json">openapi.json</a></p></html>'
    )


def _response(text: str) -> dict[str, Any]:
    return {"description": text, "content": _ERROR}
