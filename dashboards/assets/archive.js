// The archive: a row of each entry on each board, superseded ones included.
"use strict";

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

/** @type {[head: string, cell: (one: ArchiveRow) => Value][]} */
const ARCHIVED = [
  ["task", ({ about }) => about.subject],
  ["length", ({ board }) => board.length],
  ["measure", ({ measure }) => titleWithUnit(measure)],
  ["value [95%]", ({ row, measure }) => formatInterval(row, measure)],
  ["n", ({ row }) => row.n],
  ["rank", ({ row }) => row.rank],
  ["date", ({ row }) => row.date],
  ["results", ({ about }) => about.name],
  ["standing", ({ row }) => (row.superseded ? "superseded" : "standing")],
];

start(() => {
  const rows = archiveRows();
  const notes = new Footnotes(rows.map(({ row }) => notesOf(row)));
  const csv = () => [
    [
      "entry",
      ...ARCHIVED.map(([head]) => head),
      "full results",
      "note",
      "superseded by",
      "first run",
    ],
    ...rows.map((one) => {
      const { note: told, superseded, run } = one.row;
      const cells = ARCHIVED.map(([, cell]) => cell(one));
      return [nameOf(one.row), ...cells, one.about.title, told, superseded, run];
    }),
  ];
  const onclick = () => downloadCsv("lengthwise-archive", csv());
  const count = counted(rows.length, "row");
  return [
    note(ARCHIVE_NOTE),
    el("button", { type: "button", onclick }, `Download ${count} as CSV`),
    itemsTable(
      rows,
      [
        ["entry", ({ row }) => notes.after(runLink(row.run, nameOf(row)), notesOf(row))],
        ...ARCHIVED,
      ],
      { caption: count, texts: [0, 1, 3, 8, 9] },
    ),
    ...notes.list(),
  ];
});
