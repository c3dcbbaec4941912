// What leaves the explorer: code, a link, a report of the plan, files.
class Dialogs extends Dialog {
  constructor(talk) {
    super(talk);
    this.name = make("input", { type: "text", required: true, maxlength: 60, pattern: "[A-Za-z0-9][A-Za-z0-9_\\-]*" });
    this.plan = make("input", { type: "text", required: true });
    this.every = choice([["week", "Every week"], ["month", "Every month"], ["quarter", "Every quarter"]], () => {});
    this.form.append(labelled("Name", this.name), (this.planField = labelled("Plan", this.plan)), labelled("How often", this.every), button("Save", { class: "main", onclick: () => this.save() }));
    this.entering(this.name, () => this.save());
  }

  save() {
    if (!this.form.reportValidity()) return;
    this.talk.ask({ do: "save", name: this.name.value, plan: this.plan.value, every: this.every.value });
  }

  // An answer of Python that is not a frame.
  answered(message, buffers) {
    if (message.kind === "code") this.open("Copy as code", "This cell makes the same chart.", { text: message.text });
    else if (message.kind === "link") {
      const at = new URL(location.href);
      const token = at.searchParams.get("token");
      at.search = message.text;
      at.hash = "";
      const inApp = Boolean(document.querySelector("meta[name=senderscore-app]")) || /voila/.test(document.documentElement.className + document.body.className) || token;
      const words = inApp || message.app ? "The address of this view." : "Explorer.from_link(…) opens this view.";
      this.open("Copy link", words, { text: message.app ? at.href : message.text || "?" });
    } else if (message.kind === "saving" && message.error) {
      this.open("Save as report", message.error);
    } else if (message.kind === "saving") {
      show(this.planField, message.asked);
      this.name.value = message.name;
      this.plan.value = message.plan;
      this.open("Save as report", message.words, { form: true });
    } else if (message.kind === "saved") {
      if (!this.node.open) this.open("Save as report", "", { form: true });
      this.told(message.error || message.text, Boolean(message.error));
    } else if (message.kind === "file") {
      const url = URL.createObjectURL(new Blob([buffers[0]], { type: message.type }));
      const link = make("a", { href: url, download: message.name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 10000);
    }
  }
}
