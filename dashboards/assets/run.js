// One record, whole: run.html#run=ID.
"use strict";

function curveFigure(name, curve) {
  return figure({ title: name.replace(/_/g, " "), caption: "Against training tokens (examples of images) seen; one run.",
    name, traces: [{ x: curve.tokens, y: curve.values, mode: "lines+markers", type: "scatter", marker: { size: 4 }, line: { color: "#0072B2" } }],
    layout: { xaxis: { title: { text: "seen in training" } } }, rows: [["seen", "value"], ...curve.tokens.map((t, i) => [t, curve.values[i]])] });
}

// As JSON, with lists of numbers (a figure for each part of a test split) in lines, not one a line.
const pretty = (value) => JSON.stringify(value, null, 1).replace(/\[[^[\]{}"]*\]/g, (list) => list.replace(/\s+/g, " "));

function show(record) {
  const cell = record.cell;
  const label = [cell.task ?? `probe, ${cell.form}`, cell.architecture, `length ${cell.sequence_length}`, cell.task ? `seed ${cell.seed}` : `round ${cell.round}`].join(" · ");
  const ok = record.status === "ok";
  const nodes = [
    el("h2", {}, label),
    el("p", {}, el("strong", { className: ok ? "status-ok" : "status-bad" }, record.status), record.reason ? `: ${record.reason}` : "",
      ` · ${record.started_at} · ${say(record.worker_seconds)} s · protocol ${record.protocol}`),
    el("h3", {}, "Run it again"), el("pre", {}, reproduce(record)),
    el("p", { className: "note" }, `From commit ${record.environment.commit ?? "unknown"}${record.environment.dirty ? ", with changes" : ""}. It belonged to: ${record.invocation.command}`),
  ];
  const page = LENGTHWISE_MLFLOW[record.run_id];
  if (page) nodes.push(el("p", {}, el("a", { href: page }, "This run in MLflow"), el("span", { className: "note" }, ` at ${page.split("/#")[0]} (your own is there while \`make ui\` runs)`)));
  const splits = Object.keys(record.metrics ?? {});
  if (splits.length) {
    const names = [...new Set(splits.flatMap((split) => Object.keys(record.metrics[split])))];
    nodes.push(el("h3", {}, "Metrics"), table(["metric", ...splits], names.map((name) => [name, ...splits.map((split) => say(record.metrics[split][name] ?? null, 6))]), { texts: [0] }));
  }
  const measured = Object.entries(record.measurements ?? {}).flatMap(([phase, items]) => Object.entries(items).map(([name, item]) =>
    [phase, name, say(item.value, 5), item.quartiles ? item.quartiles.map((q) => say(q, 5)).join(" – ") : "—", item.n, item.method]));
  if (measured.length) nodes.push(el("h3", {}, "Measurements"), table(["phase", "name", "value", "quartiles", "n", "method"], measured, { texts: [0, 1], long: [5] }));
  const curves = Object.entries(record.curves ?? {}).filter(([, curve]) => curve.tokens.length > 1);
  if (curves.length) nodes.push(el("h3", {}, "Learning"), el("div", { className: "figures" }, ...curves.map(([name, curve]) => curveFigure(name, curve))));
  for (const [title, part] of [["Cell", record.cell], ["Details", record.details], ["Data", record.data], ["Environment", record.environment], ["Reports", record.reports], ["Error", record.error]]) {
    if (part && Object.keys(part).length) nodes.push(el("h3", {}, title), el("pre", {}, pretty(part)));
  }
  if (record.log_tail) nodes.push(el("h3", {}, "End of its log"), el("pre", {}, record.log_tail));
  nodes.push(el("details", {}, el("summary", {}, "The record as it is"), el("pre", {}, pretty(record))));
  return nodes;
}

start((values) => {
  if (!values.run) return [el("p", {}, "No run is named. Choose one on the overview.")];
  const place = el("div", {}, el("p", {}, "Loading the record…"));
  loadRun(values.run).then((record) => place.replaceChildren(...(record ? show(record)
    : [el("p", { className: "status-bad" }, `There is no record ${values.run} beside this page.`)])));
  return [place];
});
