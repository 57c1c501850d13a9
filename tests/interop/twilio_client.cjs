// Drives the gateway by Twilio's own library, as an application does: base URL, sid, token, call, and what to do.
"use strict";
const assert = require("node:assert");
const twilio = require("twilio");

const [base, sid, token, call, step, more] = process.argv.slice(2);
const client = twilio(sid, token);
client.api.baseUrl = base;

const steps = {
  async refused() {
    for (const attempt of [
      () => client.calls(call).recordings.create(),
      () => client.calls(call).streams.create({ url: "wss://listen.example.com" }),
      () => client.calls(call).transcriptions.create(),
    ]) {
      await assert.rejects(attempt, (error) => error.status === 403 && error.code === 62001);
    }
  },
  async records() {
    const created = await client.calls(call).recordings.create({ recordingStatusCallback: more });
    const paused = await client.calls(call).recordings(created.sid).update({ status: "paused", pauseBehavior: "skip" });
    assert.strictEqual(paused.status, "paused");
    await client.calls(call).recordings("Twilio.CURRENT").update({ status: "in-progress" });
    console.log(created.sid);
  },
  async stops() {
    await client.calls(call).recordings(more).update({ status: "stopped" });
  },
  async reads() {
    const [listed] = await client.recordings.list({ pageSize: 1 });
    const fetched = await client.recordings(more).fetch();
    assert.deepStrictEqual([listed.sid, fetched.sid, fetched.status], [more, more, "completed"]);
  },
  async places() {
    await client.calls.create({ to: "+15555550101", from: "+15555550100", url: more, record: true });
  },
  async validates() {
    const told = JSON.parse(more);
    const params = Object.fromEntries(told.params);
    assert.ok(twilio.validateRequest(told.token, told.signature, told.url, params));
  },
};

steps[step]().catch((error) => {
  console.error(error);
  process.exit(1);
});
