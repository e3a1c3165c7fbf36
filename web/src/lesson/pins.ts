/** Interpolation between two pinned examples. */

import { button, el, fixed } from "../dom";
import { alongLine, spacing, nearestExample, typicalExample } from "../measure";
import { STEPS, onArc } from "../panels/interpolation";
import type { ModelState, State } from "../state";
import { between } from "../geometry";
import { FAR, type Step, named } from "./step";

export function pinStep(state: State): Step | null {
  const models = state.models.filter(({ model }) => model.decodes && !model.codebook);
  const [first] = models;
  if (!first) return null;
  const pair = twoClasses(state);
  const what = pair ? `a ${pair[0].name} and a ${pair[1].name}` : "two examples";
  const examples = (): [number, number] => {
    const { labels } = state;
    const { model } = first;
    if (!pair || !labels) return [0, model.n - 1];
    return [typicalExample(model, labels, pair[0].label), typicalExample(model, labels, pair[1].label)];
  };
  return {
    key: "pins",
    title: `Pin ${what}: what is between them?`,
    instruction: `Click ${pair ? `a point of class “${pair[0].name}”, then one of class “${pair[1].name}”` : "two points"}, or press “Pin ${what}”.`,
    look: "the row of decoded images: whether each looks like an example, and where it changes most.",
    card: "interpolation",
    enter: () => state.setTool("inspect"),
    body: () => [
      el(
        "div",
        { class: "actions" },
        button(`Pin ${what}`, `Pin the codes of two examples in every model`, () => {
          const [a, b] = examples();
          for (const modelState of models) modelState.setPins([modelState.model.code(a), modelState.model.code(b)]);
        }),
      ),
    ],
    measured: () => [...models.map((modelState) => measure(state, modelState)), FAR],
    changes: models.map(({ codeChanged }) => codeChanged),
  };
}

interface Named {
  label: number;
  name: string;
}

/** The classes 1 and 0, or the first two that have examples; null without labels. */
function twoClasses({ labels, examples }: State): [Named, Named] | null {
  if (!labels) return null;
  const present = examples.classes.map((name, label) => ({ label, name })).filter(({ label }) => labels.includes(label));
  const wanted = ["1", "0"].map((name) => present.find((each) => each.name === name));
  const [a, b] = wanted[0] && wanted[1] ? wanted : present;
  return a && b ? [a, b] : null;
}

function measure(state: State, modelState: ModelState): string {
  const { model, pins } = modelState;
  const [a, b] = pins;
  if (!a || !b) return `${named(modelState)}: no two pins yet.`;
  const arc = onArc(state, modelState);
  const { nearest, changes } = alongLine(model, a, b, STEPS, arc);
  const mean = changes.reduce((sum, change) => sum + change, 0) / changes.length;
  const largest = Math.max(...changes);
  const at = changes.indexOf(largest);
  const classes = state.labels ? ` The nearest examples along the way are of the classes ${nearest.map((which) => state.className(which) || "?").join(" ")}.` : "";
  const { far } = spacing(model);
  const away = between(a, b, STEPS, arc).filter((z) => nearestExample(model, model.constrain(z)).distance > far).length;
  const context = model.conditional ? ` Every code is decoded for the class “${state.examples.classes[model.label]}”.` : "";
  return (
    `${named(modelState)}: the largest change between neighbouring images is ${fixed(largest / (mean || 1), 1)} times the mean, between image ${at + 1} and ${at + 2} of ${STEPS}; ` +
    `${away} of the ${STEPS} codes ${away === 1 ? "is" : "are"} far.${classes}${context}`
  );
}
