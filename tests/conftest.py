"""Fixtures that tests in several folders use."""

from __future__ import annotations

from tests.contract.valkey_server import own_valkey, running_valkey, valkey

__all__ = ["own_valkey", "running_valkey", "valkey"]
