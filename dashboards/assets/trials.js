// What the first page says of trials, which are no results.
"use strict";

const HOW_TO = "`make bench TASK=…` makes the final runs of the benchmark `quick`.";

/**
 * Returns a note that there are no final runs, and what exists; empty beside final runs.
 * @param {string} [task] without it, there are no final runs of any task
 */
function noFinalRuns(task) {
  const finals = data.comparisons.filter(({ kind }) => kind === "final");
  if (finals.some((comparison) => !task || comparison.task === task)) return [];
  const counts = data.trials.filter((count) => !task || count.task === task);
  const items = counts.map(({ task: name, subject, text }) =>
    el("li", {}, `${subject}: ${text}`, ...trialLinks(name)),
  );
  const trial = data.comparisons.find((one) => one.task === task && one.kind === "trial");
  // Trials with evaluation lengths are shown themselves, so that none of them are counted.
  if (task && trial && !items.length) items.push(el("li", {}, trial.subject, ...trialLinks(task)));
  const diagnostics = el("a", { href: address("diagnostics", {}) }, "diagnostics");
  const isDiagnosed = task !== undefined && data.diagnosed.includes(task);
  const what = task ? ` of ${counts[0]?.subject ?? trial?.subject ?? task}` : "";
  return [
    el("p", { className: "answer" }, el("strong", {}, `There are no final runs${what} yet`), "."),
    ...(isDiagnosed
      ? [el("p", {}, "The ", diagnostics, " say which entries solve the task.")]
      : []),
    note(HOW_TO),
    ...(items.length
      ? [el("p", {}, "What exists are trials, which are no results:"), el("ul", {}, ...items)]
      : []),
  ];
}

/** @param {string} task */
function trialLinks(task) {
  const trial = data.comparisons.find((one) => one.task === task && one.kind === "trial");
  const links = [];
  if (data.learning_rates.some((search) => search.task === task)) {
    links.push(el("a", { href: address("rates", { task }) }, "learning rates"));
  }
  if (trial) {
    const target = address("index", { task, comparison: trial.title });
    links.push(el("a", { href: target }, "scores of the trials"));
  }
  return links.flatMap((link) => [" · ", link]);
}
