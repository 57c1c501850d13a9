"""Verifies a webhook's message with the library of Standard Webhooks; says its type, or `refused`."""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

given = json.load(sys.stdin)
try:
    print(Webhook(given["secret"]).verify(given["body"], given["headers"])["type"])
except WebhookVerificationError:
    print("refused")
