# ruff: noqa: INP001, T201 - a script of its own, whose output is the test's log
"""Send a picture to the model server by KServe's V1 protocol, check the text: recognise.py URL PICTURE TEXT."""

import base64
import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ATTEMPTS = 5  # a Service may take a few seconds to know its pods


def post(url: str, body: bytes) -> Any:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - ours
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
        return json.load(response)


def patiently(url: str, body: bytes) -> Any:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return post(url, body)
        except urllib.error.HTTPError as error:
            print(f"{url}: {error.code} {error.read().decode(errors='replace')}")
            if error.code not in {429, 503}:
                sys.exit(1)
        except OSError as error:
            print(f"{url}: {error}")
        time.sleep(attempt)
    return sys.exit(f"no answer after {ATTEMPTS} attempts")


def main() -> None:
    url, picture, expected = sys.argv[1:]
    encoded = base64.b64encode(Path(picture).read_bytes()).decode()
    answer = patiently(url, json.dumps({"instances": [{"image": {"b64": encoded}}]}).encode())
    text = " ".join(answer["predictions"][0]["text"].split())
    if text != expected:
        sys.exit(f"read {text!r} and expected {expected!r}")
    print(f"read {text!r}, as expected")


if __name__ == "__main__":
    main()
