/** The parts of a step of the lesson. */

import { count } from "../dom";
import type { Signal } from "../signal";
import type { ModelState } from "../state";

export interface Step {
  /** Its name in the address of the page. */
  key: string;
  title: string;
  /** What to do, in one sentence. */
  instruction: string;
  /** What to look at. */
  look: string;
  /** Cards of the page that belong to the step, by their `data-card`. */
  card?: string;
  /** Controls and pictures of the step; made when it begins. */
  body?: () => Node[];
  /** Sentences with numbers that are measured on the models of the page. */
  measured: () => string[];
  /** After these signals the sentences are measured again. */
  changes?: readonly Signal[];
  enter?: () => void;
  leave?: () => void;
}

/** What the sentences call far. */
export const FAR =
  "A code is called far if it is farther from every example than 95\u00a0% of the examples are from their nearest other example.";

/** A share as text: 9.8 % below 10 %, else 12 %. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)}\u00a0%`;
}

export function named({ model }: ModelState): string {
  return `“${model.header.name}”`;
}

/** "a, b and c". */
export function listed(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

export function examplesOf(n: number): string {
  return `${count(n)} example${n === 1 ? "" : "s"}`;
}
