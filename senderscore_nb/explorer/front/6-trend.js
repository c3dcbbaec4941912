const waitingWord = (row) => (row.status === "collecting" ? "collecting" : waiting(row).toLowerCase());

function countBy(rows, word) {
  const found = new Map();
  for (const row of rows) found.set(word(row), (found.get(word(row)) || 0) + 1);
  return [...found];
}

// The score over time on the policy's bands, with its interval; and the same as a table.
class Trend {
  constructor(talk, { spans = true } = {}) {
    this.height = 260;
    this.span = choice([], (weeks) => talk.update({ weeks: Number(weeks) }));
    this.bands = draw("g");
    this.ribbon = draw("path", { class: "ribbon" });
    this.line = draw("path", { class: "line" });
    this.points = draw("g");
    this.axis = draw("g", { class: "axis" });
    this.svg = draw("svg", { class: "trend", role: "img" }, this.bands, this.ribbon, this.line, this.points, this.axis);
    this.tip = make("div", { class: "tip", hidden: true });
    this.rows = make("tbody");
    this.caption = make("caption");
    this.table = make("details", { class: "data" }, make("summary", { text: "Table of the points" }),
      make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Table of the points" }, make("table", {}, this.caption,
        make("thead", {}, make("tr", {}, ...["Week of", "Score", "Interval", "Band", "Replies", "Bounces", "Enrollments"].map((text, i) => make("th", { scope: "col", text, class: i && i !== 3 ? "figure" : "" })))), this.rows)));
    this.hollow = make("span");
    this.key = make("p", { class: "legend" }, make("span", { text: "● score, with its interval" }), this.hollow);
    this.short = new TooShort(talk);
    this.whole = make("div", {}, make("div", { class: "trendbox" }, this.svg, this.tip), this.key, this.table);
    this.node = make("div", {}, make("div", { class: "bar" }, labelled("Each point covers", this.span)), this.short.node, this.whole);
    this.svg.addEventListener("pointermove", (e) => this.hover(e));
    this.svg.addEventListener("pointerleave", () => show(this.tip, false));
    this.seen = new ResizeObserver(() => this.frame && this.paint());
    this.seen.observe(this.svg.parentElement);
  }

  stop() {
    this.seen.disconnect();
  }

  update(frame, free) {
    this.frame = frame;
    if (free) offerSpan(this.span, frame.view.weeks);
    const { short, rows, step } = frame.trend;
    this.short.update(short);
    show(this.whole, !short);
    if (short) return;
    this.paint();
    const without = countBy(rows.filter((row) => row.score === undefined), waitingWord);
    say(this.hollow, without.length ? `○ no score: ${without.map(([word]) => word).join("; ")}` : "");
    if (frame.view.sequence !== this.opened) {
      this.opened = frame.view.sequence;
      this.table.open = Boolean(this.opened);
    }
    say(this.caption, `Scores ${step > 7 ? "every fourth week" : "by week"}; each point covers ${plural(frame.view.weeks, "week")}.`);
    fill(this.rows, frame.trend.rows, () => {
      const cells = Array.from({ length: 7 }, (_, i) => (i ? make("td", { class: i !== 3 ? "figure" : "" }) : make("th", { scope: "row" })));
      return { node: make("tr", {}, ...cells), cells };
    }, ({ cells }, row) => {
      const scored = row.score !== undefined;
      [row.label, scored ? row.text : "–", scored ? span(row) : "–", scored ? row.verdict : row.status === "collecting" ? `${row.verdict}: ${waiting(row)}` : waiting(row), rate(row.reply), rate(row.bounce), count(row.ended)]
        .forEach((text, i) => say(cells[i], text));
    });
  }

  paint() {
    if (this.frame.trend.short) return;
    const { trend, policy } = this.frame;
    const wide = Math.max(this.svg.parentElement.clientWidth, 200);
    const at = { left: 34, right: wide < 520 ? 16 : 84, top: 10, bottom: 30, wide, high: this.height };
    put(this.svg, "viewBox", `0 0 ${wide} ${this.height}`);
    put(this.svg, "height", this.height);
    const rows = trend.rows;
    const first = rows.length ? time(rows[0].day) : 0;
    const last = rows.length ? time(rows.at(-1).day) : 1;
    const x = (day) => at.left + (last > first ? ((time(day) - first) / (last - first)) * (wide - at.left - at.right - 16) : (wide - at.left - at.right) / 2) + 8;
    const y = (score) => at.high - at.bottom - (score / policy.most) * (at.high - at.top - at.bottom);
    this.place = rows.map((row) => ({ row, x: x(row.day), y: y(row.score === undefined ? 0 : row.score) }));
    this.strips(policy, at, y);
    // Where a week is missing or has no score the line breaks.
    const runs = [];
    let run = null;
    rows.forEach((row, i) => {
      const joined = run && row.score !== undefined && time(row.day) - time(rows[i - 1].day) <= trend.step * DAY;
      if (row.score === undefined) run = null;
      else if (joined) run.push(row);
      else runs.push((run = [row]));
    });
    const path = (list, value) => list.map((row) => `${x(row.day).toFixed(1)},${y(value(row)).toFixed(1)}`).join("L");
    put(this.line, "d", runs.map((list) => "M" + path(list, (row) => row.score)).join(""));
    put(this.ribbon, "d", runs.map((list) => `M${path(list, (row) => row.high)}L${path([...list].reverse(), (row) => row.low)}Z`).join(""));
    fill(this.points, this.place, () => ({ node: draw("circle", {}) }), ({ node }, p) => {
      const scored = p.row.score !== undefined;
      put(node, "cx", p.x.toFixed(1));
      put(node, "cy", p.y.toFixed(1));
      put(node, "r", scored ? 3.5 : 3);
      put(node, "class", scored ? "point" : "hollow");
    });
    this.days(rows, x, at);
    put(this.svg, "aria-label", this.words(rows));
  }

  strips(policy, at, y) {
    const mark = JSON.stringify([policy.bands, policy.most, at.wide, at.high]);
    if (this.mark === mark) return;
    this.mark = mark;
    const edges = [...policy.bands.map((band) => band.lower), policy.most];
    let free = Infinity;
    this.bands.replaceChildren(...policy.bands.flatMap((band, i) => {
      const [low, high] = [y(edges[i]), y(edges[i + 1])];
      const parts = [draw("rect", { x: at.left, y: high, width: at.wide - at.left - at.right, height: Math.max(low - high, 0), fill: band.colour, opacity: 0.17 })];
      const middle = (low + high) / 2;
      if (free - middle >= 12 && at.right > 40) {
        parts.push(draw("text", { x: at.wide - at.right + 6, y: middle + 4, class: "name", text: band.name.slice(0, 13) }));
        free = middle;
      }
      return parts;
    }), ...edges.map((edge) => draw("text", { x: at.left - 6, y: y(edge) + 4, class: "edge", text: String(Math.round(edge * 10) / 10) })));
  }

  days(rows, x, at) {
    const room = Math.max(1, Math.floor((at.wide - at.left - at.right) / 74));
    const every = Math.ceil(rows.length / room) || 1;
    const shown = rows.filter((_, i) => (rows.length - 1 - i) % every === 0);
    const years = rows.length && rows[0].day.slice(0, 4) !== rows.at(-1).day.slice(0, 4);
    fill(this.axis, shown, () => ({ node: draw("text", { class: "tick" }) }), ({ node }, row) => {
      put(node, "x", x(row.day).toFixed(1));
      put(node, "y", at.high - 10);
      say(node, dayText(row.day, false) + (years ? ` ’${row.day.slice(2, 4)}` : ""));
    });
  }

  hover(event) {
    const box = this.svg.getBoundingClientRect();
    const at = event.clientX - box.left;
    const near = this.place.reduce((best, p) => (!best || Math.abs(p.x - at) < Math.abs(best.x - at) ? p : best), null);
    show(this.tip, Boolean(near));
    if (!near) return;
    say(this.tip, `Week of ${near.row.label}: ${sentence(near.row)}`);
    this.tip.style.left = `${Math.min(Math.max(near.x - 60, 0), Math.max(0, box.width - this.tip.offsetWidth - 4))}px`;
    this.tip.style.top = `${Math.max(near.y - 56, 0)}px`;
  }

  words(rows) {
    const scored = rows.filter((row) => row.score !== undefined);
    if (!scored.length) {
      const why = countBy(rows, waitingWord).map(([word, n]) => `${count(n)} ${word}`).join(", ");
      return `Score over ${plural(rows.length, "point")}: no scores; ${why}.`;
    }
    const last = scored.at(-1);
    const ranked = [...scored].sort((a, b) => a.score - b.score);
    return `Score over ${plural(rows.length, "point")}: latest ${last.text} (${span(last)}) in the week of ${last.label}; lowest ${ranked[0].text}, highest ${ranked.at(-1).text}.`;
  }
}
