"""Requests made from our own `/openapi.json`: each is answered with a status and a body that it documents."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [status_code_conformance, response_schema_conformance, content_type_conformance]
INTERNAL_ERROR = 500


def test_every_answer_is_one_that_is_documented(server_url: str) -> None:
    schema = schemathesis.openapi.from_url(f"{server_url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]

    assert len(operations) > 10
    for operation in operations:
        _try_out(operation)


def _try_out(operation: Any) -> None:  # noqa: ANN401 - schemathesis names no type for it
    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy())
    def answered_as_documented(case: Any) -> None:  # noqa: ANN401
        response = case.call_and_validate(checks=CHECKS)
        assert response.status_code != INTERNAL_ERROR, response.text

    answered_as_documented()
