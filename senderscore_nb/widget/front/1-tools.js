// Elements, figures and colours that every part of a widget uses.
const NS = "http://www.w3.org/2000/svg";
const THIN = "\u2009";

// An element with properties and children; text is always text, never markup.
function make(name, props = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(props)) put(node, key, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function draw(name, props = {}, ...children) {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(props)) put(node, key, value);
  node.append(...children);
  return node;
}

// Set an attribute, a listener or a text, and only where it differs: what is equal is not painted.
function put(node, key, value) {
  if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
  else if (key === "text") say(node, value);
  else if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(key)) node.removeAttribute(key);
  } else {
    const text = value === true ? "" : String(value);
    if (node.getAttribute(key) !== text) node.setAttribute(key, text);
  }
}

function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

// As many children as there are items: what is there is updated, the rest made or taken away.
function fill(parent, items, create, update) {
  const kept = parent.kept || (parent.kept = []);
  while (kept.length > items.length) kept.pop().node.remove();
  while (kept.length < items.length) {
    const cell = create(kept.length);
    kept.push(cell);
    parent.append(cell.node);
  }
  items.forEach((item, i) => update(kept[i], item, i));
}

const count = (n) => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, THIN);
const percent = (v) => `${(100 * v).toFixed(1)}${THIN}%`;
const span = (row) => `${row.low.toFixed(1)}–${row.high.toFixed(1)}`;
const rate = (r) => (r ? percent(r[0]) : "–");
const rateSpan = (r) => (r ? `${(100 * r[1]).toFixed(1)}–${percent(r[2])}` : "");
const signed = (v, digits = 1) => (v > 0 ? "+" : v < 0 ? "−" : "±") + Math.abs(v).toFixed(digits);
const plural = (n, one, many = one + "s") => `${count(n)} ${n === 1 ? one : many}`;

const DAY = 86400000;
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const time = (iso) => Date.parse(iso + "T00:00:00Z");
const iso = (ms) => new Date(ms).toISOString().slice(0, 10);
const dayText = (text, year = true) => {
  const [y, m, d] = text.split("-").map(Number);
  return `${d} ${MONTHS[m - 1]}${year ? " " + y : ""}`;
};

// What a row says where it has no score.
function waiting(row) {
  if (row.status !== "collecting") return row.why ? `${row.verdict}: ${row.why}` : row.verdict;
  return `${count(row.missing)} more needed${row.expected ? ", about " + row.expected : ""}`;
}

function sentence(row) {
  const score = row.score === undefined
    ? row.status === "collecting" ? `${row.verdict}, ${waiting(row)}` : `${waiting(row)}, no score`
    : `score ${row.text}, interval ${span(row)}, ${row.verdict}`;
  const rates = `${rate(row.reply)} replies, ${rate(row.bounce)} bounces`;
  return `${score}; ${plural(row.ended, "enrollment")}; ${rates}`;
}

// Light or dark as JupyterLab says, else as the system does.
function isDark() {
  const said = document.body.dataset.jpThemeLight;
  return said ? said === "false" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function watchTheme(changed) {
  const seen = new MutationObserver(changed);
  seen.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", changed);
  return () => {
    seen.disconnect();
    system.removeEventListener("change", changed);
  };
}

function button(text, props = {}) {
  return make("button", { type: "button", ...props, text });
}

let names = 0;
const unique = (word) => `senderscore-${word}-${(names += 1)}`;

function labelled(text, control) {
  control.id = control.id || unique("control");
  return make("div", { class: "field" }, make("label", { for: control.id, text }), control);
}

function choice(options, changed) {
  const select = make("select", { onchange: () => changed(select.value) });
  select.offer = (list) => {
    const mark = JSON.stringify(list);
    if (select.mark === mark) return;
    select.mark = mark;
    select.replaceChildren(...list.map(([value, text]) => make("option", { value, text })));
  };
  select.offer(options);
  return select;
}
