// The page on which a picture is drawn or dropped, and what the network says of it.

import { Paper } from "./paper.js";
import { follow } from "./person.js";
import { $, ask, bytes, count, counted, element, paintInput, percent, reason, Unreachable, write } from "./common.js";

/** So many classes are all shown, in their order; of more, the likeliest. */
const ALL = 12;
const LIKELIEST = 10;
/** A network's input looks like a digit in the frame of MNIST: light on dark. */
const framedGrey = (model) => model.picture === "framed" && model.input[0] === 1;

let model = null;
/** Where the server has several models, the name of the one that was chosen. */
let named = null;
/** The chosen picture; null while the paper is what counts. */
let chosen = null;
/** Counts changes, so that an answer to an older picture is not taken for one to this. */
let version = 0;
let region = null;
let busy = false;
let handing = null;
const rows = new Map();
const paper = new Paper($("paper"), $("nib"), changed);

function clear() {
  chosen = null;
  paper.clear();
}

// ---- Choosing

async function choose(file) {
  if (!file || !model) return;
  clear();
  chosen = file;
  const canvas = $("picture");
  $("region").hidden = true;
  canvas.width = canvas.height = 0;
  changed();
  const of = version;
  try {
    const image = await createImageBitmap(file);
    if (of !== version) return;
    const scale = Math.min(1, 1200 / Math.max(image.width, image.height));
    canvas.width = Math.max(1, Math.round(image.width * scale));
    canvas.height = Math.max(1, Math.round(image.height * scale));
    // Small ones are enlarged to the pad, tall ones fill its height.
    $("shown").style.width = `${100 * Math.min(1, image.width / image.height)}%`;
    canvas.classList.toggle("tiny", Math.max(image.width, image.height) < 100);
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.dataset.width = image.width;
    canvas.dataset.height = image.height;
    placeRegion();
  } catch {
    // What this browser can't show the server may be able to read; it says so where it can't.
  }
}

function placeRegion() {
  const { width, height } = $("picture").dataset;
  const frame = $("region");
  const there = chosen && region && Number(width) > 0 && $("picture").width > 0;
  frame.hidden = !there;
  if (!there) return;
  const box = Array.isArray(region) ? { left: region[0], top: region[1], width: region[2], height: region[3] } : region;
  frame.style.left = `${(100 * box.left) / width}%`;
  frame.style.top = `${(100 * box.top) / height}%`;
  frame.style.width = `${(100 * box.width) / width}%`;
  frame.style.height = `${(100 * box.height) / height}%`;
}

$("file").addEventListener("change", (event) => {
  choose(event.target.files[0]);
  event.target.value = "";
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  $("pad").classList.add("over");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) $("pad").classList.remove("over");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  $("pad").classList.remove("over");
  const file = [...event.dataTransfer.files][0];
  if (file) choose(file);
});
addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files ?? [])][0];
  if (file) choose(file);
});
$("clear").addEventListener("click", clear);
$("undo").addEventListener("click", () => paper.undo());

// ---- Asking

const empty = () => !chosen && paper.empty;

function changed() {
  version += 1;
  pending(!empty());
  region = null;
  handing?.abort();
  handing = null;
  write($("person"), "");
  $("hand").hidden = true;
  $("clear").disabled = empty();
  $("undo").disabled = paper.empty;
  $("shown").hidden = !chosen;
  $("paper").hidden = Boolean(chosen) || model?.picture !== "framed";
  $("hint").hidden = $("paper").hidden || !empty();
  $("drop-hint").hidden = Boolean(chosen) || model?.picture === "framed";
  if (empty()) {
    trouble("");
    showNothing();
  } else predict();
}

const picture = () => chosen ?? paper.png();

/** An address that asks the chosen model. */
const asked = (path) => named === null ? path : `${path}${path.includes("?") ? "&" : "?"}model=${encodeURIComponent(named)}`;

/** One request at a time; what changes meanwhile is asked for after it. */
async function predict() {
  if (busy) return;
  busy = true;
  let failed = 0;
  while (!empty()) {
    const of = version;
    try {
      const said = await ask(asked("/predict?review=false&pixels=true"), { body: await picture() });
      failed = 0;
      trouble("");
      if (of === version) show(said);
    } catch (error) {
      if (of === version) {
        trouble(error.message + (error instanceof Unreachable ? " Trying again…" : ""));
        if (!(error instanceof Unreachable)) showNothing("Not answered");
      }
      if (error instanceof Unreachable) {
        failed += 1;
        await new Promise((resolve) => setTimeout(resolve, Math.min(500 * 2 ** failed, 8000)));
        continue;
      }
    }
    if (of === version) break;
  }
  busy = false;
  if (empty()) showNothing();
}

function trouble(text) {
  $("trouble").hidden = text === "";
  write($("trouble"), text);
}

// ---- Showing

function row(name) {
  const bar = element("span", { class: "share", "aria-hidden": "true" }, [element("span")]);
  const value = element("span", { class: "value" });
  const label = element("span", { class: "class", title: name }, name);
  return { node: element("li", {}, [label, bar, value]), bar, fill: bar.firstChild, value };
}

function showBars(probabilities, digit) {
  const classes = model.classes;
  const all = classes.length <= ALL;
  let indices = classes.map((_, index) => index);
  if (!all) {
    indices = probabilities
      ? indices.sort((a, b) => probabilities[b] - probabilities[a] || a - b).slice(0, LIKELIEST)
      : [];
  }
  const nodes = indices.map((index) => {
    if (!rows.has(index)) rows.set(index, row(classes[index]));
    const { node, bar, fill, value } = rows.get(index);
    const share = probabilities?.[index] ?? 0;
    fill.style.width = `${100 * share}%`;
    if (model.threshold !== null) bar.style.setProperty("--threshold", `${100 * model.threshold}%`);
    node.classList.toggle("first", probabilities !== null && index === digit);
    write(value, probabilities ? percent(share) : "–");
    return node;
  });
  const list = $("bars");
  if (nodes.length !== list.children.length || nodes.some((node, i) => node !== list.children[i])) list.replaceChildren(...nodes);
  const shown = probabilities ? indices.reduce((sum, index) => sum + probabilities[index], 0) : 0;
  write($("rest"), [
    !all && probabilities ? `${counted(classes.length - indices.length, "other class", "other classes")}: ${percent(Math.max(0, 1 - shown))} together.` : "",
    !all && !probabilities ? `The likeliest of ${count(classes.length)} classes will stand here.` : "",
    model.threshold !== null && model.threshold <= 1 ? `The mark in each bar: accepted from ${percent(model.threshold, 2)} on.` : "",
  ].filter(Boolean).join(" "));
}

function showInput(pixels) {
  const canvas = $("input");
  const [channels, height, width] = model.input;
  canvas.classList.toggle("ink", framedGrey(model));
  const there = pixels && paintInput(canvas, bytes(pixels), model.input);
  canvas.classList.toggle("nothing", !there);
  if (!there) {
    canvas.width = width;
    canvas.height = height;
  }
  canvas.setAttribute("aria-label", there ? `The network’s input, ${width} by ${height} pixels` : `No input: ${empty() ? "nothing was drawn or chosen" : "none was made of this picture"}`);
  write($("seen"), `${width} × ${height} pixels${channels > 1 ? ", colour" : ""}${model.picture === "framed" ? ", found, turned light on dark, scaled and centred" : ", the whole picture scaled"}.`);
}

/** Whether what stands there answers an earlier picture than the one that is there now. */
function pending(yes) {
  $("verdict").setAttribute("aria-busy", String(yes));
}

function showNothing(state = "Nothing yet") {
  if (!model) return;
  pending(false);
  $("verdict").className = "verdict";
  write($("answer"), "–");
  $("answer").classList.remove("long");
  write($("state"), state);
  write($("say"), state === "Nothing yet" ? (model.picture === "framed" ? "The answer changes while you draw." : "Choose a picture.") : "");
  showBars(null, null);
  showInput(null);
  say("");
}

function show(said) {
  pending(false);
  $("verdict").className = `verdict ${said.accepted ? "good" : "bad"}`;
  const name = said.class ?? "?";
  write($("answer"), name);
  $("answer").classList.toggle("long", name.length > 2);
  const sure = said.confidence === null ? "" : `, ${percent(said.confidence)}`;
  write($("state"), said.accepted ? `Accepted${sure}` : `Not accepted: ${reason(said.reason ?? "low_confidence")}`);
  write($("say"), said.next?.say ?? "");
  // Whoever is to draw or photograph it anew has no use for a person's answer to this one.
  $("hand").hidden = said.accepted || said.next?.do === "retake";
  showBars(said.probabilities, said.digit);
  showInput(said.pixels ?? null);
  region = said.region ?? null;
  placeRegion();
  const runner = said.runner_up_class && !said.accepted ? `, or ${said.runner_up_class}` : "";
  say(`${said.class === null ? "No answer" : `${said.class}${sure}${runner}`}. ${$("state").textContent}. ${$("say").textContent}`);
}

let speaking = 0;

/** A screen reader hears the answer when the hand rests, not at each pixel. */
function say(text) {
  clearTimeout(speaking);
  speaking = setTimeout(() => write($("spoken"), text), 700);
}

// ---- Handing it to a person

$("hand").addEventListener("click", async () => {
  const mine = new AbortController();
  handing = mine;
  const { signal } = mine;
  $("hand").disabled = true;
  try {
    const said = await ask(asked("/predict"), { body: await picture(), signal });
    if (signal.aborted) return;
    $("hand").hidden = true;
    write($("say"), said.next?.say ?? "");
    if (said.review) await follow(said.review, (text) => write($("person"), text), signal);
    else write($("person"), "The server keeps no pictures for review.");
  } catch (error) {
    if (!signal.aborted) write($("person"), `Not handed on: ${error.message}`);
  } finally {
    $("hand").disabled = false;
  }
});

// ---- Start

/** Lets people choose where there are several models. */
function offer(names) {
  const select = $("models");
  $("choice").hidden = names.length < 2;
  if (names.length < 2 || select.options.length === names.length) return;
  select.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
  select.value = model.name;
}

$("models").addEventListener("change", () => {
  named = $("models").value;
  start();
});

async function start() {
  try {
    model = await ask(asked("/api/model"));
  } catch (error) {
    trouble(error.message + (error instanceof Unreachable ? " Trying again…" : ""));
    if (error instanceof Unreachable) setTimeout(start, 3000);
    return;
  }
  trouble("");
  offer(model.models ?? []);
  rows.clear();
  const framed = model.picture === "framed";
  // A drawing is no question to one that takes whole pictures.
  if (!framed && !chosen) paper.clear();
  const digits = model.classes.length === 10 && model.classes.every((name, index) => name === String(index));
  const title = framed ? `Draw ${digits ? "a digit" : "one symbol"}` : "Show it a picture";
  write($("title"), title);
  document.title = `${title} – ${model.name}`;
  write($("model"), `${model.name} · ${model.version}`);
  const accuracy = model.accuracy === null || model.accuracy === undefined ? "" : `Right on ${percent(model.accuracy, 2)} of its validation images. `;
  write($("promise"), `${accuracy}${model.promise ? `Its threshold is ${model.promise}.` : ""}`);
  write($("how"), framed
    ? "Mouse, pen, finger, or arrow keys and Space. Pictures: PNG, JPEG, WebP or BMP, dropped, pasted or chosen."
    : "PNG, JPEG, WebP or BMP, dropped, pasted or chosen.");
  $("undo").hidden = !framed;
  $("pad").classList.toggle("whole", !framed);
  changed();
}

start();
