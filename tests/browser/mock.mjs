// A stand-in for the server, with its HTTP contract and a network that guesses. For developing the pages without
// the server: `node mock.mjs [PORT]`. MOCK_CLASSES=fashion or letters, MOCK_TOKEN=… change what it serves.

import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const PAGES = new URL("../../crates/serve/pages/", import.meta.url);
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const CLASSES = {
  digits: [..."0123456789"],
  letters: [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"],
  fashion: ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
};
const TYPES = { css: "text/css", js: "text/javascript", html: "text/html; charset=utf-8" };

export function mock({ classes = "digits", token = null, lease = 120_000, models = ["mock"] } = {}) {
  const names = CLASSES[classes];
  const framed = classes !== "fashion";
  const input = framed ? [1, 28, 28] : [3, 32, 32];
  const started = Date.now();
  const items = new Map();
  const keys = new Map();
  const given = [];
  const requests = { ok: 0, error: 0, refused: 0 };
  let images = 0;
  let accepted = 0;

  /** A guess that depends on nothing but the bytes: small pictures of little ink are uncertain. */
  function classify(body) {
    const hash = createHash("sha256").update(body).digest();
    const sure = hash[0] < 200;
    const digit = hash[1] % names.length;
    const other = (digit + 1 + (hash[2] % (names.length - 1))) % names.length;
    const probabilities = names.map(() => 0.002);
    probabilities[digit] = 0;
    probabilities[other] = sure ? 0.002 : 0.36;
    probabilities[digit] = 1 - probabilities.reduce((a, b) => a + b, 0);
    const [c, h, w] = input;
    const pixels = Buffer.alloc(c * h * w);
    for (let i = 0; i < pixels.length; i += 1) {
      const [x, y] = [(i % w) - w / 2, (Math.floor(i / w) % h) - h / 2];
      const ring = Math.abs(Math.hypot(x, y * (0.6 + hash[3] / 500)) - 4 - hash[4] / 64);
      pixels[i] = Math.max(0, 255 - 110 * ring) * (c === 1 ? 1 : 0.4 + 0.3 * Math.floor(i / (h * w)));
    }
    return { digit, other, probabilities, sure, pixels };
  }

  function predict(body, query, type) {
    const { digit, other, probabilities, sure, pixels } = classify(body);
    images += 1;
    accepted += sure ? 1 : 0;
    let review = null;
    if (!sure && query.get("review") !== "false") {
      review = randomBytes(16).toString("hex");
      items.set(review, {
        id: review, picture: `data:${type ?? "image/png"};base64,${body.toString("base64")}`, input: pixels.toString("base64"), shape: input,
        classes: names, probabilities, reason: "low_confidence", model: "mock", version: "1", created: Date.now(),
        answers: [], needed: items.size % 4 === 3 ? 2 : 1, lease: null, skipped: new Map(),
      });
    }
    return {
      file: "-", digit, class: names[digit], confidence: probabilities[digit], probabilities, runner_up: other, runner_up_class: names[other],
      accepted: sure, reason: sure ? null : "low_confidence", region: framed ? { left: 60, top: 40, width: 120, height: 180 } : null,
      model: "mock", version: "1", review,
      next: sure ? { do: "keep", why: null, say: "Keep this answer." } : { do: "wait", why: "low_confidence", say: "The network is not sure. A person looks at it; wait for the answer." },
      ...(query.get("pixels") === "true" ? { pixels: pixels.toString("base64") } : {}),
    };
  }

  const values = (item) => item.answers.map(({ answer }) => answer);
  const disputed = (item) => item.answers.length >= 2 && new Set(values(item)).size === item.answers.length;
  const done = (item) => item.answers.length >= item.needed && !(disputed(item) && item.answers.length < 3);
  const held = (item) => item.lease && item.lease.expires > Date.now();

  function offer(item, reviewer) {
    item.lease = { reviewer, lease: randomBytes(8).toString("hex"), expires: Date.now() + lease };
    const { id, picture, input: pixels, shape, classes: of, probabilities, reason, model, version, created } = item;
    return {
      id, lease: item.lease.lease, expires: item.lease.expires, picture, input: pixels, shape, classes: of, probabilities, reason, model, version,
      created, second: item.answers.length === 1, disputed: disputed(item) ? item.answers.map(({ reviewer: who, answer }) => ({ reviewer: who, answer })) : null,
    };
  }

  function counts() {
    const all = [...items.values()];
    const undone = all.filter((item) => !done(item));
    return { open: undone.filter((i) => !held(i)).length, leased: undone.filter(held).length, disputed: undone.filter(disputed).length, done: all.length - undone.length };
  }

  function review(verb, id, body) {
    const { reviewer } = body;
    if (verb === "next") {
      const free = [...items.values()].find((item) => !done(item) && !held(item)
        && !item.answers.some((a) => a.reviewer === reviewer) && !(item.skipped.get(reviewer) > Date.now()));
      const item = free ? offer(free, reviewer) : null;
      const { open, leased, disputed: two } = counts();
      return [200, { item, left: open, leased, disputed: two }];
    }
    if (verb === "undo") {
      const last = given.findLast((one) => one.reviewer === reviewer);
      if (!last) return [200, { item: null }];
      given.splice(given.indexOf(last), 1);
      const item = items.get(last.id);
      item.answers = item.answers.filter((a) => a.key !== last.key);
      return [200, { item: offer(item, reviewer) }];
    }
    const item = items.get(id);
    if (!item) return [404, { error: "no such item" }];
    if (verb === "answer" && keys.has(body.key)) return [200, keys.get(body.key)];
    if (!held(item) || item.lease.reviewer !== reviewer || item.lease.lease !== body.lease) return [409, { error: "the lease is over" }];
    if (verb === "renew") return [200, { expires: (item.lease.expires = Date.now() + lease) }];
    item.lease = null;
    if (verb === "skip") {
      item.skipped.set(reviewer, Date.now() + 600_000);
      return [200, {}];
    }
    item.answers.push({ reviewer, answer: body.answer, key: body.key });
    given.push({ reviewer, id, key: body.key });
    const said = { state: done(item) ? "done" : disputed(item) ? "disputed" : "open" };
    keys.set(body.key, said);
    return [200, said];
  }

  function status() {
    const wave = Array.from({ length: 60 }, (_, i) => {
      const n = 20 + Math.round(15 * Math.sin(i / 7) + ((i * 37) % 11));
      return { at: Math.floor(Date.now() / 60_000 - 59 + i) * 60_000, images: n, deferred: Math.round(n * (0.03 + 0.02 * Math.sin(i / 9))) + ((i * 7) % 13 === 0 ? 1 : 0) };
    });
    return {
      model: "mock", version: "1", uptime_s: 93784 + (Date.now() - started) / 1000, requests, latency_ms: { p50: 1.84, p99: 6.2 }, images: images + 12345, accepted: accepted + 11900,
      deferred_share: 0.036, promised_share: 0.034, drift: { now: 0.9861, expected: 0.9874, significant: false }, history: wave,
      queue: counts(), agreement: { pairs: 41, agreed: 38, kappa: 0.918 }, memory_mb: 184,
    };
  }

  async function answer(request, url, body) {
    const [, first, second, third] = url.pathname.split("/");
    if (request.method === "GET" && ["", "review", "status"].includes(first) && !second) {
      return [200, await readFile(new URL(`${first || "index"}.html`, PAGES)), TYPES.html];
    }
    if (first === "assets" && /^[a-z]+\.(css|js)$/.test(second)) {
      return [200, await readFile(new URL(second, PAGES)), TYPES[second.split(".")[1]]];
    }
    if (token && request.headers.authorization !== `Bearer ${token}`) return [401, { error: "a token is needed" }];
    if (url.pathname === "/api/model") {
      const name = url.searchParams.get("model") ?? models[0];
      return [200, {
        name, models, version: "1", classes: names, input, picture: framed ? "framed" : "whole", threshold: 0.97, certified: true,
        promise: "At most 0.1 % of the accepted answers are wrong, with 95 % certainty.", accuracy: 0.9958,
      }];
    }
    if (url.pathname === "/api/status") return [200, status()];
    if (url.pathname === "/predict") return body.length ? [200, predict(body, url.searchParams, request.headers["content-type"])] : [400, { error: "no picture in the body" }];
    if (first === "reviews") {
      const item = items.get(second);
      if (!item) return [404, { error: "no such item" }];
      const until = Date.now() + 1000 * Number(url.searchParams.get("wait") ?? 0);
      while (!done(item) && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
      const last = done(item) ? item.answers.at(-1).answer : null;
      const index = names.indexOf(last);
      return [200, { id: second, state: done(item) ? "done" : disputed(item) ? "disputed" : "open", answer: last, class: index < 0 ? null : index, created: item.created, answered: null }];
    }
    if (url.pathname === "/review/export") return [200, gzipSync("answers"), "application/gzip"];
    if (first === "review" && request.method === "POST") {
      const json = JSON.parse(body.toString() || "{}");
      return third ? review(third, second, json) : review(second, null, json);
    }
    return [404, { error: "no such page" }];
  }

  return createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    try {
      const [code, content, type = "application/json"] = await answer(request, new URL(request.url, "http://mock"), Buffer.concat(parts));
      requests[code < 400 ? "ok" : "refused"] += 1;
      response.writeHead(code, { "Content-Type": type, "Content-Security-Policy": CSP });
      response.end(type === "application/json" ? JSON.stringify(content) : content);
    } catch (error) {
      requests.error += 1;
      response.writeHead(500, { "Content-Type": "application/json" });
      response.end(JSON.stringify({ error: String(error) }));
    }
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = mock({ classes: process.env.MOCK_CLASSES ?? "digits", token: process.env.MOCK_TOKEN ?? null });
  server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`));
}
