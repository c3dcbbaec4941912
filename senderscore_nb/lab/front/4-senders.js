// The senders: searched, sorted by who moves most, and narrowed to who changes band.
const ORDERS = [["move", "Biggest move"], ["flip", "Likeliest to flip"], ["after", "Score in the draft"], ["before", "Score in force"], ["ended", "Enrollments"], ["name", "Name"]];
const ON_PAGE = 20;
const LACKS = ["", "Collecting", "No paid seat", "Not computable"];

class Senders {
  // `choose(id)` shows a sender's gauges; `unpick()` takes the choice of a cell back.
  constructor(about, choose, unpick) {
    this.about = about;
    this.choose = choose;
    this.plainest = about.labels.map((label, i) => `${label} ${about.ids[i]}`.toLowerCase());
    this.page = 0;
    const again = () => { this.page = 0; this.paint(); };
    this.search = make("input", { type: "search", "aria-label": "Search senders", placeholder: `Search ${count(about.ids.length)} senders`, oninput: again });
    this.order = choice(ORDERS, again);
    this.only = make("input", { type: "checkbox", onchange: again });
    this.pager = new Pager((page) => { this.page = page; this.paint(); });
    this.cell = button("", { class: "picked", onclick: unpick });
    this.caption = make("caption");
    this.rows = make("tbody");
    const heads = ["Sender", "In force", "Draft", "Move", "Scales: in force above, draft below", "May flip", "Replies", "Bounces", "Enrollments"];
    this.none = make("p", { class: "hint", role: "status" });
    this.node = make("section", { class: "senders", "aria-label": "Senders" }, make("h4", { text: "Senders" }),
      make("div", { class: "bar" }, this.search, labelled("Sorted by", this.order), make("label", { class: "tick" }, this.only, make("span", { text: "Only who changes band" })), this.cell, this.pager.node),
      make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Senders before and after" }, this.table = make("table", {}, this.caption,
        make("thead", {}, make("tr", {}, ...heads.map((text, i) => make("th", { scope: "col", text, class: i === 0 || i === 4 || i === 1 || i === 2 ? "" : "figure" })))), this.rows)), this.none);
  }

  update(frame, rows, picked) {
    Object.assign(this, { frame, data: rows, picked });
    this.paint();
  }

  // Places of the senders that are listed, in order.
  listed() {
    const { data, picked } = this;
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = [];
    for (let i = 0; i < data.ended.length; i += 1) {
      const taken = data.ended[i] >= 0 && (!this.only.checked || data.step[i] !== 0)
        && (!picked || (data.before_band[i] === picked[0] && data.after_band[i] === picked[1]))
        && words.every((word) => this.plainest[i].includes(word));
      if (taken) found.push(i);
    }
    const by = { name: null, move: null, flip: data.after_flip, after: data.after_score, before: data.before_score, ended: data.ended }[this.order.value];
    const value = (v) => (Number.isNaN(v) ? -Infinity : v);
    const change = (i) => (Number.isNaN(data.points[i]) ? -1 : (data.step[i] ? 1000 : 0) + Math.abs(data.points[i]));
    const key = this.order.value === "move" ? change : by ? (i) => value(by[i]) : () => 0;
    const keys = new Map(found.map((i) => [i, key(i)]));
    return found.sort((a, b) => keys.get(b) - keys.get(a) || this.about.labels[a].localeCompare(this.about.labels[b]));
  }

  paint() {
    const { frame, data, picked } = this;
    const { before, after } = frame;
    const list = this.listed();
    const pages = Math.max(1, Math.ceil(list.length / ON_PAGE));
    this.page = Math.min(this.page, pages - 1);
    const shown = list.slice(this.page * ON_PAGE, (this.page + 1) * ON_PAGE);
    this.pager.update({ page: this.page, pages, size: ON_PAGE, rows: shown, total: list.length }, "sender");
    const named = (side, band) => (band < 0 ? "No score" : side.bands[band] ? side.bands[band].name : "?");
    show(this.cell, Boolean(picked));
    if (picked) say(this.cell, `${named(before, picked[0])} → ${named(after, picked[1])} ×`);
    if (picked) put(this.cell, "aria-label", `Only ${named(before, picked[0])} to ${named(after, picked[1])}; list all again`);
    say(this.caption, `By ${ORDERS.find(([key]) => key === this.order.value)[1].toLowerCase()}. A sender’s name shows its gauges.`);
    this.table.style.setProperty("--before", ramp(before));
    this.table.style.setProperty("--after", ramp(after));
    fill(this.rows, shown, () => this.line(), (line, i) => this.fillLine(line, i));
    say(this.none, list.length ? "" : this.only.checked || picked ? "Nobody changes band here." : "No name matches.");
    show(this.none, !list.length);
  }

  line() {
    const name = button("", { class: "link", onclick: () => this.choose(line.id) });
    const chips = [0, 1].map(() => chip());
    const ticks = [make("i", { class: "at before" }), make("i", { class: "at after" })];
    const strip = make("span", { class: "strip", "aria-hidden": "true" }, make("b"), make("b"), ...ticks);
    const cells = Array.from({ length: 9 }, (_, i) => (i ? make("td", { class: i < 3 || i === 4 ? "" : "figure" }) : make("th", { scope: "row" })));
    cells[0].append(name);
    const scores = [0, 1].map((i) => {
      const score = make("strong");
      cells[i + 1].append(make("span", { class: "scored" }, score, chips[i].node));
      return score;
    });
    cells[4].append(strip);
    const line = { node: make("tr", {}, ...cells), cells, name, chips, scores, ticks };
    return line;
  }

  fillLine(line, i) {
    const { frame, data } = this;
    line.id = this.about.ids[i];
    say(line.name, this.about.labels[i]);
    put(line.name, "aria-pressed", String(frame.trial.chosen === line.id));
    ["before", "after"].forEach((key, n) => {
      const side = frame[key];
      const band = data[`${key}_band`][i];
      const score = data[`${key}_score`][i];
      const scored = band >= 0;
      say(line.scores[n], scored ? written(score, band, side) : "–");
      line.chips[n].update({ band: scored ? band : undefined, score: scored ? score : undefined, verdict: scored ? side.bands[band].name : LACKS[data[`${key}_status`][i]] }, side);
      show(line.ticks[n], scored);
      line.ticks[n].style.left = `${clamp((100 * score) / side.most, 0, 100).toFixed(1)}%`;
    });
    const step = data.step[i];
    put(line.node, "class", step ? "mover" : "");
    const points = data.points[i];
    const arrow = { 1: "▲ ", "-1": "▼ ", 2: "◆ " }[step] || "";
    say(line.cells[3], Number.isNaN(points) ? "–" : `${arrow}${Math.abs(points) < 0.05 ? "0.0" : signed(points)}`);
    const flips = [data.before_flip[i], data.after_flip[i]];
    const [was, is] = flips.map((v) => (v >= 0 ? String(Math.round(100 * v)) : "–"));
    say(line.cells[5], was === is ? (is === "–" ? is : `${is}${THIN}%`) : `${was} → ${is}${is === "–" ? "" : `${THIN}%`}`);
    [data.reply_rate, data.bounce_rate].forEach((rates, n) => say(line.cells[6 + n], Number.isNaN(rates[i]) ? "–" : percent(rates[i])));
    say(line.cells[8], count(data.ended[i]));
  }
}

// A score, rounded, but never across the lower edge of its band.
function written(score, band, side) {
  const edge = side.bands[band + 1];
  const text = score.toFixed(1);
  return edge && Number(text) >= edge.lower ? (Math.floor(10 * score) / 10).toFixed(1) : text;
}

// The bands of a policy from left to right.
function ramp(side) {
  const edges = [...side.bands.map((b) => b.lower), side.most].map((v) => `${clamp((100 * v) / side.most, 0, 100).toFixed(2)}%`);
  return `linear-gradient(to right, ${side.bands.map((b, i) => `${b.colour} ${edges[i]} ${edges[i + 1]}`).join(", ")})`;
}
