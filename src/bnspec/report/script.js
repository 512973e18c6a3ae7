"use strict";
// Filters, themes and case pages. Whatever comes from the data becomes text, never markup.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

// The state of the page is the URL's fragment: q, v, diff, case.

const state = () => new URLSearchParams(location.hash.slice(1));

function go(changes, { replace = false } = {}) {
  const next = new URLSearchParams([...state()].filter(([name]) => ["q", "v", "diff", "case"].includes(name)));
  for (const [name, value] of Object.entries(changes)) {
    if (value) next.set(name, value); else next.delete(name);
  }
  const url = "#" + next;
  if (replace) history.replaceState(null, "", url); else history.pushState(null, "", url);
  show();
}

// Cells: [answer, ratio, message, extra], or 0 where there is no row; an answer: [verdict, variant, margin].

function unpacked(cell) {
  if (cell === 0) return { verdict: "not-run", message: "There is no row in the results." };
  const [answer, ratio, message, extra] = cell;
  const [verdict, variant, margin] = data.answers[answer];
  return { verdict, variant, margin, ratio, message: data.texts[message], ...extra };
}

// The matrix and its filters

const entries = new Map(data.lines.map(([id, number, cells]) => [id, { id, number, cells }]));
const rows = [...document.querySelectorAll(".matrix tbody tr:not(.title)")].map((row) => {
  const id = new URLSearchParams(row.querySelector("a").hash.slice(1)).get("case");
  const cells = entries.get(id).cells.map(unpacked);
  const clause = data.clauses[id.split("[")[0]];
  const words = [id, clause.sentence, ...cells.map((cell) => cell.variant)];
  return {
    id, row,
    folded: row.parentElement.classList.contains("folded"),
    verdicts: new Set(cells.map((cell) => cell.verdict)),
    text: [...new Set(words)].join(" ").toLowerCase(),
    differs: differs(cells),
  };
});

function differs(cells) {
  const given = cells.filter((cell) => !["unsupported", "not-run"].includes(cell.verdict));
  return new Set(given.map((cell) => `${cell.verdict} ${cell.variant}`)).size > 1;
}

function filter() {
  const wanted = state();
  const words = (wanted.get("q") || "").toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = (wanted.get("v") || "").split(",").filter(Boolean);
  const onlyDifferences = wanted.get("diff") === "1";
  const active = words.length > 0 || chosen.length > 0 || onlyDifferences;

  if ($("query").value.trim().toLowerCase() !== words.join(" ")) $("query").value = words.join(" ");
  for (const box of document.querySelectorAll("[name=verdict]")) box.checked = chosen.includes(box.value);
  if ($("only-differences")) $("only-differences").checked = onlyDifferences;
  $("clear").disabled = !active;

  let number = 0;
  for (const entry of rows) {
    const fits = words.every((word) => entry.text.includes(word))
      && (chosen.length === 0 || chosen.some((verdict) => entry.verdicts.has(verdict)))
      && (!onlyDifferences || entry.differs);
    entry.row.hidden = !fits;
    number += fits;
  }
  for (const family of document.querySelectorAll(".matrix .family")) {
    const folded = family.nextElementSibling?.classList.contains("folded") ? family.nextElementSibling : null;
    const visible = (body) => body !== null && [...body.rows].some((r) => !r.hidden && !r.classList.contains("title"));
    family.hidden = active && !visible(family) && !visible(folded);
    if (folded === null) continue;
    const box = family.querySelector(".fold input");
    if (active && !("before" in box.dataset)) box.dataset.before = box.checked ? "open" : "";
    if (active) box.checked = visible(folded);
    else if ("before" in box.dataset) { box.checked = box.dataset.before === "open"; delete box.dataset.before; }
  }
  $("nothing").hidden = number > 0 || rows.length === 0;
  const scroll = document.querySelector("#matrix .scroll");
  if (scroll) scroll.hidden = number === 0;
  const told = active ? `${number} of ${rows.length} questions` : `${rows.length} questions`;
  if ($("shown").textContent !== told) $("shown").textContent = told;
}

// The page of a case

function numbers(value, depth = 0) {
  if (!Array.isArray(value)) return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
  if (!value.some(Array.isArray)) return "[" + value.map((item) => numbers(item)).join(", ") + "]";
  const gap = Array.isArray(value[0]) && value[0].some(Array.isArray) ? "\n\n" : "\n";
  return "[" + value.map((item) => numbers(item, depth + 1)).join("," + gap + " ".repeat(depth + 1)) + "]";
}

const shape = (array) => `${array.dtype} ${array.shape.length ? array.shape.join(" × ") : "scalar"}`;

function input(name, number) {
  const array = data.arrays[number];
  const head = make("span", {}, make("code", { textContent: name }), ` ${shape(array)}`);
  if ("summary" in array) return [head, `: ${array.summary}`];
  return [make("details", {}, make("summary", {}, head), make("pre", { textContent: numbers(array.values), tabIndex: 0 }))];
}

function caseParts(made) {
  if (made === null) {
    return [make("p", { className: "note", textContent: "This case is not in the version of the suite that made this page: its data are not known here." })];
  }
  const [why, layer, program, number, tables] = made;
  const properties = data.layers[layer].map(([name, value]) =>
    make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value })));
  const steps = program.map(([name, inputs, options]) => make("li", {},
    make("b", { textContent: name.replaceAll("_", " ") }), " ",
    make("small", { textContent: Object.entries(options).map(([key, value]) => `${key} ${value}`).join(", ") }),
    ...Object.entries(inputs).flatMap(([key, number]) => input(key, number))));
  const rivals = number === 0 ? [] : [
    make("h3", { textContent: `The ${number} answers, and how far they are apart` }),
    ...tables.map((table) => margins(...data.margins[table])),
    make("p", { className: "note", textContent: "What each answer shows where it can be told, everything else as in the reference; and the smallest distance between two answers that differ so, in allowances. ∞ is a discrete difference, such as an error. Below 10 they are not told apart." }),
  ];
  return [
    make("h3", { textContent: "Why these data" }), make("p", { textContent: data.texts[why] }),
    make("h3", { textContent: "Layer" }), make("dl", { className: "strip" }, ...properties),
    make("h3", { textContent: "Program" }), make("ol", { className: "program" }, ...steps),
    ...rivals,
  ];
}

// The variants of an axis below each other: what each shows, and its distance to each one before.
function margins(axis, variants, distances, seen) {
  const head = (textContent, scope) => make("th", { scope, textContent });
  const name = (variant) => variant || "no answer";
  const cell = (distance) => make("td", {
    textContent: distance === null ? "not decided" : distance === "inf" ? "∞" : distance.toLocaleString("en"),
  });
  const line = (variant, number) => {
    const row = number === 0 ? [] : distances[number - 1];
    return make("tr", {}, head(name(variant), "row"), ...seen.map(([, shown]) => make("td", { textContent: shown[number] || "–" })),
      ...row.map(cell), ...Array.from({ length: variants.length - 1 - row.length }, () => make("td")));
  };
  const heads = [axis, ...seen.map(([place]) => place), ...variants.slice(0, -1).map((variant) => `to ${name(variant)}`)];
  return make("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: `Distances of ${axis}` },
    make("table", { className: "margins" },
      make("thead", {}, make("tr", {}, ...heads.map((text) => head(text, "col")))),
      make("tbody", {}, ...variants.map(line))));
}

function pairs(list) {
  return make("dl", { className: "pairs" }, ...list.flatMap(([name, value]) =>
    [make("dt", { textContent: name }), make("dd", {}, ...[value].flat())]));
}

function given(cells) {
  const said = (value) => (value === undefined || value === null ? "–" : String(value));
  const body = make("tbody", {}, ...cells.map((cell, number) => {
    const target = data.targets[number];
    const row = make("tr", {},
      make("th", { scope: "row" }, target.label, " ", make("small", { textContent: target.detail })),
      make("td", {}, make("span", { className: `v ${cell.verdict}`, textContent: cell.verdict }), cell.variant ? ` ${cell.variant}` : ""),
      make("td", { textContent: said(cell.ratio) }),
      make("td", { textContent: said(cell.margin) }),
      make("td", { textContent: cell.index ? `[${cell.index.join(", ")}]` : "–" }));
    if (!cell.message && cell.arrays === undefined) return [row];
    const more = make("td", { colSpan: 5 });
    if (cell.message) more.append(make("p", { className: "message", textContent: cell.message }));
    if (cell.arrays === null) more.append(make("p", { className: "note", textContent: "The arrays are in the results file; they were left out to keep this page small." }));
    else if (cell.arrays) {
      more.append(make("details", {}, make("summary", { textContent: `What ${target.label} showed, by step` }),
        ...Object.entries(cell.arrays).flatMap(([name, value]) =>
          [make("code", { textContent: name }), make("pre", { textContent: numbers(value), tabIndex: 0 })])));
    }
    return [row, make("tr", {}, more)];
  }).flat());
  const head = ["Target", "Verdict", "Ratio", "Margin", "Index"].map((name) => make("th", { scope: "col", textContent: name }));
  return make("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "What each target gave" },
    make("table", {}, make("thead", {}, make("tr", {}, ...head)), body));
}

const quoted = (word) => `'${word.replaceAll("'", `'"'"'`)}'`; // for a shell

function reproducer(id, cells) {
  const first = Math.max(0, cells.findIndex((cell) => !["conforms", "unsupported", "not-run"].includes(cell.verdict)));
  const command = make("pre", { id: "command", tabIndex: 0 });
  const write = (number) => { command.textContent = `${data.targets[number].command} -k ${quoted(id)}`; };
  write(first);
  const choice = make("select", { ariaLabel: "Target of the command" },
    ...data.targets.map((target, number) => make("option", { value: number, selected: number === first, textContent: target.label })));
  choice.addEventListener("change", () => write(choice.value));
  const button = make("button", { type: "button", textContent: "Copy command" });
  button.addEventListener("click", () => copy(command.textContent, command));
  return make("div", { className: "command" }, choice, command, button);
}

let opened = null;

function openCase(id) {
  opened = id;
  const entry = entries.get(id);
  const cells = entry ? entry.cells.map(unpacked) : [];
  const clause = data.clauses[id.split("[")[0]] || {};
  const answered = (variant) => data.targets.filter((_, number) => cells[number].variant === variant).map((target) => target.label).join(", ");
  const variants = Object.entries(clause.variants || {}).map(([name, meaning]) =>
    [name, [meaning, make("small", { textContent: answered(name) })]]);
  $("case-title").textContent = id;
  $("copied").textContent = "";
  $("case-body").replaceChildren(...(entry ? [
    make("p", { className: "sentence", textContent: clause.sentence || "This version of bnspec does not know this clause." }),
    ...(variants.length ? [make("h3", { textContent: "Variants" }), pairs(variants)] : []),
    make("h3", { textContent: "What each target gave" }), given(cells),
    make("p", { className: "note", textContent: "Ratio: the worst error in allowances, up to 1 is right. Margin: the distance between rival answers, in allowances." }),
    make("h3", { textContent: "Run it" }), reproducer(id, cells),
    ...caseParts(entry.number === null ? null : data.cases[entry.number]),
  ] : [make("p", { textContent: "There is no such case in these results." })]));
  const { before, after } = neighbours(id);
  $("previous").disabled = before === undefined;
  $("next").disabled = after === undefined;
  if (!$("case").open) $("case").showModal();
  $("case").scrollTop = 0;
  $("case-title").focus();
}

function neighbours(id) {
  const visible = rows.filter((entry) => !entry.row.hidden).map((entry) => entry.id);
  const at = visible.indexOf(id);
  return { before: at > 0 ? visible[at - 1] : undefined, after: at >= 0 ? visible[at + 1] : undefined };
}

function step(which) {
  const id = neighbours(state().get("case"))[which];
  if (id !== undefined) go({ case: id }, { replace: true });
}

async function copy(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    $("copied").textContent = "Copied.";
  } catch {
    if (shown) getSelection().selectAllChildren(shown);
    $("copied").textContent = shown ? "Selected: press Ctrl+C to copy." : "Copy the address from the address bar.";
  }
}

let followed = false; // the address closed the dialog: its close event, which comes later, must not write it

function closed() {
  if (!followed && state().get("case") !== null) go({ case: null });
  followed = false;
  rows.find((entry) => entry.id === opened)?.row.querySelector("a").focus();
}

// Themes

function dark() {
  return (document.documentElement.style.colorScheme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
}

function nameTheme() { $("theme").textContent = dark() ? "Light theme" : "Dark theme"; }

// What happens when

function show() {
  filter();
  const id = state().get("case");
  if (id !== null) {
    openCase(id);
  } else if ($("case").open) {
    followed = true;
    $("case").close();
  }
}

addEventListener("hashchange", show);
addEventListener("popstate", show);
$("query").addEventListener("input", () => go({ q: $("query").value.trim().replace(/\s+/g, " ") }, { replace: true }));
$("clear").addEventListener("click", () => { $("query").value = ""; go({ q: null, v: null, diff: null }); $("query").focus(); });
$("only-differences")?.addEventListener("change", (event) => go({ diff: event.target.checked ? "1" : null }, { replace: true }));
for (const box of document.querySelectorAll("[name=verdict]")) {
  box.addEventListener("change", () => go({
    v: [...document.querySelectorAll("[name=verdict]:checked")].map((chosen) => chosen.value).join(","),
  }, { replace: true }));
}
document.querySelector(".matrix")?.addEventListener("click", (event) => {
  const row = event.target.closest("tbody tr:not(.title)");
  if (row && !event.target.closest("a") && getSelection().isCollapsed) go({ case: rows.find((entry) => entry.row === row).id });
});
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#case="]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go({ case: new URLSearchParams(link.hash.slice(1)).get("case") });
});
document.querySelector("nav").addEventListener("click", (event) => {
  const section = event.target.hash && document.querySelector(event.target.hash);
  if (!section) return;
  event.preventDefault(); // the fragment keeps the filters
  section.scrollIntoView();
  section.tabIndex = -1;
  section.focus({ preventScroll: true });
});
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea, pre, .scroll");
  if (!$("case").open || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (["j", "ArrowRight"].includes(event.key)) step("after");
  if (["k", "ArrowLeft"].includes(event.key)) step("before");
});
$("previous").addEventListener("click", () => step("before"));
$("next").addEventListener("click", () => step("after"));
$("link").addEventListener("click", () => copy(location.href, null));
$("close").addEventListener("click", () => $("case").close());
$("case").addEventListener("close", closed);
$("case").addEventListener("click", (event) => { if (event.target === $("case")) $("case").close(); });
$("theme").addEventListener("click", () => {
  document.documentElement.style.colorScheme = dark() ? "light" : "dark";
  nameTheme();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", nameTheme);

$("theme").hidden = false;
$("filters").hidden = false;
nameTheme();
show();
