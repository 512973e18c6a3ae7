// Which targets stand side by side. Lineages: [id, title, what stands before versions, versions], in the order of the columns.

const lineages = [];
for (const [id, title, before, versions] of data.lineages) {
  const first = lineages.length ? lineages.at(-1).columns.at(-1) + 1 : 0;
  lineages.push({ id, title, before, versions, columns: versions.map((_, at) => first + at) });
}
const everyColumn = data.targets.map((_, number) => number);

// In the address: `lineage:version,version;lineage:*`, of the lineage of which other versions are shown than at first.

function chosen() {
  const text = state().get("targets");
  if (text === null) return data.shown;
  const asked = new Map(text.split(";").map((part) => part.split(":")).map(([id, names = ""]) => [decoded(id), names]));
  const found = lineages.flatMap(({ id, versions, columns }) => {
    if (!asked.has(id)) return columns.filter((number) => data.shown.includes(number));
    const names = asked.get(id).split(",").map(decoded);
    return names.includes("*") ? columns : columns.filter((_, at) => names.includes(versions[at]));
  });
  return found.length ? found : data.shown;
}

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

function address(numbers) {
  return lineages.map(({ id, versions, columns }) => {
    const mine = columns.filter((number) => numbers.includes(number));
    if (String(mine) === String(columns.filter((number) => data.shown.includes(number)))) return null;
    const names = mine.length === columns.length ? "*" : mine.map((number) => encodeURIComponent(versions[number - columns[0]])).join(",");
    return `${encodeURIComponent(id)}:${names}`;
  }).filter(Boolean).join(";");
}

// Targets by their names: versions that follow each other in a lineage as the first and the last.
function called(numbers) {
  return lineages.map(({ before, versions, columns }) => {
    const mine = columns.filter((number) => numbers.includes(number));
    if (mine.length === 1) return data.targets[mine[0]].label;
    const runs = [];
    for (const number of mine) {
      if (runs.length && runs.at(-1).at(-1) === number - 1) runs.at(-1).push(number); else runs.push([number]);
    }
    const name = (number) => versions[number - columns[0]];
    return runs.length ? `${before} ${runs.map((run) => (run.length === 1 ? name(run[0]) : `${name(run[0])} … ${name(run.at(-1))}`)).join(", ")}`.trim() : null;
  }).filter(Boolean).join("; ");
}

const choose = (numbers) => go({ targets: address(numbers) }, { replace: true });

// The dialog with a box for every target

const boxes = everyColumn.map((number) => make("input", { type: "checkbox", name: "target", value: number }));

function only(columns, kept) {
  choose(everyColumn.filter((number) => (columns.includes(number) ? kept.includes(number) : boxes[number].checked)));
}

function button(textContent, name, action) {
  const made = make("button", { type: "button", textContent, ariaLabel: `${textContent}: ${name}` });
  made.addEventListener("click", action);
  return made;
}

function drawChooser() {
  const groups = lineages.map(({ title, versions, columns }) => make("fieldset", {},
    make("legend", { textContent: title }),
    ...columns.map((number, at) => make("label", { className: "chip", title: data.targets[number].name }, boxes[number], make("span", { textContent: versions[at] }))),
    ...(columns.length === 1 ? [] : [
      button("All", title, () => only(columns, columns)),
      button("Newest", title, () => only(columns, columns.slice(-1))),
      button("None", title, () => only(columns, []))])));
  for (const box of boxes) box.addEventListener("change", () => choose(everyColumn.filter((number) => boxes[number].checked)));
  $("chooser-body").replaceChildren(...groups);
}

const sheet = new CSSStyleSheet();
document.adoptedStyleSheets = [sheet];

// Hide, in the tables that have all targets, those that are not chosen; tell how many are shown.
function showTargets(numbers) {
  for (const box of boxes) box.checked = numbers.includes(Number(box.value));
  const hidden = everyColumn.filter((number) => !numbers.includes(number)).map((number) => `:nth-child(${number + 2})`);
  sheet.replaceSync(hidden.length ? `.wide tr > :is(${hidden.join(", ")}) { display: none; }` : "");
  for (const table of document.querySelectorAll(".wide")) table.classList.add("chosen");
  const told = numbers.length === everyColumn.length ? `All ${numbers.length} targets are shown.` : `${numbers.length} of ${everyColumn.length} targets are shown.`;
  for (const place of document.querySelectorAll(".how-many")) if (place.textContent !== told) place.textContent = told;
}
