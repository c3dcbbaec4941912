// The explorer: crumbs, filters, panels; and what binds them to the view in Python.
const PANELS = [["gauges", "Gauges"], ["heatmaps", "Heatmaps"], ["trend", "Trend"], ["table", "Table"], ["compare", "Compare"], ["why", "Why"]];

class Explorer extends Face {
  constructor(model, el) {
    super(model, el, "senderscore-explorer");
    // In a narrow place the filters fold away, so that the view is what is seen first.
    this.seen = new ResizeObserver(([{ contentRect: { width: wide } }]) => {
      const narrow = wide <= 900; // as the styles have it
      if (!wide || narrow === this.narrow) return;
      this.narrow = narrow;
      this.filters.node.open = !narrow;
    });
    this.seen.observe(this.root);
  }

  build() {
    const open = (row, column) => this.open(row, column);
    this.panels = {
      gauges: new Wall(this.talk, open), heatmaps: new Heatmaps(this.talk, open), trend: new Trend(this.talk),
      table: new Ranking(this.talk, open), compare: new Compare(this.talk, open), why: new Why(this.talk),
    };
    this.filters = new Filters(this.about, this.talk);
    this.dialogs = new Dialogs(this.talk);
    const ask = (what, extra = {}) => () => this.talk.ask({ do: what, ...extra });
    this.crumbs = make("ol");
    const files = ["csv", "png", "svg", "html"].map((form) => button(form.toUpperCase(), {
      "aria-label": `Export ${form.toUpperCase()}`, onclick: ask("export", { form }),
    }));
    this.tabs = PANELS.map(([id, text]) => button(text, {
      role: "tab", id: unique("tab"), onclick: () => this.talk.update({ panel: id }), onkeydown: (e) => this.tabKey(e),
    }));
    this.empty = make("div", { class: "empty" });
    this.together = this.summary();
    this.note = make("p", { class: "note" });
    this.panel = make("div", { role: "tabpanel", id: unique("panel"), class: "panel", tabindex: -1 });
    this.tabs.forEach((tab) => put(tab, "aria-controls", this.panel.id));
    return [
      make("header", {}, make("nav", { "aria-label": "Breadcrumbs" }, this.crumbs),
        make("div", { class: "tools", role: "group", "aria-label": "View" }, this.undo, this.redo,
          button("Copy as code", { onclick: ask("code") }), button("Copy link", { onclick: ask("link") }),
          button("Save as report", { onclick: ask("saving") }), make("span", { class: "export", role: "group", "aria-label": "Export" }, make("span", { text: "Export" }), ...files))),
      this.error,
      make("div", { class: "body" }, this.filters.node,
        make("div", { class: "main" }, this.together.node, make("div", { class: "tabs", role: "tablist", "aria-label": "Views" }, ...this.tabs), this.late, this.empty, this.panel, this.note)),
      this.dialogs.node,
    ];
  }

  summary() {
    const band = chip();
    const parts = ["Score", "Band", "Replies", "Bounces", "Enrollments"].map((label) => {
      const value = make("strong");
      const more = make("small");
      return { node: make("div", { class: "part" }, make("span", { text: label }), value, more), value, more };
    });
    parts[1].value.append(band.node);
    return { node: make("section", { class: "together", "aria-label": "All together" }, ...parts.map((p) => p.node)), update(frame) {
      const row = frame.together;
      const scored = row.score !== undefined;
      const values = [[scored ? row.text : "–", scored ? span(row) : ""], null, [rate(row.reply), rateSpan(row.reply)], [rate(row.bounce), rateSpan(row.bounce)], [count(frame.enrollments), frame.days]];
      values.forEach((value, i) => {
        if (!value) return;
        say(parts[i].value, value[0]);
        say(parts[i].more, value[1]);
      });
      band.update({ ...row, why: "" }, frame.policy);
      const sure = scored ? `${row.sure > 0.995 ? "over 99" : Math.round(100 * row.sure)}${THIN}% sure of its band` : "";
      say(parts[1].more, scored ? sure : row.why || "");
    } };
  }

  open(row, column) {
    const view = this.frame.view;
    if (!view.user) this.talk.update({ user: row.id, sequence: column ? column.id : "", ...(column ? { panel: "gauges" } : {}) });
    else if (!view.sequence) this.talk.update({ sequence: row.id });
    this.moveFocus = true;
  }

  tabKey(event) {
    const i = this.tabs.indexOf(event.target);
    const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: PANELS.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const n = (to + PANELS.length) % PANELS.length;
    this.tabs[n].focus();
    this.talk.update({ panel: PANELS[n][0] }, "tabs");
  }

  update() {
    const frame = this.frame;
    const free = !this.talk.busy;
    this.filters.sync(frame, free);
    fill(this.crumbs, frame.crumbs, () => {
      const link = button("", { class: "link", onclick: () => this.talk.update(cell.go) });
      const cell = { node: make("li", {}, link), link };
      return cell;
    }, (cell, crumb, i) => {
      cell.go = crumb.go;
      say(cell.link, crumb.label);
      put(cell.link, "aria-current", i === frame.crumbs.length - 1 ? "page" : null);
    });
    PANELS.forEach(([id], i) => {
      put(this.tabs[i], "aria-selected", String(id === frame.view.panel));
      put(this.tabs[i], "tabindex", id === frame.view.panel ? 0 : -1);
      if (id === frame.view.panel) put(this.panel, "aria-labelledby", this.tabs[i].id);
    });
    const nothing = Boolean(frame.empty);
    show(this.empty, nothing);
    show(this.together.node, !nothing);
    show(this.panel, !nothing);
    say(this.note, `${frame.days} · policy ${frame.policy.label}`);
    if (nothing) return this.nothing(frame);
    this.together.update(frame);
    const shown = frame.trend ? this.panels.trend : this.panels[frame.view.panel];
    if (this.panel.firstChild !== shown.node) this.panel.replaceChildren(shown.node);
    if (shown === this.panels.heatmaps) shown.update(frame, free, this.buffers, this.colours);
    else shown.update(frame, free, this.about);
    if (this.moveFocus && free) {
      this.moveFocus = false;
      if (document.activeElement === document.body || !this.root.contains(document.activeElement) || !document.activeElement.isConnected || document.activeElement.offsetParent === null) this.panel.focus({ preventScroll: true });
    }
  }

  nothing(frame) {
    const ways = frame.empty.map(({ label, go, enrollments }) => button(`${label} (${plural(enrollments, "enrollment")})`, { onclick: () => this.talk.update(go) }));
    const undo = frame.can.undo ? [button("Undo the last change", { onclick: () => this.talk.ask({ do: "undo" }) })] : [];
    this.empty.replaceChildren(make("h3", { text: "Nothing is left under these filters" }),
      make("p", { text: "No enrollment has ended that all of them take. The way back:" }), make("div", { class: "ways" }, ...undo, ...ways));
  }

  themed() {
    super.themed();
    if (this.frame && this.frame.weeks) this.update();
  }

  stop() {
    this.seen.disconnect();
    this.panels.heatmaps.stop();
    this.panels.trend.stop();
    super.stop();
  }
}

export default {
  render({ model, el }) {
    const explorer = new Explorer(model, el);
    return () => explorer.stop();
  },
};
