"""Which URLs a job may have."""

from __future__ import annotations

from api_gateway.errors import BadInputUrl, BadResultUrl, BadWebhookUrl
from api_gateway.jobs.settings import JobSettings
from api_gateway.jobs.webhooks.addresses import Allowed, UnsafeUrl, check_target, check_url, parsed
from api_gateway.jobs.webhooks.signing import secrets_of


def check_webhook(url: str, tenant: str, settings: JobSettings) -> None:
    """Reject a webhook that could never be sent.

    Raises:
        BadWebhookUrl.
    """
    if not secrets_of(tenant, settings.webhook_secrets):
        raise BadWebhookUrl("webhook_url cannot be used: webhooks are not set up for this API key.")
    check_url(url, settings.webhook_allow)


def check_input(url: str, settings: JobSettings) -> None:
    """Reject a URL from which nothing would be fetched.

    Raises:
        BadInputUrl.
    """
    if (fault := _fault(url, settings)) is not None:
        raise BadInputUrl(f"input_url cannot be used: {fault}.")


def check_result(url: str, settings: JobSettings) -> None:
    """Reject a URL to which nothing would be put.

    Raises:
        BadResultUrl.
    """
    if (fault := _fault(url, settings)) is not None:
        raise BadResultUrl(f"result_url cannot be used: {fault}.")


def _fault(url: str, settings: JobSettings) -> str | None:
    if not settings.jobs_url_allow:
        return "the operator has not allowed any host"
    try:
        check_target(parsed(url), Allowed(settings.jobs_url_allow, only=True))
    except UnsafeUrl as fault:
        return str(fault)
    return None
