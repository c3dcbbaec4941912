// What is asked of Python: one request at a time, in order, the newest of a stroke only.
//
// While a request is under way, a newer one of the same stroke (as while a slider is dragged)
// takes the place of the one that waits. So nothing piles up, nothing is overtaken, and the last
// value always arrives.
//
// `waiting` hears "late" and "silent" while an answer takes long, "gone" where none can come any
// more, and false when it is there.
const LATE = 1500;
const SILENT = 15000;

class Talk {
  constructor(model, { answered, waiting, began }) {
    this.model = model;
    this.answered = answered;
    this.waiting = waiting;
    this.began = began;
    this.id = Math.random().toString(36).slice(2);
    this.queue = [];
    this.current = null;
    this.number = 0;
    this.hear = (message, buffers) => this.heard(message, buffers);
    model.on("msg:custom", this.hear);
  }

  get busy() {
    return this.current !== null || this.queue.length > 0;
  }

  ask(request) {
    if (this.gone) return;
    const asked = { ...request, at: performance.now() };
    // Strokes are counted from 0 in each view of a widget; that of another one is another stroke.
    if (asked.stroke) asked.stroke = `${this.id}-${asked.stroke}`;
    const last = this.queue.at(-1);
    if (last && asked.stroke && last.stroke === asked.stroke) {
      last.changes = { ...last.changes, ...asked.changes };
      last.at = asked.at;
    } else {
      this.queue.push(asked);
    }
    this.began();
    this.next();
  }

  update(changes, stroke) {
    this.ask({ do: "update", changes, stroke });
  }

  next() {
    if (this.current || !this.queue.length) return;
    const { at, ...request } = this.queue.shift();
    this.number += 1;
    this.current = { number: this.number, at };
    try {
      this.model.send({ ...request, number: this.number, from: this.id });
    } catch {
      this.lost(); // as after a restart: there is nobody at the other end
      return;
    }
    this.late = setTimeout(() => this.waiting("late"), LATE);
    this.silent = setTimeout(() => this.waiting("silent"), SILENT);
  }

  lost() {
    this.gone = true;
    this.current = null;
    this.queue = [];
    this.waiting("gone");
  }

  heard(message, buffers) {
    const ours = message.to === this.id;
    if (ours && (!this.current || message.number !== this.current.number)) return;
    if (!ours && message.to && message.kind !== "frame") return;
    const asked = ours ? this.current : null;
    if (ours) {
      this.forget();
      this.waiting(false);
      this.current = null;
      this.next(); // Python works on the next one while this one is drawn
    }
    this.answered(message, buffers, asked);
  }

  forget() {
    clearTimeout(this.late);
    clearTimeout(this.silent);
  }

  stop() {
    this.forget();
    this.model.off("msg:custom", this.hear);
  }
}
