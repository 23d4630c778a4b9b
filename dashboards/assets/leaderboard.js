// Leaderboards: the ranks of one comparison, and the leaders of all comparisons.
"use strict";

/** The number of comparisons in the table of leaders. */
const LEADERS_LISTED = 30;

/**
 * Returns the leaderboards of a comparison by one metric.
 * @param {number} comparison
 * @param {string} metric
 * @returns {Board[]}
 */
function boardsOf(comparison, metric) {
  return data.boards
    .filter((board) => board[0] === comparison && board[3] === metric)
    .map(([, length, batch, name, rows, detectable]) => ({
      length,
      batch,
      name,
      rows: rows.map(boardRow),
      detectable,
    }));
}

/**
 * @param {BoardRowData} row
 * @returns {BoardRow}
 */
function boardRow(row) {
  const [line, rank, value, low, high, n, tier, note, superseded, ...rest] = row;
  const [parameters, seconds, date, run] = rest;
  return {
    line,
    rank,
    value,
    low,
    high,
    n,
    tier,
    note,
    superseded,
    parameters,
    seconds,
    date,
    run,
  };
}

/** @param {BoardRow} row */
const nameOf = (row) => data.lines[row.line].name;

/** @param {Board} board */
const leadersOf = (board) => board.rows.filter(({ rank }) => rank === 1);

/** @param {Board} board */
const rankedOf = (board) => board.rows.filter(({ rank }) => rank !== null);

/**
 * Returns the table of a leaderboard, and its superseded rows in a folded table.
 * @param {Board} board
 * @param {Comparison} about
 * @param {Point[]} points
 */
function leaderboard(board, about, points) {
  const measure = measureNamed(board.name, about);
  const standing = board.rows.filter((row) => !row.superseded);
  const superseded = board.rows.filter((row) => row.superseded);
  const better = `${measure.higher_is_better ? "Higher" : "Lower"} is better.`;
  const detectable = detectableText(board, measure);
  const sensitivity = detectable && ` ${detectable[0].toUpperCase()}${detectable.slice(1)}.`;
  const caption = `Length ${board.length}, batch ${board.batch}. ${better}${sensitivity}`;
  const nodes = [
    leaderboardTable({ ...board, rows: standing }, measure, points, {
      caption: `${caption} Speed and memory are of training.`,
    }),
  ];
  if (superseded.length) {
    const count = `${superseded.length} superseded row${superseded.length > 1 ? "s" : ""}`;
    const rows = leaderboardTable({ ...board, rows: superseded }, measure, points, {
      caption: `Length ${board.length}: superseded`,
    });
    nodes.push(el("details", {}, el("summary", {}, count), rows));
  }
  return nodes;
}

/**
 * @param {Board} board
 * @param {Measure} measure
 * @param {Point[]} points
 * @param {{ caption: string }} options
 */
function leaderboardTable(board, measure, points, { caption }) {
  /** @type {(row: BoardRow, number: number) => string} */
  const cost = (row, number) => {
    const point = points.find(
      (p) =>
        p.line === row.line &&
        p.length === board.length &&
        p.batch === board.batch &&
        p.measure === number,
    );
    // The points are of the runs that stand, so a superseded row has no costs.
    if (!point || row.superseded) return "—";
    return formatNumber(point.value / data.measures[number].scale);
  };
  const score = `${titleOf(board.name)} [95%]${measure.unit ? `, ${measure.unit}` : ""}`;
  const head = ["rank", "architecture", score, "n", "tokens/s", "MiB", "parameters", "minutes"];
  const rows = board.rows.map((row) => [
    row.rank ?? "—",
    runLink(row.run, nameOf(row)),
    formatInterval(row, measure.scale),
    row.n,
    cost(row, TOKENS_PER_SECOND),
    cost(row, PEAK_MEMORY),
    formatNumber(row.parameters, 7),
    row.seconds === null ? "—" : formatNumber(row.seconds / 60, 2),
    row.date,
    row.tier,
    noteOf(row),
  ]);
  const classes = board.rows.map((row) => (row.rank === 1 ? "first" : ""));
  return table([...head, "date", "tier", "note"], rows, { caption, long: [1, 10], classes });
}

/** @param {BoardRow} row */
function noteOf({ note, superseded }) {
  const parts = [note, superseded && `superseded by ${superseded}`].filter(Boolean);
  const failed = /^(failed|out_of_memory|timed_out|diverged)/.test(note);
  return { text: parts.join("; ") || " ", className: failed ? "bad" : "soft" };
}

/**
 * Returns a folded table of the leaders of all comparisons, with links to them.
 * @param {State} values
 * @param {Choice} choice
 */
function leadersTable(values, choice) {
  if (choice.allowed.length < 2) return [];
  const ordered = [...choice.allowed].sort(finalFirst).slice(0, LEADERS_LISTED);
  const rows = ordered.map(({ comparison, number }) => {
    /** @type {(text: string, length: number | string) => HTMLElement} */
    const link = (text, length) => {
      const { task, title } = comparison;
      const target = { without: values.without, task, comparison: title, length };
      return el("a", { href: address("index", target) }, text);
    };
    const metric = data.boards.find((board) => board[0] === number)?.[3];
    const leaders = metric ? boardsOf(number, metric).flatMap((b) => leaderItem(b, link)) : [];
    const isShown = number === choice.shown?.number;
    return [
      { text: comparison.subject, className: isShown ? "current" : "" },
      link(comparison.name, ""),
      metric ? titleOf(metric) : "—",
      leaders.length ? el("ul", { className: "inline" }, ...leaders) : "not ranked",
    ];
  });
  const rest = choice.allowed.length - ordered.length;
  const note = [
    "“or 4 more”: four other lines do not differ significantly from the leader.",
    "“alone”: no other line is ranked.",
    "“not ranked”: not three seeds of a final run of a ranked benchmark.",
    "Each name is a link to its results.",
    rest ? `${rest} smaller comparisons are not listed: use the filters to find them.` : "",
  ];
  return [
    el(
      "details",
      {},
      el("summary", {}, `Leaders of all ${choice.allowed.length} comparisons`),
      el("p", { className: "note" }, note.filter(Boolean).join(" ")),
      table(["task", "results", "by", "length and leader"], rows, {
        texts: [0],
        long: [1, 2, 3],
        caption: "Leaders of all comparisons",
      }),
    ),
  ];
}

/**
 * @param {Board} board
 * @param {(text: string, length: number) => HTMLElement} link
 */
function leaderItem(board, link) {
  const leaders = leadersOf(board);
  if (!leaders.length) return [];
  const alone = rankedOf(board).length > 1 ? "" : ", alone";
  const tied = leaders.length > 1 ? ` or ${leaders.length - 1} more` : alone;
  const title = leaders.map(nameOf).join(", ");
  return [el("li", { title }, `${board.length} `, link(nameOf(leaders[0]), board.length), tied)];
}
