"""docling's clients and plain V1 calls, in the virtual environment of `make test-applications`.

`python docling_load.py` reads one JSON object from standard input: pages (paths of PNGs), their way (`http`,
`grpc` or `v1`), url, clients. It writes when each call began and ended, by the monotonic clock.
"""

# mypy: ignore-errors

import base64
import json
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import requests
from docling.models.inference_engines.common.kserve_v2_grpc import KserveV2GrpcClient
from docling.models.inference_engines.common.kserve_v2_http import KserveV2HttpClient
from PIL import Image

Read = Callable[[object], int]  # a page's number of words
LANGUAGE = np.array([["english"]], dtype=object)


def main() -> None:
    asked = json.load(sys.stdin)
    read = {"http": _http, "grpc": _grpc, "v1": _v1}[asked["way"]](asked["url"])
    pages = [Path(path).read_bytes() for path in asked["pages"]]
    if asked["way"] != "v1":
        pages = [np.asarray(Image.open(BytesIO(page)).convert("RGB"))[None] for page in pages]
    calls = []
    lock = threading.Lock()

    def call(page: object) -> None:
        began = time.monotonic()
        words = read(page)
        with lock:
            calls.append({"began": began, "ended": time.monotonic(), "words": words})

    with ThreadPoolExecutor(asked["clients"]) as clients:
        list(clients.map(call, pages))
    json.dump(calls, sys.stdout)


def _http(url: str) -> Read:
    client = KserveV2HttpClient(base_url=url, model_name="ocr-model", model_version=None, timeout=60, headers={})
    return _docling(client)


def _grpc(url: str) -> Read:
    client = KserveV2GrpcClient(
        base_url=url,
        model_name="ocr-model",
        model_version=None,
        timeout=60,
        metadata={},
        use_tls=False,
        max_message_bytes=64 << 20,
        use_binary_data=True,
        grpc_channel_args=[],
    )
    return _docling(client)


def _docling(client: object) -> Read:
    def read(page: np.ndarray) -> int:
        outputs = client.infer(
            inputs={"lang_type": LANGUAGE, "image": page}, output_names=["boxes", "txts", "scores"]
        )
        return sum(len(text.decode().split()) for text in outputs["txts"])

    return read


def _v1(url: str) -> Read:
    def read(page: bytes) -> int:
        sent = {"instances": [{"image": {"b64": base64.b64encode(page).decode()}}]}
        answer = requests.post(f"{url}/v1/models/ocr-model:predict", json=sent, timeout=60)
        answer.raise_for_status()
        return len(answer.json()["predictions"][0]["words"])

    return read


if __name__ == "__main__":
    main()
