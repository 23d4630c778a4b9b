// Complete records, in scripts of several records, each loaded when one of its records is shown.
"use strict";

/** @type {Map<string, RunRecord>} */
const loadedRuns = new Map();
/** @type {Map<string, Promise<unknown>>} */
const requestedBundles = new Map();
/** @type {Promise<void>[]} */
const unpackedBundles = [];

window.lengthwiseRuns = (packed) => unpackedBundles.push(unpackRuns(packed));

/**
 * Keeps the records of a bundle.
 * @param {string} packed their JSON, compressed, in Base64
 */
async function unpackRuns(packed) {
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const json = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  for (const record of await new Response(json).json()) loadedRuns.set(record.run_id, record);
}

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
  await Promise.all(unpackedBundles);
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

/** @param {string} run */
const missingRun = (run) =>
  el("p", { className: "status-bad" }, `The record ${run} is not part of this site.`);
