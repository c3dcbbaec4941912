// Marks that several widgets draw: dials, cards, chips, bars, pages. Each is changed in place.
const DIAL = { x: 100, y: 92, r: 74, w: 15, gap: 4, arc: 4 };

function ring(from, to, inner, outer) {
  const point = (share, r) => {
    const a = Math.PI * (share - 1);
    return `${(DIAL.x + r * Math.cos(a)).toFixed(2)},${(DIAL.y + r * Math.sin(a)).toFixed(2)}`;
  };
  const end = Math.max(to, from + 0.002);
  return `M${point(from, outer)}A${outer},${outer} 0 0 1 ${point(end, outer)}L${point(end, inner)}A${inner},${inner} 0 0 0 ${point(from, inner)}Z`;
}

class Dial {
  constructor() {
    this.bands = draw("g");
    this.interval = draw("path", { class: "interval" });
    this.progress = draw("path", { class: "progress" });
    this.needle = draw("path", { class: "needle", d: `M-5,${-DIAL.r + 20}L5,${-DIAL.r + 20}L0,${-DIAL.r + 1}Z` });
    this.number = draw("text", { class: "number", x: DIAL.x, y: DIAL.y - 4 });
    this.turn = draw("g", {}, this.needle);
    this.node = draw("svg", { viewBox: "0 0 200 98", "aria-hidden": "true", focusable: "false" },
      this.bands, this.progress, this.interval, this.turn, this.number);
  }

  update(row, policy, minimum) {
    const scored = row.score !== undefined;
    const mark = JSON.stringify([policy.bands, policy.most, scored]);
    if (this.mark !== mark) {
      this.mark = mark;
      const edges = [...policy.bands.map((b) => b.lower / policy.most), 1];
      this.bands.replaceChildren(...policy.bands.map((band, i) => draw("path", {
        d: ring(edges[i] + (i ? 0.004 : 0), edges[i + 1], DIAL.r - DIAL.w, DIAL.r),
        fill: scored ? band.colour : null, class: scored ? "band" : "band idle",
      })));
    }
    const shown = scored ? "" : "none";
    for (const part of [this.interval, this.turn]) put(part, "display", shown || null);
    put(this.progress, "display", scored ? "none" : null);
    say(this.number, scored ? row.text : "–");
    if (scored) {
      const out = DIAL.r + DIAL.gap;
      put(this.interval, "d", ring(row.low / policy.most, row.high / policy.most, out, out + DIAL.arc));
      put(this.turn, "transform", `translate(${DIAL.x},${DIAL.y}) rotate(${(180 * (row.score / policy.most - 0.5)).toFixed(2)})`);
    } else {
      const have = row.status === "collecting" ? row.ended / (row.ended + row.missing) : 0;
      put(this.progress, "d", have ? ring(0, have, DIAL.r - DIAL.w, DIAL.r) : "");
    }
  }
}

function swatch(row, policy) {
  const band = row.band === undefined ? null : policy.bands[row.band];
  return band ? band.colour : "transparent";
}

class Card {
  constructor(open) {
    this.dial = new Dial();
    this.name = make("span", { class: "who" });
    this.verdict = make("span", { class: "verdict" });
    this.line = make("span", { class: "line" });
    this.node = open
      ? make("button", { type: "button", class: "card", onclick: () => open(this.row) })
      : make("div", { class: "card still" });
    this.node.append(this.name, this.dial.node, this.verdict, this.line);
  }

  update(row, policy) {
    this.row = row;
    say(this.name, row.label || "");
    put(this.name, "title", row.label);
    this.dial.update(row, policy);
    say(this.verdict, row.verdict);
    say(this.line, row.score === undefined
      ? (row.status === "collecting" ? waiting(row).replace(" needed", "") : row.why || plural(row.ended, "enrollment"))
      : `${row.low.toFixed(0)}–${row.high.toFixed(0)} · ${plural(row.ended, "enrollment")}`);
    if (this.node.tagName === "BUTTON") put(this.node, "aria-label", `${row.label}: ${sentence(row)}. Open.`);
  }
}

function chip() {
  const dot = make("i");
  const text = make("span");
  return { node: make("span", { class: "chip" }, dot, text), update(row, policy) {
    dot.style.background = swatch(row, policy);
    put(dot, "class", row.band === undefined ? "none" : "");
    const status = row.status === "collecting" ? `Collecting: ${waiting(row)}` : waiting(row);
    say(text, row.score === undefined ? status : row.verdict);
  } };
}

// An interval on the policy's scale, with the score as a tick.
function bar() {
  const track = draw("rect", { x: 0, y: 5, width: 100, height: 2, class: "track" });
  const range = draw("rect", { y: 3, height: 6, rx: 3, class: "range" });
  const tick = draw("rect", { y: 0, width: 2, height: 12, class: "tick" });
  return { node: draw("svg", { class: "range", viewBox: "0 0 100 12", preserveAspectRatio: "none", "aria-hidden": "true" }, track, range, tick), update(row, policy) {
    const on = row.score !== undefined;
    for (const part of [range, tick]) put(part, "display", on ? null : "none");
    if (!on) return;
    const share = (v) => (100 * v) / policy.most;
    put(range, "x", share(row.low).toFixed(1));
    put(range, "width", Math.max(share(row.high) - share(row.low), 1).toFixed(1));
    put(tick, "x", (share(row.score) - 1).toFixed(1));
    put(range, "fill", swatch(row, policy));
  } };
}

class Pager {
  constructor(turn) {
    this.back = button("‹ Previous", { onclick: () => this.go(turn, -1) });
    this.on = button("Next ›", { onclick: () => this.go(turn, 1) });
    this.text = make("span", { role: "status" });
    this.node = make("div", { class: "pager" }, this.back, this.text, this.on);
  }

  // From the page that was asked for last, which may not be drawn yet.
  go(turn, by) {
    this.page += by;
    this.limit();
    turn(this.page);
  }

  limit() {
    this.back.disabled = this.page <= 0;
    this.on.disabled = this.page + 1 >= this.pages;
  }

  update(list, what, free = true) {
    if (free || this.page === undefined) this.page = list.page;
    this.pages = list.pages;
    const from = list.page * list.size;
    say(this.text, list.pages > 1
      ? `${from + 1}–${from + list.rows.length} of ${plural(list.total, what)}`
      : plural(list.total, what));
    show(this.back, list.pages > 1);
    show(this.on, list.pages > 1);
    this.limit();
  }
}
