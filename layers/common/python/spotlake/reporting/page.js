"use strict";
// State, texts and small helpers. Data only ever becomes text nodes and attributes, never markup.

const TEXTS = JSON.parse(document.getElementById("texts").textContent);
const RUNS = JSON.parse(document.getElementById("runs").textContent);
const DATASETS = ["sps", "spot_price", "spot_if"];
const state = { language: navigator.language.toLowerCase().startsWith("ko") ? "ko" : "en", theme: "auto", run: RUNS.length - 1 };

/** The text of that name in the chosen language; {0}, {1} are replaced by the values. */
function say(name, ...values) {
  const text = TEXTS[name];
  if (!text) throw new Error(`no text named ${name}`);
  return text[state.language].replace(/\{(\d)\}/g, (_, number) => values[number]);
}

/** An element with attributes and children (texts or elements). */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value != null) element.setAttribute(name, value);
  element.append(...children.flat().filter((one) => one != null));
  return element;
}

const number = (value, digits = 0) =>
  value == null ? "–" : value.toLocaleString(state.language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
const percent = (value, digits = 1) => (value == null ? "–" : `${number(value, digits)} %`);
const seconds = (value) => (value == null ? "–" : `${number(value, value < 10 ? 1 : 0)} s`);
const megabytes = (value) => (value == null ? "–" : `${number(value)} MB`);
const usd = (value) => (value == null ? "–" : `$${value.toPrecision(3)}`);
const sum = (values) => values.reduce((total, one) => total + one, 0);

function duration(minutes) {
  if (minutes == null) return "–";
  if (minutes < 120) return say("minutes", number(minutes));
  return minutes < 2880 ? say("hours", number(minutes / 60)) : say("days", number(minutes / 1440));
}

function applyTheme() {
  const root = document.documentElement;
  if (state.theme === "auto") root.removeAttribute("data-theme");
  else root.setAttribute("data-theme", state.theme);
  document.getElementById("theme").textContent = say(`theme_${state.theme}`);
}

function draw() {
  document.documentElement.lang = state.language;
  const other = document.getElementById("language");
  other.textContent = state.language === "en" ? "한국어" : "English";
  other.lang = state.language === "en" ? "ko" : "en";
  for (const one of document.querySelectorAll("[data-text]")) one.textContent = say(one.dataset.text);
  for (const one of document.querySelectorAll("[data-label]")) one.setAttribute("aria-label", say(one.dataset.label));
  applyTheme();
  const opened = new Set([...document.querySelectorAll("details[open]")].map((one) => one.id));
  const drawn = sections(RUNS[state.run]);
  document.getElementById("nav").replaceChildren(
    make("ul", {}, drawn.map((one) => make("li", {}, make("a", { href: `#${one.id}` }, one.querySelector("h2").textContent)))),
  );
  document.getElementById("content").replaceChildren(...banners(RUNS[state.run]), ...drawn);
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
}

function start() {
  document.getElementById("language").addEventListener("click", () => {
    state.language = state.language === "en" ? "ko" : "en";
    draw();
  });
  document.getElementById("theme").addEventListener("click", () => {
    state.theme = { auto: "light", light: "dark", dark: "auto" }[state.theme];
    applyTheme();
  });
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return; // phones resize the height while scrolling
    width = innerWidth;
    draw();
  });
  draw();
}
