// Compare: two entries of one comparison, or two runs.
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
  const { status, cell, metrics, measurements, parameter_count: parameters, ...rest } = record;
  const { details, ranking, data: of, environment } = rest;
  const facts = { details, ranking, data: of, environment };
  return flatten({ status, cell, metrics, parameters, measurements, ...facts });
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
  return [
    note(
      `${different.length} of ${keys.length} fields differ; these come first. ` +
        "Two single runs do not show whether a difference is significant.",
    ),
    table(["field", one.run_id, other.run_id], rows, { texts: [0], long: [1, 2], classes }),
  ];
}

/**
 * Returns the gap between two entries, a difference of quality or a ratio of costs, and what it
 * shows: which entry is better, or why there is no answer.
 *
 * The analysis lists the gaps with an interval. Others are those of the means.
 * @param {Pair[]} pairs
 * @param {Point} one
 * @param {Point} other
 * @param {string} repeat "seed" or "round"
 * @returns {[(Interval & { n: number | null }) | null, string]}
 */
function gapBetween(pairs, one, other, repeat) {
  const found = pairs.find(
    ({ measure, length, batch }) =>
      measure === one.measure && length === one.length && batch === one.batch,
  );
  if (found) {
    return [found, found.better ? `${found.better} is better` : "no significant difference"];
  }
  const isQuality = one.measure === QUALITY;
  if (!isQuality && !(one.value && other.value)) return [null, "a size of 0 has no ratio"];
  const value = isQuality ? one.value - other.value : one.value / other.value;
  const n = Math.min(one.n, other.n);
  const few = n < 3 ? counted(n, repeat) : `fewer than 3 ${repeat}s in common`;
  return [{ value, low: null, high: null, n: null }, `${few}: no interval`];
}

/**
 * Returns one row for each length, and the lengths of each verdict.
 * @param {number} comparison
 * @param {number} number of the measure
 * @param {Point[]} points of the two entries
 * @param {Pair[]} pairs their gaps
 * @param {[number, number]} entries
 */
function compareMeasure(comparison, number, points, pairs, entries) {
  const about = data.comparisons[comparison];
  const measure = measureOf(number, about);
  const own = points.filter((point) => point.measure === number);
  const places = Map.groupBy(own, ({ length, batch }) => `${length}/${batch}`);
  /** @type {Map<string, number[]>} */
  const verdicts = new Map();
  const rows = [...places.values()]
    .sort(([a], [b]) => a.length - b.length)
    .map((found) => {
      const [{ length }] = found;
      const [one, other] = entries.map((entry) => found.find((point) => point.entry === entry));
      const absent = data.entries[entries[one ? 1 : 0]].name;
      const [gap, verdict] =
        one && other
          ? gapBetween(pairs, one, other, repeatName(about))
          : [null, `${absent} has no figure`];
      verdicts.set(verdict, [...(verdicts.get(verdict) ?? []), length]);
      return [
        length,
        gap ? formatInterval(gap) + (number === QUALITY ? "" : " ×") : "—",
        gap?.n ?? "",
        { text: verdict, className: verdict.endsWith("is better") ? "" : "soft" },
        formatInterval(one, measure.scale),
        formatInterval(other, measure.scale),
      ];
    });
  return { measure, rows, verdicts };
}

/**
 * @param {number} number of the comparison
 * @param {[number, number]} entries in the order in which the analysis compares them
 */
function compareEntries(number, [a, b]) {
  const about = data.comparisons[number];
  const points = pointsOf(number).filter(({ entry }) => entry === a || entry === b);
  const names = [data.entries[a].name, data.entries[b].name];
  const pairs = rowsOf(findings.pairs, number).filter(
    ({ first, second }) => first === names[0] && second === names[1],
  );
  const answers = [];
  const tables = [];
  for (const n of [...(about.metric ? [QUALITY] : []), ...data.measures.keys()]) {
    const { measure, rows, verdicts } = compareMeasure(number, n, points, pairs, [a, b]);
    if (!rows.length) continue;
    const texts = [...verdicts].map(([verdict, lengths]) => `${verdict} (${lengths.join(", ")})`);
    answers.push(el("li", {}, `${measure.title}: ${texts.join("; ")}.`));
    const gap = `${names[0]} ${n === QUALITY ? "−" : "/"} ${names[1]} [95%]`;
    tables.push(
      el("h3", {}, titleWithUnit(measure)),
      table(["length", gap, "n", "verdict", ...names], rows, { texts: [3] }),
    );
  }
  const others = data.entries.filter((_, entry) => entry !== a && entry !== b);
  const without = others.map(({ name }) => name).join("|");
  const figures = [about.metric ? QUALITY : 2, PEAK_MEMORY, TOKENS_PER_SECOND]
    .filter((n) => points.some(({ measure }) => measure === n))
    .map((n) => lengthFigure(number, n, { without }));
  return [
    el("ul", { className: "answer" }, ...answers),
    note(
      `A gap with an interval is the mean over ${repeatName(about)}s that both entries have. Other ` +
        "gaps are those of the two means, geometric ones for costs. Quality is also compared on the " +
        "same test examples, so its interval may be narrower than the intervals of the two entries. " +
        "The intervals are not corrected for the number of pairs and lengths; the ranks of the " +
        "leaderboard are.",
    ),
    plainLegend([data.entries[a], data.entries[b]]),
    el("div", { className: "figures" }, ...figures),
    ...tables,
  ];
}

/** @param {State} values */
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
    el("summary", {}, "Compare two runs instead of two entries"),
    el(
      "form",
      { className: "filters", onsubmit },
      el("label", {}, "First run", one),
      el("label", {}, "Second run", other),
      el("button", {}, "Compare"),
      el("button", { type: "button", onclick }, "Back to entries"),
    ),
  );
}

start((values) => {
  const form = runsForm(values);
  const { one, other } = values;
  if (one && other) {
    const place = el("div", {}, el("p", {}, "Loading both records…"));
    Promise.all([loadRun(one), loadRun(other)]).then(([first, second]) => {
      const nodes =
        first && second ? compareRuns(first, second) : [missingRun(first ? other : one)];
      place.replaceChildren(...nodes);
    });
    return [form, place];
  }
  const choice = chooseComparison(values);
  if (!choice.shown) return [filterBar(values, choice), el("p", {}, NOTHING_MATCHES), form];
  const { comparison: about, number } = choice.shown;
  const entries = entriesOf(number);
  /** @type {(name: string | undefined) => number | undefined} */
  const named = (name) => entries.find((entry) => data.entries[entry].name === name);
  // The entry that leads the first board of the comparison; without one, the first entry.
  const board = data.boards.find(({ comparison }) => comparison === number);
  const leader = board?.rows.entry?.find((entry) => entries.includes(entry)) ?? entries[0];
  const a = named(values.a) ?? leader;
  const b = named(values.b) ?? [named("vanilla"), ...entries].find((entry) => entry !== a) ?? a;
  const options = entries.map((entry) => [data.entries[entry].name, data.entries[entry].name]);
  const controls = [
    select("First entry", options, data.entries[a]?.name, (value) => change({ a: value })),
    select("Second entry", options, data.entries[b]?.name, (value) => change({ b: value })),
  ];
  const isOrdered = data.entries[a]?.name < data.entries[b]?.name;
  return [
    filterBar(values, choice, controls),
    ...trialsWarning(about),
    el("h2", {}, `${about.subject} · ${about.name}`),
    ...(a === b
      ? [el("p", {}, "This comparison has only one entry.")]
      : compareEntries(number, isOrdered ? [a, b] : [b, a])),
    form,
  ];
});
