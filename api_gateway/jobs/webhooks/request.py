"""Whether a job may have a webhook."""

from __future__ import annotations

from api_gateway.errors import BadWebhookUrl
from api_gateway.jobs.settings import JobSettings
from api_gateway.jobs.webhooks.addresses import check_url
from api_gateway.jobs.webhooks.signing import secrets_of


def check_webhook(url: str, tenant: str, settings: JobSettings) -> None:
    """Reject a webhook that could never be sent.

    Raises:
        BadWebhookUrl.
    """
    if not secrets_of(tenant, settings.webhook_secrets):
        raise BadWebhookUrl("webhook_url cannot be used: webhooks are not set up for this API key.")
    check_url(url, settings.webhook_allow)
