(() => {
  "use strict";
  const content = JSON.parse(document.getElementById("content").textContent);
  const find = (id) => document.getElementById(id);
  const show = (id, shown) => { find(id).hidden = !shown; };
  const n = content.pictures.length;
  const parity = (byte) => [0, 1, 2, 3, 4, 5, 6, 7].reduce((odd, bit) => odd ^ ((byte >> bit) & 1), 0);
  const truth = Array.from(atob(content.key), (c) => parity(c.charCodeAt(0)) === 1);
  const letters = (real) => real.map((r) => (r ? "R" : "G")).join("");

  // ---- the statistics; their equations and sources stand in report/answers.py

  const LANCZOS = [76.18009172947146, -86.50532032941677, 24.01409824083091, -1.231739572450155, 1.208650973866179e-3, -5.395239384953e-6];
  const logGamma = (x) => {
    const series = LANCZOS.reduce((sum, c, i) => sum + c / (x + 1 + i), 1.000000000190015);
    return (x + 0.5) * Math.log(x + 5.5) - (x + 5.5) + Math.log(2.5066282746310005 * series / x);
  };
  const fraction = (x, a, b) => { // of the incomplete beta function, by Lentz's method
    let c = 1, d = 1 / (1 - (a + b) * x / (a + 1)), h = d;
    for (let m = 1; m < 500; m += 1) {
      for (const f of [m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))]) {
        d = 1 / (1 + f * d);
        c = 1 + f / c;
        h *= c * d;
      }
      if (Math.abs(c * d - 1) < 1e-15) break;
    }
    return h;
  };
  const betaCdf = (x, a, b) => {
    if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
    if (x > (a + 1) / (a + b + 2)) return 1 - betaCdf(1 - x, b, a);
    const front = logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x);
    return Math.exp(front) * fraction(x, a, b) / a;
  };
  const betaQuantile = (q, a, b) => {
    let low = 0, high = 1;
    for (let i = 0; i < 60; i += 1) {
      const middle = (low + high) / 2;
      if (betaCdf(middle, a, b) < q) low = middle; else high = middle;
    }
    return (low + high) / 2;
  };
  const tQuantile = (df) => { // at .975
    const x = betaQuantile(0.05, df / 2, 0.5);
    return Math.sqrt(df * (1 - x) / x);
  };
  const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const squares = (values, center) => values.reduce((sum, v) => sum + (v - center) ** 2, 0);
  const worth = (wrong, rate) => {
    const players = wrong.length, pictures = wrong[0].length, all = players * pictures;
    const byPlayer = wrong.map(mean), byPicture = wrong[0].map((_, i) => mean(wrong.map((row) => row[i])));
    const rest = wrong.flatMap((row, j) => row.map((w, i) => w - byPlayer[j] - byPicture[i] + rate));
    const spread = pictures * squares(byPlayer, rate) / (players - 1)
      + (players * squares(byPicture, rate) - squares(rest, 0) / (players - 1)) / (pictures - 1);
    const share = rate * (1 - rate) * (tQuantile(all - 1) / tQuantile(players - 1)) ** 2;
    return spread > share ? all * share / spread : all;
  };
  const estimate = (wrong) => {
    const rate = mean(wrong.map(mean)), pictures = wrong[0].length;
    const size = wrong.length > 1 && rate > 0 && rate < 1 ? worth(wrong, rate) : pictures;
    const k = rate * size;
    return {
      value: rate, errors: Math.round(rate * wrong.length * pictures), answers: wrong.length * pictures,
      low: rate > 0 ? betaQuantile(0.025, k, size - k + 1) : 0,
      high: rate < 1 ? betaQuantile(0.975, k + 1, size - k) : 1,
    };
  };
  const guessing = (answers) => { // the exact law of the number of errors over all ways to label the pictures
    const votes = truth.map((_, i) => answers.filter((row) => row[i]).length);
    const total = votes.reduce((sum, v) => sum + v, 0), m = n / 2;
    const law = Array.from({ length: m + 1 }, () => new Float64Array(total + 1));
    law[0][0] = 1;
    for (const v of votes) {
      for (let r = m; r >= 0; r -= 1) {
        for (let s = total; s >= 0; s -= 1) law[r][s] = (law[r][s] + (r > 0 && s >= v ? law[r - 1][s - v] : 0)) / 2;
      }
    }
    const mass = law[m].reduce((sum, v) => sum + v, 0), shares = Array.from(law[m], (v) => v / mass);
    const seen = votes.reduce((sum, v, i) => sum + (truth[i] ? v : 0), 0);
    const rate = (t) => (m * answers.length + total - 2 * t) / (n * answers.length);
    const p = (t) => Math.min(1, shares.reduce((sum, v, s) => sum + (Math.abs(2 * s - total) >= Math.abs(2 * t - total) ? v : 0), 0));
    let below = 0, t = -1;
    while (below <= 0.025) { t += 1; below += shares[t]; }
    const half = Math.ceil(total / 2), told = shares.findIndex((v, s) => s >= half && v > 0 && p(s) <= 0.05);
    return { p: p(seen), low: rate(total - t), high: rate(t), told: told < 0 ? null : Math.round(rate(told) * n * answers.length) };
  };

  // ---- figures in words and strips

  const percent = (share) => `${Math.round(100 * share)}\u00a0%`;
  const element = (tag, name, text = "") => Object.assign(document.createElement(tag), { className: name, textContent: text });
  const pText = (p) => (p < 0.001 ? "p < 0.001" : `p = ${Number(p.toPrecision(2))}`).replaceAll(" ", "\u00a0");
  const strip = (figure, guess, name) => {
    const out = element("div", `strip ${name}`);
    const put = (tag, kind, left, right) => {
      const mark = out.appendChild(element(tag, kind));
      mark.style.left = `${100 * left}%`;
      if (right !== undefined) mark.style.width = `${100 * (right - left)}%`;
    };
    if (guess) { put("i", "null", guess.low, guess.high); put("i", "rule", 0.5); }
    put("i", "interval", figure.low, figure.high);
    put("b", name, figure.value);
    return out;
  };
  const line = (who, figure, guess = null) => {
    const row = element("div", "answer"), label = row.appendChild(element("div", "who", who));
    label.append(element("small", "", `${figure.errors} of ${figure.answers}${guess ? `, ${pText(guess.p)}` : ""}`));
    const number = row.appendChild(element("div", "figure", percent(figure.value) + " "));
    number.append(element("small", "quiet", `[${Math.round(100 * figure.low)}, ${Math.round(100 * figure.high)}]`));
    row.append(strip(figure, guess, guess === null ? "part" : guess.p <= 0.05 ? "told" : "even"));
    Object.assign(row.dataset, { value: figure.value, low: figure.low, high: figure.high, p: guess ? guess.p : "" });
    return row;
  };
  const axis = () => {
    const row = element("div", "answer head"), scale = element("div", "strip scale");
    for (const [at, name] of [[0, "first"], [0.5, ""], [1, "last"]]) {
      scale.appendChild(element("span", name, percent(at))).style.left = `${100 * at}%`;
    }
    scale.firstChild.style.transform = "none";
    row.append(element("span", "", "wrong answers"), element("span", "", "95\u00a0% interval"), scale);
    return row;
  };
  const part = (wrong, real) => estimate(wrong.map((row) => row.filter((_, i) => truth[i] === real)));
  const judge = (answers) => {
    const wrong = answers.map((row) => row.map((r, i) => Number(r !== truth[i])));
    const total = estimate(wrong), guess = guessing(answers);
    const lines = [axis(), line("All pictures", total, guess), line("Real, taken for generated", part(wrong, true)),
      line("Generated, taken for real", part(wrong, false))];
    return { total, guess, lines };
  };
  const sentence = ({ total, guess }, who) => {
    const count = `${total.errors} wrong of ${total.answers}, where a guesser has ${total.answers / 2} (${pText(guess.p)}).`;
    if (guess.p <= 0.05 && total.value < 0.5) return `${who} told them apart: ${count}`;
    if (guess.p <= 0.05) return `${who} saw a difference and took it for its opposite: ${count} The generated pictures pass for more real than the real ones.`;
    const power = guess.told === null ? "No number of errors would have shown it with answers so one-sided."
      : `It would have taken at most ${guess.told} errors to show it.`;
    return `Not shown to be told apart: ${count} ${power}`;
  };

  // ---- the game

  const place = `pushforward game ${content.game}`;
  const shuffled = () => {
    const out = [...truth.keys()];
    for (let i = n - 1; i > 0; i -= 1) {
      const j = Math.floor(Math.random() * (i + 1));
      [out[i], out[j]] = [out[j], out[i]];
    }
    return out;
  };
  const fresh = () => ({ begun: false, revealed: false, order: shuffled(), answers: [], name: "" });
  const stored = () => { // a browser may refuse to keep anything; the game then lasts as long as the page
    try { return JSON.parse(localStorage.getItem(place)); } catch { return null; }
  };
  const keep = () => { try { localStorage.setItem(place, JSON.stringify(state)); } catch { /* idem */ } };
  let state = stored() || fresh();

  const byPicture = () => {
    const out = new Array(n);
    state.answers.forEach((real, at) => { out[state.order[at]] = real; });
    return out;
  };
  const fit = () => {
    const image = find("picture"), dots = devicePixelRatio || 1;
    const room = Math.min(find("play").clientWidth - 36, Math.max(180, innerHeight - 420), 560);
    const times = Math.floor(room * dots / Math.max(image.naturalWidth, image.naturalHeight)); // whole, so that pixels stay square
    image.style.width = times > 0 ? `${times * image.naturalWidth / dots}px` : "";
    image.style.imageRendering = times > 0 ? "" : "auto";
  };
  const drawPlay = () => {
    const at = state.answers.length, over = at === n;
    find("progress").textContent = over ? `${n} of ${n} answered` : `${at + 1} of ${n}`;
    find("thread").style.width = `${100 * at / n}%`;
    find("undo").disabled = at === 0;
    show("choices", !over);
    show("last", over);
    show("keys", !over);
    find("picture").parentElement.hidden = over;
    if (over) { find("reveal").focus(); return; }
    find("picture").alt = `Picture ${at + 1} of ${n}`;
    find("picture").src = content.pictures[state.order[at]];
  };
  const smooth = ({ target }) => { if (target.naturalWidth > target.width) target.style.imageRendering = "auto"; };
  const gallery = (title, shown) => {
    if (shown.length === 0) return [];
    const grid = element("div", "gallery");
    grid.append(...shown.map((i) => Object.assign(element("img", ""), { src: content.pictures[i], alt: "", onload: smooth })));
    return [element("h3", "", `${title}: ${shown.length}`), grid];
  };
  const drawResult = () => {
    const answers = byPicture(), judged = judge([answers]);
    find("sentence").textContent = sentence(judged, "You");
    find("figures").replaceChildren(...judged.lines);
    const which = (real, said) => [...truth.keys()].filter((i) => truth[i] === real && answers[i] === said);
    find("gallery").replaceChildren(
      ...gallery("Generated, and you said real", which(false, true)), ...gallery("Real, and you said generated", which(true, false)),
      ...gallery("Generated, and you said so", which(false, false)), ...gallery("Real, and you said so", which(true, true)));
    find("name").value = state.name;
  };
  const draw = () => {
    show("intro", !state.begun);
    show("play", state.begun && !state.revealed);
    show("result", state.revealed);
    show("pool", !state.begun || state.revealed);
    if (state.revealed) drawResult(); else if (state.begun) drawPlay();
  };
  const change = (values) => { Object.assign(state, values); keep(); draw(); };
  const playing = () => state.begun && !state.revealed;
  const answer = (real) => { if (playing() && state.answers.length < n) change({ answers: [...state.answers, real] }); };
  const undo = () => { if (playing()) change({ answers: state.answers.slice(0, -1) }); };
  const press = (id, act) => find(id).addEventListener("click", act);

  press("begin", () => change({ begun: true }));
  press("real", () => answer(true));
  press("generated", () => answer(false));
  press("undo", undo);
  press("reveal", () => { change({ revealed: true }); find("sentence").focus(); });
  press("again", () => { if (confirm("Clear these answers from this browser?")) { state = fresh(); change({}); scrollTo(0, 0); } });
  press("theme", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  const keys = {
    ArrowLeft: () => answer(true), r: () => answer(true), ArrowRight: () => answer(false), g: () => answer(false), Backspace: undo, u: undo,
  };
  addEventListener("keydown", (event) => {
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || !playing() || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
  find("picture").addEventListener("load", fit);
  addEventListener("resize", fit);

  // ---- saving and pooling

  find("saving").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = find("name").value.trim().replace(/\s+/g, " ");
    if (!name) return;
    state.name = name;
    keep();
    const answers = { ...content.format, game: content.game, name, truth: letters(truth), answers: letters(byPicture()) };
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(answers, null, 2)], { type: "application/json" }));
    link.download = `answers-${name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-")}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    find("saved").textContent = `Saved as ${link.download}.`;
  });

  const pool = new Map();
  const fault = (value) => { // why a file cannot be pooled, or nothing
    const whole = value && Object.entries(content.format).every(([key, v]) => value[key] === v) && typeof value.name === "string" && value.name.trim();
    if (!whole) return "holds no answers saved from this page.";
    if (value.game !== content.game || value.truth !== letters(truth)) return "belongs to another game, whose pictures were others.";
    if (!new RegExp(`^[RG]{${n}}$`).test(value.answers)) return "is incomplete: an answer is missing or is neither real nor generated.";
    if (pool.has(value.name.trim().toLowerCase())) return `holds the answers of ${value.name.trim()}, who is in the pool already.`;
    return "";
  };
  const drawPool = () => {
    const all = [...pool.values()];
    show("pooled", all.length > 0);
    if (all.length === 0) return;
    const judged = judge(all.map((one) => one.answers));
    const who = all.length === 1 ? "1 person" : `${all.length} people`;
    find("pooled-sentence").textContent = `${who}. ${sentence(judged, "They")}`;
    const people = all.map(({ name, answers }) => { const own = judge([answers]); return line(name, own.total, own.guess); });
    find("pooled-figures").replaceChildren(...judged.lines, element("h3", "", "Each person"), axis(), ...people);
  };
  const take = async (files) => {
    find("refused").replaceChildren();
    for (const file of files) {
      let value = null;
      try { value = JSON.parse(await file.text()); } catch { /* which fault() names */ }
      const reason = fault(value);
      if (reason) find("refused").append(element("li", "", `${file.name} ${reason}`));
      else pool.set(value.name.trim().toLowerCase(), { name: value.name.trim(), answers: Array.from(value.answers, (letter) => letter === "R") });
    }
    drawPool();
  };
  find("files").addEventListener("change", async (event) => { await take([...event.target.files]); event.target.value = ""; });
  const over = (event, inside) => { event.preventDefault(); find("drop").classList.toggle("over", inside); };
  find("drop").addEventListener("dragover", (event) => over(event, true));
  find("drop").addEventListener("dragleave", (event) => over(event, false));
  find("drop").addEventListener("drop", (event) => { over(event, false); take([...event.dataTransfer.files]); });

  if (content.factor > 1) {
    find("reduced").textContent = `Pictures of ${content.size} pixels are averaged over ${content.factor} × ${content.factor} blocks here.`;
    show("reduced", true);
  }
  draw();
})();
