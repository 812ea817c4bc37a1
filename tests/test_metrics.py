"""What is counted, and that nothing is where nobody asked for it."""

import subprocess
import sys

import pytest

from konectom import metrics
from konectom.metrics import EVERY, Metric, measured

PERSONAL = {"patient", "session", "study", "user", "device", "code", "id", "token", "address", "path"}


def test_names_say_unit_or_thing_and_labels_name_nobody():
    assert all(each.name.startswith("konectom_") for each in EVERY)
    assert len({each.name for each in EVERY}) == len(EVERY)
    for each in EVERY:
        assert not set(each.labels) & PERSONAL
        assert (each.kind == "histogram") == each.name.endswith("_seconds")


def test_nothing_is_imported_or_counted_before_it_is_turned_on():
    script = """
import sys
from konectom.metrics import REQUESTS, STORE_SECONDS
REQUESTS.add(method="GET", route="/", status="200")
with STORE_SECONDS.timed(operation="put"):
    pass
print("prometheus_client" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.fixture
def counted():
    metrics.turn_on()

    def value(name, **labels):
        return metrics.registry().get_sample_value(name, labels) or 0.0

    return value


def test_a_counter_a_gauge_and_a_time(counted):
    before = counted("konectom_background_total", work="w", outcome="done")
    metrics.BACKGROUND.add(work="w", outcome="done")
    metrics.BACKGROUND.add(2, work="w", outcome="done")
    assert counted("konectom_background_total", work="w", outcome="done") == before + 3
    here = counted("konectom_database_connections_in_use")
    metrics.CONNECTIONS.add(1)
    metrics.CONNECTIONS.add(-1)
    assert counted("konectom_database_connections_in_use") == here
    metrics.EXTRACTION_SECONDS.observe(0.2, assessment="none")
    assert counted("konectom_extraction_seconds_bucket", assessment="none", le="0.25") >= 1


def test_a_store_that_fails_is_timed_and_counted_by_its_code(counted):
    class Store:
        @measured("put")
        def put(self, fault=None):
            """Keep."""
            if fault is not None:
                raise fault
            return True

    store = Store()
    kept = counted("konectom_store_seconds_count", operation="put")
    errors = counted("konectom_store_errors_total", operation="put", error="fault")
    assert store.put() is True
    with pytest.raises(ZeroDivisionError):
        store.put(ZeroDivisionError())
    assert counted("konectom_store_seconds_count", operation="put") == kept + 2
    assert counted("konectom_store_errors_total", operation="put", error="fault") == errors + 1
    assert Store.put.__doc__ == "Keep."


def test_a_metric_is_a_value():
    assert Metric("counter", "a", "b") == Metric("counter", "a", "b")
