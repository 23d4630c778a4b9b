// Tables of the trade-offs page, and the performance profile over all tasks.
"use strict";

/** The least number of boards of a performance profile: fewer show nothing. */
const LEAST_BOARDS = 3;
const GROWTH_NOTE =
  "The cost of one sequence is fitted as a constant plus a term that grows as n^p. The table " +
  "shows the exponent p with its 95% interval, from the rounds and the fit, and the growth that " +
  "the architecture claims. Memory is fitted only for batches of one sequence. Red: the " +
  "exponent exceeds the claim by more than its interval and 0.15.";
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
  const numLeftOut = found.length - certain.length;
  const leftOut =
    `Fits without an interval, not shown: ${numLeftOut}. An interval needs three rounds at four ` +
    "lengths. `bench run` with `--lengths` and `--rounds` measures more.";
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
    ...(numLeftOut ? [note(leftOut)] : []),
  ];
}

/**
 * Returns a table of the same cells on other backends and in other precisions, as ratios to the
 * baseline.
 * @param {number} comparison the baseline, or one that is compared with it
 * @param {Set<number>} hidden
 */
function backendTable(comparison, hidden) {
  const found = rowsOf(findings.backends).filter(
    (one) =>
      (one.comparison === comparison || one.baseline === comparison) &&
      !hidden.has(entryNumber.get(one.entry) ?? -1),
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

/**
 * @param {number} comparison
 * @param {Set<number>} hidden
 */
function crossoverTable(comparison, hidden) {
  /** @param {string} entry */
  const isHidden = (entry) => hidden.has(entryNumber.get(entry) ?? -1);
  const pairs = rowsOf(findings.crossings, comparison).filter(
    ({ behind, ahead }) => !isHidden(behind) && !isHidden(ahead),
  );
  if (!pairs.length) return [];
  const crossed = pairs.filter(({ changes }) => changes.some(({ low }) => low !== null));
  const never = pairs.filter(({ changes }) => !changes.length);
  const numUncertain = pairs.length - never.length - crossed.length;
  const uncertain =
    `Further pairs that cross without an interval: ${numUncertain}. They have fewer than three ` +
    "rounds, or a round in which they do not cross. `bench crossover` measures one of them.";
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
    ...(numUncertain ? [note(uncertain)] : []),
    folded(
      `Pairs that do not cross: ${never.length}`,
      table(["better entry", "other entry", "measure", "up to length"], rest, { texts: [0, 1, 2] }),
    ),
  ];
}

/** Returns the performance profile over all ranked boards of quality. */
function performanceProfile() {
  const { shares, entries, means } = findings.profile;
  const names = Object.keys(entries).sort((a, b) => means[b][0] - means[a][0]);
  const number = names.length ? means[names[0]][1] : 0;
  if (number < LEAST_BOARDS) return [];
  const styles = names.flatMap((name) => data.entries[entryNumber.get(name) ?? -1] ?? []);
  const traces = styles.map(({ name, color, dash }) => ({
    x: shares,
    y: entries[name],
    type: "scatter",
    mode: "lines",
    name: plain(name),
    line: { color, dash, width: 2, shape: "hv" },
    hovertemplate: `${plain(name)}: %{y:.0%} of boards reach %{x:.0%}<extra></extra>`,
  }));
  const profile = figure({
    title: "Performance profile",
    higherIsBetter: true,
    tall: true,
    name: "profile",
    caption:
      `The part of the ${number} ranked boards (a task at a length) on which an entry reaches a share ` +
      "of the best score. Where lower is better, as for bits, the share is the best score divided by " +
      "the entry's score. Only entries that are on all these boards are drawn.",
    traces,
    layout: {
      xaxis: { title: { text: "share of the best" }, tickformat: ".0%" },
      yaxis: { title: { text: "part of boards" }, range: [0, 1.02], tickformat: ".0%" },
    },
    rows: [
      ["share", ...names],
      ...shares.map((share, i) => [share, ...names.map((name) => entries[name][i])]),
    ],
  });
  const rows = names.map((name) => [name, formatNumber(means[name][0])]);
  return [
    el("h2", {}, "All tasks"),
    plainLegend(styles),
    profile,
    table(["entry", "interquartile mean of shares"], rows, { texts: [0] }),
  ];
}
