// SPDX-License-Identifier: Apache-2.0
// A client for the capture tests, for bun, deno and node: client.mjs <url> <ca file> <request bytes> <count>
import { readFileSync } from "node:fs";
import https from "node:https";

const [url, caFile, size, count] = process.argv.slice(2);
const ca = readFileSync(caFile, "utf8");

function stamped(bytes, seed) {
  let out = "";
  for (let line = 0; out.length < bytes; line++) out += `${line.toString(16).padStart(8, "0")}.${seed.toString(16).padStart(6, "0")};`;
  return out.slice(0, bytes);
}

const agent = new https.Agent({ ca, keepAlive: true });
function postByHttps(path, body) {
  return new Promise((resolve, reject) => {
    const request = https.request(url + path, { method: "POST", agent, headers: { "content-length": body.length } }, (reply) => {
      reply.on("data", () => {});
      reply.on("end", resolve);
    });
    request.on("error", reject);
    request.end(body);
  });
}

async function postByFetch(path, body) {
  const options = globalThis.Bun ? { tls: { ca } } : {}; // deno takes it from DENO_CERT
  await (await fetch(url + path, { method: "POST", body, ...options })).arrayBuffer();
}

const post = globalThis.Bun || globalThis.Deno ? postByFetch : postByHttps;
await new Promise((resolve) => setTimeout(resolve, 1500)); // the first start of a new program races with its analysis
for (let i = 0; i < Number(count); i++) await post(`/echo/${i}`, stamped(Number(size), i));
process.exit(0);
