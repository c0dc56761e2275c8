// The page that shows how the server fares.

import { $, ask, count, counted, element, percent, shape, Unreachable, write } from "./common.js";

const EVERY = 5000;
/** Minutes that the line averages over: single minutes hold few images. */
const ROLLING = 10;
const MINUTE = 60_000;

const time = (value) => (typeof value === "number" ? value : Date.parse(value));
const clock = (ms) => new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const share = (value, digits = 1) => (value === null || value === undefined ? "–" : percent(value, digits));
const ms = (value) => (value === null || value === undefined ? "–" : `${value < 10 ? value.toFixed(1) : count(value)}\u202fms`);

function duration(seconds) {
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  return hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min` : `${Math.floor(seconds)} s`;
}

function tile(name, value, note, tone = "") {
  return element("div", tone ? { class: tone } : {}, [
    element("dt", {}, name), element("dd", { class: "value" }, value), element("dd", {}, note),
  ]);
}

const fact = (name, value) => element("div", {}, [element("dt", {}, name), element("dd", {}, value)]);

function showTiles({ requests, latency_ms: latency, images, accepted, deferred_share: deferred, promised_share: promised, drift }) {
  const failed = requests.error > 0;
  const drifting = drift?.significant === true;
  $("tiles").replaceChildren(
    tile("Requests answered", count(requests.ok), `${counted(requests.error, "error")}, ${count(requests.refused)} refused`, failed ? "warn" : ""),
    tile("Latency, half below", ms(latency?.p50), `99 % below ${ms(latency?.p99)}`),
    tile("Images", count(images), `${count(accepted)} accepted by the network`),
    tile("Handed to a person", share(deferred), promised === null ? "validation promised nothing" : `${share(promised)} in validation`),
    tile("Drift", drift ? (drifting ? "Yes" : "None seen") : "–", drift ? `${share(drift.now)} handed on of late, ${share(drift.expected)} expected` : "too few images to say", drifting ? "warn" : ""),
  );
}

function lead({ deferred_share: deferred, promised_share: promised, drift, queue, images, replacement }) {
  const waiting = queue.open + queue.leased + queue.disputed;
  const refused = replacement?.taken === false ? " A new model isn't taken over; the old one answers." : "";
  const queued = refused + (waiting ? ` ${counted(waiting, "image")} ${waiting === 1 ? "waits" : "wait"} for a person.` : " Nobody is waited for.");
  if (!images) return `No image has come yet.${queued}`;
  if (drift?.significant) return `What comes in differs from what the network was validated on.${queued}`;
  if (deferred !== null && promised !== null && deferred > 2 * promised && images >= 100) return `More images than promised go to a person.${queued}`;
  return `Nothing out of the ordinary.${queued}`;
}

function showFacts(status, model) {
  const { queue, agreement } = status;
  const kappa = agreement && (agreement.kappa === null ? "–" : agreement.kappa.toFixed(2));
  $("queue").replaceChildren(
    fact("Waiting", count(queue.open)),
    fact("With a reviewer now", count(queue.leased)),
    fact("Disputed", count(queue.disputed)),
    fact("Answered", count(queue.done)),
    fact("Agreement of two people", agreement
      ? `${count(agreement.agreed)} of ${counted(agreement.pairs, "pair")}; Cohen’s κ ${kappa}` : "no second opinions yet"),
  );
  $("about").replaceChildren(
    fact("Model", `${status.model} · ${status.version}`),
    ...(model ? [
      fact("Classes", count(model.classes.length)),
      fact("Input", `${model.input[2]} × ${model.input[1]}, ${model.input[0] === 1 ? "grey" : "colour"}`),
      fact("Accepted from", model.threshold === null ? "nothing is accepted" : percent(model.threshold, 2)),
      fact("Certified", model.certified ? "yes" : "no"),
    ] : []),
    ...(status.replacement ? [
      fact(status.replacement.taken ? "Taken over" : "Refused", `${status.replacement.version}: ${status.replacement.say}`),
    ] : []),
    fact("Running for", duration(status.uptime_s)),
    fact("Memory", `${count(status.memory_mb)}\u202fMB`),
  );
}

/** The least round share that is not below the value. */
function ceiling(value) {
  for (const top of [0.01, 0.02, 0.04, 0.06, 0.1, 0.15, 0.2, 0.3, 0.5]) if (value <= top) return top;
  return 1;
}

function rolling(minutes) {
  return minutes.map(({ at }) => {
    const window = minutes.filter((other) => other.at <= at && other.at > at - ROLLING * MINUTE);
    const images = window.reduce((sum, { images: n }) => sum + n, 0);
    return { at, share: images ? window.reduce((sum, { deferred }) => sum + deferred, 0) / images : null };
  });
}

function showChart(history, promised) {
  const minutes = history.map((entry) => ({ ...entry, at: time(entry.at) })).sort((a, b) => a.at - b.at);
  const averaged = rolling(minutes);
  // Narrow screens get a drawing of their own width, so that its text stays readable.
  const width = Math.max(280, Math.min(1060, $("chart").clientWidth || 1060));
  const height = width < 500 ? 250 : 300;
  const [left, right, top, bottom, strip] = [46, 14, 14, 24, 46];
  const floor = height - bottom - strip - 14;
  const end = minutes.at(-1)?.at ?? Date.now();
  const start = Math.min(end - 59 * MINUTE, minutes[0]?.at ?? end);
  const highest = ceiling(Math.max(promised ?? 0, ...averaged.map((point) => point.share ?? 0), 0.001) * 1.1);
  const most = Math.max(1, ...minutes.map(({ images }) => images));
  const slot = (width - left - right) / ((end - start) / MINUTE + 1);
  const x = (at) => left + ((at - start) / MINUTE + 0.5) * slot;
  const y = (value) => floor - (floor - top) * Math.min(value / highest, 1);
  const parts = [];
  for (const part of [0, 0.5, 1]) {
    const value = part * highest;
    parts.push(
      shape("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
      shape("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, `${+(100 * value).toFixed(1)}\u202f%`),
    );
  }
  const base = height - bottom;
  for (const { at, images } of minutes) {
    const tall = (strip * images) / most;
    parts.push(shape("rect", { class: "volume", x: x(at) - slot * 0.38, width: slot * 0.76, y: base - tall, height: tall }));
  }
  parts.push(
    shape("line", { class: "grid", x1: left, x2: width - right, y1: base, y2: base }),
  );
  const ticks = width < 500 ? [0, 30, 60] : [0, 15, 30, 45, 60];
  for (const ago of ticks) {
    const at = end - (ago * (end - start)) / 60;
    parts.push(shape("text", { x: x(at), y: height - 6, "text-anchor": ago === 0 ? "end" : ago === 60 ? "start" : "middle" }, clock(at)));
  }
  if (promised !== null) {
    parts.push(shape("line", { class: "promised", x1: left, x2: width - right, y1: y(promised), y2: y(promised) }));
  }
  let path = "";
  for (const { at, share: value } of averaged) {
    if (value !== null) path += `${path ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
  }
  if (path) parts.push(shape("path", { class: "actual", d: path }));
  const last = averaged.at(-1)?.share ?? null;
  if (last !== null) parts.push(shape("circle", { class: "now", cx: x(end), cy: y(last), r: 4 }));
  const told = `Share handed to a person in the last hour: ${share(last)} now${promised === null ? "" : `, ${share(promised)} promised by validation`}.`;
  $("chart").replaceChildren(shape("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": told }, parts));
  const key = (name, text) => element("li", {}, [element("span", { class: `swatch ${name}` }), text]);
  $("legend").replaceChildren(
    key("actual", `mean of ${ROLLING} minutes`),
    ...(promised === null ? [] : [key("promised", "promised by validation")]),
    key("volume", `images per minute, up to ${count(most)}`),
  );
  write($("chart-note"), minutes.some(({ images }) => images)
    ? `The last hour by minute. Now ${share(last)}${promised === null ? "; validation promised nothing to compare with." : `; validation promised ${share(promised)}. A lasting gap means that other pictures come in than those the network was validated on.`}`
    : "No image has come in the last hour.");
  $("table").tBodies[0].replaceChildren(...minutes.filter(({ images }) => images).reverse().map(({ at, images, deferred }) =>
    element("tr", {}, [
      element("th", { scope: "row" }, clock(at)), element("td", {}, count(images)),
      element("td", {}, count(deferred)), element("td", {}, percent(deferred / images)),
    ])));
}

let model = null;
let latest = null;

/** What people answered, as a file. */
async function download() {
  $("download").disabled = true;
  write($("download-note"), "Packing…");
  try {
    const file = await ask(`/review/export?model=${encodeURIComponent(latest.model)}`, { what: "blob", patience: 120_000 });
    const link = element("a", { href: URL.createObjectURL(file), download: `answers-${latest.model}.tar.gz` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    write($("download-note"), "Downloaded. Unpacked, its folder is what data.also of a recipe takes.");
  } catch (error) {
    write($("download-note"), error.message);
  }
  $("download").disabled = false;
}

async function refresh() {
  let again = EVERY;
  try {
    const status = await ask("/api/status");
    // Another version may have been loaded since.
    if (model?.version !== status.version) model = await ask("/api/model").catch(() => null);
    latest = status;
    write($("model"), `${status.model} · ${status.version}`);
    write($("lead"), lead(status));
    $("figures").hidden = false;
    showTiles(status);
    showFacts(status, model);
    showChart(status.history ?? [], status.promised_share);
    $("trouble").hidden = true;
  } catch (error) {
    $("trouble").hidden = false;
    write($("trouble"), `${error.message}${latest ? " What stands here is what it said last." : ""}${error instanceof Unreachable ? " Trying again…" : ""}`);
    if (!(error instanceof Unreachable)) again = null;
  }
  if (again) setTimeout(whenSeen, again);
}

/** Asked only while somebody looks. */
function whenSeen() {
  if (document.hidden) document.addEventListener("visibilitychange", whenSeen, { once: true });
  else refresh();
}

$("download").addEventListener("click", download);
addEventListener("resize", () => latest && showChart(latest.history ?? [], latest.promised_share));
whenSeen();
