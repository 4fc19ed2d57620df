// The sections of the page, in order. Each leaves itself out when the run has nothing for it.

function sections(run) {
  const drawn = [RUNS.length > 1 ? comparison() : null, status(run), coverage(run), ...(run.figures ? [scores(run.figures, run.asked), prices(run.figures)] : []),
    changes(run), ages(run), ...(run.execution ? [tasks(run.execution), memory(run)] : []), faults(run)];
  return drawn.filter(Boolean);
}

function banners(run) {
  const found = [];
  const one = run.manifest;
  const azure = run.execution?.azure;
  if (one.verdict === "failed" || one.error) found.push(make("p", { class: "banner bad", id: "failed", role: "note" }, make("b", {}, say(one.verdict === "failed" ? "run_failed" : "attempt_failed")), ` ${one.error}: ${one.cause}`));
  else if (one.verdict === "starved") found.push(make("p", { class: "banner bad", id: "starved", role: "note" }, make("b", {}, say("run_starved")), ` ${one.coverage_reasons.sps ?? ""} ${one.calls_waiting ? say("so_many_wait", number(one.calls_waiting)) : ""}`));
  if (azure === "simulated" || azure === "live") found.push(make("p", { class: "banner", id: azure, role: "note" }, say(azure)));
  if (RUNS.length > 1) {
    found.push(make("div", { class: "runs banner", role: "group", "aria-label": say("choose_run") }, RUNS.map((one, index) => {
      const button = make("button", { type: "button", "aria-pressed": String(index === state.run) }, one.manifest.run_id);
      button.addEventListener("click", () => {
        state.run = index;
        draw();
        document.querySelectorAll(".runs button")[index].focus();
      });
      return button;
    })));
  }
  return found;
}

const MEASURES = [
  ["coverage", (one) => one.manifest.coverage_percent, percent], ["rows", (one) => one.manifest.rows.merged, number],
  ["changed_rows", (one) => one.manifest.changed_rows, number], ["calls", (one) => one.manifest.sps_calls, number],
  ["waiting", (one) => one.manifest.calls_waiting, number], ["throttled", (one) => one.manifest.throttled_calls, number], ["stale_count", (one) => one.manifest.stale.length, number],
  ["total_seconds", (one) => one.execution?.total_seconds, seconds], ["collection_seconds", (one) => one.execution?.collection_seconds, seconds],
  ["merge_seconds", (one) => one.manifest.seconds.total, seconds], ["write_units", (one) => one.manifest.consumed_write_units, number],
  ["cost", (one) => one.execution?.cost?.total_usd, usd],
  ["largest_peak", (one) => one.execution && Math.max(...Object.values(one.execution.functions).map((each) => each.peak_memory_mb ?? 0)), megabytes],
];

/** Runs side by side; differences are from the first. */
function comparison() {
  const rows = MEASURES.map(([name, read, form]) => {
    const first = read(RUNS[0]);
    return [say(name), ...RUNS.map((one, index) => {
      const value = read(one);
      const cell = make("span", {}, form(value));
      if (index && value != null && first) cell.append(make("span", { class: "delta" }, `${value >= first ? "+" : "−"}${percent(Math.abs((100 * (value - first)) / first))}`));
      return cell;
    })];
  });
  const bars = RUNS.flatMap((one) => ORDER.map((service) => ({ run: one.manifest.run_id, service, value: one.execution?.functions[service]?.longest_seconds })))
    .filter((one) => one.value != null);
  const plot = {
    height: 60 + 26 * bars.length + 20 * RUNS.length, marginLeft: marginLeft(), x: { label: say("seconds"), grid: true }, y: { axis: null, domain: RUNS.map((one) => one.manifest.run_id) },
    fy: { label: null, domain: ORDER.filter((service) => bars.some((one) => one.service === service)), tickFormat: (one) => say(`service_${one}`), axis: "left" },
    marks: [Plot.barX(bars, { x: "value", y: "run", fy: "service", fill: (one) => RUN_COLOURS[RUNS.findIndex((each) => each.manifest.run_id === one.run) % RUN_COLOURS.length], tip: true, title: (one) => `${one.run}, ${say(`service_${one.service}`)}: ${seconds(one.value)}` }), Plot.ruleX([0])],
  };
  return section("comparison", table(say("figures"), [say("figure"), ...RUNS.map((one) => `${one.manifest.run_id} (${say(one.manifest.mode)})`)], rows),
    chart("longest", say("longest_chart"), { plot, wide: true }, [say("task"), say("run"), say("seconds")], bars.map((one) => [say(`service_${one.service}`), one.run, seconds(one.value)]), RUNS.map((one, index) => [RUN_COLOURS[index % RUN_COLOURS.length], one.manifest.run_id])));
}
const RUN_COLOURS = ["var(--grey)", "var(--blue)", "var(--orange)", "var(--green)", "var(--pink)", "var(--yellow)"];

function status(run) {
  const one = run.manifest;
  return section("status", cards([
    [say("status"), say(`status_${one.verdict}`), one.verdict === "complete" ? "good" : "poor"],
    [say("coverage"), percent(one.coverage_percent), one.coverage_percent === 100 ? "good" : one.coverage_sufficient ? null : "poor"],
    [say("slot"), run.slot_at.slice(0, 16).replace("T", " ") + " UTC"], [say("mode"), say(one.mode)], [say("desired_count"), one.desired_counts.join(", ")],
    [say("regions"), say("of", number(one.regions_complete), number(one.regions_requested)), one.regions_requested && one.regions_complete === one.regions_requested ? "good" : "poor"],
    [say("rows"), number(one.rows.merged)], [say("changed_rows"), number(one.changed_rows)],
    [say("calls"), say(one.calls_waiting ? "calls_waiting" : "calls_of", number(one.sps_calls), number(one.calls_planned), number(one.calls_waiting)), one.waits ? "poor" : null],
    ...(one.quota_left == null ? [] : [[say("quota_left"), number(one.quota_left)]]), ...(one.attempts.length > 1 ? [[say("attempts"), number(one.attempts.length)]] : []), [say("throttled"), number(one.throttled_calls), one.throttled_calls ? "poor" : null],
    [say("oldest_waiting"), waitingAge(one), one.waits ? "poor" : null], [say("total_seconds"), seconds(run.execution?.total_seconds)],
  ]));
}

/** How old the oldest score is that waits for quota. */
function waitingAge(one) {
  if (!one.waits) return say("none_waits");
  return one.oldest_waiting_minutes ? duration(one.oldest_waiting_minutes) : say("never_asked");
}

function coverage(run) {
  const found = new Map(run.came.map((one) => [`${one.dataset} ${one.region}`, one.came]));
  const signs = { complete: "✓", partial: "◐", failed: "✗", absent: "–" };
  const tiles = run.regions.map((region) => make("li", {}, make("b", {}, region), make("div", { class: "chips" }, DATASETS.map((dataset) => {
    const came = found.get(`${dataset} ${region}`) ?? "absent";
    return make("span", { class: came, title: `${say(dataset)}: ${say(`came_${came}`)}` }, `${say(`short_${dataset}`)} ${signs[came]}`);
  }))));
  const meaning = Object.entries(signs).map(([came, sign]) => `${sign} ${say(`came_${came}`)}`).join(" · ");
  const by = run.manifest.coverage;
  const card = (dataset, name) => [say(dataset), by[name] == null ? (run.manifest.coverage_reasons[name] ?? say("came_absent")) : percent(by[name]), by[name] === 100 ? null : "poor"];
  return section("coverage", cards([card("sps", "sps"), card("spot_price", "price"), card("spot_if", "eviction")]),
    make("p", { class: "note" }, meaning), make("ul", { class: "tiles" }, tiles));
}

function scores(figures, asked) {
  const labels = [3, 2, 1].map((one) => say("score", one)).concat(say("unknown"));
  return section("scores", make("div", { class: "pair" },
    sharesByRegion("scores-by-region", say("scores_by_region", figures.desired_count ?? "–"), figures.regions, "scores", labels, SCORE_COLOURS),
    sharesByRegion("bands", say("bands"), figures.regions, "frequencies", [...BANDS, say("unknown")], BAND_COLOURS)), thresholds(figures, asked));
}

function prices(figures) {
  return section("prices", make("div", { class: "pair" },
    histogram("price-histogram", say("price_histogram"), figures.spot_price_histogram, usd, POWERS),
    histogram("savings-histogram", say("savings_histogram"), figures.savings_histogram, (one) => percent(one, 0), {}),
    ranges("prices-by-region", say("prices_by_region"), figures.regions, "spot_price", usd, POWERS),
    ranges("savings-by-region", say("savings_by_region"), figures.regions, "savings", (one) => percent(one, 0), {})));
}

function changes(run) {
  if (!run.before || !run.figures) return section("changes", make("p", {}, say("no_before")));
  const all = Object.values(run.figures.regions);
  const total = (what, way) => sum(all.map((one) => one.moves[what]?.[way] ?? 0));
  const rows = ["t3", "t2", "spot_price", "interruption_frequency"].map((what) => [say(`move_${what}`), ...["up", "down", "known", "unknown"].map((way) => number(total(what, way)))]);
  return section("changes", make("p", {}, say("compared_with", run.before.run_id)),
    cards([[say("appeared"), number(total("workload", "appeared"))], [say("left"), number(run.figures.left)], [say("changed_rows"), number(run.manifest.changed_rows)], [say("rows_before"), number(run.before.rows.merged)]]),
    table(say("moves"), [say("value"), say("up"), say("down"), say("became_known"), say("became_unknown")], rows),
    make("div", { class: "pair" }, moves("price-moves", say("price_moves"), run.figures.regions, "spot_price"), moves("t3-moves", say("t3_moves"), run.figures.regions, "t3")));
}

function ages(run) {
  const slot = Date.parse(run.slot_at);
  const age = (dataset) => {
    const one = run.manifest;
    const covered = one.coverage[{ sps: "sps", spot_price: "price", spot_if: "eviction" }[dataset]];
    if (covered == null) return [say("came_absent"), "poor"];
    const old = one.stale.filter((each) => each.dataset === dataset);
    if (!old.length && dataset === "sps" && one.waits) return [say("some_wait", number(one.calls_waiting)), "poor"];
    if (!old.length) return covered === 100 ? [say("all_fresh"), "good"] : [percent(covered), "poor"];
    const since = old.map((one) => one.since).filter(Boolean).sort()[0];
    return [say("stale_regions", number(old.length), since ? duration((slot - Date.parse(since)) / 60000) : "–"), "poor"];
  };
  const by = run.manifest.score_ages.map((one) => [number(one.desired_count), number(one.scored), number(one.never), duration(one.median_minutes), duration(one.p95_minutes), duration(one.oldest_minutes)]);
  const confirmed = run.manifest.value_ages; // manifests before 0.2.0 lack it
  const limits = confirmed ? [...confirmed.limits_minutes.map((one) => `≤ ${duration(one)}`), say("older")] : [];
  const byAge = confirmed ? table(say("values_by_age"), [say("dataset"), ...limits], Object.entries({ sps: "sps", price: "spot_price", eviction: "spot_if" }).map(([key, dataset]) => [say(dataset), ...confirmed[key].map((one) => number(one))])) : null;
  const all = [["age_median", "score_age_median_minutes"], ["age_p95", "score_age_p95_minutes"], ["oldest", "oldest_score_age_minutes"]];
  return section("ages", cards([...all.map(([name, field]) => [say(name), duration(run.manifest[field])]), ...DATASETS.map((one) => [say(one), ...age(one)])]),
    by.length ? table(say("ages_by_count"), [say("desired_count"), say("scored"), say("never_scored"), say("age_median"), say("age_p95"), say("oldest")], by) : null, byAge, run.figures ? held(run.figures) : null);
}

function tasks(execution) {
  return section("tasks", cards([[say("total_seconds"), seconds(execution.total_seconds)], [say("collection_seconds"), seconds(execution.collection_seconds)], [say("merge_seconds"), seconds(execution.merge_seconds)], ...(execution.cost ? [[say("cost"), usd(execution.cost.total_usd)]] : []),
    ...(execution.instance_type ? [[say("machine"), execution.instance_type]] : [])]), timeline(execution));
}

function memory(run) {
  return section("memory", make("div", { class: "pair" }, peaks(run.execution), run.memory.length ? memoryCurve(run.memory) : null));
}

function faults(run) {
  const rows = run.manifest.stale.map((one) => [one.dataset ? say(one.dataset) : say("whole_attempt"), one.region, one.error ?? "", one.cause ?? "", one.since ?? say("nothing_kept")]);
  const refused = run.manifest.refused_shards.map((one) => [one.key, one.reason]);
  const throttled = run.collectors.filter((one) => Object.keys(one.faults).length).map((one) => [say(one.dataset), one.region, number(one.faults.throttles ?? 0), number(one.faults.retries ?? 0)]);
  const tried = run.manifest.attempts.map((one) => [number(one.attempt), say(one.mode), one.started_at, one.desired_counts.join(", "), number(one.calls_planned), number(one.calls_waiting), one.error ? `${one.error}: ${one.cause}` : ""]);
  const lacking = Object.entries(run.manifest.coverage_reasons).map(([name, reason]) => make("p", {}, `${say({ sps: "sps", price: "spot_price", eviction: "spot_if" }[name])}: ${reason}`));
  const parts = [];
  if (run.manifest.error) parts.push(make("p", {}, make("b", {}, run.manifest.error), ` ${run.manifest.cause}`));
  parts.push(...lacking);
  if (run.manifest.overtaken_items) parts.push(make("p", {}, say("overtaken", number(run.manifest.overtaken_items))));
  if (tried.length > 1 || run.manifest.attempts.some((one) => one.error)) parts.push(table(say("attempts_table"), [say("attempt"), say("mode"), say("started"), say("desired_count"), say("planned"), say("waiting"), say("cause")], tried, [6]));
  if (rows.length) parts.push(table(say("stale_table"), [say("dataset"), say("region"), say("error"), say("cause"), say("kept_since")], rows, [1, 2, 3]));
  if (refused.length) parts.push(table(say("refused_table"), [say("object"), say("cause")], refused, [1]));
  if (throttled.length) parts.push(table(say("throttled_table"), [say("dataset"), say("region"), say("throttles"), say("retries")], throttled, [1]));
  if (run.manifest.calls_unsent) parts.push(make("p", {}, say("unsent", number(run.manifest.calls_unsent))));
  return section("faults", ...(parts.length ? parts : [make("p", {}, say("no_faults"))]));
}
