// The images that are leased to the reviewer of this page, and the renewal of their leases.

import { ask, serverNow } from "./common.js";

/** Whoever touches nothing for so long is away: the leases are not renewed, others get the images. */
const AWAY = 10 * 60_000;

export const path = (item, verb) => `/review/${encodeURIComponent(item.id)}/${verb}`;

/** Whether the server said that the image is not, or no longer, this reviewer's. */
export const gone = (error) => [404, 409, 410].includes(error.status);

export class Leases {
  reviewer;
  #items = [];
  #seen = Date.now();
  #lost;

  /** `lost(item)` is called when somebody else has got an image. */
  constructor(lost) {
    this.#lost = lost;
    setInterval(() => this.#tick(), 1000);
    for (const sign of ["pointerdown", "pointermove", "keydown", "scroll"]) {
      addEventListener(sign, () => { this.#seen = Date.now(); }, { passive: true });
    }
  }

  /** The image at hand. An undo lays another on top of it. */
  get top() {
    return this.#items.at(-1) ?? null;
  }

  add(item) {
    extend(item, item.expires);
    this.#items.push(item);
    this.#remember();
  }

  drop({ id }) {
    this.#items = this.#items.filter((item) => item.id !== id);
    this.#remember();
  }

  /** Gives all of them to others, who need not wait then for the leases to end. */
  release() {
    for (const item of this.#items) this.#post(item, "skip").catch(() => {});
    this.#items = [];
    this.#remember();
  }

  /** Takes over what was leased before the page was loaded again, as far as it still is and isn't answered. */
  async restore(insist, answered) {
    const before = JSON.parse(sessionStorage.getItem(this.#place) ?? "[]").filter(({ id }) => !answered.includes(id));
    this.#items = [];
    for (const item of before) {
      try {
        const { expires } = await insist(() => this.#post(item, "renew"), "The image is not here yet.");
        this.add({ ...item, expires });
      } catch (error) {
        if (!gone(error)) throw error;
      }
    }
    this.#remember();
  }

  get #place() {
    return `items:${this.reviewer}`;
  }

  #post(item, verb) {
    return ask(path(item, verb), { json: { reviewer: this.reviewer, lease: item.lease } });
  }

  #remember() {
    try {
      sessionStorage.setItem(this.#place, JSON.stringify(this.#items));
    } catch {
      // Too large to keep: after a reload these come back when their leases have ended.
      sessionStorage.removeItem(this.#place);
    }
  }

  #tick() {
    if (Date.now() - this.#seen > AWAY) return;
    for (const item of [...this.#items]) if (serverNow() >= item.renewAt) this.#renew(item);
  }

  async #renew(item) {
    item.renewAt = serverNow() + 5000;
    try {
      const { expires } = await this.#post(item, "renew");
      extend(item, expires);
      this.#remember();
    } catch (error) {
      if (gone(error) && this.#items.includes(item)) this.#lost(item);
    }
  }
}

/** The first half of the time passes before the lease is renewed. */
function extend(item, expires) {
  item.expires = expires;
  item.renewAt = serverNow() + Math.max(1000, (expires - serverNow()) / 2);
}
