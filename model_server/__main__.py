"""`python -m model_server`."""

from service_kit.server import exit_cleanly_while_starting

exit_cleanly_while_starting()


def main() -> None:
    import os  # noqa: PLC0415
    import sys  # noqa: PLC0415

    from model_server.settings import ModelServerSettings  # noqa: PLC0415
    from service_kit import logs, tracing  # noqa: PLC0415
    from service_kit.memory import give_large_blocks_back  # noqa: PLC0415

    settings = ModelServerSettings.load("python -m model_server")
    logs.configure(settings.log_level, settings.log_format)
    give_large_blocks_back()
    # gRPC reads these on import. It would write lines of its own into the log, for each worker that is started.
    os.environ.update(GRPC_ENABLE_FORK_SUPPORT="0", GRPC_VERBOSITY="NONE")
    os.environ.pop("FASTAPI_OTEL_AUTO_CONFIGURE", None)  # KServe's application would send traces of its own
    del sys.argv[1:]  # KServe parses the command line on import

    from model_server.server import run  # noqa: PLC0415 - takes seconds, so validate the settings first

    with tracing.running("model-server"):
        run(settings)


if __name__ == "__main__":
    main()
