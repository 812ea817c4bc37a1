"""The OpenAPI document: what the views declare, with the names that only the registry of assessments knows."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from apispec import APISpec

from konectom.api import upload
from konectom.api.errors import PROBLEM_TYPE
from konectom.api.requests import REQUEST_ID_HEADER
from konectom.api.schemas.problem import Problem

INFO = {
    "description": """Recordings of phone tests in, digital measures out.

Every failure is an `application/problem+json` (RFC 9457) with a stable `code`; see `/docs/errors`. Every answer carries
`X-Request-Id`. Times are ISO 8601 with their offset; numbers that are not known are `null`. Answers may gain fields.
""",
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}

SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A phone's token (`kd_…`), a staff member's (`ku_…`) or a program's (`ks_…`). "
        "Each operation names its permission; what lies outside of its reach is answered as if it did not exist.",
    }
}


RATE_LIMITED = "RateLimited"
_RATE_LIMITED = {
    "description": "`rate_limited`: Too many requests.",
    "headers": {
        "Retry-After": {"schema": {"type": "integer"}, "description": "After how many seconds to come again."},
        REQUEST_ID_HEADER: {"$ref": f"#/components/headers/{REQUEST_ID_HEADER}"},
    },
    "content": {PROBLEM_TYPE: {"schema": Problem}},
}
UNLIMITED = frozenset({"/healthz", "/readyz"})


def prepare(spec: APISpec) -> None:
    """Add to an empty document what every view may refer to."""
    spec.components.security_scheme("bearer", SECURITY["bearer"])
    # Filled by `complete`: importing every assessment is not for the start of the server.
    spec.components.schema("AssessmentName", {"type": "string", "description": "The name of a test."})
    upload.add_schemas(spec)
    spec.components.response(RATE_LIMITED, _RATE_LIMITED)


def complete(document: dict[str, Any], assessments: list[str]) -> dict[str, Any]:
    """Return the document with the assessments that there are, and the headers that every answer carries."""
    full = deepcopy(document)
    full["components"]["schemas"]["AssessmentName"]["enum"] = assessments
    header = {
        "description": "Leads to this request in the log and in the audit.",
        "schema": {"type": "string"},
    }
    full["components"].setdefault("headers", {})[REQUEST_ID_HEADER] = header
    for address, path in full["paths"].items():
        for operation in path.values():
            if not isinstance(operation, dict):
                continue
            if address not in UNLIMITED:
                operation["responses"]["429"] = {"$ref": f"#/components/responses/{RATE_LIMITED}"}
            for response in operation["responses"].values():
                if "$ref" not in response:
                    carried = response.setdefault("headers", {})
                    carried[REQUEST_ID_HEADER] = {"$ref": f"#/components/headers/{REQUEST_ID_HEADER}"}
    return full


def as_30(node: Any) -> Any:
    """Return a 3.1 document, or a part of one, in the words of OpenAPI 3.0, which is all that Swagger UI 4 reads."""
    if isinstance(node, list):
        return [as_30(each) for each in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        return {"$ref": node["$ref"]}  # in 3.0 nothing may stand beside a reference
    told = {name: value if name in _DATA else as_30(value) for name, value in node.items()}
    if isinstance(told.get("openapi"), str):
        told["openapi"] = "3.0.3"
        told["info"].get("license", {}).pop("identifier", None)
    if isinstance(told.get("type"), list):
        told |= _one_type(told.pop("type"))
    if _NULL in told.get("anyOf", ()):
        told |= {"allOf": [each for each in told.pop("anyOf") if each != _NULL], "nullable": True}
    if isinstance(told.get("exclusiveMinimum"), int | float):
        told |= {"minimum": told["exclusiveMinimum"], "exclusiveMinimum": True}
    return told


_DATA = ("example", "examples", "default", "enum")
_NULL = {"type": "null"}


def _one_type(types: list[str]) -> dict[str, Any]:
    kinds = [{"type": kind} for kind in types if kind != "null"]
    told: dict[str, Any] = kinds[0] if len(kinds) == 1 else {"oneOf": kinds}
    return told | ({"nullable": True} if "null" in types else {})
