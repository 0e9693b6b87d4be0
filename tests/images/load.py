"""Uploads without a pause, from a container beside the services, while one of them is stopped.

    docker run -i --entrypoint python api-gateway -c "$(cat tests/images/load.py)" HOST PORT SECONDS < PICTURE

Prints `begun` after the first answer, and in the end one line of counts. Runs in the image as it is: no imports
but the standard library's. A request is `refused` while no connection can be had: the door is closed, and the
client knows that nothing was begun. A request that was connected and got no whole answer is `lost`.
"""

import http.client
import socket
import sys
import threading
import time
from collections import Counter

CLIENTS = 8
CONNECT_SECONDS = 2
ANSWER_SECONDS = 45
SLOW_SECONDS = 3  # that one client pauses in mid-upload: longer than the door stays open
PAUSE_SECONDS = 0.05  # after a refusal

counts: Counter[str] = Counter()
causes: Counter[str] = Counter()
lock = threading.Lock()


def main() -> int:
    host, port, seconds = socket.gethostbyname(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    picture = sys.stdin.buffer.read()
    end = time.monotonic() + seconds
    pauses = [SLOW_SECONDS] + [0] * (CLIENTS - 1)
    clients = [threading.Thread(target=client, args=(host, port, picture, pause, end)) for pause in pauses]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    say(" ".join(f"{kind}={counts[kind]}" for kind in ("200", "503", "other", "refused", "lost")))
    sys.stderr.writelines(f"{number} x {cause}\n" for cause, number in causes.items())
    return 0


def client(host: str, port: int, picture: bytes, pause: float, end: float) -> None:
    while time.monotonic() < end:
        kind, cause = upload(host, port, picture, pause)
        with lock:
            counts[kind] += 1
            if cause:
                causes[cause] += 1
            if kind == "200" and counts[kind] == 1:
                say("begun")
        if kind in ("refused", "503"):
            time.sleep(PAUSE_SECONDS)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def upload(host: str, port: int, picture: bytes, pause: float) -> tuple[str, str]:
    """What became of it, and why."""
    body = (
        b'--cut\r\nContent-Disposition: form-data; name="image_file"; filename="a.png"\r\n\r\n'
        + picture
        + b"\r\n--cut--\r\n"
    )
    connection = http.client.HTTPConnection(host, port, timeout=CONNECT_SECONDS)
    try:
        connection.connect()
    except OSError:
        return "refused", ""
    try:
        connection.sock.settimeout(ANSWER_SECONDS)
        connection.putrequest("POST", "/gateway/ocr?format=text")
        connection.putheader("Content-Type", "multipart/form-data; boundary=cut")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[: len(body) // 2])
        time.sleep(pause)
        connection.send(body[len(body) // 2 :])
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as error:
        return "lost", repr(error)
    finally:
        connection.close()
    if answer.status in (200, 503):
        return str(answer.status), ""
    return "other", f"{answer.status} {text.decode()}"


if __name__ == "__main__":
    sys.exit(main())
