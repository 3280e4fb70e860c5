"use strict";
// What the start page can do beyond being read: copy a rule, compare two segments, try other
// assumptions, find one customer's segment. Nothing is loaded, stored or sent.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);
  const data = JSON.parse(one("#data").textContent);
  const written = (value, digits = 0) =>
    Number.isFinite(value)
      ? value.toLocaleString("en-GB", { minimumFractionDigits: digits, maximumFractionDigits: digits })
      : "–";
  for (const part of all(".scripted")) part.hidden = false;

  // --- links into what is folded -----------------------------------------------------------------
  const unfold = (hash) => {
    const target = document.getElementById(hash.slice(1));
    for (let fold = target?.closest("details"); fold; fold = fold.parentElement.closest("details")) {
      fold.open = true;
    }
  };
  for (const link of all('a[href^="#"]')) link.addEventListener("click", () => unfold(link.hash));
  unfold(location.hash);

  // --- rules -------------------------------------------------------------------------------------
  for (const button of all("button.copy")) {
    button.addEventListener("click", async () => {
      const rule = one("code", button.parentElement);
      try {
        await navigator.clipboard.writeText(rule.textContent);
      } catch {
        getSelection().selectAllChildren(rule);
        document.execCommand("copy");
      }
      button.firstChild.textContent = "Copied";
      setTimeout(() => { button.firstChild.textContent = "Copy"; }, 2000);
    });
  }

  // --- two segments side by side -----------------------------------------------------------------
  const profile = one("#profile");
  const compare = () => {
    const chosen = all("#compare select").map((select) => select.value);
    const two = chosen.every(Boolean) && chosen[0] !== chosen[1];
    for (const cell of all("[data-segment]", profile)) {
      cell.hidden = two && !chosen.includes(cell.dataset.segment);
    }
    for (const cell of all(".difference", profile)) cell.hidden = !two;
    const effect = (row, segment) =>
      parseFloat(one(`[data-segment="${segment}"]`, row).dataset.effect ?? "");
    const rows = all("tbody tr", profile).map((row) => {
      const gap = two ? effect(row, chosen[0]) - effect(row, chosen[1]) : NaN;
      one(".difference", row).textContent =
        `${gap > 0 ? "+" : ""}${written(gap, 1).replace("-", "−")}`;
      return { row, order: two ? -Math.abs(gap) || 0 : Number(row.dataset.place) };
    });
    rows.sort((a, b) => a.order - b.order);
    one("tbody", profile).append(...rows.map(({ row }) => row));
  };
  for (const select of all("#compare select")) select.addEventListener("change", compare);

  // --- other assumptions -------------------------------------------------------------------------
  // Inverse of the sample size for two shares after the arcsine transform (Cohen 1988).
  const detectable = (response, control, contacted) => {
    if (!(control > 0 && contacted > 0)) return NaN;
    const angle =
      Math.asin(Math.sqrt(response)) + (data.effect / 2) * Math.sqrt(1 / control + 1 / contacted);
    return angle < Math.PI / 2 ? Math.sin(angle) ** 2 - response : NaN;
  };
  // The smallest part left alone that shows the uplift: share x (1 - share) x customers is enough.
  const needed = (response, uplift, customers) => {
    const effect = 2 * (Math.asin(Math.sqrt(response + uplift)) - Math.asin(Math.sqrt(response)));
    const room = 0.25 - (data.effect / effect) ** 2 / customers;
    return room >= 0 ? `${written(100 * (0.5 - Math.sqrt(room)))}%` : "none is enough";
  };
  const assume = () => {
    const [response, uplift, share] = all("#assumptions .percent").map((i) => i.valueAsNumber / 100);
    const value = one("#assumptions .value").valueAsNumber;
    for (const row of all("#whatif tbody tr")) {
      const customers = Number(row.dataset.customers);
      // The lists as they were drawn, until another share is tried.
      const drawn = one("#assumptions .share").value === one("#assumptions .share").defaultValue;
      const control = drawn ? Number(row.dataset.control) : Math.round(customers * share);
      const contacted = customers - control;
      const visible = detectable(response, control, contacted);
      const added = contacted * uplift;
      const texts = {
        contacted: written(contacted),
        control: written(control),
        visible: written(100 * visible, 1),
        shows: visible <= uplift ? "yes" : "no",
        detectable: written(100 * detectable(response, customers / 2, customers / 2), 1),
        needed: needed(response, uplift, customers),
        responses: written(contacted * (response + uplift)),
        added: written(added),
        value: written(added * value),
      };
      for (const cell of all("[data-out]", row)) cell.textContent = texts[cell.dataset.out];
    }
  };
  for (const input of all("#assumptions input")) input.addEventListener("input", assume);
  if (one("#assumptions")) assume();

  // --- one customer ------------------------------------------------------------------------------
  const operations = {
    Add: (a, b) => a + b,
    Sub: (a, b) => a - b,
    Mult: (a, b) => a * b,
    Div: (a, b) => a / b,
    Pow: (a, b) => a ** b,
    USub: (a) => -a,
    Eq: (a, b) => Number(a) === Number(b),
    NotEq: (a, b) => Number(a) !== Number(b),
    Lt: (a, b) => a < b,
    LtE: (a, b) => a <= b,
    Gt: (a, b) => a > b,
    GtE: (a, b) => a >= b,
    And: (...parts) => parts.every(Boolean),
    Or: (...parts) => parts.some(Boolean),
    Not: (a) => !a,
    abs: Math.abs,
    log1p: Math.log1p,
    max: Math.max,
    min: Math.min,
    ratio: (a, b) => (b === 0 ? 0 : a / b),
    missing: Number.isNaN,
    sign: Math.sign,
    sqrt: Math.sqrt,
    where: (condition, a, b) => (condition ? a : b),
  };
  const evaluate = (formula, known) => {
    if (typeof formula === "string") return known[formula];
    if (formula === null) return NaN;
    if (!Array.isArray(formula)) return formula;
    const [name, ...parts] = formula;
    return operations[name](...parts.map((part) => evaluate(part, known)));
  };
  const nearest = (columns) => {
    const { steps, features, centres } = data.finder;
    const known = { ...columns };
    for (const step of steps) {
      const found = Object.entries(step).map(([name, formula]) => [name, evaluate(formula, known)]);
      Object.assign(known, Object.fromEntries(found));
    }
    const distances = centres.map((centre) =>
      Math.sqrt(centre.reduce((sum, at, i) => sum + (known[features[i]] - at) ** 2, 0)));
    const order = distances.map((_, i) => i).sort((a, b) => distances[a] - distances[b]);
    return { order, distances };
  };
  const find = () => {
    const fields = all("#finder [data-column]");
    const columns = Object.fromEntries(
      fields.map((field) => [field.dataset.column, field.value === "" ? NaN : Number(field.value)]));
    const output = one("#finder output");
    if (fields.every((field) => field.value === "")) {
      output.textContent = "";
      return;
    }
    const { order: [first, second], distances } = nearest(columns);
    const { names, limits } = data.finder;
    if (!Number.isFinite(distances[first])) {
      output.textContent = "These values cannot be assigned.";
      return;
    }
    const ratio = distances[second] > 0 ? distances[first] / distances[second] : 1;
    const { quantile } = data.finder;
    const outlier = distances[first] > limits[first]
      ? ` Outlier: farther from the centre than ${written(100 * quantile, 1)}% of its segment.` : "";
    output.textContent = `${names[first]}, confidence ${written(1 - ratio, 2)}; `
      + `second-nearest: ${names[second]}.${outlier}`;
  };
  for (const field of all("#finder [data-column]")) field.addEventListener("input", find);
})();
