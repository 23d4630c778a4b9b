// Tables of the trade-offs page.
"use strict";

/** The least number of boards whose shares are averaged: fewer show nothing. */
const LEAST_BOARDS = 3;
const GROWTH_NOTE =
  "The cost of one sequence is fitted as a constant plus a term that grows as n^p: the exponent p with " +
  "its 95% interval, beside the growth that the architecture claims. Memory is fitted only for batches " +
  "of one sequence. Red: the exponent exceeds the claim by more than its interval and 0.15.";
const CROSSOVER_NOTE =
  "The length from which the second entry is better than the first, within the measured lengths. " +
  "`bench crossover` finds it within 5%.";

/**
 * Returns whether an exponent says anything: its interval leaves out no growth or growth as n².
 * @param {Interval} exponent
 */
const isDetermined = ({ value, low, high }) =>
  value !== null && ((low ?? 0) > 0 || (high ?? 2) < 2);

/** @param {number} comparison */
function growthTable(comparison) {
  const found = rowsOf(findings.growth, comparison);
  if (!found.length) return [];
  const certain = found.filter(({ value, low }) => value === null || low !== null);
  const rows = certain.map((item) => [
    item.entry,
    titleOf(item.measure),
    {
      text: isDetermined(item) ? formatInterval(item) : "not determined",
      className: item.contradicted ? "bad" : item.disturbed ? "soft" : "",
    },
    item.rounds,
    `${item.first} to ${item.last}`,
    item.claim ? `O(${item.claim})` : "—",
  ]);
  const head = ["entry", "measure", "exponent [95%]", "rounds", "lengths", "claim"];
  return [
    el("h2", {}, "Growth with length"),
    note(GROWTH_NOTE),
    ...(rows.length ? [table(head, rows, { texts: [0, 1] })] : []),
  ];
}

/**
 * Returns a table of the same cells on other backends and in other precisions, as ratios to the
 * baseline.
 * @param {number} comparison the baseline, or one that is compared with it
 */
function backendTable(comparison) {
  const found = rowsOf(findings.backends).filter(
    (one) => one.comparison === comparison || one.baseline === comparison,
  );
  if (!found.length) return [];
  const cells = [
    ...Map.groupBy(found, (one) =>
      [one.comparison, one.sequence_length, one.entry].join(),
    ).values(),
  ];
  cells.sort(([a], [b]) => a.sequence_length - b.sequence_length || a.entry.localeCompare(b.entry));
  const measured = new Set(found.map(({ measure }) => measure));
  const measures = data.measures.filter(({ key }) => measured.has(key));
  const rows = cells.map((ratios) => {
    const { comparison: number, sequence_length: length, entry, hours_apart: apart } = ratios[0];
    const { backend, precision } = data.comparisons[number];
    const texts = measures.map(({ key }) => formatInterval(ratios.find((r) => r.measure === key)));
    return [length, entry, backend, precision, ...texts, apart.toFixed(1)];
  });
  const { backend, precision } = data.comparisons[found[0].baseline];
  const about =
    `Ratios to the same cell on ${backend} in ${precision}: geometric means over rounds, with ` +
    "their 95% intervals. Ratios of runs that are hours apart include the drift of the machine.";
  const titles = measures.map(({ title }) => title);
  const head = ["length", "entry", "backend", "precision", ...titles, "hours apart"];
  return [
    el("h2", {}, "Other backends and precisions"),
    note(about),
    table(head, rows, { texts: [1, 2, 3] }),
  ];
}

/**
 * Returns the crossover points of two entries; after the second, the first is better again.
 * @param {Crossing} crossing
 */
function crossoverText({ changes, first, last }) {
  const texts = changes.map(({ value, low, high }) => {
    if (low === null || high === null) return "no interval";
    if (low < first && high > last) return "uncertain: the rounds are too few or too different";
    // An interval ends where the measured lengths end.
    const from = low < first ? `below ${first}` : formatNumber(low);
    const to = high > last ? `above ${last}` : formatNumber(high);
    return `${formatNumber(value)} [${from}, ${to}]`;
  });
  return texts.length > 1 ? `${texts.join(", back at ")}: neither stays better` : texts[0];
}

/** @param {number} comparison */
function crossoverTable(comparison) {
  const pairs = rowsOf(findings.crossings, comparison);
  if (!pairs.length) return [];
  const crossed = pairs.filter(({ changes }) => changes.some(({ low }) => low !== null));
  const never = pairs.filter(({ changes }) => !changes.length);
  const rows = crossed.map((pair) => {
    return [pair.behind, pair.ahead, titleOf(pair.measure), crossoverText(pair)];
  });
  const rest = never.map(({ measure, behind, ahead, last }) => {
    return [behind, ahead, titleOf(measure), last];
  });
  return [
    el("h2", {}, "Crossover points"),
    note(CROSSOVER_NOTE),
    crossed.length
      ? table(["first entry", "second entry", "measure", "length [95%]"], rows, {
          texts: [0, 1, 2],
          long: [3],
        })
      : el("p", {}, "No crossover point has an interval."),
    folded(
      `Pairs that do not cross: ${never.length}`,
      table(["better entry", "other entry", "measure", "up to length"], rest, { texts: [0, 1, 2] }),
    ),
  ];
}

/** Returns the table of the scores over all ranked boards of quality. */
function sharesTable() {
  const rows = Object.entries(findings.shares);
  const number = rows[0]?.[1][1] ?? 0;
  if (number < LEAST_BOARDS) return [];
  const told =
    `The ${number} ranked boards (a task at a length) that all these entries are on. A share is the ` +
    "score divided by the best score; where lower is better, the best score divided by the score.";
  return [
    el("h2", {}, "All tasks: shares of the best score"),
    note(told),
    itemsTable(
      rows.toSorted(([, [a]], [, [b]]) => b - a),
      [
        ["entry", ([name]) => entryLabel(data.entries[entryNumber.get(name) ?? -1])],
        ["interquartile mean of the shares", ([, [mean]]) => formatFigure(mean)],
      ],
      { texts: [0] },
    ),
  ];
}
