// Drives the pages in Chromium. SERVE_URL names a running server (SERVE_TOKEN its token, if it wants one; it has to
// keep a review queue); without it a stand-in with the same contract is tested against.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, test } from "node:test";
import { chromium } from "playwright-core";
import { mock } from "./mock.mjs";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const stand = [];
let browser;
let base;
let contexts = [];
let errors = [];

async function standIn(options) {
  const server = mock(options);
  stand.push(server);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${server.address().port}`;
}

before(async () => {
  base = process.env.SERVE_URL?.replace(/\/$/, "") ?? (await standIn());
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
});

after(async () => {
  await browser?.close();
  for (const server of stand) {
    server.closeAllConnections();
    server.close();
  }
});

afterEach(async () => {
  for (const context of contexts) await context.close();
  contexts = [];
  const seen = errors;
  errors = [];
  assert.deepEqual(seen, [], "the console shows no errors; breaches of the content security policy count");
});

/** A page of a person of their own. `expected` matches console errors that the test provokes. */
async function person({ reviewer, expected = null, token = process.env.SERVE_TOKEN, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1180, height: 860 }, ...options });
  contexts.push(context);
  await context.addInitScript(([name, secret]) => {
    if (name) localStorage.setItem("reviewer", name);
    if (secret) sessionStorage.setItem("token", secret);
  }, [reviewer, token]);
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !expected?.test(message.text())) errors.push(message.text());
  });
  return page;
}

const named = (name) => `${name} ${Math.random().toString(36).slice(2, 8)}`;

async function draw(page, points) {
  const box = await page.locator("#paper").boundingBox();
  const at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at(points[0]));
  await page.mouse.down();
  for (const point of points.slice(1)) await page.mouse.move(...at(point), { steps: 20 });
  await page.mouse.up();
}

/** The answer to what is on the page now; while it is drawn there are answers to parts of it. */
const answered = (page) => page.locator('#verdict:is(.good, .bad)[aria-busy="false"]').waitFor();

const SEVEN = [[0.3, 0.25], [0.68, 0.25], [0.45, 0.8]];

/** A PNG with random strokes that resemble nothing. */
const scribble = (page) => page.evaluate(async () => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 200;
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, 200, 200);
  context.lineWidth = 14;
  context.beginPath();
  for (let i = 0; i < 6; i += 1) context.lineTo(50 + 100 * Math.random(), 40 + 120 * Math.random());
  context.stroke();
  return canvas.toDataURL("image/png").split(",")[1];
});

/** Sees to it that so many images are in the queue; needs a page of the server. */
async function defer(page, wanted) {
  let stored = 0;
  for (let tries = 0; stored < wanted && tries < 40 * wanted; tries += 1) {
    const png = await scribble(page);
    const token = process.env.SERVE_TOKEN;
    const response = await page.request.post(`${base}/predict`, {
      data: Buffer.from(png, "base64"),
      headers: { "Content-Type": "image/png", ...(token ? { Authorization: `Bearer ${token}` } : {}) },
    });
    if (response.status() === 200 && (await response.json()).review) stored += 1;
  }
  assert.equal(stored, wanted, "the server puts scribbles into its queue");
}

const item = (page) => page.locator("#figure").getAttribute("data-item");

/** Opens the review page with an image on it. */
async function reviewing(options = {}) {
  const page = await person({ reviewer: named("Ann"), ...options });
  await page.goto(`${base}/review`);
  await page.locator("#desk").waitFor();
  return page;
}

/** The next image, another than this. */
async function past(page, id) {
  await page.waitForFunction((old) => {
    const figure = document.getElementById("figure");
    return figure.dataset.item !== old || document.getElementById("desk").hidden;
  }, id);
}

async function filled(wanted) {
  const page = await person();
  await page.goto(base);
  await defer(page, wanted);
  await page.context().close();
}

const posts = (page, ending) => {
  const seen = [];
  page.on("request", (request) => {
    if (request.method() === "POST" && request.url().endsWith(ending)) seen.push(request.postDataJSON());
  });
  return seen;
};

test("a drawn digit gets probabilities, the network's input and a verdict while it is drawn", async () => {
  const page = await person();
  const asked = [];
  page.on("request", (request) => request.url().includes("/predict") && asked.push(request.url()));
  await page.goto(base);
  await page.locator("#bars li").first().waitFor();
  assert.equal(await page.locator("#state").textContent(), "Nothing yet");
  await draw(page, SEVEN);
  await answered(page);
  assert.match(await page.locator("#bars li.first .value, #bars .value").first().textContent(), /%|–/);
  assert.equal(await page.locator("#bars li").count(), 10);
  assert.match(await page.locator("#state").textContent(), /^(Accepted|Not accepted)/);
  assert.notEqual(await page.locator("#say").textContent(), "");
  assert.match(await page.locator("#input").getAttribute("aria-label"), /28 by 28/);
  assert.ok(asked.length >= 2, "it is asked while the hand still draws");
  assert.ok(asked.every((url) => url.includes("review=false")), "half-drawn digits do not go to people");
});

test("clearing takes the answer away", async () => {
  const page = await person();
  await page.goto(base);
  await draw(page, SEVEN);
  await answered(page);
  await page.getByRole("button", { name: "Clear" }).click();
  await page.locator("#verdict:not(.good, .bad)").waitFor();
  await page.waitForTimeout(300);
  assert.equal(await page.locator("#state").textContent(), "Nothing yet");
});

test("a digit can be drawn with keys alone", async () => {
  const page = await person();
  await page.goto(base);
  await page.locator("#paper").focus();
  await page.keyboard.press("Space");
  for (let i = 0; i < 14; i += 1) await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Space");
  await answered(page);
});

test("a dropped picture is classified", async () => {
  const page = await person();
  await page.goto(base);
  await page.locator("#bars li").first().waitFor();
  const png = await scribble(page);
  const transfer = await page.evaluateHandle((base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], "digit.png", { type: "image/png" }));
    return data;
  }, png);
  await page.dispatchEvent("#pad", "drop", { dataTransfer: transfer });
  await answered(page);
  assert.ok(await page.locator("#picture").isVisible());
});

test("a file that is no picture is refused in words, and drawing goes on", async () => {
  const page = await person({ expected: /status of 4\d\d/ });
  await page.goto(base);
  await page.locator("#bars li").first().waitFor();
  await page.setInputFiles("#file", { name: "no.png", mimeType: "image/png", buffer: Buffer.from("") });
  await page.locator("#trouble").waitFor();
  assert.notEqual(await page.locator("#trouble").textContent(), "");
  await page.getByRole("button", { name: "Clear" }).click();
  await draw(page, SEVEN);
  await answered(page);
  assert.ok(await page.locator("#trouble").isHidden());
});

test("the reviewer's name is asked once", async () => {
  await filled(1);
  const page = await person();
  await page.goto(`${base}/review`);
  await page.getByLabel("Your name").fill(named("Eve"));
  await page.keyboard.press("Enter");
  await page.locator("#desk").waitFor();
  const id = await item(page);
  await page.reload();
  await page.locator("#desk").waitFor();
  assert.ok(await page.locator("#name-form").isHidden());
  assert.equal(await item(page), id, "after a reload the same image is shown, not locked");
});

test("keys answer, the next image comes by itself, and saved is said after the server has it", async () => {
  await filled(4);
  const page = await reviewing();
  const sent = posts(page, "/answer");
  let release;
  const held = new Promise((resolve) => { release = resolve; });
  await page.route("**/answer", async (route) => {
    await held;
    await route.continue();
  });
  const first = await item(page);
  await page.keyboard.press("3");
  await page.waitForTimeout(300);
  assert.doesNotMatch(await page.locator("#saved").textContent(), /^Saved:/);
  release();
  await page.getByText("Saved: 3").waitFor();
  await past(page, first);
  for (const [key, answer] of [["n", "none"], ["u", "unsure"]]) {
    const id = await item(page);
    await page.keyboard.press(key);
    await past(page, id);
    assert.equal(sent.at(-1).answer, answer);
  }
  assert.equal(sent[0].answer, "3");
  assert.equal(new Set(sent.map(({ key }) => key)).size, sent.length, "each answer has a key of its own");
});

test("a skipped image is not answered and does not come back at once", async () => {
  await filled(2);
  const page = await reviewing();
  const sent = posts(page, "/answer");
  const id = await item(page);
  await page.keyboard.press("s");
  await past(page, id);
  assert.equal(sent.length, 0);
  assert.notEqual(await page.locator("#desk").isVisible() && await item(page), id);
});

test("undo brings the last image back, then the one that was at hand", async () => {
  await filled(3);
  const page = await reviewing();
  const first = await item(page);
  await page.keyboard.press("1");
  await past(page, first);
  const second = await item(page);
  await page.keyboard.press("z");
  await past(page, second);
  assert.equal(await item(page), first);
  await page.keyboard.press("7");
  await past(page, first);
  assert.equal(await item(page), second);
});

test("two people are never shown the same image at a time", async () => {
  await filled(6);
  const [ann, ben] = await Promise.all([reviewing(), reviewing()]);
  for (let round = 0; round < 3; round += 1) {
    const ids = await Promise.all([item(ann), item(ben)]);
    assert.notEqual(ids[0], ids[1]);
    await Promise.all([ann.keyboard.press("4"), ben.keyboard.press("4")]);
    if (round < 2) await Promise.all([past(ann, ids[0]), past(ben, ids[1])]);
  }
});

test("an answer that the network lost is sent again with the same key", async () => {
  await filled(2);
  const page = await reviewing({ expected: /ERR_FAILED/ });
  const sent = posts(page, "/answer");
  let broken = true;
  await page.route("**/answer", (route) => (broken ? route.abort() : route.continue()));
  const id = await item(page);
  await page.keyboard.press("5");
  await page.locator("#trouble").waitFor();
  assert.match(await page.locator("#trouble").textContent(), /Not saved yet: “5”/);
  await page.keyboard.press("6");
  assert.equal(await item(page), id, "the image stays until its answer is saved");
  broken = false;
  await page.getByRole("button", { name: "Try again now" }).click();
  await page.getByText("Saved: 5").waitFor();
  assert.ok(await page.locator("#trouble").isHidden());
  assert.ok(sent.length >= 2);
  assert.equal(new Set(sent.map(({ key, answer }) => key + answer)).size, 1);
});

test("an answer outlives a reload while the server is away", async () => {
  await filled(2);
  const page = await reviewing({ expected: /ERR_FAILED/ });
  const sent = posts(page, "/answer");
  await page.route("**/answer", (route) => route.abort());
  await page.keyboard.press("8");
  await page.locator("#trouble").waitFor();
  await page.unroute("**/answer");
  // A new page of the same browser: what was held in memory is gone.
  page.on("dialog", (dialog) => dialog.accept());
  await page.goto(`${base}/review`);
  await page.getByText(/Saved: 1 answer from before/).waitFor();
  assert.equal(new Set(sent.map(({ key, answer }) => key + answer)).size, 1);
});

test("an answer whose reply was lost counts once", async () => {
  await filled(2);
  const page = await reviewing({ expected: /ERR_FAILED/ });
  let replies = 0;
  await page.route("**/answer", async (route) => {
    const response = await route.fetch();
    replies += 1;
    if (replies === 1) return route.abort();
    assert.equal(response.status(), 200, "the retry is no conflict");
    return route.fulfill({ response });
  });
  await page.keyboard.press("2");
  await page.getByText("Saved: 2").waitFor();
  assert.equal(replies, 2);
});

test("an image that has gone to somebody else is said to have", async () => {
  await filled(2);
  const page = await reviewing({ expected: /409/ });
  await page.route("**/answer", (route) => route.fulfill({ status: 409, json: { error: "the lease is over" } }));
  const id = await item(page);
  await page.keyboard.press("2");
  await page.getByText(/Not counted/).waitFor();
  await past(page, id);
});

test("a lease is renewed before it ends", async () => {
  await filled(1);
  const page = await person({ reviewer: named("Ann") });
  await page.route("**/review/next", async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    if (body.item) body.item.expires = Date.now() + 3000;
    await route.fulfill({ response, json: body });
  });
  const renewed = page.waitForRequest("**/renew");
  await page.goto(`${base}/review`);
  await renewed;
});

test("nothing left is told apart from all being with others", async () => {
  const page = await person({ reviewer: named("Ann") });
  let leased = 3;
  await page.route("**/review/next", (route) => route.fulfill({ json: { item: null, left: 0, leased, disputed: 0 } }));
  await page.goto(`${base}/review`);
  await page.getByRole("heading", { name: "All are with others" }).waitFor();
  leased = 0;
  await page.getByRole("button", { name: "Look again" }).click();
  await page.getByRole("heading", { name: "Nothing left" }).waitFor();
});

function someItem(change) {
  return {
    id: "0".repeat(32), lease: "1", expires: Date.now() + 120_000, picture: null, input: Buffer.alloc(784, 90).toString("base64"), shape: [1, 28, 28],
    classes: [..."0123456789"], probabilities: Array(10).fill(0.1), reason: "low_confidence", model: "m", version: "1", created: Date.now(),
    second: false, disputed: null, ...change,
  };
}

async function reviewingItem(change) {
  const page = await person({ reviewer: "Ann" });
  const sent = posts(page, "/answer");
  await page.route("**/review/next", (route) => route.fulfill({ json: { item: someItem(change), left: 1, leased: 1, disputed: 0 } }));
  await page.route("**/answer", (route) => route.fulfill({ json: { state: "done" } }));
  await page.goto(`${base}/review`);
  await page.locator("#desk").waitFor();
  return { page, sent };
}

test("second opinions and disputes are shown as such, and names are no HTML", async () => {
  const { page } = await reviewingItem({ second: true });
  assert.ok(await page.locator("#second").isVisible());
  const evil = "<img src=x onerror=alert(1)>";
  const other = await reviewingItem({ disputed: [{ reviewer: evil, answer: "3" }, { reviewer: "Ben", answer: "none" }] });
  const text = await other.page.locator("#dispute").textContent();
  assert.ok(text.includes(`${evil} said 3, Ben said none of these`));
  assert.equal(await other.page.locator("#dispute img").count(), 0);
});

test("where classes are letters, letters answer and commands need Alt", async () => {
  const { page, sent } = await reviewingItem({ classes: [..."ABNSUZ"], probabilities: Array(6).fill(1 / 6) });
  for (const [keys, answer] of [["n", "N"], ["u", "U"], ["Alt+n", "none"], ["Alt+u", "unsure"]]) {
    const before = sent.length;
    await page.keyboard.press(keys);
    await page.waitForFunction(() => !document.getElementById("desk").hasAttribute("aria-busy"));
    await page.waitForTimeout(100);
    assert.equal(sent.length, before + 1, keys);
    assert.equal(sent.at(-1).answer, answer);
  }
});

test("where names begin alike, the beginning is typed and Enter answers", async () => {
  const classes = ["T-shirt", "Trouser", "Sandal", "Shirt", "Sneaker"];
  const { page, sent } = await reviewingItem({ classes, probabilities: Array(5).fill(0.2) });
  await page.keyboard.type("sn");
  assert.equal(sent.length, 0);
  await page.keyboard.press("Enter");
  await page.getByText("Saved: Sneaker").waitFor();
  assert.equal(sent[0].answer, "Sneaker");
});

test("a thousand classes are answered by typing", async () => {
  const classes = Array.from({ length: 1000 }, (_, index) => `species ${index + 1}`);
  const { page, sent } = await reviewingItem({ classes, probabilities: Array(1000).fill(0.001) });
  assert.ok(await page.locator("#desk button").count() < 60);
  await page.locator("#filter").fill("species 777");
  await page.keyboard.press("Enter");
  await page.getByText("Saved: species 777").waitFor();
  assert.equal(sent[0].answer, "species 777");
});

test("the status page shows figures and draws its chart", async () => {
  const page = await person();
  await page.goto(`${base}/status`);
  await page.locator("#chart svg").waitFor();
  assert.ok(await page.locator("#tiles > div").count() >= 4);
});

test("what people answered is downloaded as a data set", async () => {
  await filled(2);
  const page = await reviewing();
  const shown = await item(page);
  await page.keyboard.press("1");
  await page.waitForFunction((shown) => document.getElementById("figure").dataset.item !== shown, shown);
  await page.goto(`${base}/status`);
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download the answers" }).click();
  const file = await download;
  assert.match(file.suggestedFilename(), /^answers-.+\.tar\.gz$/);
  const bytes = await readFile(await file.path());
  assert.deepEqual([...bytes.subarray(0, 2)], [0x1f, 0x8b]);
  await page.locator("#download-note", { hasText: "Downloaded" }).waitFor();
});

test("a token is asked for once where the server wants one", { skip: Boolean(process.env.SERVE_URL) && "needs the stand-in" }, async () => {
  const own = await standIn({ token: "secret" });
  const page = await person({ expected: /401/, token: null });
  await page.goto(own);
  await page.getByRole("dialog").waitFor();
  await page.getByRole("dialog").getByLabel("Token").fill("secret");
  await page.keyboard.press("Enter");
  await page.locator("#bars li").first().waitFor();
  await page.goto(`${own}/status`);
  await page.locator("#chart svg").waitFor();
  assert.equal(await page.locator("dialog").count(), 0);
});

test("where pictures are whole, nothing is drawn", { skip: Boolean(process.env.SERVE_URL) && "needs the stand-in" }, async () => {
  const own = await standIn({ classes: "fashion" });
  const page = await person();
  await page.goto(own);
  await page.locator("#bars li").first().waitFor();
  assert.ok(await page.locator("#paper").isHidden());
  await page.setInputFiles("#file", { name: "a.png", mimeType: "image/png", buffer: Buffer.from(await scribble(page), "base64") });
  await answered(page);
});

test("of several models one is chosen, and asked from then on", { skip: Boolean(process.env.SERVE_URL) && "needs the stand-in" }, async () => {
  const own = await standIn({ models: ["mock", "other one"] });
  const page = await person();
  await page.goto(own);
  const models = page.getByLabel("Model");
  await models.waitFor();
  assert.equal(await models.inputValue(), "mock");
  await models.selectOption("other one");
  await page.locator("#model", { hasText: "other one" }).waitFor();
  const asked = page.waitForRequest((request) => request.url().includes("/predict?"));
  await page.setInputFiles("#file", { name: "a.png", mimeType: "image/png", buffer: Buffer.from(await scribble(page), "base64") });
  assert.equal(new URL((await asked).url()).searchParams.get("model"), "other one");
  await answered(page);
});

for (const colorScheme of ["light", "dark"]) {
  for (const width of [360, 390, 1180]) {
    test(`nothing overflows at ${width} px, ${colorScheme}`, async () => {
      await filled(1);
      const page = await person({ colorScheme, viewport: { width, height: 800 }, reviewer: named("A rather long name of a person") });
      for (const [path, ready] of [["/", "#bars li"], ["/review", "#desk"], ["/status", "#chart svg"]]) {
        await page.goto(base + path);
        await page.locator(ready).first().waitFor();
        const { scroll, client } = await page.evaluate(() => ({ scroll: document.documentElement.scrollWidth, client: document.documentElement.clientWidth }));
        assert.ok(scroll <= client, `${path}: ${scroll} > ${client}`);
      }
    });
  }
}
