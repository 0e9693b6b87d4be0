"""Open WebUI's own document loaders, out of its wheel.

The modules under `retrieval/loaders` and `utils/headers.py` are Open WebUI's. What they import of the rest of the
application (its database, its settings) has a stand-in here: none of it touches what they send or read.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

_PACKAGES = ("open_webui", "open_webui.retrieval", "open_webui.retrieval.loaders", "open_webui.utils")
# Open WebUI's defaults.
_ENV: dict[str, Any] = {
    "AIOHTTP_CLIENT_SESSION_SSL": True,
    "ENABLE_FORWARD_USER_INFO_HEADERS": False,
    "FORWARD_SESSION_INFO_HEADER_CHAT_ID": "X-OpenWebUI-Chat-Id",
    "FORWARD_USER_INFO_HEADER_AUTH_TYPE": "",
    "FORWARD_USER_INFO_HEADER_JWT": "",
    "FORWARD_USER_INFO_HEADER_JWT_EXPIRES_SECONDS": 300,
    "FORWARD_USER_INFO_HEADER_JWT_SECRET": "",
    "FORWARD_USER_INFO_HEADER_USER_EMAIL": "X-OpenWebUI-User-Email",
    "FORWARD_USER_INFO_HEADER_USER_ID": "X-OpenWebUI-User-Id",
    "FORWARD_USER_INFO_HEADER_USER_NAME": "X-OpenWebUI-User-Name",
    "FORWARD_USER_INFO_HEADER_USER_ROLE": "X-OpenWebUI-User-Role",
    "GLOBAL_LOG_LEVEL": "INFO",
    "MINERU_MAX_MARKDOWN_BYTES": 0,
    "RAPIDOCR_PARAMS": {},
    "REQUESTS_VERIFY": True,
    "USE_SLIM": False,
}
_STAND_INS: dict[str, dict[str, Any]] = {
    "open_webui.env": _ENV,
    "open_webui.config": {"UPLOAD_DIR": ""},
    "open_webui.models.groups": {"Groups": None},
    "open_webui.utils.oauth": {"get_system_oauth_token": None},
    "open_webui.utils.json_codec": {"JSONCodec": json},
    "azure.identity": {"DefaultAzureCredential": None},  # used without a key
}
_DEFAULTS: dict[str, Any] = {
    "rag.document_intelligence_model": "prebuilt-layout",
    "rag.external_document_loader_headers": {},
    "rag.file.max_size": None,
    "rag.mistral_ocr_use_base64": False,
    "rag.pdf_extract_images": False,
    "rag.tika_server_version": "3",
}


def loader(engine: str, **config: Any) -> Any:
    """Open WebUI's `Loader`, which chooses by the engine and the file; `config` without `rag.`."""
    return _module().Loader(
        {**_DEFAULTS, "rag.content_extraction_engine": engine, **{f"rag.{k}": v for k, v in config.items()}}
    )


def _module() -> Any:
    if "open_webui" not in sys.modules:
        wheel = _wheel()
        for name in _PACKAGES:
            package = ModuleType(name)
            package.__path__ = [f"{wheel}/{name.replace('.', '/')}"]
            sys.modules[name] = package
        for name, contents in _STAND_INS.items():
            stand_in = ModuleType(name)
            vars(stand_in).update(contents)
            sys.modules[name] = stand_in
    return importlib.import_module("open_webui.retrieval.loaders.main")


def _wheel() -> Path:
    found = [path for folder in sys.path for path in Path(folder).glob("open_webui-*.whl")]
    assert len(found) == 1, found
    return found[0]
