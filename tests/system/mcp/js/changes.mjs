// SPDX-License-Identifier: Apache-2.0
// node changes.mjs GATEWAY_URL KEY SERVER_URL: what the official clients of both generations hear of a server that is told to change; lines as of clients.mjs.
import * as v2 from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ResourceListChangedNotificationSchema, ResourceUpdatedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";

const [url, key, server] = process.argv.slice(2);
const say = (check, ok, detail) => console.log(JSON.stringify({ check, ok: Boolean(ok), detail }));
const options = { requestInit: { headers: { authorization: `Bearer ${key}` } } };
const me = { name: "t", version: "1" };
const door = "mcp+sessions+office://door";
const denied = "mcp+sessions+office://denied";
const tell = (path) => fetch(server + path, { method: "POST" });
const poke = async () => {
  await tell("/_touch?uri=office://door");
  await tell("/_lists");
};

// The stream may only just be opening, so the server is told again and again.
const until = async (is_so) => {
  for (const end = Date.now() + 20_000; !is_so() && Date.now() < end; ) {
    await poke();
    await new Promise((done) => setTimeout(done, 200));
  }
  return is_so();
};

const kinds = {
  v1: async (heard) => {
    const client = new ClientV1(me);
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, (note) => void heard.add(note.params.uri));
    client.setNotificationHandler(ResourceListChangedNotificationSchema, () => void heard.add("list"));
    await client.connect(new TransportV1(new URL(url + "/mcp"), options));
    const refused = await client.subscribeResource({ uri: denied }).then(() => false, () => true);
    await client.subscribeResource({ uri: door });
    return [client, refused];
  },
  v2: async (heard) => {
    const client = new v2.Client(me);
    client.setNotificationHandler("notifications/resources/updated", (note) => void heard.add(note.params.uri));
    client.setNotificationHandler("notifications/resources/list_changed", () => void heard.add("list"));
    await client.connect(new v2.StreamableHTTPClientTransport(new URL(url + "/mcp"), options));
    const refused = await client.subscribeResource({ uri: denied }).then(() => false, () => true);
    await client.subscribeResource({ uri: door });
    return [client, refused];
  },
  "v2 without sessions": async (heard) => {
    const client = new v2.Client(me, { versionNegotiation: { mode: "auto" } });
    client.setNotificationHandler("notifications/resources/updated", (note) => void heard.add(note.params.uri));
    client.setNotificationHandler("notifications/resources/list_changed", () => void heard.add("list"));
    await client.connect(new v2.StreamableHTTPClientTransport(new URL(url + "/mcp"), options));
    const stream = await client.listen({ resourceSubscriptions: [door, denied], resourcesListChanged: true });
    return [client, !stream.honoredFilter.resourceSubscriptions.includes(denied)];
  },
};

for (const [kind, open] of Object.entries(kinds)) {
  const heard = new Set();
  const [client, refused] = await open(heard);
  say(`${kind}: not what policy denies`, refused);
  say(`${kind}: hears of a resource and of the list`, await until(() => heard.has(door) && heard.has("list")), [...heard]);
  say(`${kind}: of nothing else`, heard.size === 2, [...heard]);
  const read = await client.readResource({ uri: door });
  say(`${kind}: reads it`, read.contents[0].text === "this is door", read);
  await client.close();
}
