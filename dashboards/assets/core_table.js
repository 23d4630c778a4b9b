// The leaderboards of the ranked benchmarks: the winner by length, and the core tables.
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
  return line?.control ? el("em", {}, name) : name;
}

/**
 * Returns a number to one decimal place.
 * @param {number | null} value
 */
const decimal = (value) => (value === null ? "—" : value.toFixed(1));

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
    const { label, summary, latest, machines } = board;
    const note = `${summary}. Latest record of ${latest}, from ${machines.join(", ")}.`;
    return [
      el("h2", {}, `Leaderboard of ${label}`),
      el("p", { className: "note" }, `${note} Entries in italics are controls.`),
      ...winnersTable(board, values, about, length),
      ...board.blocks.flatMap((block) => coreTable(board, block)),
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
  const rows = board.winners.map((winner) => {
    const target = { task: winner.task, length: winner.length, without: values.without };
    const isShown =
      about.benchmark === board.label && about.task === winner.task && length === winner.length;
    return [
      { text: board.titles[winner.task] ?? winner.task, className: isShown ? "current" : "" },
      el("a", { href: address("index", target) }, String(winner.length)),
      entryName(winner.line),
      formatInterval(winner),
      metricText(winner.metric),
      winner.next,
      formatNumber(winner.gap, 2),
      formatNumber(winner.detectable, 2),
      winner.tied.join(", ") || "none",
      winner.marks.join("; ") || "—",
    ];
  });
  const head = ["task", "length", "leader", "value [95%]", "metric", "next", "gap"];
  const note =
    "“Detectable” is the difference to the leader that would have been separated for the median " +
    "entry. The tied entries are not separated from the leader.";
  return [
    el("h3", {}, "Winner by length"),
    el("p", { className: "note" }, note),
    table([...head, "detectable", "tied with the leader", "notes"], rows, {
      texts: [0, 2, 4, 5],
      long: [8, 9],
    }),
  ];
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
    : "Score: 0 is a trivial predictor, 100 is `vanilla` in version 1 of the benchmark.";
  const lengths = block.cost_lengths.map((length) => formatNumber(length)).join(" / ");
  const costs = block.costs.length
    ? ` Costs are multiples of those of \`vanilla\` on random tokens, at lengths ${lengths}, in ` +
      `the session of ${block.cost_session}.`
    : "";
  const note = `${score} Columns of tasks: the mean over lengths.${costs}`;
  const tasks = block.tasks.map((task) => board.titles[task] ?? task);
  const head = ["entry", "score [95%]", "mean rank", ...tasks, "mixing parameters", ...block.costs];
  const rows = block.rows.map((row) => [
    entryName(row.line),
    scoreText(row.score),
    decimal(row.rank),
    ...row.tasks.map((value) => formatNumber(value)),
    row.parameters ? [...new Set(row.parameters)].map((n) => formatNumber(n)).join(" – ") : "—",
    ...row.costs.map(ratiosText),
    decimal(row.rates),
    row.marks.join("; ") || "—",
  ]);
  const nodes = [
    el("h3", {}, `Core table: ${block.form}`),
    el("p", { className: "note" }, ...withCode(note)),
  ];
  const columns = [...head, "good rates, decades", "notes"];
  if (rows.length) {
    const caption = `Entries with every cell, best first, ${block.form} tasks`;
    nodes.push(table(columns, rows, { caption, texts: [0], long: [columns.length - 1] }));
  } else {
    nodes.push(el("p", {}, "No entry has every cell of this table yet."));
  }
  if (block.incomplete.length) {
    const items = block.incomplete.map(([line, places]) => `${line} (${placesText(places)})`);
    nodes.push(
      el(
        "details",
        {},
        el("summary", {}, `${items.length} entries lack cells of this table`),
        el("ul", {}, ...items.map((item) => el("li", {}, item))),
      ),
    );
  }
  return nodes;
}
