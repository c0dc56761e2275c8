// The paper to draw on with mouse, pen, finger or keys: black strokes on white.

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Paper {
  #canvas;
  #context;
  #mark;
  #changed;
  /** Strokes of points [x, y, width] in pixels of the canvas. */
  #strokes = [];
  #stroke = null;
  /** The pen of those who draw by keys. */
  #nib = { x: 0, y: 0, down: false, held: new Set() };

  /** `mark` shows where the pen of the keys is; `changed` is called after each change. */
  constructor(canvas, mark, changed) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { willReadFrequently: true });
    this.#mark = mark;
    this.#changed = changed;
    this.#nib.x = canvas.width / 2;
    this.#nib.y = canvas.height / 4;
    canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => this.#end());
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("keyup", (event) => this.#nib.held.delete(event.key));
    canvas.addEventListener("blur", () => this.#lift());
    this.#repaint();
  }

  get empty() {
    return this.#strokes.length === 0;
  }

  undo() {
    this.#lift();
    this.#stroke = null;
    this.#strokes.pop();
    this.#repaint();
    this.#changed();
  }

  clear() {
    this.#lift();
    this.#stroke = null;
    this.#strokes = [];
    this.#repaint();
    this.#changed();
  }

  /** What is drawn, as a PNG. */
  png() {
    return new Promise((resolve) => this.#canvas.toBlob(resolve, "image/png"));
  }

  #repaint() {
    this.#context.fillStyle = "#fff";
    this.#context.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
    for (const points of this.#strokes) this.#line(points);
  }

  #line(points) {
    const context = this.#context;
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = context.fillStyle = "#000";
    if (points.length === 1) {
      const [x, y, width] = points[0];
      context.beginPath();
      context.arc(x, y, width / 2, 0, 7);
      context.fill();
    }
    for (let i = 1; i < points.length; i += 1) {
      context.lineWidth = points[i][2];
      context.beginPath();
      context.moveTo(points[i - 1][0], points[i - 1][1]);
      context.lineTo(points[i][0], points[i][1]);
      context.stroke();
    }
  }

  #thick() {
    return this.#canvas.width / 14;
  }

  #at(event) {
    const box = this.#canvas.getBoundingClientRect();
    const pressed = event.pointerType === "pen" && event.pressure > 0 ? 0.6 + 0.8 * event.pressure : 1;
    return [
      ((event.clientX - box.left) * this.#canvas.width) / box.width,
      ((event.clientY - box.top) * this.#canvas.height) / box.height,
      this.#thick() * pressed,
    ];
  }

  #start(point) {
    this.#stroke = [];
    this.#strokes.push(this.#stroke);
    this.#extend([point]);
  }

  #extend(points) {
    this.#stroke.push(...points);
    this.#line(this.#stroke.slice(-points.length - 1));
    this.#changed();
  }

  #begin(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#lift();
    this.#start(this.#at(event));
  }

  #move(event) {
    if (!this.#stroke || this.#nib.down || !event.isPrimary) return;
    // A screen reports a fast pen more often than it paints.
    const passed = event.getCoalescedEvents?.() ?? [];
    this.#extend((passed.length ? passed : [event]).map((one) => this.#at(one)));
  }

  #end() {
    if (!this.#nib.down) this.#stroke = null;
  }

  #key(event) {
    const control = event.ctrlKey || event.metaKey;
    if (event.altKey) return;
    if (control && event.key.toLowerCase() === "z") this.undo();
    else if (control) return;
    else if (["Delete", "Backspace", "Escape"].includes(event.key)) this.clear();
    else if (event.key === " ") {
      if (!event.repeat) this.#lower();
    } else if (ARROWS[event.key]) this.#go(event.key);
    else return;
    event.preventDefault();
  }

  #lower() {
    const nib = this.#nib;
    nib.down = !nib.down;
    this.#stroke = null;
    if (nib.down) this.#start([nib.x, nib.y, this.#thick()]);
    this.#showNib();
  }

  /** Two arrows held together draw a slope. */
  #go(key) {
    const nib = this.#nib;
    const step = this.#canvas.width / 28;
    nib.held.add(key);
    for (const held of nib.held) {
      nib.x = Math.min(Math.max(nib.x + step * ARROWS[held][0], step), this.#canvas.width - step);
      nib.y = Math.min(Math.max(nib.y + step * ARROWS[held][1], step), this.#canvas.height - step);
    }
    if (nib.down) this.#extend([[nib.x, nib.y, this.#thick()]]);
    this.#showNib();
  }

  #showNib() {
    this.#mark.hidden = false;
    this.#mark.style.left = `${(100 * this.#nib.x) / this.#canvas.width}%`;
    this.#mark.style.top = `${(100 * this.#nib.y) / this.#canvas.height}%`;
    this.#mark.classList.toggle("down", this.#nib.down);
  }

  #lift() {
    if (this.#nib.down) this.#stroke = null;
    this.#nib.down = false;
    this.#nib.held.clear();
    this.#mark.hidden = true;
  }
}
