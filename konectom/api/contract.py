"""The decorators in which a view states its contract: flask-smorest with types, our errors, and strict queries."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, NoReturn, Protocol, TypeVar, cast

import flask_smorest
import orjson
from flask import Flask, Request, current_app, request
from marshmallow import RAISE, Schema, ValidationError, fields
from marshmallow.exceptions import SCHEMA
from webargs import core
from webargs.flaskparser import FlaskParser

from konectom.api.body import received_body
from konectom.api.errors import PROBLEM_TYPE, MediaTypeUnsupported
from konectom.api.schemas.problem import Problem
from konectom.errors import FieldInvalid, FieldMissing, KonectomError, NotJson, pointer_token

View = TypeVar("View", bound=Callable[..., Any])
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*(\[[a-z0-9_]+(,[a-z0-9_]+)*\])?(\.[a-z0-9_]+)*")
"""How measures, scores and assessments are called."""

MAX_DEPTH = 32
"""How deep a JSON body may be nested: none that a view reads is deeper, and what is kept must be written again."""

Answer = type[Schema] | dict[str, Any]
"""What an answer is: a schema, or where it is no JSON, its schema in the words of OpenAPI."""


class Decorator(Protocol):
    """Gives a view back as it was, with more known about it."""

    def __call__(self, view: View, /) -> View:
        """Return the view."""
        ...


class Parser(FlaskParser):
    """Reads queries and small JSON bodies; raises our errors, each with a pointer to the field."""

    DEFAULT_UNKNOWN_BY_LOCATION = FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION | {"query": RAISE, "json": RAISE}

    def _raw_load_json(self, req: Request) -> Any:
        if not core.is_json(req.mimetype):
            raise MediaTypeUnsupported("This address reads application/json.")
        body = received_body(current_app.config["MAX_CONTENT_LENGTH"])
        try:
            told = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise NotJson(f"The body is not JSON: {error}") from None
        if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _is_deeper(told, MAX_DEPTH):
            raise FieldInvalid(f"the body is nested more than {MAX_DEPTH} deep", at="")
        return told

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        """Return the query's fields; one that is told twice is refused, and a NUL, which no text here holds."""
        for name, values in req.args.lists():
            at = f"/query/{pointer_token(name)}"
            if len(values) > 1:
                raise FieldInvalid("this field is told more than once", at=at)
            if "\0" in values[0]:
                raise FieldInvalid("a NUL character stands where none can", at=at)
        return super().load_querystring(req, schema)

    def handle_error(self, error: ValidationError, *_: Any, **__: Any) -> NoReturn:
        """Raise the first fault; all of them stand in its context where there are several."""
        faults = list(_faults(cast("Mapping[str, Any]", error.messages)))
        first, further = faults[0], {}
        if len(faults) > 1:
            further = {"errors": [fault.as_dict() for fault in faults]}
        raise type(first)(first.detail, at=first.at, **further) from None


def described(view: View, describe: Decorator) -> View:
    """Return a view as it is, with what a decorator of flask-smorest says of it.

    Such a decorator wraps a function around the view that does nothing: a dozen of them would be called each time.
    """
    view._apidoc = describe(view)._apidoc  # type: ignore[attr-defined]
    return view


class Resource(flask_smorest.Blueprint):  # type: ignore[misc]  # flask-smorest carries no types
    """A blueprint whose views say what they take, give and refuse."""

    ARGUMENTS_PARSER = Parser()

    def route(self, rule: str, **options: Any) -> Decorator:
        """Place the view at ``rule``."""
        place: Decorator = super().route(rule, **options)

        def decorate(view: View) -> View:
            return place(described(view, self.doc(operationId=view.__name__)))

        return decorate

    def query(self, schema: type[Schema]) -> Decorator:
        """Hand the query's fields to the view as keyword arguments."""
        declare: Decorator = self.arguments(schema(), location="query", as_kwargs=True)

        def decorate(view: View) -> View:
            declared = declare(view)
            declared.query_schema = schema  # type: ignore[attr-defined]
            return declared

        return decorate

    def headers(self, schema: type[Schema]) -> Decorator:
        """Hand the headers' fields to the view as keyword arguments."""
        decorator: Decorator = self.arguments(schema(), location="headers", as_kwargs=True)
        return decorator

    def body(self, schema: type[Schema]) -> Decorator:
        """Hand the fields of the JSON body to the view as keyword arguments."""
        decorator: Decorator = self.arguments(schema, location="json", as_kwargs=True)
        return decorator

    def answers(self, status: int, schema: Answer | None = None, **about: Any) -> Decorator:
        """Answer with ``status`` and what the view returns, described by ``schema``."""
        decorator: Decorator = self.response(status, schema, **about)
        return decorator

    def also_answers(self, status: int, schema: Answer | None = None, **about: Any) -> Decorator:
        """Describe a further answer."""
        describe: Decorator = self.alt_response(status, schema=schema, success=True, **about)
        return lambda view: described(view, describe)

    def refuses(self, *errors: type[KonectomError]) -> Decorator:
        """Describe the errors that are this view's own; those of every view are described once."""
        by_status: dict[int, list[str]] = defaultdict(list)
        for error in errors:
            by_status[error.status].append(f"`{error.code}`: {error.title}.")

        def decorate(view: View) -> View:
            for status, told in by_status.items():
                describe = self.alt_response(
                    status, schema=Problem, content_type=PROBLEM_TYPE, description=" ".join(told)
                )
                described(view, describe)
            return view

        return decorate


class Api(flask_smorest.Api):  # type: ignore[misc]  # flask-smorest carries no types
    """Collects the contracts into an OpenAPI document. Errors are left to :mod:`konectom.api.errors`."""

    def __init__(self, app: Flask, *, title: str, version: str, **about: Any) -> None:
        super().__init__(app, spec_kwargs={"title": title, "version": version, "openapi_version": "3.1.0", **about})

    def _register_error_handlers(self) -> None:
        pass

    def _register_pagination_header(self) -> None:
        pass  # pages carry their cursor in the body

    def _register_responses(self) -> None:
        names = [(status.name, status.phrase) for status in HTTPStatus if status >= 400]
        for name, phrase in [*names, ("DEFAULT_ERROR", "Any failure")]:
            content = {PROBLEM_TYPE: {"schema": Problem}}
            self.spec.components.response(name, {"description": phrase, "content": content}, lazy=True)


def selected(names: Iterable[str]) -> dict[str, str]:
    """Return what this request's query says for those of ``names`` that its view declares, as it was sent.

    Text that is not one of a few words is left out unless it is made as the names of measures and assessments are, so
    that nothing somebody wrote is among it. A view without a query declares nothing, whatever was sent along.
    """
    view = current_app.view_functions.get(request.endpoint or "")
    schema: type[Schema] | None = getattr(view, "query_schema", None)
    if schema is None:
        return {}
    declared = {field.data_key or name: field for name, field in schema().fields.items()}
    return {
        name: request.args[name]
        for name in names
        if name in request.args and name in declared and _is_no_free_text(declared[name], request.args[name])
    }


def _is_no_free_text(field: fields.Field[Any], told: str) -> bool:
    if type(field) is not fields.String or field.validators:
        return True
    return all(_NAME.fullmatch(each.strip()) for each in told.split(","))


def _is_deeper(value: Any, depth: int) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return False
    return depth == 0 or any(_is_deeper(each, depth - 1) for each in value)


def _faults(messages: Mapping[str, Any]) -> Iterator[KonectomError]:
    """Yield one error for each message of a ValidationError, ``{location: messages}``, with its pointer."""
    for location, told in messages.items():
        yield from _faults_at("" if location == "json" else f"/{location}", told)


def _faults_at(at: str, told: Any) -> Iterator[KonectomError]:
    if isinstance(told, Mapping):
        for name, inner in told.items():
            yield from _faults_at(at if name == SCHEMA else f"{at}/{pointer_token(name)}", inner)
        return
    for message in told:
        missing = message == fields.Field.default_error_messages["required"]
        yield (FieldMissing if missing else FieldInvalid)(str(message), at=at)
