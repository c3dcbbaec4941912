// Senders by week, and senders by sequence: cells on a canvas, as many as are in sight.
const SIGNS = { "-2": "•", "-3": "–", "-4": "?" };
const MEANINGS = { "-2": "collecting", "-3": "no paid seat", "-4": "not computable" };
const NOTHING = -1;
const ROW = 22;
const MOST_HEIGHT = 460;
const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

class Heatmap {
  // `act` has open(row, column) and, where weeks can be brushed, brush(from, to, stroke).
  constructor(label, act) {
    this.act = act;
    this.cursor = [0, 0];
    this.canvas = make("canvas", {
      tabindex: 0, role: "application", "aria-label": label,
      "aria-roledescription": "heatmap", onkeydown: (e) => this.key(e),
    });
    this.spacer = make("div");
    this.scroll = make("div", { class: "heat", onscroll: () => this.matrix && this.paint() }, this.canvas, this.spacer);
    this.tip = make("div", { class: "tip", hidden: true });
    this.said = make("p", { class: "said", role: "status" });
    put(this.canvas, "aria-describedby", this.said.id = unique("cell"));
    this.node = make("div", { class: "heatbox" }, this.scroll, this.tip, this.said);
    this.canvas.addEventListener("pointerdown", (e) => this.down(e));
    this.canvas.addEventListener("pointermove", (e) => this.moved(e));
    this.canvas.addEventListener("pointerup", (e) => this.up(e));
    this.canvas.addEventListener("pointerleave", () => show(this.tip, false));
    this.canvas.addEventListener("focus", () => this.tell());
    this.canvas.addEventListener("blur", () => this.matrix && this.paint());
    this.stroke = 0;
    this.seen = new ResizeObserver(() => this.matrix && this.paint());
    this.seen.observe(this.node);
  }

  stop() {
    this.seen.disconnect();
  }

  update(matrix, policy, brush, colours) {
    const some = matrix.rows.length > 0 && matrix.columns.length > 0;
    show(this.node, some);
    this.matrix = some ? this.matrix : null;
    if (!some) return;
    const same = this.matrix && this.matrix.rows.length === matrix.rows.length;
    Object.assign(this, { matrix, policy, brush, colours });
    this.cursor = [Math.min(this.cursor[0], matrix.rows.length - 1), Math.min(this.cursor[1], matrix.columns.length - 1)];
    if (!same) this.scroll.scrollTop = 0;
    this.paint();
    if (document.activeElement === this.canvas) this.tell();
  }

  measure() {
    const { rows, columns, span } = this.matrix;
    const wide = this.node.clientWidth;
    const left = wide < 520 ? 96 : 158;
    const slanted = span === undefined;
    const top = slanted ? 112 : 36;
    const step = Math.max(2, Math.min(46, (wide - left - (slanted ? 44 : 14)) / Math.max(columns.length, 1)));
    const tall = rows.length * ROW;
    const high = Math.min(MOST_HEIGHT, top + tall + 2);
    return { wide, left, top, step, tall, high, slanted };
  }

  paint() {
    const { matrix, policy, colours, canvas } = this;
    const at = (this.at = this.measure());
    if (!at.wide) return;
    const scale = devicePixelRatio || 1;
    const size = [Math.round(at.wide * scale), Math.round(at.high * scale)];
    if (canvas.width !== size[0] || canvas.height !== size[1]) {
      [canvas.width, canvas.height] = size;
      canvas.style.width = `${at.wide}px`;
      canvas.style.height = `${at.high}px`;
      this.scroll.style.maxHeight = `${at.high}px`;
    }
    const rest = `${Math.max(0, at.top + at.tall + 2 - at.high)}px`;
    if (this.spacer.style.height !== rest) this.spacer.style.height = rest;
    const g = canvas.getContext("2d");
    g.setTransform(scale, 0, 0, scale, 0, 0);
    g.clearRect(0, 0, at.wide, at.high);
    g.textBaseline = "middle";
    const offset = this.scroll.scrollTop;
    const first = Math.floor(offset / ROW);
    const last = Math.min(matrix.rows.length, Math.ceil((offset + at.high - at.top) / ROW));
    g.save();
    g.beginPath();
    g.rect(0, at.top, at.wide, at.high - at.top);
    g.clip();
    const texts = at.step >= 17;
    for (let r = first; r < last; r += 1) {
      const y = at.top + r * ROW - offset;
      g.fillStyle = colours.ink;
      g.font = `12px ${FONT}`;
      g.textAlign = "right";
      g.fillText(this.clipped(g, matrix.rows[r].label, at.left - 12), at.left - 8, y + ROW / 2);
      g.textAlign = "center";
      g.font = `${at.step < 21 ? 9 : 10.5}px ${FONT}`;
      for (let c = 0; c < matrix.columns.length; c += 1) this.cell(g, r, c, at.left + c * at.step, y, at.step, texts);
    }
    this.dim(g, at);
    if (document.activeElement === canvas) {
      const [r, c] = this.cursor;
      g.strokeStyle = colours.focus;
      g.lineWidth = 2.5;
      g.strokeRect(at.left + c * at.step, at.top + r * ROW - offset + 1, Math.max(at.step - 1, 4), ROW - 2);
    }
    g.restore();
    if (at.slanted) this.slanted(g, at);
    else this.weeks(g, at);
  }

  cell(g, r, c, x, y, step, texts) {
    const i = r * this.matrix.columns.length + c;
    const state = this.matrix.states[i];
    if (state === NOTHING) return;
    const gap = step > 8 ? 1.5 : step > 4 ? 0.75 : 0;
    const wide = Math.max(step - gap, 1);
    if (state >= 0) {
      const band = this.policy.bands[state];
      g.fillStyle = band.colour;
      g.fillRect(x, y + 1, wide, ROW - 2);
      if (texts) {
        g.fillStyle = band.on;
        g.fillText(this.score(i).toFixed(0), x + wide / 2, y + ROW / 2 + 0.5);
      } else if (step >= 4) {
        // No room for a number: the score is a tick at its height, so that it is not colour alone.
        g.fillStyle = band.on;
        g.fillRect(x + wide * 0.15, y + ROW - 4 - (this.matrix.shares[i] / 30000) * (ROW - 7), wide * 0.7, 1.5);
      }
    } else {
      g.fillStyle = this.colours.track;
      g.fillRect(x, y + 1, wide, ROW - 2);
      if (step >= 9) {
        g.fillStyle = this.colours.muted;
        g.fillText(SIGNS[state] || "", x + wide / 2, y + ROW / 2);
      }
    }
  }

  score(i) {
    return (this.matrix.shares[i] / 30000) * this.policy.most;
  }

  // Weeks outside the brush step back.
  dim(g, at) {
    if (!this.brush) return;
    const inside = this.matrix.columns.map(({ id }) => id >= this.brush[0] && id <= this.brush[1]);
    const from = inside.indexOf(true);
    const to = inside.lastIndexOf(true);
    g.fillStyle = this.colours.veil;
    if (from < 0) return;
    const x = at.left + from * at.step;
    const end = at.left + (to + 1) * at.step;
    g.fillRect(at.left, at.top, x - at.left, at.high);
    g.fillRect(end, at.top, at.left + this.matrix.columns.length * at.step - end, at.high);
    g.strokeStyle = this.colours.accent;
    g.lineWidth = 2;
    g.strokeRect(x - 1, at.top + 1, end - x + 1, Math.min(at.high - at.top, at.tall) - 2);
  }

  weeks(g, at) {
    g.fillStyle = this.colours.muted;
    g.font = `11px ${FONT}`;
    let free = -99;
    let month = "";
    let free2 = -99;
    this.matrix.columns.forEach(({ id }, c) => {
      const x = at.left + (c + 0.5) * at.step;
      const [year, m, day] = id.split("-");
      if (x - free > 22 && at.step >= 12) {
        g.textAlign = "center";
        g.fillText(String(Number(day)), x, at.top - 9);
        free = x;
      }
      const named = at.step >= 12 ? year + m : year + (at.step > 3 ? m : Math.floor((m - 1) / 3));
      if (named !== month && x - free2 > 40) {
        g.textAlign = "left";
        g.fillText(MONTHS[m - 1] + (m === "01" || !month ? ` ’${year.slice(2)}` : ""), x - at.step / 2, at.step >= 12 ? at.top - 24 : at.top - 10);
        free2 = x;
      }
      month = named;
    });
  }

  slanted(g, at) {
    g.fillStyle = this.colours.muted;
    g.font = `11px ${FONT}`;
    g.textAlign = "left";
    const every = Math.ceil(13 / at.step);
    this.matrix.columns.forEach(({ label }, c) => {
      if (c % every) return;
      g.save();
      g.translate(at.left + (c + 0.5) * at.step - 2, at.top - 6);
      g.rotate(-0.85);
      g.fillText(this.clipped(g, label, 118), 0, 0);
      g.restore();
    });
  }

  clipped(g, text, room) {
    if (g.measureText(text).width <= room) return text;
    let [low, high] = [0, text.length];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (g.measureText(text.slice(0, middle) + "…").width <= room) low = middle;
      else high = middle - 1;
    }
    return text.slice(0, low) + "…";
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const { left, top, step } = this.at;
    const x = event.clientX - box.left;
    const y = event.clientY - box.top;
    const c = Math.floor((x - left) / step);
    const r = Math.floor((y - top + this.scroll.scrollTop) / ROW);
    const inside = r >= 0 && r < this.matrix.rows.length && y >= top;
    return { x, y, r, c, row: inside, column: c >= 0 && c < this.matrix.columns.length };
  }

  down(event) {
    if (!this.matrix || event.button !== 0) return;
    const at = this.place(event);
    this.stroke += 1;
    this.drag = { ...at, moved: false };
    if (at.column && this.act.brush) this.canvas.setPointerCapture(event.pointerId);
  }

  moved(event) {
    if (!this.matrix) return;
    const at = this.place(event);
    const columns = this.matrix.columns.length;
    if (this.drag && this.act.brush && this.drag.column && event.buttons) {
      const c = Math.min(Math.max(at.c, 0), columns - 1);
      if (c !== this.drag.c || this.drag.moved) {
        this.drag.moved = true;
        if (c !== this.drag.last) this.brushed(this.drag.c, c);
        this.drag.last = c;
      }
    }
    const hit = at.row && at.column && this.matrix.states[at.r * columns + at.c] !== NOTHING;
    this.canvas.style.cursor = at.row && (at.c < 0 || (hit && !this.act.brush)) ? "pointer" : at.column ? "crosshair" : "default";
    if (hit) {
      say(this.tip, this.words(at.r, at.c));
      show(this.tip, true);
      const wide = this.tip.offsetWidth;
      this.tip.style.left = `${Math.min(at.x + 14, Math.max(0, this.at.wide - wide - 4))}px`;
      this.tip.style.top = `${at.y + 18}px`;
    } else show(this.tip, false);
  }

  up() {
    const drag = this.drag;
    this.drag = null;
    if (!drag || drag.moved) return;
    if (drag.row && drag.c < 0) this.act.open(this.matrix.rows[drag.r], null);
    else if (drag.column && this.act.brush) this.brushed(drag.c, drag.c);
    else if (drag.row && drag.column) this.opened(drag.r, drag.c);
  }

  // A cell in which nothing ended has nothing to open.
  opened(r, c) {
    if (this.matrix.states[r * this.matrix.columns.length + c] === NOTHING) return;
    this.act.open(this.matrix.rows[r], this.matrix.columns[c]);
  }

  brushed(from, to) {
    if (!this.matrix) return;
    const [low, high] = from < to ? [from, to] : [to, from];
    const { columns } = this.matrix;
    this.act.brush(columns[low].id, iso(time(columns[high].id) + 6 * DAY), `brush-${this.stroke}`);
  }

  key(event) {
    if (!this.matrix) return;
    const { rows, columns } = this.matrix;
    const [r, c] = this.cursor;
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [0, -c], End: [0, columns.length - 1 - c], PageUp: [-10, 0], PageDown: [10, 0] };
    const step = steps[event.key];
    if (step) {
      const to = [Math.min(Math.max(r + step[0], 0), rows.length - 1), Math.min(Math.max(c + step[1], 0), columns.length - 1)];
      if (event.shiftKey && step[1] && this.act.brush) {
        if (this.anchor === undefined) {
          this.anchor = c;
          this.stroke += 1;
        }
        this.brushed(this.anchor, to[1]);
      } else this.anchor = undefined;
      this.cursor = to;
      const y = to[0] * ROW;
      const room = this.at.high - this.at.top;
      if (y < this.scroll.scrollTop) this.scroll.scrollTop = y;
      if (y + ROW > this.scroll.scrollTop + room) this.scroll.scrollTop = y + ROW - room;
      this.paint();
      this.tell();
    } else if (event.key === "Enter" && this.act.brush) this.act.open(rows[r], null);
    else if (event.key === "Enter") this.opened(r, c);
    else if (event.key === " " && this.act.brush) {
      this.stroke += 1;
      this.brushed(c, c);
    } else if (event.key === "Escape" && this.brush && this.act.brush) this.act.brush("", "");
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  tell() {
    if (!this.matrix) return;
    say(this.said, this.words(...this.cursor));
    this.paint();
  }

  words(r, c) {
    const i = r * this.matrix.columns.length + c;
    const { states, ended, rows, columns, span } = this.matrix;
    const where = span === undefined ? columns[c].label : `${span === 1 ? "week" : `${span} weeks to the week`} of ${columns[c].label}`;
    const state = states[i];
    const value = state >= 0 ? `score ${this.score(i).toFixed(1)}, ${this.policy.bands[state].name}` : state === NOTHING ? "nothing ended" : MEANINGS[state];
    return `${rows[r].label}, ${where}: ${value}${state === NOTHING ? "" : `, ${plural(ended[i], "enrollment")}`}`;
  }
}
