"""A browser without a window: keeps cookies, follows what it is led to, fills in forms, and looks hard at each page."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.test import TestResponse

ORIGIN = "https://konectom.test"
VOID = {"br", "hr", "img", "input", "link", "meta"}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
}
POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}


@dataclass
class Form:
    """A form of a page: where it leads, and its fields with what stands in them."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[str] = field(default_factory=list)


class Page(HTMLParser):
    """A page, read strictly: raises AssertionError for what is not closed, not labelled, or inline."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.forms: list[Form] = []
        self.texts: dict[str, list[str]] = {}
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        assert len(told) == len(attrs), f"<{tag}> says something twice"
        self.tags.append((tag, told))
        if tag == "form":
            assert "form" not in self.open, "a form within a form"
            self.forms.append(Form(told["action"] or "", told["method"] or "get"))
        elif tag == "input" and self.forms and "form" in self.open:
            self.forms[-1].fields[told["name"] or ""] = told.get("value") or ""
        elif tag == "button":
            self.forms[-1].buttons.append(told.get("formaction") or self.forms[-1].action)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes what it did not open"

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)
        if data.strip() and "style" not in self.open:
            self.words.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [told for tag, told in self.tags if tag == name]

    def alert(self) -> str | None:
        """The class of what stands on top, where it is told at once."""
        return next((told["class"] for _, told in self.tags if told.get("role") in ("alert", "status")), None)

    def check(self) -> None:
        """Fail unless the page can be used with any browser, by anybody, and runs nothing."""
        assert self.all("html")[0]["lang"] == "en"
        assert len(self.all("h1")) == len(self.all("main")) == len(self.all("title")) == 1
        assert "".join(self.texts["title"]).strip() != "– konectom"
        ids = [told["id"] for _, told in self.tags if told.get("id")]
        assert len(set(ids)) == len(ids), "an id stands twice"
        for name in ("for", "aria-describedby", "aria-labelledby"):
            assert {told[name] for _, told in self.tags if told.get(name)} <= set(ids)
        labelled = {told["for"] for told in self.all("label")}
        for told in self.all("input"):
            assert told.get("type") == "hidden" or told.get("id") in labelled or told.get("aria-label"), told
            assert told.get("type") == "hidden" or told.get("autocomplete"), told
        assert all(told.get("alt") is not None for told in self.all("img"))
        assert all(told.get("type") == "submit" for told in self.all("button"))
        assert not self.all("script")
        assert not self.all("style")
        inline = [name for _, told in self.tags for name in told if name == "style" or name.startswith("on")]
        assert inline == []
        self._check_addresses()

    def _check_addresses(self) -> None:
        for _, told in self.tags:
            for name in ("href", "src", "action", "formaction"):
                address = told.get(name)
                assert address is None or re.match(r"/(?!/)|#|data:", address), address
        for form in self.forms:
            assert form.method == "post"
            assert form.fields["form_token"]


class Browser:
    """Somebody at a page. Each page that comes is checked."""

    def __init__(self, app: Flask, origin: str = ORIGIN) -> None:
        self.client = app.test_client()
        self.origin = origin
        self.response: Any = None
        self.page: Any = None

    def open(self, path: str, *, method: str = "GET", follow: bool = True, **kwargs: Any) -> TestResponse:
        """Go there as a browser does, and on to where one is led within this server."""
        headers = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin"} if method == "POST" else {}
        headers |= kwargs.pop("headers", {})
        sent = {name: value for name, value in headers.items() if value is not None}
        response = self.client.open(path, method=method, base_url=self.origin, headers=sent, buffered=True, **kwargs)
        self.check(response)
        if follow and response.status_code == 303 and response.location.startswith("/"):
            return self.open(response.location)
        return response

    def check(self, response: TestResponse) -> None:
        self.response, self.page = response, None
        secure = self.origin.startswith("https")
        for name, value in HEADERS.items():
            assert response.headers.get(name) == (value if secure or "Transport" not in name else None), name
        policy = dict(part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";"))
        assert policy == POLICY
        assert response.headers["X-Request-Id"]
        if response.mimetype == "text/html" and response.status_code != 303:
            assert response.headers["Cache-Control"] == "no-store"
            self.page = Page(response.text)
            self.page.check()

    def form(self, action: str) -> Form:
        """The form of the present page that leads to ``action``, or has a button that does."""
        path = action.partition("?")[0]
        return next(form for form in self.page.forms if path in (form.action, *form.buttons))

    def send(self, action: str, *, headers: dict[str, Any] | None = None, follow: bool = True, **filled: str) -> Any:
        """Fill in a form of the present page and send it."""
        fields = self.form(action).fields | filled
        return self.open(action, method="POST", data=fields, headers=headers or {}, follow=follow)

    def sign_in(self, login: str, password: str, follow: bool = True) -> Any:
        self.open("/login")
        return self.send("/login", login=login, password=password, follow=follow)

    def cookie(self, name: str) -> str | None:
        found = self.client.get_cookie(name, domain=urlsplit(self.origin).hostname or "")
        return found.value if found else None

    def carry(self, name: str, value: str) -> None:
        self.client.set_cookie(name, value, domain=urlsplit(self.origin).hostname or "", secure=True)

    @property
    def path(self) -> str:
        path: str = self.response.request.path
        return path
