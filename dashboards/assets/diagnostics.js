// Diagnostics: who solves tasks with exact answers, at which lengths, and what decoding costs.
"use strict";

const SOLVED_NOTE =
  "A seed solves a task if its score reaches the stated threshold. The steps are those until the " +
  "validation curve reaches it: the median over seeds, where a seed that never reaches it counts as " +
  "later than all others. An entry that does not solve a task may solve it with more steps or with " +
  "another learning rate. Intervals are of 95%; those of shares of seeds are Wilson's. A mean of " +
  "seeds of which some solve the task and others do not has none. The effective length is the longest " +
  "evaluation length up to which the score stays above 0.9: the median over seeds and the range, 0 " +
  "if the score is not above it at the training length; ≥ marks the longest length that was tested. " +
  "The state is that of decoding a sequence of the training length.";

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
  return figure({
    title,
    higherIsBetter: chartMeasure(chart).higher_is_better,
    caption: chartCaption(chart, chart.entries),
    name: fileName(title),
    traces: [
      heatTrace(PALE, {
        x: chart.entries.map(({ name }) => shortLength(Number(name))),
        y: depths.map(plain),
        z: cells.map((row) => row.map((cell) => cell?.[0] ?? null)),
        zmin: 0,
        zmax: 1,
        text: cells.map((row) => row.map((cell) => cell?.[0].toFixed(2) ?? "")),
        texttemplate: "%{text}",
        customdata: cells.map((row) =>
          row.map((cell) => (cell ? `${estimateText(cell)} (n=${cell[3]})` : "no figure")),
        ),
        hovertemplate: "depth %{y} of %{x}: %{customdata}<extra></extra>",
        textfont: { color: "#111" },
        xgap: 1,
        ygap: 1,
      }),
    ],
    layout: {
      xaxis: { type: "category", tickangle: 0, title: { text: "evaluation length" } },
      yaxis: { type: "category", autorange: "reversed", title: { text: "depth", standoff: 10 } },
    },
    rows: chartRows(chart),
  });
}

/**
 * Returns the charts of a section, or the command whose records it draws.
 * @param {Diagnostics["sections"][number]} section
 * @param {Set<number>} hidden
 */
function sectionContent({ title, command, charts }, hidden) {
  const figures = charts
    .filter(({ entry }) => !hidden.has(entry ?? -1))
    .map((chart) => (chart.against === "depth" ? depthMap(chart) : chartFigure(chart, hidden)));
  const none = charts.length
    ? "All entries of this section are hidden."
    : `There are no figures yet. Run \`${command}\`.`;
  return [
    el("h2", {}, title),
    figures.length
      ? el("div", { className: "figures" }, ...figures)
      : el("p", {}, ...withCode(none)),
  ];
}

/**
 * @param {Diagnostics["tasks"][number]} task
 * @param {Set<number>} hidden
 */
function solvedTable({ title, comparison, solved_at: solvedAt, rows }, hidden) {
  const about = data.comparisons[comparison];
  const metric = metricText(about.metric);
  const shown = rows.filter(({ entry }) => !hidden.has(entry));
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
    ["state, KiB", ({ state }) => formatNumber(state === null ? null : state / 1024, 3)],
  ];
  if (shown.some(({ note: told }) => told)) {
    columns.push(["not completed", ({ note: told }) => ({ text: told, className: "soft" })]);
  }
  const caption = `Solved at ${metric} ${solvedAt}, ${about.split} split`;
  return [el("h3", {}, title), itemsTable(shown, columns, { caption, texts: [0], long: [8] })];
}

start((values) => {
  const { sections, tasks } = window.LENGTHWISE_DIAGNOSTICS;
  const hidden = hiddenEntries(values);
  const charts = sections.flatMap((section) => section.charts);
  const numbers = charts.flatMap(({ entry, entries }) => [entry, ...entries.map((e) => e.entry)]);
  const entries = sorted(numbers.flatMap((number) => number ?? []));
  const shown = [...charts, ...tasks].map(({ comparison }) => data.comparisons[comparison]);
  const firstTrial = shown.find(({ kind }) => kind === "trial");
  return [
    ...(firstTrial ? trialsWarning(firstTrial) : []),
    ...(entries.length ? [legend(values, entries)] : []),
    ...sections.flatMap((section) => sectionContent(section, hidden)),
    ...(tasks.length ? [el("h2", {}, "Seeds that solve a task"), note(SOLVED_NOTE)] : []),
    ...tasks.flatMap((task) => solvedTable(task, hidden)),
  ];
});
