"""What `channelmaps validate` checks and says of the PMSE register."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config.config import Config
from pipeline.services.pmse.pmse_register import active_between, read_pmse_register, summary
from pipeline.services.pmse.pmse_victims import has_numbers, read_pmse_tables


def pmse_remarks(config: Config) -> Iterator[str]:
    """Read register and tables, refused if faulty; lines on what counts; none if PMSE is not evaluated."""
    if not config.services["pmse"].evaluated:
        return
    settings = config.pmse
    if not settings.registers:
        yield "  PMSE          no register: not evaluated anywhere"
        return
    register, rejected = read_pmse_register(config)
    tables = read_pmse_tables(settings)
    active = active_between(register, settings.at, config.validity_hours)
    counts = summary(register, active)
    when = f"on {settings.at}" if settings.at else "at any time"
    yield f"  PMSE          {', '.join(f'{name} {count}' for name, count in counts.items() if count)}, {when}"
    without = sorted(
        kind for kind in set(register["kind"].values[active].tolist()) if not has_numbers(tables.kinds[kind])
    )
    if without:
        yield f"  PMSE          kinds without numbers, not evaluated: {', '.join(without)}"
    yield from (f"  rejected      {row}" for row in rejected)
