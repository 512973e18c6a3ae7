// The matrix: drawn anew where other targets are chosen than it was made with; and its filters.

const clauseOrder = Object.keys(data.clauses);
const clauseOf = (id) => id.split("[")[0];
let drawn = data.shown;
let rows = rowsOf(document.querySelectorAll("#matrix tbody tr:not(.title)"));

function rowsOf(lines) {
  return [...lines].map((row) => {
    const entry = entries.get(new URLSearchParams(row.querySelector("a").hash.slice(1)).get("case"));
    return { id: entry.id, row, entry, ...words(entry, drawn) };
  });
}

// What the filters ask of a question: the verdicts and the text of some of its cells, and whether they differ.
function words(entry, columns) {
  const cells = columns.map((number) => unpacked(entry.cells[number]));
  const text = new Set([entry.id, data.clauses[clauseOf(entry.id)].sentence, ...cells.map((cell) => cell.variant)]);
  return { verdicts: new Set(cells.map((cell) => cell.verdict)), text: [...text].join(" ").toLowerCase(), differs: differs(cells) };
}

function drawMatrix(columns) {
  const table = document.querySelector(".matrix");
  if (table === null || String(columns) === String(drawn)) return;
  drawn = columns;
  const families = Map.groupBy(entries.values(), ({ id }) => id.split(".")[0]);
  const head = columns.map((number) => {
    const { name, head, below } = data.targets[number];
    return make("th", { scope: "col", title: name }, head, make("small", { textContent: below }));
  });
  table.tHead.rows[0].replaceChildren(table.tHead.rows[0].cells[0], ...head);
  table.replaceChildren(table.tHead, ...[...families].flatMap(([name, members]) => drawFamily(name, members, columns)));
  table.parentElement.classList.remove("fits");
  rows = rowsOf(table.querySelectorAll("tbody tr:not(.title)"));
}

function drawFamily(name, members, columns) {
  const lines = members.map((entry) => {
    const cells = columns.map((number) => unpacked(entry.cells[number]));
    const apart = differs(cells);
    const agreed = cells.length > 1 && !apart && cells.every((cell) => absent(cell) || cell.verdict === "conforms");
    return { entry, cells, apart, agreed, place: clauseOrder.indexOf(clauseOf(entry.id)) };
  });
  lines.sort((one, other) => other.apart - one.apart || one.place - other.place);
  const shown = lines.filter((line) => !line.agreed), folded = lines.filter((line) => line.agreed);
  const told = make("div", {}, make("h3", { textContent: name }), make("span", { textContent: `${lines.filter((line) => line.apart).length} differ` }));
  if (folded.length) {
    told.append(make("label", { className: "fold" }, make("input", { type: "checkbox" }), make("span", { textContent: `${folded.length} where all agree` })));
  }
  const title = make("tr", { className: "title" }, make("th", { scope: "rowgroup", colSpan: columns.length + 1 }, told));
  return [
    make("tbody", { className: "family" }, title, ...shown.map((line, at) => make("tr", {}, head(line, shown[at - 1]), ...cellsOf(line.cells)))),
    ...(folded.length ? [make("tbody", { className: "folded" }, ...folded.map((line, at) => make("tr", {}, head(line, folded[at - 1]), common(line.cells, columns))))] : []),
  ];
}

function head({ entry: { id }, place }, before) {
  const [clause, situation] = id.slice(0, -1).split("[");
  const link = make("a", { href: `#${new URLSearchParams({ case: id })}` }, clause.split(".")[1], " ", make("i", { textContent: situation }));
  return make("th", { scope: "row", className: before?.place === place ? "again" : "" }, link);
}

function cellsOf(cells) {
  const counts = new Map();
  for (const cell of cells) if (!absent(cell)) counts.set(answer(cell), (counts.get(answer(cell)) ?? 0) + 1);
  const most = [...counts].filter(([, count]) => count === Math.max(...counts.values())).map(([given]) => given);
  return cells.map((cell) => verdictCell(cell, !absent(cell) && most.length === 1 && answer(cell) !== most[0]));
}

function verdictCell(cell, odd) {
  const small = [cell.variant ? cell.verdict : null, cell.ratio == null ? null : ratio(cell.ratio)].filter(Boolean).join(" ");
  const made = make("td", { className: odd ? `${cell.verdict} odd` : cell.verdict }, cell.variant ?? cell.verdict);
  if (small) made.append(make("small", { textContent: small }));
  return made;
}

function common(cells, columns) {
  const given = cells.filter((cell) => !absent(cell));
  const silent = Map.groupBy(columns.filter((_, at) => absent(cells[at])), (number) => cells[columns.indexOf(number)].verdict);
  const quiet = [...silent].map(([verdict, numbers]) => `; ${verdict}: ${numbers.length > 4 ? numbers.length : numbers.map((number) => data.targets[number].label).join(", ")}`);
  const told = given.length === cells.length ? `all ${cells.length}` : `${given.length} of ${cells.length}${quiet.join("")}`;
  const made = verdictCell({ ...(given[0] ?? cells[0]), ratio: null }, false);
  made.colSpan = columns.length;
  made.append(" ", make("small", { textContent: told }));
  return made;
}

const ratio = (number) => (typeof number === "string" ? number.replace("inf", "∞") : number < 1000 ? String(number) : number.toExponential(1).replace("e+", "e"));

// The filters

function filter() {
  const wanted = state();
  const terms = (wanted.get("q") || "").toLowerCase().split(/\s+/).filter(Boolean);
  const verdicts = (wanted.get("v") || "").split(",").filter(Boolean);
  const onlyDifferences = wanted.get("diff") === "1";
  const later = since(wanted.get("since"));
  const active = terms.length > 0 || verdicts.length > 0 || onlyDifferences || later !== null;

  if ($("query").value.trim().toLowerCase() !== terms.join(" ")) $("query").value = terms.join(" ");
  for (const box of document.querySelectorAll("[name=verdict]")) box.checked = verdicts.includes(box.value);
  if ($("only-differences")) $("only-differences").checked = onlyDifferences;
  if ($("since")) $("since").value = later === null ? "" : wanted.get("since");
  $("clear").disabled = !active;

  const fits = (about) => terms.every((word) => about.text.includes(word))
    && (verdicts.length === 0 || verdicts.some((verdict) => about.verdicts.has(verdict)))
    && (!onlyDifferences || about.differs);
  let number = 0, elsewhere = 0;
  for (const line of rows) {
    const changed = later === null || changes(later.map((column) => unpacked(line.entry.cells[column])));
    const fitting = changed && fits(line);
    line.row.hidden = !fitting;
    number += fitting;
    if (active && changed && !fitting && drawn.length < everyColumn.length) {
      elsewhere += fits(line.entry.words ??= words(line.entry, everyColumn));
    }
  }
  foldFamilies(active);
  $("nothing").hidden = number > 0 || rows.length === 0;
  const scroll = document.querySelector("#matrix .scroll");
  if (scroll) scroll.hidden = number === 0;
  const told = active ? `${number} of ${rows.length} questions` : `${rows.length} questions`;
  const more = elsewhere ? `; ${elsewhere} more fit a target that is not shown` : "";
  if ($("shown").textContent !== told + more) $("shown").textContent = told + more;
}

// Whether versions answer differently; here it counts that one has no words for it.
const changes = (cells) => new Set(cells.filter((cell) => cell.verdict !== "not-run").map(answer)).size > 1;

// The columns of a lineage from one target on; null where none is named.
function since(name) {
  const number = data.targets.findIndex((target) => target.name === name);
  const home = lineages.find(({ columns }) => columns.includes(number));
  return home ? home.columns.filter((column) => column >= number) : null;
}

function foldFamilies(active) {
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
}

function drawSince() {
  const groups = lineages.filter(({ columns }) => columns.length > 1).map(({ title, versions, columns }) => make("optgroup", { label: title },
    ...columns.slice(0, -1).map((number, at) => make("option", { value: data.targets[number].name, textContent: `${title} ${versions[at]}` }))));
  if (groups.length) $("since").append(...groups); else $("since").closest("p").remove();
}
