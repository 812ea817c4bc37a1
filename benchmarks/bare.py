"""The least that a server can do with an upload in JSON: inflate it and parse it, in a bare Flask view."""

from __future__ import annotations

import zlib
from types import SimpleNamespace

import orjson
from flask import Flask, request

app = Flask(__name__)
# What the server's configuration asks of an application: this one has nothing to compute beside the requests.
app.extensions["konectom"] = SimpleNamespace(settings=SimpleNamespace(processing="workers"))


@app.put("/api/v1/sessions/<uuid:session_id>")
def put_session(session_id: object) -> tuple[dict[str, int], int]:
    """Take an upload and forget it."""
    document = orjson.loads(zlib.decompress(request.get_data(), zlib.MAX_WBITS | 16))
    return {"recordings": len(document["recordings"])}, 201
