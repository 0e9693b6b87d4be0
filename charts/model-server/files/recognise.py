# ruff: noqa: INP001, T201 - a script of its own, whose output is the test's log
"""Send a picture to the model server by KServe's V1 protocol, check the text.

recognise.py URL PICTURE TEXT [FOLDER]; for https, the folder has ca.crt, and tls.crt and tls.key for the server.
"""

import base64
import json
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ATTEMPTS = 5  # a Service may take a few seconds to know its pods


def certificates(folder: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=f"{folder}/ca.crt")
    context.load_cert_chain(f"{folder}/tls.crt", f"{folder}/tls.key")
    return context


def post(url: str, body: bytes, context: ssl.SSLContext | None) -> Any:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - ours
    with urllib.request.urlopen(request, timeout=60, context=context) as response:  # noqa: S310
        return json.load(response)


def patiently(url: str, body: bytes, context: ssl.SSLContext | None) -> Any:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return post(url, body, context)
        except urllib.error.HTTPError as error:
            print(f"{url}: {error.code} {error.read().decode(errors='replace')}")
            if error.code not in {429, 503}:
                sys.exit(1)
        except OSError as error:
            print(f"{url}: {error}")
        time.sleep(attempt)
    return sys.exit(f"no answer after {ATTEMPTS} attempts")


def main() -> None:
    url, picture, expected, *folder = sys.argv[1:]
    context = certificates(*folder) if folder else None
    encoded = base64.b64encode(Path(picture).read_bytes()).decode()
    answer = patiently(url, json.dumps({"instances": [{"image": {"b64": encoded}}]}).encode(), context)
    text = " ".join(answer["predictions"][0]["text"].split())
    if text != expected:
        sys.exit(f"read {text!r} and expected {expected!r}")
    print(f"read {text!r}, as expected")


if __name__ == "__main__":
    main()
