// The threshold lab: a draft of a policy by hand, and what it does, side by side.
const KINDS = {
  before_score: Float32Array, after_score: Float32Array, before_flip: Float32Array, after_flip: Float32Array, points: Float32Array,
  reply_rate: Float32Array, bounce_rate: Float32Array, ended: Int32Array, before_band: Int8Array, after_band: Int8Array, before_status: Int8Array, after_status: Int8Array, step: Int8Array,
};
const WEEKS = [4, 8, 12, 26, 52, 0];

class ThresholdLab extends Face {
  constructor(model, el) {
    super(model, el, "senderscore-lab");
  }

  build() {
    const ask = (what, extra = {}) => () => this.talk.ask({ do: what, ...extra });
    this.dialogs = new LabDialogs(this.talk);
    const change = (part) => (value, stroke) => this.talk.update({ [part]: value }, stroke);
    this.curves = [
      new CurveEditor("reply_points", "Reply points", "reply rate", change("reply_points")),
      new CurveEditor("bounce_points", "Bounce points", "bounce rate", change("bounce_points")),
    ];
    this.bands = new BandsEditor(this.about.palettes, change("bands"));
    this.outcome = new Outcome((cell) => this.pick(cell));
    this.outcome.everyone.addEventListener("click", () => this.talk.update({ chosen: "" }));
    this.senders = new Senders(this.about, (id) => this.talk.update({ chosen: id === this.frame.trial.chosen ? "" : id }), () => this.pick(null));
    this.start = choice([], (name) => this.talk.ask({ do: "begin", name }));
    this.against = choice([], (against) => this.talk.update({ against }));
    this.weeks = choice([], (weeks) => this.talk.update({ weeks: Number(weeks) }));
    this.minimum = figure({ min: 1, step: 1 }, (user, stroke) => {
      if (user >= 1) this.talk.update({ minimum: { ...this.frame.trial.draft.minimum, user: Math.round(user) } }, `minimum-${stroke}`);
    });
    this.reset = button("Reset", { onclick: ask("reset") });
    this.state = make("span", { class: "state", role: "status" });
    this.scored = make("p", { role: "status" });
    this.results = make("div", { class: "results" }, this.scored, this.outcome.node, this.senders.node);
    this.note = make("p", { class: "note" });
    return [
      make("header", {}, make("div", { class: "titled" }, make("h3", { text: "Threshold lab" }), this.state, this.late),
        make("div", { class: "tools", role: "group", "aria-label": "Draft" }, this.undo, this.redo, this.reset,
          button("Copy as code", { onclick: ask("code") }), button("Save policy", { onclick: ask("saving") }), button("Use in reports", { class: "main", onclick: ask("using") }))),
      this.error,
      make("div", { class: "bar" }, labelled("Start from", this.start), button("Open a file", { onclick: () => this.dialogs.openFile() }),
        labelled("In force", this.against), labelled("Scores cover", this.weeks), labelled("Minimum enrollments", this.minimum)),
      make("div", { class: "editors" }, ...this.curves.map((c) => c.node), this.bands.node),
      this.results, this.note, this.dialogs.node,
    ];
  }

  pick(cell) {
    const same = cell && this.picked && cell.join() === this.picked.join();
    this.picked = same ? null : cell;
    this.senders.page = 0;
    this.listed();
  }

  listed() {
    this.outcome.update(this.frame, this.rows, this.picked);
    this.senders.update(this.frame, this.rows, this.picked);
  }

  update() {
    const { frame, buffers } = this;
    const { trial, problems, before, after } = frame;
    const free = !this.talk.busy;
    this.rows = {};
    for (const [name, place] of Object.entries(frame.rows)) {
      const b = buffers[place];
      this.rows[name] = new KINDS[name](b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength));
    }
    const { draft } = trial;
    const rates = [this.rows.reply_rate, this.rows.bounce_rate];
    this.curves.forEach((editor, i) => {
      const curve = draft[editor.part];
      editor.update({ curve, force: before.curves[editor.part], rates: rates[i].map((v, n) => (this.rows.ended[n] > 0 ? v : -1)), problems }, free);
    });
    const most = ["reply_points", "bounce_points"].reduce((sum, part) => sum + Math.max(0, ...draft[part].knots.map((k) => k[1])), 0);
    this.bands.update({ bands: draft.bands, most, scores: this.rows.after_score, problems }, free);
    if (free) this.controls(frame);
    // A cell of the matrix that is gone is not picked any more.
    if (this.picked && (this.picked[0] >= before.bands.length || this.picked[1] >= after.bands.length)) this.picked = null;
    const wrong = problems.length;
    put(this.results, "class", frame.stale ? "results stale" : "results");
    put(this.scored, "class", frame.stale ? "scoredwords stalewords" : "scoredwords");
    say(this.scored, frame.stale ? `This draft is not a policy yet (${plural(wrong, "problem")}, marked above), so it is not scored. Below is the last one that was.` : "What the draft does:");
    say(this.state, wrong ? plural(wrong, "problem") : frame.changed ? `a draft from ${trial.start}` : `${trial.start}, unchanged`);
    this.state.classList.toggle("wrong", wrong > 0);
    this.listed();
    say(this.note, `${frame.days} · in force ${before.label} · ${frame.stale ? "last valid draft" : "draft"} ${after.label}`);
  }

  controls(frame) {
    const { trial } = frame;
    const names = frame.policies.map((name) => [name, name]);
    this.start.offer(names);
    this.start.value = trial.start;
    this.against.offer(names);
    this.against.value = trial.against;
    const weeks = WEEKS.includes(trial.weeks) ? WEEKS : [trial.weeks, ...WEEKS];
    this.weeks.offer(weeks.map((n) => [String(n), n ? `the last ${plural(n, "week")}` : "all days"]));
    this.weeks.value = String(trial.weeks);
    this.minimum.sync(trial.draft.minimum.user);
  }

  stop() {
    for (const part of [...this.curves, this.bands, this.outcome]) part.stop();
    super.stop();
  }
}

export default {
  render({ model, el }) {
    const lab = new ThresholdLab(model, el);
    return () => lab.stop();
  },
};
