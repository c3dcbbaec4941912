// The point curve of a rate: knots to drag, to move with the arrow keys, or to type.
const PLOT = { left: 34, right: 14, top: 14, bottom: 34, high: 196 };

const tidy = (v, digits = 6) => Number(v.toFixed(digits));
const plain = (v, digits = 4) => String(tidy(v, digits));
const clamp = (v, low, high) => Math.min(Math.max(v, low), high);

// A round number not below a value, and the steps up to it.
function roundUp(value) {
  const size = 10 ** Math.floor(Math.log10(value));
  return tidy([1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((n) => n * size >= value - 1e-12) * size, 9);
}

function steps(most, wanted) {
  const size = 10 ** Math.floor(Math.log10(most / wanted));
  const step = [1, 2, 2.5, 5, 10].find((n) => most / (n * size) <= wanted) * size;
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, i) => tidy(i * step, 9));
}

// A number to type. What is no number is not sent, and is set right when the field is left.
function figure(props, changed) {
  const node = make("input", { type: "number", ...props });
  node.shown = 0;
  node.stroke = 0;
  node.addEventListener("focus", () => { node.stroke += 1; });
  node.addEventListener("input", () => {
    const value = node.valueAsNumber;
    if (!Number.isFinite(value)) return;
    node.shown = value;
    changed(value, node.stroke);
  });
  node.addEventListener("blur", () => node.sync(node.shown));
  node.sync = (value) => {
    node.shown = value;
    if (document.activeElement === node && node.value !== "") return;
    if (node.valueAsNumber !== value) node.value = plain(value);
  };
  return node;
}

class CurveEditor {
  // `act(curve, stroke)` is told of every change.
  constructor(part, title, unit, act) {
    Object.assign(this, { part, title, unit, act, stroke: 0, rates: [], found: [], width: 0 });
    this.kinds = [["linear", "Linear"], ["step", "Step"]].map(([id, text]) => button(text, {
      "aria-label": `${title}: ${text.toLowerCase()} between knots`, onclick: () => this.send({ interpolation: id }),
    }));
    this.more = button("Add knot", { "aria-label": `Add a knot to ${title.toLowerCase()}`, onclick: () => this.addInGap() });
    this.grid = draw("g", { class: "grid" });
    this.rug = draw("path", { class: "rug" });
    this.force = draw("path", { class: "force" });
    this.line = draw("path", { class: "curve" });
    this.broken = draw("path", { class: "broken" });
    this.knots = draw("g");
    this.svg = draw("svg", { class: "plot", role: "group", "aria-label": `${title}: points by rate` },
      this.grid, this.rug, this.force, this.line, this.broken, this.knots);
    this.flags = make("div", { class: "flags" });
    this.box = make("div", { class: "plotbox" }, this.svg, this.flags);
    this.heads = make("tr", {}, make("th", { scope: "row", text: "Knot" }));
    this.rows = [["rate", `Rate %`], ["points", "Points"]].map(([, text]) => make("tr", {}, make("th", { scope: "row", text })));
    this.words = make("ul", { class: "problems", id: unique("problems") });
    this.node = make("section", { class: "editor", "aria-label": title },
      make("div", { class: "edithead" }, make("h4", { text: title }), make("span", { class: "switch", role: "group", "aria-label": `Between knots` }, ...this.kinds), this.more),
      this.box,
      make("div", { class: "scroll typed" }, make("table", { "aria-label": `Knots of ${title.toLowerCase()}` }, make("tbody", {}, this.heads, ...this.rows))),
      this.words);
    this.svg.addEventListener("dblclick", (e) => this.addAt(e));
    this.seen = new ResizeObserver(() => this.curve && this.measure());
    this.seen.observe(this.box);
  }

  stop() {
    this.seen.disconnect();
  }

  // `free`: nothing newer is on its way, so the controls follow the draft.
  update({ curve, force, rates, problems }, free) {
    if (free || !this.curve) this.curve = curve;
    this.force.curve = force;
    this.rates = rates;
    this.found = problems.filter((p) => p.part === this.part);
    this.paint();
  }

  send(change, stroke) {
    const as = this.curve.knots.length;
    this.curve = { ...this.curve, ...change };
    if (this.curve.knots.length !== as) this.found = [];
    // Asked first, so that Python works while this is painted.
    this.act(this.curve, stroke && `${this.part}-${stroke}`);
    this.paint();
  }

  move(i, rate, points, stroke) {
    const knots = this.curve.knots.map((knot, n) => (n === i ? [tidy(rate), tidy(points)] : knot));
    this.send({ knots }, stroke);
  }

  add(knots, at) {
    this.send({ knots });
    this.knots.kept[at].node.focus();
  }

  addAt(event) {
    if (event.target.closest(".knot")) return;
    const { rate, points } = this.place(event);
    const knots = [...this.curve.knots, [rate, points]].sort((a, b) => a[0] - b[0]);
    if (!this.curve.knots.some((k) => k[0] === rate)) this.add(knots, knots.findIndex((k) => k[0] === rate));
  }

  // A knot on the curve, in the middle of the widest gap (or after the last one).
  addInGap(after) {
    const { knots } = this.curve;
    if (!knots.length) return this.add([[0, 0]], 0);
    const ends = [...knots.map((k) => k[0]), Math.max(this.domain.x, knots.at(-1)[0])];
    const gaps = knots.map((_, i) => ends[i + 1] - ends[i]);
    const i = after === undefined ? gaps.indexOf(Math.max(...gaps)) : after;
    const next = knots[i + 1] || [ends[i + 1], knots[i][1]];
    if (next[0] <= knots[i][0]) return undefined;
    const step = this.curve.interpolation === "step";
    const made = [tidy((knots[i][0] + next[0]) / 2), step ? knots[i][1] : tidy((knots[i][1] + next[1]) / 2)];
    return this.add([...knots.slice(0, i + 1), made, ...knots.slice(i + 1)], i + 1);
  }

  remove(i, focus) {
    if (this.curve.knots.length < 2) return;
    this.send({ knots: this.curve.knots.filter((_, n) => n !== i) });
    const left = focus(Math.min(i, this.curve.knots.length - 1));
    if (left) left.focus();
  }

  measure() {
    const width = this.box.clientWidth;
    if (width && width !== this.width) {
      this.width = width;
      this.paint();
    }
  }

  // What the axes cover: not changed while a knot is dragged, as it would run from the pointer.
  range() {
    if (this.drag && this.domain) return;
    const curves = [this.curve, this.force.curve];
    const knots = curves.flatMap((curve) => curve.knots);
    const seen = [...this.rates].filter((v) => v >= 0).sort((a, b) => a - b);
    const usual = seen.length ? seen[Math.floor(0.98 * (seen.length - 1))] : 0;
    const x = Math.max(...knots.map((k) => Math.min(k[0], 1)), usual, 0.02);
    const y = Math.max(...knots.map((k) => k[1]), 1);
    this.domain = { x: Math.min(roundUp(x * 1.08), 1), y: roundUp(y * 1.04) };
  }

  paint() {
    if (!this.width) this.width = this.box.clientWidth;
    this.table();
    if (!this.width) return;
    this.range();
    const { width } = this;
    put(this.svg, "viewBox", `0 0 ${width} ${PLOT.high}`);
    put(this.svg, "height", PLOT.high);
    this.axes();
    const marks = [...this.rates].filter((v) => v >= 0 && v <= this.domain.x);
    put(this.rug, "d", marks.map((v) => `M${this.x(v).toFixed(1)},${PLOT.high - PLOT.bottom}v-7`).join(""));
    put(this.force, "d", this.path(this.force.curve));
    put(this.line, "d", this.path(this.curve));
    const { knots } = this.curve;
    const wrong = new Map();
    for (const p of this.found) if (p.place >= 0) wrong.set(p.place, [...(wrong.get(p.place) || []), p]);
    put(this.broken, "d", [...wrong.keys()].filter((i) => i > 0 && knots[i])
      .map((i) => `M${this.at(knots[i - 1])}L${this.at(knots[i])}`).join(""));
    fill(this.knots, knots, () => this.knot(), (cell, knot, i) => {
      cell.i = i;
      const [x, y] = [this.x(knot[0]), this.y(knot[1])];
      put(cell.node, "transform", `translate(${x.toFixed(1)},${y.toFixed(1)})`);
      put(cell.node, "class", wrong.has(i) ? "knot wrong" : "knot");
      put(cell.node, "aria-label", `${this.title}, knot ${i + 1} of ${knots.length}`);
      put(cell.node, "aria-valuenow", tidy(knot[1], 3));
      put(cell.node, "aria-valuemin", 0);
      put(cell.node, "aria-valuemax", Math.max(this.domain.y, knot[1]));
      const said = wrong.has(i) ? `. ${wrong.get(i).map((p) => p.words).join(" ")}` : "";
      put(cell.node, "aria-valuetext", `${plain(100 * knot[0], 3)} %, ${plural(tidy(knot[1], 3), "point").replace(/^\S+/, plain(knot[1], 3))}${said}`);
      say(cell.text, `${plain(100 * knot[0], 2)} % · ${plain(knot[1], 1)}`);
      const right = x > width - 110;
      put(cell.text, "x", right ? -12 : 12);
      put(cell.text, "text-anchor", right ? "end" : "start");
      put(cell.text, "y", y < 34 ? 22 : -11);
      put(cell.sign, "display", wrong.has(i) ? null : "none");
    });
    this.flag(wrong);
  }

  axes() {
    const mark = JSON.stringify([this.domain, this.width]);
    if (this.mark === mark) return;
    this.mark = mark;
    const { high, left, right, bottom } = PLOT;
    const base = high - bottom;
    const xs = steps(this.domain.x, this.width < 330 ? 4 : 6).flatMap((v) => [
      draw("line", { x1: this.x(v), x2: this.x(v), y1: PLOT.top, y2: base }),
      draw("text", { x: this.x(v), y: base + 15, class: "tick", text: `${plain(100 * v, 2)}${v === 0 ? " %" : ""}` }),
    ]);
    const ys = steps(this.domain.y, 4).flatMap((v) => [
      draw("line", { x1: left, x2: this.width - right, y1: this.y(v), y2: this.y(v) }),
      draw("text", { x: left - 6, y: this.y(v) + 4, class: "edge", text: plain(v, 1) }),
    ]);
    this.grid.replaceChildren(...xs, ...ys, draw("text", { x: this.width - right, y: high - 4, class: "edge", text: `${this.unit}, one mark a sender` }));
  }

  knot() {
    const text = draw("text", { class: "value" });
    const sign = draw("text", { class: "sign", y: 4.5, text: "!" });
    const node = draw("g", { tabindex: 0, role: "slider", "aria-roledescription": "knot", class: "knot" },
      draw("circle", { class: "hit", r: 15 }), draw("circle", { class: "halo", r: 12 }), draw("circle", { class: "dot", r: 6.5 }), sign, text);
    const cell = { node, text, sign, i: 0 };
    node.addEventListener("pointerdown", (e) => this.down(e, cell));
    node.addEventListener("pointermove", (e) => this.dragged(e, cell));
    for (const end of ["pointerup", "pointercancel"]) node.addEventListener(end, () => this.up());
    node.addEventListener("focus", () => { this.stroke += 1; });
    node.addEventListener("keydown", (e) => this.key(e, cell.i));
    return cell;
  }

  down(event, cell) {
    if (event.button) return;
    event.preventDefault();
    cell.node.focus();
    cell.node.setPointerCapture(event.pointerId);
    this.stroke += 1;
    const at = this.place(event, false);
    const knot = this.curve.knots[cell.i];
    this.drag = { rate: at.rate - knot[0], points: at.points - knot[1] };
  }

  dragged(event, cell) {
    if (!this.drag) return;
    const at = this.place(event, false);
    const [rate, points] = this.rounded(at.rate - this.drag.rate, at.points - this.drag.points);
    const old = this.curve.knots[cell.i];
    if (rate !== old[0] || points !== old[1]) this.move(cell.i, rate, points, `drag-${this.stroke}`);
  }

  up() {
    if (!this.drag) return;
    this.drag = null;
    this.paint();
  }

  key(event, i) {
    const { fine } = this.grain();
    const [rate, points] = this.curve.knots[i];
    const many = event.shiftKey ? 10 : 1;
    const by = { ArrowLeft: [-fine, 0], ArrowRight: [fine, 0], ArrowUp: [0, 0.5], ArrowDown: [0, -0.5] }[event.key];
    if (by) this.move(i, clamp(tidy(rate + many * by[0]), 0, 1), Math.max(tidy(points + many * by[1]), 0), `key-${this.stroke}`);
    else if (event.key === "Delete" || event.key === "Backspace") this.remove(i, (n) => this.knots.kept[n].node);
    else if (event.key === "Insert" || event.key === "+") this.addInGap(i);
    else return;
    event.preventDefault();
  }

  grain() {
    const fine = this.domain.x > 0.14 ? 0.001 : 0.0005;
    return { fine };
  }

  rounded(rate, points) {
    const { fine } = this.grain();
    const to = (v, step) => tidy(Math.round(v / step) * step);
    return [clamp(to(rate, fine), 0, 1), Math.max(to(points, 0.5), 0)];
  }

  place(event, round = true) {
    const box = this.svg.getBoundingClientRect();
    const wide = this.width - PLOT.left - PLOT.right;
    const tall = PLOT.high - PLOT.top - PLOT.bottom;
    const rate = ((event.clientX - box.left - PLOT.left) / wide) * this.domain.x;
    const points = ((box.top + PLOT.high - PLOT.bottom - event.clientY) / tall) * this.domain.y;
    if (!round) return { rate, points };
    const [r, p] = this.rounded(rate, points);
    return { rate: r, points: p };
  }

  x(rate) {
    return PLOT.left + (clamp(rate, 0, this.domain.x) / this.domain.x) * (this.width - PLOT.left - PLOT.right);
  }

  y(points) {
    return PLOT.high - PLOT.bottom - (clamp(points, 0, this.domain.y) / this.domain.y) * (PLOT.high - PLOT.top - PLOT.bottom);
  }

  at([rate, points]) {
    return `${this.x(rate).toFixed(1)},${this.y(points).toFixed(1)}`;
  }

  path({ interpolation, knots }) {
    if (!knots.length) return "";
    const ends = [[0, knots[0][1]], ...knots, [this.domain.x, knots.at(-1)[1]]];
    const parts = [`M${this.at(ends[0])}`];
    for (let i = 1; i < ends.length; i += 1) {
      if (interpolation === "step") parts.push(`H${this.x(ends[i][0]).toFixed(1)}V${this.y(ends[i][1]).toFixed(1)}`);
      else parts.push(`L${this.at(ends[i])}`);
    }
    return parts.join("");
  }

  // Words beside the knots that are wrong, and all of them below.
  flag(wrong) {
    const first = [...wrong].slice(0, 2).filter(([i]) => this.curve.knots[i]);
    fill(this.flags, first, () => ({ node: make("p", { class: "flag", "aria-hidden": "true" }) }), ({ node }, [i, list]) => {
      const [x, y] = [this.x(this.curve.knots[i][0]), this.y(this.curve.knots[i][1])];
      say(node, list[0].words);
      const left = x > this.width / 2;
      node.style.left = left ? "" : `${x + 16}px`;
      node.style.right = left ? `${this.width - x + 16}px` : "";
      node.style.top = `${clamp(y - 18, 2, PLOT.high - 76)}px`;
    });
  }

  table() {
    const { knots, interpolation } = this.curve;
    this.kinds.forEach((one, i) => put(one, "aria-pressed", String(["linear", "step"][i] === interpolation)));
    const lower = this.title.toLowerCase();
    fill(this.heads, knots, (i) => {
      const off = button("×", { class: "off", onclick: () => this.remove(cell.i, (n) => this.heads.kept[n].off) });
      const text = make("span", { text: String(i + 1) });
      const cell = { node: make("th", { scope: "col" }, text, off), off, i };
      return cell;
    }, (cell, _, i) => {
      cell.i = i;
      put(cell.off, "aria-label", `Remove knot ${i + 1} of ${lower}`);
      show(cell.off, knots.length > 1);
    });
    ["rate", "points"].forEach((field, row) => {
      fill(this.rows[row], knots, (i) => {
        const box = figure({ min: 0, max: row ? null : 100, step: row ? 0.5 : 0.1 }, (value, stroke) => {
          const [rate, points] = this.curve.knots[cell.i];
          this.move(cell.i, row ? rate : value / 100, row ? value : points, `type-${field}-${cell.i}-${stroke}`);
        });
        const cell = { node: make("td", {}, box), box, i };
        return cell;
      }, (cell, knot, i) => {
        cell.i = i;
        cell.box.sync(row ? tidy(knot[1]) : tidy(100 * knot[0]));
        put(cell.box, "aria-label", `${this.title}, knot ${i + 1}, ${row ? "points" : "rate in percent"}`);
        const bad = this.found.some((p) => p.place === i && p.field === field);
        put(cell.box, "aria-invalid", bad ? "true" : null);
        put(cell.box, "aria-describedby", bad ? this.words.id : null);
      });
    });
    told(this.words, this.found, (p) => (p.place < 0 ? p.words : `Knot ${p.place + 1}. ${p.words}`));
  }
}

function told(list, found, words) {
  fill(list, found, () => ({ node: make("li") }), ({ node }, problem) => say(node, words(problem)));
}
