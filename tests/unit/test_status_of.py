"""The status of a code with which a page or a document ended."""

from __future__ import annotations

import pytest

from api_gateway.errors import DamagedDocument, ModelServerUnreachable, PagesFailed, status_of
from service_kit.errors import ServiceError


@pytest.mark.parametrize("error", [PagesFailed, DamagedDocument, ModelServerUnreachable])
def test_a_code_has_the_status_of_its_error(error: type[ServiceError]) -> None:
    assert status_of(error.code) == error.status


def test_another_code_is_the_documents_fault() -> None:
    assert status_of("unheard_of") == 422
