"""The server's figures as Prometheus reads them: over the server's own address, or one of a worker's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING

from konectom import __version__, metrics
from konectom.workflows.services import Services
from konectom.workflows.standing import figures

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Standing:
    """A collector of what the database and the disks tell at the moment."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def describe(self) -> Iterable[Metric]:
        """Tell nothing in advance: to register must not ask the database."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the figures as gauges."""
        from prometheus_client.core import GaugeMetricFamily

        version = GaugeMetricFamily("konectom_info", "The version that runs.", labels=("version",))
        version.add_metric((__version__,), 1.0)
        yield version
        found = sorted(figures(self._services), key=lambda each: each.name)
        for name, same in groupby(found, key=lambda each: each.name):
            first, *others = same
            family = GaugeMetricFamily(name, first.means, labels=tuple(label for label, _ in first.labels))
            for each in (first, *others):
                family.add_metric(tuple(value for _, value in each.labels), each.value)
            yield family


def exposition(services: Services) -> bytes:
    """Return all figures in Prometheus' text format."""
    from prometheus_client import CollectorRegistry, generate_latest

    standing = CollectorRegistry()
    standing.register(Standing(services))
    return generate_latest(metrics.registry()) + generate_latest(standing)


@contextmanager
def told_at(services: Services, address: str) -> Iterator[int | None]:
    """Tell the figures of this process at ``HOST:PORT`` as long as the block runs; yield the port.

    For a worker, which has no other address, and all processes that it starts in the block. No token is asked for, so
    that it must be one that only the monitoring reaches; nothing of patients is told. Without an address nothing is
    opened.
    """
    if not address:
        yield None
        return
    metrics.begin_together()
    from prometheus_client import start_http_server

    metrics.turn_on()
    host, _, port = address.rpartition(":")
    server, thread = start_http_server(int(port), host.strip("[]"), _together(services))
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        metrics.end_together()


def _together(services: Services) -> CollectorRegistry:
    from prometheus_client import CollectorRegistry

    class Counted:
        def collect(self) -> Iterable[Metric]:
            return metrics.registry().collect()

        def describe(self) -> Iterable[Metric]:
            return ()

    both = CollectorRegistry()
    both.register(Counted())
    both.register(Standing(services))
    return both
