// Figures: a title, a plot, a caption, and the figures as CSV.
"use strict";

/**
 * Downloads rows as a CSV file.
 * @param {string} name
 * @param {Value[][]} rows
 */
function downloadCsv(name, rows) {
  /** @param {Value} value */
  const quote = (value) => {
    const text = String(value ?? "");
    return /[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  const text = `${rows.map((row) => row.map(quote).join(",")).join("\n")}\n`;
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  el("a", { href: url, download: `${name}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/**
 * Returns a colour of the theme that is shown.
 * @param {string} name
 */
function themeColor(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/**
 * Returns a figure.
 * @param {FigureOptions} options
 */
function figure({ title, reading = "", caption, traces, layout = {}, rows, name, tall = false }) {
  const plot = el("div", {
    className: tall ? "plot tall" : "plot",
    role: "img",
    "aria-label": [`${title}.`, reading, caption].filter(Boolean).join(" "),
  });
  const button = el(
    "button",
    { type: "button", "aria-label": `${title} as CSV`, onclick: () => downloadCsv(name, rows) },
    "CSV",
  );
  const [ink, rule] = [themeColor("ink"), themeColor("rule")];
  const axis = { gridcolor: rule, zerolinecolor: rule, linecolor: rule, automargin: true };
  const fullLayout = {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: ink, size: 12 },
    margin: { l: 55, r: 15, t: 10, b: 45 },
    showlegend: false,
    hovermode: "closest",
    dragmode: false,
    ...layout,
    xaxis: { ...axis, .../** @type {object} */ (layout.xaxis) },
    yaxis: { ...axis, .../** @type {object} */ (layout.yaxis) },
  };
  // The plot is drawn when it is in the page, because only then does it have a size.
  queueMicrotask(() =>
    Plotly.newPlot(plot, traces, fullLayout, { displayModeBar: false, responsive: true }),
  );
  return el(
    "figure",
    {},
    el("h3", {}, title),
    plot,
    reading ? el("p", { className: "reading" }, reading) : null,
    el("figcaption", {}, ...withCode(caption)),
    el("div", { className: "tools" }, button),
  );
}

/**
 * Returns a colour "#RRGGBB" with an opacity.
 * @param {string} color
 * @param {number} alpha
 */
function translucent(color, alpha) {
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
  return `rgba(${r},${g},${b},${alpha})`;
}

/**
 * Returns a logarithmic axis of sequence lengths. Labels that would overlap are left out.
 * @param {number[]} lengths ascending
 */
function lengthAxis(lengths) {
  let last = 0;
  const text = lengths.map((length) => {
    if (length < last * 1.6) return "";
    last = length;
    return String(length);
  });
  const pad = 0.08;
  const ends = [Math.log10(lengths[0]) - pad, Math.log10(lengths[lengths.length - 1]) + pad];
  return {
    type: "log",
    tickvals: lengths,
    ticktext: text,
    title: { text: "sequence length, positions" },
    range: lengths.length ? ends : undefined,
  };
}

/**
 * Returns an axis of the values of a measure, logarithmic where the values span a factor of 5.
 * @param {number[]} values
 * @param {Measure} measure
 * @param {boolean} mayBeLogarithmic
 */
function valueAxis(values, measure, mayBeLogarithmic) {
  const positive = values.filter((value) => value > 0);
  const most = Math.max(...positive);
  const least = Math.min(...positive);
  const name = measure.title.replace(/^(Test|Validation) | \(.*\)$/g, "");
  const title = { text: measure.unit ? `${name}, ${measure.unit}` : name };
  if (!(mayBeLogarithmic && positive.length && most / least > 5)) {
    // Quality is drawn over its own range: on an axis from zero, all lines would coincide.
    return measure.key === "quality" ? { title } : { title, rangemode: "tozero" };
  }
  const ticks = [];
  const last = Math.ceil(Math.log10(most));
  for (let decade = Math.floor(Math.log10(least)); decade <= last; decade += 1) {
    for (const digit of [1, 2, 5]) ticks.push(digit * 10 ** decade);
  }
  return { title, type: "log", tickvals: ticks, ticktext: ticks.map((tick) => formatNumber(tick)) };
}
