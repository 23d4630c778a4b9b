// Compare: two lines of one comparison, or two runs; what differs comes first.
"use strict";

const findings = window.LENGTHWISE_FINDINGS;

function flatten(value, prefix = "", found = new Map()) {
  if (value !== null && typeof value === "object" && !Array.isArray(value)) {
    for (const [key, inner] of Object.entries(value)) flatten(inner, prefix ? `${prefix}.${key}` : key, found);
  } else found.set(prefix, typeof value === "number" ? say(value, 6) : JSON.stringify(value));
  return found;
}

function compareRuns(one, other) {
  const parts = (record) => flatten({ status: record.status, cell: record.cell, metrics: record.metrics, parameter_count: record.parameter_count,
    measurements: Object.fromEntries(Object.entries(record.measurements).map(([phase, items]) => [phase, Object.fromEntries(Object.entries(items).map(([name, item]) => [name, item.value]))])),
    details: record.details, data: record.data, environment: record.environment });
  const [a, b] = [parts(one), parts(other)];
  const keys = [...new Set([...a.keys(), ...b.keys()])];
  const differs = (key) => a.get(key) !== b.get(key);
  const rows = [...keys.filter(differs), ...keys.filter((key) => !differs(key))];
  return [el("p", { className: "note" }, `${keys.filter(differs).length} of ${keys.length} fields differ; they come first. One run against one: no significance can be stated.`),
    table(["field", one.run_id, other.run_id], rows.map((key) => [key, a.get(key) ?? "—", b.get(key) ?? "—"]), { texts: [0], long: [1, 2], classes: rows.map((key) => (differs(key) ? "differs" : "")) })];
}

function pairOf(number, length, batch, first, second) {
  for (const [comparison, l, size, one, other, value, low, high, n] of findings.pairs) {
    if (comparison !== number || l !== length || size !== batch) continue;
    if (one === first && other === second) return { value, low, high, n };
    if (one === second && other === first) return { value: -value, low: high === null ? null : -high, high: low === null ? null : -low, n };
  }
  return null;
}

function compareLines(number, about, a, b, values) {
  const points = pointsOf(number, "");
  const at = (line, measure, length, batch) => points.find((p) => p.line === line && p.measure === measure && p.length === length && p.batch === batch);
  const places = [...new Map(points.filter((p) => p.line === a || p.line === b).map((p) => [`${p.length}/${p.batch}`, p])).values()].sort((p, q) => p.length - q.length);
  const [nameA, nameB] = [data.lines[a].name, data.lines[b].name];
  const nodes = [];
  if (about.metric) {
    const rows = places.map(({ length, batch }) => {
      const gap = pairOf(number, length, batch, nameA, nameB);
      let verdict = "one of them has no score";
      if (gap) verdict = gap.low === null ? (gap.n === 1 ? "one seed: no telling" : "no seed in common") : gap.low > 0 || gap.high < 0
        ? `${(gap.value > 0) === about.higher_is_better ? nameA : nameB} is better` : "no difference beyond the noise";
      return [length, sayInterval(at(a, QUALITY, length, batch)), sayInterval(at(b, QUALITY, length, batch)), gap ? sayInterval(gap) : "—", gap?.n ?? 0, verdict];
    });
    nodes.push(el("h2", {}, `Test ${about.metric}`), table(["length", nameA, nameB, `${nameA} − ${nameB} [95%]`, "n", "so"], rows,
      { texts: [5], caption: "The difference is taken seed by seed on the same test examples, which is why its interval may be narrower than those of the two. For this pair alone: the leaderboard's ranks are corrected for how many are compared." }));
  }
  for (const [place, measure] of data.measures.entries()) {
    const rows = places.flatMap(({ length, batch }) => {
      const [one, other] = [at(a, place, length, batch), at(b, place, length, batch)];
      return one && other ? [[length, sayInterval(one, measure.scale), sayInterval(other, measure.scale), `${say(one.value / other.value, 3)} ×`]] : [];
    });
    if (rows.length) nodes.push(el("h3", {}, `${measure.title}, ${measure.unit}`), table(["length", nameA, nameB, "ratio"], rows));
  }
  const others = data.lines.map((_, i) => i).filter((i) => i !== a && i !== b).map((i) => data.lines[i].name).join("|");
  const shown = about.metric ? [QUALITY, 1, 0] : [1, 0, 2];
  nodes.push(el("div", { className: "figures" }, ...shown.map((place) => lengthFigure(number, place, { without: others }))));
  return nodes;
}

start((values) => {
  const runs = el("details", { open: Boolean(values.one) }, el("summary", {}, "Two runs instead of two lines"),
    el("form", { className: "filters", onsubmit: (event) => { event.preventDefault(); change({ one: event.target.one.value.trim(), other: event.target.other.value.trim() }); } },
      el("label", {}, "One run", el("input", { name: "one", value: values.one ?? "", size: "30" })), el("label", {}, "Other run", el("input", { name: "other", value: values.other ?? "", size: "30" })),
      el("button", {}, "Compare"), el("button", { type: "button", onclick: () => change({ one: "", other: "" }) }, "Back to lines")));
  if (values.one && values.other) {
    const place = el("div", {}, el("p", {}, "Loading both records…"));
    Promise.all([loadRun(values.one), loadRun(values.other)]).then(([one, other]) => place.replaceChildren(...(one && other ? compareRuns(one, other)
      : [el("p", { className: "status-bad" }, `There is no record ${one ? values.other : values.one} beside this page.`)])));
    return [runs, place];
  }
  const found = chosen(values);
  if (!found.shown) return [filterBar(values, found), el("p", {}, "No comparison has all of that. Set a filter back to “all”.")];
  const { comparison: about, number } = found.shown;
  const lines = linesOf(number);
  const pick = (name, other) => lines.find((line) => data.lines[line].name === values[name]) ?? lines.find((line) => line !== other) ?? lines[0];
  const a = pick("a");
  const b = pick("b", a);
  const options = lines.map((line) => [data.lines[line].name, data.lines[line].name]);
  const extras = [select("First line", options, data.lines[a].name, (value) => change({ a: value })), select("Second line", options, data.lines[b].name, (value) => change({ b: value }))];
  const bar = filterBar(values, found, extras);
  bar.querySelector("fieldset.lines")?.remove();
  return [bar, el("h2", {}, about.title), ...(a === b ? [el("p", {}, "This comparison has one line alone.")] : compareLines(number, about, a, b, values)), runs];
});
