// Complete records, in scripts of several records, each loaded when one of its records is shown.
"use strict";

/** @type {Map<string, RunRecord>} */
const loadedRuns = new Map();
/** @type {Map<string, Promise<unknown>>} */
const requestedBundles = new Map();

window.lengthwiseRuns = (records) => {
  for (const record of records) loadedRuns.set(record.run_id, record);
};

/**
 * Loads a record. The result is null where the site has no such record.
 * @param {string} run
 * @returns {Promise<RunRecord | null>}
 */
async function loadRun(run) {
  // Bundles are in order of their first run id.
  const [, bundle] = data.bundles.findLast(([first]) => first <= run) ?? [];
  if (!bundle) return null;
  let request = requestedBundles.get(bundle);
  if (!request) {
    request = new Promise((done) => {
      const script = { src: `data/runs/${bundle}.js`, onload: done, onerror: done };
      document.head.append(el("script", script));
    });
    requestedBundles.set(bundle, request);
  }
  await request;
  return loadedRuns.get(run) ?? null;
}

/**
 * Returns the split whose scores count: validation where the test split is sealed.
 * @param {RunRecord} record
 */
const splitOf = ({ cell }) => (cell.scores_test ? "test" : "validation");

/**
 * Returns the reports on the split whose scores count.
 * @param {RunRecord} record
 * @returns {Reports}
 */
const reportsOf = (record) => record.reports?.[splitOf(record)] ?? {};

/**
 * Returns the command that runs the cell of a record again.
 * @param {RunRecord} record
 */
function commandOf({ cell, details }) {
  const parts = ["bench run"];
  const isFinal = cell.benchmark !== null;
  /** @type {(name: string, value: unknown) => void} */
  const add = (name, value) => {
    if (value !== null && value !== undefined) parts.push(`--${name} ${value}`);
  };
  // The benchmark sets steps, sizes and learning rate; a run that sets them itself is a trial.
  if (isFinal) add("benchmark", cell.benchmark?.replace(/-\d+$/, ""));
  if (cell.mode !== "train") {
    add("mode", cell.mode);
    add("form", cell.form);
    add("rounds", cell.round + 1);
  } else {
    add("task", cell.task);
    add("data", cell.source === "files" ? "files:DIR" : cell.source);
    add("seeds", cell.seed);
    if (!isFinal) add("steps", cell.steps);
    if (!isFinal && cell.scores_test) parts.push("--test");
  }
  add("architectures", cell.architecture);
  add("lengths", cell.sequence_length);
  if (!isFinal) {
    if (cell.evaluation_lengths?.length) add("evaluation-lengths", cell.evaluation_lengths);
    add("batch-size", cell.batch_size);
    add("model-size", cell.model_size);
  }
  add("precision", cell.precision);
  add("backend", cell.backend);
  add("threads", cell.threads);
  // A trial names its learning rate: the tuned rate may have changed since the run.
  const rate = details.recipe?.learning_rate;
  const options = { ...(rate && { learning_rate: rate }), ...cell.options };
  for (const [name, value] of Object.entries(options)) {
    if (!(isFinal && name === "learning_rate")) add("option", `${name}=${value}`);
  }
  return parts.join(" ");
}
