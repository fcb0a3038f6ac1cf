// The official TypeScript clients, 1.x and 2.x. See README.md for what this does.
// LOCKGATE_NODE_MODULES says where the packages are; LOCKGATE_TS is 1 or 2. With 1, LOCKGATE_WAY
// may be `sse` or `websocket`, and the address is that of the older transport.

import { createRequire } from "node:module";
import { setTimeout as pause } from "node:timers/promises";

const [, , url, era, planned] = process.argv;
const plan = JSON.parse(planned);
const require = createRequire(`${process.env.LOCKGATE_NODE_MODULES}/resolve.cjs`);

function client1() {
  const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
  const { StreamableHTTPClientTransport } = require(
    "@modelcontextprotocol/sdk/client/streamableHttp.js",
  );
  const { SSEClientTransport } = require("@modelcontextprotocol/sdk/client/sse.js");
  const { WebSocketClientTransport } = require("@modelcontextprotocol/sdk/client/websocket.js");
  const ways = { sse: SSEClientTransport, websocket: WebSocketClientTransport };
  const Transport = ways[process.env.LOCKGATE_WAY] ?? StreamableHTTPClientTransport;
  const client = new Client({ name: "typescript-1", version: "1" });
  const call = (tool, options) => client.callTool(tool, undefined, options);
  return { client, call, transport: new Transport(new URL(url)) };
}

function client2() {
  const { Client, StreamableHTTPClientTransport } = require("@modelcontextprotocol/client");
  const mode = era === "modern" ? "auto" : "legacy";
  const client = new Client(
    { name: "typescript-2", version: "2" },
    { versionNegotiation: { mode } },
  );
  const call = (tool, options) => client.callTool(tool, options);
  return { client, call, transport: new StreamableHTTPClientTransport(new URL(url)) };
}

const text = (result) => result.content.map((one) => one.text ?? "").join("");
const { client, call, transport } = process.env.LOCKGATE_TS === "1" ? client1() : client2();
let version;
transport.setProtocolVersion = ((set) =>
  function (value) {
    version = value;
    return set?.call(this, value);
  })(transport.setProtocolVersion);

await client.connect(transport);
const seen = { progress: [] };
seen.version = client.getNegotiatedProtocolVersion?.() ?? version;
seen.server = client.getServerVersion().name;
seen.tools = (await client.listTools()).tools.map((one) => one.name);
seen.prompts = (await client.listPrompts()).prompts.map((one) => one.name);
seen.resources = (await client.listResources()).resources.map((one) => one.uri);
seen.call = text(await call(plan.call));
seen.read = (await client.readResource({ uri: plan.read })).contents[0].text;
// Written down as it arrives: where the last progress comes in one read with the result, the client
// has forgotten by whom it was asked for when it gets to it.
const heard = transport.onmessage;
transport.onmessage = (message, ...more) => {
  if (message.method === "notifications/progress") seen.progress.push(message.params.progress);
  return heard.call(transport, message, ...more);
};
let asked = 0;
await call(plan.progress, { onprogress: () => (asked += 1) });
transport.onmessage = heard;
if (!asked) throw new Error("the client was told of no progress");

const giving = new AbortController();
seen.cancelled = await call(plan.cancel, {
  signal: giving.signal,
  onprogress: () => giving.abort("given up"),
}).then(
  () => false,
  () => giving.signal.aborted,
);
for (let round = 0; round < 100; round++) {
  seen.check = text(await call(plan.check));
  if (seen.check.includes(plan.cancel.arguments.name)) break;
  await pause(50);
}
console.log(JSON.stringify(seen));
await client.close();
process.exit(0);
