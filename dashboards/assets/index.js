// Overview: the answer to the question, three figures against length, core tables.
"use strict";

const RANKS_NOTE =
  "The leader and all entries that do not differ significantly from it share rank 1. Each entry is " +
  "compared with the leader on the same seeds and test examples. Ranks use all seeds and all " +
  "entries, whatever the filters show. The name of an entry is a link to its first run.";

/** @param {RunRow[]} runs */
function failuresTable(runs) {
  const failed = runs.filter(({ status }) => status !== "ok");
  const groups = Map.groupBy(failed, (run) => JSON.stringify([run.entry, run.status, run.reason]));
  if (!groups.size) return [];
  /** @type {[head: string, cell: (group: RunRow[]) => TableCell][]} */
  const columns = [
    ["entry", ([{ entry }]) => data.entries[entry].name],
    ["lengths", (group) => lengthsOf(group).join(", ")],
    [
      "status",
      ([{ status }]) => ({ text: status, className: NOT_RUN.has(status) ? "soft" : "bad" }),
    ],
    ["reason", ([{ reason }]) => reason],
    ["run", ([{ run }]) => runLink(run, "record")],
  ];
  return [
    el("h2", {}, "Cells without a result"),
    itemsTable([...groups.values()], columns, { texts: [0, 2, 4], long: [1, 3] }),
  ];
}

/**
 * Returns the figures beside the answer: quality against a cost at the length, and quality and costs
 * against the length. A cost of a task without undisturbed ones of its own is that of the probes or
 * decodings of its form.
 * @param {Question} question
 * @param {Set<number>} chosen
 * @param {{ marked?: number, strong: Set<number>, rank: string }} emphasis
 */
function overviewFigures({ first, matter, wanted }, chosen, emphasis) {
  const { comparison: about, number } = first;
  const [phase] = (matter || "training").split(".");
  const isDecoding = about.mode === "decode" || phase === "prefill" || phase === "generation";
  const costs = isDecoding
    ? [matter, "generation.step_seconds", "generation.state_bytes", "prefill.tokens_per_second"]
    : [matter, `${phase}.peak_memory_bytes`, `${phase}.tokens_per_second`];
  const lengths = lengthsOf(boardsOf(number, about.metric));
  const nearest = lengths.find((length) => length >= (wanted ?? 0)) ?? lengths.at(-1);
  const numbers = [...new Set(costs.map(measureNumber))].filter((measure) => measure >= 0);
  const entries = new Set(entriesOf(number));
  const scatter = numbers.flatMap((measure) => tradeoffFigure(number, measure, nearest, chosen));
  const quality = about.metric ? [lengthFigure(number, QUALITY, chosen, emphasis)] : [];
  const alongLength = numbers.flatMap((measure) => {
    // Of the results that have the cost, those of several lengths show more.
    const quiet = pointsOf(number).some((one) => one.measure === measure && !one.disturbed);
    const known = [...(quiet ? [number] : []), ...about.costs, number].map((source) => {
      const points = pointsOf(source).filter(
        (one) => one.measure === measure && entries.has(one.entry),
      );
      return { source, lengths: lengthsOf(points).length };
    });
    const [least] = known.filter(({ lengths: count }) => count > 0);
    const found = (known.find(({ lengths: count }) => count > 1) ?? least)?.source;
    if (found === undefined) return [];
    const { mode } = data.comparisons[found];
    const what = mode === "decode" ? "decodings" : "probes";
    const form = formText(data.comparisons[found]);
    const told = found === number ? "" : `From the ${form} ${what} on random tokens`;
    return [lengthFigure(found, measure, chosen, { ...emphasis, note: told })];
  });
  return [...scatter.slice(0, 1), ...quality, ...alongLength];
}

/**
 * Returns the learning curves and the examples of the runs on the user's own data, and what to run
 * next; empty for other results.
 * @param {NumberedComparison} shown
 * @param {number | undefined} length
 * @param {Set<number>} chosen
 */
function ownData({ comparison: about, number }, length, chosen) {
  if (!about.is_own) return [];
  const rows = runsOf(number).filter(
    (row) => row.status === "ok" && row.length === length && chosen.has(row.entry),
  );
  const again = `Your command: \`${about.command}\``;
  const seeds = "With `--seeds 0-2`, figures have intervals";
  const rates = "`bench tune` with the same task and data chooses learning rates";
  const kept = "With `--keep-weights`, `bench predict` applies a model to new texts";
  return [
    el("h2", {}, `Your data: curves and examples at length ${formatNumber(length)}`),
    note(joined([again, seeds, rates, kept])),
    loadedContent(rows, about, chosen),
  ];
}

start((values) => {
  const choice = chooseComparison(values);
  if (!choice.shown) {
    const missing = noFinalRuns(values.task);
    return [
      ...(missing.length ? missing : [el("p", { className: "answer" }, NOTHING_MATCHES)]),
      filterBar(values, choice),
    ];
  }
  const { question, controls } = readQuestion(values, choice, choice.shown);
  const { shown, source, first, length } = question;
  const { comparison: about, number } = shown;
  const fits = (/** @type {BoardRow} */ row) => !reasonsAgainst(values, question, row).length;
  const boards = question.boards.map((board) => ({ ...board, rows: board.rows.filter(fits) }));
  const left = leftOut(values, question);
  const leaders = boards.flatMap((board) => bestOf(board).best).map(({ entry }) => entry);
  const rank = `rank 1 in ${question.label.toLowerCase()} at length ${formatNumber(length)}`;
  const drawn = [number, source.number, ...first.comparison.costs.slice(0, 1)];
  const entries = sorted(drawn.flatMap(entriesOf));
  const ordered = boards.flatMap(({ rows }) => rows.map(({ entry }) => entry));
  const chosen = chosenEntries(values, entries, [...ordered, ...bestFirst(number)]);
  const emphasis = { marked: length, strong: new Set(leaders), rank };
  const facts = factColumns(question);
  const tables = boards.flatMap((board) => leaderboard(board, source.comparison, facts));
  const figures = overviewFigures(question, chosen, emphasis);
  return [
    filterBar(values, { ...choice, shown }, [...controls, limitControls(values, question)]),
    ...trialsWarning(about),
    ...answers({ ...question, boards, isLimited: left.length > 0 }),
    ...(about.kind === "costs" ? noFinalRuns() : []),
    ...tables,
    ...left,
    ...(boards.some((board) => rankedOf(board).length) ? [note(RANKS_NOTE)] : []),
    legend(entries, chosen, leaders),
    el("div", { className: "figures" }, ...figures),
    ...disturbedNote([...tables, ...figures]),
    ...ownData(shown, length, chosen),
    ...leaderboardSections(values, about, length, chosen),
    ...failuresTable(runsOf(source.number)),
  ];
});
