"""The files of deploy/ say nothing that does not exist: settings, commands, files, accounts."""

import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import click
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from konectom.cli import cli
from konectom.settings import IN_FILE, SETTINGS, load_settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
TEXTS = sorted(each for each in DEPLOY.iterdir() if each.is_file() and each.suffix != ".py")
BY_VARIABLE = {each.variable: each for each in SETTINGS}
OTHERS = {"KONECTOM_HOST"}
"""What compose itself asks for, and hands to the proxy."""


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def ours(compose):
    """The services that run konectom."""
    return {name: each for name, each in compose["services"].items() if each["image"] == "konectom:local"}


def lines_of(path):
    return [line for line in path.read_text().splitlines() if not line.startswith("#")]


def unit_of(path):
    """The directives of a unit, in order."""
    return [line.partition("=")[::2] for line in lines_of(path) if "=" in line]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_variable_is_a_setting(path):
    found = set(re.findall(r"KONECTOM_[A-Z_]+", "\n".join(lines_of(path)))) - OTHERS
    for variable in found:
        known = BY_VARIABLE.get(variable.removesuffix(IN_FILE))
        assert known is not None, variable
        assert known.secret or not variable.endswith(IN_FILE), f"{variable}: not a secret"


def test_the_values_can_be_read(ours, tmp_path):
    (tmp_path / "secret").write_text("postgresql+psycopg://konectom:word@database/konectom")
    for service in ours.values():
        environ = {
            name: str(tmp_path / "secret")
            if name.endswith(IN_FILE)
            else value.replace("${KONECTOM_HOST:?", "h.example#")
            for name, value in service["environment"].items()
            if name.startswith("KONECTOM_")
        }
        environ["KONECTOM_PUBLIC_URL"] = environ["KONECTOM_PUBLIC_URL"].partition("#")[0]
        read = load_settings(environ)
        assert read.database_url.startswith("postgresql")
        assert read.processing == "workers"
    environ = dict(line.split("=", 1) for line in lines_of(DEPLOY / "konectom.env") if line)
    assert load_settings(environ).mode == "production"


def commands_told():
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for name, service in document["services"].items():
        if service["image"] == "konectom:local":
            yield pytest.param(service["command"], id=f"compose-{name}")
            check = service.get("healthcheck", {}).get("test")
            if check:
                yield pytest.param(check[2:], id=f"compose-{name}-health")
    for path in UNITS:
        for name, value in unit_of(path):
            if name.startswith("Exec") and "konectom " in value:
                words = value.split()[1:]
                yield pytest.param(words, id=f"{path.name}-{name}")
    yield pytest.param(["serve", "--host", "0.0.0.0"], id="Containerfile")


@pytest.mark.parametrize("words", list(commands_told()))
def test_every_command_exists_and_takes_its_options(words):
    command, context = cli, click.Context(cli, info_name="konectom")
    words = [str(each) for each in words]
    while words and isinstance(command, click.Group) and command.get_command(context, words[0]):
        command = command.get_command(context, words.pop(0))
        context = click.Context(command, parent=context, info_name=command.name)
    assert command is not cli
    command.parse_args(context, words)


def test_secrets_come_as_files_and_stand_in_no_variable(compose):
    told = yaml.safe_dump(compose)
    assert not re.search(r"(PASSWORD|SECRET|TOKEN)\w*: (?!/run/secrets/)\S", told.replace("_FILE", ""))
    named = {name for each in compose["services"].values() for name in each.get("secrets", ())}
    assert named == set(compose["secrets"])
    for each in compose["secrets"].values():
        assert each["file"].startswith("./secrets/")
    used = set(re.findall(r"/run/secrets/(\w+)", told))
    assert used == named


def test_what_runs_konectom_is_confined(ours):
    assert set(ours) == {"setup", "server", "worker"}
    for each in ours.values():
        assert each["read_only"] is True
        assert each["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in each["security_opt"]
        assert "ports" not in each
        assert "privileged" not in each
    assert all(ours[name]["deploy"]["replicas"] == 2 for name in ("server", "worker"))


def test_what_computes_fits_into_the_memory_of_its_container(ours):
    """With room for programs and libraries, which do not count as data, and for the process that watches."""
    *_, concurrency = ours["worker"]["command"]
    for name, processes in (("worker", int(concurrency)), ("server", 1)):
        limit = int(ours[name]["deploy"]["resources"]["limits"]["memory"].removesuffix("g")) * 2**30
        environ = ours[name]["environment"]
        most = load_settings({"KONECTOM_PROCESSING_MEMORY_BYTES": environ["KONECTOM_PROCESSING_MEMORY_BYTES"]})
        assert 0 < processes * most.processing_memory_bytes <= limit - 2**29


def test_only_the_proxy_is_reached_from_outside(compose):
    assert [name for name, each in compose["services"].items() if "ports" in each] == ["proxy"]
    assert compose["networks"]["inside"]["internal"] is True
    for name in ("database", "store", "worker"):
        assert compose["services"][name]["networks"] == ["inside"]
    proxy = (DEPLOY / "Caddyfile").read_text()
    assert re.search(r"@inside path .*/metrics", proxy)


def test_what_is_named_is_there(compose):
    for service in compose["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (DEPLOY / source).is_file(), volume
        for network in service.get("networks", ()):
            assert network in compose["networks"]
        needed = service.get("depends_on", {})
        assert set(needed) <= set(compose["services"])
        for name, how in needed.items():
            if how["condition"] == "service_healthy" and name != "server":
                assert "test" in compose["services"][name]["healthcheck"]


def test_the_image_is_built_of_what_there_is():
    text = (DEPLOY / "Containerfile").read_text()
    stages = text.split("\nFROM ")
    assert len(stages) == 3
    for copied in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M):
        for each in copied.split():
            assert (ROOT / each).exists(), each
    assert "--require-hashes" in stages[1]
    assert re.search(r"^USER 10001:10001$", stages[2], re.M)
    assert "pip" not in stages[2]
    assert re.search(r"^HEALTHCHECK ", stages[2], re.M)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    version = re.search(r"^ARG PYTHON=(\S+)$", text, re.M)[1]
    assert f"Programming Language :: Python :: {version}" in project["classifiers"]


def runtime(*words):
    command = [sys.executable, str(DEPLOY / "runtime_lock.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def names_in(lock):
    return {re.split("==", line)[0] for line in lock.splitlines() if re.match("[a-z]", line)}


def test_the_image_holds_what_a_server_imports_and_no_tools():
    locked = names_in(runtime("--extra", "postgres"))
    assert not locked & {"pytest", "hypothesis", "mypy", "ruff", "moto", "boto3", "schemathesis", "pip-audit", "pandas"}
    # What is installed here says itself what it needs.
    seen, ahead = set(), [Requirement(each) for each in metadata.requires("konectom")]
    while ahead:
        wanted = ahead.pop()
        extras = {"", *wanted.extras} | ({"postgres"} if wanted.name == "konectom" else set())
        of_postgres = wanted.marker is None or wanted.marker.evaluate({"extra": "postgres"})
        name = canonicalize_name(wanted.name)
        if not of_postgres or (name, *sorted(extras)) in seen:
            continue
        seen.add((name, *sorted(extras)))
        assert name in locked, name
        for line in metadata.requires(name) or ():
            inner = Requirement(line)
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in extras):
                ahead.append(inner)
    assert len(seen) > 40


def test_versions_and_hashes_are_those_of_the_lock():
    whole = (ROOT / "requirements.lock").read_text().splitlines()
    part = runtime("--extra", "postgres").splitlines()
    assert set(part) <= set(whole)
    assert sum("--hash=" in line for line in part) > 100
    assert names_in(runtime("--only", "--also", "hatchling")) >= {"hatchling", "packaging", "pathspec", "pluggy"}


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_is_confined(path):
    directives = dict(unit_of(path))
    assert directives["ProtectSystem"] == "strict"
    assert directives["User"] == "konectom"
    assert directives["UMask"] == "0077"
    assert directives["CapabilityBoundingSet"] == ""
    for name in ("NoNewPrivileges", "PrivateTmp", "ProtectHome", "PrivateDevices", "MemoryDenyWriteExecute"):
        assert directives[name] == "yes"


def test_the_units_have_room_where_the_settings_say():
    environ = dict(line.split("=", 1) for line in lines_of(DEPLOY / "konectom.env") if line)
    state = dict(unit_of(DEPLOY / "konectom.service"))["StateDirectory"].split()
    assert environ["KONECTOM_DATA_DIR"] == f"/var/lib/{state[0]}"
    assert environ["KONECTOM_KEYS_URL"] == f"file:///var/lib/{state[1]}/keys.json"
    backup = dict(unit_of(DEPLOY / "konectom-backup.service"))
    assert backup["ExecStart"].split()[-1] == backup["ReadWritePaths"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
@pytest.mark.parametrize("path", [*UNITS, DEPLOY / "konectom-backup.timer"], ids=lambda path: path.name)
def test_systemd_understands_it(path, tmp_path):
    for each in (*UNITS, DEPLOY / "konectom-backup.timer"):
        shutil.copy(each, tmp_path)
    verify = ["systemd-analyze", "verify", "--man=no", str(tmp_path / path.name)]
    told = subprocess.run(verify, capture_output=True, text=True, check=False)
    said = [line for line in told.stderr.splitlines() if "is not executable" not in line and path.stem in line]
    assert said == []
    if path.suffix == ".service":
        judge = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(tmp_path / path.name)]
        told = subprocess.run(judge, capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stdout[-200:]
