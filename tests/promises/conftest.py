"""The API's callers, for the tests of this folder."""

from tests.api.client import anybody, app, callers, phone, staff

__all__ = ["anybody", "app", "callers", "phone", "staff"]
