// The leaderboards of the ranked benchmarks: scores of all entries, winners, sizes and costs.
"use strict";

const NO_LEADERBOARD =
  "There is no table of all entries yet. It needs the final runs of a ranked benchmark, which " +
  "`bench run --benchmark core` runs. `bench benchmarks` lists the benchmarks and their times.";
const WINNERS_NOTE =
  "The tied entries are not separated from the leader; each has the difference that would have " +
  "separated it. Detectable difference: the smallest gap that the board could have found for the " +
  "median entry.";

/** The ticks of a time of training. */
const MINUTES = [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1_000, 3_000];

/** @param {string} name */
function entryName(name) {
  const entry = data.entries[entryNumber.get(name) ?? -1];
  return entry ? entryLabel(entry) : name;
}

/**
 * Returns all leaderboards, or a note that there is none.
 * @param {State} values
 * @param {Comparison} about the comparison that is shown
 * @param {number | undefined} length that is shown
 * @param {Set<number>} chosen the entries that have colours
 */
function leaderboardSections(values, about, length, chosen) {
  if (!data.leaderboards.length) return [el("h2", {}, "All tasks"), note(NO_LEADERBOARD)];
  return data.leaderboards.flatMap((board) => {
    const { label, summary, about_runs: runs, latest, machines } = board;
    const [shown, ...rest] = board.quality.toSorted(
      (one, other) => Number(isShown(other, about)) - Number(isShown(one, about)),
    );
    const facts = [
      capitalized(summary),
      `Latest record of ${latest}, from ${machines.join(", ")}`,
      "Entries in italics are controls",
    ];
    return [
      el("h2", {}, `All entries: ${label.replace(/-\d+$/, "")}`),
      note(`${joined([`Benchmark ${label}`, ...facts])} ${runs}`),
      ...(shown ? qualityTable(board, shown) : []),
      ...timesFigure(board, about, length, chosen),
      ...rest.map((table) => folded(boardTitle(board, table), ...qualityTable(board, table))),
      ...board.costs.map((table) =>
        folded(`${capitalized(table.form)}s: sizes and costs`, ...costTable(table)),
      ),
      el("h2", {}, `Winner by length: ${label.replace(/-\d+$/, "")}`),
      ...winnersTable(board, values, about, length),
    ];
  });
}

/**
 * Returns the figure of the best score that each entry has reached at a length within a time of
 * training, or nothing where no quiet training was measured.
 * @param {LeaderboardData} board
 * @param {Comparison} about
 * @param {number | undefined} length
 * @param {Set<number>} chosen
 */
function timesFigure({ times }, about, length, chosen) {
  const timed = times.find(({ task }) => task === about.task);
  const shown = timed?.lines.filter((line) => line.length === length) ?? [];
  if (!timed || !shown.length) return [];
  const lines = shown.map(({ entry, seconds, scores, steps }) => ({
    entry: entryNumber.get(entry) ?? 0,
    points: seconds.map((time, place) => ({
      x: time / 60,
      value: scores[place],
      low: null,
      high: null,
      n: 1,
      at: `after ${formatNumber(time / 60, 2)} min, of ${formatNumber(steps[place])} updates`,
    })),
  }));
  const metric = `validation ${metricText(timed.metric)}`;
  const minutes = sorted(lines.flatMap(({ points }) => points.map(({ x }) => x)));
  const first = MINUTES.findLastIndex((minute) => minute <= minutes[0]);
  const last = MINUTES.findIndex((minute) => minute >= (minutes.at(-1) ?? 0));
  const ticks = MINUTES.slice(Math.max(0, first), last < 0 ? undefined : last + 1);
  const figure = lineFigure({
    title: `${capitalized(metric)} within a time of training`,
    name: `${about.task}-time`,
    caption: joined([
      "The best score so far of all trainings, the mean over seeds",
      "Time is that of the updates alone on a quiet machine",
      `Speeds: session of ${timed.session}`,
    ]),
    about,
    lines,
    measure: plainMeasure(metric, about.higher_is_better),
    axis: numberAxis(ticks, `minutes of training at length ${formatNumber(length ?? 0)}`, String)
      .axis,
    chosen,
    rows: [
      ["entry", "length", "seconds", "score", "updates"],
      ...shown.flatMap(({ entry, length: at, seconds, scores, steps }) =>
        seconds.map((time, place) => [entry, at, time, scores[place], steps[place]]),
      ),
    ],
  });
  return [el("div", { className: "figures" }, figure)];
}

/** @param {QualityTableData} table @param {Comparison} about */
const isShown = ({ task, steps }, about) =>
  2 * Number(task === about.task) + Number(steps === about.steps);

/**
 * Returns the table of the best entry at each task and length, with links to their results.
 * @param {LeaderboardData} board
 * @param {State} values
 * @param {Comparison} about
 * @param {number | undefined} length
 */
function winnersTable(board, values, about, length) {
  if (!board.winners.length) {
    return [el("p", {}, "No entry has the three seeds that a rank needs.")];
  }
  const notes = new Footnotes(board.winners.map(({ marks }) => marks));
  /** @type {[head: string, cell: (winner: WinnerData) => TableCell][]} */
  const columns = [
    [
      "task",
      (winner) => ({
        text: boardTitle(board, winner),
        className:
          about.benchmark === winner.benchmark &&
          about.task === winner.task &&
          about.steps === winner.steps &&
          length === winner.length
            ? "current"
            : "",
      }),
    ],
    [
      "length",
      (winner) => {
        const { task, length: at } = winner;
        const comparison = winner.updates ? comparisonTitle(winner) : "";
        const target = { task, length: at, entries: values.entries, comparison };
        return el("a", { href: address("index", target) }, String(at));
      },
    ],
    ["winner", (winner) => notes.after(winnerCell(winner), winner.marks)],
    ["value [95%]", (winner) => formatInterval(winner, tableOf(board, winner))],
    ["gap to the next", ({ next, gap }) => (next ? `${gapText(gap)} to ${next}` : "—")],
    ["detectable", ({ detectable }) => gapText(detectable)],
    [
      "tied",
      ({ tied }) =>
        tied.map(([entry, least]) => `${entry} (${gapText(least)})`).join(", ") || "none",
    ],
  ];
  const options = { caption: "Winner by length", texts: [0], long: [2, 6], stacked: true };
  return [note(WINNERS_NOTE), itemsTable(board.winners, columns, options), ...notes.list()];
}

/**
 * Returns the table that a winner is of, whose scores share their decimals.
 * @param {LeaderboardData} board
 * @param {WinnerData} winner
 */
const tableOf = (board, { task, steps }) =>
  board.quality.find((one) => one.task === task && one.steps === steps);

/** @param {WinnerData} winner */
const comparisonTitle = ({ benchmark, task, steps }) =>
  data.comparisons.find(
    (one) => one.benchmark === benchmark && one.task === task && one.steps === steps,
  )?.title ?? "";

/** @param {WinnerData} winner */
function winnerCell({ entry, tied, next }) {
  if (!next) return el("span", {}, "only ", entryName(entry), " is ranked");
  if (!tied.length) return el("strong", {}, entryName(entry));
  return el("span", {}, "no significant winner; best mean: ", entryName(entry));
}

/**
 * Returns a relative cost at each length, such as "2.00 / 4.12".
 * @param {(number | null)[]} ratios
 */
const ratiosText = (ratios) =>
  ratios.every((ratio) => ratio === null)
    ? "—"
    : ratios.map((ratio) => decimal(ratio, 2)).join(" / ");

/** @param {number} count */
const millions = (count) => (count / 1e6).toFixed(2);

/** @param {LeaderboardData} board @param {{ task: string, updates: string, metric: string }} of */
const boardTitle = (board, { task, updates, metric }) =>
  [board.titles[task] ?? task, metricText(metric), updates].filter(Boolean).join(", ");

/** @param {LeaderboardData} board @param {QualityTableData} quality */
function qualityTable(board, quality) {
  const { lengths, trivial, detectable } = quality;
  const gain = quality.rows.some((row) => row.gain);
  const places = quality.rows.flatMap((row) => row.places.filter((place) => place !== null));
  const notes = new Footnotes(places.map(({ marks }) => marks));
  const heads = lengths.map((length, index) => {
    const facts = [
      trivial[index] === null ? "" : `trivial ${formatFigure(trivial[index], quality)}`,
      detectable[index] === null ? "" : `detectable ${gapText(detectable[index])}`,
    ].filter(Boolean);
    return `${formatNumber(length)}${facts.length ? ` (${facts.join(", ")})` : ""}`;
  });
  const rows = quality.rows.map((row) => [
    entryName(row.entry),
    ...row.places.map((place) =>
      place?.score
        ? notes.after(`${place.rank ?? "—"}: ${formatInterval(place.score, quality)}`, place.marks)
        : notes.own(place?.marks ?? []).join("; ") || "—",
    ),
    ...(gain ? [formatInterval(row.gain, quality)] : []),
  ]);
  const facts = [
    "Rank and score at each length",
    trivial.some((score) => score !== null)
      ? "Trivial: the score of a predictor that does not read its input"
      : "",
    gain
      ? "Gain: how much better the score is at the longest length than at the shortest, paired by seed; its interval covers seeds alone where positions are scored"
      : "",
  ];
  const caption = boardTitle(board, quality);
  return [
    note(joined(facts)),
    table(["entry", ...heads, ...(gain ? ["gain [95%]"] : [])], rows, { caption, texts: [0] }),
    ...notes.list(),
  ];
}

/** @param {CostTableData} costs */
function costTable(costs) {
  const lengths = costs.lengths.map((length) => formatNumber(length)).join(" / ");
  const facts = [
    costs.costs.length
      ? `Costs are multiples of those of \`vanilla\` on random tokens, at lengths ${lengths}`
      : "",
    costs.costs.length ? `${costs.sessions} (${costs.spread})` : "",
    "The learning-rate window is the width of the range of rates within one standard error of the best",
  ];
  const columns = ["entry", "mixing parameters", ...costs.costs, "learning-rate window, decades"];
  const rows = costs.rows.map((row) => [
    entryName(row.entry),
    row.parameters ? `${[...new Set(row.parameters.map(millions))].join(" – ")} M` : "—",
    ...row.costs.map(ratiosText),
    decimal(row.rates, 2),
  ]);
  return [note(joined(facts)), table(columns, rows, { caption: "Sizes and costs", texts: [0] })];
}
