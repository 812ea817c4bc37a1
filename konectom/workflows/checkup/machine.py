"""What can be wrong with the settings, the files and the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from sqlalchemy import make_url

from konectom.security.safety import dangers
from konectom.settings import PREFIX
from konectom.workflows.checkup.findings import Finding
from konectom.workflows.services import Services
from konectom.workflows.sessions.room import rooms

SOON = 4
"""Room is low where there is less than so many times what must be left."""


def settings(services: Services) -> Iterator[Finding]:
    """Find what is unsafe (as the server does when it starts), and what is odd."""
    held = services.settings
    unsafe = list(dangers(held._values, os.environ))
    if held.mode == "development":
        refused = f", such as {', '.join(sorted({each.variable for each in unsafe}))}" if unsafe else ""
        yield Finding("mode_development", f"{PREFIX}MODE is development: nothing unsafe is refused{refused}")
    else:
        yield from (Finding("setting_unsafe", f"{each.variable}: {each.told}") for each in unsafe)
    sqlite = make_url(held.database_url).get_backend_name() == "sqlite"
    if not sqlite and held.rate_limit_storage.startswith("memory:"):
        yield Finding("limits_per_process", "each process counts requests for itself")
    if held.public_url.startswith("https:") and not held.trusted_proxies:
        yield Finding(
            "proxies_unknown", "TLS ends before the server, and it knows of no proxy: all callers count as one"
        )
    if not held.min_free_bytes:
        yield Finding("room_unguarded", "uploads are accepted until the disk is full")


def files(services: Services) -> Iterator[Finding]:
    """Find files that belong to another account than the one that looks."""
    directory = services.settings.data_dir
    places = [directory, *sorted(directory.glob("*"))] if directory.is_dir() else []
    others = [each for each in places if each.lstat().st_uid != os.geteuid()]
    if others:
        more = f", and {len(others) - 1} more" if len(others) > 1 else ""
        yield Finding("owner_differs", f"{others[0]} belongs to the account {others[0].lstat().st_uid}{more}")


def room(services: Services) -> Iterator[Finding]:
    """Find what is full, or will be soon."""
    least = services.settings.min_free_bytes
    for of, free in rooms(services).items():
        told = f"{free / 2**30:.1f} GiB are free for {of}"
        if free < max(least, 1):
            yield Finding("room_short", told)
        elif free < SOON * least:
            yield Finding("room_low", told)


def packages() -> Iterator[Finding]:
    """Find packages that are missing, or of a version that konectom was not made for."""
    from packaging.requirements import Requirement

    try:
        needed = metadata.requires("konectom") or ()
    except metadata.PackageNotFoundError:  # run from a directory, not installed: nothing says what it needs
        return
    for line in needed:
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            there = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            yield Finding("package_missing", f"{wanted.name} is not installed")
            continue
        if not wanted.specifier.contains(there, prereleases=True):
            yield Finding("package_unfit", f"{wanted.name} is {there}; needed is {wanted.specifier}")


NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "fuse.sshfs", "afs")


def file_system_of(path: Path, mounts: str) -> str:
    """Return the type of the file system that holds ``path``, by the text of /proc/mounts; empty where none is told."""
    found, longest = "", -1
    for line in mounts.splitlines():
        _, place, kind, *_ = line.split(" ")
        place = place.replace("\\040", " ")
        if len(place) > longest and path.is_relative_to(place):
            found, longest = kind, len(place)
    return found
