// Both heatmaps with what belongs to them: weeks that are brushed filter the other one.
class Heatmaps {
  constructor(talk, open) {
    this.talk = talk;
    const brush = (brush_start, brush_end, stroke) => talk.update({ brush_start, brush_end }, stroke);
    this.weeks = new Heatmap("Scores by week. Arrow keys move, Enter opens a row, Space brushes a week, Shift with left or right brushes several, Escape takes the brush away.", {
      brush, open: (row) => open(row),
    });
    this.pairs = new Heatmap("Scores by sequence. Arrow keys move, Enter opens a cell.", {
      open: (row, column) => open(row, column),
    });
    this.span = choice([["1", "1 week"], ["4", "4 weeks"], ["12", "12 weeks"]], (weeks) => talk.update({ weeks: Number(weeks) }));
    this.brushed = make("span", { class: "brushed" });
    this.clear = button("Clear the brush", { onclick: () => brush("", "") });
    this.legend = make("p", { class: "legend" });
    this.by = make("h4");
    this.hint = make("span", { class: "hint" });
    this.short = new TooShort(talk);
    this.about = make("span", { class: "hint" });
    this.second = make("section", {}, make("h4", { text: "By sequence" }), this.about, this.pairs.node);
    this.node = make("div", {}, make("div", { class: "bar" }, labelled("Each cell covers", this.span), this.brushed, this.clear),
      this.legend, make("section", {}, this.by, this.hint, this.short.node, this.weeks.node), this.second);
  }

  update(frame, free, buffers, colours) {
    const { view, policy } = frame;
    if (free) offerSpan(this.span, view.weeks);
    const brush = view.brush_start ? [iso(time(view.brush_start) - ((new Date(time(view.brush_start)).getUTCDay() + 6) % 7) * DAY), view.brush_end] : null;
    say(this.brushed, brush ? `Brushed: ${frame.brushed}` : "");
    show(this.clear, Boolean(brush));
    say(this.by, frame.weeks.kind === "user" ? "By week" : "Sequences by week");
    legend(this.legend, policy);
    say(this.hint, frame.weeks.hint);
    this.short.update(frame.weeks.short);
    this.weeks.update(unpack(frame.weeks, buffers), policy, brush, colours);
    show(this.second, Boolean(frame.pairs));
    if (frame.pairs) {
      const { columns, total } = frame.pairs;
      say(this.about, columns.length < total ? `The ${columns.length} of ${count(total)} sequences with the most enrollments; filter to see others.` : "");
      this.pairs.update(unpack(frame.pairs, buffers), policy, null, colours);
    }
  }

  stop() {
    this.weeks.stop();
    this.pairs.stop();
  }
}

// Where the data has too few weeks for those that are asked for: says so, and offers fewer.
class TooShort {
  constructor(talk) {
    this.words = make("p");
    this.offer = button("", { onclick: () => talk.update({ weeks: this.weeks }) });
    this.node = make("div", { class: "empty", hidden: true }, this.words, make("div", { class: "ways" }, this.offer));
  }

  update(short) {
    show(this.node, Boolean(short));
    if (!short) return;
    this.weeks = short.weeks;
    say(this.words, short.words);
    say(this.offer, short.offer);
  }
}

function offerSpan(select, weeks) {
  const usual = [1, 4, 12];
  const list = usual.includes(weeks) ? usual : [...usual, weeks];
  select.offer(list.map((n) => [String(n), plural(n, "week")]));
  select.value = String(weeks);
}

function legend(node, policy) {
  const mark = JSON.stringify(policy.bands);
  if (node.mark === mark) return;
  node.mark = mark;
  const key = policy.bands.map((band) => make("span", { class: "key" }, make("i", { style: `background:${band.colour}` }), document.createTextNode(band.name)));
  node.replaceChildren(...key, make("span", { class: "key", text: "• collecting   – no paid seat   ? not computable: replies or bounces are not known" }));
}

function unpack(matrix, buffers) {
  const copy = (i) => {
    const b = buffers[i];
    return b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength);
  };
  return { ...matrix, states: new Int8Array(copy(matrix.states)), shares: new Int16Array(copy(matrix.shares)), ended: new Int32Array(copy(matrix.ended)) };
}
