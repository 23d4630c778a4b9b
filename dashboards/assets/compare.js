// Compare: two lines of one comparison, or two runs.
"use strict";

/**
 * Returns the fields of an object as texts, by their paths.
 * @param {unknown} value
 * @param {Map<string, string>} fields
 */
function flatten(value, prefix = "", fields = new Map()) {
  if (value !== null && typeof value === "object" && !Array.isArray(value)) {
    for (const [key, inner] of Object.entries(value)) {
      flatten(inner, prefix ? `${prefix}.${key}` : key, fields);
    }
  } else {
    fields.set(prefix, typeof value === "number" ? formatNumber(value, 6) : JSON.stringify(value));
  }
  return fields;
}

/** @param {RunRecord} record */
function comparedFields(record) {
  const { status, cell, metrics, parameter_count, details, ranking, data, environment } = record;
  /** @type {Record<string, Record<string, number | null>>} */
  const measurements = {};
  for (const [phase, items] of Object.entries(record.measurements ?? {})) {
    measurements[phase] = {};
    for (const [name, { value }] of Object.entries(items)) measurements[phase][name] = value;
  }
  return flatten({
    status,
    cell,
    metrics,
    parameter_count,
    measurements,
    details,
    ranking,
    data,
    environment,
  });
}

/**
 * Returns a table of the fields of two runs. Fields that differ come first.
 * @param {RunRecord} one
 * @param {RunRecord} other
 */
function compareRuns(one, other) {
  const [a, b] = [comparedFields(one), comparedFields(other)];
  const keys = [...new Set([...a.keys(), ...b.keys()])];
  const different = keys.filter((key) => a.get(key) !== b.get(key));
  const equal = keys.filter((key) => a.get(key) === b.get(key));
  const rows = [...different, ...equal].map((key) => [key, a.get(key) ?? "—", b.get(key) ?? "—"]);
  const classes = rows.map((_, place) => (place < different.length ? "differs" : ""));
  const note =
    `${different.length} of ${keys.length} fields differ; these come first. ` +
    "Two single runs do not show whether a difference is significant.";
  return [
    el("p", { className: "note" }, note),
    table(["field", one.run_id, other.run_id], rows, { texts: [0], long: [1, 2], classes }),
  ];
}

/**
 * Returns two lines in the order in which the analysis compares them: the differences and ratios
 * are those of the first to the second.
 * @param {number} a
 * @param {number} b
 * @returns {[number, number]}
 */
function inOrder(a, b) {
  return data.lines[a].name < data.lines[b].name ? [a, b] : [b, a];
}

/**
 * Returns the gap between two lines, a difference of quality or a ratio of costs, and what it shows:
 * which line is better, or why there is no answer.
 *
 * The analysis lists the gaps with an interval. Others are those of the means.
 * @param {number} comparison
 * @param {Point} one
 * @param {Point} other
 * @param {string} repeat "seed" or "round"
 * @returns {[Gap | null, string]}
 */
function gapBetween(comparison, one, other, repeat) {
  const found = findings.pairs.find(
    ([ofComparison, measure, length, batch, first, second]) =>
      ofComparison === comparison &&
      measure === one.measure &&
      length === one.length &&
      batch === one.batch &&
      first === data.lines[one.line].name &&
      second === data.lines[other.line].name,
  );
  if (found) {
    const [, , , , , , value, low, high, n, better] = found;
    return [{ value, low, high, n }, better ? `${better} is better` : "no significant difference"];
  }
  const isQuality = one.measure === QUALITY;
  if (!isQuality && !(one.value && other.value)) return [null, "a size of 0 has no ratio"];
  const value = isQuality ? one.value - other.value : one.value / other.value;
  const n = Math.min(one.n, other.n);
  const few = n < 3 ? `${n} ${repeat}${n > 1 ? "s" : ""}` : `fewer than 3 ${repeat}s in common`;
  return [{ value, low: null, high: null, n: null }, `${few}: no interval`];
}

/**
 * Returns one row for each length, and the lengths of each verdict.
 * @param {number} comparison
 * @param {number} number of the measure
 * @param {Point[]} points of the two lines
 * @param {[number, number]} lines
 */
function compareMeasure(comparison, number, points, lines) {
  const about = data.comparisons[comparison];
  const measure = measureOf(number, about);
  const names = lines.map((line) => data.lines[line].name);
  const repeat = about.mode === "train" ? "seed" : "round";
  const places = new Map(points.map((point) => [`${point.length}/${point.batch}`, point]));
  /** @type {Map<string, number[]>} */
  const verdicts = new Map();
  /** @type {TableCell[][]} */
  const rows = [];
  for (const place of [...places.values()].sort((a, b) => a.length - b.length)) {
    const [one, other] = lines.map((line) =>
      points.find(
        (p) =>
          p.line === line &&
          p.measure === number &&
          p.length === place.length &&
          p.batch === place.batch,
      ),
    );
    if (!one && !other) continue;
    const [gap, verdict] =
      one && other
        ? gapBetween(comparison, one, other, repeat)
        : [null, `${names[one ? 1 : 0]} has no figure`];
    verdicts.set(verdict, [...(verdicts.get(verdict) ?? []), place.length]);
    const gapText = gap ? formatInterval(gap) + (number === QUALITY ? "" : " ×") : "—";
    rows.push([
      place.length,
      gapText,
      gap?.n ?? "",
      { text: verdict, className: verdict.endsWith("is better") ? "" : "soft" },
      formatInterval(one, measure.scale),
      formatInterval(other, measure.scale),
    ]);
  }
  return { measure, rows, verdicts };
}

/**
 * Returns the comparison of two lines: an answer, figures and tables.
 * @param {number} number of the comparison
 * @param {[number, number]} lines
 */
function compareLines(number, [a, b]) {
  const about = data.comparisons[number];
  const points = pointsOf(number).filter(({ line }) => line === a || line === b);
  const names = [data.lines[a].name, data.lines[b].name];
  const repeat = about.mode === "train" ? "seed" : "round";
  const answers = [];
  const tables = [];
  for (const n of [...(about.metric ? [QUALITY] : []), ...data.measures.keys()]) {
    const { measure, rows, verdicts } = compareMeasure(number, n, points, [a, b]);
    if (!rows.length) continue;
    const texts = [...verdicts].map(([verdict, lengths]) => `${verdict} (${lengths.join(", ")})`);
    answers.push(el("li", {}, `${measure.title}: ${texts.join("; ")}.`));
    const gap = `${names[0]} ${n === QUALITY ? "−" : "/"} ${names[1]} [95%]`;
    tables.push(
      el("h3", {}, measure.title + (measure.unit ? `, ${measure.unit}` : "")),
      table(["length", gap, "n", "verdict", ...names], rows, { texts: [3] }),
    );
  }
  const others = data.lines.filter((_, line) => line !== a && line !== b);
  const without = others.map(({ name }) => name).join("|");
  const wanted = about.metric
    ? [QUALITY, PEAK_MEMORY, TOKENS_PER_SECOND]
    : [PEAK_MEMORY, TOKENS_PER_SECOND, 2];
  const figures = wanted
    .filter((n) => points.some(({ measure }) => measure === n))
    .map((n) => lengthFigure(number, n, { without }));
  const note =
    `A gap with an interval is the mean over ${repeat}s that both lines have. Other gaps are those ` +
    "of the two means, geometric ones for costs. Quality is also compared on the same test examples, so its interval may be " +
    "narrower than the intervals of the two lines. The intervals are not corrected for the number " +
    "of pairs and lengths; the ranks of the leaderboard are.";
  return [
    el("ul", { className: "answer" }, ...answers),
    el("p", { className: "note" }, note),
    plainLegend([data.lines[a], data.lines[b]]),
    el("div", { className: "figures" }, ...figures),
    ...tables,
  ];
}

/**
 * Returns a form that asks for two runs.
 * @param {State} values
 */
function runsForm(values) {
  const one = el("input", { name: "one", value: values.one ?? "", size: "30" });
  const other = el("input", { name: "other", value: values.other ?? "", size: "30" });
  const onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const [first, second] = [one, other].map((input) =>
      /** @type {HTMLInputElement} */ (input).value.trim(),
    );
    change({ one: first, other: second });
  };
  const onclick = () => change({ one: "", other: "" });
  return el(
    "details",
    { open: Boolean(values.one) },
    el("summary", {}, "Compare two runs instead of two lines"),
    el(
      "form",
      { className: "filters", onsubmit },
      el("label", {}, "First run", one),
      el("label", {}, "Second run", other),
      el("button", {}, "Compare"),
      el("button", { type: "button", onclick }, "Back to lines"),
    ),
  );
}

/**
 * Returns a place that shows two runs when their records are loaded.
 * @param {string} one
 * @param {string} other
 */
function comparedRuns(one, other) {
  const place = el("div", {}, el("p", {}, "Loading both records…"));
  Promise.all([loadRun(one), loadRun(other)]).then(([first, second]) => {
    const missing = `The record ${first ? other : one} is not part of this site.`;
    const nodes =
      first && second
        ? compareRuns(first, second)
        : [el("p", { className: "status-bad" }, missing)];
    place.replaceChildren(...nodes);
  });
  return place;
}

/**
 * Returns the line that leads the first board of a comparison; without one, its first line.
 * @param {number} number of the comparison
 * @param {number[]} lines
 */
function bestLine(number, lines) {
  const board = data.boards.find(([comparison]) => comparison === number);
  const leaders = board ? board[4].map(([line]) => line) : [];
  return leaders.find((line) => lines.includes(line)) ?? lines[0];
}

start((values) => {
  const form = runsForm(values);
  if (values.one && values.other) return [form, comparedRuns(values.one, values.other)];
  const choice = chooseComparison(values);
  if (!choice.shown) return [filterBar(values, choice), el("p", {}, NOTHING_MATCHES), form];
  const { comparison: about, number } = choice.shown;
  const lines = linesOf(number);
  /** @type {(name: string | undefined) => number | undefined} */
  const named = (name) => lines.find((line) => data.lines[line].name === name);
  const a = named(values.a) ?? bestLine(number, lines);
  const others = [named("vanilla"), ...lines];
  const b = named(values.b) ?? others.find((line) => line !== a) ?? a;
  /** @type {[string, string][]} */
  const options = lines.map((line) => [data.lines[line].name, data.lines[line].name]);
  const controls = [
    select("First line", options, data.lines[a]?.name, (value) => change({ a: value })),
    select("Second line", options, data.lines[b]?.name, (value) => change({ b: value })),
  ];
  const content =
    a === b
      ? [el("p", {}, "This comparison has only one line.")]
      : compareLines(number, inOrder(a, b));
  return [
    filterBar(values, choice, controls),
    ...trialsWarning(about),
    el("h2", {}, `${about.subject} · ${about.name}`),
    ...content,
    form,
  ];
});
