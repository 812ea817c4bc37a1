"""An installation that is reached through https, people who have an account there, and their browsers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pyotp
import pytest
import structlog
from flask import Flask

from konectom.workflows.services import Services
from tests.api.client import app_for
from tests.dashboard.browser import ORIGIN, Browser
from tests.people import PASSWORD, with_settings


@pytest.fixture
def services(services: Services) -> Services:
    return with_settings(services, public_url=ORIGIN)


@pytest.fixture
def app(services: Services) -> Iterator[Flask]:
    yield app_for(services)
    structlog.reset_defaults()


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app)


@dataclass(frozen=True)
class Person:
    """Somebody with an account; ``app`` makes the codes of the second factor, where there is one."""

    id: UUID
    login: str
    totp: pyotp.TOTP | None = None
    recovery: tuple[str, ...] = ()


@pytest.fixture
def person(people: Any, staff_members: Any, clock: Any) -> Callable[..., Person]:
    """Make somebody with a password, by default a monitor of a study, with a second factor."""

    def make(login: str | None = None, *, second_factor: bool = True, role: str | None = "monitor") -> Person:
        made = staff_members.with_password(login)
        user = UUID(made["id"])
        if role is not None:
            staff_members.grant(user, role, None if role == "administrator" else people.study())
        if not second_factor:
            return Person(user, made["login"])
        totp, recovery = staff_members.second_factor(user)
        clock.forward(minutes=1)  # the code of that minute is used up
        return Person(user, made["login"], totp, tuple(recovery))

    return make


@pytest.fixture
def enter(app: Flask, clock: Any) -> Callable[..., Browser]:
    """Let somebody sign in, with a browser of its own."""

    def sign_in(who: Person, browser: Browser | None = None) -> Browser:
        browser = browser or Browser(app)
        browser.sign_in(who.login, PASSWORD)
        if who.totp is not None:
            browser.send("/login/second-factor", code=who.totp.at(clock()))
            clock.forward(minutes=1)
        assert browser.path in ("/", "/account/second-factor"), browser.page.text
        return browser

    return sign_in
