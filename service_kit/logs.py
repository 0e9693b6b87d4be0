"""One log format for our code and all libraries: JSON, or readable text on a terminal."""

from __future__ import annotations

import logging.config
import sys
from typing import TYPE_CHECKING, Literal

import orjson
import structlog

from service_kit import tracing
from service_kit.context import current_id

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

LogFormat = Literal["auto", "json", "text"]


def _add_ids(_logger: object, _method: str, event: EventDict) -> EventDict:
    if "request_id" not in event and (found := current_id()):
        event["request_id"] = found
    if (trace := tracing.trace_id()) is not None:
        event["trace_id"] = trace
    return event


def _json(event: EventDict, **_options: object) -> str:
    return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()


def configure(level: str, log_format: LogFormat) -> None:
    """Send all loggers and Python warnings to standard error in one format."""
    logging.captureWarnings(capture=True)
    readable = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    renderer: list[Processor] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), repr_native_str=True)]
        if readable
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_json)]
    )
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _add_ids,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "one": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "one"}},
            "root": {"level": level.upper(), "handlers": ["stderr"]},
            "loggers": {
                # Our own log lines contain the same information.
                "uvicorn.access": {"level": "CRITICAL", "propagate": False},
                "uvicorn.error": {"level": "WARNING"},
                "kserve": {"level": "WARNING"},
                "kserve.trace": {"level": "WARNING"},
                "httpx": {"level": "WARNING"},
                "httpcore": {"level": "WARNING"},
                "asyncio": {"level": "WARNING"},
                "PIL": {"level": "WARNING"},
            },
        }
    )
