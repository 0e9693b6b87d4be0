"""`python -m model_server`."""

from service_kit.server import exit_cleanly_while_starting

exit_cleanly_while_starting()


def main() -> None:
    import sys  # noqa: PLC0415

    from model_server.settings import Settings  # noqa: PLC0415
    from service_kit import logs  # noqa: PLC0415

    settings = Settings.load("python -m model_server")
    logs.configure(settings.log_level, settings.log_format)
    del sys.argv[1:]  # KServe parses the command line when it is imported

    from model_server.server import run  # noqa: PLC0415 - takes seconds, after settings were found right

    run(settings)


if __name__ == "__main__":
    main()
