"""The channel plans of ``configs/tables/channel_plans.csv`` by name."""

from __future__ import annotations

from pipeline.registers.named_plans import named_plan

__all__ = ["named_plan"]
