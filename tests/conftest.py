"""Fixtures that tests in several folders use."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.contract.valkey_server import own_valkey, running_valkey, valkey

# How fast a test runs says how busy the machine is, and nothing of what it tests.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

__all__ = ["own_valkey", "running_valkey", "valkey"]
