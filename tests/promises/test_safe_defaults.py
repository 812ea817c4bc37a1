"""Outside of development a server does not start with what is not fit for patients' data, and says what to change."""

import shutil
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from konectom.app import create_app
from konectom.commands._demo_data import settings_of
from konectom.errors import SettingUnsafe
from konectom.security.safety import dangers
from konectom.settings import SETTINGS, load_settings, require_safe
from konectom.workflows.services import Services
from konectom.workflows.set_up import set_up

SAFE = {"public_url": "https://konectom.hospital.example"}


@pytest.fixture
def safe(tmp_path, migrated, key_file):
    """Settings that are fit, on a database that is set up; called with others, those."""
    shutil.copy(migrated, tmp_path / "konectom.sqlite3")
    shutil.copy(key_file, tmp_path / "keys.json")
    (tmp_path / "objects").mkdir(mode=0o700)
    return lambda **changed: load_settings({}, **{"data_dir": tmp_path} | SAFE | changed)


def refusal_of(settings, environ=None):
    with pytest.raises(SettingUnsafe) as refused:
        require_safe(settings, environ or {})
    assert refused.value.code == "setting_unsafe"
    return refused.value


def test_production_is_what_nobody_has_to_ask_for():
    settings = load_settings({})
    assert settings.mode == "production"
    assert settings.rate_limits == "on"
    assert {"KONECTOM_PUBLIC_URL"} <= set(refusal_of(settings).context["settings"])


def test_what_is_fit_is_taken(safe):
    require_safe(safe(), {"PATH": "/bin", "FLASK_DEBUG": "0"})


@pytest.mark.parametrize(
    ("changed", "variable", "says"),
    [
        ({"public_url": "http://konectom.hospital.example"}, "KONECTOM_PUBLIC_URL", "https://"),
        ({"public_url": "http://127.0.0.1:8000"}, "KONECTOM_PUBLIC_URL", "https://"),
        ({"rate_limits": "off"}, "KONECTOM_RATE_LIMITS", "must be on"),
    ],
)
def test_a_setting_that_is_not_fit_is_refused_by_name(safe, changed, variable, says):
    refused = refusal_of(safe(**changed))
    assert refused.context["settings"] == [variable]
    assert variable in refused.detail
    assert says in refused.detail
    require_safe(safe(mode="development", **changed), {})


@pytest.mark.parametrize(
    ("changed", "variable"),
    [
        ({"require_second_factor": "no"}, "KONECTOM_REQUIRE_SECOND_FACTOR"),
        ({"require_second_factor": "off"}, "KONECTOM_REQUIRE_SECOND_FACTOR"),
        ({"oidc_issuer": "http://login.hospital.example"}, "KONECTOM_OIDC_ISSUER"),
    ],
)
def test_how_staff_logs_in_is_looked_at(safe, changed, variable):
    values = dict(safe()._values)
    assert list(dangers(values, {})) == []
    assert [each.variable for each in dangers(values | changed, {})] == [variable]


@pytest.mark.parametrize("variable", ["FLASK_DEBUG", "AUTHLIB_INSECURE_TRANSPORT", "PYTHONDEVMODE"])
def test_so_is_what_opens_the_libraries_below(safe, variable):
    assert refusal_of(safe(), {variable: "1"}).context["settings"] == [variable]


@pytest.mark.parametrize(
    ("name", "mode", "variable"),
    [
        (".", 0o750, "KONECTOM_DATA_DIR"),
        ("keys.json", 0o640, "KONECTOM_KEYS_URL"),
        ("konectom.sqlite3", 0o640, "KONECTOM_DATABASE_URL"),
        ("konectom.sqlite3", 0o604, "KONECTOM_DATABASE_URL"),
        ("objects", 0o755, "KONECTOM_OBJECT_STORE_URL"),
    ],
)
def test_a_file_that_others_can_read_is_refused_with_the_line_that_mends_it(safe, tmp_path, name, mode, variable):
    path = tmp_path / name
    before = path.stat().st_mode & 0o777
    path.chmod(mode)
    refused = refusal_of(safe())
    assert refused.context["settings"] == [variable]
    assert f"chmod {before:o} {path}" in refused.detail
    path.chmod(before)
    require_safe(safe(), {})


def test_the_key_file_and_its_directory_are_looked_at(safe, tmp_path):
    directory = tmp_path / "keys"
    directory.mkdir(mode=0o700)
    file = directory / "keys.json"
    file.touch(mode=0o600)
    settings = safe(keys_url=f"file://{file}")
    require_safe(settings, {})
    file.chmod(0o640)
    assert refusal_of(settings).context["settings"] == ["KONECTOM_KEYS_URL"]
    file.chmod(0o600)
    directory.chmod(0o755)
    assert refusal_of(settings).context["settings"] == ["KONECTOM_KEYS_URL"]


def test_all_that_is_wrong_is_told_at_once(safe, tmp_path):
    (tmp_path / "konectom.sqlite3").chmod(0o666)
    refused = refusal_of(safe(rate_limits="off"))
    assert refused.context["settings"] == ["KONECTOM_RATE_LIMITS", "KONECTOM_DATABASE_URL"]


def test_the_application_refuses_to_be_made(safe):
    services = Services.open(safe(rate_limits="off"))
    with pytest.raises(SettingUnsafe, match="KONECTOM_RATE_LIMITS"):
        create_app(services=services)
    services.close()
    structlog.reset_defaults()


def test_development_says_that_it_is_no_place_for_patients(safe, monkeypatch):
    monkeypatch.setattr("konectom.logs.configure", lambda *_, **__: None)
    assert warnings_of(safe(mode="development", trusted_proxies=1)) == ["server.development"]
    assert warnings_of(safe(trusted_proxies=1)) == []


def test_a_server_that_takes_its_proxy_for_everybody_says_so(safe, monkeypatch):
    monkeypatch.setattr("konectom.logs.configure", lambda *_, **__: None)
    assert warnings_of(safe(trusted_proxies=0)) == ["proxies.unknown"]
    assert "proxies.unknown" not in warnings_of(safe(mode="development", public_url="http://127.0.0.1:8000"))


def warnings_of(settings):
    services = Services.open(settings)
    with capture_logs() as lines:
        create_app(services=services)
    services.close()
    return [line["event"] for line in lines if line["log_level"] == "warning"]


def test_the_demonstration_is_development(tmp_path):
    assert load_settings(settings_of(tmp_path)).mode == "development"


def test_what_an_installation_makes_itself_is_fit(tmp_path):
    """The database, the store and their directory, as the commands make them, however lax the account is."""
    import os

    before = os.umask(0)
    try:
        settings = load_settings({}, data_dir=tmp_path / "fresh", **SAFE)
        services = Services.open(settings)
        set_up(services)
        services.ping()
        services.close()
        require_safe(settings, {})
    finally:
        os.umask(before)
    assert Path(settings.data_dir).stat().st_mode & 0o077 == 0


class TestSecretsStaySecret:
    """A value that opens something is in no text that the settings or the log make of themselves."""

    MARK = "hunter2_marker"

    def environ(self):
        url = {"database_url": f"postgresql+psycopg://user:{self.MARK}@127.0.0.1:1/name",
               "rate_limit_storage": f"redis://user:{self.MARK}@127.0.0.1:1/0",
               "keys_url": f"env://{self.MARK}"}  # fmt: skip
        provider = {"KONECTOM_OIDC_ISSUER": "https://id.example.org", "KONECTOM_OIDC_CLIENT_ID": "konectom"}
        provider["KONECTOM_OBJECT_STORE_KEY_ID"] = "konectom"
        return provider | {each.variable: url.get(each.name, self.MARK) for each in SETTINGS if each.secret}

    def test_whatever_sounds_like_a_secret_is_declared_one(self):
        sounds = ("password", "secret", "token_key", "credential")
        said = [each.name for each in SETTINGS if any(word in each.name for word in sounds) and not each.secret]
        assert [name for name in said if not name.startswith(("require_", "password_"))] == []

    def test_neither_settings_nor_log_show_it(self, capsys):
        from konectom import logs

        settings = load_settings(self.environ(), mode="development")
        logs.configure("json")
        structlog.get_logger("test").error("settings.shown", settings=settings, also={"settings": [settings]})
        structlog.reset_defaults()
        told = repr(settings) + str(settings) + f"{settings!s}" + capsys.readouterr().err
        assert "settings.shown" in told
        assert self.MARK not in told

    def test_a_database_that_is_away_does_not_tell_its_password(self, capsys):
        services = Services.open(load_settings(self.environ(), mode="development", rate_limit_storage="memory://"))
        app = create_app(services=services)
        answer = app.test_client().get("/readyz")
        services.close()
        structlog.reset_defaults()
        assert answer.status_code == 503
        assert self.MARK not in answer.text + capsys.readouterr().err
