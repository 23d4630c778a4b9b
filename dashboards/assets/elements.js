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

/** What the foot of the page says of each term of several words. */
const TERMS = new Map(
  [...document.querySelectorAll("footer dt")]
    .filter(({ textContent: name }) => /[ -]/.test(name))
    .map((name) => [name.textContent.toLowerCase(), name.nextElementSibling?.textContent ?? ""]),
);
const TERM = new RegExp(`(${[...TERMS.keys()].join("|")})`, "i");

/**
 * Returns the nodes of a text: the parts between backticks as code, and each term with its meaning,
 * which hovering, a tap or the keyboard shows.
 * @param {string} text
 */
function withCode(text) {
  return text.split("`").flatMap((part, place) => {
    if (place % 2) return [el("code", {}, part)];
    return part.split(TERM).map((word) => {
      const title = TERMS.get(word.toLowerCase());
      return title ? el("abbr", { title, tabindex: "0" }, word) : word;
    });
  });
}

/**
 * Returns a labelled selection list. Options of one group stand together under its name.
 * @param {string} label
 * @param {string[][]} options the text, the value and the group of each
 * @param {string} value the selected value
 * @param {(value: string) => void} onChange
 */
function select(label, options, value, onChange) {
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
  return el("label", {}, label, list);
}

/**
 * Returns a labelled field for a number; a value that is not valid is not taken.
 * @param {string} label
 * @param {Record<string, unknown>} settings
 * @param {(value: string) => void} onChange
 */
function numberField(label, settings, onChange) {
  const onchange = (/** @type {Event} */ event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    if (input.reportValidity()) onChange(input.value);
  };
  return el(
    "label",
    {},
    label,
    el("input", { type: "number", name: label, onchange, ...settings }),
  );
}

/** The number of rows from which on a table has a filter, and the number that it shows at first. */
const FILTERED_ROWS = 12;
const FEW_ROWS = 200;

/**
 * @param {TableCell} cell
 * @param {string} alignment
 * @param {string} head the name of the column, which a stacked row shows beside the cell
 */
function tableCell(cell, alignment, head) {
  const isObject = cell !== null && typeof cell === "object" && !(cell instanceof Node);
  const { text, className = "" } = isObject ? cell : { text: cell };
  const content = text instanceof Node ? text : String(text ?? "—");
  return el("td", { className: `${alignment} ${className}`, "data-head": head }, content);
}

/**
 * Sorts the rows of a table by the numbers at the start of a column's texts, or else by these texts; a
 * second time, in the reversed order.
 * @param {HTMLElement} head the cell of the column's name
 * @param {number} column
 */
function sortRows(head, column) {
  const body = head.closest("table")?.tBodies[0];
  const sign = head.ariaSort === "ascending" ? -1 : 1;
  for (const cell of head.parentElement?.children ?? []) cell.ariaSort = null;
  head.ariaSort = sign < 0 ? "descending" : "ascending";
  const rows = [...(body?.rows ?? [])].map((row) => {
    const text = row.cells[column].textContent;
    return { row, text, number: Number.parseFloat(text.replace(/[~≥≈,]/g, "")) };
  });
  const areNumbers = rows.every(({ number, text }) => text === "—" || !Number.isNaN(number));
  rows.sort((a, b) => {
    const missing = Number(a.text === "—") - Number(b.text === "—");
    return missing || sign * ((areNumbers && a.number - b.number) || a.text.localeCompare(b.text));
  });
  body?.append(...rows.map(({ row }) => row));
}

/**
 * Returns the field that filters the rows of a table by their words, and the button that shows all.
 * @param {HTMLElement[]} rows
 * @param {string} caption
 */
function rowFilter(rows, caption) {
  let most = FEW_ROWS;
  const all = el("button", { type: "button", onclick: () => show(rows.length) });
  const field = el("input", { type: "search", placeholder: "Filter rows", oninput: () => show() });
  field.ariaLabel = `Filter rows: ${caption || "table"}`;
  const show = (limit = most) => {
    most = limit;
    const words = /** @type {HTMLInputElement} */ (field).value.toLowerCase().split(/\s+/);
    const found = rows.filter((row) => {
      const text = row.textContent?.toLowerCase() ?? "";
      return words.every((word) => text.includes(word));
    });
    const shown = new Set(found.slice(0, most));
    for (const row of rows) row.hidden = !shown.has(row);
    all.textContent = `Show all ${found.length.toLocaleString("en-US")} rows`;
    all.hidden = shown.size === found.length;
  };
  show();
  return el("div", { className: "tools" }, field, all);
}

/**
 * Returns a table in a region that scrolls. The name of a column sorts the rows, and a table of many
 * rows has a filter.
 *
 * Columns are aligned right. The columns in `texts` and `long` are aligned left, and those in
 * `long` wrap. `classes` holds the class of each row. On a phone, a `stacked` table has a block for
 * each row.
 * @param {string[]} head
 * @param {TableCell[][]} rows
 * @param {{ caption?: string, texts?: number[], long?: number[], classes?: string[],
 *   stacked?: boolean }} [options]
 */
function table(head, rows, options = {}) {
  const { caption = "", texts = [], long = [], classes = [], stacked } = options;
  /** @param {number} column */
  const alignment = (column) =>
    long.includes(column) ? "text long" : texts.includes(column) ? "text" : "";
  const body = rows.map((row, index) => {
    const cells = row.map((cell, column) => tableCell(cell, alignment(column), head[column]));
    return el("tr", { className: classes[index] || "" }, ...cells);
  });
  const header = head.map((text, column) => {
    const cell = el("th", { className: alignment(column), scope: "col" });
    const onclick = () => sortRows(cell, column);
    const title = TERMS.get(text.split(",")[0].toLowerCase());
    cell.append(el("button", { type: "button", title, onclick }, text));
    return cell;
  });
  return el(
    "div",
    {},
    ...(rows.length > FILTERED_ROWS ? [rowFilter(body, caption)] : []),
    el(
      "div",
      { className: "scroll", tabindex: "0", role: "region", "aria-label": caption || "Table" },
      el(
        "table",
        { className: stacked ? "stacked" : "" },
        caption ? el("caption", {}, ...withCode(caption)) : null,
        el("thead", {}, el("tr", {}, ...header)),
        el("tbody", {}, ...body),
      ),
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

/**
 * Footnotes of a table: each text once, numbered in the order of its first use. Notes that all of
 * several rows share stand once for the table, without a number.
 */
class Footnotes {
  /** @type {string[]} */
  texts = [];

  /** @param {string[][]} notes those of each row */
  constructor(notes) {
    const [first = [], ...others] = notes;
    this.shared = first.filter((text) => others.length && others.every((of) => of.includes(text)));
  }

  /**
   * Returns the notes of a row that not all rows share.
   * @param {string[]} notes
   */
  own(notes) {
    return notes.filter((text) => !this.shared.includes(text));
  }

  /**
   * Returns content with the numbers of its notes.
   * @param {Node | string} content
   * @param {string[]} notes
   */
  after(content, notes) {
    const own = this.own(notes);
    const numbers = own.map((note) => {
      if (!this.texts.includes(note)) this.texts.push(note);
      return String(this.texts.indexOf(note) + 1);
    });
    const mark = el("sup", { title: own.join("; ") }, numbers.join(" "));
    return el("span", {}, content, numbers.length ? mark : null);
  }

  /** Returns the notes below the table; empty without any. */
  list() {
    const items = this.texts.map((text) => el("li", {}, text));
    const { shared } = this;
    return [
      ...(shared.length ? [note(`All rows: ${shared.join("; ")}.`)] : []),
      ...(items.length ? [el("ol", { className: "footnotes" }, ...items)] : []),
    ];
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
