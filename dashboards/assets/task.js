// Tasks: reports on the scored split, learning curves, examples.
"use strict";

start((values) => {
  const choice = chooseComparison(values, ({ mode }) => mode === "train");
  if (!choice.shown) return [filterBar(values, choice), el("p", {}, NOTHING_MATCHES)];
  const { comparison: about, number } = choice.shown;
  const completed = runsOf(number).filter(({ status }) => status === "ok");
  const lengths = lengthsOf(completed);
  const length = lengths.includes(Number(values.length)) ? Number(values.length) : lengths[0];
  const hidden = hiddenEntries(values);
  const rows = completed.filter(
    (row) =>
      row.length === length &&
      !hidden.has(row.entry) &&
      (!values.repeat || String(row.repeat) === values.repeat),
  );
  const options = lengths.map((one) => [String(one), String(one)]);
  return [
    filterBar(
      values,
      choice,
      [select("Length", options, String(length), (value) => change({ length: value }))],
      [repeatPicker(values, number)],
    ),
    ...trialsWarning(about),
    el("h2", {}, `${about.subject} · ${about.name} · length ${length}`),
    legend(values, entriesOf(number)),
    el("div", { className: "figures" }, ...reportFigures(number, length, values)),
    loadedContent(rows, about),
  ];
});
