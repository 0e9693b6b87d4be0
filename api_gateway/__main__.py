"""`python -m api_gateway`."""

from service_kit.server import exit_cleanly_while_starting

exit_cleanly_while_starting()


def main() -> None:
    from api_gateway.app import run  # noqa: PLC0415
    from api_gateway.settings import GatewaySettings  # noqa: PLC0415
    from service_kit import logs, tracing  # noqa: PLC0415
    from service_kit.memory import give_large_blocks_back  # noqa: PLC0415

    settings = GatewaySettings.load("python -m api_gateway")
    logs.configure(settings.log_level, settings.log_format)
    give_large_blocks_back()
    with tracing.running("api-gateway"):
        run(settings)


if __name__ == "__main__":
    main()
