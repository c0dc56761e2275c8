// What the pages share: asking the server, the token, elements, numbers in words.

/** The server was not reached, or is not able to answer now: the same request may be sent again. */
export class Unreachable extends Error {}

/** The server answered that it will not do it. `status` is the HTTP status. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Whether the same request may succeed later, although nothing in it changes. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);
const TOKEN = "token";

let asked = null;
let ahead = 0;

/** Milliseconds since 1970 by the server's clock, as its last answer showed it. */
export const serverNow = () => Date.now() + ahead;

/**
 * The JSON that the server answers, or its bytes where `what` is "blob". Asks for a token where the server wants one.
 * Throws `Unreachable` (after `patience` milliseconds without an answer, too) or `Refused`.
 */
export async function ask(path, { method = "GET", json, body, headers = {}, signal, patience = 20_000, what = "json" } = {}) {
  for (;;) {
    const token = sessionStorage.getItem(TOKEN);
    const response = await send(path, {
      method: json === undefined && body === undefined ? method : "POST",
      body: json === undefined ? body : JSON.stringify(json),
      headers: {
        ...(json === undefined ? {} : { "Content-Type": "application/json" }),
        ...(token ? { Authorization: `Bearer ${token}` } : {}),
        ...headers,
      },
      signal: AbortSignal.any([AbortSignal.timeout(patience), ...(signal ? [signal] : [])]),
      cache: "no-store",
    });
    const clock = Date.parse(response.headers.get("Date") ?? "");
    if (Number.isFinite(clock) && Math.abs(clock - Date.now()) > 2000) ahead = clock - Date.now();
    if (response.status === 401 || response.status === 403) {
      // Another request may have brought a new token meanwhile.
      if (sessionStorage.getItem(TOKEN) === token && !(await askToken(token, response.status))) {
        throw new Refused(response.status, "The server wants a token for this. Reload the page to enter one.");
      }
      continue;
    }
    const answer = await (response.ok ? response[what]() : response.json()).catch(() => null);
    if (response.ok && answer !== null) return answer;
    const message = answer?.error ?? `The server answered ${response.status}.`;
    if (PASSING.has(response.status) || response.ok) throw new Unreachable(message);
    throw new Refused(response.status, message);
  }
}

async function send(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable("The server can’t be reached.");
  }
}

function askToken(old, status) {
  asked ??= new Promise((resolve) => {
    const why = status === 403
      ? "This token may not do this. Enter one that may."
      : old ? "The server doesn’t know this token. Enter another." : "This server answers only those who have a token. It is kept until you close this tab.";
    const input = element("input", { id: "token", type: "password", autocomplete: "off", required: "", spellcheck: "false" });
    const form = element("form", { method: "dialog" }, [
      element("h2", { id: "token-title" }, "Token"),
      element("p", {}, why),
      element("label", { for: "token" }, "Token"),
      input,
      element("div", { class: "row" }, [
        element("button", { class: "main", value: "use" }, "Use it"),
        element("button", { value: "", formnovalidate: "" }, "Without"),
      ]),
    ]);
    const dialog = element("dialog", { "aria-labelledby": "token-title" }, [form]);
    dialog.addEventListener("close", () => {
      const token = dialog.returnValue === "use" ? input.value.trim() : "";
      if (token) sessionStorage.setItem(TOKEN, token);
      dialog.remove();
      asked = null;
      resolve(token !== "");
    });
    document.body.append(dialog);
    dialog.showModal();
    input.focus();
  });
  return asked;
}

const SVG = "http://www.w3.org/2000/svg";

function built(node, attributes, content) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...(Array.isArray(content) ? content : [content]));
  return node;
}

/** An element with attributes and children; strings become text, never HTML. */
export const element = (name, attributes = {}, content = []) =>
  built(document.createElement(name), attributes, content);

/** The same for SVG. */
export const shape = (name, attributes = {}, content = []) =>
  built(document.createElementNS(SVG, name), attributes, content);

export const $ = (id) => document.getElementById(id);

/** Writes text where it changed, so that screen readers speak only of changes. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** 0.9876 → "98.8 %"; shares that are not exactly 0 or 1 never read as such. */
export function percent(share, digits = 1) {
  const step = 10 ** -digits;
  const value = share * 100;
  const text = value < step && value > 0 ? `< ${step.toFixed(digits)}`
    : value > 100 - step && value < 100 ? `> ${(100 - step).toFixed(digits)}` : value.toFixed(digits);
  return `${text} %`.replaceAll(" ", "\u202f");
}

/** 12345 → "12 345" */
export const count = (n) => Math.round(n).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");

/** "1 image", "2 images" */
export const counted = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** How long ago a time by the server's clock was, in words: milliseconds since 1970, or a date as text. */
export function ago(created) {
  const minutes = Math.max(0, (serverNow() - (typeof created === "number" ? created : Date.parse(created))) / 60_000);
  if (!Number.isFinite(minutes)) return "";
  if (minutes < 1) return "just now";
  return minutes < 60 ? `${Math.floor(minutes)} min ago` : minutes < 2880 ? `${Math.floor(minutes / 60)} h ago` : `${Math.floor(minutes / 1440)} days ago`;
}

const REASONS = {
  low_confidence: "not sure enough",
  disagreement: "shows something else than the first picture of it",
  first_picture: "the first picture of it was for a person",
  out_of_distribution: "unlike anything it was trained on",
  unreliable: "nothing this network says may be accepted",
  mark: "a mark around, under or through it",
  no_digit: "nothing found to read",
  several_digits: "more than one found",
  orientation_unclear: "unclear which way is up",
};

/** Why an answer was not accepted, in words. */
export const reason = (word) => REASONS[word] ?? String(word).replaceAll("_", " ");

export function bytes(base64) {
  const text = atob(base64);
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** Paints the network's input, bytes [channels, height, width], one canvas pixel per pixel. */
export function paintInput(canvas, input, [channels, height, width]) {
  const plane = height * width;
  if (input.length !== channels * plane) return false;
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const at = channels >= 3 ? [0, plane, 2 * plane] : [0, 0, 0];
  for (let pixel = 0; pixel < plane; pixel += 1) {
    for (let colour = 0; colour < 3; colour += 1) image.data[4 * pixel + colour] = input[at[colour] + pixel];
    image.data[4 * pixel + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return true;
}
