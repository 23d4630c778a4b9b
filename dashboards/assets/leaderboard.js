// Boards: the ranks of one comparison at a length.
"use strict";

/** The number of digits that a table shows of the digest of code. */
const DIGITS = 8;

/**
 * @param {number} comparison
 * @param {string} metric
 * @returns {Board[]}
 */
const boardsOf = (comparison, metric) =>
  data.boards
    .filter((board) => board.comparison === comparison && board.metric === metric)
    .map((board) => ({ ...board, rows: rowsOf(board.rows) }));

/** @param {BoardRow} row */
const nameOf = (row) => data.entries[row.entry].name;

/**
 * Whether a row is of runs that stand, and has a figure.
 * @param {BoardRow} row
 */
const isStanding = (row) => !row.superseded && row.value !== null;

/** @param {Board} board */
const rankedOf = (board) => board.rows.filter(({ rank }) => rank !== null);

/**
 * @param {Board} board
 * @param {Comparison} about
 * @param {Point[]} points
 */
function leaderboard(board, about, points) {
  const measure = measureNamed(board.metric, about);
  const standing = board.rows.filter((row) => !row.superseded);
  const superseded = board.rows.filter((row) => row.superseded);
  const facts = [
    `Length ${board.length}, batch ${board.batch}`,
    `${measure.higher_is_better ? "Higher" : "Lower"} is better`,
    detectableText(board, measure),
  ];
  const nodes = [boardTable({ ...board, rows: standing }, measure, points, joined(facts))];
  if (superseded.length) {
    const former = `Length ${board.length}: superseded`;
    const rows = boardTable({ ...board, rows: superseded }, measure, points, former);
    nodes.push(folded(counted(superseded.length, "superseded row"), rows));
  }
  return nodes;
}

/** @typedef {[head: string, cell: (row: BoardRow) => TableCell]} Column */

/**
 * @param {Board} board
 * @param {Measure} measure
 * @param {Point[]} points
 * @param {string} caption
 */
function boardTable(board, measure, points, caption) {
  const isQuality = measure.key === "quality";
  const unit = measure.unit ? `, ${measure.unit}` : "";
  const notes = new Footnotes();
  /** @type {Column[]} */
  const columns = [
    ["rank", (row) => row.rank],
    ["entry", (row) => notes.after(runLink(row.run, nameOf(row)), notesOf(row))],
    [`${titleOf(board.metric)} [95%]${unit}`, (row) => figureCell(row, measure.scale)],
    [`${isQuality ? "seed" : "round"}s`, (row) => row.n],
    [
      isQuality ? "detectable difference" : "detectable ratio",
      (row) => (isQuality ? formatNumber(row.detectable, 2) : formatFigure(row.detectable)),
    ],
    ...(isQuality ? trainingColumns(board, points) : SESSION_COLUMNS),
    ["parameters", (row) => formatNumber(row.parameters, 7)],
    ["date", (row) => row.date],
    ...evaluationColumns(board, measure, notes),
  ];
  const classes = board.rows.map((row) => (row.rank === 1 ? "first" : ""));
  const options = { caption, texts: [1], classes };
  return el("div", {}, itemsTable(board.rows, columns, options), ...notes.list());
}

/**
 * Returns a column for each evaluation length of the board; a reason becomes a footnote.
 * @param {Board} board
 * @param {Measure} measure
 * @param {Footnotes} notes
 * @returns {Column[]}
 */
function evaluationColumns(board, measure, notes) {
  const lengths = sorted(board.rows.flatMap(({ tested }) => Object.keys(tested).map(Number)));
  return lengths.map((length) => [
    `tested at ${length}`,
    ({ tested }) => {
      const score = tested[length];
      if (score === undefined) return "—";
      if (typeof score === "string") return notes.after(score.split(":")[0], [score]);
      return notes.after(
        formatInterval(score, measure.scale),
        score.missing ? [score.missing] : [],
      );
    },
  ]);
}

/**
 * @param {Board} board
 * @param {Point[]} points
 * @returns {Column[]}
 */
function trainingColumns(board, points) {
  /** @type {(row: BoardRow, number: number) => TableCell} */
  const cost = (row, number) => {
    const { length, batch } = board;
    const point = points.find(
      (p) =>
        p.entry === row.entry && p.length === length && p.batch === batch && p.measure === number,
    );
    // The points are of the runs that stand, so a superseded row has no costs.
    if (!point || row.superseded) return "—";
    return figureCell({ ...point, low: null, high: null }, data.measures[number].scale);
  };
  const known = [TOKENS_PER_SECOND, PEAK_MEMORY].filter((number) =>
    board.rows.some((row) => cost(row, number) !== "—"),
  );
  return [
    ...known.map(
      (number) =>
        /** @type {Column} */ ([
          `training, ${data.measures[number].unit}`,
          (row) => cost(row, number),
        ]),
    ),
    ["minutes", (row) => formatNumber(row.seconds === null ? null : row.seconds / 60, 2)],
  ];
}

/**
 * What was measured of a cost, and how far sessions differ.
 * @type {Column[]}
 */
const SESSION_COLUMNS = [
  ["sessions", (row) => (row.superseded ? "—" : row.sessions)],
  [
    "deviation between sessions",
    (row) => (row.between === null ? "—" : `${(100 * row.between).toFixed(1)}%`),
  ],
  ["code", (row) => (row.digest ? el("code", {}, row.digest.slice(0, DIGITS)) : "—")],
];

/** @param {BoardRow} row */
const notesOf = ({ note, superseded }) =>
  [...note.split("; "), superseded && `superseded by ${superseded}`].filter(Boolean);
