// A wall of gauges; each opens what it is of.
const SORTS = [["score", "Score"], ["name", "Name"], ["ended", "Enrollments"], ["reply_rate", "Reply rate"], ["bounce_rate", "Bounce rate"]];

class Wall {
  constructor(talk, open) {
    this.open = open;
    this.sort = choice(SORTS, (sort) => talk.update({ sort, descending: sort !== "name" }));
    this.order = choice([["true", "Highest first"], ["false", "Lowest first"]], (v) => talk.update({ descending: v === "true" }));
    this.pager = new Pager((page) => talk.update({ page }));
    this.wall = make("div", { class: "wall" });
    this.node = make("div", {}, make("div", { class: "bar" }, labelled("Sorted by", this.sort), labelled("Order", this.order), this.pager.node), this.wall);
  }

  update(frame, free) {
    const { list, view, policy } = frame;
    if (free) {
      this.sort.value = view.sort;
      this.order.value = String(view.descending);
    }
    this.pager.update(list, list.kind === "user" ? "sender" : "sequence", free);
    fill(this.wall, list.rows, () => new Card(this.open), (card, row) => card.update(row, policy));
  }
}
