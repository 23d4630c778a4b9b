// Compare: two entries of one comparison.
"use strict";

/**
 * Returns a row for each measure and length: the gap of two entries, the verdict, and their figures.
 * @param {number} comparison
 * @param {[number, number]} entries in the order in which the analysis compares them
 */
function gapRows(comparison, entries) {
  const about = data.comparisons[comparison];
  const names = entries.map((entry) => data.entries[entry].name);
  const pairs = rowsOf(findings.pairs, comparison).filter(
    ({ first, second }) => first === names[0] && second === names[1],
  );
  const points = pointsOf(comparison).filter(({ entry }) => entries.includes(entry));
  const places = Map.groupBy(
    points,
    ({ measure, length, batch }) => `${measure}/${length}/${batch}`,
  );
  return [...places.values()]
    .sort(([a], [b]) => a.measure - b.measure || a.length - b.length)
    .map((found) => {
      const [{ length, batch, measure: number }] = found;
      const [one, other] = entries.map((entry) => found.find((point) => point.entry === entry));
      const gap = pairs.find(
        (pair) => pair.measure === number && pair.length === length && pair.batch === batch,
      );
      const hasRatio = number === QUALITY || (one?.value && other?.value);
      const few = hasRatio ? `fewer than 3 ${repeatName(about)}s in common` : "a size of 0";
      const isDisturbed = one?.disturbed || other?.disturbed;
      const unknown = isDisturbed ? "measured beside other programs" : few;
      const absent = one && other ? unknown : `${names[one ? 1 : 0]} has no figure`;
      const better = gap?.better ? `${gap.better} is better` : "no significant difference";
      const verdict = gap ? better : `${absent}: no interval`;
      const measure = measureOf(number, about);
      const ofGap = number === QUALITY ? formatInterval(gap, measure) : `${formatInterval(gap)} ×`;
      return { measure, length, verdict, ofGap: gap ? ofGap : "—", gap, one, other };
    });
}

/**
 * @param {number} number of the comparison
 * @param {[number, number]} entries in the order in which the analysis compares them
 */
function compareEntries(number, [a, b]) {
  const about = data.comparisons[number];
  const rows = gapRows(number, [a, b]);
  const names = [data.entries[a].name, data.entries[b].name];
  const answers = [...Map.groupBy(rows, ({ measure }) => measure.title)].map(([title, own]) => {
    const verdicts = [...Map.groupBy(own, ({ verdict }) => verdict)].map(
      ([verdict, at]) => `${verdict} at ${at.map(({ length }) => length).join(", ")}`,
    );
    return el("li", {}, `${title}: ${verdicts.join("; ")}.`);
  });
  const shown = new Set(pointsOf(number).map(({ measure }) => measure));
  const figures = [about.metric ? QUALITY : 2, PEAK_MEMORY, TOKENS_PER_SECOND]
    .filter((n) => shown.has(n))
    .map((n) => lengthFigure(number, n, new Set([a, b])));
  return [
    el("ul", { className: "answer" }, ...answers),
    note(
      `A gap is the mean over ${repeatName(about)}s that both entries have: a difference of quality, ` +
        "and a ratio of costs. Quality is also compared on the same test examples, so its interval may be narrower than the intervals of the two entries. " +
        "The intervals are not corrected for the number of pairs and lengths; the ranks of the " +
        "leaderboard are.",
    ),
    el("div", { className: "figures" }, ...figures),
    itemsTable(
      rows,
      [
        ["measure", ({ measure }) => titleWithUnit(measure)],
        ["length", ({ length }) => length],
        [`${names[0]} against ${names[1]} [95%]`, ({ ofGap }) => ofGap],
        ["n", ({ gap }) => gap?.n ?? ""],
        ["verdict", ({ verdict }) => verdict],
        [names[0], ({ one, measure }) => formatInterval(one, measure)],
        [names[1], ({ other, measure }) => formatInterval(other, measure)],
      ],
      { texts: [0, 4] },
    ),
  ];
}

start((values) => {
  const choice = chooseComparison(values);
  if (!choice.shown) return [filterBar(values, choice), el("p", {}, NOTHING_MATCHES)];
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
    el("h2", {}, about.subject),
    resultsNote(about),
    ...(a === b
      ? [el("p", {}, "This comparison has only one entry.")]
      : compareEntries(number, isOrdered ? [a, b] : [b, a])),
  ];
});
