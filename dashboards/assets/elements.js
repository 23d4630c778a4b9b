// Elements of a page: nodes, tables, selection lists and links. A text never becomes markup.
"use strict";

/**
 * Returns a new element. A name that starts with "on" adds a listener.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | null | undefined)} children
 * @returns {HTMLElement}
 */
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "className") node.className = value;
    else if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/**
 * Returns a text for Plotly, which interprets some HTML in its texts, without any markup.
 * @param {unknown} text
 */
function plain(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

/**
 * Returns the nodes of a text, with the parts between backticks as code.
 * @param {string} text
 */
function withCode(text) {
  return text.split("`").map((part, place) => (place % 2 ? el("code", {}, part) : part));
}

/**
 * Returns a labelled selection list. Options of one group stand together under its name.
 * @param {string} label
 * @param {string[][]} options the text, the value and the group of each
 * @param {string} value the selected value
 * @param {(value: string) => void} onChange
 */
function select(label, options, value, onChange, wide = false) {
  const groups = [...new Set(options.map(([, , group]) => group))];
  const list = el(
    "select",
    {
      name: label,
      onchange: (/** @type {Event} */ event) =>
        onChange(/** @type {HTMLSelectElement} */ (event.target).value),
    },
    ...groups.flatMap((group) => {
      const nodes = options
        .filter(([, , of]) => of === group)
        .map(([text, key]) => el("option", { value: key, selected: key === value }, text));
      return group ? [el("optgroup", { label: group }, ...nodes)] : nodes;
    }),
  );
  return el("label", { className: wide ? "wide" : "" }, label, list);
}

/**
 * @param {TableCell} cell
 * @param {string} alignment
 */
function tableCell(cell, alignment) {
  const isObject = cell !== null && typeof cell === "object" && !(cell instanceof Node);
  const { text, className = "" } = isObject ? cell : { text: cell };
  const content = text instanceof Node ? text : String(text ?? "—");
  return el("td", { className: `${alignment} ${className}` }, content);
}

/**
 * Returns a table in a region that scrolls.
 *
 * Columns are aligned right. The columns in `texts` and `long` are aligned left, and those in
 * `long` wrap. `classes` holds the class of each row.
 * @param {string[]} head
 * @param {TableCell[][]} rows
 * @param {{ caption?: string, texts?: number[], long?: number[], classes?: string[] }} [options]
 */
function table(head, rows, { caption = "", texts = [], long = [], classes = [] } = {}) {
  /** @param {number} column */
  const alignment = (column) =>
    long.includes(column) ? "text long" : texts.includes(column) ? "text" : "";
  const body = rows.map((row, index) =>
    el(
      "tr",
      { className: classes[index] || "" },
      ...row.map((cell, column) => tableCell(cell, alignment(column))),
    ),
  );
  const header = head.map((text, column) =>
    el("th", { className: alignment(column), scope: "col" }, text),
  );
  return el(
    "div",
    { className: "scroll", tabindex: "0", role: "region", "aria-label": caption || "Table" },
    el(
      "table",
      {},
      caption ? el("caption", {}, caption) : null,
      el("thead", {}, el("tr", {}, ...header)),
      el("tbody", {}, ...body),
    ),
  );
}

/**
 * Returns a table with a row for each item. A column has a head, and a cell of an item.
 * @template Item
 * @param {Item[]} items
 * @param {[head: string, cell: (item: Item) => TableCell][]} columns
 * @param {Parameters<typeof table>[2]} [options]
 */
const itemsTable = (items, columns, options) =>
  table(
    columns.map(([head]) => head),
    items.map((item) => columns.map(([, cell]) => cell(item))),
    options,
  );

/** Footnotes of a table: each text once, numbered in the order of its first use. */
class Footnotes {
  /** @type {string[]} */
  texts = [];

  /**
   * Returns content with the numbers of its notes.
   * @param {Node | string} content
   * @param {string[]} notes
   */
  after(content, notes) {
    const numbers = notes.map((note) => {
      if (!this.texts.includes(note)) this.texts.push(note);
      return String(this.texts.indexOf(note) + 1);
    });
    const mark = el("sup", { title: notes.join("; ") }, numbers.join(" "));
    return el("span", {}, content, numbers.length ? mark : null);
  }

  /** Returns the notes below the table; empty without any. */
  list() {
    if (!this.texts.length) return [];
    const items = this.texts.map((text) => el("li", {}, text));
    return [el("ol", { className: "footnotes" }, ...items)];
  }
}

/** @param {string} text */
const note = (text) => el("p", { className: "note" }, ...withCode(text));

/**
 * Returns a folded part of the page.
 * @param {string} summary
 * @param {...Node} children
 */
const folded = (summary, ...children) => el("details", {}, el("summary", {}, summary), ...children);

/**
 * Returns a link to the page of a run.
 * @param {string} run
 * @param {string} [text]
 */
function runLink(run, text) {
  return el("a", { href: address("run", { run }) }, text ?? run);
}
