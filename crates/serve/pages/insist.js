// Requests of the review page that are repeated, visibly, until the server has answered them.

import { $, Refused, Unreachable, write } from "./common.js";

let wake = () => {};

/** Waits until the time is over, the reviewer wants it now, or the network is back. */
const pause = (time) => new Promise((resolve) => {
  const timer = Number.isFinite(time) ? setTimeout(resolve, time) : 0;
  wake = () => {
    clearTimeout(timer);
    resolve();
  };
});
$("retry").addEventListener("click", () => wake());
addEventListener("online", () => wake());

/** Repeats a request until the server has answered it; says meanwhile that, and why, it waits. */
export async function insist(work, meanwhile) {
  for (let failed = 0; ; failed += 1) {
    try {
      const answer = await work();
      $("trouble").hidden = true;
      return answer;
    } catch (error) {
      const token = error instanceof Refused && (error.status === 401 || error.status === 403);
      if (!(error instanceof Unreachable) && !token) {
        $("trouble").hidden = true;
        throw error;
      }
      write($("trouble-text"), `${meanwhile} ${error.message}`);
      $("trouble").hidden = false;
      await pause(token ? Infinity : Math.min(1000 * 2 ** failed, 30_000));
    }
  }
}
