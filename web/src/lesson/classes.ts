/** One class on the plane: its share of the examples, and the classes of its neighbours. */

import { count, el } from "../dom";
import { neighbours } from "../measure";
import { type State, UNLABELLED } from "../state";
import { type Step, named, percent } from "./step";

/** Other classes that are named. */
const MAX_OTHERS = 2;

export function classStep(state: State): Step | null {
  const { labels, examples } = state;
  if (!labels) return null;
  const present = examples.classes.map((name, label) => ({ name, label })).filter(({ label }) => labels.includes(label));
  if (present.length < 2) return null;
  const select = el("select", {}, ...present.map(({ name, label }) => el("option", { value: label }, name)));
  select.addEventListener("change", () => state.highlightOnly([Number(select.value)]));
  const follow = (): void => {
    const [label] = state.only;
    if (label !== undefined) select.value = String(label);
  };
  state.styleChanged.on(follow);
  return {
    key: "class",
    title: "Where does a class live?",
    instruction: "Choose a class: its examples are highlighted on the plane.",
    look: "whether the class is one region or several, and which classes border on it.",
    enter: () => {
      if (!state.only.size) state.highlightOnly([present[0]?.label ?? 0]);
      follow();
    },
    leave: () => state.highlightOnly([]),
    body: () => [el("label", { class: "tick" }, el("span", {}, "Class"), select)],
    measured: () => measure(state, labels),
    changes: [state.styleChanged],
  };
}

function measure(state: State, labels: Uint16Array): string[] {
  const [label] = state.only;
  if (label === undefined) return ["No class is highlighted."];
  const { classes } = state.examples;
  const name = `“${classes[label]}”`;
  const of = labels.filter((other) => other === label).length;
  const share = of / labels.length;
  const sentences = [`Class ${name} has ${count(of)} of ${count(labels.length)} examples (${percent(share)}).`];
  for (const modelState of state.models) {
    const { counts, of: searched } = neighbours(modelState.model, labels, label);
    const others = [...counts]
      .filter(([other]) => other !== label && other !== UNLABELLED)
      .sort(([, m], [, n]) => n - m)
      .slice(0, MAX_OTHERS)
      .map(([other, n]) => `“${classes[other]}” (${percent(n / searched)})`);
    sentences.push(
      `${named(modelState)}: the nearest other example is of the same class for ${percent((counts.get(label) ?? 0) / searched)} of ${count(searched)} examples of class ${name}` +
        `${others.length ? `; next ${others.length === 1 ? "is" : "are"} ${others.join(" and ")}` : ""}. By chance it would be ${percent((of - 1) / Math.max(1, labels.length - 1))}.`,
    );
  }
  return sentences;
}
