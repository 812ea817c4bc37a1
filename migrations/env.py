"""Run by Alembic. The database is the one given by the caller, by ``-x url=…``, or by the settings, in this order."""

from alembic import context
from sqlalchemy import Connection

from konectom.settings import load_settings
from konectom.storage.database import WRITES, open_engine
from konectom.storage.migrate import CONTEXT
from konectom.storage.models import Base


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        # SQLite can hardly alter a table: it is made anew.
        render_as_batch=connection.dialect.name == "sqlite",
        **CONTEXT,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    url = context.get_x_argument(as_dictionary=True).get("url") or load_settings().database_url
    engine = open_engine(url, foreign_keys=False, in_turn=True)
    with engine.execution_options(**{WRITES: True}).begin() as connection:
        run(connection)
    engine.dispose()
