"""Fixtures of the tests of the web map."""

from tests.publish.web.made_up import made_up

__all__ = ["made_up"]
