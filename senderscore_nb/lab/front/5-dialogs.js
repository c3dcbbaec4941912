// What leaves the lab: code, a policy's file, a policy put into the plan; and files that come in.
class LabDialogs extends Dialog {
  constructor(talk) {
    super(talk);
    const text = (props = {}) => make("input", { type: "text", ...props });
    this.name = text({ required: true, maxlength: 80, oninput: () => this.suggest() });
    this.source = text({ class: "wide" });
    this.version = make("input", { type: "number", min: 1, step: 1, required: true });
    this.file = text({ required: true, class: "wide", oninput: () => { this.typed = true; } });
    this.save = button("Save", { class: "main", onclick: () => this.send(false) });
    this.over = button("Overwrite it", { onclick: () => this.send(true) });
    this.plan = text({ required: true, class: "wide", onchange: () => this.look() });
    this.reports = make("fieldset", { class: "reports" }, make("legend", { text: "Reports" }));
    this.use = button("Use it", { class: "main", onclick: () => this.adopt() });
    this.path = text({ required: true, class: "wide", placeholder: "my-policy.toml" });
    this.begin = button("Open", { class: "main", onclick: () => this.load() });
    this.entering(this.file, () => this.send(false));
    this.entering(this.name, () => this.send(false));
    this.entering(this.path, () => this.load());
    this.entering(this.plan, () => this.look());
  }

  openFile() {
    this.form.replaceChildren(labelled("Path of a policy in TOML", this.path), this.begin);
    this.open("Open a policy", "The draft starts again from it; Undo brings the present one back.", { form: true });
  }

  load() {
    if (!this.form.reportValidity()) return;
    this.talk.ask({ do: "begin", name: this.path.value.trim() });
    this.node.close();
  }

  send(overwrite) {
    if (!this.form.reportValidity()) return;
    this.talk.ask({ do: "save", name: this.name.value, source: this.source.value, version: this.version.valueAsNumber, path: this.file.value, overwrite, then: this.then });
  }

  // The file is named after the policy until it is named by hand.
  suggest() {
    if (!this.typed) this.talk.ask({ do: "filename", changes: { name: this.name.value }, stroke: "filename" });
  }

  look() {
    this.talk.ask({ do: "plan", path: this.plan.value });
  }

  adopt() {
    const chosen = [...this.reports.querySelectorAll("input:checked")].map((box) => box.value);
    this.talk.ask({ do: "use", plan: this.plan.value, reports: chosen });
  }

  answered(message) {
    const kinds = { code: "asCode", saving: "saving", filename: "named", saved: "saved", plan: "planned", used: "used" };
    if (kinds[message.kind]) this[kinds[message.kind]](message);
  }

  asCode(message) {
    this.open("Copy as code", "This cell makes the draft and scores with it.", { text: message.text });
  }

  saving(message) {
    this.then = message.then;
    this.typed = false;
    this.name.value = message.name;
    this.source.value = message.source;
    this.version.value = message.version;
    this.file.value = message.path;
    show(this.over, false);
    this.form.replaceChildren(labelled("Name", this.name), labelled("Version", this.version), labelled("Where the thresholds come from", this.source), labelled("File", this.file), this.save, this.over);
    this.open(message.then ? "Save the policy first" : "Save policy", message.words, { form: true });
    this.name.select();
  }

  named(message) {
    if (!this.typed) this.file.value = message.path;
  }

  saved(message) {
    show(this.over, Boolean(message.exists));
    this.told(message.error || message.text, Boolean(message.error));
    if (message.error) return;
    this.talk.ask({ do: "draw" });
    if (this.then) this.talk.ask({ do: "plan", path: "" });
  }

  planned(message) {
    this.plan.value = message.path;
    const boxes = message.reports.map(({ name, policy }) => {
      const box = make("input", { type: "checkbox", value: name });
      box.checked = true;
      return make("label", { class: "option" }, box, make("span", { text: `${name}, now with ${policy}` }));
    });
    this.reports.replaceChildren(make("legend", { text: "Reports" }), ...(boxes.length ? boxes : [make("p", { class: "hint", text: "This plan has no reports yet." })]));
    show(this.reports, !message.error);
    this.use.disabled = !boxes.length;
    this.form.replaceChildren(labelled("Plan", this.plan), this.reports, this.use);
    if (!this.node.open || this.title.textContent !== "Use in reports") this.open("Use in reports", message.words, { form: true });
    say(this.words, message.words);
    this.told(message.error || "", Boolean(message.error));
  }

  used(message) {
    this.told(message.error || message.text, Boolean(message.error));
  }
}
