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

/**
 * Returns the heat map of an entry: depth by evaluation length.
 * @param {DiagnosticChart} chart
 */
function depthMap(chart) {
  const { name } = data.lines[chart.line ?? 0];
  const depths = placesOf(chart.lines);
  const estimates = depths.map((depth) =>
    chart.lines.map(({ points }) => points.find(([place]) => place === depth)),
  );
  const title = chartTitle(chart, name);
  return figure({
    title,
    reading: chart.reading,
    caption: chartCaption(chart, chart.lines),
    name: fileName(title),
    traces: [
      {
        type: "heatmap",
        x: chart.lines.map((line) => shortLength(Number(line.name))),
        y: depths.map(plain),
        z: estimates.map((row) => row.map((point) => point?.[1] ?? null)),
        zmin: 0,
        zmax: 1,
        text: estimates.map((row) => row.map((point) => (point ? point[1].toFixed(2) : ""))),
        texttemplate: "%{text}",
        customdata: estimates.map((row) =>
          row.map((point) => {
            if (!point) return "no figure";
            const [, ...one] = point;
            return `${formatInterval(intervalOf(one))} (n=${one[3]})`;
          }),
        ),
        hovertemplate: "depth %{y} of %{x}: %{customdata}<extra></extra>",
        colorscale: [
          [0, "#f4f8fd"],
          [1, "#74a9dc"],
        ],
        textfont: { color: "#111" },
        showscale: false,
        xgap: 1,
        ygap: 1,
      },
    ],
    layout: {
      xaxis: { type: "category", tickangle: 0, title: { text: "evaluation length" } },
      yaxis: {
        type: "category",
        autorange: "reversed",
        title: { text: "depth", standoff: 10 },
      },
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
  const shown = charts.filter(({ line }) => line === null || !hidden.has(line));
  const figures = shown.map((chart) =>
    chart.against === "depth" ? depthMap(chart) : lineChart(chart, hidden),
  );
  const none = charts.length ? "All lines of this section are hidden." : "";
  return [
    el("h2", {}, title),
    figures.length
      ? el("div", { className: "figures" }, ...figures)
      : el("p", {}, ...withCode(none || `There are no figures yet. Run \`${command}\`.`)),
  ];
}

/**
 * Returns the table of the seeds that solve a task.
 * @param {Diagnostics["tasks"][number]} task
 * @param {Set<number>} hidden
 */
function solvedTable({ title, comparison, solved_at: solvedAt, rows }, hidden) {
  const about = data.comparisons[comparison];
  const shown = rows.filter(({ line }) => !hidden.has(line));
  const body = shown.map((row) => [
    entryLabel(data.lines[row.line]),
    formatNumber(row.length),
    row.score?.[3] ?? 0,
    row.score ? formatInterval(intervalOf(row.score)) : "—",
    row.solved ? formatInterval(intervalOf(row.solved)) : "—",
    row.never ? "not by half of the seeds" : formatNumber(row.steps),
    row.effective || "—",
    row.state === null ? "—" : formatNumber(row.state / 1024, 3),
    { text: row.note, className: "soft" },
  ]);
  const metric = metricText(about.metric);
  const head = [
    "entry",
    "length",
    "seeds",
    metric,
    "share of seeds that solve it",
    "median steps until solved",
    "effective length",
    "state, KiB",
    "not completed",
  ];
  const columns = shown.some(({ note }) => note) ? head.length : head.length - 1;
  const caption = `Solved at ${metric} ${solvedAt}, ${about.split} split`;
  const cut = body.map((row) => row.slice(0, columns));
  return [
    el("h3", {}, title),
    table(head.slice(0, columns), cut, { caption, texts: [0], long: [8] }),
  ];
}

start((values) => {
  const { sections, tasks } = window.LENGTHWISE_DIAGNOSTICS;
  const hidden = hiddenLines(values);
  const charts = sections.flatMap((section) => section.charts);
  const numbers = charts.flatMap(({ line, lines }) => [line, ...lines.map((one) => one.line)]);
  const lines = [...new Set(numbers)].filter((line) => line !== null).sort(ascending);
  const shown = [...charts, ...tasks].map(({ comparison }) => data.comparisons[comparison]);
  const firstTrial = shown.find(({ kind }) => kind === "trial");
  return [
    ...(firstTrial ? trialsWarning(firstTrial) : []),
    ...(lines.length ? [legend(values, lines)] : []),
    ...sections.flatMap((section) => sectionContent(section, hidden)),
    ...(tasks.length
      ? [
          el("h2", {}, "Seeds that solve a task"),
          el("p", { className: "note" }, SOLVED_NOTE),
          ...tasks.flatMap((task) => solvedTable(task, hidden)),
        ]
      : []),
  ];
});
