"""What goes over the wire beside the samples: one module per resource, marshmallow, metadata only."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema

WITHHELD = {"description": "Types of the patient's data that are left out, since their use is restricted."}


class Described(Schema):
    """A schema that documents what a workflow gives, and sends it on as it is.

    The tests load every answer through its schema with nothing missing and nothing unknown, so that the two agree.
    Clients are told no such thing: a later version may add fields.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        """Let the docstring describe the schema in the OpenAPI document, which then stays open to new fields."""
        super().__init_subclass__(**options)
        about = {"description": (cls.__doc__ or "").strip()}
        cls.Meta = type("Meta", (cls.Meta,), about)  # type: ignore[assignment,misc]

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """Return ``obj`` unchanged."""
        return obj
