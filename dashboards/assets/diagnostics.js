// Diagnostics: who solves tasks with exact answers, at which lengths, and what decoding costs.
"use strict";

const SOLVED_NOTE =
  "A seed solves a task if its score reaches the stated threshold. The steps are those until the " +
  "validation curve reaches it: the median over seeds. More steps or another learning rate may solve " +
  "what an entry does not. The effective length is the longest evaluation length up to which the " +
  "score stays above 0.9: the median over seeds and the range; ≥ marks the longest tested length.";

/** @param {Chart} chart */
function depthMap(chart) {
  const depths = placesOf(chart.entries);
  const cells = depths.map((depth) =>
    chart.entries.map(({ points }) => {
      const [, ...estimate] = points.find(([place]) => place === depth) ?? [depth];
      return estimate.length ? /** @type {Estimate} */ (estimate) : null;
    }),
  );
  const title = chartTitle(chart, data.entries[chart.entry ?? 0].name);
  return heatFigure({
    title,
    higherIsBetter: chartMeasure(chart).higher_is_better,
    caption: joined([chartCaption(chart, chart.entries).slice(0, -1), "Darker is better"]),
    name: fileName(title),
    columns: chart.entries.map(({ name }) => shortLength(Number(name))),
    names: depths,
    values: cells.map((row) => row.map((cell) => cell?.[0] ?? null)),
    range: [0, 1],
    texts: cells.map((row) => row.map((cell) => cell?.[0].toFixed(2) ?? "")),
    hovers: cells.map((row) =>
      row.map((cell) => (cell ? `${estimateText(cell)} (n=${cell[3]})` : "no figure")),
    ),
    axes: ["evaluation length", "depth"],
    rows: chartRows(chart),
  });
}

/**
 * Returns the charts of a section, or the command whose records it draws.
 * @param {Diagnostics["sections"][number]} section
 * @param {Set<number>} chosen
 */
function sectionContent({ title, command, charts }, chosen) {
  const figures = charts
    .filter(({ entry }) => entry === null || entry === undefined || chosen.has(entry))
    .map((chart) => (chart.against === "depth" ? depthMap(chart) : chartFigure(chart, chosen)));
  const none = charts.length
    ? "No entry of this section is chosen."
    : `There are no figures yet. Run \`${command}\`.`;
  return [
    el("h2", {}, title),
    figures.length
      ? el("div", { className: "figures" }, ...figures)
      : el("p", {}, ...withCode(none)),
  ];
}

/** @param {Diagnostics["tasks"][number]} task */
function solvedTable({ title, comparison, solved_at: solvedAt, rows }) {
  const about = data.comparisons[comparison];
  const metric = metricText(about.metric);
  const state = measureNamed("generation.state_bytes", about);
  /** @param {number | null} value */
  const exactly = (value) => ({ value, low: null, high: null });
  /** @type {[head: string, cell: (row: SolvedRow) => TableCell][]} */
  const columns = [
    ["entry", ({ entry }) => entryLabel(data.entries[entry])],
    ["length", ({ length }) => formatNumber(length)],
    ["seeds", ({ score }) => score?.[3] ?? 0],
    [metric, ({ score }) => estimateText(score)],
    ["share of seeds that solve it", ({ solved }) => estimateText(solved)],
    [
      "median steps until solved",
      ({ never, steps }) => (never ? "not by half of the seeds" : formatNumber(steps)),
    ],
    ["effective length", ({ effective }) => effective || "—"],
    [`state, ${state.unit}`, (row) => formatInterval(exactly(row.state), state)],
  ];
  if (rows.some(({ note: told }) => told)) {
    columns.push(["not completed", ({ note: told }) => ({ text: told, className: "soft" })]);
  }
  const caption = `Solved at ${metric} ${solvedAt}, ${about.split} split`;
  return [el("h3", {}, title), itemsTable(rows, columns, { caption, texts: [0], long: [8] })];
}

start((values) => {
  const { sections, tasks } = window.LENGTHWISE_DIAGNOSTICS;
  const charts = sections.flatMap((section) => section.charts);
  const numbers = charts.flatMap(({ entry, entries }) => [entry, ...entries.map((e) => e.entry)]);
  const entries = sorted(numbers.flatMap((number) => number ?? []));
  // The best entry of each task comes first, then the second ones.
  const ranks = tasks.flatMap(({ rows }) => rows.map(({ entry }, place) => ({ entry, place })));
  const best = ranks.sort((a, b) => a.place - b.place).map(({ entry }) => entry);
  const chosen = chosenEntries(values, entries, best);
  const shown = [...charts, ...tasks].map(({ comparison }) => data.comparisons[comparison]);
  const firstTrial = shown.find(({ kind }) => kind === "trial");
  return [
    ...(firstTrial ? trialsWarning(firstTrial) : []),
    ...(entries.length ? [legend(entries, chosen)] : []),
    ...sections.flatMap((section) => sectionContent(section, chosen)),
    ...(tasks.length ? [el("h2", {}, "Seeds that solve a task"), note(SOLVED_NOTE)] : []),
    ...tasks.flatMap((task) => solvedTable(task)),
  ];
});
