"""Every setting there is, declared once.

Each is read from the environment as ``KONECTOM_<NAME>``. A variable of that prefix that is no setting is
refused, so that a misspelt one cannot go unnoticed. A default may name an earlier setting in braces.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from konectom.errors import SettingInvalid, SettingUnsafe

if TYPE_CHECKING:
    from konectom.formats import Limits
    from konectom.formats.observations import ObservationLimits

PREFIX = "KONECTOM_"
IN_FILE = "_FILE"
"""What follows a secret's variable where that names a file that holds it."""
T = TypeVar("T")


class Setting(Generic[T]):
    """One setting: its name, type, default as it would be written, what it is for, whether it is secret."""

    __slots__ = ("default", "help", "name", "parse", "secret", "type")

    def __init__(self, type: str, parse: Callable[[str], T], default: str, help: str, *, secret: bool = False) -> None:
        self.name, self.type, self.parse, self.default = "", type, parse, default
        self.help, self.secret = help, secret

    @property
    def variable(self) -> str:
        """Return the name of the environment variable."""
        return PREFIX + self.name.upper()

    def __set_name__(self, owner: type[Settings], name: str) -> None:
        self.name = name

    @overload
    def __get__(self, held: None, owner: Any) -> Setting[T]: ...
    @overload
    def __get__(self, held: Settings, owner: Any) -> T: ...
    def __get__(self, held: Settings | None, owner: Any) -> Setting[T] | T:
        if held is None:
            return self
        value: T = held._values[self.name]
        return value

    def read(self, text: str) -> T:
        """Return what ``text`` stands for; raises :class:`SettingInvalid`, which names the variable."""
        try:
            return self.parse(text)
        except ValueError as error:
            said = "" if self.secret else f", not {text!r}"
            raise SettingInvalid(f"{self.variable}: {error}{said}", setting=self.name) from None


def _path(default: str, help: str) -> Setting[Path]:
    return Setting("path", lambda text: Path(text).expanduser().absolute(), default, help)


def _count(default: str, help: str, *, least: int = 1) -> Setting[int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9][0-9_]*", text) or int(text) < least:
            raise ValueError(f"must be a whole number of at least {least}")
        return int(text)

    return Setting("whole number", parse, default, help)


def _choice(default: str, help: str, *choices: str) -> Setting[str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return Setting(" or ".join(f"`{choice}`" for choice in choices), parse, default, help)


def _duration(default: str, help: str) -> Setting[timedelta]:
    seconds = {"s": 1, "min": 60, "h": 3600, "d": 86400}

    def parse(text: str) -> timedelta:
        found = re.fullmatch(r"([0-9]{1,6}) ?(s|min|h|d)", text)
        if found is None or int(found[1]) == 0:
            raise ValueError("must be a time such as 30 s, 10 min, 12 h or 90 d")
        return timedelta(seconds=int(found[1]) * seconds[found[2]])

    return Setting("duration", parse, default, help)


def _rate(default: str, help: str) -> Setting[str]:
    def parse(text: str) -> str:
        if not re.fullmatch(r"[1-9][0-9_]{0,8} ?/ ?(second|minute|hour|day)", text):
            raise ValueError("must be a rate such as 30/minute or 5/second")
        return text.replace("_", "").replace(" ", "")

    return Setting("rate", parse, default, help)


def _address(default: str, help: str, *schemes: str, secret: bool = False) -> Setting[str]:
    def parse(text: str) -> str:
        if not schemes and not re.match("[a-z][a-z0-9+.-]*://", text):
            raise ValueError("must be an address")
        if schemes and not text.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            raise ValueError(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        if re.match(r"sqlite://(/?$|/:memory:|/file:)", text):
            raise ValueError("must name a file: a database in memory is lost, and differs from process to process")
        return text

    return Setting("address", parse, default, help, secret=secret)


def _text(help: str, *, secret: bool = False) -> Setting[str]:
    def parse(text: str) -> str:
        if len(text) > 500 or not text.isprintable():
            raise ValueError("must be one line of at most 500 characters")
        return text.strip()

    return Setting("text", parse, "", help, secret=secret)


def _place(help: str) -> Setting[str]:
    def parse(text: str) -> str:
        found = re.fullmatch(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", text)
        if text and (found is None or int(found[1]) > 65535):
            raise ValueError("must be HOST:PORT, such as 127.0.0.1:9464")
        return text

    return Setting("host and port", parse, "", help)


def _origin(default: str, help: str) -> Setting[str]:
    def parse(text: str) -> str:
        if not re.fullmatch(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?", text):
            raise ValueError("must be https:// or http://, a host and perhaps a port, and nothing behind it")
        address = text.rstrip("/").lower()
        # As browsers write an origin: without the port that goes without saying (RFC 6454, section 6.1).
        return address.removesuffix(":443" if address.startswith("https") else ":80")

    return Setting("address", parse, default, help)


def _endpoint(help: str) -> Setting[str]:
    def parse(text: str) -> str:
        if text and not re.fullmatch(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?", text):
            raise ValueError("must be https:// or http://, a host and perhaps a port, and nothing behind it")
        return text.rstrip("/")

    return Setting("address", parse, "", help)


def _issuer(help: str) -> Setting[str]:
    # What travels to and from the provider decides who comes in: only to this very machine may it go in the clear.
    allowed = r"https://[^\s?#@]+|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?(/[^\s?#@]*)?"

    def parse(text: str) -> str:
        if text and not re.fullmatch(allowed, text):
            raise ValueError("must begin with https://, and have neither query nor fragment")
        return text

    return Setting("address", parse, "", help)


class Settings:
    """The settings of one installation: an attribute for each. Made by :func:`load_settings`."""

    __slots__ = ("_values",)
    _values: Mapping[str, Any]

    mode = _choice(
        "production",
        "Outside of `development`, what is not fit for patients' data is refused at the start.",
        "production",
        "development",
    )
    data_dir = _path("./konectom-data", "Directory of the database, raw uploads and keys, unless they are elsewhere.")
    database_url = _address(
        "sqlite:///{data_dir}/konectom.sqlite3",
        "Where the database is: `sqlite:///FILE` or `postgresql+psycopg://USER:PASSWORD@HOST/NAME`. See storage.md.",
        "sqlite",
        "postgresql+psycopg",
        secret=True,
    )
    object_store_url = _address(
        "file://{data_dir}/objects",
        "Where raw uploads are kept, sealed: `file://DIRECTORY`, or `s3://BUCKET/PREFIX`. See storage.md.",
        "file",
        "s3",
    )
    object_store_endpoint = _endpoint(
        "Where an S3-compatible store is reached, where it is not Amazon's: `https://HOST:PORT`. In the clear, by "
        "`http://`, only to this very machine, or in development."
    )
    object_store_region = _text("The region of the store, where it has regions; else `AWS_REGION` or us-east-1.")
    object_store_key_id = _text(
        "The name under which this server comes to the store. Without it what is usual there is looked for: "
        "`AWS_ACCESS_KEY_ID`, a web identity, the role of the container or the machine."
    )
    object_store_secret = _text("With what this server shows the store that it is it.", secret=True)
    object_store_addressing = _choice(
        "path",
        "How a bucket is named to the store: in the path, or as part of the host's name.",
        "path",
        "host",
    )
    object_store_time_limit = _duration(
        "10 s",
        "How long one question to an S3-compatible store may take, all its repetitions included; larger objects are "
        "many questions of 5 MiB. A slow line needs more.",
    )
    keys_url = _address(
        "file://{data_dir}/keys.json",
        "Where the keys are: `file://FILE`, `env://VARIABLE`, or an installed provider's address. See security.md.",
        secret=True,
    )
    public_url = _origin(
        "http://127.0.0.1:8000",
        "Where phones and browsers reach this installation: scheme, host and port, no path; it stands in enrolment "
        "codes. Outside of development it must begin with https://, and requests must name its host.",
    )
    processing = _choice(
        "request",
        "When sessions are computed: `request`, before the upload is answered; `workers`, by `konectom worker`, and "
        "the answer only tells that the session is kept.",
        "request",
        "workers",
    )
    processing_tries = _count(
        "5", "How often a session is tried, or a recording that ends the process, before it is given up: `parked`."
    )
    processing_time_limit = _duration(
        "15 min",
        "How long a worker may take for a session, and for each recording of one that has ended a process. Then its "
        "process is ended, and another tries again.",
    )
    processing_memory_bytes = _count(
        "4_294_967_296", "How much memory a process of a worker may take for its data; 0 is without limit.", least=0
    )
    processing_sweep = _duration("30 s", "How often it is looked for sessions that were left behind.")
    worker_drain_time = _duration(
        "25 s", "How long a worker that is told to stop may take for what is under way. The rest is given back."
    )
    min_free_bytes = _count(
        "536_870_912",
        "How much room must be left, where the database is and in a store that is a directory, for uploads to be "
        "accepted. What is left is for all else: to write what is under way, to log in, to erase.",
        least=0,
    )
    max_body_bytes = _count("33_554_432", "Largest request body, as it comes over the network.")
    max_upload_bytes = _count("536_870_912", "Largest session that is handed over in pieces (docs/uploads.md).")
    upload_lifetime = _duration("7 d", "How long a session that is handed over in pieces may take to come.")
    max_open_uploads = _count("10", "Most sessions of one patient that are being handed over in pieces.")
    max_unfinished_bytes = _count("2_147_483_648", "Most bytes of one patient in sessions that are not whole yet.")
    max_batch_bytes = _count("134_217_728", "Largest batch of sessions, as it comes over the network.")
    quarantine_max_bytes = _count(
        "268_435_456", "Most bytes of refused uploads that are kept of one patient; `0` keeps none.", least=0
    )
    quarantine_max_count = _count("1000", "Most refused uploads that are kept of one patient.")
    quarantine_retention = _duration("365 d", "After what time a refused upload that was kept is discarded.")
    max_inflated_bytes = _count("134_217_728", "Largest request body once decompressed.")
    max_inflation_ratio = _count("100", "How many times its size a compressed body may become.")
    max_recordings = _count("100", "Most recordings in one session.")
    max_parts = _count("1000", "Most parts in one recording.")
    max_values = _count("20_000_000", "Most numbers and texts in the streams and events of one recording.")
    max_import_bytes = _count(
        "16_777_216", "Largest import of clinical values, as it comes over the network and once decompressed."
    )
    max_import_rows = _count("100_000", "Most lines, or resources, in one import of clinical values.")
    page_size = _count("50", "Rows on one page of a list, where the caller does not say.")
    page_size_max = _count("500", "Most rows on one page of a list.")
    enrolment_lifetime = _duration("7 d", "How long a code with which a phone is enrolled can be used.")
    device_access_lifetime = _duration("1 h", "How long a phone's access token is valid; the phone renews it itself.")
    device_renewal_lifetime = _duration("180 d", "How long after its last renewal a phone can still renew.")
    service_token_lifetime = _duration("90 d", "How long a program's token is valid by default; at most 366 d.")
    login_idle = _duration("30 min", "How long a member of staff stays logged in without asking for anything.")
    login_lifetime = _duration("12 h", "How long a login of a member of staff is valid at most.")
    invitation_lifetime = _duration("7 d", "How long the code is valid with which a member of staff sets a password.")
    require_second_factor = _choice(
        "yes",
        "Whether staff with a password here may do no more than see to their account until a second factor is set up.",
        "yes",
        "no",
    )
    break_glass_lifetime = _duration("4 h", "How long a clinician reaches a patient after breaking the glass.")
    oidc_issuer = _issuer("The OpenID Connect provider at which staff sign in: its issuer, as it calls itself.")
    oidc_client_id = _text("Under which name the provider knows this server.")
    oidc_client_secret = _text("With what this server shows the provider that it is it.", secret=True)
    oidc_name = _text("What staff call the provider; it stands on the button of the page of sign-in.")
    oidc_trust_second_factor = _choice(
        "no",
        "Whether a second factor that the provider says it has asked for stands in for the one that is asked for here.",
        "yes",
        "no",
    )
    read_time_limit = _duration("60 s", "How long one question to the database may take; exports have their own limit.")
    export_time_limit = _duration("30 min", "How long one question to the database may take for an export.")
    upload_time_limit = _duration("10 min", "How long the body of an upload may take to come.")
    header_time_limit = _duration("10 s", "How long the head of a request may take to come: its line and headers.")
    send_time_limit = _duration("60 s", "How long the reader of an answer may take for each 64 KiB of it.")
    rate_limits = _choice("on", "Whether callers are slowed down; `off` in development only.", "on", "off")
    rate_limit_device = _rate("120/minute", "Most requests of one phone, its enrolment and renewals among them.")
    rate_limit_user = _rate(
        "600/minute", "Most requests of one member of staff, logins among them; the pages count too."
    )
    rate_limit_service = _rate(
        "1200/minute", "Most requests of one program, and of one address that reads without a token."
    )
    rate_limit_address = _rate(
        "30/minute",
        "Most logins, enrolments, renewals and invitations that fail from one address, together with tokens that are "
        "refused. An IPv6 address counts as its /64 network.",
    )
    rate_limit_storage = _address(
        "memory://",
        "Where requests are counted: `memory://` is each process of the server for itself, so that as many times the "
        "rate may pass as there are processes; `redis://HOST:PORT/NUMBER` is all together.",
        "memory",
        "redis",
        "rediss",
        secret=True,
    )
    trusted_proxies = _count(
        "0",
        "How many proxies stand before the server. So many entries at the end of X-Forwarded-For, -Proto and -Host are "
        "believed, and no more.",
        least=0,
    )
    metrics_address = _place(
        "Where a `konectom worker` tells its figures to Prometheus, as HOST:PORT; they name nobody, and no token is "
        "asked for. The server tells its own at `/metrics`, with a token. See operations.md."
    )
    log_format = _choice("console", "How the log is written: for people, or one JSON object a line.", "console", "json")

    def __init__(self, values: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_values", dict(values))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"settings cannot be changed: {name}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settings) and other._values == self._values

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def __reduce__(self) -> tuple[type[Settings], tuple[dict[str, Any]]]:
        return Settings, (dict(self._values),)

    def __repr__(self) -> str:
        told = (f"{each.name}={'***' if each.secret else str(self._values[each.name])}" for each in SETTINGS)
        return f"Settings({', '.join(told)})"

    @property
    def limits(self) -> Limits:
        """Return the bounds on one upload, as the readers take them."""
        from konectom.formats import Limits

        return Limits(
            max_body_bytes=self.max_body_bytes,
            max_inflated_bytes=self.max_inflated_bytes,
            max_inflation_ratio=self.max_inflation_ratio,
            max_recordings=self.max_recordings,
            max_parts=self.max_parts,
            max_values=self.max_values,
        )

    @property
    def import_limits(self) -> ObservationLimits:
        """Return the bounds on one import of clinical values, as the readers take them."""
        from konectom.formats.observations import ObservationLimits

        return ObservationLimits(
            max_body_bytes=self.max_import_bytes,
            max_rows=self.max_import_rows,
            max_inflation_ratio=self.max_inflation_ratio,
        )


SETTINGS: tuple[Setting[Any], ...] = tuple(each for each in vars(Settings).values() if isinstance(each, Setting))
"""All settings, in the order in which they were declared."""


def load_settings(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Read the settings from the environment; ``overrides`` (text or values) stand above it.

    An empty variable counts as not set. Raises :class:`SettingInvalid`, which names the variable.
    """
    environ = os.environ if environ is None else environ
    environ = _with_secrets_of_files(environ)
    known = {each.variable for each in SETTINGS}
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in known:
            raise SettingInvalid(f"{variable} is no setting{_alike(variable, known)}")
    strange = overrides.keys() - {each.name for each in SETTINGS}
    if strange:
        raise SettingInvalid(f"there is no setting {sorted(strange)[0]}")
    values: dict[str, Any] = {}
    for each in SETTINGS:
        given = overrides.get(each.name)
        if given is None:
            given = environ.get(each.variable) or each.default.format_map(values)
        # A value that is no text goes through its text all the same, so that one rule judges both.
        text = f"{given / timedelta(seconds=1):.0f} s" if isinstance(given, timedelta) else str(given)
        values[each.name] = each.read(text)
    if values["page_size"] > values["page_size_max"]:
        raise SettingInvalid(f"{PREFIX}PAGE_SIZE must not exceed {PREFIX}PAGE_SIZE_MAX", setting="page_size")
    _check_provider(values)
    if bool(values["object_store_key_id"]) != bool(values["object_store_secret"]):
        raise SettingInvalid(
            f"{PREFIX}OBJECT_STORE_KEY_ID and {PREFIX}OBJECT_STORE_SECRET belong together",
            setting="object_store_secret",
        )
    return Settings(values)


def _with_secrets_of_files(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with the secrets of which it tells the file, in place of the files."""
    told = dict(environ)
    for each in SETTINGS:
        file = told.pop(f"{each.variable}{IN_FILE}", "") if each.secret else ""
        if not file:
            continue
        if told.get(each.variable):
            raise SettingInvalid(f"{each.variable} and {each.variable}{IN_FILE} are both set", setting=each.name)
        try:
            told[each.variable] = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingInvalid(f"{each.variable}{IN_FILE}: {file} cannot be read", setting=each.name) from error
    return told


def _check_provider(values: Mapping[str, Any]) -> None:
    """Raise :class:`SettingInvalid` where the OpenID provider is told by halves."""
    needed = ("oidc_issuer", "oidc_client_id", "oidc_client_secret")
    absent = [name for name in needed if not values[name]]
    if absent and (len(absent) < len(needed) or values["oidc_name"]):
        raise SettingInvalid(
            f"{PREFIX}{absent[0].upper()} is not set: an OpenID provider needs its issuer, an id and a secret",
            setting=absent[0],
        )


def require_safe(settings: Settings, environ: Mapping[str, str] | None = None) -> None:
    """Raise :class:`SettingUnsafe` outside of development unless the installation is fit for patients' data.

    It names each variable that has to change, and why.
    """
    from konectom.security.safety import dangers

    if settings.mode == "development":
        return
    found = list(dangers(settings._values, os.environ if environ is None else environ))
    if found:
        told = "; ".join(f"{each.variable}: {each.told}" for each in found)
        raise SettingUnsafe(
            f"not fit for patients' data: {told}. ({PREFIX}MODE=development is for trying out, without patients.)",
            settings=[each.variable for each in found],
        )


def _alike(variable: str, known: set[str]) -> str:
    found = get_close_matches(variable, known, n=1)
    return f"; did you mean {found[0]}?" if found else ""


def describe() -> list[dict[str, Any]]:
    """Return each setting as a row: variable, type, default, help, secret."""
    return [
        {
            "name": each.name,
            "variable": each.variable,
            "type": each.type,
            "default": each.default.replace("{data_dir}", f"${PREFIX}DATA_DIR"),
            "help": each.help,
            "secret": each.secret,
        }
        for each in SETTINGS
    ]


def settings_page() -> str:
    """Return ``docs/settings.md``; write it with ``python -m konectom.settings > docs/settings.md``."""
    rows = [_page_row(row) for row in describe()]
    return _PAGE_HEAD + "".join(rows)


def _page_row(row: Mapping[str, Any]) -> str:
    default = f"`{row['default']}`" if row["default"] else "none"
    note = " *Secret.*" if row["secret"] else ""
    return f"| `{row['variable']}` | {row['type']} | {default} | {row['help']}{note} |\n"


_PAGE_HEAD = """# Settings

Each is an environment variable. An empty one counts as not set. A variable that begins with `KONECTOM_` and
is none of these is refused, so that a misspelt one cannot go unnoticed. The values of secrets are never shown. A secret
may stand in a file instead, which the variable with `_FILE` behind it names:
`KONECTOM_DATABASE_URL_FILE=/run/secrets/database`.

| variable | type | default | meaning |
|---|---|---|---|
"""


if __name__ == "__main__":
    print(settings_page(), end="")  # noqa: T201
