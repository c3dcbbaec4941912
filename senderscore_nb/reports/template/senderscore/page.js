"use strict";
// Unpacks the chart runtime, which the page's policy allows by its hash, and draws every figure.
(async () => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 640px)");
  const least = 90; // a plot narrower than this is scrolled instead
  let charts;

  async function unpack(id) {
    const text = document.getElementById(id).textContent;
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  async function start() {
    charts = JSON.parse(await unpack("charts"));
    const script = document.createElement("script");
    script.textContent = await unpack("runtime");
    document.head.append(script);
  }

  function embed(element, spec) {
    return window.vegaEmbed(element, spec, {
      actions: false,
      ast: true, // Vega's expression interpreter: no code is made from text
      config: dark.matches ? charts.configs.dark : charts.configs.light,
      defaultStyle: false,
      mode: "vega-lite",
      renderer: "svg",
      tooltip: { theme: "custom", disableDefaultStyle: true },
    });
  }

  // A chart that is wider than its place gets a narrower plot, where its width is a number.
  async function fit(live, spec, result) {
    const over = live.querySelector("svg").getBoundingClientRect().width - live.parentElement.clientWidth;
    if (over <= 0 || typeof spec.width !== "number" || spec.width - over < least) return result;
    result.view.finalize();
    return embed(live, { ...spec, width: Math.floor(spec.width - over) });
  }

  async function draw(id) {
    const figure = document.getElementById(id);
    const live = figure.querySelector(".live");
    const own = charts.specs[id];
    const variants = (own.usermeta || {}).senderscore || {};
    const spec = narrow.matches && variants.narrow ? variants.narrow : own;
    const before = live.view;
    live.hidden = false;
    figure.classList.add("drawn");
    const result = await fit(live, spec, await embed(live, spec));
    live.view = result.view;
    if (before) before.finalize();
  }

  async function drawAll() {
    for (const id of Object.keys(charts.specs)) {
      try {
        await draw(id);
      } catch (error) {
        console.warn(id, error);
        document.getElementById(id).classList.remove("drawn"); // the static picture stays
      }
    }
    document.documentElement.dataset.drawn = dark.matches ? "dark" : "light";
  }

  try {
    await start();
  } catch (error) {
    console.warn("The charts stay static:", error);
    return;
  }
  await drawAll();
  dark.addEventListener("change", drawAll);
  narrow.addEventListener("change", drawAll);
})();
