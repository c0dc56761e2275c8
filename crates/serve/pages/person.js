// What a person says of a picture that was handed on.

import { ask, Unreachable } from "./common.js";

/** Tells what becomes of a picture in the review queue, until a person has answered. */
export async function follow(id, tell, signal) {
  tell("In the queue. A person’s answer appears here.");
  while (!signal.aborted) {
    try {
      const { state, answer } = await ask(`/reviews/${encodeURIComponent(id)}?wait=30`, { signal, patience: 60_000 });
      if (signal.aborted) return;
      if (state === "done" || state === "gone") {
        const words = { none: "it is none of the classes", unsure: "it can’t be told" };
        tell(answer === null ? "The picture is no longer in the queue." : `A person says: ${words[answer] ?? answer}.`);
        return;
      }
      if (state === "disputed") tell("Two people disagree; a third decides.");
      // A server that answers at once instead of waiting is not asked in a loop.
      await new Promise((resolve) => setTimeout(resolve, 1000));
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Unreachable)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5000));
    }
  }
}
