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

function given(cells, columns) {
  const said = (value) => (value === undefined || value === null ? "–" : String(value));
  const body = make("tbody", {}, ...columns.map((number) => {
    const cell = cells[number];
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

// What the targets gave that are shown, then, folded, the others.
function allGiven(cells) {
  const others = everyColumn.filter((number) => !drawn.includes(number));
  if (others.length === 0) return [given(cells, everyColumn)];
  const more = make("details", {}, make("summary", { textContent: `${others.length} more targets` }));
  more.addEventListener("toggle", () => { if (more.children.length === 1) more.append(given(cells, others)); });
  return [given(cells, drawn), more];
}

// Of every lineage of versions, each answer and the versions that gave it.
function overVersions(cells) {
  const lines = lineages.filter(({ columns }) => columns.length > 1).map(({ title, versions, columns }) => {
    const eras = [];
    for (const [at, number] of columns.entries()) {
      if (at === 0 || answer(cells[number]) !== answer(cells[columns[at - 1]])) eras.push({ cell: cells[number], first: versions[at] });
      eras.at(-1).last = versions[at];
    }
    const told = eras.map(({ cell, first, last }) => make("li", {},
      make("span", { className: `v ${cell.verdict}`, textContent: cell.variant ?? cell.verdict }), " ",
      make("small", { textContent: first === last ? first : `${first} … ${last}` })));
    return make("tr", {}, make("th", { scope: "row", textContent: title }), make("td", {}, make("ol", { className: "eras-list" }, ...told)));
  });
  return lines.length === 0 ? [] : [make("h3", { textContent: "History over versions" }),
    make("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "History over versions" }, make("table", {}, make("tbody", {}, ...lines)))];
}

// What the frameworks document on an axis: the variant, the words, and whose they are.
function documented({ claims, silent }) {
  if (claims === undefined) return [];
  const said = claims.map((number) => {
    const [variant, words, who] = data.claims[number];
    return [variant, [words, make("small", { textContent: who })]];
  });
  const none = data.texts[silent];
  return [make("h3", { textContent: "What the frameworks document" }), ...(said.length ? [pairs(said)] : []),
    ...(none ? [make("p", { className: "note", textContent: `Undocumented: ${none}.` })] : [])];
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
  const answered = (variant) => called(everyColumn.filter((number) => cells[number].variant === variant));
  const variants = Object.entries(clause.variants || {}).map(([name, meaning]) =>
    [name, [meaning, make("small", { textContent: answered(name) })]]);
  $("case-title").textContent = id;
  $("copied").textContent = "";
  $("case-body").replaceChildren(...(entry ? [
    make("p", { className: "sentence", textContent: clause.sentence || "This version of bnspec does not know this clause." }),
    ...(variants.length ? [make("h3", { textContent: "Variants" }), pairs(variants)] : []),
    ...documented(entry),
    make("h3", { textContent: "What each target gave" }), ...allGiven(cells),
    make("p", { className: "note", textContent: "Ratio: the worst error in allowances, up to 1 is right. Margin: the distance between rival answers, in allowances." }),
    ...overVersions(cells),
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
