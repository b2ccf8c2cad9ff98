(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const toolbar = $("toolbar"), search = $("search"), verdict = $("by-verdict"), level = $("by-level"),
    doc = $("by-document"), shown = $("shown"), unfold = $("unfold"), found = $("found"), source = $("data");
  const most = 200;
  const cases = [...document.querySelectorAll(".case")];
  const groups = [...document.querySelectorAll(".group")];
  const text = new Map();

  // What was too much to be elements: [as many characters as the last id, the rest of the id, class, level, document, title, why]
  let data = null;
  const classes = { pass: "pass", fail: "fail", warn: "warn", error: "error", known: "known", na: "not-advertised", skip: "skipped" };
  const read = () => {
    if (data || !source) return data || [];
    const all = JSON.parse(source.textContent);
    let last = "";
    data = all.cases.map(([same, rest, look, level, doc, title, why]) => {
      last = last.slice(0, same) + rest;
      return { id: last, look, verdict: classes[look], level, document: all.documents[doc], title: all.titles[title], why: why || "" };
    });
    return data;
  };
  const line = (it) => {
    const item = document.createElement("li");
    item.id = it.id;
    const badge = document.createElement("span");
    badge.className = "badge " + it.look;
    badge.textContent = it.verdict;
    const title = document.createElement("span");
    title.textContent = " " + it.title + (it.why ? ": " + it.why : "");
    const id = document.createElement("code");
    id.className = "id";
    id.textContent = it.id;
    item.append(badge, title, id);
    return item;
  };

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const any = words.length || verdict.value || level.value || doc.value;
    const fits = (it, full) =>
      (!verdict.value || it.verdict === verdict.value) &&
      (!level.value || it.level === level.value) &&
      (!doc.value || it.document === doc.value) &&
      words.every((word) => full().includes(word));
    let count = 0;
    for (const it of cases) {
      const full = () => {
        if (!text.has(it)) text.set(it, it.textContent.toLowerCase());
        return text.get(it);
      };
      const take = fits(it.dataset, full);
      it.hidden = !take;
      count += take;
    }
    for (const group of groups) {
      const inside = [...group.querySelectorAll(".case")];
      const some = inside.some((it) => !it.hidden);
      group.hidden = inside.length ? !some : Boolean(any);
      if (group.classList.contains("quiet") && any && some) group.open = true;
    }
    if (found && source) {
      found.replaceChildren();
      if (any) {
        let more = 0;
        for (const it of read()) {
          if (!fits(it, () => (it.id + " " + it.title + " " + it.why).toLowerCase())) continue;
          if (found.childElementCount < most) found.append(line(it)); else more += 1;
          count += 1;
        }
        if (more) {
          const item = document.createElement("li");
          item.textContent = "… and " + more.toLocaleString() + " more; narrow the search";
          found.append(item);
        }
      }
    }
    shown.textContent = any ? count.toLocaleString() + " shown" : "";
  };

  let waiting = 0;
  const soon = () => { clearTimeout(waiting); waiting = setTimeout(filter, 120); };
  search.addEventListener("input", soon);
  for (const it of [verdict, level, doc]) it.addEventListener("change", filter);
  toolbar.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      search.focus();
    }
  });
  let unfolded = false;
  unfold.addEventListener("click", () => {
    unfolded = !unfolded;
    unfold.textContent = unfolded ? "Fold all" : "Unfold all";
    for (const it of cases) if (!it.hidden && it.closest("#details")) it.open = unfolded;
    for (const it of groups) if (!it.hidden && it.classList.contains("quiet")) it.open = unfolded;
  });

  // A link to a case opens it.
  const follow = () => {
    let id = "";
    try { id = decodeURIComponent(location.hash.slice(1)); } catch { return; }
    if (!id) return;
    let target = $(id);
    if (!target && source && read().some((it) => it.id === id)) {
      search.value = id;
      filter();
      target = $(id);
    }
    if (!target) return;
    if (target.hidden) {
      search.value = verdict.value = level.value = doc.value = "";
      filter();
    }
    for (let it = target; it; it = it.parentElement) if (it.tagName === "DETAILS") it.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", follow);

  // Copying needs a script, and so do its buttons.
  for (const block of document.querySelectorAll(".copy")) {
    const row = document.createElement("div");
    row.className = "copied";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copier";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy the command");
    block.replaceWith(row);
    row.append(block, button);
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(block.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(block);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }

  toolbar.hidden = false;
  follow();
})();
