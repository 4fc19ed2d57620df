// One function a chart: facts of a run to an element.

const SCORE_COLOURS = ["var(--green)", "var(--yellow)", "var(--orange)", "var(--grey)"];
const BAND_COLOURS = ["var(--green)", "var(--blue)", "var(--yellow)", "var(--orange)", "var(--pink)", "var(--grey)"];
const TASK_COLOURS = { plan: "var(--pink)", full_run: "var(--grey)", sps: "var(--blue)", price: "var(--orange)", eviction: "var(--green)", merge: "var(--yellow)" };
const ORDER = ["plan", "full_run", "sps", "price", "eviction", "merge"];
const DESIRED = [0, 1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50];
const POWERS = { type: "log", ticks: [0.001, 0.01, 0.1, 1, 10, 100], tickFormat: (one) => `$${one}` };
const BANDS = ["0–5 %", "5–10 %", "10–15 %", "15–20 %", "20+ %"];

/** Shares by region, each bar 100 percent. */
function sharesByRegion(name, title, regions, field, labels, colours) {
  const entries = Object.entries(regions);
  if (!entries.length) return make("div", {}, make("h3", {}, title), make("p", {}, say("no_rows")));
  const flat = entries.flatMap(([region, one]) => {
    const total = sum(one[field]) || 1;
    return one[field].map((count, index) => ({ region, index, share: (100 * count) / total, count }));
  });
  const plot = {
    height: 50 + 17 * entries.length, marginLeft: marginLeft(), marginTop: 24,
    x: { label: null, domain: [0, 100], tickFormat: (one) => `${one} %`, axis: "both", ticks: 4 }, y: { label: null },
    marks: [Plot.barX(flat, { x: "share", y: "region", fill: (one) => colours[one.index], order: "index",
      title: (one) => `${one.region}: ${labels[one.index]} ${number(one.count)} (${percent(one.share)})`, tip: true, insetTop: 1, insetBottom: 1 })],
  };
  const rows = entries.map(([region, one]) => [region, ...one[field].map((count) => number(count))]);
  return chart(name, title, { plot }, [say("region"), ...labels], rows, colours.map((one, index) => [one, labels[index]]));
}

/** Shares at the counts that were asked, of the workloads that have a score there; of other counts nothing is known. */
function thresholds(figures, asked) {
  if (!asked.length) return make("div", {}, make("h3", {}, say("thresholds")), make("p", {}, say("no_count_asked")));
  const total = (field) => DESIRED.map((_, index) => sum(Object.values(figures.regions).map((one) => one[field][index])));
  const reach = (counts) => asked.map(({ count, scored }) => {
    const reached = sum(counts.slice(DESIRED.indexOf(count)));
    return (100 * reached) / (Math.max(scored ?? sum(counts), reached) || 1);
  });
  const [t3, t2] = [reach(total("t3")), reach(total("t2"))];
  const points = [["T3", t3, "var(--green)"], ["T2", t2, "var(--blue)"]].flatMap(([label, values, colour]) =>
    values.map((share, index) => ({ label, share, count: asked[index].count, colour })));
  const plot = {
    height: 270, marginBottom: 42, x: { label: say("desired_count"), ticks: DESIRED.slice(1), domain: [1, 50] }, y: { label: null, domain: [0, 100], grid: true, tickFormat: (one) => `${one} %`, ticks: 5 },
    marks: [Plot.ruleY([0]), Plot.lineY(points, { x: "count", y: "share", z: "label", stroke: "colour", strokeWidth: 2 }),
      Plot.dot(points, { x: "count", y: "share", fill: "colour", symbol: (one) => one.label, tip: true, title: (one) => `${one.label} ≥ ${one.count}: ${percent(one.share)}` })],
    symbol: { range: ["circle", "square"] },
  };
  const rows = asked.map((one, index) => [number(one.count), percent(t3[index]), percent(t2[index]), number(one.scored)]);
  const drawn = chart("thresholds", say("thresholds"), { plot }, [say("desired_count"), "T3", "T2", say("scored")], rows, [["var(--green)", say("t3_legend")], ["var(--blue)", say("t2_legend")]]);
  drawn.append(make("p", { class: "note" }, say("only_asked", asked.map((one) => one.count).join(", "))));
  return drawn;
}

/** The axis' options; of given ticks those that lie within the data (others would be drawn outside of the chart), or its ends. */
function axis(options, low, high) {
  if (!options.ticks) return options;
  const ticks = options.ticks.filter((one) => low <= one && one <= high);
  return ticks.length > 1 ? { ...options, ticks } : { ...options, ticks: [low, high], tickFormat: usd };
}

function histogram(name, title, bins, form, options) {
  if (!bins.length) return make("div", {}, make("h3", {}, title), make("p", {}, say("no_rows")));
  const data = bins.map(([low, high, count]) => ({ low, high, count }));
  const plot = {
    height: 240, marginLeft: 52, x: { label: null, tickFormat: form, ...axis(options, data[0]?.low, data.at(-1)?.high) }, y: { label: null, grid: true, ticks: 5 },
    marks: [Plot.rectY(data, { x1: "low", x2: "high", y: "count", fill: "var(--blue)", insetLeft: 1, tip: true,
      title: (one) => `${form(one.low)} – ${form(one.high)}: ${number(one.count)}` }), Plot.ruleY([0])],
  };
  return chart(name, title, { plot }, [say("from"), say("to"), say("pairs")], data.map((one) => [form(one.low), form(one.high), number(one.count)]));
}

/** Tenth, quarter, middle, three quarters, nine tenths by region. */
function ranges(name, title, regions, field, form, scale) {
  const data = Object.entries(regions).filter(([, one]) => one[field]).map(([region, one]) => {
    const [low, quarter, middle, upper, high] = one[field];
    return { region, low, quarter, middle, upper, high };
  });
  if (!data.length) return make("div", {}, make("h3", {}, title), make("p", {}, say("no_rows")));
  const tell = (one) => `${one.region}: ${[one.low, one.quarter, one.middle, one.upper, one.high].map(form).join(" · ")}`;
  const plot = {
    height: 50 + 17 * data.length, marginLeft: marginLeft(), marginTop: 24, marginRight: 24, x: { label: null, axis: "both", tickFormat: form, grid: true, ticks: 4, ...axis(scale, d3.min(data, (one) => one.low), d3.max(data, (one) => one.high)) }, y: { label: null },
    marks: [Plot.ruleY(data, { y: "region", x1: "low", x2: "high", stroke: "var(--grey)" }),
      Plot.ruleY(data, { y: "region", x1: "quarter", x2: "upper", stroke: "var(--blue)", strokeWidth: 5 }),
      Plot.dot(data, { y: "region", x: "middle", fill: "var(--sheet)", stroke: "currentColor", r: 3.5, title: tell, tip: true })],
  };
  const rows = data.map((one) => [one.region, ...[one.low, one.quarter, one.middle, one.upper, one.high].map(form)]);
  return chart(name, title, { plot }, [say("region"), "10 %", "25 %", say("median"), "75 %", "90 %"], rows);
}

/** Ups to the right, downs to the left. */
function moves(name, title, regions, what) {
  const data = Object.entries(regions).map(([region, one]) => ({ region, up: one.moves[what]?.up ?? 0, down: one.moves[what]?.down ?? 0 }))
    .filter((one) => one.up || one.down);
  if (!data.length) return make("div", {}, make("h3", {}, title), make("p", {}, say("no_moves")));
  const flat = data.flatMap(({ region, up, down }) => [{ region, value: up, colour: "var(--blue)" }, { region, value: -down, colour: "var(--orange)" }]);
  const plot = {
    height: 50 + 15 * data.length, marginLeft: marginLeft(), marginTop: 24, x: { label: null, axis: "both", tickFormat: (one) => number(Math.abs(one)), grid: true, ticks: 4 }, y: { label: null },
    marks: [Plot.barX(flat.filter((one) => one.value), { x: "value", y: "region", fill: "colour", insetTop: 1, insetBottom: 1, tip: true, title: (one) => `${one.region}: ${number(Math.abs(one.value))}` }), Plot.ruleX([0])],
  };
  return chart(name, title, { plot }, [say("region"), say("up"), say("down")], data.map((one) => [one.region, number(one.up), number(one.down)]),
    [["var(--orange)", say("down")], ["var(--blue)", say("up")]]);
}

function held(figures) {
  const labels = [say("this_run"), "≤ 1 h", "≤ 6 h", "≤ 1 d", "≤ 3 d", "> 3 d"];
  const kinds = [["sps", "sps"], ["price", "spot_price"], ["eviction", "spot_if"]];
  if (!sum(kinds.flatMap(([key]) => figures.held[key]))) return make("div", {}, make("h3", {}, say("held")), make("p", {}, say("no_rows")));
  const data = kinds.flatMap(([key, dataset]) => {
    const total = sum(figures.held[key]) || 1;
    return figures.held[key].map((count, index) => ({ dataset: say(dataset), label: labels[index], count, share: (100 * count) / total, colour: TASK_COLOURS[key] }));
  });
  const plot = {
    height: 300, marginLeft: 50, fx: { domain: labels, label: null }, x: { axis: null, domain: kinds.map(([, one]) => say(one)) }, y: { label: null, domain: [0, 100], grid: true, tickFormat: (one) => `${one} %`, ticks: 5 },
    marks: [Plot.barY(data, { fx: "label", x: "dataset", y: "share", fill: "colour", tip: true, title: (one) => `${one.dataset}, ${one.label}: ${number(one.count)} (${percent(one.share)})` }), Plot.ruleY([0])],
  };
  return chart("held", say("held"), { plot }, [say("held_for"), ...kinds.map(([, one]) => say(one))],
    labels.map((label, index) => [label, ...kinds.map(([key]) => number(figures.held[key][index]))]), kinds.map(([key, one]) => [TASK_COLOURS[key], say(one)]));
}

/** Tasks on as few lanes as their times allow. */
function timeline(execution) {
  const whole = ["plan", "full_run", "merge"].flatMap((service) => (execution.functions[service] ? [{ service, ...execution.functions[service] }] : []));
  const tasks = [...whole, ...execution.collectors].filter((one) => one.began_at && one.seconds != null).map((one) => ({ ...one, from: Date.parse(one.began_at) / 1000 }));
  if (!tasks.length) return make("p", {}, say("no_times"));
  const zero = Math.min(...tasks.map((one) => one.from));
  const ends = [];
  tasks.sort((one, other) => one.from - other.from);
  for (const one of tasks) {
    one.from -= zero;
    one.to = one.from + Math.max(one.seconds, 0.05);
    const free = ends.findIndex((end) => end <= one.from);
    one.lane = free < 0 ? ends.length : free;
    ends[one.lane] = one.to;
  }
  const tell = (one) => `${say(`service_${one.service}`)}${one.region ? ` · ${one.region}` : ""}: ${seconds(one.seconds)}${one.status === "failed" ? ` · ${one.error}` : ""}`;
  const services = ORDER.filter((service) => tasks.some((one) => one.service === service));
  const plot = {
    height: Math.max(120, 72 + 13 * ends.length), marginLeft: 10, marginBottom: 42, x: { label: say("seconds_since"), grid: true }, y: { axis: null },
    marks: [Plot.barX(tasks, { x1: "from", x2: "to", y: "lane", fill: (one) => TASK_COLOURS[one.service], stroke: (one) => (one.status === "failed" ? "red" : "var(--sheet)"), title: tell, tip: true })],
  };
  return chart("timeline", say("timeline_chart"), { plot, wide: true }, [say("task"), say("region"), say("status"), say("from"), say("seconds")],
    tasks.map((one) => [say(`service_${one.service}`), one.region ?? "", one.status ?? "", seconds(one.from), seconds(one.seconds)]), services.map((one) => [TASK_COLOURS[one], say(`service_${one}`)]));
}

function peaks(execution) {
  const data = ORDER.filter((service) => execution.functions[service]?.peak_memory_mb != null).map((service) => ({ ...execution.functions[service], service: say(`service_${service}`) }));
  const tell = (one) => `${one.service}: ${megabytes(one.peak_memory_mb)}${one.memory_limit_mb ? ` / ${megabytes(one.memory_limit_mb)}` : ""}`;
  const plot = {
    height: 62 + 34 * data.length, marginBottom: 42, marginLeft: marginLeft(), x: { label: "MB", grid: true, ticks: 5 }, y: { label: null, domain: data.map((one) => one.service) },
    marks: [Plot.barX(data, { x: "peak_memory_mb", y: "service", fill: "var(--blue)", title: tell, tip: true, insetTop: 4, insetBottom: 4 }),
      Plot.tickX(data.filter((one) => one.memory_limit_mb), { x: "memory_limit_mb", y: "service", stroke: "var(--orange)", strokeWidth: 4 }), Plot.ruleX([0])],
  };
  return chart("peaks", say("peaks"), { plot }, [say("task"), say("peak"), say("limit"), say("share"), say("invocations"), say("longest")],
    data.map((one) => [one.service, megabytes(one.peak_memory_mb), megabytes(one.memory_limit_mb), one.memory_limit_mb ? percent((100 * one.peak_memory_mb) / one.memory_limit_mb) : "–", number(one.invocations), seconds(one.longest_seconds)]),
    [["var(--blue)", say("peak")], ["var(--orange)", say("limit")]]);
}

function memoryCurve(memory) {
  const plot = {
    height: 270, marginLeft: 52, marginBottom: 42, x: { label: say("seconds_since") }, y: { label: "MB", grid: true, zero: true, ticks: 5 },
    marks: [Plot.areaY(memory, { x: "second", y: "mb", fill: "var(--blue)", fillOpacity: 0.15 }), Plot.lineY(memory, { x: "second", y: "mb", stroke: "var(--blue)", strokeWidth: 2, marker: "circle" }),
      Plot.tip(memory, Plot.pointerX({ x: "second", y: "mb", title: (one) => `${seconds(one.second)}: ${megabytes(one.mb)}` })), Plot.ruleY([0])],
  };
  return chart("curve", say("curve"), { plot }, [say("seconds_since"), "MB"], memory.map((one) => [seconds(one.second), number(one.mb, 1)]));
}
