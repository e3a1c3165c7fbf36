/** The lesson: a guided mode that shows one step at a time, with the parts of the page it needs. */

import { button, el } from "../dom";
import { debounce } from "../signal";
import type { State } from "../state";
import type { Step } from "./step";
import { stepsOf } from "./steps";

/** Milliseconds without a change after which sentences are measured again. */
const PAUSE = 80;

export interface Lesson {
  start: HTMLElement;
  panel: HTMLElement;
  /** Shows the step of the address, once the page is built. */
  resume: () => void;
}

/** A button that starts the lesson, and its panel. */
export function lesson(state: State, main: HTMLElement): Lesson {
  const steps = stepsOf(state);
  const heading = el("h2", { id: "lesson-heading" });
  const instruction = el("p", { class: "instruction" });
  const look = el("span", {});
  const stage = el("div", { class: "stage" });
  const measured = el("div", { class: "measured", "aria-live": "polite" });
  const start = button("Start the lesson", `A guided tour of this page in ${steps.length} steps`, () => go(steps[0] ?? null));
  const back = button("Back", "The step before", () => move(-1));
  const next = button("Next", "The next step", () => move(1));
  const leave = button("Leave the lesson", "Show the whole page", () => go(null));
  const progress = steps.map((step, i) => button(String(i + 1), step.title, () => go(step)));
  const panel = el(
    "section",
    { class: "lesson", tabindex: -1, "aria-labelledby": "lesson-heading" },
    el(
      "div",
      { class: "lesson-bar" },
      el("ol", { class: "progress", "aria-label": "Steps" }, ...progress.map((each) => el("li", {}, each))),
      el("div", { class: "actions" }, back, next, leave),
    ),
    el(
      "div",
      { class: "lesson-text" },
      el("div", {}, heading, instruction, el("p", { class: "look" }, el("b", {}, "Look at "), look)),
      el("div", { class: "numbers" }, el("b", {}, "Measured on this page"), measured),
    ),
    stage,
  );
  let current: Step | null = null;
  /** Cards on the stage, and where they belong. */
  let borrowed: { card: Element; home: Comment }[] = [];

  const measure = (): void => {
    if (current) measured.replaceChildren(...current.measured().map((sentence) => el("p", {}, sentence)));
  };
  const measureLater = debounce(measure, PAUSE);
  for (const step of steps) {
    for (const change of step.changes ?? []) change.on(() => step === current && measureLater());
  }

  const borrow = (name: string): void => {
    borrowed = [...main.querySelectorAll(`[data-card="${name}"]`)].map((card) => {
      const home = document.createComment("");
      card.replaceWith(home);
      return { card, home };
    });
    stage.append(el("div", { class: "columns" }, ...borrowed.map(({ card }) => card)));
  };
  const show = (step: Step | null): void => {
    current?.leave?.();
    for (const { card, home } of borrowed) home.replaceWith(card);
    borrowed = [];
    current = step;
    state.lesson = step?.key ?? null;
    main.toggleAttribute("data-lesson", step !== null);
    panel.hidden = step === null;
    start.hidden = step !== null || steps.length < 2;
    if (step) {
      const at = steps.indexOf(step);
      heading.textContent = `Step ${at + 1} of ${steps.length}. ${step.title}`;
      instruction.textContent = step.instruction;
      look.textContent = step.look;
      progress.forEach((each, i) => {
        if (i === at) each.setAttribute("aria-current", "step");
        else each.removeAttribute("aria-current");
      });
      back.disabled = at === 0;
      next.textContent = at === steps.length - 1 ? "Finish" : "Next";
      step.enter?.();
      stage.replaceChildren(...(step.body?.() ?? []));
      if (step.card) borrow(step.card);
      measure();
    }
    state.lessonChanged.emit();
  };
  /** Shows a step, or the whole page, and moves the focus there. */
  const go = (step: Step | null): void => {
    show(step);
    (step ? panel : start).focus();
    if (step) panel.scrollIntoView({ block: "nearest" });
  };
  const move = (by: number): void => {
    const at = current ? steps.indexOf(current) + by : 0;
    go(steps[at] ?? null);
  };
  return { start, panel, resume: () => show(steps.find(({ key }) => key === state.lesson) ?? null) };
}
