// The ranked table, and two selections side by side.
const COLUMNS = [["name", "Name"], ["score", "Score"], [null, "Interval"], [null, "Band"], ["reply_rate", "Reply rate"], ["bounce_rate", "Bounce rate"], ["ended", "Enrollments"]];

class Ranking {
  constructor(talk, open) {
    this.open = open;
    this.pager = new Pager((page) => talk.update({ page }));
    this.heads = COLUMNS.map(([sort, text], i) => {
      const head = make("th", { scope: "col", class: i && i !== 3 ? "figure" : "" });
      if (sort) {
        head.append(button(text, { class: "sort", onclick: () => {
          // From what was asked for last, which may not be drawn yet.
          const same = this.asked.sort === sort;
          this.asked = { sort, descending: same ? !this.asked.descending : sort !== "name" };
          talk.update(this.asked);
        } }));
      } else head.append(text);
      return head;
    });
    this.caption = make("caption");
    this.rows = make("tbody");
    this.node = make("div", {}, make("div", { class: "bar" }, this.pager.node),
      make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Ranked table" },
        make("table", { class: "ranking" }, this.caption, make("thead", {}, make("tr", {}, ...this.heads)), this.rows)));
  }

  update(frame, free) {
    const { list, view, policy } = frame;
    if (free || !this.asked) this.asked = { sort: view.sort, descending: view.descending };
    this.pager.update(list, list.kind === "user" ? "sender" : "sequence", free);
    say(this.caption, `${list.kind === "user" ? "Senders" : "Sequences"} by ${SORTS.find(([key]) => key === view.sort)[1].toLowerCase()}, ${view.descending ? "highest" : "lowest"} first`);
    COLUMNS.forEach(([sort], i) => {
      if (sort) put(this.heads[i], "aria-sort", sort === view.sort ? (view.descending ? "descending" : "ascending") : "none");
    });
    fill(this.rows, list.rows, () => {
      const name = button("", { class: "link", onclick: () => this.open(cell.row) });
      const range = bar();
      const band = chip();
      const cells = Array.from({ length: 7 }, (_, i) => (i ? make("td", { class: i !== 3 ? "figure" : "" }) : make("th", { scope: "row" })));
      const texts = [2, 4, 5].map(() => [make("span"), make("small")]);
      cells[0].append(name);
      cells[2].append(range.node, texts[0][0]);
      cells[3].append(band.node);
      cells[4].append(...texts[1]);
      cells[5].append(...texts[2]);
      const cell = { node: make("tr", {}, ...cells), cells, name, range, band, texts };
      return cell;
    }, (cell, row) => {
      cell.row = row;
      const scored = row.score !== undefined;
      say(cell.name, row.label);
      say(cell.cells[1], scored ? row.text : "–");
      cell.range.update(row, policy);
      say(cell.texts[0][0], scored ? span(row) : "–");
      cell.band.update(row, policy);
      [row.reply, row.bounce].forEach((value, i) => {
        say(cell.texts[i + 1][0], rate(value));
        say(cell.texts[i + 1][1], rateSpan(value));
      });
      say(cell.cells[6], count(row.ended));
    });
  }
}

// What the view is compared with: other days, another team, another policy.
class Against {
  constructor(talk) {
    this.talk = talk;
    this.period = choice([], () => this.send(true));
    this.team = choice([], () => this.send(false));
    this.policy = choice([], () => this.send(false));
    this.above = make("p", { class: "hint above", role: "status" });
    this.teamField = labelled("Team", this.team);
    this.bar = make("div", { class: "bar" }, make("strong", { text: "Compared with" }), labelled("Days", this.period), this.teamField, labelled("Policy there", this.policy));
    this.node = make("div", {}, this.bar, this.above);
  }

  send(days) {
    const { view, compare } = this.frame;
    const { users, sequences } = view;
    const of = (id) => compare.choices.find((one) => one.id === id);
    let chosen = of(this.period.value);
    const team = view.user ? "=" : this.team.value;
    const teams = team === "=" ? view.teams : team ? [team] : [];
    const alike = team === "=" && this.policy.value === view.policy;
    // Both halves of the same days, or the time just before, is what is usual.
    if (days && chosen.alone) return this.talk.update({ other: null });
    if (alike && (chosen.id === "before" || (!days && chosen.id === "same"))) return this.talk.update({ other: null });
    // Another team or policy is seen over the left's own days, until other days are chosen for it.
    if (!days && !view.other) chosen = of("same");
    return this.talk.update({ other: { users, sequences, teams, start: chosen.start, end: chosen.end, policy: this.policy.value } });
  }

  update(frame, free, about) {
    this.frame = frame;
    const { compare, policy, view } = frame;
    if (free) {
      this.period.offer(compare.choices.map(({ id, label }) => [id, label]));
      this.period.value = compare.chosen;
      this.team.offer([["=", "As on the left"], ["", "All teams"], ...about.teams.map((name) => [name, name])]);
      const teams = compare.other.teams;
      this.team.value = JSON.stringify(teams) === JSON.stringify(view.teams) ? "=" : teams[0] || "";
      const shown = { [view.policy]: policy.shown, [compare.other.policy]: compare.other.shown };
      this.policy.offer([...new Set([...about.policies, view.policy, compare.other.policy])].map((name) => [name, shown[name] || name]));
      this.policy.value = compare.other.policy;
      // Of one sender there is no team to compare with.
      show(this.teamField, about.teams.length > 0 && !view.user);
    }
    say(this.above, compare.alone || compare.halved);
    show(this.above, Boolean(compare.alone || compare.halved));
  }
}

class Compare {
  constructor(talk, open) {
    this.open = open;
    this.against = new Against(talk);
    this.cards = [0, 1].map(() => {
      const words = make("p", { class: "words" });
      const card = new Card();
      return { words, card, node: make("div", { class: "half" }, words, card.node) };
    });
    this.differences = make("tbody");
    this.rows = make("tbody");
    const heads = (list) => make("thead", {}, make("tr", {}, ...list.map((text, i) => make("th", { scope: "col", text, class: i ? "figure" : "" }))));
    this.note = make("p", { class: "hint" });
    this.node = make("div", {}, this.against.node, make("div", { class: "halves" }, ...this.cards.map((one) => one.node)),
      (this.below = make("div", {}, make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Differences" }, make("table", {}, make("caption", { text: "Left minus right" }),
        heads(["", "Left", "Right", "Difference", "95 % interval", "More than noise"]), this.differences)),
      this.note,
      make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Side by side" }, make("table", {}, make("caption", { text: "Side by side, in the order of the left" }),
        heads(["Name", "Left", "Right", "Difference", "Enrollments left", "Enrollments right"]), this.rows)))));
  }

  update(frame, free, about) {
    const { compare, policy } = frame;
    this.against.update(frame, free, about);
    show(this.cards[1].node, !compare.alone);
    show(this.below, !compare.alone);
    this.cards.forEach((one, i) => {
      const side = compare.sides[i];
      say(one.words, `${i ? "Right" : "Left"}: ${side.label}${compare.same_policy ? "" : ` · ${side.policy}`}`);
      one.card.update({ ...side, label: "" }, side.scale || policy);
    });
    const figure = (row, name) => (name === "score" ? (row.score === undefined ? "–" : row.text) : rate(row[name]));
    fill(this.differences, compare.differences, () => cells(6), ({ list }, one) => {
      const [left, right] = compare.sides;
      const known = one.change !== null;
      const unit = one.name === "score" ? "" : `${THIN}pp`;
      const sure = !known ? "–" : one.certain ? "yes" : "no";
      [one.label, figure(left, one.name), figure(right, one.name), known ? signed(one.change) + unit : "–", known ? `${signed(one.low)} to ${signed(one.high)}` : "–", sure]
        .forEach((text, i) => say(list[i], text));
    });
    say(this.note, compare.same_policy ? (compare.shared ? `${plural(compare.shared, "enrollment")} count on both sides; what is shared cannot differ.` : "") : "The two sides are scored with different policies: the difference of scores is one of yardsticks, not of senders.");
    fill(this.rows, compare.rows, () => {
      const cell = cells(6);
      cell.name = button("", { class: "link", onclick: () => this.open(cell.row) });
      cell.list[0].append(cell.name);
      return cell;
    }, (cell, row) => {
      cell.row = row;
      say(cell.name, row.label);
      const { here, there } = row;
      const both = there && here.score !== undefined && there.score !== undefined;
      [figure(here, "score"), there ? figure(there, "score") : "–", both ? signed(here.score - there.score) : "–", count(here.ended), there ? count(there.ended) : "0"]
        .forEach((text, i) => say(cell.list[i + 1], text));
    });
  }
}

function cells(n) {
  const list = Array.from({ length: n }, (_, i) => (i ? make("td", { class: "figure" }) : make("th", { scope: "row" })));
  return { node: make("tr", {}, ...list), list };
}
