// The filters: what is picked is in the explorer's view, these only show and change it.
const MOST_OPTIONS = 300;

// A searchable list of check boxes that folds away.
class Pick {
  constructor(title, options, changed) {
    this.title = title;
    this.options = options;
    this.changed = changed;
    this.chosen = new Set();
    const lower = title.toLowerCase();
    this.summary = make("span", { class: "picked" });
    this.search = make("input", {
      type: "search", "aria-label": `Search ${lower}`, placeholder: `Search ${count(options.length)} ${lower}`,
      oninput: () => this.list(),
    });
    this.group = make("div", { class: "options", role: "group", "aria-label": title });
    this.more = make("p", { class: "hint" });
    this.clear = button("Clear", { onclick: () => this.set([]), "aria-label": `Clear ${lower}` });
    this.node = make("details", { class: "pick", ontoggle: () => this.node.open && this.list() },
      make("summary", {}, make("span", { class: "name", text: title }), this.summary),
      make("div", { class: "tools" }, options.length > 8 ? this.search : null, this.clear),
      this.group, this.more);
  }

  set(ids) {
    this.chosen = new Set(ids);
    this.tick();
    this.changed([...this.chosen]);
  }

  list() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = this.options.filter(({ id, label }) => {
      const text = `${label} ${id}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
    const shown = found.slice(0, MOST_OPTIONS);
    fill(this.group, shown, () => {
      const box = make("input", { type: "checkbox" });
      const text = make("span");
      const cell = { node: make("label", { class: "option" }, box, text), box, text };
      box.addEventListener("change", () => {
        if (box.checked) this.chosen.add(cell.id);
        else this.chosen.delete(cell.id);
        this.tick();
        this.changed([...this.chosen]);
      });
      return cell;
    }, (cell, option) => {
      cell.id = option.id;
      say(cell.text, option.label);
    });
    say(this.more, found.length > shown.length
      ? `${count(found.length - shown.length)} more: type to narrow.`
      : found.length ? "" : "No name matches.");
    this.tick();
  }

  tick() {
    for (const cell of this.group.kept || []) {
      const on = this.chosen.has(cell.id);
      if (cell.box.checked !== on) cell.box.checked = on;
    }
    const n = this.chosen.size;
    const one = n === 1 && this.options.find((option) => this.chosen.has(option.id));
    say(this.summary, one ? one.label : n ? `${count(n)} of ${count(this.options.length)}` : `all ${count(this.options.length)}`);
    this.node.classList.toggle("active", n > 0);
    show(this.clear, n > 0);
  }

  sync(ids) {
    this.chosen = new Set(ids);
    this.tick();
  }
}

// First and last day: named ranges, two days to type, and a slider with two thumbs.
class Days {
  constructor(about, changed) {
    this.changed = changed;
    this.stroke = 0;
    this.slidAt = -Infinity;
    this.ranges = { all: ["", ""] };
    this.presets = [["all", "All"], ["week", "Last week"], ["four_weeks", "4 weeks"], ["quarter", "Quarter"]];
    this.buttons = this.presets.map(([id, text]) => button(text, {
      onclick: () => this.choose(...this.ranges[id]),
    }));
    this.custom = button("Custom", { onclick: () => this.dates[0].focus() });
    this.dates = ["First day", "Last day"].map((text, i) => make("input", {
      type: "date", "aria-label": text, onchange: () => this.typed(i),
    }));
    // A drag is one stroke, and so are keys that follow each other within a second.
    const ended = () => { this.slidAt = -Infinity; this.held = false; };
    this.thumbs = ["First day, slider", "Last day, slider"].map((text, i) => make("input", {
      type: "range", min: 0, step: 1, "aria-label": text, oninput: () => this.slid(i),
      onpointerdown: () => { ended(); this.held = true; }, onpointerup: ended, onpointercancel: ended, onblur: ended,
    }));
    this.bar = make("div", { class: "slider" }, make("div", { class: "track" }), ...this.thumbs);
    this.node = make("fieldset", { class: "days" }, make("legend", { text: "Days" }),
      make("div", { class: "presets" }, ...this.buttons, this.custom),
      make("div", { class: "dates" }, this.dates[0], make("span", { text: "to" }), this.dates[1]), this.bar);
    this.cover(about);
  }

  // The days that there are, which differ by the date that days cut on.
  cover({ first, last, presets }) {
    const mark = JSON.stringify([first, last, presets]);
    if (this.mark === mark) return;
    this.mark = mark;
    this.first = time(first);
    this.last = time(last);
    this.ranges = { all: ["", ""], ...presets };
    const days = Math.round((this.last - this.first) / DAY);
    this.dates.forEach((box) => { put(box, "min", first); put(box, "max", last); });
    this.thumbs.forEach((thumb) => put(thumb, "max", days));
    show(this.bar, days > 0);
  }

  choose(start, end) {
    this.sync(start, end);
    this.changed({ start, end });
  }

  typed(i) {
    let [start, end] = this.dates.map((box) => box.value);
    if (start && end && start > end) [start, end] = i ? [end, end] : [start, start];
    this.choose(start, end);
  }

  slid(i) {
    const now = performance.now();
    if (now - this.slidAt > 1000 && !(this.held && this.slidAt > 0)) this.stroke += 1;
    this.slidAt = now;
    const at = this.thumbs.map((thumb) => Number(thumb.value));
    if (at[0] > at[1]) {
      at[i] = at[1 - i];
      this.thumbs[i].value = at[i];
    }
    const [start, end] = at.map((n) => iso(this.first + n * DAY));
    this.paint(start, end);
    this.changed({ start, end }, `days-${this.stroke}`);
  }

  paint(start, end) {
    const at = [start || iso(this.first), end || iso(this.last)];
    this.dates.forEach((box, i) => { if (box.value !== at[i]) box.value = at[i]; });
    const whole = Math.max(this.last - this.first, DAY);
    at.forEach((day, i) => {
      const n = Math.min(Math.max(Math.round((time(day) - this.first) / DAY), 0), whole / DAY);
      if (Number(this.thumbs[i].value) !== n) this.thumbs[i].value = n;
      put(this.thumbs[i], "aria-valuetext", dayText(day));
      this.bar.style.setProperty(i ? "--to" : "--from", `${(100 * n * DAY) / whole}%`);
    });
    const named = this.presets.findIndex(([id]) => this.ranges[id][0] === start && this.ranges[id][1] === end);
    this.buttons.forEach((one, i) => put(one, "aria-pressed", String(i === named)));
    put(this.custom, "aria-pressed", String(named < 0));
  }

  sync(start, end, range) {
    if (range) this.cover(range);
    this.paint(start, end);
  }
}

class Filters {
  constructor(about, talk) {
    this.talk = talk;
    const opened = { user: "", sequence: "" };
    this.users = new Pick("Users", about.users, (users) => talk.update({ users, ...opened }));
    this.teams = about.teams.length
      ? new Pick("Teams", about.teams.map((id) => ({ id, label: id })), (teams) => talk.update({ teams, ...opened }))
      : null;
    this.sequences = new Pick("Sequences", about.sequences, (sequences) => talk.update({ sequences, sequence: "" }));
    this.days = new Days(about, (change, stroke) => talk.update(change, stroke));
    this.basis = choice([], (date_basis) => talk.update({ date_basis }));
    this.about = about;
    this.policy = choice([], (policy) => talk.update({ policy }));
    this.reset = button("Reset filters", { class: "reset", onclick: () => talk.ask({ do: "reset" }) });
    this.count = make("p", { class: "behind", role: "status" });
    this.chips = make("div", { class: "chips", role: "group", "aria-label": "Also filtered by" });
    this.folded = make("span", { class: "folded", "aria-live": "polite" });
    this.body = make("div", { class: "filters" }, this.count, this.chips, this.users.node,
      this.teams && this.teams.node, this.sequences.node, this.days.node,
      labelled("Dated by", this.basis), labelled("Policy", this.policy), this.reset);
    this.node = make("details", { class: "side", open: true }, make("summary", {}, "Filters", this.folded), this.body);
  }

  // The controls follow the view, unless newer changes are still on their way.
  sync(frame, free) {
    const behind = frame.enrollments ? plural(frame.enrollments, "enrollment") : "No enrollments";
    say(this.count, `${behind} behind this view`);
    say(this.folded, ` · ${behind} behind this view`);
    this.taken(frame);
    if (!free) return;
    const view = frame.view;
    this.users.sync(view.users);
    if (this.teams) this.teams.sync(view.teams);
    this.sequences.sync(view.sequences);
    this.days.sync(view.start, view.end, frame.range);
    const basis = { ended_on: "Day it ended", enrolled_on: "Day of enrollment" };
    const usual = view.date_basis ? "" : `: ${basis[frame.policy.basis].toLowerCase()}`;
    this.basis.offer([["", "The policy" + usual], ...this.about.bases.map((b) => [b, basis[b]])]);
    this.basis.value = view.date_basis;
    const known = this.about.policies;
    const names = known.includes(view.policy) ? known : [...known, view.policy];
    this.policy.offer(names.map((name) => [name, name === view.policy ? frame.policy.shown : name]));
    this.policy.value = view.policy;
  }

  // What narrows the view besides the controls, each with a way to take it off.
  taken({ view, brushed, crumbs }) {
    const list = [];
    if (view.user) list.push(["Opened", crumbs[1].label, { user: "", sequence: "" }]);
    if (view.sequence) list.push(["Opened", crumbs[2].label, { sequence: "" }]);
    if (brushed) list.push(["Brushed", brushed, { brush_start: "", brush_end: "" }]);
    show(this.chips, list.length > 0);
    fill(this.chips, list, () => {
      const text = make("span");
      const node = button("", { class: "taken", onclick: () => this.talk.update(cell.off) });
      node.append(text, make("span", { "aria-hidden": "true", text: "×" }));
      const cell = { node, text };
      return cell;
    }, (cell, [word, label, off]) => {
      cell.off = off;
      say(cell.text, `${word}: ${label}`);
      put(cell.node, "aria-label", `${word}: ${label}. Take it off`);
    });
  }
}
