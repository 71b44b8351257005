// Validates an OpenAPI document and an AsyncAPI document with validators of others.
//
//   node validate.mjs openapi.json asyncapi.json
//
// Prints each fault on a line of its own, and nothing if there is none.

import { readFileSync } from "node:fs";

import { Parser } from "@asyncapi/parser";
import { Validator } from "@seriousme/openapi-schema-validator";

const [openapi, asyncapi] = process.argv.slice(2).map((path) => readFileSync(path, "utf8"));

const found = await new Validator().validate(JSON.parse(openapi));
if (!found.valid) console.log("openapi", JSON.stringify(found.errors));

const ERROR = 0;
for (const each of await new Parser().validate(asyncapi)) {
  if (each.severity === ERROR) console.log("asyncapi", each.path.join("/"), each.message);
}
