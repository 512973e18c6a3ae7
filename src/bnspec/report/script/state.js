"use strict";
// Filters, themes and case pages. Whatever comes from the data becomes text, never markup.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

// The state of the page is the URL's fragment: search, verdicts, only differences, changed since, targets, case.

const NAMES = ["q", "v", "diff", "since", "targets", "case"];
const state = () => new URLSearchParams(location.hash.slice(1));

function go(changes, { replace = false } = {}) {
  const next = new URLSearchParams([...state()].filter(([name]) => NAMES.includes(name)));
  for (const [name, value] of Object.entries(changes)) {
    if (value) next.set(name, value); else next.delete(name);
  }
  const url = "#" + next;
  if (replace) history.replaceState(null, "", url); else history.pushState(null, "", url);
  show();
}

// Cells: [answer, ratio, message, extra], 0 where there is no row, 1 for the cell before it; an answer: [verdict,
// variant, margin].

const entries = new Map(data.lines.map(([id, number, cells, claims, silent]) => {
  cells.forEach((cell, at) => { if (cell === 1) cells[at] = cells[at - 1]; });
  return [id, { id, number, cells, claims, silent }];
}));

function unpacked(cell) {
  if (cell === 0) return { verdict: "not-run", message: "There is no row in the results." };
  const [answer, ratio, message, extra] = cell;
  const [verdict, variant, margin] = data.answers[answer];
  return { verdict, variant, margin, ratio, message: data.texts[message], ...extra };
}

// What is compared: two targets that answer alike may document differently.
const answer = (cell) => `${cell.verdict === "drifts" ? "conforms" : cell.verdict} ${cell.variant ?? ""}`;
const absent = (cell) => cell.verdict === "unsupported" || cell.verdict === "not-run";

// Whether two targets that answered gave different answers.
const differs = (cells) => new Set(cells.filter((cell) => !absent(cell)).map(answer)).size > 1;
