// Figures: a title, a plot, a caption, and downloads as CSV, PNG and SVG.
"use strict";

/** An image is on white paper in both themes. */
const IMAGE_COLORS = { ink: "#1a1a1a", rule: "#d4d7dd", paper: "#ffffff" };
/** The size of an image in CSS pixels; a PNG has twice as many pixels on each side. */
const IMAGE_SIZE = { width: 960, height: 540, tallHeight: 680 };
/** The height of an entry in the legend of an image. */
const ENTRY_HEIGHT = 20;
/** The most characters that labels of an axis may have side by side in the narrowest figure. */
const MOST_CHARACTERS = 26;
/** A line of a title that has more than the 100 characters that fit in the width of an image. */
const TITLE_LINE = /(?=.{101})(.{1,100}) /g;
/** The same for the smaller lines below, which say where the figures come from. */
const SOURCE_LINE = /(?=.{141})(.{1,140}) /g;

/** @param {string} name @param {Value[][]} rows */
function downloadCsv(name, rows) {
  /** @param {Value} value */
  const quote = (value) => {
    const plain = String(value ?? "");
    // A spreadsheet would run a text that looks like a formula.
    const text = /^[=+\-@\t\r]/.test(plain) && Number.isNaN(Number(plain)) ? `'${plain}` : plain;
    return /[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  const text = `${rows.map((row) => row.map(quote).join(",")).join("\n")}\n`;
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  el("a", { href: url, download: `${name}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/** @param {string} name */
function themeColor(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/**
 * @param {Record<string, unknown>} layout
 * @param {{ ink: string, rule: string, paper: string }} colors
 */
function coloredLayout(layout, { ink, rule, paper }) {
  const axis = { gridcolor: rule, zerolinecolor: rule, linecolor: rule, automargin: true };
  const yaxis = /** @type {{ title?: object }} */ (layout.yaxis ?? {});
  return {
    paper_bgcolor: paper,
    plot_bgcolor: paper,
    font: { color: ink, size: 12 },
    margin: { l: 55, r: 15, t: 10, b: 45 },
    showlegend: false,
    hovermode: "closest",
    dragmode: false,
    ...layout,
    xaxis: { ...axis, .../** @type {object} */ (layout.xaxis) },
    yaxis: { ...axis, ...yaxis, title: { standoff: 8, ...yaxis.title } },
  };
}

/** @param {Comparison} about */
function sourceText({ subject, name, kind, split, batch, machine, model, protocol }) {
  const measured = kind === "costs" ? [batch, machine] : [`${split} split`];
  const further = measured.filter((part) => !name.includes(part));
  const facts = [...further, `model size ${model}`, `protocol ${protocol}`];
  return ["Lengthwise", subject, name, ...facts].join(" · ");
}

/** @param {string} title */
const fileName = (title) => title.toLowerCase().replace(/\W+/g, "-");

/**
 * Downloads the plot of a figure as an image, with its title and source and with a legend of its
 * named traces, since the legend of the page is not part of the plot.
 * @param {FigureOptions} options
 * @param {"png" | "svg"} format
 */
function downloadImage(options, format) {
  const { traces, layout = {}, name, about, tall = false } = options;
  const title = fullTitle(options);
  const named = traces.map((trace, place) => {
    const last = traces.findLastIndex((other) => other.name === trace.name);
    return { ...trace, showlegend: Boolean(trace.name) && last === place };
  });
  const entries = named.filter(({ showlegend }) => showlegend).length;
  const { width, height, tallHeight } = IMAGE_SIZE;
  const source = about ? sourceText(about).replace(SOURCE_LINE, "$1\n").split("\n") : [];
  const below = source.map((part) => `<br><sub>${plain(part)}</sub>`).join("");
  const text = plain(title).replace(TITLE_LINE, "$1<br>") + below;
  const marks = /** @type {{ name?: string }[]} */ (layout.annotations ?? []);
  const image = {
    ...coloredLayout(layout, IMAGE_COLORS),
    annotations: marks.filter((mark) => mark.name !== "end"), // the legend has the names
    title: { text, font: { size: 16 }, x: 0.02, xanchor: "left" },
    margin: { l: 75, r: 15, t: 45 + 15 * Math.max(1, source.length), b: 65 },
    showlegend: entries > 0,
    legend: {},
  };
  return Plotly.downloadImage(
    { data: named, layout: image },
    {
      format,
      filename: fileName(name),
      width,
      height: Math.max(tall ? tallHeight : height, ENTRY_HEIGHT * (entries + 6)),
      scale: format === "png" ? 2 : 1,
    },
  );
}

/** @param {FigureOptions} options */
function csvRows({ rows, about }) {
  if (!about) return rows;
  const source = sourceText(about);
  return rows.map((row, place) => [...row, place ? source : "source"]);
}

/** @param {FigureOptions} options */
function fullTitle({ title, higherIsBetter, better }) {
  if (higherIsBetter === undefined) return better ? `${title} · ${better}` : title;
  return `${title} · ${higherIsBetter ? "higher" : "lower"} is better`;
}

/** @param {FigureOptions} options */
function figure(options) {
  const { traces, layout = {}, name, about, tall = false } = options;
  const title = fullTitle(options);
  const caption = about ? `${options.caption} Model size ${about.model}.` : options.caption;
  const plot = el("div", {
    className: tall ? "plot tall" : "plot",
    role: "img",
    "aria-label": `${title}. ${caption}`,
  });
  /** @type {[format: string, download: () => unknown][]} */
  const downloads = [
    ["CSV", () => downloadCsv(fileName(name), csvRows(options))],
    ["PNG", () => downloadImage(options, "png")],
    ["SVG", () => downloadImage(options, "svg")],
  ];
  const buttons = downloads.map(([format, onclick]) =>
    el(
      "button",
      { type: "button", "aria-label": `Download ${title} as ${format}`, onclick },
      format,
    ),
  );
  const colors = { ink: themeColor("ink"), rule: themeColor("rule"), paper: "rgba(0,0,0,0)" };
  // The plot is drawn when it is in the page, because only then does it have a size.
  queueMicrotask(() =>
    Plotly.newPlot(plot, traces, coloredLayout(layout, colors), {
      displayModeBar: false,
      responsive: true,
    }),
  );
  return el(
    "figure",
    {},
    el("h3", {}, title),
    plot,
    el("figcaption", {}, ...withCode(caption)),
    el("div", { className: "tools" }, ...buttons),
  );
}

/**
 * Returns a logarithmic axis of numbers, and the place of each number on it. A logarithmic axis has
 * no 0: it is drawn left of the other numbers. Labels that would overlap are left out.
 * @param {number[]} numbers ascending
 * @param {string} title
 * @param {(value: number) => string} text the label of a number
 * @param {number} distance the least ratio of two numbers with labels
 */
function numberAxis(numbers, title, text, distance = 1.6) {
  const least = numbers.find((value) => value > 0) ?? 1;
  /** @param {number} value */
  const at = (value) => (value > 0 ? value : least / 4);
  const span = numbers.length ? Math.log2(at(numbers[numbers.length - 1]) / at(numbers[0])) : 0;
  const longest = Math.max(0, ...numbers.map((value) => text(value).split("<")[0].length));
  const apart = Math.max(distance, 2 ** ((span * longest) / MOST_CHARACTERS));
  let last = 0;
  const labels = numbers.map((value) => {
    if (at(value) < last * apart) return "";
    last = at(value);
    return text(value);
  });
  const [from, to] = [numbers[0], numbers.at(-1) ?? 1].map((value) => Math.log10(at(value)));
  const axis = {
    type: "log",
    tickvals: numbers.map(at),
    ticktext: labels,
    tickangle: 0,
    title: { text: title },
    range: numbers.length ? [from - 0.1, to + 0.1] : undefined,
  };
  return { axis, at };
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
  const title = { text: titleWithUnit({ ...measure, title: name }) };
  if (!values.length) return { title, showticklabels: false }; // Plotly would invent a range
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

/**
 * Returns the name of a trace, and the text of each of its points on hovering.
 * @param {string} name
 * @param {string[]} texts
 */
const labelled = (name, texts) => ({
  name: plain(name),
  text: texts.map(plain),
  textposition: "none",
  hovertemplate: "%{text}<extra></extra>",
});

/**
 * Returns the marker of the points of an entry: hollow where other programs disturbed the figure.
 * @param {Entry} entry
 * @param {{ disturbed?: boolean }[]} points
 * @param {number} size
 */
const entryMarker = ({ color, symbol }, points, size) => ({
  color,
  size,
  symbol: points.map(({ disturbed }) => symbol + (disturbed ? "-open" : "")),
});

/**
 * Returns the error bars of points in a direction.
 * @param {Entry} entry
 * @param {Interval[]} points
 */
function errorBars({ color }, points, scale = 1) {
  /** @type {(end: number | null, value: number | null) => number} */
  const distance = (end, value) => Math.abs((end ?? value ?? 0) - (value ?? 0)) / scale;
  return {
    type: "data",
    symmetric: false,
    color,
    thickness: 1,
    width: 3,
    array: points.map(({ high, value }) => distance(high, value)),
    arrayminus: points.map(({ low, value }) => distance(low, value)),
  };
}

/**
 * Returns a figure of cells in colours, each with its text: `values` has a row for each of `names`,
 * and null where a cell has no figure. Darker is better, also where less is.
 * @param {HeatOptions} options
 */
function heatFigure({ columns, names, values, texts, hovers = texts, axes, range, ...options }) {
  const { isPale = true, higherIsBetter } = options;
  const colors = isPale ? ["#f4f8fd", "#74a9dc"] : ["#ffffff", "#123a66"];
  const [first, last] = higherIsBetter === false ? colors.toReversed() : colors;
  const few = isPale ? {} : { nticks: 9 };
  const gap = isPale ? 2 : 0;
  return figure({
    tall: true,
    rows: [[axes[1], ...columns], ...names.map((name, i) => [name, ...values[i]])],
    ...options,
    traces: [
      {
        type: "heatmap",
        colorscale: [
          [0, first],
          [1, last],
        ],
        showscale: false,
        x: columns.map(plain),
        y: names.map(plain),
        z: values,
        zmin: range?.[0],
        zmax: range?.[1],
        text: texts.map((row) => row.map(plain)),
        texttemplate: isPale ? "%{text}" : undefined,
        customdata: hovers.map((row) => row.map(plain)),
        hovertemplate: `${axes[1]} %{y}, ${axes[0]} %{x}: %{customdata}<extra></extra>`,
        textfont: { color: "#111" },
        xgap: gap,
        ygap: gap,
      },
    ],
    layout: {
      xaxis: { type: "category", tickangle: 0, title: { text: axes[0] }, ...few },
      yaxis: { type: "category", autorange: "reversed", title: { text: axes[1] }, ...few },
    },
  });
}
