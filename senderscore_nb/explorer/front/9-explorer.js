// The explorer: crumbs, filters, panels; and what binds them to the view in Python.
const PANELS = [["gauges", "Gauges"], ["heatmaps", "Heatmaps"], ["trend", "Trend"], ["table", "Table"], ["compare", "Compare"]];

// With Ctrl or Cmd a key is the notebook's or the browser's, as to save; but undo is ours.
const notOurs = (event) => (event.ctrlKey || event.metaKey) && event.key.toLowerCase() !== "z";

class Explorer {
  constructor(model, el) {
    this.about = model.get("about");
    this.talk = new Talk(model, {
      answered: (message, buffers, asked) => this.answered(message, buffers, asked),
      waiting: (state) => this.waited(state),
      began: () => this.root && put(this.root, "data-busy", "yes"),
    });
    const open = (row, column) => this.open(row, column);
    this.panels = {
      gauges: new Wall(this.talk, open), heatmaps: new Heatmaps(this.talk, open), trend: new Trend(this.talk),
      table: new Ranking(this.talk, open), compare: new Compare(this.talk, open),
    };
    this.filters = new Filters(this.about, this.talk);
    this.dialogs = new Dialogs(this.talk);
    this.build(el);
    this.unwatch = watchTheme(() => this.themed());
    this.themed();
    this.talk.ask({ do: "draw" });
  }

  build(el) {
    const ask = (what, extra = {}) => () => this.talk.ask({ do: what, ...extra });
    this.crumbs = make("ol");
    this.undo = button("Undo", { onclick: ask("undo") });
    this.redo = button("Redo", { onclick: ask("redo") });
    const files = ["csv", "png", "svg", "html"].map((form) => button(form.toUpperCase(), {
      "aria-label": `Export ${form.toUpperCase()}`, onclick: ask("export", { form }),
    }));
    this.late = make("span", { class: "late", hidden: true, role: "status", text: "Python is busy; this is not the newest yet." });
    this.away = make("p", { class: "error", role: "alert", hidden: true });
    this.error = make("p", { class: "error", role: "alert", hidden: true });
    this.tabs = PANELS.map(([id, text]) => button(text, {
      role: "tab", id: unique("tab"), onclick: () => this.talk.update({ panel: id }), onkeydown: (e) => this.tabKey(e),
    }));
    this.empty = make("div", { class: "empty" });
    this.together = this.summary();
    this.note = make("p", { class: "note" });
    this.panel = make("div", { role: "tabpanel", id: unique("panel"), class: "panel", tabindex: -1 });
    this.tabs.forEach((tab) => put(tab, "aria-controls", this.panel.id));
    // While the explorer is alive, the picture that the notebook keeps of it is not shown.
    const hide = make("style", { text: `.senderscore-static-${this.about.mark} { display: none; }` });
    this.root = make("div", { class: "senderscore-explorer", "data-jp-suppress-context-menu": "" },
      (this.head = make("header", {}, make("nav", { "aria-label": "Breadcrumbs" }, this.crumbs),
        make("div", { class: "tools", role: "group", "aria-label": "View" }, this.undo, this.redo,
          button("Copy as code", { onclick: ask("code") }), button("Copy link", { onclick: ask("link") }),
          button("Save as report", { onclick: ask("saving") }), make("span", { class: "export", role: "group", "aria-label": "Export" }, make("span", { text: "Export" }), ...files)))),
      this.away, this.error,
      (this.body = make("div", { class: "body" }, this.filters.node,
        make("div", { class: "main" }, this.together.node, make("div", { class: "tabs", role: "tablist", "aria-label": "Views" }, ...this.tabs), this.late, this.empty, this.panel, this.note))),
      this.dialogs.node, hide);
    // Keys belong to the explorer while it has the focus, not to the notebook around it, which hears
    // them before the explorer does: so it is told from the window, before either.
    this.early = (e) => {
      if (this.root.contains(e.target)) put(e.target, "data-lm-suppress-shortcuts", notOurs(e) ? null : "true");
    };
    window.addEventListener("keydown", this.early, true);
    this.root.addEventListener("keydown", (e) => this.key(e));
    el.append(this.root);
    // In a narrow place the filters fold away, so that the view is what is seen first.
    this.seen = new ResizeObserver(([{ contentRect: { width: wide } }]) => {
      const narrow = wide <= 900; // as the styles have it
      if (!wide || narrow === this.narrow) return;
      this.narrow = narrow;
      this.filters.node.open = !narrow;
    });
    this.seen.observe(this.root);
  }

  // What is said while Python does not answer; where it is gone, nothing can be pressed.
  waited(state) {
    show(this.late, state === "late");
    const words = {
      silent: "Python has not answered for 15 seconds. It is busy, as with another cell, or gone: then run the cell again.",
      gone: "Python is gone, as after a restart. Run the cell again.",
    }[state];
    say(this.away, words || "");
    show(this.away, Boolean(words));
    if (state !== "gone") return;
    for (const part of [this.head, this.body]) put(part, "inert", true);
    put(this.root, "data-busy", "no");
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

  key(event) {
    if (notOurs(event)) return;
    const ctrl = event.ctrlKey || event.metaKey;
    const typing = event.target.matches("input[type=text], input[type=search], input[type=date], textarea");
    if (ctrl && !typing && event.key.toLowerCase() === "z") {
      event.preventDefault();
      this.talk.ask({ do: event.shiftKey ? "redo" : "undo" });
    }
    event.stopPropagation();
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

  answered(message, buffers, asked) {
    const heard = performance.now();
    if (message.kind !== "frame") {
      if (message.kind === "error") {
        say(this.error, message.text);
        show(this.error, true);
      } else if (asked) this.dialogs.answered(message, buffers);
      return this.painted(message, asked, heard);
    }
    this.frame = message.values;
    this.buffers = buffers;
    // A button that is pressed again and again is not swept from under the pointer.
    say(this.error, this.frame.error || "");
    show(this.error, Boolean(this.frame.error));
    try {
      this.update();
    } finally {
      this.painted(message, asked, heard);
    }
  }

  update() {
    const frame = this.frame;
    const free = !this.talk.busy;
    this.filters.sync(frame, free);
    this.undo.disabled = !frame.can.undo;
    this.redo.disabled = !frame.can.redo;
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
    const mode = isDark() ? "dark" : "light";
    this.colours = this.about.colours[mode];
    put(this.root, "data-mode", mode);
    for (const [name, value] of Object.entries(this.colours)) this.root.style.setProperty(`--${name}`, value);
    if (this.frame && this.frame.weeks) this.update();
  }

  // After the pixels are there: for tests and measurements.
  painted(message, asked, heard) {
    const drawn = performance.now();
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => this.root.dispatchEvent(new CustomEvent("senderscore:painted", {
        bubbles: true, detail: { number: asked ? asked.number : 0, asked: asked ? asked.at : null, heard, drawn, at: performance.now(), python: message.seconds, processor: message.processor, busy: this.talk.busy, kind: message.kind },
      }));
      channel.port2.postMessage(0);
      put(this.root, "data-drawn", String(Number(this.root.dataset.drawn || 0) + 1));
      put(this.root, "data-busy", this.talk.busy ? "yes" : "no");
    });
  }

  stop() {
    this.unwatch();
    this.seen.disconnect();
    window.removeEventListener("keydown", this.early, true);
    this.talk.stop();
    this.panels.heatmaps.stop();
    this.panels.trend.stop();
    this.root.remove();
  }
}

export default {
  render({ model, el }) {
    const explorer = new Explorer(model, el);
    return () => explorer.stop();
  },
};
