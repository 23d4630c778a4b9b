// Tables of the trade-offs page, and the performance profile over all tasks.
"use strict";

/** The least number of boards of a performance profile: fewer show nothing. */
const LEAST_BOARDS = 3;

/**
 * Returns whether an exponent says anything: its interval leaves out no growth or growth as n².
 * @type {(value: number | null, low: number | null, high: number | null) => boolean}
 */
const isDetermined = (value, low, high) => value !== null && ((low ?? 0) > 0 || (high ?? 2) < 2);

/**
 * Returns a table of the exponents of cost in length.
 * @param {number} comparison
 */
function growthTable(comparison) {
  const found = findings.growth.filter((item) => item[0] === comparison);
  if (!found.length) return [];
  const certain = found.filter(([, , , value, low]) => value === null || low !== null);
  const numLeftOut = found.length - certain.length;
  const leftOut =
    `${numLeftOut} fits without an interval are not shown: an interval needs three rounds at four ` +
    "lengths. `bench run` with `--lengths` and `--rounds` measures more.";
  const rows = certain.map(
    ([, line, measure, value, low, high, rounds, first, last, claim, bad]) => [
      line,
      titleOf(measure),
      {
        text: isDetermined(value, low, high)
          ? formatInterval({ value, low, high })
          : "not determined",
        className: bad ? "bad" : "",
      },
      rounds,
      `${first} to ${last}`,
      claim ? `O(${claim})` : "—",
    ],
  );
  const note =
    "The cost of one sequence is fitted as a constant plus a term that grows as n^p. The table " +
    "shows the exponent p with its 95% interval, from the rounds and the fit, and the growth that " +
    "the architecture claims. Memory is fitted only for batches of one sequence. Red: the " +
    "exponent exceeds the claim by more than its interval and 0.15.";
  const head = ["line", "measure", "exponent [95%]", "rounds", "lengths", "claim"];
  return [
    el("h2", {}, "Growth with length"),
    el("p", { className: "note" }, note),
    ...(rows.length ? [table(head, rows, { texts: [0, 1] })] : []),
    ...(numLeftOut ? [el("p", { className: "note" }, ...withCode(leftOut))] : []),
  ];
}

/** @typedef {{ length: number, line: string, base: number, backend: string, precision: string,
 *   apart: number, gaps: Record<string, Interval> }} EngineCell */

/**
 * Returns the same cells on other backends and in other precisions, as ratios to the baseline.
 * @param {number} comparison the baseline, or one that is compared with it
 * @param {Set<number>} hidden
 */
function engineRatios(comparison, hidden) {
  /** @type {Map<string, EngineCell>} */
  const cells = new Map();
  for (const [number, base, line, length, measure, ...rest] of findings.engines) {
    const [value, low, high, , apart] = rest;
    if (hidden.has(lineNumber.get(line) ?? -1)) continue;
    if (comparison !== number && comparison !== base) continue;
    const { backend, precision } = data.comparisons[number];
    const key = [length, line, backend, precision].join();
    const cell = cells.get(key) ?? { length, line, base, backend, precision, apart, gaps: {} };
    cell.gaps[measure] = { value, low, high };
    cells.set(key, cell);
  }
  return [...cells.values()].sort(
    (a, b) => a.length - b.length || (lineNumber.get(a.line) ?? 0) - (lineNumber.get(b.line) ?? 0),
  );
}

/**
 * Returns a table of the same cells on other backends and in other precisions.
 * @param {number} comparison
 * @param {Set<number>} hidden
 */
function engineTable(comparison, hidden) {
  const cells = engineRatios(comparison, hidden);
  if (!cells.length) return [];
  const measures = data.measures.filter(({ key }) =>
    findings.engines.some((item) => item[4] === key),
  );
  const rows = cells.map(({ length, line, backend, precision, apart, gaps }) => [
    length,
    line,
    backend,
    precision,
    ...measures.map(({ key }) => formatInterval(gaps[key])),
    apart.toFixed(1),
  ]);
  const { backend, precision } = data.comparisons[cells[0].base];
  const note =
    `Ratios to the same cell on ${backend} in ${precision}: geometric means over rounds, with ` +
    "their 95% intervals. Ratios of runs that are hours apart include the drift of the machine.";
  const titles = measures.map(({ title }) => title);
  const head = ["length", "line", "backend", "precision", ...titles, "hours apart"];
  return [
    el("h2", {}, "Other backends and precisions"),
    el("p", { className: "note" }, note),
    table(head, rows, { texts: [1, 2, 3] }),
  ];
}

/**
 * Returns the crossover points of two lines; after the second, the first is better again.
 * @param {Crossing} crossing
 */
function crossoverText([, , , , changes, first, last]) {
  const texts = changes.map((change) => changeText(change, first, last));
  return texts.length > 1 ? `${texts.join(", back at ")}: neither stays better` : texts[0];
}

/**
 * Returns a crossover point with its interval, which ends where the measured lengths end.
 * @param {[number | null, number | null, number | null]} change
 * @param {number} first
 * @param {number} last
 */
function changeText([value, low, high], first, last) {
  if (low === null || high === null) return "no interval";
  if (low < first && high > last) return "uncertain: the rounds are too few or too different";
  const from = low < first ? `below ${first}` : formatNumber(low);
  const to = high > last ? `above ${last}` : formatNumber(high);
  return `${formatNumber(value)} [${from}, ${to}]`;
}

/**
 * Returns a table of the crossover points between lines.
 * @param {number} comparison
 * @param {Set<number>} hidden
 */
function crossoverTable(comparison, hidden) {
  /** @param {string} line */
  const isHidden = (line) => hidden.has(lineNumber.get(line) ?? -1);
  const pairs = findings.crossings.filter(
    ([number, , behind, ahead]) => number === comparison && !isHidden(behind) && !isHidden(ahead),
  );
  if (!pairs.length) return [];
  const crossed = pairs.filter((pair) => pair[4].some(([, low]) => low !== null));
  const numUncertain = pairs.filter((pair) => pair[4].length).length - crossed.length;
  const uncertain =
    `${numUncertain} further pairs cross without an interval: they have fewer than three rounds, or a ` +
    "round in which they do not cross. " +
    "`bench crossover` measures one of them.";
  const never = pairs.filter((pair) => !pair[4].length);
  const note =
    "The length from which the second line is better than the first, within the measured lengths. " +
    "`bench crossover` finds it within 5%.";
  const head = ["first line", "second line", "measure", "length [95%]"];
  const rows = crossed.map((pair) => [pair[2], pair[3], titleOf(pair[1]), crossoverText(pair)]);
  const restHead = ["better line", "other line", "measure", "up to length"];
  const rest = never.map(([, measure, behind, ahead, , , last]) => [
    behind,
    ahead,
    titleOf(measure),
    last,
  ]);
  return [
    el("h2", {}, "Crossover points"),
    el("p", { className: "note" }, ...withCode(note)),
    crossed.length
      ? table(head, rows, { texts: [0, 1, 2], long: [3] })
      : el("p", {}, numUncertain ? "No crossover point has an interval." : "No two lines cross."),
    ...(numUncertain ? [el("p", { className: "note" }, ...withCode(uncertain))] : []),
    el(
      "details",
      {},
      el("summary", {}, `${never.length} pairs that do not cross`),
      table(restHead, rest, { texts: [0, 1, 2] }),
    ),
  ];
}

/** Returns the performance profile over all ranked boards of quality. */
function performanceProfile() {
  const { shares, lines, means } = findings.profile;
  const names = Object.keys(lines).sort((a, b) => means[b][0] - means[a][0]);
  const number = names.length ? means[names[0]][1] : 0;
  if (number < LEAST_BOARDS) return [];
  const traces = names.map((name) => {
    const { color, dash } = data.lines[lineNumber.get(name) ?? -1] ?? {
      color: "#777777",
      dash: "solid",
    };
    return {
      x: shares,
      y: lines[name],
      type: "scatter",
      mode: "lines",
      name: plain(name),
      line: { color, dash, width: 2, shape: "hv" },
      hovertemplate: `${plain(name)}: %{y:.0%} of boards reach %{x:.0%}<extra></extra>`,
    };
  });
  const profile = figure({
    title: "Performance profile",
    tall: true,
    name: "profile",
    caption:
      `The part of the ${number} ranked boards (a task at a length) on which a line reaches a share ` +
      "of the best score. Where lower is better, as for bits, the share is the best score divided by " +
      "the line's score. Only lines that are on all these boards are drawn.",
    traces,
    layout: {
      xaxis: { title: { text: "share of the best" }, tickformat: ".0%" },
      yaxis: { title: { text: "part of boards" }, range: [0, 1.02], tickformat: ".0%" },
    },
    rows: [
      ["share", ...names],
      ...shares.map((share, i) => [share, ...names.map((name) => lines[name][i])]),
    ],
  });
  const rows = names.map((name) => [name, formatNumber(means[name][0])]);
  const head = ["line", "interquartile mean of shares"];
  const drawn = names.flatMap((name) => data.lines[lineNumber.get(name) ?? -1] ?? []);
  return [
    el("h2", {}, "All tasks"),
    plainLegend(drawn),
    profile,
    table(head, rows, { texts: [0] }),
  ];
}
