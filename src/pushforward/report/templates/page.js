(() => {
  "use strict";
  const root = document.documentElement;
  const find = (selector, within = document) => [...within.querySelectorAll(selector)];
  const on = (id, act) => {
    const button = document.getElementById(id);
    if (button) { button.hidden = false; button.addEventListener("click", () => act(button)); }
  };

  on("theme", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });

  const closed = () => find("details:not([open])");
  let opened = [];
  addEventListener("beforeprint", () => { opened = closed(); opened.forEach((item) => { item.open = true; }); });
  addEventListener("afterprint", () => opened.forEach((item) => { item.open = false; }));

  const copyByHand = (text) => {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  };
  on("copy", async (button) => {
    const text = document.getElementById("command").textContent;
    try { await navigator.clipboard.writeText(text); } catch { copyByHand(text); }
    button.textContent = "copied";
    setTimeout(() => { button.textContent = "copy the command"; }, 1500);
  });
  on("save", () => {
    const text = JSON.stringify(JSON.parse(document.getElementById("everything").textContent), null, 2);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = "report.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });

  const shuffled = (items) => {
    const out = [...items];
    for (let i = out.length - 1; i > 0; i -= 1) {
      const j = Math.floor(Math.random() * (i + 1));
      [out[i], out[j]] = [out[j], out[i]];
    }
    return out;
  };
  const caption = (panel) => panel.querySelector("figcaption");
  const image = (panel) => panel.querySelector("img");
  const name = (panel, text) => {
    caption(panel).textContent = text;
    if (image(panel)) image(panel).alt = `pictures: ${text}`;
  };
  const groups = find(".panels").map((group) => ({ group, panels: find(".panel", group) }));
  find(".blind").forEach((box) => box.addEventListener("change", () => {
    find(".hint").forEach((hint) => { hint.hidden = !box.checked; });
    groups.forEach(({ group, panels }) => {
      const order = box.checked ? shuffled(panels) : panels;
      group.append(...order);
      order.forEach((panel, i) => {
        panel.classList.toggle("hidden", box.checked);
        name(panel, box.checked ? String.fromCharCode(65 + i) : panel.dataset.name);
        panel.tabIndex = box.checked ? 0 : -1;
      });
    });
  }));
  const reveal = (panel) => {
    if (!panel.classList.contains("hidden")) return;
    panel.classList.remove("hidden");
    name(panel, `${caption(panel).textContent} is ${panel.dataset.name}`);
  };
  find(".panel").forEach((panel) => {
    panel.addEventListener("click", () => reveal(panel));
    panel.addEventListener("keydown", (event) => { if (event.key === "Enter") reveal(panel); });
  });
})();
