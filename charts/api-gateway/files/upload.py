# ruff: noqa: INP001, T201 - a script of its own, whose output is the test's log
"""Upload a picture to the gateway, and check the text: upload.py URL PICTURE TEXT [FILE WITH API KEYS]."""

import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ATTEMPTS = 5  # a Service may take a few seconds to know its pods
BOUNDARY = "the-picture-ends-here"


def form(picture: bytes) -> bytes:
    head = (
        f"--{BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="image_file"; filename="hello.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    )
    return head.encode() + picture + f"\r\n--{BOUNDARY}--\r\n".encode()


def post(url: str, body: bytes, headers: dict[str, str]) -> Any:
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - ours
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
        return json.load(response)


def patiently(url: str, body: bytes, headers: dict[str, str]) -> Any:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return post(url, body, headers)
        except urllib.error.HTTPError as error:
            print(f"{url}: {error.code} {error.read().decode(errors='replace')}")
            if error.code not in {429, 503}:
                sys.exit(1)
        except OSError as error:
            print(f"{url}: {error}")
        time.sleep(attempt)
    return sys.exit(f"no answer after {ATTEMPTS} attempts")


def main() -> None:
    url, picture, expected, *keys = sys.argv[1:]
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    if keys:
        headers["Authorization"] = f"Bearer {Path(keys[0]).read_text().split()[0]}"
    answer = patiently(url, form(Path(picture).read_bytes()), headers)
    text = " ".join(answer["text"].split())
    if text != expected:
        sys.exit(f"read {text!r} and expected {expected!r}")
    print(f"read {text!r}, as expected")


if __name__ == "__main__":
    main()
