// What every widget of the package is: a root in the colours of the page, one conversation with
// Python, an error line, undo and redo by key, and a word after the pixels are there.
// With Ctrl or Cmd a key is the notebook's or the browser's, as to save; but undo is ours.
const notOurs = (event) => (event.ctrlKey || event.metaKey) && event.key.toLowerCase() !== "z";

class Face {
  // `kind` names the class of the root; what a widget draws itself is in `build` and `update`.
  constructor(model, el, kind) {
    this.about = model.get("about");
    this.talk = new Talk(model, {
      answered: (message, buffers, asked) => this.answered(message, buffers, asked),
      waiting: (state) => this.waited(state),
      began: () => this.root && put(this.root, "data-busy", "yes"),
    });
    this.late = make("span", { class: "late", hidden: true, role: "status", text: "Python is busy; this is not the newest yet." });
    this.away = make("p", { class: "error", role: "alert", hidden: true });
    this.error = make("p", { class: "error", role: "alert", hidden: true });
    this.undo = button("Undo", { onclick: () => this.talk.ask({ do: "undo" }) });
    this.redo = button("Redo", { onclick: () => this.talk.ask({ do: "redo" }) });
    // While the widget is alive, the picture that the notebook keeps of it is not shown.
    const hide = make("style", { text: `.senderscore-static-${this.about.mark} { display: none; }` });
    this.root = make("div", { class: `senderscore-widget ${kind}`, "data-jp-suppress-context-menu": "" });
    this.root.append(this.away, ...this.build(), hide);
    // Keys belong to the widget while it has the focus, not to the notebook around it, which hears
    // them before the widget does: so it is told from the window, before either.
    this.early = (e) => {
      if (this.root.contains(e.target)) put(e.target, "data-lm-suppress-shortcuts", notOurs(e) ? null : "true");
    };
    window.addEventListener("keydown", this.early, true);
    this.root.addEventListener("keydown", (e) => this.key(e));
    el.append(this.root);
    this.unwatch = watchTheme(() => this.themed());
    this.themed();
    this.talk.ask({ do: "draw" });
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
    for (const part of this.root.children) if (part !== this.away) put(part, "inert", true);
    put(this.root, "data-busy", "no");
  }

  key(event) {
    if (notOurs(event)) return;
    const ctrl = event.ctrlKey || event.metaKey;
    const typing = event.target.matches("input:is([type=text], [type=search], [type=date], [type=number]), textarea");
    if (ctrl && !typing && event.key.toLowerCase() === "z") {
      event.preventDefault();
      this.talk.ask({ do: event.shiftKey ? "redo" : "undo" });
    }
    event.stopPropagation();
  }

  // Python's answer: a frame that is drawn, or something else that a dialog shows.
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
    say(this.error, this.frame.error || "");
    show(this.error, Boolean(this.frame.error));
    this.undo.disabled = !this.frame.can.undo;
    this.redo.disabled = !this.frame.can.redo;
    try {
      this.update();
    } finally {
      this.painted(message, asked, heard);
    }
  }

  themed() {
    const mode = isDark() ? "dark" : "light";
    this.colours = this.about.colours[mode];
    put(this.root, "data-mode", mode);
    for (const [name, value] of Object.entries(this.colours)) this.root.style.setProperty(`--${name}`, value);
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
    window.removeEventListener("keydown", this.early, true);
    this.talk.stop();
    this.root.remove();
  }
}
