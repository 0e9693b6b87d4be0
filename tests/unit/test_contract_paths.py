"""Which paths are whose."""

from __future__ import annotations

import pytest

from api_gateway.contracts.table import CONTRACTS, contract_of, is_call


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/documentintelligence/documentModels/prebuilt-read:analyze", "azure"),
        ("/formrecognizer/", "azure"),
        ("/documentintelligence", None),
        ("/documentintelligences/x", None),
        ("/process", "openwebui"),
        ("/process/x", "openwebui"),
        ("/processes", None),
        ("/v1/ocr", "mistral"),
        ("/v1/files/1/url", "mistral"),
        ("/v1/filesystem", None),
        ("/v1/models", None),
        ("/liteparse/ocr", "liteparse"),
        ("/liteparse", None),
        ("/tika", "tika"),
        ("/tika/", "tika"),
        ("/tikax", None),
        ("/rmeta/text", "tika"),
        ("/meta/form", "tika"),
        ("/metrics", None),
        ("/version", "tika"),
        ("/gateway/ocr", None),
        ("/gateway/tika", None),
        ("/health/ready", None),
        ("//tika", None),
        ("/TIKA", None),
        ("/", None),
        ("", None),
    ],
)
def test_whose_path(path: str, name: str | None) -> None:
    assert contract_of(path) == name


@pytest.mark.parametrize(
    ("method", "path", "counts"),
    [
        ("PUT", "/tika", True),
        ("POST", "/tika/form", True),
        ("GET", "/tika", False),
        ("DELETE", "/v1/files/1", False),
        ("POST", "/documentintelligence/documentModels/prebuilt-read:analyze", True),
        ("POST", "/documentintelligence/documentModels/prebuilt-read", False),
        ("POST", "/gateway/ocr", False),
        ("POST", "/metrics", False),
    ],
)
def test_what_hands_a_file_in(method: str, path: str, counts: bool) -> None:
    assert is_call(method, path) is counts


def test_no_path_has_two_contracts() -> None:
    prefixes = [prefix for found in CONTRACTS.values() for prefix in found.prefixes]
    assert len(prefixes) == len(set(prefixes))
    for prefix in prefixes:
        assert not [other for other in prefixes if other != prefix and other.startswith(prefix.rstrip("/") + "/")]
