// What is asked of Python: one request at a time, in order, the newest of a stroke only.
//
// While a request is under way, a newer one of the same stroke (as while a slider is dragged)
// takes the place of the one that waits. So nothing piles up, nothing is overtaken, and the last
// value always arrives.
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
    const asked = { ...request, at: performance.now() };
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
    this.model.send({ ...request, number: this.number, from: this.id });
    this.late = setTimeout(() => this.waiting(true), 1500);
  }

  heard(message, buffers) {
    const ours = message.to === this.id;
    if (ours && (!this.current || message.number !== this.current.number)) return;
    if (!ours && message.to && message.kind !== "frame") return;
    const asked = ours ? this.current : null;
    if (ours) {
      clearTimeout(this.late);
      this.waiting(false);
      this.current = null;
      this.next(); // Python works on the next one while this one is drawn
    }
    this.answered(message, buffers, asked);
  }

  stop() {
    clearTimeout(this.late);
    this.model.off("msg:custom", this.hear);
  }
}
