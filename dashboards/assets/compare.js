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

// How far one line lies from another: of quality the difference, of a cost the ratio.
function pairOf(number, measureNumber, { length, batch }, first, second) {
  for (const [comparison, of, l, size, one, other, value, low, high, n] of findings.pairs) {
    if (comparison !== number || of !== measureNumber || l !== length || size !== batch) continue;
    if (one === first && other === second) return { value, low, high, n };
    if (one === second && other === first) return { ...turned({ value, low, high }, measureNumber !== QUALITY), n };
  }
  return null;
}

// What a gap says of who is better; `null` and why where it says nothing.
function judge(gap, measureNumber, measure, names, repeats, noisy) {
  const equal = measureNumber === QUALITY ? 0 : 1;
  if (noisy) return [null, "noisy: no evidence"];
  if (gap.low === null) return [null, gap.n === 1 ? `one ${repeats}: no telling` : `no ${repeats} in common`];
  if (gap.low <= equal && gap.high >= equal) return [null, "no difference beyond the noise"];
  const better = names[gap.value > equal === measure.higher_is_better ? 0 : 1];
  return [better, `${better} is better`];
}

function compareLines(number, about, a, b) {
  const points = pointsOf(number, "");
  const at = (line, measureNumber, { length, batch }) => points.find((p) => p.line === line && p.measure === measureNumber && p.length === length && p.batch === batch);
  const places = [...new Map(points.filter((p) => p.line === a || p.line === b).map((p) => [`${p.length}/${p.batch}`, p])).values()].sort((p, q) => p.length - q.length);
  const names = [data.lines[a].name, data.lines[b].name];
  const repeats = about.mode === "probe" ? "round" : "seed";
  const answers = [];
  const tables = [];
  for (const measureNumber of [...(about.metric ? [QUALITY] : []), ...data.measures.keys()]) {
    const measure = measureOf(measureNumber, about);
    const said = new Map();  // at which lengths who is better, or why nobody can be told to be
    const rows = places.flatMap((place) => {
      const [one, other] = [at(a, measureNumber, place), at(b, measureNumber, place)];
      const gap = pairOf(number, measureNumber, place, ...names);
      if (!one && !other) return [];
      const [better, verdict] = gap ? judge(gap, measureNumber, measure, names, repeats, one.noisy || other.noisy) : [null, `${names[one ? 1 : 0]} has no figure`];
      said.set(verdict, [...(said.get(verdict) ?? []), place.length]);
      const times = measureNumber === QUALITY ? "" : " ×";
      return [[place.length, gap ? sayInterval(gap) + times : "—", gap?.n ?? 0, { text: verdict, className: better ? "" : "soft" }, sayInterval(one, measure.scale), sayInterval(other, measure.scale)]];
    });
    if (!rows.length) continue;
    answers.push(`${measure.title}: ${[...said].map(([verdict, lengths]) => `${verdict} (${lengths.join(", ")})`).join("; ")}.`);
    const sign = measureNumber === QUALITY ? "−" : "/";
    tables.push(el("h3", {}, measure.title + (measure.unit ? `, ${measure.unit}` : "")),
      table(["length", `${names[0]} ${sign} ${names[1]} [95%]`, "n", "so", ...names], rows, { texts: [3] }));
  }
  const others = data.lines.map((_, i) => i).filter((i) => i !== a && i !== b).map((i) => data.lines[i].name).join("|");
  const drawn = [...(about.metric ? [QUALITY] : []), 1, 0, ...(about.metric ? [] : [2])]
    .filter((measureNumber) => points.some((p) => p.measure === measureNumber && (p.line === a || p.line === b)));
  return [
    el("ul", { className: "answer" }, ...answers.map((answer) => el("li", {}, answer))),
    el("p", { className: "note" }, `Each is compared ${repeats} by ${repeats}, quality also on the same test examples, which is why an interval may be narrower than those of the two. `
      + "For this pair and length alone: the leaderboard's ranks are corrected for how many are compared."),
    el("div", { className: "figures" }, ...drawn.map((measureNumber) => lengthFigure(number, measureNumber, { without: others }))),
    ...tables];
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
  return [bar, el("h2", {}, about.title), ...(a === b ? [el("p", {}, "This comparison has one line alone.")] : compareLines(number, about, a, b)), runs];
});
