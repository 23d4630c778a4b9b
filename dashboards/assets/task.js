// Tasks: reports on the scored split, learning curves, examples.
"use strict";

/**
 * Returns the figures of the entries at a length over the commits that measured them: quality, and
 * the costs of training. Only the site of one's own home has them.
 * @param {number} comparison
 * @param {number} length
 * @param {Set<number>} chosen
 */
function historyFigures(comparison, length, chosen) {
  const about = data.comparisons[comparison];
  const found = rowsOf(window.LENGTHWISE_HISTORY ?? {}, comparison).filter(
    (one) => one.length === length,
  );
  const commits = [...new Set(found.map(({ commit }) => commit))].sort();
  return [...Map.groupBy(found, ({ measure }) => measure)].map(([number, moments]) => {
    const measure = measureOf(number, about);
    const ofEntries = Map.groupBy(moments, ({ entry }) => entry);
    return lineFigure({
      title: `${measure.title} over commits`,
      name: `${about.task}-history-${measure.key}`,
      about,
      caption: joined([
        `Means of the runs of each commit, from the records of this home, by the day of its first run`,
        number === QUALITY ? "" : "Costs of several sessions include the drift of the machine",
      ]),
      lines: [...ofEntries].map(([entry, own]) => ({
        entry,
        points: own.map((one) => ({ ...one, x: one.commit })),
      })),
      measure,
      axis: {
        type: "category",
        title: { text: "commit" },
        categoryorder: "array",
        categoryarray: commits,
      },
      chosen,
      repeat: repeatName(about),
    });
  });
}

start((values) => {
  const choice = chooseComparison(values, ({ mode }) => mode === "train");
  if (!choice.shown) return [filterBar(values, choice), el("p", {}, NOTHING_MATCHES)];
  const { comparison: about, number } = choice.shown;
  const completed = runsOf(number).filter(({ status }) => status === "ok");
  const lengths = lengthsOf(completed);
  const length = lengths.includes(Number(values.length)) ? Number(values.length) : lengths[0];
  const entries = entriesOf(number);
  const chosen = chosenEntries(values, entries, bestFirst(number));
  const rows = completed.filter((row) => row.length === length && chosen.has(row.entry));
  const options = lengths.map((one) => [formatNumber(one), String(one)]);
  return [
    filterBar(values, choice, [
      select("Length", options, String(length), (value) => change({ length: value })),
    ]),
    ...trialsWarning(about),
    el("h2", {}, `${about.subject}, length ${formatNumber(length)}`),
    resultsNote(about),
    legend(entries, chosen),
    el("div", { className: "figures" }, ...reportFigures(number, length, chosen)),
    ...historyFigures(number, length, chosen),
    loadedContent(rows, about, chosen),
  ];
});
