"""JSON both ways by orjson: fast, and strict (NaN and Infinity are refused on the way in, null on the way out)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from flask import Response
from flask.json.provider import JSONProvider

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z


class OrjsonProvider(JSONProvider):
    """What Flask, flask-smorest and the tests use wherever they write or read JSON."""

    def dumps(self, obj: Any, **_options: Any) -> str:
        """Return ``obj`` as JSON text; dataclasses, UUIDs, instants and numpy values included."""
        return encode(obj).decode()

    def loads(self, s: str | bytes, **_options: Any) -> Any:
        """Return what a JSON text says, or raise ValueError."""
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """Return a response with its arguments as JSON."""
        body = encode(self._prepare_response_obj(args, kwargs))
        return Response(body, mimetype="application/json")


def encode(obj: Any) -> bytes:
    """Return ``obj`` as JSON bytes."""
    return orjson.dumps(obj, default=_plain, option=_OPTIONS)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
