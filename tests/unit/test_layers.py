"""Imports follow docs/architecture.md, class names are unique, and only one module starts processes."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("service_kit", "model_server", "api_gateway")
ENGINES = {"PIL", "pillow_heif", "pikepdf", "pypdfium2", "tesserocr", "pytesseract", "openvino"}
HTTP = {"starlette", "fastapi", "httpx", "uvicorn", "kserve"}
READING, CHILDREN = "model_server.reading", "api_gateway.children"

# The modules that each package must not import, as in docs/architecture.md. The most specific rule applies.
NEVER = {
    "service_kit": {"model_server", "api_gateway", "kserve", "httpx", *ENGINES},
    "service_kit/page.py": {"model_server", "api_gateway", "pydantic", *ENGINES, *HTTP},
    "service_kit/pixels.py": {"model_server", "api_gateway", *ENGINES - {"PIL"}, *HTTP},
    "service_kit/deep_colour.py": {"model_server", "api_gateway", *ENGINES - {"PIL"}, *HTTP},
    "service_kit/essentials.py": {"model_server", "api_gateway", *ENGINES, *HTTP},
    "service_kit/budget.py": {"model_server", "api_gateway", *ENGINES, *HTTP},
    "service_kit/child.py": {"model_server", "api_gateway", *ENGINES, *HTTP},
    "service_kit/reading_order.py": {"model_server", "api_gateway", *ENGINES, *HTTP},
    "service_kit/columns.py": {"model_server", "api_gateway", *ENGINES, *HTTP},
    "service_kit/writing.py": {"model_server", "api_gateway", *ENGINES, *HTTP},
    "model_server": {"api_gateway", "httpx", READING, *ENGINES},
    "model_server/contracts": {
        "api_gateway", "model_server.admission", "model_server.workers", "model_server.server", READING, *ENGINES,
    },
    "model_server/contracts/tensors.py": {
        "api_gateway", "model_server.admission", "model_server.workers", "model_server.server", READING, *ENGINES,
        *HTTP, "grpc",
    },
    "model_server/grpc_server.py": {
        "api_gateway", "model_server.workers", "model_server.server", READING, *ENGINES, *HTTP - {"kserve"},
    },
    "model_server/tensor_route.py": {
        "api_gateway", "model_server.workers", "model_server.server", "kserve", "grpc", READING, *ENGINES,
    },
    "model_server/image_header.py": {"api_gateway", "model_server.admission", READING, *ENGINES, *HTTP},
    "model_server/pace.py": {"api_gateway", "model_server", *ENGINES, *HTTP},
    "model_server/cpus.py": {"api_gateway", "model_server", *ENGINES, *HTTP},
    "model_server/admission.py": {
        "api_gateway", "model_server.workers", "model_server.contracts", READING, *ENGINES, *HTTP - {"starlette"},
    },
    "model_server/bodies.py": {
        "api_gateway", "model_server.workers", "model_server.contracts", READING, *ENGINES, *HTTP - {"starlette"},
    },
    "model_server/workers.py": {"api_gateway", "model_server.contracts", READING, *ENGINES, *HTTP},
    "model_server/reading": {
        "api_gateway", "model_server.admission", "model_server.workers", "model_server.contracts",
        "model_server.server", "model_server.model", *HTTP,
    },
    "api_gateway": {"model_server", "kserve", CHILDREN, *ENGINES},
    "api_gateway/routes": {"model_server", "api_gateway.documents", CHILDREN, "kserve", *ENGINES},
    "api_gateway/contracts": {
        "model_server", "api_gateway.routes", "api_gateway.upstream", CHILDREN, "kserve", *ENGINES,
    },
    "api_gateway/http_answer.py": {
        "model_server", "api_gateway.schemas", "api_gateway.routes", "api_gateway.exchange", "api_gateway.jobs",
        "api_gateway.upstream", CHILDREN, *ENGINES,
    },
    "api_gateway/exchange.py": {"model_server", "api_gateway.schemas", "api_gateway.routes", CHILDREN, *ENGINES},
    "api_gateway/preview_answer.py": {
        "model_server", "api_gateway.schemas", "api_gateway.routes", "api_gateway.upstream", CHILDREN, *ENGINES,
    },
    "api_gateway/order.py": {"model_server", *HTTP, *ENGINES},
    "api_gateway/answer.py": {"model_server", "api_gateway.upstream", "api_gateway.documents", *HTTP, *ENGINES},
    "api_gateway/uploads": {"model_server", "api_gateway.documents", "api_gateway.upstream", CHILDREN, *ENGINES},
    "api_gateway/documents": {
        "model_server", "api_gateway.exchange", "api_gateway.routes", "api_gateway.uploads", "api_gateway.jobs",
        CHILDREN, *HTTP, *ENGINES,
    },
    "api_gateway/children": {
        "model_server", "api_gateway.documents", "api_gateway.upstream", "api_gateway.exchange",
        "api_gateway.admission", "api_gateway.settings", *HTTP,
    },
    "api_gateway/upstream": {"model_server", "api_gateway.documents", "api_gateway.exchange", CHILDREN, *ENGINES},
    "api_gateway/formats": {"model_server", "api_gateway.upstream", "api_gateway.documents", *HTTP, *ENGINES},
    "api_gateway/jobs": {
        "model_server", "api_gateway.routes", "api_gateway.exchange", CHILDREN, "kserve", *ENGINES,
    },
    "api_gateway/jobs/sql": {
        "model_server", "api_gateway.routes", "api_gateway.exchange", "api_gateway.documents",
        "api_gateway.uploads", "api_gateway.upstream", "api_gateway.settings", "api_gateway.jobs.worker", CHILDREN,
        *HTTP, *ENGINES,
    },
    "api_gateway/jobs/worker": {
        "model_server", "api_gateway.routes", "api_gateway.exchange", "api_gateway.jobs.sql",
        "api_gateway.jobs.sql_store", "api_gateway.jobs.webhooks", CHILDREN, *HTTP, *ENGINES,
    },
    "api_gateway/admission.py": {"model_server", "api_gateway.documents", "api_gateway.exchange", *ENGINES},
}  # fmt: skip
OURS = {*PACKAGES, "bench", "quality", "scripts", "tests"}


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def imports(file: Path) -> set[str]:
    """Each imported module, and each `module.name` of a `from` import."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rule(file: str) -> set[str]:
    return NEVER[max((room for room in NEVER if (file + "/").startswith(room + "/")), key=len)]


@pytest.mark.parametrize("file", [*modules()], ids=lambda file: str(file.relative_to(ROOT)))
def test_a_module_imports_nothing_that_its_room_never_knows(file: Path) -> None:
    names = imports(file)
    for never in rule(str(file.relative_to(ROOT))):
        assert not [name for name in names if f"{name}.".startswith(f"{never}.")], never
    assert not {name.partition(".")[0] for name in names} & (OURS - set(PACKAGES))


@pytest.mark.parametrize("room", [room for room in NEVER if (ROOT / room).exists()])
def test_a_room_never_knows_is_a_rule_that_can_fail(room: str) -> None:
    assert NEVER[room]
    assert any(rule(str(file.relative_to(ROOT))) is NEVER[room] for file in modules()), "no module has this rule"


def test_every_room_is_there() -> None:
    assert not [room for room in NEVER if not (ROOT / room).exists()]


def test_a_class_name_occurs_once() -> None:
    names = Counter(
        node.name
        for file in modules()
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef)
    )
    assert not [name for name, times in names.items() if times > 1]


def test_only_the_child_module_starts_processes_and_waits_for_them() -> None:
    """Except for the engine that runs a program inside a worker."""
    for file in modules():
        if file.name not in ("child.py", "pytesseract_engine.py"):
            assert not imports(file) & {"subprocess", "multiprocessing"}, file
            assert "create_subprocess" not in file.read_text(), file


def test_only_the_store_of_jobs_knows_its_databases() -> None:
    for file in modules():
        if not str(file.relative_to(ROOT)).startswith("api_gateway/jobs/sql"):
            assert not {name.partition(".")[0] for name in imports(file)} & {"sqlalchemy", "asyncpg", "sqlite3"}, (
                file
            )
