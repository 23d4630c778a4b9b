// The leaderboards of the ranked benchmarks: the core tables, and the winner by length.
"use strict";

const NO_LEADERBOARD =
  "There is no core table yet: it needs final runs of a ranked benchmark, such as `core`, with " +
  "three seeds. See `bench benchmarks`.";

/**
 * Returns the name of a line; a control is in italics.
 * @param {string} name
 */
function entryName(name) {
  const line = data.lines[lineNumber.get(name) ?? -1];
  return line ? entryLabel(line) : name;
}

/**
 * Returns a number to a number of decimal places.
 * @param {number | null} value
 */
const decimal = (value, places = 1) => (value === null ? "—" : value.toFixed(places));

/**
 * Returns all leaderboards, or a note that there is none.
 * @param {State} values
 * @param {Comparison} about the comparison that is shown
 * @param {number | undefined} length that is shown
 */
function leaderboardSections(values, about, length) {
  if (!data.leaderboards.length) {
    return [
      el("h2", {}, "Core table"),
      el("p", { className: "note" }, ...withCode(NO_LEADERBOARD)),
    ];
  }
  return data.leaderboards.flatMap((board) => {
    const { label, summary, about_runs: runs, latest, machines } = board;
    const note = `${capitalized(summary)}. Latest record of ${latest}, from ${machines.join(", ")}.`;
    const [shown, ...rest] = [...board.blocks].sort(
      (one, other) =>
        Number(other.tasks.includes(about.task)) - Number(one.tasks.includes(about.task)),
    );
    return [
      el("h2", {}, `Core table of ${label}`),
      el("p", { className: "note" }, `${note} Entries in italics are controls. ${runs}`),
      ...(shown ? [el("h3", {}, blockTitle(shown)), ...coreTable(board, shown)] : []),
      ...rest.map((block) =>
        el("details", {}, el("summary", {}, blockTitle(block)), ...coreTable(board, block)),
      ),
      el("h2", {}, `Winner by length of ${label}`),
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
  const rows = board.winners.map((winner) => {
    const target = { task: winner.task, length: winner.length, without: values.without };
    const isShown =
      about.benchmark === winner.benchmark &&
      about.task === winner.task &&
      length === winner.length;
    const tied = winner.tied.map(([line, least]) => `${line} (${formatNumber(least, 2)})`);
    const link = el("a", { href: address("index", target) }, String(winner.length));
    const task = `${board.titles[winner.task] ?? winner.task}, ${metricText(winner.metric)}`;
    return [
      { text: task, className: isShown ? "current" : "" },
      link,
      notes.after(winnerCell(winner), winner.marks),
      formatInterval(winner),
      winner.next ? `${formatNumber(winner.gap, 2)} to ${winner.next}` : "—",
      formatNumber(winner.detectable, 2),
      tied.join(", ") || "none",
    ];
  });
  const head = ["task", "length", "winner", "value [95%]", "gap to the next", "detectable", "tied"];
  const note =
    "“Detectable” is the difference to the leader that would have been separated for the median " +
    "entry. The tied entries are not separated from the leader; each has the difference that would " +
    "have separated it.";
  return [
    el("p", { className: "note" }, note),
    table(head, rows, { caption: "Winner by length", texts: [0], long: [2, 6] }),
    ...notes.list(),
  ];
}

/**
 * Returns the winner, or that there is no significant one.
 * @param {WinnerData} winner
 */
function winnerCell({ line, tied, next }) {
  if (!next) return el("span", {}, "only ", entryName(line), " is ranked");
  if (!tied.length) return el("strong", {}, entryName(line));
  return el("span", {}, "no significant winner; best mean: ", entryName(line));
}

/**
 * Returns a score from 0 to 100 with its interval, to one decimal place.
 * @param {Interval | null} score
 */
function scoreText(score) {
  if (!score || score.value === null) return "—";
  const value = score.value.toFixed(1);
  if (score.low === null || score.high === null) return value;
  return `${value} [${score.low.toFixed(1)}, ${score.high.toFixed(1)}]`;
}

/**
 * Returns a relative cost at each length, such as "2.00 / 4.12".
 * @param {(number | null)[]} ratios
 */
function ratiosText(ratios) {
  if (ratios.every((ratio) => ratio === null)) return "—";
  return ratios.map((ratio) => (ratio === null ? "—" : ratio.toFixed(2))).join(" / ");
}

/** @param {number} count */
const millions = (count) => (count / 1e6).toFixed(2);

/** @param {BlockData} block */
const blockTitle = (block) => `${capitalized(block.form)} tasks`;

/**
 * Returns the core table of one form of model.
 * @param {LeaderboardData} board
 * @param {BlockData} block
 */
function coreTable(board, block) {
  /** @type {(places: [task: string, length: number][]) => string} */
  const placesText = (places) =>
    places.map(([task, length]) => `${board.titles[task] ?? task} ${length}`).join(", ");
  const score = block.unscaled.length
    ? `No score yet: the benchmark states no reference score for ${placesText(block.unscaled)}.`
    : "Score: 0 is a trivial predictor, 100 is `vanilla`.";
  const lengths = block.cost_lengths.map((length) => formatNumber(length)).join(" / ");
  const costs = block.costs.length
    ? ` Costs are multiples of those of \`vanilla\` on random tokens, at lengths ${lengths}. ` +
      `${block.cost_sessions} (${block.cost_spread}).`
    : "";
  const window =
    " The learning-rate window is the width of the range of rates within one standard error of " +
    "the best.";
  const note = `${score} Columns of tasks: the mean over lengths.${costs}${window}`;
  const tasks = block.tasks.map((task) => board.titles[task] ?? task);
  const head = ["entry", "score [95%]", "mean rank", ...tasks, "mixing parameters", ...block.costs];
  const notes = new Footnotes();
  const rows = block.rows.map((row) => [
    notes.after(entryName(row.line), row.marks),
    scoreText(row.score),
    decimal(row.rank),
    ...row.tasks.map((value) => formatFigure(value)),
    row.parameters ? `${[...new Set(row.parameters.map(millions))].join(" – ")} M` : "—",
    ...row.costs.map(ratiosText),
    decimal(row.rates, 2),
  ]);
  const nodes = [el("p", { className: "note" }, ...withCode(note))];
  const columns = [...head, "learning-rate window, decades"];
  if (rows.length) {
    const caption = `Entries with every cell, best first, ${block.form} tasks`;
    nodes.push(table(columns, rows, { caption, texts: [0] }), ...notes.list());
  } else {
    nodes.push(el("p", {}, "No entry has every cell of this table yet."));
  }
  if (block.incomplete.length) {
    const items = block.incomplete.map(([line, places]) => `${line} (${placesText(places)})`);
    const lack = items.length > 1 ? "entries lack" : "entry lacks";
    nodes.push(
      el(
        "details",
        {},
        el("summary", {}, `${items.length} ${lack} cells of this table`),
        el("ul", {}, ...items.map((item) => el("li", {}, item))),
      ),
    );
  }
  return nodes;
}
