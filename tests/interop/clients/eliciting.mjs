// The official TypeScript client of the 1.x line, asked something during a call. Takes the address
// of an endpoint and the name of a tool; prints what it was asked and what the tool answered.

import { createRequire } from "node:module";

const [, , url, tool] = process.argv;
const require = createRequire(`${process.env.LOCKGATE_NODE_MODULES}/resolve.cjs`);
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { ElicitRequestSchema } = require("@modelcontextprotocol/sdk/types.js");
const { StreamableHTTPClientTransport } = require(
  "@modelcontextprotocol/sdk/client/streamableHttp.js",
);

const client = new Client(
  { name: "typescript-1", version: "1" },
  { capabilities: { elicitation: {} } },
);
const asked = [];
client.setRequestHandler(ElicitRequestSchema, (request) => {
  asked.push(request.params.message);
  return { action: "accept", content: { value: "Ada" } };
});
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
const result = await client.callTool({ name: tool, arguments: { greeting: "Good morning" } });
console.log(JSON.stringify({ asked, said: result.content.map((one) => one.text).join("") }));
await client.close();
process.exit(0);
