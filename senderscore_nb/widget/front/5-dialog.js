// A dialog with words, and a text to copy or a form to fill in.
class Dialog {
  constructor(talk) {
    this.talk = talk;
    this.title = make("h3", { id: unique("title") });
    this.words = make("p");
    this.text = make("textarea", { readonly: true, rows: 12, spellcheck: "false" });
    this.form = make("form", { method: "dialog" });
    this.status = make("p", { role: "status", class: "hint" });
    this.copy = button("Copy", { onclick: () => this.toClipboard() });
    this.close = button("Close", { onclick: () => this.node.close() });
    this.node = make("dialog", { "aria-labelledby": this.title.id }, this.title, this.words, this.text, this.form, this.status,
      make("div", { class: "actions" }, this.copy, this.close));
  }

  open(title, words, { text = null, form = false } = {}) {
    say(this.title, title);
    say(this.words, words);
    this.told("");
    show(this.text, text !== null);
    show(this.copy, text !== null);
    show(this.form, form);
    if (text !== null) this.text.value = text;
    put(this.text, "aria-label", title);
    if (!this.node.open) this.node.showModal();
    if (text !== null) this.text.select();
  }

  told(text, wrong = false) {
    say(this.status, text);
    this.status.classList.toggle("wrong", wrong);
  }

  // Enter in a field does what the button does, and never closes the dialog.
  entering(field, act) {
    field.addEventListener("keydown", (e) => e.key === "Enter" && (e.preventDefault(), act()));
  }

  async toClipboard() {
    this.text.select();
    try {
      await navigator.clipboard.writeText(this.text.value);
      say(this.status, "Copied.");
    } catch {
      say(this.status, "The browser does not allow it here; press Ctrl+C.");
    }
  }
}
