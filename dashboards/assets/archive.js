// The archive: a row of each entry on each board, superseded ones included.
"use strict";

/** The number of rows that a page shows at first. */
const FEW_ROWS = 200;
/** @type {Record<string, string>} */
const KINDS = { final: "final runs", costs: "probes and decodings", trial: "trials" };
const ARCHIVE_NOTE =
  "A row is an entry on one board: results, length and measure. The link in a row leads to its first " +
  "run. Notes give the reason for a missing rank, and other limits. Costs at a length come from one " +
  "session, and scores from the newest versions; all other rows are superseded.";

/** @typedef {{ about: Comparison, board: BoardData, row: BoardRow, measure: Measure }} ArchiveRow */

/** @returns {ArchiveRow[]} */
function archiveRows() {
  const ordered = data.boards.toSorted((a, b) => a.comparison - b.comparison);
  return ordered.flatMap((board) => {
    const about = data.comparisons[board.comparison];
    const measure = measureNamed(board.metric, about);
    return rowsOf(board.rows).map((row) => ({ about, board, row, measure }));
  });
}

/** @param {ArchiveRow} one */
const standingOf = ({ row }) => (row.superseded ? "superseded" : "standing");

/**
 * The choices of the page: the name in the state, the label, and the value and the text of a row.
 * @type {Field<ArchiveRow>[]}
 */
const CHOICES = [
  ["task", "Task", ({ about }) => about.task, ({ about }) => about.subject],
  ["kind", "Kind", ({ about }) => about.kind, ({ about }) => KINDS[about.kind]],
  ["results", "Results", ({ about }) => about.title, ({ about: a }) => `${a.name} (${a.subject})`],
  ["entry", "Entry", ({ row }) => nameOf(row)],
  ["length", "Length", ({ board }) => `${board.length}`, ({ board }) => formatNumber(board.length)],
  ["measure", "Measure", ({ measure }) => measure.title],
  ["standing", "Standing", standingOf],
];

/**
 * Returns the rows that some choices leave.
 * @param {ArchiveRow[]} rows
 * @param {State} values
 * @param {typeof CHOICES} choices
 */
const chosenRows = (rows, values, choices) =>
  rows.filter((one) =>
    choices.every(([name, , keyOf]) => !values[name] || keyOf(one) === values[name]),
  );

/**
 * @param {ArchiveRow[]} rows
 * @param {string} caption
 */
function archiveTable(rows, caption) {
  const notes = new Footnotes();
  const found = itemsTable(
    rows,
    [
      ["entry", ({ row }) => notes.after(runLink(row.run, nameOf(row)), notesOf(row))],
      ["task", ({ about }) => about.subject],
      ["length", ({ board }) => formatNumber(board.length)],
      ["measure", ({ measure }) => titleWithUnit(measure)],
      ["value [95%]", ({ row, measure }) => formatInterval(row, measure.scale)],
      ["n", ({ row }) => row.n],
      ["rank", ({ row }) => row.rank],
      ["date", ({ row }) => row.date],
      ["results", ({ about }) => about.name],
    ],
    { caption, texts: [0, 1, 3, 8] },
  );
  return [found, ...notes.list()];
}

/** @param {ArchiveRow[]} rows */
function archiveCsv(rows) {
  const head = ["task", "results", "entry", "sequence_length", "batch_size", "measure", "value"];
  const rest = ["low", "high", "n", "rank", "date", "note", "superseded_by", "first_run"];
  const body = rows.map(({ about, board, row }) => {
    const { value, low, high, n, rank, date, superseded, run } = row;
    const place = [about.task, about.title, nameOf(row), board.length, board.batch, board.metric];
    return [...place, value, low, high, n, rank, date, row.note, superseded, run];
  });
  return [[...head, ...rest], ...body];
}

start((values) => {
  const rows = archiveRows();
  const chosen = chosenRows(rows, values, CHOICES);
  const shown = values.all ? chosen : chosen.slice(0, FEW_ROWS);
  const count = `${formatNumber(chosen.length)} of ${formatNumber(rows.length)} rows`;
  const cut = `The first ${shown.length} of ${formatNumber(chosen.length)} rows`;
  const download = () => downloadCsv("lengthwise-archive", archiveCsv(chosen));
  const extents = [
    [`first ${FEW_ROWS}`, ""],
    ["all", "1"],
  ];
  // A list holds what the other choices leave.
  const controls = CHOICES.map((field) => {
    const left = chosenRows(
      rows,
      values,
      CHOICES.filter((other) => other !== field),
    );
    const chosenValue = values[field[0]] ?? "";
    const options = optionsOf(left, field);
    if (chosenValue && !options.some(([, value]) => value === chosenValue)) {
      options.push([chosenValue, chosenValue]);
    }
    return choiceList(field, [["all", ""], ...options], chosenValue);
  });
  return [
    filterForm(
      "Choice of rows",
      ...controls,
      select("Rows", extents, values.all ?? "", (all) => change({ all })),
    ),
    note(ARCHIVE_NOTE),
    el(
      "div",
      { className: "tools" },
      el("button", { type: "button", onclick: download }, `Download ${count} as CSV`),
    ),
    ...archiveTable(shown, shown.length < chosen.length ? cut : count),
  ];
});
