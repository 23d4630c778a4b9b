// Drawing: what every page does at its start and when its state changes.
"use strict";

/** @type {(values: State) => Node[]} */
let renderPage = () => [];

/**
 * Tells screen readers the answer of the page. They read a new text of an element that stays.
 * @param {HTMLElement} content
 */
function announceAnswer(content) {
  const place = /** @type {HTMLElement} */ (document.getElementById("announcement"));
  const texts = [...content.querySelectorAll(".answer")].map(({ textContent }) => textContent);
  const text = texts.join(" ");
  if (place.textContent !== text) place.textContent = text;
}

/** Draws the page again in its present state. */
function redraw() {
  const content = /** @type {HTMLElement} */ (document.getElementById("content"));
  const scrolled = window.scrollY;
  const focused = document.activeElement?.getAttribute("name");
  const nodes = data.comparisons.length
    ? renderPage(state())
    : [el("p", {}, ...withCode("There are no records yet. Run `bench run` first."))];
  content.replaceChildren(...nodes);
  announceAnswer(content);
  window.scrollTo(0, scrolled);
  // All elements are new, so the control that had the keyboard's focus gets it back.
  for (const control of content.querySelectorAll("select, input, button")) {
    if (!focused || control.getAttribute("name") !== focused) continue;
    /** @type {HTMLElement} */ (control).focus({ preventScroll: true });
  }
  document.body.dataset.drawn = String(Number(document.body.dataset.drawn || 0) + 1);
}

/**
 * Shows the page in a theme.
 * @param {string} [theme]
 */
function setTheme(theme = "light") {
  const root = document.documentElement;
  const isNew = root.dataset.theme !== theme;
  root.dataset.theme = theme;
  const button = /** @type {HTMLElement} */ (document.getElementById("theme"));
  button.textContent = theme === "dark" ? "Light" : "Dark";
  if (isNew) redraw();
}

/** Connects the button of the theme. The page is printed in the light theme, for white paper. */
function connectThemes() {
  const { dataset } = document.documentElement;
  let before = dataset.theme;
  setTheme(before);
  document.getElementById("theme")?.addEventListener("click", () => {
    setTheme(dataset.theme === "dark" ? "light" : "dark");
    try {
      localStorage.setItem("lengthwise-theme", dataset.theme ?? "");
    } catch {
      // The browser forbids storage: the choice holds for this page only.
    }
  });
  window.addEventListener("beforeprint", () => {
    before = dataset.theme;
    setTheme("light");
  });
  window.addEventListener("afterprint", () => setTheme(before));
}

/** Makes the links between pages keep the comparison that is shown. */
function connectNavigation() {
  document.querySelector("header nav")?.addEventListener("click", (event) => {
    const link = /** @type {HTMLElement} */ (event.target).closest("a");
    if (!link) return;
    const { run, a, b, ...kept } = state();
    const [page] = (link.getAttribute("href") ?? "").split(".html");
    link.href = address(page, kept);
  });
}

/**
 * Draws the page, now and whenever its state changes.
 * @param {(values: State) => Node[]} render returns the content of the page in a state
 */
function start(render) {
  renderPage = render;
  connectThemes();
  connectNavigation();
  window.addEventListener("hashchange", redraw);
  redraw();
}
