// Which key gives which answer, for any classes.

const COMMANDS = { n: "none", u: "unsure", s: "skip", z: "undo" };
/** Of so many likeliest classes a digit picks one, where no class begins with a digit. */
const RANKED = 3;

const fold = (text) => text.toLowerCase();
const first = (name) => [...name][0] ?? "";

/** Whether all texts differ. */
const distinct = (texts) => new Set(texts).size === texts.length;

/**
 * The keys for these classes. Where their first letters differ, one key is one class, at once. Elsewhere the
 * beginning of a name is typed into a field. Commands are letters; where a class takes letters, they need Alt.
 */
export class Keys {
  #classes;
  #byKey = null;
  #exact = false;
  #alt;

  constructor(classes) {
    this.#classes = classes;
    const letters = classes.map(first);
    const short = classes.every((name) => [...name].length === 1);
    if (distinct(letters.map(fold))) this.#byKey = new Map(letters.map((letter, index) => [fold(letter), index]));
    else if (short && distinct(letters)) {
      this.#byKey = new Map(letters.map((letter, index) => [letter, index]));
      this.#exact = true;
    }
    this.#alt = !this.#byKey || letters.some((letter) => !/[0-9]/.test(letter));
  }

  /** Whether the beginning of a class is typed into a field. */
  get typed() {
    return this.#byKey === null;
  }

  /** What a key says: {command}, {index} of a class, {rank} of a likeliest class, {type: true} or null. */
  read(event) {
    if (event.ctrlKey || event.metaKey || event.repeat || event.isComposing) return null;
    // With Alt some systems write another letter: there the place of the key counts.
    const letters = event.altKey ? [fold(event.key), fold(event.code.replace(/^Key/, ""))] : this.#alt ? [] : [fold(event.key)];
    const command = letters.map((letter) => COMMANDS[letter]).find(Boolean);
    if (command) return { command };
    if (event.key === "Backspace" && (event.altKey || this.#byKey)) return { command: "undo" };
    if (event.altKey || [...event.key].length !== 1) return null;
    const index = this.#byKey?.get(this.#exact ? event.key : fold(event.key));
    if (index !== undefined) return { index };
    const rank = "123456789".indexOf(event.key);
    if (this.#ranked && rank >= 0 && rank < RANKED) return { rank };
    return this.typed && event.key !== " " ? { type: true } : null;
  }

  get #ranked() {
    return !this.#classes.some((name) => /^[0-9]/.test(name));
  }

  /** The classes whose names begin so; an exact name goes before longer ones. */
  matching(text) {
    const typed = fold(text.trim());
    const indices = [...this.#classes.keys()];
    const exact = indices.filter((index) => fold(this.#classes[index]) === typed);
    return exact.length === 1 ? exact : indices.filter((index) => fold(this.#classes[index]).startsWith(typed));
  }

  /** What stands on the button of a class: its key, or of a likely one its rank. */
  badge(index, rank = -1) {
    if (this.#byKey) {
      const letter = first(this.#classes[index]);
      return this.#exact ? letter : letter.toUpperCase();
    }
    return rank >= 0 && rank < RANKED && this.#ranked ? String(rank + 1) : "";
  }

  commandBadge(command) {
    const letter = Object.keys(COMMANDS).find((key) => COMMANDS[key] === command).toUpperCase();
    return this.#alt ? `Alt ${letter}` : letter;
  }
}
