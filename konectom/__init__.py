"""konectom: an open-source backend for remote neurological assessment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from konectom.app import create_app

__all__ = ["__version__", "create_app"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Imported when asked for: `import konectom` and the command line must not pay for Flask.
    if name == "create_app":
        from konectom.app import create_app

        return create_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
