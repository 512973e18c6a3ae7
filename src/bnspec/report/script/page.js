// Themes

function dark() {
  return (document.documentElement.style.colorScheme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
}

function nameTheme() { $("theme").textContent = dark() ? "Light theme" : "Dark theme"; }

// What happens when

function show() {
  const columns = chosen();
  showTargets(columns);
  drawMatrix(columns);
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
$("clear").addEventListener("click", () => { $("query").value = ""; go({ q: null, v: null, diff: null, since: null }); $("query").focus(); });
$("only-differences")?.addEventListener("change", (event) => go({ diff: event.target.checked ? "1" : null }, { replace: true }));
$("since")?.addEventListener("change", () => go({ since: $("since").value }, { replace: true }));
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
  const link = event.target.closest('a[href^="#"]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const fragment = link.getAttribute("href").slice(1);
  event.preventDefault(); // the fragment keeps the filters
  if (fragment.startsWith("case=")) return go({ case: new URLSearchParams(fragment).get("case") });
  const place = $(fragment);
  for (let outer = place.closest("details"); outer; outer = outer.parentElement.closest("details")) outer.open = true;
  place.scrollIntoView();
  place.tabIndex = -1;
  place.focus({ preventScroll: true });
});
for (const opener of document.querySelectorAll(".choose")) opener.addEventListener("click", () => $("chooser").showModal());
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}
$("newest").addEventListener("click", () => choose(data.shown));
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea, pre, .scroll");
  if (!$("case").open || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (["j", "ArrowRight"].includes(event.key)) step("after");
  if (["k", "ArrowLeft"].includes(event.key)) step("before");
});
$("previous").addEventListener("click", () => step("before"));
$("next").addEventListener("click", () => step("after"));
$("link").addEventListener("click", () => copy(location.href, null));
$("case").addEventListener("close", closed);
$("theme").addEventListener("click", () => {
  document.documentElement.style.colorScheme = dark() ? "light" : "dark";
  nameTheme();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", nameTheme);

$("theme").hidden = false;
$("filters").hidden = false;
if ($("every-chip")) $("every-chip").hidden = true;
for (const opener of document.querySelectorAll(".choose")) opener.hidden = everyColumn.length < 2;
drawChooser();
if ($("since")) drawSince();
nameTheme();
show();
