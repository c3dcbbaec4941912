// What a draft does: how many move, gauges before and after, how bands fill, how stable they are.
class Outcome {
  // `pick(cell)` narrows the list of senders to a cell of the matrix, or to nothing again.
  constructor(pick) {
    this.pick = pick;
    this.tiles = ["Change band", "Flip by chance", "Scored", "Enrollments"].map((label) => {
      const value = make("strong");
      const more = make("small");
      return { node: make("div", { class: "part" }, make("span", { text: label }), value, more), value, more };
    });
    this.dials = ["before", "after"].map(() => {
      const words = make("p", { class: "words" });
      const name = make("p", { class: "words policy" });
      const card = new Card();
      return { words, name, card, node: make("div", { class: "half" }, words, name, card.node) };
    });
    this.who = make("h4");
    this.everyone = button("Show everyone", { class: "link" });
    this.split = make("tbody");
    this.points = make("table", { class: "split" }, make("thead", {}, make("tr", {}, ...["Points", "In force", "Draft"].map((text, i) => make("th", { scope: "col", text, class: i ? "figure" : "" })))), this.split);
    this.fills = [0, 1].map(() => {
      const words = make("span", { class: "words" });
      const row = make("div", { class: "fillbar", role: "img" });
      return { words, row, node: make("div", {}, words, row) };
    });
    this.heads = make("tr", {}, make("td", {}));
    this.cells = make("tbody");
    this.caption = make("caption");
    this.matrix = make("table", { class: "matrix" }, this.caption, make("thead", {}, this.heads), this.cells);
    this.flips = [0, 1].map((i) => {
      const rug = draw("path", { class: "rug" });
      const mean = draw("path", { class: "mean" });
      const text = draw("text", { class: "name", x: 0, y: 15 + 50 * i });
      return { rug, mean, text };
    });
    this.flipAxis = draw("g", { class: "grid" });
    this.flipPlot = draw("svg", { class: "flips", role: "img" }, this.flipAxis, ...this.flips.flatMap((f) => [f.rug, f.mean, f.text]));
    this.flipBox = make("div", { class: "plotbox" }, this.flipPlot);
    const card = (title, ...inside) => make("section", { class: "sheet", "aria-label": title }, make("h4", { text: title }), ...inside);
    this.node = make("div", {},
      make("section", { class: "together", "aria-label": "In short" }, ...this.tiles.map((t) => t.node)),
      make("div", { class: "sheets" },
        make("section", { class: "sheet", "aria-label": "Gauges" }, make("div", { class: "edithead" }, this.who, this.everyone), make("div", { class: "halves" }, ...this.dials.map((d) => d.node)), this.points),
        card("Who changes band", make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Bands in force by bands of the draft" }, this.matrix)),
        make("div", { class: "stacked" }, card("How the bands fill", ...this.fills.map((f) => f.node)),
          card("How stable", make("p", { class: "hint", text: "The chance that a band flips between two periods like this one although nothing changed; one mark a sender." }), this.flipBox))));
    this.seen = new ResizeObserver(() => this.frame && this.stable());
    this.seen.observe(this.flipBox);
  }

  stop() {
    this.seen.disconnect();
  }

  update(frame, rows, picked) {
    Object.assign(this, { frame, rows });
    const { before, after } = frame;
    const held = rows.ended.filter((n) => n >= 0).length;
    const moved = [frame.moved ? `${count(frame.up)} up, ${count(frame.down)} down` : "", frame.moved > frame.up + frame.down ? `${count(frame.moved - frame.up - frame.down)} to a new band` : ""];
    const values = [
      [frame.moved ? `${count(frame.moved)} of ${count(held)}` : `nobody of ${count(held)}`, moved.filter(Boolean).join(", ")],
      [after.flip === null ? "–" : `${(after.flip * after.scored).toFixed(1)} of ${count(after.scored)}`,
        after.flip === null ? "nobody is scored" : `${percent(after.flip)} each on average, in force ${before.flip === null ? "–" : percent(before.flip)}`],
      [`${count(after.scored)} of ${count(held)}`, after.scored === before.scored ? "as in force" : `${count(before.scored)} in force`],
      [count(frame.enrollments), frame.days],
    ];
    values.forEach(([value, more], i) => {
      say(this.tiles[i].value, value);
      say(this.tiles[i].more, more);
    });
    say(this.who, frame.gauges.label);
    show(this.everyone, Boolean(frame.trial.chosen));
    ["before", "after"].forEach((side, i) => {
      const label = i ? "Draft" : "In force";
      say(this.dials[i].words, label);
      const name = i && frame.changed ? "changed, not saved" : frame[side].name;
      say(this.dials[i].name, name);
      put(this.dials[i].name, "title", name);
      this.dials[i].card.update(frame.gauges[side], frame[side]);
      put(this.dials[i].card.node, "role", "img");
      put(this.dials[i].card.node, "aria-label", `${label}: ${sentence(frame.gauges[side])}`);
    });
    const [now, then] = ["before", "after"].map((side) => frame.gauges[side]);
    const lines = [["Replies", now.reply, 0], ["Bounces", now.bounce, 1]];
    fill(this.split, lines, () => {
      const parts = [make("th", { scope: "row" }), make("td", { class: "figure" }), make("td", { class: "figure" })];
      return { node: make("tr", {}, ...parts), parts };
    }, ({ parts }, [name, rates, k]) => {
      say(parts[0], `${name} ${rate(rates)}`);
      [now, then].forEach((row, i) => say(parts[i + 1], row.points ? row.points[k].toFixed(1) : "–"));
    });
    this.filled();
    this.migration(picked);
    this.stable();
  }

  filled() {
    ["before", "after"].forEach((key, n) => {
      const side = this.frame[key];
      const { words, row } = this.fills[n];
      const total = side.fill.reduce((a, b) => a + b, 0);
      say(words, n ? "Draft" : "In force");
      const told = side.bands.map((band, i) => `${band.name} ${side.fill[i]}`);
      put(row, "aria-label", `${n ? "Draft" : "In force"}: ${told.join(", ")}`);
      fill(row, side.bands, () => ({ node: make("span", {}) }), ({ node }, band, i) => {
        const share = total ? side.fill[i] / total : 0;
        node.style.flexGrow = String(side.fill[i]);
        node.style.background = band.colour;
        node.style.color = band.on;
        show(node, side.fill[i] > 0);
        put(node, "title", told[i]);
        say(node, share > 0.17 ? told[i] : share > 0.03 ? String(side.fill[i]) : "");
      });
    });
  }

  migration(picked) {
    const { before, after, matrix } = this.frame;
    const none = (list) => list.some((n) => n > 0);
    const names = (side) => [...side.bands.map((b) => b.name), "No score"];
    // The highest band first; who has no score last, and only where there are any.
    const order = (n, used) => [...Array(n).keys()].reverse().concat(used ? [n] : []);
    const rows = order(before.bands.length, none(matrix.at(-1)));
    const columns = order(after.bands.length, none(matrix.map((r) => r.at(-1))));
    const most = Math.max(1, ...matrix.flat());
    const labels = [names(before), names(after)];
    say(this.caption, "Rows: in force. Columns: the draft. A cell lists its senders.");
    fill(this.heads, columns, () => ({ node: make("th", { scope: "col" }) }), ({ node }, c) => {
      say(node, labels[1][c]);
      put(node, "title", labels[1][c]);
    });
    const same = before.bands.length === after.bands.length;
    fill(this.cells, rows, () => {
      const head = make("th", { scope: "row" });
      return { node: make("tr", {}, head), head };
    }, (line, r) => {
      say(line.head, labels[0][r]);
      put(line.head, "title", labels[0][r]);
      fill(line.node, columns, () => {
        const act = button("", { onclick: () => this.pick(cell.key) });
        const cell = { node: make("td", { class: "figure" }, act), act };
        return cell;
      }, (cell, c) => {
        const n = matrix[r][c];
        cell.key = [r === before.bands.length ? -1 : r, c === after.bands.length ? -1 : c];
        const stays = cell.key[0] < 0 || cell.key[1] < 0 ? cell.key[0] === cell.key[1] : same ? r === c : labels[0][r] === labels[1][c];
        const on = picked && picked[0] === cell.key[0] && picked[1] === cell.key[1];
        say(cell.act, count(n));
        put(cell.act, "class", `${stays ? "stays" : "moves"}${n ? "" : " none"}`);
        cell.act.style.setProperty("--heat", n ? `${Math.round(8 + 37 * Math.sqrt(n / most))}%` : "0%");
        cell.act.disabled = !n;
        put(cell.act, "aria-pressed", on ? "true" : "false");
        put(cell.act, "aria-label", `${plural(n, "sender")} in ${labels[0][r]}, ${labels[1][c]} in the draft`);
      });
    });
  }

  stable() {
    const width = this.flipBox.clientWidth;
    if (!width) return;
    const [left, right] = [4, 30];
    const x = (share) => left + share * (width - left - right);
    put(this.flipPlot, "viewBox", `0 0 ${width} 118`);
    put(this.flipPlot, "height", 118);
    if (this.drawn !== width) {
      this.drawn = width;
      this.flipAxis.replaceChildren(...[0, 0.25, 0.5, 0.75, 1].flatMap((v) => [
        draw("line", { x1: x(v), x2: x(v), y1: 20, y2: 100 }),
        draw("text", { class: "tick", x: x(v), y: 113, text: `${100 * v}${v ? "" : " %"}` }),
      ]));
    }
    const told = ["before", "after"].map((key, i) => {
      const side = this.frame[key];
      const { rug, mean, text } = this.flips[i];
      const top = 20 + 50 * i;
      const values = this.rows[`${key}_flip`];
      put(rug, "d", [...values].filter((v) => v >= 0).map((v) => `M${x(v).toFixed(1)},${top + 6}v14`).join(""));
      const at = x(side.flip || 0);
      put(mean, "d", side.flip === null ? "" : `M${at.toFixed(1)},${top + 2}v22m-4,6l4,-6l4,6z`);
      const words = side.flip === null ? "nobody is scored" : `${percent(side.flip)} on average`;
      say(text, `${i ? "Draft" : "In force"}: ${words}`);
      return `${i ? "draft" : "in force"} ${words}`;
    });
    put(this.flipPlot, "aria-label", `Chance that a band flips: ${told.join(", ")}`);
  }
}
