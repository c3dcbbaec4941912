"use strict";
// Unpacks the chart runtime, which the page's policy allows by its hash, and draws every figure.
(async () => {
  const read = (id) => document.getElementById(id).textContent;
  const specs = JSON.parse(read("specs"));
  const configs = JSON.parse(read("configs"));
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 640px)");

  async function unpack() {
    const bytes = Uint8Array.from(atob(read("runtime")), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
  }

  async function draw(id) {
    const figure = document.getElementById(id);
    const live = figure.querySelector(".live");
    const variants = (specs[id].usermeta || {}).senderscore || {};
    const spec = narrow.matches && variants.narrow ? variants.narrow : specs[id];
    const config = dark.matches ? configs.dark : configs.light;
    const before = live.view;
    const result = await window.vegaEmbed(live, spec, {
      actions: false,
      ast: true, // Vega's expression interpreter: no code is made from text
      config,
      defaultStyle: false,
      mode: "vega-lite",
      renderer: "svg",
      tooltip: { theme: "custom", disableDefaultStyle: true },
    });
    live.view = result.view;
    if (before) before.finalize();
    live.hidden = false;
    figure.classList.add("drawn");
  }

  async function drawAll() {
    for (const id of Object.keys(specs)) {
      try {
        await draw(id);
      } catch (error) {
        console.warn(id, error); // the static picture stays
      }
    }
    document.documentElement.dataset.drawn = dark.matches ? "dark" : "light";
  }

  try {
    await unpack();
  } catch (error) {
    console.warn("The charts stay static:", error);
    return;
  }
  await drawAll();
  dark.addEventListener("change", drawAll);
  narrow.addEventListener("change", drawAll);
})();
