"""`make run`: runs both services until Ctrl-C. Jobs are kept in `.jobs`, and go on at the next start."""

from __future__ import annotations

import os
import signal
import sys
import time

from scripts import services

_POLL_SECONDS = 0.2


def main() -> int:
    model_port = int(os.environ.get("MODEL_SERVER_PORT", "8080"))
    grpc_port = int(os.environ.get("MODEL_SERVER_GRPC_PORT", "8081"))
    gateway_port = int(os.environ.get("API_GATEWAY_PORT", "8001"))
    ports = {
        "MODEL_SERVER_PORT": model_port,
        "MODEL_SERVER_GRPC_PORT": grpc_port,
        "API_GATEWAY_PORT": gateway_port,
    }
    for variable, port in ports.items():
        if port and services.in_use(port):
            return _fail(f"Port {port} is in use. Free it, or set another: make run {variable}=...")
    model = services.model_server({"MODEL_SERVER_PORT": str(model_port), "MODEL_SERVER_GRPC_PORT": str(grpc_port)})
    gateway = services.api_gateway(model.url, {"API_GATEWAY_PORT": str(gateway_port), **_jobs()})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("Starting both services", flush=True)
    try:
        model.start()
        gateway.start()
        model.wait_ready()
        gateway.wait_ready()
        print(f"\nReady. Open {gateway.url}/ in a browser, or try:\n")
        print(f"    curl -F image_file=@YOUR_PICTURE '{gateway.url}/gateway/ocr?format=text'\n")
        print(f"Documentation: {gateway.url}/docs   Ctrl-C stops both.\n", flush=True)
        while True:
            for service in (model, gateway):
                if (status := service.process.poll()) is not None:
                    return _fail(f"{service.module} ended with status {status}; stopping the other.")
            time.sleep(_POLL_SECONDS)
    except services.ServiceFailed as failure:
        return _fail(str(failure))
    except KeyboardInterrupt:
        print("\nStopping both services", flush=True)
        return 0
    finally:
        for service in (gateway, model):
            if service.started:
                service.stop()


def _jobs() -> dict[str, str]:
    """A store of jobs, unless the environment has one."""
    if any(os.environ.get(f"API_GATEWAY_{name}") for name in ("JOBS_DIR", "JOBS_DATABASE_URL")):
        return {}
    return {"API_GATEWAY_JOBS_DIR": str(services.ROOT / ".jobs")}


def _fail(text: str) -> int:
    print(f"make run: {text}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
