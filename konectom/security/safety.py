"""What is not fit for patients' data: settings and files that a server refuses to start with outside of development."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

GROUP_AND_OTHERS = stat.S_IRWXG | stat.S_IRWXO
OTHERS = stat.S_IRWXO

LOOPBACK = r"http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?/?$"
"""What stays on this machine."""

LOUD = ("FLASK_DEBUG", "AUTHLIB_INSECURE_TRANSPORT", "PYTHONDEVMODE")
"""Variables of what we are built on that open what is closed, or show what a fault was about."""


class Danger(NamedTuple):
    """The variable to change, and what is wrong as it is."""

    variable: str
    told: str


def dangers(settings: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[Danger]:
    """Yield what is not fit for patients' data in ``settings``, by name, and in the environment."""
    yield from _of_settings(settings)
    yield from _of_files(settings)
    for variable in LOUD:
        if environ.get(variable, "0") not in ("", "0"):
            yield Danger(variable, "must not be set")


def _of_settings(settings: Mapping[str, Any]) -> Iterator[Danger]:
    if not settings["public_url"].startswith("https://"):
        yield Danger(
            "KONECTOM_PUBLIC_URL", "must begin with https://: tokens and recordings would be readable on the way"
        )
    if settings["rate_limits"] == "off":
        yield Danger("KONECTOM_RATE_LIMITS", "must be on: passwords could be tried without end")
    if str(settings.get("require_second_factor", "yes")) in ("no", "off", "False"):
        yield Danger("KONECTOM_REQUIRE_SECOND_FACTOR", "must be yes: a password alone opens patients' data")
    endpoint = str(settings.get("object_store_endpoint", ""))
    if endpoint.startswith("http://") and not re.match(LOOPBACK, endpoint):
        yield Danger(
            "KONECTOM_OBJECT_STORE_ENDPOINT", "must begin with https://: anybody on the way could change what is kept"
        )
    issuer = settings.get("oidc_issuer")
    if issuer and not str(issuer).startswith("https://"):
        yield Danger("KONECTOM_OIDC_ISSUER", "must begin with https://: anybody on the way could say who logs in")


def _of_files(settings: Mapping[str, Any]) -> Iterator[Danger]:
    """Yield the directories and files that others than the server's own account may read. What is not there is safe."""
    yield from _open_to(GROUP_AND_OTHERS, settings["data_dir"], "KONECTOM_DATA_DIR")
    database = _path_in(settings["database_url"], "sqlite:///")
    if database is not None:
        for file in (database, Path(f"{database}-wal"), Path(f"{database}-shm")):
            yield from _open_to(GROUP_AND_OTHERS, file, "KONECTOM_DATABASE_URL")
    objects = _path_in(settings["object_store_url"], "file://")
    if objects is not None:
        yield from _open_to(GROUP_AND_OTHERS, objects, "KONECTOM_OBJECT_STORE_URL")
    keys = _path_in(str(settings.get("keys_url", "")), "file://")
    if keys is not None:
        yield from _open_to(GROUP_AND_OTHERS, keys, "KONECTOM_KEYS_URL")
        yield from _open_to(OTHERS, keys.parent, "KONECTOM_KEYS_URL")


def _open_to(whom: int, path: Path, variable: str) -> Iterator[Danger]:
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # it is made for its owner only, or the server cannot start without it
    if mode & whom:
        mended = stat.S_IMODE(mode) & ~whom
        yield Danger(variable, f"{path} is open to others on this machine: chmod {mended:o} {path}")


def _path_in(url: str, scheme: str) -> Path | None:
    return Path(url.removeprefix(scheme)) if url.startswith(scheme) else None
