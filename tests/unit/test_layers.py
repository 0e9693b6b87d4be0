"""Layers point one way, and each service installs without the other's packages."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# What the modules of each package may import of the project, and what they may not import of others.
RULES = {
    "service_kit": ({"service_kit"}, {"kserve", "httpx", "PIL", "tesserocr"}),
    "model_server": ({"service_kit", "model_server"}, {"httpx", "python_multipart"}),
    "api_gateway": ({"service_kit", "api_gateway"}, {"kserve", "PIL", "pillow_heif", "tesserocr", "pytesseract"}),
}
# Modules of the gateway's children, which the gateway itself never imports.
CHILDREN = {"documents/picture_page.py": {"PIL", "pillow_heif"}}
OURS = {*RULES, "bench", "scripts", "tests"}


def imports(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    found = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    found += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in found}


@pytest.mark.parametrize("package", RULES)
def test_imports(package: str) -> None:
    allowed, forbidden = RULES[package]
    for file in (ROOT / package).rglob("*.py"):
        names = imports(file)
        assert not (names & OURS) - allowed, file
        assert not names & forbidden - CHILDREN.get(str(file.relative_to(ROOT / package)), set()), file
