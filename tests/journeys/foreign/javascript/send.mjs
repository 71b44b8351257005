// Sends events with the CloudEvents SDK for JavaScript: node send.mjs MODE URL, the events as a JSON
// array on standard input. Prints the body of each answer, a line each.

import { readFileSync } from "node:fs";
import { CloudEvent, CONSTANTS, emitterFor, httpTransport, Mode } from "cloudevents";

const [mode, url] = process.argv.slice(2);
const transport = httpTransport(url);
const events = JSON.parse(readFileSync(0, "utf8")).map((event) => new CloudEvent(event));

if (mode === "batch") {
  const headers = { "content-type": CONSTANTS.MIME_CE_BATCH + "+json" };
  console.log((await transport({ headers, body: JSON.stringify(events) })).body);
} else {
  const emit = emitterFor(transport, { mode: mode === "binary" ? Mode.BINARY : Mode.STRUCTURED });
  for (const event of events) {
    console.log((await emit(event)).body);
  }
}
