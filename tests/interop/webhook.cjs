// Verifies a webhook's message with the library of Standard Webhooks; says its type, or `refused`.
const { Webhook, WebhookVerificationError } = require("standardwebhooks");

const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
try {
  console.log(new Webhook(given.secret).verify(given.body, given.headers).type);
} catch (error) {
  if (!(error instanceof WebhookVerificationError)) throw error;
  console.log("refused");
}
