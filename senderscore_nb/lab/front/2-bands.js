// The bands: edges to drag along the scale, to move with the arrow keys, or to type; and names.
const SCALE = { left: 12, right: 12, top: 26, bar: 24, high: 92 };

class BandsEditor {
  // `act(bands, stroke)` is told of every change.
  constructor(palettes, act) {
    Object.assign(this, { palettes, act, stroke: 0, found: [], scores: [], width: 0 });
    this.more = button("Add band", { onclick: () => this.add() });
    this.rug = draw("path", { class: "rug" });
    this.parts = draw("g");
    this.ticks = draw("g");
    this.edges = draw("g");
    this.svg = draw("svg", { class: "scale", role: "group", "aria-label": "Bands on the scale of the score" }, this.rug, this.parts, this.ticks, this.edges);
    this.box = make("div", { class: "plotbox" }, this.svg);
    this.rows = make("tbody");
    this.words = make("ul", { class: "problems", id: unique("problems") });
    this.node = make("section", { class: "editor", "aria-label": "Bands" },
      make("div", { class: "edithead" }, make("h4", { text: "Bands" }), this.more), this.box,
      make("table", { class: "bandrows", "aria-label": "Bands" }, make("thead", {}, make("tr", {}, make("th", { scope: "col", text: "Band" }), make("th", { scope: "col", text: "From score" }), make("th", {}, make("span", { class: "unseen", text: "Remove" })))), this.rows),
      this.words);
    this.seen = new ResizeObserver(() => this.bands && this.measure());
    this.seen.observe(this.box);
  }

  stop() {
    this.seen.disconnect();
  }

  update({ bands, most, scores, problems }, free) {
    if (free || !this.bands) this.bands = bands;
    this.most = most;
    this.scores = scores;
    this.found = problems.filter((p) => p.part === "bands");
    this.paint();
  }

  send(bands, stroke) {
    if (this.bands.length !== bands.length) this.found = [];
    this.bands = bands;
    this.act(bands, stroke && `bands-${stroke}`);
    this.paint();
  }

  change(i, values, stroke) {
    this.send(this.bands.map((band, n) => (n === i ? { ...band, ...values } : band)), stroke);
  }

  // A band in the upper half of the widest one.
  add() {
    const { bands, most } = this;
    if (!bands.length) return this.send([{ name: "Band 1", lower: 0 }]);
    const ends = [...bands.map((b) => b.lower), Math.max(most, bands.at(-1).lower)];
    const gaps = bands.map((_, i) => ends[i + 1] - ends[i]);
    const i = gaps.indexOf(Math.max(...gaps));
    const names = new Set(bands.map((b) => b.name.toLowerCase()));
    let n = bands.length + 1;
    while (names.has(`band ${n}`)) n += 1;
    const made = { name: `Band ${n}`, lower: tidy(Math.round(ends[i] + ends[i + 1]) / 2, 2) };
    this.send([...bands.slice(0, i + 1), made, ...bands.slice(i + 1)]);
    this.rows.kept[i + 1].name.focus();
    return this.rows.kept[i + 1].name.select();
  }

  remove(i) {
    if (this.bands.length < 2) return;
    const left = this.bands.filter((_, n) => n !== i);
    // What was below the first band that is left goes to it.
    this.send(i ? left : [{ ...left[0], lower: 0 }, ...left.slice(1)]);
    this.rows.kept[Math.min(i, left.length - 1)].off.focus();
  }

  measure() {
    const width = this.box.clientWidth;
    if (width && width !== this.width) {
      this.width = width;
      this.paint();
    }
  }

  x(score) {
    return SCALE.left + (clamp(score, 0, this.span) / this.span) * (this.width - SCALE.left - SCALE.right);
  }

  paint() {
    if (!this.width) this.width = this.box.clientWidth;
    const { bands, found } = this;
    const colours = this.palettes[clamp(bands.length, 1, this.palettes.length) - 1];
    this.table(colours);
    if (!this.width) return;
    if (!this.drag) this.span = Math.max(this.most, 1e-9);
    put(this.svg, "viewBox", `0 0 ${this.width} ${SCALE.high}`);
    put(this.svg, "height", SCALE.high);
    const top = SCALE.top;
    const share = (score) => this.x(score).toFixed(1);
    put(this.rug, "d", [...this.scores].filter((v) => v >= 0).map((v) => `M${share(v)},${top - 2}v-8`).join(""));
    const ordered = bands.map((b) => b.lower);
    fill(this.parts, bands, () => {
      const box = draw("rect", { y: top, height: SCALE.bar });
      const text = draw("text", { y: top + 16, class: "within" });
      return { node: draw("g", {}, box, text), box, text };
    }, ({ box, text }, band, i) => {
      const from = this.x(band.lower);
      const to = Math.max(i + 1 < bands.length ? this.x(ordered[i + 1]) : this.x(this.span), from);
      const gap = i ? 1 : 0;
      put(box, "x", (from + gap).toFixed(1));
      put(box, "width", Math.max(to - from - gap, 0).toFixed(1));
      put(box, "fill", colours[i % colours.length].colour);
      const name = to - from > 7 * band.name.length + 8 ? band.name : to - from > 16 ? band.name.slice(0, 1) : "";
      say(text, name);
      put(text, "x", ((from + to) / 2).toFixed(1));
      text.style.fill = colours[i % colours.length].on;
    });
    let free = -99;
    fill(this.ticks, [...ordered, this.span], () => ({ node: draw("text", { class: "tick", y: SCALE.high - 8 }) }), ({ node }, edge, i) => {
      const at = this.x(edge);
      const room = Math.abs(at - free) > 22;
      say(node, room || i === bands.length ? plain(edge, 1) : "");
      put(node, "x", at.toFixed(1));
      if (room) free = at;
    });
    fill(this.edges, bands.slice(1), () => this.edge(), (cell, band, n) => {
      cell.i = n + 1;
      const wrong = found.find((p) => p.place === cell.i && p.field === "lower");
      put(cell.node, "transform", `translate(${share(band.lower)},${top})`);
      put(cell.node, "class", wrong ? "knot edgehandle wrong" : "knot edgehandle");
      put(cell.node, "aria-label", `Lower edge of ${band.name || `band ${cell.i + 1}`}`);
      put(cell.node, "aria-valuemin", 0);
      put(cell.node, "aria-valuemax", tidy(this.span, 3));
      put(cell.node, "aria-valuenow", tidy(band.lower, 3));
      put(cell.node, "aria-valuetext", `${plain(band.lower, 2)}${wrong ? `. ${wrong.words}` : ""}`);
      put(cell.sign, "display", wrong ? null : "none");
    });
  }

  edge() {
    const sign = draw("text", { class: "sign", y: SCALE.bar + 14.5, text: "!" });
    const node = draw("g", { tabindex: 0, role: "slider", "aria-orientation": "horizontal", "aria-roledescription": "edge" },
      draw("rect", { class: "hit", x: -12, y: -8, width: 24, height: SCALE.bar + 30 }),
      draw("line", { y1: -5, y2: SCALE.bar + 4 }), draw("circle", { class: "halo", r: 12, cy: SCALE.bar + 10 }), draw("circle", { class: "dot", r: 6.5, cy: SCALE.bar + 10 }), sign);
    const cell = { node, sign, i: 0 };
    node.addEventListener("focus", () => { this.stroke += 1; });
    node.addEventListener("pointerdown", (e) => {
      if (e.button) return;
      e.preventDefault();
      node.focus();
      node.setPointerCapture(e.pointerId);
      this.stroke += 1;
      this.drag = { by: this.score(e) - this.bands[cell.i].lower };
    });
    node.addEventListener("pointermove", (e) => {
      if (!this.drag) return;
      const lower = tidy(Math.round(2 * clamp(this.score(e) - this.drag.by, 0, this.span)) / 2);
      if (lower !== this.bands[cell.i].lower) this.change(cell.i, { lower }, `drag-${this.stroke}`);
    });
    for (const end of ["pointerup", "pointercancel"]) node.addEventListener(end, () => {
      this.drag = null;
      this.paint();
    });
    node.addEventListener("keydown", (e) => {
      const by = { ArrowLeft: -0.5, ArrowDown: -0.5, ArrowRight: 0.5, ArrowUp: 0.5 }[e.key];
      if (by) this.change(cell.i, { lower: Math.max(tidy(this.bands[cell.i].lower + by * (e.shiftKey ? 10 : 1)), 0) }, `key-${this.stroke}`);
      else if (e.key === "Delete" || e.key === "Backspace") this.remove(cell.i);
      else return;
      e.preventDefault();
    });
    return cell;
  }

  score(event) {
    const box = this.svg.getBoundingClientRect();
    return ((event.clientX - box.left - SCALE.left) / (this.width - SCALE.left - SCALE.right)) * this.span;
  }

  table(colours) {
    const { bands, found } = this;
    fill(this.rows, bands, () => {
      const dot = make("i", { class: "dot" });
      const name = make("input", { type: "text", maxlength: 80, class: "bandname" });
      const off = button("×", { class: "off", onclick: () => this.remove(cell.i) });
      const lower = figure({ min: 0, step: 0.5 }, (value, stroke) => this.change(cell.i, { lower: value }, `type-${cell.i}-${stroke}`));
      name.addEventListener("input", () => this.change(cell.i, { name: name.value }, `name-${cell.i}`));
      name.addEventListener("blur", () => this.paint());
      const cell = { node: make("tr", {}, make("td", {}, make("span", { class: "named" }, dot, name)), make("td", {}, lower), make("td", {}, off)), dot, name, lower, off, i: 0 };
      return cell;
    }, (cell, band, i) => {
      cell.i = i;
      cell.dot.style.background = colours[i % colours.length].colour;
      if (document.activeElement !== cell.name && cell.name.value !== band.name) cell.name.value = band.name;
      cell.lower.sync(tidy(band.lower));
      put(cell.name, "aria-label", `Name of band ${i + 1}`);
      put(cell.lower, "aria-label", `Lower edge of band ${i + 1}, ${band.name}`);
      cell.lower.readOnly = i === 0 && band.lower === 0;
      put(cell.off, "aria-label", `Remove band ${i + 1}, ${band.name}`);
      show(cell.off, bands.length > 1);
      const own = found.filter((p) => p.place === i);
      for (const [node, field] of [[cell.name, "name"], [cell.lower, "lower"]]) {
        const bad = own.some((p) => p.field === field);
        put(node, "aria-invalid", bad ? "true" : null);
        put(node, "aria-describedby", bad ? this.words.id : null);
      }
    });
    this.more.disabled = bands.length >= this.palettes.length;
    told(this.words, found, (p) => (p.place < 0 ? p.words : `${bands[p.place] && bands[p.place].name ? bands[p.place].name : `Band ${p.place + 1}`}. ${p.words}`));
  }
}
