"""Run by Alembic: the connection and the tables come from ``storage.migrate``."""

from __future__ import annotations

from alembic import context

from pipeline.loop.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
