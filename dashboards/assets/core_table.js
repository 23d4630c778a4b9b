// The leaderboards of the ranked benchmarks: the core tables, and the winner by length.
"use strict";

const NO_LEADERBOARD =
  "There is no core table yet: it needs final runs of a ranked benchmark, such as `core`, with " +
  "three seeds. See `bench benchmarks`.";
const WINNERS_NOTE =
  "The tied entries are not separated from the leader; each has the difference that would have " +
  "separated it. Detectable difference: the smallest gap that the board could have found for the " +
  "median entry.";

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
 */
function leaderboardSections(values, about, length) {
  if (!data.leaderboards.length) return [el("h2", {}, "All tasks"), note(NO_LEADERBOARD)];
  return data.leaderboards.flatMap((board) => {
    const { label, summary, about_runs: runs, latest, machines } = board;
    const [shown, ...rest] = board.blocks.toSorted(
      (one, other) =>
        Number(other.tasks.includes(about.task)) - Number(one.tasks.includes(about.task)),
    );
    const facts = [
      capitalized(summary),
      `Latest record of ${latest}, from ${machines.join(", ")}`,
      "Entries in italics are controls",
    ];
    return [
      el("h2", {}, `All tasks: ${label.replace(/-\d+$/, "")}`),
      note(`${joined([`Benchmark ${label}`, ...facts])} ${runs}`),
      ...(shown ? [el("h3", {}, blockTitle(shown)), ...coreTable(board, shown)] : []),
      ...rest.map((block) => folded(blockTitle(block), ...coreTable(board, block))),
      el("h2", {}, `Winner by length: ${label.replace(/-\d+$/, "")}`),
      ...winnersTable(board, values, about, length),
    ];
  });
}

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
  const notes = new Footnotes();
  /** @type {[head: string, cell: (winner: WinnerData) => TableCell][]} */
  const columns = [
    [
      "task",
      ({ task, benchmark, length: at, metric }) => ({
        text: `${board.titles[task] ?? task}, ${metricText(metric)}`,
        className:
          about.benchmark === benchmark && about.task === task && length === at ? "current" : "",
      }),
    ],
    [
      "length",
      ({ task, length: at }) => {
        const target = { task, length: at, entries: values.entries };
        return el("a", { href: address("index", target) }, String(at));
      },
    ],
    ["winner", (winner) => notes.after(winnerCell(winner), winner.marks)],
    ["value [95%]", (winner) => formatInterval(winner)],
    ["gap to the next", ({ next, gap }) => (next ? `${formatNumber(gap, 2)} to ${next}` : "—")],
    ["detectable", ({ detectable }) => formatNumber(detectable, 2)],
    [
      "tied",
      ({ tied }) =>
        tied.map(([entry, least]) => `${entry} (${formatNumber(least, 2)})`).join(", ") || "none",
    ],
  ];
  const options = { caption: "Winner by length", texts: [0], long: [2, 6], stacked: true };
  return [note(WINNERS_NOTE), itemsTable(board.winners, columns, options), ...notes.list()];
}

/** @param {WinnerData} winner */
function winnerCell({ entry, tied, next }) {
  if (!next) return el("span", {}, "only ", entryName(entry), " is ranked");
  if (!tied.length) return el("strong", {}, entryName(entry));
  return el("span", {}, "no significant winner; best mean: ", entryName(entry));
}

/**
 * Returns a score from 0 to 100 with its interval, to one decimal place.
 * @param {Interval | null} score
 */
function scoreText(score) {
  if (!score || score.low === null) return decimal(score?.value ?? null);
  return `${decimal(score.value)} [${decimal(score.low)}, ${decimal(score.high)}]`;
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

/** @param {BlockData} block */
const blockTitle = (block) => `${capitalized(block.form)} tasks`;

/** @param {LeaderboardData} board @param {BlockData} block */
function coreTable(board, block) {
  /** @type {(places: TaskLength[]) => string} */
  const placesText = (places) =>
    places.map(([task, length]) => `${board.titles[task] ?? task} ${length}`).join(", ");
  const lengths = block.cost_lengths.map((length) => formatNumber(length)).join(" / ");
  const facts = [
    block.unscaled.length
      ? `No score yet: the benchmark states no reference score for ${placesText(block.unscaled)}`
      : "Score: 0 is a trivial predictor, 100 is `vanilla`",
    "Columns of tasks: the mean over lengths",
    block.costs.length
      ? `Costs are multiples of those of \`vanilla\` on random tokens, at lengths ${lengths}`
      : "",
    block.costs.length ? `${block.cost_sessions} (${block.cost_spread})` : "",
    "The learning-rate window is the width of the range of rates within one standard error of the best",
  ];
  const tasks = block.tasks.map((task) => board.titles[task] ?? task);
  const head = ["entry", "score [95%]", "mean rank", ...tasks, "mixing parameters", ...block.costs];
  const notes = new Footnotes();
  const rows = block.rows.map((row) => [
    notes.after(entryName(row.entry), row.marks),
    scoreText(row.score),
    decimal(row.rank),
    ...row.tasks.map((value) => formatFigure(value)),
    row.parameters ? `${[...new Set(row.parameters.map(millions))].join(" – ")} M` : "—",
    ...row.costs.map(ratiosText),
    decimal(row.rates, 2),
  ]);
  const caption = `Entries with every cell, best first, ${block.form} tasks`;
  const columns = [...head, "learning-rate window, decades"];
  const items = block.incomplete.map(([entry, places]) => `${entry} (${placesText(places)})`);
  const list = el("ul", {}, ...items.map((item) => el("li", {}, item)));
  return [
    note(joined(facts)),
    rows.length
      ? table(columns, rows, { caption, texts: [0] })
      : el("p", {}, "No entry has every cell of this table yet."),
    ...notes.list(),
    ...(items.length ? [folded(`Entries without every cell: ${items.length}`, list)] : []),
  ];
}
