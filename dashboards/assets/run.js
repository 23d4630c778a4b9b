// Run: one complete record. The address is run.html#run=ID.
"use strict";

/** @param {string} name @param {Curve} curve @param {number} entry */
function curveFigure(name, curve, entry) {
  const about = data.comparisons.find(({ metric }) => metric && name.endsWith(metric));
  const title = name.replace(/_/g, " ");
  return lineFigure({
    title,
    caption: "Against training tokens (for images: examples) seen.",
    name,
    lines: [{ entry, points: curvePoints(curve) }],
    measure: plainMeasure(title, about?.higher_is_better ?? false), // a loss is better when lower
    axis: { title: { text: "seen in training" } },
    chosen: new Set([entry]),
    repeat: "run",
  });
}

/**
 * Returns a value as JSON, with each list of numbers on one line.
 * @param {unknown} value
 */
function pretty(value) {
  const text = JSON.stringify(value, null, 1);
  return text.replace(/\[[^[\]{}"]*\]/g, (list) => list.replace(/\s+/g, " "));
}

/** @param {RunRecord} record */
function metricsTable({ metrics }) {
  const splits = Object.entries(metrics ?? {});
  if (!splits.length) return [];
  const names = [...new Set(splits.flatMap(([, values]) => Object.keys(values)))];
  const rows = names.map((name) => [
    name,
    ...splits.map(([, values]) => formatNumber(values[name], 6)),
  ]);
  const head = ["metric", ...splits.map(([split]) => split)];
  return [el("h3", {}, "Metrics"), table(head, rows, { texts: [0] })];
}

/** @param {RunRecord} record */
function measurementsTable({ measurements, details }) {
  const rows = Object.entries(measurements ?? {}).flatMap(([phase, items]) =>
    Object.entries(items).map(([name, { value, quartiles, n, method }]) => [
      phase,
      name,
      formatNumber(value, 5),
      quartiles ? quartiles.map((quartile) => formatNumber(quartile, 5)).join(" – ") : "—",
      n,
      method,
    ]),
  );
  if (!rows.length) return [];
  const head = ["phase", "name", "value", "quartiles", "n", "method"];
  const noisy = details.noisy ?? [];
  const told =
    `Other programs used the machine during ${noisy.join(", ")}. The speeds of such a phase have ` +
    "no rank.";
  return [
    el("h3", {}, "Measurements"),
    noisy.length ? el("p", { className: "warning" }, told) : "",
    table(head, rows, { texts: [0, 1], long: [5] }),
  ];
}

/** @param {RunRecord} record */
function learningCurves({ curves, run_id: run }) {
  const drawn = Object.entries(curves ?? {}).filter(([, { tokens }]) => tokens.length > 1);
  if (!drawn.length) return [];
  const entry = rowsOf(data.runs).find((row) => row.run === run)?.entry ?? 0;
  const figures = drawn.map(([name, curve]) => curveFigure(name, curve, entry));
  return [el("h3", {}, "Learning curves"), el("div", { className: "figures" }, ...figures)];
}

/** @param {RunRecord} record */
function samplesOf({ reports }) {
  const { samples = [] } = reports?.validation ?? {};
  if (!samples.length) return [];
  const texts = samples.flatMap(({ method, prompt, sample }) => [
    el("p", {}, capitalized(method)),
    el("pre", {}, prompt, el("strong", {}, sample)),
  ]);
  const told = "The trained model continues prompts of the validation split.";
  return [el("h3", {}, "Samples"), note(told), ...texts];
}

/** @param {string} run */
function mlflowLink(run) {
  const page = window.LENGTHWISE_MLFLOW[run];
  if (!page) return [];
  const where = ` at ${page.split("/#")[0]} (a local server answers while \`make ui\` runs)`;
  const link = el("a", { href: page }, "This run in MLflow");
  return [el("p", {}, link, el("span", { className: "note" }, ...withCode(where)))];
}

/** @param {RunRecord} record */
function headline(record) {
  const { mode, task, form, architecture, sequence_length, seed, round } = record.cell;
  const title = [
    task ?? `${mode}, ${form}`,
    architecture,
    `length ${sequence_length}`,
    task ? `seed ${seed}` : `round ${round}`,
  ].join(" · ");
  const { commit, dirty } = record.environment;
  const status = el(
    "strong",
    { className: record.status === "ok" ? "status-ok" : "status-bad" },
    record.status,
  );
  const rest = `${formatNumber(record.worker_seconds)} s · protocol ${record.protocol}`;
  const known = /^[0-9a-f]+$/.test(commit ?? "");
  const origin = `Commit ${known ? commit : "unknown"}${dirty ? ", with uncommitted changes" : ""}.`;
  return [
    el("h2", {}, title),
    el(
      "p",
      {},
      status,
      record.reason ? `: ${record.reason}` : "",
      ` · ${record.started_at} · ${rest}`,
    ),
    el("h3", {}, "Run this cell again"),
    el("pre", {}, `bench verify ${record.run_id}`),
    note(`${origin} Command of the session: ${record.invocation.command}`),
  ];
}

/** The parts of a record that are not folded. */
const OPEN_PARTS = new Set(["cell", "error"]);

/** @param {RunRecord} record */
function runContent(record) {
  const { cell, details, data, ranking, environment, reports, error } = record;
  const parts = Object.entries({ cell, details, data, ranking, environment, reports, error });
  return [
    ...headline(record),
    ...mlflowLink(record.run_id),
    ...metricsTable(record),
    ...measurementsTable(record),
    ...learningCurves(record),
    ...samplesOf(record),
    ...parts.flatMap(([name, part]) => {
      if (!part || !Object.keys(part).length) return [];
      const summary = el("summary", {}, capitalized(name));
      return [el("details", { open: OPEN_PARTS.has(name) }, summary, el("pre", {}, pretty(part)))];
    }),
    ...(record.log_tail ? [el("h3", {}, "End of the log"), el("pre", {}, record.log_tail)] : []),
    folded("The record as JSON", el("pre", {}, pretty(record))),
  ];
}

start(({ run }) => {
  if (!run) return [el("p", {}, "No run is named in the address. Choose a run on the overview.")];
  const place = el("div", {}, el("p", {}, "Loading the record…"));
  loadRun(run).then((record) => {
    place.replaceChildren(...(record ? runContent(record) : [missingRun(run)]));
  });
  return [place];
});
