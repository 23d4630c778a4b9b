// What complete records show of a task: learning curves, reports of single runs, and examples.
"use strict";

/** @param {Run} run */
const runTitle = ({ entry, record }) => `${data.entries[entry].name}, seed ${record.cell.seed}`;

/** @param {Run[]} runs */
function exampleTables(runs) {
  const found = firstRuns(
    runs.filter(({ record }) => reportsOf(record).examples?.length).toReversed(),
  ).toReversed();
  if (!found.length) return [];
  const tables = found.flatMap((run) => {
    const examples = reportsOf(run.record).examples ?? [];
    const rows = examples.map(({ right, input, expected, answer }) => [
      { text: right ? "right" : "wrong", className: right ? "status-ok" : "bad" },
      input,
      expected,
      answer,
    ]);
    const head = ["", "input", "expected", "prediction"];
    return [el("h3", {}, runTitle(run)), table(head, rows, { texts: [0], long: [1, 2, 3] })];
  });
  return [el("h2", {}, "Examples"), ...tables];
}

/**
 * Returns the nodes that `draw` returns, or an error in their place. A record of another version may
 * hold a report in another form, which must not hide the other figures.
 * @param {string} name
 * @param {() => Node | Node[] | null} draw
 * @returns {Node[]}
 */
function drawnOrError(name, draw) {
  try {
    return [draw() ?? []].flat();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const text = `${name} cannot be drawn: a record has the report in another form (${reason}).`;
    return [el("p", { className: "status-bad" }, text)];
  }
}

/** @param {Run[]} runs @param {Comparison} about @param {Set<number>} chosen */
function runFigures(runs, about, chosen) {
  const metric = metricText(about.metric);
  const validation = {
    title: `Validation ${metric}`,
    unit: metric,
    caption: "During training, one line per seed. The best weights are scored.",
    higherIsBetter: about.higher_is_better,
  };
  const loss = {
    title: "Training loss",
    unit: "loss",
    caption: "One line per seed. Each point is the mean of a block of steps.",
    higherIsBetter: false,
  };
  const firsts = firstRuns(runs);
  /** @type {(run: Run) => string} */
  const nameOf = ({ entry }) => data.entries[entry].name;
  return [
    ...drawnOrError("The validation curve", () =>
      learningFigure(runs, (name) => name.startsWith("validation_"), validation, chosen),
    ),
    ...drawnOrError("The training loss", () =>
      learningFigure(runs, (name) => name === "training_loss", loss, chosen),
    ),
    ...firsts.flatMap((run) =>
      drawnOrError(`The occlusion map of ${nameOf(run)}`, () => occlusionFigure(run)),
    ),
    ...firsts.flatMap((run) =>
      drawnOrError(`The confusion matrix of ${nameOf(run)}`, () => confusionFigure(run)),
    ),
  ];
}

/** @param {Run[]} runs @param {Comparison} about @param {Set<number>} chosen */
function taskContent(runs, about, chosen) {
  const links = runs.map((run) => el("li", {}, runLink(run.record.run_id, runTitle(run))));
  return [
    el("div", { className: "figures" }, ...runFigures(runs, about, chosen)),
    ...drawnOrError("The examples", () => exampleTables(runs)),
    el("h2", {}, "Runs"),
    el("ul", { className: "inline" }, ...links),
  ];
}

/**
 * Returns a place that shows the content of some runs as soon as their records are loaded.
 * @param {RunRow[]} rows
 * @param {Comparison} about
 * @param {Set<number>} chosen
 */
function loadedContent(rows, about, chosen) {
  const text = rows.length ? `Loading ${rows.length} records…` : `${NO_ENTRY}.`;
  const place = el("div", {}, el("p", {}, text));
  const requested = JSON.stringify(state());
  Promise.all(rows.map(({ run }) => loadRun(run))).then((records) => {
    if (!rows.length) return;
    if (JSON.stringify(state()) !== requested) return; // the reader has chosen another view
    const runs = rows.flatMap(({ entry }, i) => {
      const record = records[i];
      return record ? [{ entry, record }] : [];
    });
    place.replaceChildren(...taskContent(runs, about, chosen));
    document.body.dataset.loaded = "true";
  });
  return place;
}
