"""The figures of a worker, at an address of its own."""

import http.client
import threading

from konectom.settings import load_settings
from konectom.workflows.exposition import exposition, told_at


def ask(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_a_worker_tells_at_its_own_address(services):
    before = threading.active_count()
    with told_at(services, "127.0.0.1:0") as port:
        status, text = ask(port)
    assert status == 200
    assert "konectom_database_up 1.0" in text
    assert 'konectom_sessions{status="received"} 0.0' in text
    assert "# TYPE konectom_recordings_total counter" in text
    assert threading.active_count() == before


def test_without_an_address_nothing_is_opened(services):
    with told_at(services, load_settings({}).metrics_address) as port:
        assert port is None


def test_a_database_that_does_not_answer_is_told(services):
    file = services.settings.data_dir / "konectom.sqlite3"
    services.db.close()
    file.unlink()
    file.mkdir()
    text = exposition(services).decode()
    assert "konectom_database_up 0.0" in text
    assert "konectom_sessions" not in text
    file.rmdir()


def test_no_figure_is_told_twice(services):
    types = [line for line in exposition(services).decode().splitlines() if line.startswith("# TYPE")]
    assert len(types) == len(set(types))
