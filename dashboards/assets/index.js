// Overview: who is best at which length, by how much, at what cost.
"use strict";

function boardsOf(comparison, metric) {
  return data.boards.filter((board) => board[0] === comparison && board[3] === metric)
    .map(([, length, batch, name, rows]) => ({ length, batch, name, rows: rows.map(
      ([line, rank, value, low, high, n, tier, note, superseded, parameters, seconds, date, run]) =>
        ({ line, rank, value, low, high, n, tier, note, superseded, parameters, seconds, date, run })) }));
}

const nameOf = (row) => data.lines[row.line].name;

function answer(board, about) {
  const best = board.rows.filter((row) => row.rank === 1);
  if (!best.length) return `At ${board.length}: too few ${about.mode === "probe" ? "rounds" : "seeds"} each, so nothing is ranked.`;
  const scale = measureOf(numberOf(board.name), about)?.scale ?? 1;
  const unit = measureOf(numberOf(board.name), about)?.unit ?? "";
  const leader = `${nameOf(best[0])} ${sayInterval(best[0], scale)}${unit ? ` ${unit}` : ""}`;
  if (best.length === 1) {
    return board.rows.filter((row) => row.rank !== null).length > 1
      ? `At ${board.length}: ${leader}, ahead of all others beyond the noise.` : `At ${board.length}: ${leader}, alone.`;
  }
  return `At ${board.length}: ${leader}; the noise does not tell it from ${best.slice(1).map(nameOf).join(", ")}.`;
}

function leaderboard(board, about, points) {
  const measure = measureOf(board.name.includes(".") ? numberOf(board.name) : QUALITY, about);
  const cost = (row, number) => {
    const point = points.find((p) => p.line === row.line && p.length === board.length && p.batch === board.batch && p.measure === number);
    return point ? say(point.value / data.measures[number].scale) + (point.noisy ? " noisy" : "") : "—";
  };
  const head = ["rank", "architecture", `${board.name} [95%]${measure.unit ? `, ${measure.unit}` : ""}`, "n", "tokens/s", "MiB", "parameters", "minutes", "date", "tier", "note"];
  const listed = (rows, caption) => table(head, rows.map((row) => [
    row.rank ?? "—", runLink(row.run, nameOf(row)),
    // What is drawn is of the runs that stand.
    sayInterval(row, measure.scale), row.n, ...[0, 1].map((number) => (row.superseded ? "—" : cost(row, number))),
    say(row.parameters, 7), row.seconds === null ? "—" : say(row.seconds / 60, 2), row.date, row.tier,
    { text: [row.note, row.superseded && `superseded by ${row.superseded}`].filter(Boolean).join("; ") || " ",
      className: /^(failed|out_of_memory|timed_out|diverged)/.test(row.note) ? "bad" : "soft" },
  ]), { caption, long: [1, 10], classes: rows.map((row) => (row.rank === 1 ? "first" : "")) });
  const former = board.rows.filter((row) => row.superseded);
  return [
    listed(board.rows.filter((row) => !row.superseded), `Length ${board.length}, batch ${board.batch}. ${measure.higher_is_better ? "Higher" : "Lower"} is better. Speed and memory are of training.`),
    ...(former.length ? [el("details", {}, el("summary", {}, `${former.length} superseded row${former.length > 1 ? "s" : ""}`), listed(former, `Length ${board.length}: superseded`))] : [])];
}

// Every comparison that the filters leave: who is best at which length, each a link to its leaderboard.
const AT_A_GLANCE = 30;
function glance(values, found) {
  if (found.matching.length < 2) return [];
  const most = [...found.matching].sort((a, b) => sizes[b.number] - sizes[a.number]).slice(0, AT_A_GLANCE);
  const parts = most.map(({ comparison }) => comparison.title.split(" · "));
  const rows = most.map(({ comparison, number }, place) => {
    const link = (text, length) => el("a", { href: address("index", { ...values, comparison: comparison.title, metric: "", length }) }, text);
    const metric = data.boards.find((board) => board[0] === number)?.[3];
    const leaders = metric ? boardsOf(number, metric).flatMap((board) => {
      const best = board.rows.filter((row) => row.rank === 1);
      if (!best.length) return [];
      return [el("li", { title: best.map(nameOf).join(", ") }, `${board.length} `, link(nameOf(best[0]), board.length),
        best.length > 1 ? ` or ${best.length - 1} more` : board.rows.filter((row) => row.rank !== null).length > 1 ? "" : ", alone")];
    }) : [];
    // What all have in common says nothing here.
    const title = parts[place].filter((part) => !parts.every((one) => one.includes(part))).join(" · ");
    const named = el("span", {}, link(title, ""), metric ? ` by ${metric}` : "");
    return [{ text: named, className: comparison === found.shown.comparison ? "current" : "" },
      leaders.length ? el("ul", { className: "leaders" }, ...leaders) : "not ranked"];
  });
  const rest = found.matching.length - most.length;
  return [el("h2", {}, "Who is best at which length"),
    el("p", { className: "note" }, "“or 4 more”: the noise does not tell so many others from it; “alone”: no other is ranked; “not ranked”: fewer than three seeds. "
      + `Each leads to its leaderboard.${rest ? ` ${rest} smaller comparisons are left out: narrow them by the filters.` : ""}`),
    table(["comparison", "at length, the leader"], rows, { long: [0, 1], caption: "Leaders of the comparisons above" })];
}

const RUNS_LISTED = 500;  // a table of more takes the browser long to lay out

start((values) => {
  const found = chosen(values);
  if (!found.shown) return [filterBar(values, found), el("p", {}, "No comparison has all of that. Set a filter back to “all”.")];
  const { comparison: about, number } = found.shown;
  const probe = about.mode === "probe";
  const metrics = [...new Set(data.boards.filter((board) => board[0] === number).map((board) => board[3]))];
  const metric = metrics.includes(values.metric) ? values.metric : metrics[0];
  const boards = boardsOf(number, metric);
  const lengths = boards.map((board) => String(board.length));
  const extras = [seedPicker(values, number)];
  if (metrics.length > 1) extras.push(select("Ranked by", metrics.map((m) => [m, m]), metric, (value) => change({ metric: value })));
  const length = ["all", ...lengths].includes(values.length) ? values.length : lengths[lengths.length - 1];
  if (lengths.length > 1) extras.push(select("Leaderboard at length", [...lengths, "all"].map((l) => [l, l]), length, (value) => change({ length: value })));
  const shown = boards.filter((board) => length === "all" || String(board.length) === length);
  const points = pointsOf(number, values.repeat);
  const records = recordsOf(number);
  const panels = [...(probe ? [] : [QUALITY]), 1, 0, ...(probe ? [3, 2, 4] : [])]
    .filter((place) => points.some((p) => p.measure === place));
  const bad = new Map();  // by line, status and reason: at which lengths, and a run that shows it
  for (const record of records.filter((r) => r.status !== "ok")) {
    const key = JSON.stringify([record.line, record.status, record.reason]);
    const known = bad.get(key) ?? { ...record, lengths: new Set() };
    known.lengths.add(record.length);
    bad.set(key, known);
  }
  const hidden = hiddenLines(values);
  const able = new Set(linesOf(number));
  const drawn = records.filter((r) => !hidden.has(r.line));
  return [
    filterBar(values, found, extras),
    ...glance(values, found),
    el("h2", { id: "shown" }, about.title),
    el("ul", { className: "answer" }, ...boards.map((board) => el("li", {}, answer(board, about)))),
    el("div", { className: "figures" }, ...panels.map((place) => lengthFigure(number, place, values))),
    el("h2", {}, "Leaderboard"),
    el("p", { className: "note" }, "The best and all that noise cannot tell from it share rank 1; each is compared with the best alone, "
      + "on the same seeds and test examples. Ranks use all seeds and lines, whatever is drawn. An architecture's name leads to its first run."),
    ...shown.flatMap((board) => leaderboard({ ...board, rows: board.rows.filter((row) => !hidden.has(row.line) && able.has(row.line)) }, about, points)),
    ...(bad.size ? [el("h2", {}, "What did not run to its end"),
      table(["line", "lengths", "status", "reason", "run"],
        [...bad.values()].map((r) => [data.lines[r.line].name, [...r.lengths].sort((x, y) => x - y).join(", "),
          { text: r.status, className: NOT_RUN.has(r.status) ? "soft" : "bad" }, r.reason, runLink(r.run, "record")]),
        { texts: [0, 2, 4], long: [1, 3] })] : []),
    el("h2", {}, "All runs of this comparison"),
    el("details", {}, el("summary", {}, `${drawn.length} runs${drawn.length > RUNS_LISTED ? `, the first ${RUNS_LISTED} of them listed` : ""}`),
      table(["length", "line", probe ? "round" : "seed", "status", "quality", "tokens/s", "MiB", "run"],
        drawn.slice(0, RUNS_LISTED).map((r) => [r.length, data.lines[r.line].name, r.repeat, r.status,
          say(r.values[data.measures.length]), say(r.values[0]), r.values[1] === null ? "—" : say(r.values[1] / 2 ** 20), runLink(r.run)]),
        { texts: [1, 3, 7] })),
  ];
});
