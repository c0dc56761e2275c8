// The page on which people answer what the network didn't, one image after the other.

import { $, ago, ask, bytes, count, counted, element, paintInput, percent, reason, write } from "./common.js";
import { insist } from "./insist.js";
import { Keys } from "./keys.js";
import { gone, Leases, path } from "./leases.js";
import { forget, freshKey, keep, left } from "./outbox.js";

const LIKELY = 3;
/** So many classes have a button each; of more, those that match what is typed. */
const BUTTONS = 40;
const LOOK_AGAIN = 10_000;

let model = null;
let reviewer = "";
let keys = null;
let busy = false;
let answered = 0;

const leases = new Leases((item) => {
  const shown = item === leases.top;
  // Whether an answer on its way came in time its own reply tells.
  if (busy && shown) return;
  leases.drop(item);
  if (!shown) return;
  say("That image has gone to somebody else: its time was over.");
  alone(next);
});

// ---- Actions

/** Runs one action at a time; what is pressed meanwhile counts for nothing. */
async function alone(action) {
  if (busy) return;
  busy = true;
  $("desk").setAttribute("aria-busy", "true");
  try {
    await action();
  } catch (error) {
    say(error.message);
  } finally {
    busy = false;
    $("desk").removeAttribute("aria-busy");
  }
}

/** Hands in an answer; whether the server took it. */
async function handIn(answer) {
  const { id, ...body } = answer;
  try {
    await insist(() => ask(path({ id }, "answer"), { json: body }), `Not saved yet: “${answer.answer}”. It is kept here and sent again by itself.`);
    forget(answer);
    return true;
  } catch (error) {
    forget(answer);
    if (!gone(error)) throw error;
    return false;
  }
}

const give = (value, words) => alone(async () => {
  const item = leases.top;
  if (!item) return;
  say("Saving…");
  const answer = { id: item.id, reviewer, lease: item.lease, answer: value, key: freshKey() };
  keep(answer);
  const taken = await handIn(answer);
  leases.drop(item);
  if (taken) answered += 1;
  say(taken ? `Saved: ${words}` : `Not counted: the image had gone to somebody else before “${words}” arrived.`, taken);
  await next();
});

const skip = () => alone(async () => {
  const item = leases.top;
  if (!item) return;
  try {
    await insist(() => ask(path(item, "skip"), { json: { reviewer, lease: item.lease } }), "Not skipped yet.");
  } catch (error) {
    if (!gone(error)) throw error;
  }
  leases.drop(item);
  say("Skipped. It is offered to others now, and to you later.");
  await next();
});

const undo = () => alone(async () => {
  // The same when it is repeated, so that no second answer is taken back.
  const key = freshKey();
  const { item } = await insist(() => ask("/review/undo", { json: { reviewer, key } }), "Not taken back yet.");
  if (!item) return say("There is no answer of yours to take back.");
  leases.drop(item);
  leases.add(item);
  answered = Math.max(0, answered - 1);
  say("Taken back. Answer it anew.");
  show();
});

let fading = 0;

/** Says what happened; "saved" leaves by itself, as it lies over the page. */
function say(text, good = false) {
  clearTimeout(fading);
  fading = setTimeout(() => write($("saved"), ""), good ? 3000 : 8000);
  $("saved").classList.toggle("good", good);
  write($("saved"), text);
}

// ---- The next image

let looking = 0;

async function next() {
  clearTimeout(looking);
  if (leases.top) return show();
  const answer = await insist(() => ask("/review/next", { json: { reviewer } }), "The next image is not here yet.");
  progress(answer);
  if (answer.item) {
    leases.add(answer.item);
    show();
  } else showEmpty(answer);
}

function progress({ left: open, leased, disputed }) {
  write($("progress"), [
    `${count(open)} to do`, `${count(leased)} being looked at`, disputed ? `${count(disputed)} disputed` : "", answered ? `${count(answered)} by you` : "",
  ].filter(Boolean).join(" · "));
}

function showEmpty({ left: open, leased }) {
  $("desk").hidden = true;
  $("empty").hidden = false;
  if (leased > 0) {
    write($("empty-title"), "All are with others");
    write($("empty-text"), `${counted(leased, "image is", "images are")} being looked at by other people now. What they don’t finish comes back.`);
  } else if (open > 0) {
    write($("empty-title"), "Nothing for you now");
    write($("empty-text"), `${counted(open, "image waits", "images wait")} for somebody else: you skipped them just now, or have answered and they need a second person.`);
  } else {
    write($("empty-title"), "Nothing left");
    write($("empty-text"), "Every image that the network handed on has its answer.");
  }
  const again = () => (document.hidden ? (looking = setTimeout(again, LOOK_AGAIN)) : alone(next));
  looking = setTimeout(again, LOOK_AGAIN);
}

// ---- Showing

function button(item, index, rank = -1) {
  const name = item.classes[index];
  const badge = keys.badge(index, rank);
  const node = element("button", { type: "button", "data-class": index, ...(badge ? { "aria-keyshortcuts": badge } : {}) }, [
    element("span", { class: "class" }, name),
    ...(rank >= 0 ? [element("span", { class: "share" }, percent(item.probabilities[index]))] : []),
    ...(badge && badge !== name ? [element("kbd", {}, badge)] : []),
  ]);
  node.addEventListener("click", () => give(name, name));
  return node;
}

function likeliest({ classes, probabilities }) {
  if (probabilities?.length !== classes.length) return [];
  return [...classes.keys()].sort((a, b) => probabilities[b] - probabilities[a] || a - b).slice(0, LIKELY);
}

function showClasses() {
  const item = leases.top;
  const typed = $("filter").value.trim();
  const top = likeliest(item);
  let others = typed ? keys.matching(typed) : [...item.classes.keys()].filter((index) => !top.includes(index));
  if (item.classes.length > BUTTONS) others = typed ? others.slice(0, BUTTONS) : [];
  $("classes").replaceChildren(...others.map((index) => button(item, index)));
  $("classes").classList.toggle("short", item.classes.every((name) => name.length <= 2));
  const hits = typed ? keys.matching(typed) : [];
  write($("matches"), typed ? (hits.length === 1 ? `Enter: ${item.classes[hits[0]]}` : hits.length ? `${count(hits.length)} begin so` : "No class begins so") : "");
}

function showImages(item) {
  const sent = typeof item.picture === "string" && item.picture.startsWith("data:image/");
  const input = Boolean(item.input) && paintInput($("input"), bytes(item.input), item.shape);
  $("picture-box").hidden = !sent;
  if (sent) $("picture").src = item.picture;
  else $("picture").removeAttribute("src");
  $("input-box").hidden = !input;
  $("input").classList.toggle("ink", model.picture === "framed" && item.shape[0] === 1);
  $("no-image").hidden = sent || input;
  $("images").classList.toggle("both", sent && input);
}

function show() {
  const item = leases.top;
  keys = new Keys(item.classes);
  $("empty").hidden = true;
  $("desk").hidden = false;
  $("figure").dataset.item = item.id;
  showImages(item);
  write($("caption"), [`Handed on: ${reason(item.reason)}`, `${item.model} ${item.version}`, ago(item.created)].filter(Boolean).join(" · "));
  $("second").hidden = !item.second;
  $("dispute").hidden = !item.disputed;
  if (item.disputed) {
    const words = { none: "none of these", unsure: "unsure" };
    write($("dispute-text"), `${item.disputed.map(({ reviewer: who, answer }) => `${who} said ${words[answer] ?? answer}`).join(", ")}. Your answer decides.`);
  }
  $("likely").classList.toggle("words", item.classes.some((name) => name.length > 3));
  $("likely").replaceChildren(...likeliest(item).map((index, rank) => button(item, index, rank)));
  $("filter").value = "";
  $("filter-box").hidden = !keys.typed;
  showClasses();
  for (const command of ["none", "unsure", "skip", "undo"]) {
    write($(command).querySelector("kbd"), keys.commandBadge(command));
  }
  // The pressed button is gone; whoever uses keys or hears the page goes on at the new image.
  if (!$("commands").contains(document.activeElement)) $("figure").focus({ preventScroll: true });
}

// ---- Keys and buttons

const ACTIONS = { none: () => give("none", "none of these"), unsure: () => give("unsure", "unsure"), skip, undo };
for (const [command, action] of Object.entries(ACTIONS)) $(command).addEventListener("click", action);
$("undo-empty").addEventListener("click", undo);
$("look").addEventListener("click", () => alone(next));
$("filter").addEventListener("input", showClasses);
$("filter").addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    event.target.value = "";
    showClasses();
    $("figure").focus({ preventScroll: true });
  }
  if (event.key !== "Enter" || event.isComposing || event.repeat) return;
  event.preventDefault();
  const hits = event.target.value.trim() ? keys.matching(event.target.value) : [];
  if (hits.length === 1) give(leases.top.classes[hits[0]], leases.top.classes[hits[0]]);
});

addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]") || !$("name-form").hidden) return;
  const writing = event.target.matches("input, textarea, select");
  const said = (keys ?? new Keys(model?.classes ?? [])).read(event);
  if (!said || (writing && !event.altKey)) return;
  const item = leases.top;
  if (said.command) ACTIONS[said.command]();
  else if (!item || $("desk").hidden) return;
  else if (said.type) return $("filter").focus();
  else {
    const index = said.index ?? likeliest(item)[said.rank];
    if (index === undefined) return;
    give(item.classes[index], item.classes[index]);
  }
  event.preventDefault();
});

// ---- Start

async function begin() {
  $("name-form").hidden = true;
  $("rename").hidden = false;
  write($("reviewer"), `Reviewing as ${reviewer}.`);
  await alone(async () => {
    model ??= await insist(() => ask("/api/model"), "The model is not known yet.");
    write($("model"), `${model.name} · ${model.version}`);
    const before = left();
    let taken = 0;
    for (const answer of before) if (await handIn(answer)) taken += 1;
    if (taken) say(`Saved: ${counted(taken, "answer")} from before.`, true);
    leases.reviewer = reviewer;
    await leases.restore(insist, before.map(({ id }) => id));
    await next();
  });
}

function askName() {
  $("desk").hidden = $("empty").hidden = true;
  $("name-form").hidden = false;
  $("rename").hidden = true;
  write($("reviewer"), "");
  $("name").value = reviewer;
  $("name").focus();
}

$("name-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("name").value.trim();
  if (!name) return;
  reviewer = name;
  localStorage.setItem("reviewer", reviewer);
  begin();
});

$("rename").addEventListener("click", () => alone(async () => {
  clearTimeout(looking);
  leases.release();
  askName();
}));

addEventListener("beforeunload", (event) => {
  if (!$("trouble").hidden && left().length) event.preventDefault();
});

reviewer = localStorage.getItem("reviewer") ?? "";
if (reviewer) begin();
else askName();
