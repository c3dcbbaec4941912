// Why two sides have different scores: the story, and its parts as bars that hang on one another.
const STATES = { gain: "yes", loss: "yes", noise: "no", rest: "not judged" };

function stateOf(step) {
  if (step.part === null) return "end";
  if (step.certain === null) return "rest";
  return !step.certain ? "noise" : step.part >= 0 ? "gain" : "loss";
}

// A step on the scale that all steps share, with its interval as a whisker.
function stepBar() {
  const [bar, whisker, mark] = [draw("rect", { y: 3, height: 12 }), draw("rect", { y: 8.25, height: 1.5, class: "interval" }), draw("rect", { y: 1, width: 0.8, height: 16, class: "tick" })];
  return { node: draw("svg", { class: "step", viewBox: "0 0 100 18", preserveAspectRatio: "none", "aria-hidden": "true" }, bar, whisker, mark), update(step, low, high) {
    const share = (v) => (100 * (v - low)) / (high - low);
    const state = stateOf(step);
    const between = (node, a, b) => {
      put(node, "x", Math.min(share(a), share(b)).toFixed(2));
      put(node, "width", Math.max(Math.abs(share(a) - share(b)), 0.3).toFixed(2));
    };
    put(bar, "class", state);
    put(bar, "display", state === "end" ? "none" : null);
    put(mark, "display", state === "end" ? null : "none");
    put(whisker, "display", step.low === null ? "none" : null);
    if (state === "end") put(mark, "x", (share(step.end) - 0.4).toFixed(2));
    else between(bar, step.start, step.end);
    if (step.low !== null) between(whisker, step.low, step.high);
  } };
}

class Why {
  constructor(talk) {
    this.against = new Against(talk);
    this.split = choice([["sequence", "Sequence"], ["user", "Sender"]], () => talk.update({ split: this.split.value }));
    this.splitField = labelled("Split by", this.split);
    this.sides = make("p", { class: "hint" });
    this.story = make("ul", { class: "story" });
    this.rows = make("tbody");
    const heads = ["Part", "From there to here", "Points", "95 % interval", "More than noise"];
    this.table = make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Parts of the difference" },
      make("table", { class: "why" }, make("caption", { text: "The parts of the difference, the largest first; they add up to it" }),
        make("thead", {}, make("tr", {}, ...heads.map((text, i) => make("th", { scope: "col", class: i > 1 ? "figure" : "", text })))), this.rows));
    this.node = make("div", {}, this.against.node, (this.below = make("div", {}, this.sides, this.story, this.table)));
    this.against.bar.append(this.splitField);
  }

  update(frame, free, about) {
    const { why, view } = frame;
    this.against.update(frame, free, about);
    if (free) this.split.value = why.split;
    show(this.splitField, !view.user);
    show(this.below, !frame.compare.alone);
    say(this.sides, `From ${why.there} to ${why.here}`);
    fill(this.story, why.story, () => ({ node: make("li") }), (cell, line) => say(cell.node, line));
    show(this.table, why.steps.length > 0);
    const values = why.steps.flatMap((s) => [s.start, s.end, s.low, s.high]).filter((v) => v !== null);
    const room = Math.max(1, 0.05 * (Math.max(...values) - Math.min(...values)));
    const [low, high] = [Math.min(...values) - room, Math.max(...values) + room];
    fill(this.rows, why.steps, () => {
      const cell = cells(5);
      cell.bar = stepBar();
      put(cell.list[1], "class", "");
      cell.list[1].append(cell.bar.node);
      return cell;
    }, (cell, step) => {
      const state = stateOf(step);
      put(cell.node, "class", state);
      say(cell.list[0], step.label);
      cell.bar.update(step, low, high);
      const known = step.part !== null;
      say(cell.list[2], known ? signed(step.part) : step.end.toFixed(1));
      say(cell.list[3], step.part_low === null ? "" : `${signed(step.part_low)} to ${signed(step.part_high)}`);
      say(cell.list[4], known ? STATES[state] : "");
    });
  }
}
