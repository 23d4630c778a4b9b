// The legend: a line of each entry in its colour, symbol and dash, and a box that shows or hides it.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

/**
 * Returns an element of a drawing.
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...Element} children
 */
function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/**
 * Returns a short line as the figures draw it.
 * @param {Line} line
 */
function lineSample({ color, outline, dash }) {
  const dashes = dash === "solid" ? "none" : dash.replace(/px/g, "");
  const stroke = { stroke: color, "stroke-width": 2, "stroke-dasharray": dashes };
  return svg(
    "svg",
    { class: "sample", viewBox: "0 0 50 10", width: 50, height: 10, "aria-hidden": "true" },
    svg("line", { x1: 0, y1: 5, x2: 50, y2: 5, ...stroke }),
    svg("path", { d: outline, fill: color, transform: "translate(20 0)" }),
  );
}

/**
 * Returns the name of a line, which says on hovering what it is; a control is in italics.
 * @param {Line} line
 */
const entryLabel = ({ name, control, about }) =>
  el(
    control ? "em" : "span",
    { title: about },
    ...name.split(/(?<=_)/).flatMap((part) => [part, el("wbr", {})]), // long names break there
  );

/**
 * Returns a legend without boxes, for a figure that always draws these lines.
 * @param {Line[]} lines
 */
function plainLegend(lines) {
  const items = lines.map((line) => el("li", {}, lineSample(line), entryLabel(line)));
  return el("ul", { className: "legend", "aria-label": "Lines" }, ...items);
}

/**
 * Returns a button that shows or hides all lines of a legend.
 * @param {number[]} lines
 * @param {boolean} shown whether the lines are shown afterwards
 */
function buttonForAll(lines, shown) {
  const text = shown ? "all" : "none";
  const onclick = () => {
    const names = hiddenNames(state());
    for (const line of lines) {
      if (shown) names.delete(data.lines[line].name);
      else names.add(data.lines[line].name);
    }
    change({ without: [...names].join("|") });
  };
  const label = shown ? "Show all lines" : "Hide all lines";
  const about = { type: "button", name: `${text} lines`, "aria-label": label, onclick };
  return el("button", about, text);
}

/**
 * Returns a legend with a box for each line.
 * @param {State} values
 * @param {number[]} lines
 * @param {number[]} [first] the lines that come first, in bold
 */
function legend(values, lines, first = []) {
  const hidden = hiddenLines(values);
  const rest = lines.filter((line) => !first.includes(line));
  const boxes = [...first, ...rest].map((number) => {
    const line = data.lines[number];
    const box = el("input", {
      type: "checkbox",
      name: `line ${line.name}`,
      checked: !hidden.has(number),
      onchange: (/** @type {Event} */ event) => {
        const names = hiddenNames(state());
        if (/** @type {HTMLInputElement} */ (event.target).checked) names.delete(line.name);
        else names.add(line.name);
        change({ without: [...names].join("|") });
      },
    });
    const className = first.includes(number) ? "first" : "";
    return el("label", { className }, box, lineSample(line), entryLabel(line));
  });
  return el(
    "fieldset",
    { className: "legend" },
    el("legend", {}, "Lines; controls are in italics"),
    ...boxes,
    buttonForAll(lines, true),
    buttonForAll(lines, false),
  );
}
