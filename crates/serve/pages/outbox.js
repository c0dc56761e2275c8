// Answers on their way. They stay in this browser until the server has them, so that neither a broken line nor
// a closed tab loses one.

const PREFIX = "answer:";

/** Keeps an answer {id, reviewer, lease, answer, key}. */
export function keep(answer) {
  try {
    localStorage.setItem(PREFIX + answer.key, JSON.stringify(answer));
  } catch {
    // Without storage the open page still holds it.
  }
}

export function forget({ key }) {
  localStorage.removeItem(PREFIX + key);
}

/** The answers that an earlier visit could not hand in. */
export function left() {
  const keys = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
  return keys.map((key) => JSON.parse(localStorage.getItem(key)));
}

/** A random id for one answer, the same each time it is sent. */
export function freshKey() {
  // crypto.randomUUID exists only where the page came over HTTPS.
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
