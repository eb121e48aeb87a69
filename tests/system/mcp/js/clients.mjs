// SPDX-License-Identifier: Apache-2.0
// node clients.mjs GATEWAY_URL KEY: the official clients of both generations; a JSON line {"check", "ok"} for each claim.
import * as v2 from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [url, key] = process.argv.slice(2);
const say = (check, ok, detail) => console.log(JSON.stringify({ check, ok: Boolean(ok), detail }));
const options = (token) => ({ requestInit: { headers: { authorization: `Bearer ${token}` } } });

const kinds = {
  v1: (token) => [new ClientV1({ name: "t", version: "1" }), new TransportV1(new URL(url + "/mcp"), options(token))],
  v2: (token) => [new v2.Client({ name: "t", version: "1" }), new v2.StreamableHTTPClientTransport(new URL(url + "/mcp"), options(token))],
  "v2 without sessions": (token) => [
    new v2.Client({ name: "t", version: "1" }, { versionNegotiation: { mode: "auto" } }),
    new v2.StreamableHTTPClientTransport(new URL(url + "/mcp"), options(token)),
  ],
};

const text = (result) => result.content.map((block) => block.text).join("\n");

for (const [kind, make] of Object.entries(kinds)) {
  const [client, transport] = make(key);
  await client.connect(transport);
  const { tools } = await client.listTools();
  say(`${kind}: lists tools`, tools.some((tool) => tool.name === "json__send"), tools.map((tool) => tool.name));
  say(`${kind}: not poisoned ones`, !tools.some((tool) => /poisoned|hidden|internal/.test(tool.name)));
  const sent = await client.callTool({ name: "json__send", arguments: { to: "eve", copies: 3 } });
  say(`${kind}: calls`, !sent.isError && text(sent) === "sent 3 to eve", sent);
  const denied = await client.callTool({ name: "json__remove", arguments: { letter: "a" } });
  say(`${kind}: denial`, denied.isError && text(denied).includes("no-removal"), denied);
  const injected = await client.callTool({ name: "sse__fetch", arguments: { page: "bad" } });
  say(`${kind}: injection`, injected.isError && !text(injected).includes("previous instructions"), injected);
  const code = await client.callTool({ name: "json__nothing", arguments: {} }).then(() => 0, (error) => error.code);
  say(`${kind}: unknown tool`, code === -32602, code);
  await client.close();
  const [stranger, entry] = make("wrong");
  const refused = await stranger.connect(entry).then(() => "connected", (error) => String(error.code ?? error.name ?? error));
  say(`${kind}: wrong key`, refused !== "connected", refused);
}
