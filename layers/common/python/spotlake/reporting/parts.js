// What sections are built of: cards, tables, charts with their tables.

/** A section with its heading. */
function section(name, ...children) {
  return make("section", { id: name, "aria-labelledby": `${name}-title` },
    make("h2", { id: `${name}-title` }, say(`${name}_title`)), make("p", { class: "note" }, say(`${name}_note`)), ...children);
}

/** Facts as cards: [label, value, "good" or "poor" or nothing]. */
function cards(facts) {
  return make("dl", { class: "cards" }, facts.map(([label, value, judged]) =>
    make("div", { class: judged }, make("dt", {}, label), make("dd", {}, value))));
}

/** A table in a box that can be scrolled by keyboard; texts wrap in the columns named. */
function table(caption, head, rows, wrapped = []) {
  return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    make("table", {}, make("caption", {}, caption),
      make("thead", {}, make("tr", {}, head.map((one) => make("th", { scope: "col" }, one)))),
      make("tbody", {}, rows.map((row) => make("tr", {}, row.map((cell, index) =>
        index ? make("td", { class: wrapped.includes(index) ? "text" : null }, cell) : make("th", { scope: "row" }, cell)))))));
}

/** Colours and what they mean. */
function legend(entries) {
  return make("ul", { class: "legend" }, entries.map(([colour, label]) => {
    const swatch = make("i", { "aria-hidden": "true" });
    swatch.style.background = colour;
    return make("li", {}, swatch, label);
  }));
}

/** A chart, and the same as a table. */
function chart(name, title, options, head, rows, colours = []) {
  const width = Math.min(1114, document.documentElement.clientWidth - (innerWidth <= 480 ? 44 : 68));
  const wide = options.wide ?? false;
  const plot = Plot.plot({
    width: wide || width < 880 ? width : Math.floor((width - 28) / 2),
    style: { background: "transparent", fontSize: innerWidth <= 480 ? "11px" : "12px", fontFamily: "inherit" },
    ...options.plot,
  });
  plot.setAttribute("aria-hidden", "true"); // one picture, named by its figure; its parts are told by the table
  return make("div", {}, make("h3", {}, title), colours.length ? legend(colours) : null, make("figure", { role: "img", "aria-label": `${title}. ${say("see_table")}` }, plot),
    make("details", { id: `${name}-table` }, make("summary", {}, say("as_table", title)), table(title, head, rows)));
}

/** How long the region's name may be on this screen. */
const marginLeft = () => (innerWidth <= 480 ? 116 : 130);
